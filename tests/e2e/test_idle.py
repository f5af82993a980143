"""An agent with nothing to do does nothing."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import LONG, Receiver, SANITIZED, Weir, append, config, expect_once, file, lines, tail, tcp, wait, wait_out, started

pytestmark = pytest.mark.alone

SECONDS = 60 if LONG else 5
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


class Trace:
    """strace on a running process, for a while."""

    def __init__(self, pid, out):
        self.process = subprocess.Popen(["strace", "-f", "-p", str(pid), "-o", out], stderr=subprocess.PIPE)
        started.append(self)
        self.process.stderr.readline()  # "attached"

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def stop_now(self):
        if self.process.poll() is None:
            self.stop()


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("sink", ["tcp", "file"])
def test_no_wake_ups_with_a_thousand_idle_files(tmp_path, sink):
    logs = tmp_path / "logs"
    logs.mkdir()
    for i in range(1000):
        append(logs / f"{i}.log", lines(0, 2, f"f{i}"))
    out, receiver = tmp_path / "out", Receiver()
    weir = Weir(tmp_path, config(tmp_path, tail(logs / "*.log", rescan_interval="1s"), tcp(receiver) if sink == "tcp" else file(out)))
    if sink == "tcp":
        receiver.wait_lines(2000)
    else:
        wait_out(out, 2000, weir=weir)
    wait(lambda: len(weir.checkpoint()) == 1000, "the checkpoint")
    # after the last event there is one more look at the patterns; then nothing
    seen = -1
    while weir.cpu() != seen:
        seen = weir.cpu()
        time.sleep(2.5 if not SANITIZED else 4)
    trace = tmp_path / "trace"
    strace = Trace(weir.pid, trace)
    time.sleep(SECONDS)
    strace.stop()
    calls = [x for x in trace.read_text().splitlines() if not re.search(r"(epoll_wait|epoll_pwait|futex|restart_syscall)\(.*unfinished|"
                                                                        r"restart_syscall|<detached|strace: |--- SIG|epoll_.*detached", x)]
    assert calls == [], calls[:20]
    append(logs / "0.log", lines(2, 3, "f0"))  # and it is awake at once
    if sink == "tcp":
        receiver.wait_lines(2001, timeout=1)
    else:
        wait_out(out, 2001, timeout=1)
    weir.stop()


def test_idle_with_a_stalled_receiver_and_a_dead_one(tmp_path):
    """Backoff and acknowledgement timers are no spin."""
    stalled = Receiver(hold=True, rcvbuf=4096)
    append(tmp_path / "a.log", lines(0, 200_000, pad=50))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), tcp(stalled), memory_limit="1MiB"))
    stalled.connected()
    seen = -1
    while weir.bytes_read() != seen:
        seen = weir.bytes_read()
        time.sleep(0.5)
    before = weir.cpu()
    time.sleep(3)
    assert weir.cpu() - before <= 0.05
    weir.stop_now()


def test_latency_of_a_line(tmp_path):
    """Written, received: not a polling interval later."""
    log, receiver = tmp_path / "a.log", Receiver()
    append(log, b"")
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver))).following(log)
    receiver.connected()
    took = []
    for i in range(50):
        began = time.monotonic()
        append(log, lines(i, i + 1))
        wait(lambda: receiver.received >= len(lines(0, i + 1)), "the line")
        took.append(time.monotonic() - began)
    took.sort()
    assert took[25] < 0.05, took
    expect_once(receiver.lines(), 50)
    weir.stop()
    assert os.path.exists(tmp_path / "data/checkpoint")
