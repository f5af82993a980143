"""The tcp sink against receivers that die, hang up, crawl or are not there."""
import gzip
import re
import signal
import socket
import time

import pytest

from harness import (SANITIZED, SLOW, Receiver, Weir, append, checkpoint, config, expect_all, expect_once, file, free_port,
                     lines, once, out_lines, stays, tail, tcp, wait, wait_out)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    append(path, b"")
    return path


def delivered(tmp_path, log):
    return wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "all to be delivered", 40)


def test_receiver_dies_and_returns_twice(tmp_path, log):
    receiver = Receiver()
    port, dead = receiver.port, []
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    for i in range(3):
        append(log, lines(1000 * i, 1000 * i + 500))
        receiver.wait_lines(500 if i == 0 else 1000)  # read, not only taken by its kernel
        if i == 2:
            break
        receiver.die()
        dead.append(receiver)
        append(log, lines(1000 * i + 500, 1000 * i + 1000))
        weir.wait_log("cannot connect: Connection refused|closed the connection|Connection reset", count=i + 1)
        receiver = Receiver(port)
        receiver.wait_lines(500)
    append(log, lines(2500, 3000))
    delivered(tmp_path, log)
    weir.stop()
    expect_all([x for r in [*dead, receiver] for x in r.lines()], 3000)
    assert len(re.findall("connected to .* again", weir.log)) == 2
    assert weir.log.count("warn") <= 4, "one message for an outage, not one for an attempt"


def test_fin_while_idle_is_noticed(tmp_path, log):
    """An agent that does not look would send its next line into the void."""
    receiver = Receiver()
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    receiver.wait_lines(10)
    delivered(tmp_path, log)
    receiver.hang_up(receiver.current())
    weir.wait_log("the peer closed the connection")
    receiver.connected(2)
    append(log, lines(10, 20))
    expect_once(receiver.wait_lines(20), 20)
    weir.stop()


def test_rst_in_the_middle_of_a_record(tmp_path, log):
    """Where the connection breaks inside a record, that record is sent again whole."""
    receiver = Receiver(close_after=100_001, step=1000, rcvbuf=8192)
    append(log, lines(0, 20_000, pad=90))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    delivered(tmp_path, log)
    weir.stop()
    wait(lambda: all(c.ended for c in receiver.connections), "the connections to end")
    assert len(receiver.connections) == 2
    first, second = (bytes(c.data) for c in receiver.connections)
    assert not first.endswith(b"\n"), "it did not break inside a record"
    assert second.startswith(b"n ") and second.endswith(b"\n")
    # What the receiver's kernel had acknowledged and its program had not read is beyond TCP's sight: some kilobytes. All else is there.
    resumed = int(second.split(b" ", 2)[1])
    expect_once(second.split(b"\n")[:-1], 20_000, start=resumed)
    assert len(lines(0, resumed, pad=90)) < len(first) + 50_000


def test_many_resets_while_reading_all_lose_at_most_what_was_acknowledged(tmp_path, log):
    """A receiver that reads everything and resets between records: then nothing may be missing."""
    receiver = Receiver()
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    for i in range(15):
        append(log, lines(100 * i, 100 * i + 100))
        wait(lambda: (100 * i + 99) in {int(x.split()[1]) for x in receiver.lines()[-400:]}, "the last line")
        current = receiver.current()
        receiver.reset(current)
        receiver.connected(i + 2)
    weir.stop()
    expect_all(receiver.lines(), 1500)
    assert len(receiver.connections) == 16


def test_one_byte_a_read(tmp_path, log):
    count = 300 if SANITIZED else 1500
    receiver = Receiver(step=1, rcvbuf=2304)
    append(log, lines(0, count))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    expect_once(receiver.wait_lines(count), count)
    weir.stop()


@pytest.mark.parametrize("transforms", [[], [{"type": "gzip", "flush_interval": "20ms"}]], ids=["lines", "gzip"])
def test_reconnect_after_each_message(tmp_path, log, transforms):
    receiver = Receiver()
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver), transforms))
    for i in range(4):
        c = receiver.connected(i + 1)
        append(log, lines(i, i + 1))
        wait(lambda: (gzip.decompress(bytes(c.data)) if transforms and c.data else bytes(c.data)).endswith(lines(i, i + 1)), "the line")
        delivered(tmp_path, log)
        receiver.hang_up(c)
    weir.stop()
    got = [gzip.decompress(bytes(c.data)) if transforms and c.data else bytes(c.data) for c in receiver.connections]
    expect_once(b"".join(got).splitlines(), 4)


def test_octet_counting_resumes_on_a_frame(tmp_path, log):
    receiver = Receiver(close_after=50_003, step=777)
    append(log, lines(0, 5000, pad=50))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver, framing="octet_counting")))
    delivered(tmp_path, log)
    weir.stop()
    wait(lambda: all(c.ended for c in receiver.connections), "the connections to end")
    stream, at, got = bytes(receiver.connections[1].data), 0, []
    while at < len(stream):
        space = stream.index(b" ", at)
        size = int(stream[at:space])
        got.append(stream[space + 1:space + 1 + size])
        at = space + 1 + size
    assert at == len(stream) and got[-1].startswith(b"n 4999 ")


def test_two_sinks_one_dead_and_when_it_returns(tmp_path, log):
    """The dead one blocks (the default): it gets everything when it comes back, and so does the other."""
    port, live = free_port(), Receiver()
    append(log, lines(0, 30_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), [{**tcp(port), "name": "dead"}, {**tcp(live), "name": "live"}],
                                 memory_limit="1MiB"))
    weir.wait_log("p/dead: .*cannot connect")
    wait(lambda: live.received > 10_000, "the live one to get its share")
    assert checkpoint(tmp_path / "data").get(str(log), 0) == 0, "nothing counts as delivered that one sink has not"
    back = Receiver(port)
    expect_once(back.wait_lines(30_000), 30_000)
    expect_once(live.wait_lines(30_000), 30_000)
    delivered(tmp_path, log)
    weir.stop()


def test_stop_with_a_dead_sink_fails_and_the_next_start_sends_it(tmp_path, log):
    port = free_port()
    append(log, lines(0, 100))
    setup = config(tmp_path, tail(log), tcp(port), shutdown_timeout="1s")
    weir = Weir(tmp_path, setup).wait_log("Connection refused")
    began = time.monotonic()
    weir.stop(status=1)
    assert 0.8 < time.monotonic() - began < 5 * SLOW
    assert "p/tcp: 100 records were read and not delivered" in weir.log
    assert checkpoint(tmp_path / "data").get(str(log), 0) == 0
    receiver = Receiver(port)
    Weir(tmp_path, setup, "--once").finish()
    expect_once(receiver.wait_lines(100), 100)


def test_stop_in_backoff_is_prompt(tmp_path, log):
    """The receiver comes back while the sink sits out a long backoff: the stop tries at once."""
    port = free_port()
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(port), shutdown_timeout="20s"), level="debug")
    weir.wait_log(r"next attempt in [1-9]\.", timeout=20)
    receiver = Receiver(port)
    began = time.monotonic()
    weir.stop()
    assert time.monotonic() - began < 1.5 * SLOW
    expect_once(receiver.wait_lines(100), 100)


def test_stop_in_backoff_with_nothing_to_send_is_prompt(tmp_path, log):
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(free_port())), level="debug")
    weir.wait_log(r"next attempt in")
    began = time.monotonic()
    weir.stop()
    assert time.monotonic() - began < 1.5 * SLOW


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_stop_signal_ends_at_once(tmp_path, log, number):
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(free_port()))).wait_log("Connection refused")
    weir.signal(number)
    weir.wait_log("stopping")
    stays(weir.running, 0.3, "it did not wait for its sink")
    began = time.monotonic()
    weir.signal(number)
    assert weir.join() == 1 and time.monotonic() - began < 0.5 * SLOW
    assert "second signal" in weir.log


def test_stalled_receiver_and_stop(tmp_path, log):
    """A receiver that took some and reads no more: shutdown_timeout ends it, the rest is sent at the next start."""
    receiver = Receiver(hold=True, rcvbuf=65536)
    append(log, lines(0, 300_000, pad=50))
    setup = config(tmp_path, tail(log), tcp(receiver), shutdown_timeout="1s")
    weir = Weir(tmp_path, setup)
    receiver.connected()
    wait(lambda: weir.bytes_read() > 3_000_000, "it to read")
    weir.stop(status=1)
    assert re.search(r"p/tcp: \d+ records were read and not delivered", weir.log)
    receiver.release()
    Weir(tmp_path, setup, "--once").finish()
    wait(lambda: all(c.ended for c in receiver.connections), "the connections to end")
    expect_all(receiver.lines(), 300_000)


def test_name_that_does_not_resolve(tmp_path, log):
    append(log, lines(0, 10))
    out = tmp_path / "out"
    weir = Weir(tmp_path, config(tmp_path, tail(log), [
        {"type": "tcp", "address": "does-not-exist.invalid:5170", "queue": {"when_full": "drop_newest"}}, file(out)]))
    weir.wait_log(r"does-not-exist\.invalid:5170: cannot resolve the name", timeout=30)
    expect_once(wait_out(out, 10, weir=weir), 10)
    weir.signal(signal.SIGTERM)
    weir.wait_log("stopping")
    weir.signal(signal.SIGTERM)
    assert weir.join() == 1


def test_name_is_looked_up(tmp_path, log):
    try:
        socket.getaddrinfo("localhost", 1)
    except OSError:
        pytest.skip("needs a machine that knows localhost: /etc/hosts is missing")
    receiver = Receiver()
    append(log, lines(0, 10))
    once(tmp_path, config(tmp_path, tail(log), {"type": "tcp", "address": f"localhost:{receiver.port}"}))
    expect_once(receiver.wait_lines(10), 10)


def test_what_the_peer_says_is_no_matter(tmp_path, log):
    receiver = Receiver()
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    receiver.wait_lines(10)
    receiver.current().sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 1000)
    append(log, lines(10, 20))
    expect_once(receiver.wait_lines(20), 20)
    weir.stop()
    assert len(receiver.connections) == 1


def test_nothing_is_lost_in_an_orderly_stop_under_load(tmp_path, log):
    """SIGTERM in full flow, five times: each run goes on where the last one ended, and nothing comes twice."""
    receiver = Receiver()
    count = 200_000
    setup = config(tmp_path, tail(log), tcp(receiver), memory_limit="1MiB")
    for i in range(5):
        append(log, lines(count // 5 * i, count // 5 * (i + 1), pad=100))
        seen = receiver.received
        weir = Weir(tmp_path, setup)
        wait(lambda: receiver.received > seen, "anything to arrive")
        weir.stop()
    Weir(tmp_path, setup, "--once").finish()
    expect_once(receiver.wait_lines(count), count)
    assert out_lines(tmp_path / "nothing") == []
