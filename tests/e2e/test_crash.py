"""kill -9 of a weir with a backlog, and what the next start mends. Kills while logs are written and rotated: test_crash_harness.py."""
import random
import subprocess

import pytest

from harness import SANITIZED, Weir, append, config, expect_all, expect_once, file, lines, out_lines, tail, wait

KILLS = 20


def decompressed(kind, path):
    """The content of the file, by the tool of the system that has the name of the transform."""
    return subprocess.run([kind, "-dc"], stdin=open(path, "rb"), check=True, capture_output=True).stdout


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
