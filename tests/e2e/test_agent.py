"""stdin, stdout, signals, reload, data_dir, --once."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time

import pytest

import make_lines
import oracle
from harness import (MIB, SANITIZED, SLOW, WEIR, Receiver, Weir, Writer, append, checkpoint, config, expect_once, file, lines, once,
                     out_lines, stays, tail, tcp, wait, wait_out)

STDIO = {"sources": [{"type": "stdin"}], "sinks": [{"type": "stdout"}]}


def stdio(tmp_path, *transforms, **top):
    path = tmp_path / "stdio.json"
    path.write_text(json.dumps({"pipelines": {"p": {**STDIO, "transforms": list(transforms)}}, **top}))
    return [WEIR, "run", "-c", str(path), "--log-level", "error"]


# ---- stdin and stdout ----------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["pipe", "file"])
def test_stdin_to_stdout(tmp_path, how):
    data = make_lines.generate(8 * MIB)
    want = b"".join(x + b"\n" for x in oracle.filtered(data))
    argv = stdio(tmp_path, {"type": "json"}, {"type": "filter", "where": '.level != "debug"'})
    if how == "pipe":
        run = subprocess.run(argv, input=data, capture_output=True, timeout=60)
        assert run.stdout == want
    else:
        (tmp_path / "in").write_bytes(data)
        with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
            run = subprocess.run(argv, stdin=source, stdout=sink, stderr=subprocess.PIPE, timeout=60)
        assert (tmp_path / "out").read_bytes() == want
    assert run.returncode == 0 and b"error" not in run.stderr


@pytest.mark.parametrize("data", [b"", b"\n", b"no end", b"a\nno end", b"\0\n\xff", b"x" * 3_000_000 + b"\nb\n"],
                         ids=["nothing", "empty line", "no end", "two", "odd", "long"])
def test_stdin_edges(tmp_path, data):
    run = subprocess.run(stdio(tmp_path), input=data, capture_output=True, timeout=20)
    want = data if len(data) < MIB else data[:MIB] + b"\nb\n"
    assert run.returncode == 0 and run.stdout == want + (b"" if want.endswith(b"\n") or not want else b"\n")


def test_slow_reader_of_stdout_throttles(tmp_path):
    (tmp_path / "a.log").write_bytes(lines(0, 200_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), {"type": "stdout"}, memory_limit="1MiB"), "--once",
                stdout=subprocess.PIPE)
    seen = -1
    while weir.bytes_read() != seen:
        seen = weir.bytes_read()
        time.sleep(0.3)
    assert seen < 8_000_000 and weir.running()
    assert SANITIZED or weir.rss() < 17 * MIB
    got = weir.process.stdout.read()
    weir.finish()
    expect_once(got.splitlines(), 200_000)


def test_reader_of_stdout_goes_away(tmp_path):
    (tmp_path / "a.log").write_bytes(lines(0, 200_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), {"type": "stdout"}), "--once", stdout=subprocess.PIPE)
    weir.process.stdout.read(100)
    weir.process.stdout.close()
    weir.finish(status=1)
    assert "cannot write to standard output: Broken pipe" in weir.log
    assert checkpoint(tmp_path / "data").get(str(tmp_path / "a.log"), 0) < (tmp_path / "a.log").stat().st_size


def test_interactive_line_comes_out_at_once(tmp_path):
    p = subprocess.Popen(stdio(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for i in range(3):
            p.stdin.write(b"line %d\n" % i)
            p.stdin.flush()
            assert select.select([p.stdout], [], [], 5 * SLOW)[0], "nothing came out"
            assert os.read(p.stdout.fileno(), 100) == b"line %d\n" % i
        p.stdin.close()
        assert p.wait(10 * SLOW) == 0
    finally:
        p.kill()
        p.wait()


# ---- --once --------------------------------------------------------------------------------------

def test_once_reads_to_the_present_end_and_not_further(tmp_path):
    log = tmp_path / "a.log"
    append(log, lines(0, 50_000))
    stop = threading.Event()

    def write():
        n = 50_000
        while not stop.is_set():
            append(log, lines(n, n + 100))
            n += 100
    writer = threading.Thread(target=write)
    setup = config(tmp_path, tail(log), file(tmp_path / "out"))
    weir = Weir(tmp_path, setup, "--once")
    writer.start()
    try:
        weir.finish(timeout=20)
    finally:
        stop.set()
        writer.join()
    once(tmp_path, setup)
    total = log.read_bytes().count(b"\n")
    assert total > 50_000
    expect_once(out_lines(tmp_path / "out"), total)


def test_once_shows_progress_on_a_terminal_only(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 300_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(tmp_path / "out")), start=False)
    try:
        master, slave = pty.openpty()
    except OSError:
        pytest.skip("needs pseudo terminals: /dev/pts is not mounted")
    p = subprocess.Popen([*weir.argv, "--once"], stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    shown = b""
    while True:
        try:
            got = os.read(master, 4096)
        except OSError:
            break
        if not got:
            break
        shown += got
    os.close(master)
    assert p.wait(30 * SLOW) == 0
    text = shown.decode()
    assert re.search(r"\[=+ *\] +\d+%  [\d.]+ MiB of [\d.]+ MiB  [\d.]+ \wiB/s  \d+ records", text), text[-2000:]
    assert re.search(r"\[=+\] 100%  .*300000 records", text), text[-2000:]
    quiet = once(tmp_path, config(tmp_path, tail(log), file(tmp_path / "out2"), data_dir=False))
    assert "%" not in quiet.log and "\r" not in quiet.log


# ---- data_dir ------------------------------------------------------------------------------------

def test_data_dir_used_twice_is_refused(tmp_path):
    setup = config(tmp_path, tail(tmp_path / "*.log"), file(tmp_path / "out"))
    first = Weir(tmp_path, setup).wait_log("no file matches")
    second = Weir(tmp_path, setup)
    assert second.join() in (1, 2)
    assert f"{tmp_path}/data is in use by another weir" in second.log and first.running()
    append(tmp_path / "a.log", lines(0, 5))
    expect_once(wait_out(tmp_path / "out", 5), 5)
    first.kill()
    third = Weir(tmp_path, setup).wait_log("following")  # the lock of a killed one is gone
    third.stop()


def test_no_data_dir_is_told_once_and_start_at_decides(tmp_path):
    log = tmp_path / "a.log"
    append(log, lines(0, 5))
    setup = config(tmp_path, tail(log), file(tmp_path / "out"), data_dir=False)
    for _ in range(2):
        weir = once(tmp_path, setup)
        assert weir.log.count("no data_dir is configured") == 1
    assert len(out_lines(tmp_path / "out")) == 10
    assert not any("checkpoint" in name for name in os.listdir(tmp_path))


# ---- SIGUSR1, SIGHUP -----------------------------------------------------------------------------

def test_state_on_sigusr1(tmp_path):
    log = tmp_path / "a.log"
    append(log, b'{"level":"debug"}\nplain\n{"level":"info"}\n')
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(tmp_path / "out"),
                                 [{"type": "json"}, {"type": "filter", "where": '.level != "debug"'}]))
    wait_out(tmp_path / "out", 2)
    state = weir.state()
    assert "out 3 records" in state["p/tail"]
    assert "in 3 records" in state["p/json"] and "errors 1" in state["p/json"]
    assert "dropped 1 (" in state["p/filter"] and "out 2 records" in state["p/filter"]
    assert "in 2 records" in state["p/file"] and "out 2 records" in state["p/file"]
    assert "memory" in state["p"]
    weir.stop()


def two(tmp_path, a, b):
    return {"data_dir": str(tmp_path / "data"), "pipelines": {
        "a": {"sources": [tail(tmp_path / "a.log")], "sinks": [a]}, "b": {"sources": [tail(tmp_path / "b.log")], "sinks": [b]}}}


def test_reload_with_the_same_configuration_changes_nothing(tmp_path):
    receiver = Receiver()
    append(tmp_path / "a.log", lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), tcp(receiver)))
    receiver.wait_lines(10)
    for i in range(3):
        weir.signal(signal.SIGHUP)
        weir.wait_log("reload", count=i + 1)
    append(tmp_path / "a.log", lines(10, 20))
    expect_once(receiver.wait_lines(20), 20)
    assert len(receiver.connections) == 1, "the pipeline was started again"
    weir.stop()
    expect_once(receiver.lines(), 20)


def test_reload_changes_one_pipeline_and_leaves_the_other(tmp_path):
    """Old lines at the old target, new lines at the new one, none lost, none twice; the other connection stays."""
    old, new, other = Receiver(), Receiver(), Receiver()
    append(tmp_path / "a.log", lines(0, 100))
    append(tmp_path / "b.log", lines(0, 100))
    weir = Weir(tmp_path, two(tmp_path, tcp(old), tcp(other)))
    old.wait_lines(100)
    other.wait_lines(100)
    weir.configure(two(tmp_path, tcp(new), tcp(other)))
    weir.signal(signal.SIGHUP)
    new.connected()
    append(tmp_path / "a.log", lines(100, 200))
    append(tmp_path / "b.log", lines(100, 200))
    expect_once(new.wait_lines(100), 200, start=100)
    expect_once(other.wait_lines(200), 200)
    assert len(other.connections) == 1, "the pipeline that did not change was started again"
    wait(lambda: old.connections[0].ended == "fin", "the old connection to end in order")
    weir.stop()
    expect_once(old.lines(), 100)


def test_reload_under_load_loses_and_repeats_nothing(tmp_path):
    receivers = [Receiver() for _ in range(5)]
    writer = Writer(tmp_path / "a.log", pause=0)
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), tcp(receivers[0])))
    receivers[0].connected()
    for r in receivers[1:]:
        writer.written(writer.count + 2000)
        weir.configure(config(tmp_path, tail(tmp_path / "a.log"), tcp(r)))
        weir.signal(signal.SIGHUP)
        r.connected()
    writer.written(writer.count + 1000)
    count = writer.stop()
    wait(lambda: sum(len(r.lines()) for r in receivers) >= count, "all lines")
    weir.stop()
    assert all(r.received for r in receivers)
    expect_once([x for r in receivers for x in r.lines()], count)


@pytest.mark.parametrize("broken", ["{", '{"pipelines":{"p":{"sources":[{"type":"tial"}],"sinks":[{"type":"tpc"}]}}}', None],
                         ids=["syntax", "unknown stages", "missing file"])
def test_broken_new_configuration_keeps_the_old_one(tmp_path, broken):
    receiver = Receiver()
    append(tmp_path / "a.log", lines(0, 10))
    good = config(tmp_path, tail(tmp_path / "a.log"), tcp(receiver))
    weir = Weir(tmp_path, good)
    receiver.wait_lines(10)
    if broken is None:
        weir.file.unlink()
    else:
        weir.configure(broken)
    weir.signal(signal.SIGHUP)
    weir.wait_log("the new configuration is invalid: the old one keeps running")
    if broken and "tial" in broken:
        assert 'unknown source "tial"' in weir.log and 'unknown sink "tpc"' in weir.log
    append(tmp_path / "a.log", lines(10, 20))
    expect_once(receiver.wait_lines(20), 20)
    assert len(receiver.connections) == 1
    weir.configure(good)
    weir.signal(signal.SIGHUP)
    append(tmp_path / "a.log", lines(20, 30))
    expect_once(receiver.wait_lines(30), 30)
    weir.stop()


def test_ten_reloads_at_once(tmp_path):
    a, b = Receiver(), Receiver()
    append(tmp_path / "a.log", lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), tcp(a)))
    a.connected()
    for i in range(10):
        weir.configure(config(tmp_path, tail(tmp_path / "a.log"), tcp(b if i % 2 else a)))
        weir.signal(signal.SIGHUP)
    append(tmp_path / "a.log", lines(1000, 2000))
    wait(lambda: len(a.lines()) + len(b.lines()) >= 2000, "all lines")
    weir.stop()
    expect_once(sorted(a.lines() + b.lines(), key=lambda x: int(x.split()[1])), 2000)


def test_reload_does_not_wait_for_a_stalled_sink(tmp_path):
    """The pipeline with the stalled sink is changed: the rest of the agent goes on at once, and nothing of it is lost."""
    stalled, other, new = Receiver(hold=True, rcvbuf=65536), Receiver(), Receiver()
    append(tmp_path / "a.log", lines(0, 200_000, pad=50))
    append(tmp_path / "b.log", lines(0, 10))
    setup = {**two(tmp_path, tcp(stalled), tcp(other)), "shutdown_timeout": "2s"}
    weir = Weir(tmp_path, setup)
    other.wait_lines(10)
    stalled.connected()
    weir.configure({**two(tmp_path, tcp(new), tcp(other)), "shutdown_timeout": "2s"})
    weir.signal(signal.SIGHUP)
    weir.wait_log("reload")
    append(tmp_path / "b.log", lines(10, 20))
    expect_once(other.wait_lines(20, timeout=1), 20)
    last = 199_999
    wait(lambda: any(x.startswith(b"n %d " % last) for x in new.lines()[-1:]), "the last line at the new target", 30)
    weir.stop()
    first_new = int(new.lines()[0].split()[1])
    expect_once(new.lines(), 200_000, start=first_new)
    stalled.release()
    wait(lambda: stalled.connections[0].ended, "the end of the old connection")
    assert len(stalled.lines()) >= first_new, "what the new target did not get, the old one's kernel had"


def test_reload_adds_and_removes_pipelines(tmp_path):
    append(tmp_path / "a.log", lines(0, 10, "a"))
    append(tmp_path / "b.log", lines(0, 10, "b"))
    both = two(tmp_path, file(tmp_path / "out.a"), file(tmp_path / "out.b"))
    only = {**both, "pipelines": {"a": both["pipelines"]["a"]}}
    weir = Weir(tmp_path, only)
    wait_out(tmp_path / "out.a", 10)
    weir.configure(both)
    weir.signal(signal.SIGHUP)
    wait_out(tmp_path / "out.b", 10)
    weir.configure(only)
    weir.signal(signal.SIGHUP)
    weir.wait_log("reload", count=2)
    wait(lambda: str(tmp_path / "b.log") not in weir.open_files(), "b to be let go")
    append(tmp_path / "b.log", lines(10, 20, "b"))
    append(tmp_path / "a.log", lines(10, 20, "a"))
    expect_once(wait_out(tmp_path / "out.a", 20), 20, "a")
    stays(lambda: len(out_lines(tmp_path / "out.b")) == 10, 0.3, "b goes on")
    weir.configure(both)
    weir.signal(signal.SIGHUP)
    expect_once(wait_out(tmp_path / "out.b", 20), 20, "b")
    weir.stop()


def test_log_is_json_when_asked_for(tmp_path):
    append(tmp_path / "a.log", lines(0, 3))
    (tmp_path / "quote\"d.log").symlink_to("nowhere")
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), file(tmp_path / "out")), "--once", "--log-format", "json").finish()
    told = [json.loads(x) for x in weir.log.splitlines()]
    assert told and all({"time", "level", "message"} <= set(x) for x in told)
    assert any('quote"d.log' in x["message"] for x in told)
