"""Many stages, many pipelines: start, run and stop cleanly, in the memory that the bounds promise."""
import json
import os
import signal
import subprocess
import time

import pytest

from harness import MIB, Receiver, SANITIZED, SLOW, WEIR, Weir, append, config, file, out_lines, tail, tcp, wait

pytestmark = pytest.mark.alone


def test_a_hundred_stages(tmp_path):
    """They parse, set, rename, filter and remove; what comes of it is computed here."""
    log, out = tmp_path / "app.log", tmp_path / "out"
    chain = [{"type": "json"}]
    for i in range(24):
        chain += [{"type": "set", "fields": {".f": f".n + {i}", ".passing": ".n"}},
                  {"type": "rename", "fields": {".f": f".g{i}"}},
                  {"type": "filter", "where": f".g{i} != {1000 + 2 * i}"},  # drops n == 1000 + i
                  {"type": "remove", "fields": [".passing"]}]
    chain += [{"type": "filter", "where": ".n < 19990"}, {"type": "set", "fields": {".last": ".n * 2"}}, {"type": "remove", "fields": [".g0"]}]
    assert len(chain) == 100
    log.write_bytes(b"".join(b'{"n":%d,"keep":1.50}\n' % n for n in range(20000)))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out), chain, memory_limit="32MiB"))
    wanted = [n for n in range(19990) if not 1000 <= n < 1024]
    wait(lambda: out.exists() and len(out_lines(out)) >= len(wanted), "all records", 60)
    if not SANITIZED:
        assert weir.peak_rss() < 48 * MIB
    began = time.monotonic()
    weir.stop()
    assert time.monotonic() - began < 5
    rows = out_lines(out)
    assert [json.loads(row)["n"] for row in rows] == wanted
    assert rows[0] == b'{"n":0,"keep":1.50,' + b",".join(b'"g%d":%d' % (i, i) for i in range(1, 24)) + b',"last":0}'


def many(tmp_path, count, change=None):
    pipelines = {}
    for i in range(count):
        sink = file(tmp_path / f"out/{i}" if i != change else tmp_path / "out/changed")
        pipelines[f"p{i}"] = {"sources": [tail(tmp_path / f"logs/{i}.log")], "transforms": [{"type": "json"}], "sinks": [sink]}
    return {"data_dir": str(tmp_path / "data"), "pipelines": pipelines}


def told(weir, command, *args):
    """What a command says of the configuration, which it must accept."""
    run = subprocess.run([WEIR, command, "-c", str(weir.file), *args], capture_output=True, text=True, timeout=20 * SLOW)
    assert run.returncode == 0, run.stderr[-4000:]
    return run.stdout


def wake_ups(weir):
    with open(f"/proc/{weir.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))


def expect_idle(weir, seconds=3):
    """Nothing to do, nothing done: one instance of inotify does for all tails."""
    assert "inotify" not in weir.log
    assert sum("inotify" in x for x in weir.open_files()) == 1
    for _ in range(10):  # until the checkpoint is written, and what arrived last was looked at
        seen = wake_ups(weir)
        time.sleep(1)
        if wake_ups(weir) == seen:
            break
    time.sleep(seconds)
    assert wake_ups(weir) == seen


def test_a_thousand_pipelines(tmp_path):
    count = 1000
    (tmp_path / "logs").mkdir()
    for i in range(count):
        (tmp_path / f"logs/{i}.log").write_bytes(b'{"n":%d}\n' % i)
    setup = many(tmp_path, count)
    weir = Weir(tmp_path, setup, nofile=8192, start=False)
    assert told(weir, "check").count("tail → json → file") == count
    assert f"{count} records read, 0 dropped, 0 errors, 0 truncated; {count} would be sent" in told(weir, "dry-run", "-n", "1")
    assert not (tmp_path / "out").exists()
    weir.start()

    def arrived(lines):
        return all((tmp_path / f"out/{i}").exists() and (tmp_path / f"out/{i}").stat().st_size == lines * len(b'{"n":%d}\n' % i)
                   for i in range(count))
    wait(lambda: arrived(1), "the first line of each", 60)
    for i in range(count):
        append(tmp_path / f"logs/{i}.log", b'{"n":%d}\n' % i)
    wait(lambda: arrived(2), "the second line of each", 60)
    if not SANITIZED:
        assert weir.rss() < (64 + 16) * MIB
    expect_idle(weir)
    weir.configure(many(tmp_path, count, change=7))
    weir.signal(signal.SIGHUP)
    weir.wait_log(f"reload: {count - 1} pipelines unchanged, 1 changed, 0 added, 0 removed", 60)
    append(tmp_path / "logs/7.log", b'{"n":"7"}\n')
    append(tmp_path / "logs/8.log", b'{"n":8}\n')
    wait(lambda: (tmp_path / "out/changed").exists() and out_lines(tmp_path / "out/changed") == [b'{"n":"7"}'], "the changed pipeline", 60)
    wait(lambda: len(out_lines(tmp_path / "out/8")) == 3, "one that did not change")
    weir.stop(timeout=10)
    assert len(out_lines(tmp_path / "out/7")) == 2 and "error" not in weir.log
    assert len(os.listdir(tmp_path / "out")) == count + 1


def test_a_backlog_in_many_pipelines(tmp_path):
    """Very short lines, of which stages make a lot, and a peer that reads nothing: each pipeline stays within about its share."""
    count, lines = 300, b"".join(b'{"n":%d}\n' % n for n in range(20000))
    (tmp_path / "logs").mkdir()
    receiver = Receiver(hold=True, rcvbuf=4096)
    transforms = [{"type": "json"}, {"type": "set", "fields": {f".f{i}": f".n + {i}" for i in range(5)}}]
    pipelines = {}
    for i in range(count):
        (tmp_path / f"logs/{i}.log").write_bytes(lines)
        pipelines[f"p{i}"] = {"sources": [tail(tmp_path / f"logs/{i}.log")], "transforms": transforms, "sinks": [tcp(receiver)]}
    weir = Weir(tmp_path, {"data_dir": str(tmp_path / "data"), "memory_limit": "64MiB", "shutdown_timeout": "1s", "pipelines": pipelines}, nofile=8192)
    wait(lambda: len(receiver.connections) == count, "all to connect", 60)

    def stands_still():
        before = weir.bytes_read()
        time.sleep(1)
        return weir.bytes_read() == before
    wait(stands_still, "all to be throttled", 60)
    assert weir.bytes_read() > count * 2000
    if not SANITIZED:
        assert weir.peak_rss() < (64 + 16) * MIB + count * 32 * 1024
    weir.stop(status=1)
