"""The file sink when the disk is full, the folder read-only, or the file is renamed under it."""
import gzip
import os
import random
import shutil
import subprocess

import pytest

from harness import (TheirWeir, Weir, Writer, append, checkpoint, config, expect_once, file, lines, once, out_lines, stays, tail,
                     wait, wait_out)

needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")


@pytest.fixture
def small_disk(tmp_path):
    """1 MiB of tmpfs."""
    where = tmp_path / "disk"
    where.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", where], capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    yield where
    subprocess.run(["umount", "-l", where], check=True)


@pytest.mark.parametrize("transforms", [[], [{"type": "gzip", "flush_interval": "50ms", "flush_bytes": "64KiB"}]], ids=["lines", "gzip"])
def test_full_disk_then_space(tmp_path, small_disk, transforms):
    out, log = small_disk / "out", tmp_path / "a.log"
    (small_disk / "ballast").write_bytes(os.urandom(900_000))
    rng = random.Random(1)
    body = b"".join(b"n %d %s\n" % (i, rng.randbytes(20).hex().encode()) for i in range(10_000))
    append(log, body)
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out), transforms))
    weir.wait_log(f"cannot write to {out}: No space left on device")
    assert os.statvfs(small_disk).f_bavail == 0, "the disk was not full"
    cpu = weir.cpu()
    stays(weir.running, 1.5, "it ended")
    assert weir.cpu() - cpu < 0.1 and weir.log.count("No space left") == 1
    assert checkpoint(tmp_path / "data").get(str(log), 0) < len(body)
    (small_disk / "ballast").unlink()
    wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == len(body), "everything to be delivered")
    weir.wait_log("is written again").stop()
    got = subprocess.run(["gzip", "-dc", out], check=True, capture_output=True).stdout if transforms else out.read_bytes()
    assert got == body


def test_full_disk_and_kill(tmp_path, small_disk):
    """Killed while a line is half written; the next start closes it and writes it again."""
    out, log = small_disk / "out", tmp_path / "a.log"
    (small_disk / "ballast").write_bytes(b"x" * 1_000_000)
    append(log, lines(0, 5000, pad=100))
    setup = config(tmp_path, tail(log), file(out))
    weir = Weir(tmp_path, setup).wait_log("No space left")
    weir.kill()
    (small_disk / "ballast").unlink()
    once(tmp_path, setup)
    got = [x for x in out_lines(out) if x.startswith(b"n ") and len(x) > 100]
    assert {int(x.split()[1]) for x in got} == set(range(5000))


def test_file_size_limit_is_waited_out_like_a_full_disk(tmp_path):
    """Works without a mount: RLIMIT_FSIZE. The signal that comes with it (SIGXFSZ) must not end weir."""
    out, log = tmp_path / "out", tmp_path / "a.log"
    append(log, lines(0, 3000, pad=10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)), fsize=4096)
    weir.wait_log("cannot write to .*File too large")
    assert out.stat().st_size == 4096
    torn = out_lines(out)
    assert torn and lines(0, 3000, pad=10).startswith(out.read_bytes()) and not out.read_bytes().endswith(b"\n")
    out.rename(tmp_path / "out.1")  # rotated away: the half written line begins anew in a file of its own
    wait(lambda: out.exists() and out.stat().st_size == 4096, "a new file")
    expect_once(torn + out_lines(out), len(torn + out_lines(out)))
    weir.stop_now()


def test_full_disk_and_the_output_itself_is_deleted_to_make_room(tmp_path, small_disk):
    """What is deleted and still held open makes no room: the sink has to let go of it."""
    out, log = small_disk / "out", tmp_path / "a.log"
    append(log, lines(0, 12_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)))
    weir.wait_log("No space left on device")
    first = out_lines(out)
    out.unlink()
    wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "everything to be delivered")
    weir.stop()
    expect_once(first + out_lines(out), 12_000)


def test_full_disk_in_a_member_and_rotation(tmp_path, small_disk):
    """The rotated file stays readable to its end, and the member is in the new one as a whole."""
    out, log = small_disk / "out.gz", tmp_path / "a.log"
    (small_disk / "ballast").write_bytes(b"x" * 700_000)
    append(log, b"".join(b"n %d %s\n" % (i, os.urandom(20).hex().encode()) for i in range(15_000)))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out), {"type": "gzip", "flush_bytes": "128KiB"}))
    weir.wait_log("No space left on device")
    out.rename(small_disk / "out.1.gz")
    (small_disk / "ballast").unlink()
    wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "everything to be delivered")
    weir.stop()
    parts = [subprocess.run(["gzip", "-dc", f], check=True, capture_output=True).stdout for f in (small_disk / "out.1.gz", out)]
    assert all(parts) and b"".join(parts) == log.read_bytes()


@needs_root
def test_read_only_directory_then_writable(theirs):
    log = theirs / "a.log"
    append(log, lines(0, 10))
    (theirs / "d").mkdir(mode=0o555)
    weir = TheirWeir(theirs, config(theirs, tail(log), file(theirs / "d/out")))
    weir.wait_log("cannot open .*/d/out: Permission denied")
    assert not (theirs / "d/out").exists()
    (theirs / "d").chmod(0o777)
    expect_once(wait_out(theirs / "d/out", 10), 10)
    weir.stop()


@needs_root
def test_data_dir_becomes_unwritable(theirs):
    """Data flows on; that checkpoints are not kept is told once, and so is the end of it."""
    log, out = theirs / "a.log", theirs / "out"
    append(log, lines(0, 10))
    weir = TheirWeir(theirs, config(theirs, tail(log), file(out)))
    wait(lambda: checkpoint(theirs / "data").get(str(log)) == log.stat().st_size, "a checkpoint")
    (theirs / "data").chmod(0o500)
    append(log, lines(10, 20))
    expect_once(wait_out(out, 20), 20)
    weir.wait_log(f"{theirs}/data.*Permission denied")
    (theirs / "data").chmod(0o700)
    wait(lambda: checkpoint(theirs / "data").get(str(log)) == log.stat().st_size, "a checkpoint")
    weir.wait_log("checkpoint is written again").stop()


def test_output_renamed_under_it(tmp_path):
    out, log = tmp_path / "out", tmp_path / "a.log"
    writer = Writer(log)
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)))
    for i in range(5):
        seen = writer.count
        writer.written(seen + 100)
        wait(lambda: out.exists() and out.stat().st_size > 1000, "output")
        out.rename(tmp_path / f"out.{i}")
    count = writer.stop()
    wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "everything to be delivered")
    weir.stop()
    expect_once([x for f in [*(tmp_path / f"out.{i}" for i in range(5)), out] for x in out_lines(f)], count)


@pytest.mark.skipif(not os.path.exists("/usr/sbin/logrotate"), reason="needs logrotate")
def test_output_rotated_by_logrotate(tmp_path):
    out, log = tmp_path / "out.log", tmp_path / "a.log"
    os.chmod(tmp_path, 0o755)
    conf = tmp_path / "logrotate.conf"
    conf.write_text(f"{out} {{\n rotate 9\n size 1\n su root root\n compress\n delaycompress\n nocreate\n}}\n")
    writer = Writer(log)
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)))
    for i in range(4):
        writer.written(writer.count + 200)
        wait(lambda: out.exists() and out.stat().st_size > 1000, "output")
        subprocess.run(["/usr/sbin/logrotate", "-f", "-s", tmp_path / "state", conf], check=True)
    count = writer.stop()
    wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "everything to be delivered")
    weir.stop()
    got = []
    for i in range(4, 1, -1):
        got += gzip.decompress((tmp_path / f"out.log.{i}.gz").read_bytes()).splitlines()
    expect_once(got + out_lines(tmp_path / "out.log.1") + out_lines(out), count)


def test_output_deleted_under_it(tmp_path):
    out, log = tmp_path / "d/out", tmp_path / "a.log"
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)))
    wait_out(out, 10)
    shutil.rmtree(tmp_path / "d")
    append(log, lines(10, 20))
    expect_once(wait_out(out, 10), 20, start=10)
    weir.stop()


def test_missing_directories_are_made_with_care(tmp_path):
    out = tmp_path / "a/b/c/out"
    append(tmp_path / "a.log", lines(0, 10))
    os.umask(0o022)
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out, mode="0600")))
    expect_once(out_lines(out), 10)
    assert out.stat().st_mode & 0o777 == 0o600 and out.parent.stat().st_mode & 0o777 == 0o750


def test_existing_file_is_appended_to(tmp_path):
    out = tmp_path / "out"
    out.write_bytes(b"before\n")
    out.chmod(0o604)
    append(tmp_path / "a.log", lines(0, 3))
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out)))
    assert out.read_bytes() == b"before\n" + lines(0, 3) and out.stat().st_mode & 0o777 == 0o604


def test_sync_always_syncs_before_it_counts(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    log, out, trace = tmp_path / "a.log", tmp_path / "out", tmp_path / "trace"
    append(log, lines(0, 10))
    once(tmp_path, config(tmp_path, tail(log), file(out, sync="always")), env={"ASAN_OPTIONS": "detect_leaks=0"},
         prefix=["strace", "-f", "-y", "-e", "trace=writev,write,fdatasync,fsync,rename,renameat", "-o", trace])
    text = [x for x in trace.read_text().splitlines() if str(out) in x or "checkpoint" in x]
    wrote = next(i for i, x in enumerate(text) if "write" in x and f"{out}>" in x)
    synced = next(i for i, x in enumerate(text) if "fdatasync" in x and f"{out}>" in x)
    kept = next(i for i, x in enumerate(text) if "rename" in x)
    assert wrote < synced < kept


def test_two_agents_into_one_file_keep_lines_whole(tmp_path):
    """Two sinks of one configuration are refused (test_file_paths.py); two agents nobody can know of."""
    out = tmp_path / "out"
    append(tmp_path / "a.log", lines(0, 20_000, pad=100))
    both = [Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out), data_dir=False), "--once", name=f"{n}.json") for n in "ab"]
    for weir in both:
        weir.finish()
    got = out_lines(out)
    assert len(got) == 40_000 and all(len(x) > 100 for x in got)
