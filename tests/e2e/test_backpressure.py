"""A receiver that stalls throttles the source, in bounded memory and without spinning, and loses nothing."""
import gzip
import os
import re
import time

import pytest

from harness import (LONG, MIB, SANITIZED, Receiver, Weir, append, config, expect_once, file, free_port, lines, numbers, stays, tail, tcp,
                     wait, wait_out)

pytestmark = pytest.mark.alone

STALL = 60 if LONG else 6 if SANITIZED else 20
LIMIT = 16 * MIB
COUNT = 250_000 if SANITIZED else 400_000


def settle(weir):
    """Wait until the source has stopped reading: nothing was read for half a second."""
    seen = -1
    while weir.bytes_read() != seen:
        seen = weir.bytes_read()
        time.sleep(0.5)
    return seen


def memory_bound(weir):
    """The issue's bound; the sanitizers' shadow memory is not what is measured."""
    return SANITIZED or weir.rss() <= LIMIT + 16 * MIB


@pytest.mark.parametrize("transforms", [[], pytest.param([{"type": "json"}], marks=pytest.mark.slow), [{"type": "gzip", "level": 1}]],
                         ids=["plain", "json", "gzip"])
def test_stalled_receiver_throttles_the_source(tmp_path, transforms):
    seconds = STALL if transforms == [] else min(STALL, 5)
    log = tmp_path / "a.log"
    body = b"".join(b'{"level":"info","n":%d,"pad":"%s"}\n' % (i, os.urandom(60).hex().encode()) for i in range(COUNT))
    log.write_bytes(body)
    receiver = Receiver(hold=True, rcvbuf=65536)
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver), transforms, memory_limit=LIMIT))
    receiver.connected()
    read, cpu, before = settle(weir), weir.cpu(), weir.checkpoint()
    assert 0 < read < len(body) / 2, "the source did not stop reading"
    append(log, b"")  # touched: no reason to read
    stays(lambda: memory_bound(weir), seconds, lambda: f"resident {weir.rss()} with memory_limit {LIMIT}")
    assert weir.bytes_read() - read < 64 * 1024, "it went on reading while the receiver did not"
    assert weir.cpu() - cpu < 0.02 * seconds + 0.1, "it spins"
    assert receiver.received == 0 and weir.running()
    assert all(offset < len(body) for offset in before.values())
    receiver.release()
    wait(lambda: weir.checkpoint().get(str(log)) == len(body), "everything to be delivered", 120)
    assert SANITIZED or weir.peak_rss() <= LIMIT + 16 * MIB
    weir.stop()
    got = receiver.data()
    assert (gzip.decompress(got) if transforms and transforms[0]["type"] == "gzip" else got) == body


def test_memory_limit_throttles_where_queues_are_bigger(tmp_path):
    """The queue may hold more than the agent: then memory_limit stops the source, and that does not spin either."""
    log, receiver = tmp_path / "a.log", Receiver(hold=True, rcvbuf=65536)
    log.write_bytes(lines(0, 400_000, pad=60))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver, queue={"max_bytes": "256MiB"}), memory_limit="4MiB"))
    receiver.connected()
    read, cpu = settle(weir), weir.cpu()
    assert 4 * MIB < read + MIB and read < 16 * MIB
    stays(lambda: SANITIZED or weir.rss() < 20 * MIB, 2, lambda: f"resident {weir.rss()}")
    assert weir.cpu() - cpu < 0.1, "it spins"
    receiver.release()
    expect_once(receiver.wait_lines(400_000), 400_000)
    weir.stop()


def test_stall_again_and_again(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 60_000, pad=200))
    receiver = Receiver(hold=True, rcvbuf=65536, step=65536)
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver), memory_limit="1MiB"))
    receiver.connected()
    for part in range(1, 6):
        receiver.release()
        wait(lambda: receiver.received > part * 1_500_000, "more to arrive")
        receiver.hold()
        settle(weir)
    receiver.release()
    expect_once(receiver.wait_lines(60_000), 60_000)
    weir.stop()


def test_stalled_pipeline_does_not_stop_the_other(tmp_path):
    stalled, free = Receiver(hold=True, rcvbuf=65536), Receiver()
    for name in "ab":
        (tmp_path / f"{name}.log").write_bytes(lines(0, 50_000, pad=400))
    setup = {"data_dir": str(tmp_path / "data"), "memory_limit": LIMIT, "pipelines": {
        "a": {"sources": [tail(tmp_path / "a.log")], "sinks": [tcp(stalled)]},
        "b": {"sources": [tail(tmp_path / "b.log")], "sinks": [tcp(free)]}}}
    weir = Weir(tmp_path, setup)
    expect_once(free.wait_lines(50_000), 50_000)
    assert stalled.received == 0
    append(tmp_path / "b.log", lines(50_000, 50_100))
    expect_once(free.wait_lines(50_100), 50_100)
    assert "a/" not in "".join(x for x in weir.log.splitlines() if "error" in x)
    stalled.release()
    expect_once(stalled.wait_lines(50_000), 50_000)
    weir.stop()


def test_blocked_sink_holds_back_its_neighbour_and_both_get_all(tmp_path):
    """when_full block: the slower of two sinks sets the pace, as documented; nothing is lost in either."""
    stalled = Receiver(hold=True, rcvbuf=65536)
    (tmp_path / "a.log").write_bytes(lines(0, 100_000, pad=300))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), [tcp(stalled), file(tmp_path / "out")], memory_limit=LIMIT))
    settle(weir)
    assert (tmp_path / "out").stat().st_size < 31_000_000 * 0.9
    stalled.release()
    expect_once(wait_out(tmp_path / "out", 100_000), 100_000)
    expect_once(stalled.wait_lines(100_000), 100_000)
    weir.stop()


@pytest.mark.parametrize("policy", ["drop_newest", "drop_oldest"])
def test_dead_sink_that_drops_does_not_stop_the_other(tmp_path, policy):
    live, port = Receiver(), free_port()
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 50_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), [
        {**tcp(port), "name": "dead", "queue": {"max_bytes": "256KiB", "when_full": policy}}, {**tcp(live), "name": "live"}]))
    expect_once(live.wait_lines(50_000), 50_000)
    weir.wait_log(rf"p/dead: queue full: \d+ records dropped \({policy}\)")
    dropped = int(re.search(r"dropped (\d+) \(queue full\)", weir.state()["p/dead"])[1])
    assert 0 < dropped < 50_000
    dead = Receiver(port)
    kept = dead.wait_lines(50_000 - dropped)
    got = numbers(kept)
    assert len(got) == 50_000 - dropped and got == sorted(set(got))
    assert (0 in got) if policy == "drop_newest" else (49_999 in got)
    weir.stop()
