"""Sources that listen: tcp, udp, unix. What is bounded, who has to wait, what is counted."""
import fcntl
import json
import os
import re
import resource
import signal
import socket
import ssl
import stat
import struct
import subprocess
import threading
import time

import pytest

from harness import (MIB, SLOW, Receiver, TheirWeir, Weir, WEIR, config, expect_once, file, free_port, line, lines, numbers, out_lines, stays,
                     tcp, wait, wait_out)
from pki import Pki


SIOCOUTQ = 0x5411


def listening(tmp_path, source, sinks, transforms=(), **options):
    """A running weir that listens with ${source}."""
    nofile = options.pop("nofile", None)
    weir = Weir(tmp_path, config(tmp_path, source, sinks, transforms, **options), nofile=nofile)
    return weir.wait_log("listening on")


def tcp_source(port, **options):
    return {"type": "tcp", "listen": f"127.0.0.1:{port}", **options}


def udp_source(port, **options):
    return {"type": "udp", "listen": f"127.0.0.1:{port}", **options}


def connect(port, data=b""):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(data)
    return s


def send(port, data):
    connect(port, data).close()


def dropped(weir, scope, reason):
    got = re.search(rf"dropped (\d+) \({reason}\)", weir.state()[scope])
    return int(got[1]) if got else 0


# ---- tcp ------------------------------------------------------------------------------------------

class Busy(threading.Thread):
    """Sends numbered lines in pieces that end anywhere."""

    def __init__(self, port, tag, count, seed):
        super().__init__(daemon=True)
        self.port, self.tag, self.count, self.seed = port, tag, count, seed
        self.start()

    def run(self):
        text, at, step = lines(0, self.count, self.tag), 0, self.seed
        with connect(self.port) as s:
            while at < len(text):
                step = (step * 1103515245 + 12345) % (1 << 31)
                n = 1 + step % (7 if step % 3 else 3000)
                s.sendall(text[at:at + n])
                at += n


def test_many_connections_idle_and_busy(tmp_path):
    """A thousand that do nothing cost almost nothing; of twenty busy ones each line comes once, in order."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, max_connections=2000), file(out), memory_limit="8MiB", nofile=4096)
    before = weir.rss()
    idle = [connect(port, b"begun") for _ in range(1000)]
    wait(lambda: len(weir.open_files()) > 1000, "1000 connections")
    time.sleep(0.2)
    assert weir.rss() - before < 4 * MIB * SLOW, f"{(weir.rss() - before) / 1000} bytes a connection"
    busy = [Busy(port, f"t{i}", 3000, i) for i in range(20)]
    for b in busy:
        b.join()
    got = wait_out(out, 60000, 60, weir)
    for i in range(20):
        assert numbers(got, f"t{i}") == list(range(3000))
    for s in idle:
        s.sendall(b" and ended\n")
        s.close()
    got = wait_out(out, 61000, 60, weir)
    assert got.count(b"begun and ended") == 1000
    if SLOW == 1:
        assert weir.peak_rss() < 24 * MIB
    weir.stop()
    assert len(out_lines(out)) == 61000


def test_connections_take_turns(tmp_path):
    """Two that have sent a lot already are read by turns, not one after the other."""
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port), file(out))
    both = [connect(port) for _ in range(2)]
    for i, s in enumerate(both):
        s.sendall(b"hello\n")
    wait_out(out, 2, weir=weir)
    weir.signal(signal.SIGSTOP)
    counts = []
    for i, s in enumerate(both):
        text, sent = lines(0, 100_000, f"t{i}", 50), 0
        s.setblocking(False)
        try:
            while sent < len(text):
                sent += s.send(text[sent:sent + 50_000])
        except BlockingIOError:
            pass
        assert sent > MIB
        counts.append(text[:sent].count(b"\n"))
    weir.signal(signal.SIGCONT)
    got = wait_out(out, 2 + sum(counts), weir=weir)
    first, last = ([got.index(x) for x in (line(n, f"t{i}", 50)[:-1] for i, n in enumerate(which))] for which in ((0, 0), (c - 1 for c in counts)))
    assert max(first) < min(last), f"lines {first} to {last}"
    weir.stop()


def test_a_slow_sink_makes_senders_wait(tmp_path):
    receiver, port = Receiver(hold=True, rcvbuf=65536), free_port()
    weir = listening(tmp_path, tcp_source(port), tcp(receiver), memory_limit="8MiB")
    count, sent = 400_000, [0]  # 40 MB and more

    def write():
        with connect(port) as s:
            for i in range(0, count, 1000):
                s.sendall(lines(i, i + 1000, pad=90))
                sent[0] = i + 1000

    sender = threading.Thread(target=write, daemon=True)
    sender.start()
    last = [-1, time.monotonic()]

    def stalled():
        if sent[0] != last[0]:
            last[:] = [sent[0], time.monotonic()]
        return time.monotonic() - last[1] > 1
    wait(stalled, "the sender to be held up")
    assert 0 < sent[0] < count
    cpu = weir.cpu()
    stays(lambda: sent[0] == last[0], 1, "the sender goes on")
    assert weir.cpu() - cpu < 0.2 * SLOW, "waiting costs CPU"
    if SLOW == 1:
        assert weir.peak_rss() < 8 * MIB + 16 * MIB
    receiver.release()
    sender.join()
    expect_once(receiver.wait_lines(count, 60), count)
    weir.stop()


def test_a_reset_in_the_middle_of_a_line(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port), file(out))
    s = connect(port, b"whole\nbegu")
    wait_out(out, 1, weir=weir)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    assert wait_out(out, 2, weir=weir) == [b"whole", b"begu"]
    weir.wait_log(r"127.0.0.1:\d+: connection lost: Connection reset by peer")
    send(port, b"next\n")
    assert wait_out(out, 3, weir=weir)[2] == b"next"
    weir.stop()


def test_max_connections_lets_others_wait(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, max_connections=2), file(out))
    a, b = connect(port, b"a\n"), connect(port, b"b\n")
    wait_out(out, 2, weir=weir)
    others = [connect(port, b"c%d\n" % i) for i in range(5)]
    weir.wait_log("max_connections 2 reached: others wait until one ends")
    stays(lambda: len(out_lines(out)) == 2, 0.3, "somebody was let in")
    a.close()
    wait_out(out, 3, weir=weir)
    stays(lambda: len(out_lines(out)) == 3, 0.3, "two were let in")
    b.close()
    for s in others:
        s.close()
    assert sorted(wait_out(out, 7, weir=weir)) == [b"a", b"b", b"c0", b"c1", b"c2", b"c3", b"c4"]
    weir.stop()


def test_no_descriptor_for_a_connection(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port), file(out), nofile=24)
    many = [connect(port, b"%d\n" % i) for i in range(30)]
    weir.wait_log("cannot accept a connection: Too many open files")
    for s in many:
        s.close()
    wait_out(out, 30, weir=weir)
    cpu = weir.cpu()
    time.sleep(0.5)
    assert weir.cpu() - cpu < 0.1
    weir.stop()


def test_idle_timeout(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, idle_timeout="600ms"), file(out))
    idle, busy = connect(port, b"begun"), connect(port)
    idle.settimeout(10)
    closed = threading.Thread(target=lambda: idle.recv(1), daemon=True)
    closed.start()
    began, n = time.monotonic(), 0
    while closed.is_alive() and time.monotonic() - began < 10:
        busy.sendall(line(n))
        n += 1
        time.sleep(0.1)
    assert 0.5 < time.monotonic() - began < 3 * SLOW
    weir.wait_log("nothing came for longer than idle_timeout: closed")
    busy.sendall(line(n))
    got = wait_out(out, n + 2, weir=weir)
    assert b"begun" in got and numbers(got) == list(range(n + 1))
    weir.stop()


def test_max_bytes_per_second_holds_one_back_and_not_the_others(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, max_bytes_per_second="200KB"), file(out))
    began = time.monotonic()
    fast = connect(port)
    threading.Thread(target=lambda: (fast.sendall(lines(0, 4000, "fast", 90)), fast.close()), daemon=True).start()  # 400 KB
    send(port, lines(0, 10, "slow"))
    wait(lambda: len(numbers(out_lines(out), "slow")) == 10, "the other one")
    assert time.monotonic() - began < 1 * SLOW
    wait(lambda: len(numbers(out_lines(out), "fast")) == 4000, "all of it")
    assert time.monotonic() - began > 1.5
    assert numbers(out_lines(out), "fast") == list(range(4000))
    weir.stop()


@pytest.mark.parametrize("mode, want", [("truncate", [b"x" * 100, b"y" * 100]), ("split", [b"x" * 100, b"x" * 50, b"y" * 100]), ("skip", [b"y" * 100])])
@pytest.mark.parametrize("framing", ["newline", "octet_counting"])
def test_long_lines(tmp_path, framing, mode, want):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, framing=framing, max_line_bytes=100, on_long_line=mode), file(out))
    text = b"x" * 150 + b"\n" + b"y" * 100 + b"\n" if framing == "newline" else b"150 " + b"x" * 150 + b"100 " + b"y" * 100
    send(port, text)
    assert wait_out(out, len(want), weir=weir) == want
    weir.wait_log(rf"127.0.0.1:\d+: line at offset 0 is longer than max_line_bytes 100: {mode}")
    if mode == "skip":
        assert dropped(weir, "p/tcp", "long line") == 1
    else:
        assert "too long 1" in weir.state()["p/tcp"]
    weir.stop()


@pytest.mark.parametrize("text, reason", [
    (b"3 abcGET / HTTP/1.1\r\n", "not framed as configured"), (b"3 abc99999999999 x", "not framed as configured"),
    (b"3 abc-5 x", "not framed as configured"), (b"3 abc10 short", "incomplete record"), (b"3 abc12", "incomplete record")])
def test_what_is_not_octet_counting_ends_the_connection(tmp_path, text, reason):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, framing="octet_counting"), file(out))
    other = connect(port, b"5 other")
    bad = connect(port, text)
    if reason == "incomplete record":
        bad.shutdown(socket.SHUT_WR)
    bad.settimeout(10)
    try:
        assert bad.recv(1) == b""
    except ConnectionResetError:
        pass
    weir.wait_log(r"127.0.0.1:\d+: line at offset [58] (ends before the length that was told|does not begin with its length and a space)")
    assert dropped(weir, "p/tcp", reason) == 1 and "errors 1" in weir.state()["p/tcp"]
    other.sendall(b"3 on!")
    assert sorted(wait_out(out, 3, weir=weir)) == [b"abc", b"on!", b"other"]
    weir.stop()


def test_strangers_cannot_fill_the_log(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port, max_line_bytes=64), file(out))
    send(port, (b"z" * 70 + b"\n") * 5000)
    wait_out(out, 5000, weir=weir)
    assert "too long 5000" in weir.state()["p/tcp"]
    assert weir.log.count("is longer than max_line_bytes") <= 60 * SLOW
    weir.stop()


def test_the_peer_is_known(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, tcp_source(port), file(out), [{"type": "set", "fields": {".peer": "@peer", ".at": "@offset"}}])
    s = connect(port, b"a\nbc\n")
    name = "127.0.0.1:%d" % s.getsockname()[1]
    assert wait_out(out, 2, weir=weir) == [b'{"message":"a","peer":"%s","at":0}' % name.encode(),
                                           b'{"message":"bc","peer":"%s","at":2}' % name.encode()]
    weir.stop()


def test_a_stop_takes_what_was_received(tmp_path):
    """A full pipeline, and behind it what the kernel has received: all of it is delivered before weir ends."""
    receiver, port = Receiver(hold=True, rcvbuf=4096), free_port()
    weir = listening(tmp_path, tcp_source(port, queue={"max_bytes": "64KiB"}), tcp(receiver, queue={"max_bytes": "64KiB"}), memory_limit="1MiB")
    text, sent = lines(0, 1_000_000), 0
    with connect(port) as s:
        s.setblocking(False)
        quiet = time.monotonic()
        while time.monotonic() - quiet < 0.5 and sent < len(text):
            try:
                sent += s.send(text[sent:sent + 100_000])
                quiet = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        waiting = struct.unpack("i", fcntl.ioctl(s, SIOCOUTQ, b"\0" * 4))[0]
        acknowledged = sent - waiting
        weir.signal(signal.SIGTERM)
        weir.wait_log("stopping")
        time.sleep(0.2)
        receiver.release()
        assert weir.join() == 0
    got = receiver.data()
    assert text.startswith(got.rstrip(b"\n"))
    assert waiting > 0 and acknowledged > MIB // 2 and len(got) >= acknowledged, f"{len(got)} of {acknowledged} bytes"


def test_what_cannot_be_delivered_at_the_stop_is_counted_as_lost(tmp_path):
    port = free_port()
    weir = listening(tmp_path, tcp_source(port), {"type": "tcp", "address": f"127.0.0.1:{free_port()}"}, shutdown_timeout="300ms")
    send(port, lines(0, 7))
    wait(lambda: "out 7 records" in weir.state()["p/tcp"], "seven records")
    weir.stop(status=1)
    weir_log = weir.log
    assert "7 records were read and not delivered: those that came over a socket are lost, nobody sends them again" in weir_log


def test_the_address_is_taken_at_first(tmp_path):
    port, out = free_port(), tmp_path / "out"
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        weir = Weir(tmp_path, config(tmp_path, tcp_source(port), file(out)))
        weir.wait_log(rf"cannot listen on 127.0.0.1:{port}: Address already in use \(starting again in")
    weir.wait_log("listening on")
    send(port, b"at last\n")
    assert wait_out(out, 1, weir=weir) == [b"at last"]
    weir.stop()


def test_a_reload_listens_on(tmp_path):
    port, out, other = free_port(), tmp_path / "out", tmp_path / "other"
    weir = listening(tmp_path, tcp_source(port), file(out))
    send(port, b"one\n")
    wait_out(out, 1, weir=weir)
    begun = connect(port, b"in between\nbegun")
    wait_out(out, 2, weir=weir)
    weir.configure(config(tmp_path, tcp_source(port), file(other)))
    weir.signal(signal.SIGHUP)
    weir.wait_log("listening on", count=2)
    send(port, b"two\n")
    assert wait_out(other, 1, weir=weir) == [b"two"]
    assert out_lines(out) == [b"one", b"in between", b"begun"]
    begun.close()
    weir.stop()


# ---- TLS ------------------------------------------------------------------------------------------

def tls_client(pki, port, own=None):
    context = ssl.create_default_context(cafile=str(pki.ca.cert))
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")


@pytest.fixture
def pki(tmp_path):
    got = Pki(tmp_path)
    got.make("here", "IP:127.0.0.1")
    got.make("client", "DNS:client")
    return got


def secure(pki, port, **options):
    return tcp_source(port, tls={"cert_file": str(pki.here.cert), "key_file": str(pki.here.key), **options})


def test_tls_many_lines_over_several_connections(tmp_path, pki):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, secure(pki, port), file(out))

    def write(tag):
        with tls_client(pki, port) as s:
            for i in range(0, 20000, 500):
                s.sendall(lines(i, i + 500, tag, 50))
            s.unwrap()
    writers = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(4)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    got = wait_out(out, 80000, weir=weir)
    for i in range(4):
        assert numbers(got, f"t{i}") == list(range(20000))
    weir.stop()


def test_tls_only_who_has_a_certificate(tmp_path, pki):
    port, out = free_port(), tmp_path / "out"
    pki.authority("stranger")
    pki.make("foreign", "DNS:foreign", issuer="stranger")
    weir = listening(tmp_path, secure(pki, port, verify_client=True, ca_file=str(pki.ca.cert)), file(out))
    for own, why in ((None, "certificate"), (pki.foreign, "certificate")):
        try:
            with tls_client(pki, port, own) as s:
                s.sendall(b"not taken\n")
                assert s.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            pass
        weir.wait_log(rf"127.0.0.1:\d+: no TLS connection: .*{why}", count=1 if own is None else 2)
    with tls_client(pki, port, pki.client) as s:
        s.sendall(b"taken\n")
        assert wait_out(out, 1, weir=weir) == [b"taken"]
    assert b"not taken" not in out_lines(out)
    weir.stop()


def test_tls_with_max_bytes_per_second_reads_on_what_is_decrypted_already(tmp_path, pki):
    """More than a read's worth in one TLS record, of a peer that keeps quiet then: the kernel has nothing more to tell."""
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, {**secure(pki, port), "max_bytes_per_second": "8KiB", "idle_timeout": "2s"}, file(out))
    with tls_client(pki, port) as s:
        s.sendall(lines(0, 300, "tls", 40))
        assert numbers(wait_out(out, 300, weir=weir), "tls") == list(range(300))
    weir.stop()


def test_tls_refuses_plain_text_and_goes_on(tmp_path, pki):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, secure(pki, port), file(out))
    silent = connect(port)
    plain = connect(port, b"hello in clear\n" * 10)
    weir.wait_log(r"127.0.0.1:\d+: no TLS connection: ")
    with tls_client(pki, port) as s:
        s.sendall(b"begun")
        s.unwrap()
    assert wait_out(out, 1, weir=weir) == [b"begun"]
    silent.close()
    plain.close()
    weir.stop()


def test_tls_shakes_hands_also_while_the_pipeline_is_full(tmp_path, pki):
    receiver, port = Receiver(hold=True, rcvbuf=4096), free_port()
    weir = listening(tmp_path, secure(pki, port), tcp(receiver), memory_limit="2MiB")
    first = tls_client(pki, port)
    sent = [0]

    def write():
        for i in range(0, 100_000, 100):
            first.sendall(lines(i, i + 100, "first", 90))
            sent[0] = i + 100
        first.unwrap()
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    last = [-1]

    def stalled():
        before, last[0] = last[0], sent[0]
        time.sleep(0.3)
        return sent[0] == before
    wait(stalled, "the pipeline to be full")
    assert sent[0] < 100_000
    with tls_client(pki, port) as second:
        second.sendall(b"second 0\n")
        receiver.release()
        writer.join()
        got = receiver.wait_lines(100_001, 60)
    assert numbers(got, "first") == list(range(100_000)) and numbers(got, "second") == [0]
    weir.stop()


# ---- udp ------------------------------------------------------------------------------------------

def test_a_datagram_is_a_record(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, udp_source(port, max_datagram_bytes=100), file(out), [{"type": "set", "fields": {".peer": "@peer"}}])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        for s, text in ((a, b"one"), (a, b"two\n"), (b, b"th\nree"), (a, b""), (b, b"x" * 100), (b, b"y" * 101), (b, b"\n\n")):
            s.sendto(text, ("127.0.0.1", port))
        names = [s.getsockname()[1] for s in (a, b)]
    want = [(0, "one"), (0, "two"), (1, r"th\nree"), (0, ""), (1, "x" * 100), (1, "y" * 100), (1, r"\n")]
    assert wait_out(out, 7, weir=weir) == [f'{{"message":"{text}","peer":"127.0.0.1:{names[who]}"}}'.encode() for who, text in want]
    weir.wait_log(rf"127.0.0.1:{names[1]}: datagram is longer than max_datagram_bytes 100: truncated")
    assert "too long 1" in weir.state()["p/udp"]
    weir.stop()


def test_datagrams_that_are_lost_are_counted_exactly(tmp_path):
    """The pipeline stands still, the kernel's buffer overflows: what does not arrive is in the books, to the last one."""
    receiver, port = Receiver(hold=True, rcvbuf=4096), free_port()
    weir = listening(tmp_path, udp_source(port, queue={"max_bytes": "64KiB"}), tcp(receiver, queue={"max_bytes": "64KiB"}), memory_limit="1MiB")
    count = 50_000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(count):
            s.sendto(line(i, pad=100), ("127.0.0.1", port))
    weir.wait_log(r"\d+ datagrams lost: the receive buffer of the kernel was full")  # also while nothing can be read
    time.sleep(2.5)
    before = weir.log.count("datagrams lost")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(count, count + 5000):
            s.sendto(line(i, pad=100), ("127.0.0.1", port))
    count += 5000
    weir.wait_log("datagrams lost", count=before + 1)
    receiver.release()
    settled = [-1]

    def calm():
        before, settled[0] = settled[0], receiver.received
        time.sleep(0.3)
        return before == receiver.received > 0
    wait(calm, "all that was not lost")
    lost = dropped(weir, "p/udp", "receive buffer overflow")
    got = numbers(receiver.lines())
    assert got == sorted(set(got)) and 0 < len(got) < count
    assert len(got) + lost == count
    logged = sum(int(n) for n in re.findall(r"(\d+) datagrams lost", weir.log))
    assert logged == lost
    assert weir.log.count("datagrams lost") < 30
    weir.stop()


def test_what_was_lost_last_is_counted_at_the_stop(tmp_path):
    receiver, port = Receiver(hold=True, rcvbuf=4096), free_port()
    weir = listening(tmp_path, udp_source(port, queue={"max_bytes": "64KiB"}), tcp(receiver, queue={"max_bytes": "64KiB"}), memory_limit="1MiB")
    count = 20_000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(count):
            s.sendto(line(i, pad=100), ("127.0.0.1", port))
    weir.signal(signal.SIGTERM)
    receiver.release()
    assert weir.join() == 0
    lost = sum(int(n) for n in re.findall(r"(\d+) datagrams lost", weir.log))
    assert lost > 0 and len(numbers(receiver.lines())) + lost == count


def test_a_burst_is_no_loss_with_a_receive_buffer(tmp_path):
    port, out = free_port(), tmp_path / "out"
    most = int(open("/proc/sys/net/core/rmem_max").read())
    weir = listening(tmp_path, udp_source(port, receive_buffer=most), file(out))
    weir.signal(signal.SIGSTOP)
    count = most // 2000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(count):
            s.sendto(line(i, pad=100), ("127.0.0.1", port))
    weir.signal(signal.SIGCONT)
    expect_once(wait_out(out, count, weir=weir), count)
    assert "lost" not in weir.log and "the kernel gives" not in weir.log
    weir.stop()


def test_a_receive_buffer_that_the_kernel_does_not_give(tmp_path, theirs):
    port = free_port()
    weir = TheirWeir(theirs, config(theirs, udp_source(port, receive_buffer="1GiB"), {"type": "blackhole"}, data_dir=False))
    weir.wait_log(r"receive_buffer: the kernel gives \d+ bytes, not 1073741824 \(see net.core.rmem_max\)")
    weir.stop()


# ---- unix -----------------------------------------------------------------------------------------

def test_a_socket_file_comes_and_goes(tmp_path):
    path, out = tmp_path / "s.sock", tmp_path / "out"
    old = os.umask(0o077)
    weir = listening(tmp_path, {"type": "unix", "path": str(path), "mode": "0626"}, file(out), [{"type": "set", "fields": {".peer": "@peer"}}])
    os.umask(old)
    assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o626
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"a\nb")
    assert wait_out(out, 2, weir=weir) == [b'{"message":"%s","peer":"pid:%d"}' % (c, os.getpid()) for c in (b"a", b"b")]
    weir.stop()
    assert not path.exists()


@pytest.mark.parametrize("kind", ["stream", "datagram"])
def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path, kind):
    path, out = tmp_path / "s.sock", tmp_path / "out"
    of = socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM
    source = {"type": "unix", "path": str(path), "socket": kind}
    with socket.socket(socket.AF_UNIX, of) as other:
        other.bind(str(path))
        if kind == "stream":
            other.listen()
        weir = Weir(tmp_path, config(tmp_path, source, file(out)))
        weir.wait_log(rf"cannot listen on {path}: Address already in use")
        assert path.exists()
    weir.wait_log("listening on")  # it is stale now: nobody removed it
    with socket.socket(socket.AF_UNIX, of) as s:
        s.connect(str(path))
        s.send(b"here\n")
        assert wait_out(out, 1, weir=weir) == [b"here"]
    weir.kill()
    assert path.exists()
    weir.start()
    weir.wait_log("listening on", count=2)
    weir.stop()
    assert not path.exists()


def test_what_is_no_socket_is_not_touched(tmp_path):
    path = tmp_path / "precious"
    path.write_text("precious")
    weir = Weir(tmp_path, config(tmp_path, {"type": "unix", "path": str(path)}, {"type": "blackhole"}))
    weir.wait_log(rf"cannot listen on {path}: there is something that is not a socket")
    weir.stop()
    assert path.read_text() == "precious"


def test_a_socket_that_another_put_in_its_place_is_not_removed(tmp_path):
    path = tmp_path / "s.sock"
    weir = listening(tmp_path, {"type": "unix", "path": str(path)}, {"type": "blackhole"})
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        weir.stop()
        assert path.exists()


def test_local_datagrams_make_senders_wait(tmp_path):
    """Nothing is lost over a local socket: the sender is held up."""
    receiver, path = Receiver(hold=True, rcvbuf=4096), tmp_path / "s.sock"
    weir = listening(tmp_path, {"type": "unix", "path": str(path), "socket": "datagram", "queue": {"max_bytes": "64KiB"}},
                     tcp(receiver, queue={"max_bytes": "64KiB"}), memory_limit="1MiB")
    count, sent = 30_000, [0]

    def write():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(str(path))
            for i in range(count):
                s.send(line(i, pad=100))
                sent[0] = i + 1
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    time.sleep(1)
    assert sent[0] < count
    receiver.release()
    writer.join()
    expect_once(receiver.wait_lines(count), count)
    weir.stop()


# ---- commands -------------------------------------------------------------------------------------

def run(tmp_path, command, setup, *args):
    (tmp_path / "w.json").write_text(json.dumps(setup))
    return subprocess.run([WEIR, command, "-c", str(tmp_path / "w.json"), *args], capture_output=True, text=True, timeout=20, cwd=tmp_path,
                          stdin=subprocess.DEVNULL)


def test_once_is_refused(tmp_path):
    got = run(tmp_path, "run", config(tmp_path, tcp_source(free_port()), {"type": "blackhole"}), "--once")
    assert got.returncode == 2 and '--once: the source tcp of pipeline "p" has no end' in got.stderr


@pytest.mark.parametrize("source", [{"type": "tcp"}, {"type": "udp"}, {"type": "unix"}, {"type": "syslog", "transport": "udp"}])
def test_a_dry_run_listens_nowhere(tmp_path, source):
    source = dict(source, **({"path": "s.sock"} if source["type"] == "unix" else {"listen": f"127.0.0.1:{free_port()}"}))
    setup = config(tmp_path, source, {"type": "stdout"}, data_dir=False)
    got = run(tmp_path, "dry-run", setup)
    assert got.returncode == 0 and "dry-run listens nowhere: give it records with --input" in got.stderr
    (tmp_path / "in").write_text("from a file\n")
    got = run(tmp_path, "dry-run", setup, "--input", "in")
    assert got.returncode == 0 and "from a file" in got.stdout
    trace = subprocess.run(["strace", "-f", "-e", "trace=bind,listen,connect", WEIR, "dry-run", "-c", "w.json"], capture_output=True, text=True, cwd=tmp_path)
    assert not re.search(r"^\[?.*(bind|listen|connect)\(", trace.stderr, re.M), trace.stderr


@pytest.mark.parametrize("a, b, what", [
    (tcp_source(5140), tcp_source(5140), "TCP address 127.0.0.1:5140"),
    (udp_source(5140), {"type": "syslog", "transport": "udp", "listen": "127.0.0.1:5140"}, "UDP address 127.0.0.1:5140"),
    ({"type": "unix", "path": "/run/a"}, {"type": "unix", "path": "/run/a", "socket": "datagram"}, "socket /run/a"),
    (tcp_source(5140), udp_source(5140), None)])
def test_two_readers_of_one_address(tmp_path, a, b, what):
    got = run(tmp_path, "check", {"pipelines": {name: {"sources": [source], "sinks": [{"type": "blackhole"}]} for name, source in (("a", a), ("b", b))}})
    if what is None:
        assert got.returncode == 0
    else:
        assert got.returncode == 2 and f'pipelines.b.sources[0]: {what} has a reader already, in pipeline "a"' in got.stderr


@pytest.mark.parametrize("source, problem", [
    ({"type": "tcp", "listen": "localhost:5140"}, 'listen: expected an address in figures, such as "127.0.0.1:5140"'),
    ({"type": "udp", "listen": "127.0.0.1"}, 'listen: expected "host:port"'),
    ({"type": "unix", "path": "/" + "x" * 108}, "path: expected a path of at most 107 bytes"),
    ({"type": "unix", "path": "/x", "socket": "datagram", "framing": "newline"}, "framing: does not apply to datagrams"),
    ({"type": "syslog", "transport": "udp", "listen": "0.0.0.0:514", "max_connections": 3}, "max_connections: does not apply to udp"),
    ({"type": "syslog", "transport": "tcp"}, 'transport tcp needs "listen"'),
    ({"type": "syslog", "transport": "unix_datagram", "listen": "0.0.0.0:514"}, "listen: does not apply to unix_datagram"),
    ({"type": "tcp", "listen": "0.0.0.0:514", "tls": {"cert_file": "c", "key_file": "k", "verify_client": True}}, "verify_client needs ca_file")])
def test_mistakes(tmp_path, source, problem):
    got = run(tmp_path, "check", config(tmp_path, source, {"type": "blackhole"}))
    assert got.returncode == 2 and problem in got.stderr, got.stderr
