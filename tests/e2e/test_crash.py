"""kill -9 at random moments: no line may be missing afterwards, and what is there must be readable."""
import random
import subprocess

import pytest

from harness import (SANITIZED, Receiver, Weir, Writer, append, checkpoint, config, expect_all, expect_once, file, lines,
                     out_lines, tail, tcp, wait)

KILLS = 20


def crash_run(tmp_path, setup, seed, arrived):
    """Kill weir KILLS times while a writer writes; returns how many lines there are. arrived(): bytes that came out so far."""
    rng = random.Random(seed)
    writer = Writer(tmp_path / "a.log", pause=0.0002)
    writer.written(100)
    inside = 0
    for _ in range(KILLS):
        weir = Weir(tmp_path, setup)
        weir.wait_log("following")
        before = arrived()
        if rng.random() < 0.8:
            wait(lambda: arrived() > before, "anything to arrive")
            inside += 1
        seen = writer.count
        writer.written(seen + rng.randrange(400))
        assert weir.running()
        weir.kill()
    assert inside > KILLS / 2
    count = writer.stop()
    weir = Weir(tmp_path, setup)
    size = (tmp_path / "a.log").stat().st_size
    wait(lambda: checkpoint(tmp_path / "data").get(str(tmp_path / "a.log")) == size, "everything to be delivered", 30)
    weir.stop()
    return count


@pytest.mark.parametrize("seed", [1, 2])
def test_file_sink_misses_nothing(tmp_path, seed):
    out = tmp_path / "out"
    count = crash_run(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out)), seed,
                      lambda: out.stat().st_size if out.exists() else 0)
    repeated = expect_all(out_lines(out), count)
    print(f"{count} lines, {repeated} of them twice")
    assert repeated < KILLS * 10_000
    assert not [x for x in out_lines(out) if x and not x.startswith(b"n ")]


def decompressed(kind, path):
    """The content of the file, by the tool of the system that has the name of the transform."""
    return subprocess.run([kind, "-dc"], stdin=open(path, "rb"), check=True, capture_output=True).stdout


@pytest.mark.parametrize("kind", ["gzip", "zstd", "lz4"])
def test_compressed_file_misses_nothing_and_stays_readable(tmp_path, kind):
    out = tmp_path / "out"
    count = crash_run(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out),
                                       [{"type": kind, "flush_interval": "50ms"}]), 3,
                      lambda: out.stat().st_size if out.exists() else 0)
    expect_all(decompressed(kind, out).split(b"\n")[:-1], count)


def test_tcp_receiver_misses_nothing(tmp_path):
    receiver = Receiver()
    count = crash_run(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), tcp(receiver)), 4, lambda: receiver.received)
    wait(lambda: all(c.ended for c in receiver.connections), "the connections to end")
    assert len(receiver.connections) > KILLS / 2
    expect_all(receiver.lines(), count)


def test_throughput_run_killed_in_the_middle(tmp_path):
    """Backlog instead of a slow writer: each run gets somewhere in a big file before it is killed."""
    total = 50_000 if SANITIZED else 300_000
    (tmp_path / "a.log").write_bytes(lines(0, total, pad=100))
    out = tmp_path / "out"
    setup = config(tmp_path, tail(tmp_path / "a.log"), file(out), memory_limit="1MiB")
    rng = random.Random(5)
    for _ in range(KILLS):
        size = out.stat().st_size if out.exists() else 0
        weir = Weir(tmp_path, setup)
        wait(lambda: out.exists() and out.stat().st_size > size or not weir.running(), "anything to arrive")
        for _ in range(rng.randrange(20)):
            wait(lambda: True, "")
        weir.kill()
    Weir(tmp_path, setup, "--once").finish()
    expect_all(out_lines(out), total)


@pytest.mark.parametrize("kind", ["gzip", "zstd", "lz4"])
def test_crash_in_a_torn_member_is_mended(tmp_path, kind):
    """A member that a crash left half written is cut off, and its records are written again."""
    out = tmp_path / "out"
    setup = config(tmp_path, tail(tmp_path / "a.log"), file(out), [{"type": kind}])
    append(tmp_path / "a.log", lines(0, 100))
    Weir(tmp_path, setup, "--once").finish()
    whole = out.read_bytes()
    other = tmp_path / "other"
    append(tmp_path / "b.log", lines(100, 200))
    Weir(tmp_path, config(tmp_path, tail(tmp_path / "b.log"), file(other), [{"type": kind}], data_dir=False), "--once",
         name="b.json").finish()
    out.write_bytes(whole + other.read_bytes()[:-7])  # as if killed inside a write
    assert subprocess.run([kind, "-t"], stdin=open(out, "rb"), capture_output=True).returncode != 0
    append(tmp_path / "a.log", lines(100, 200))
    weir = Weir(tmp_path, setup, "--once").finish()
    assert f"ends inside a {kind} member: cutting its last" in weir.log
    expect_once(decompressed(kind, out).splitlines(), 200)


def test_crash_in_a_line_is_mended(tmp_path):
    out = tmp_path / "out"
    out.write_bytes(b"n 0\nn 1 half a li")
    append(tmp_path / "a.log", lines(1, 5))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out)), "--once").finish()
    assert "ends inside a line" in weir.log
    assert out_lines(out) == [b"n 0", b"n 1 half a li"] + lines(1, 5).splitlines()
