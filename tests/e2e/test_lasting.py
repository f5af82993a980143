"""What must be remembered whatever happens around it: lost inotify events, unmounted directories, clocks that jump, copies with an unread tail."""
import os
import signal
import subprocess

import pytest

import crash
from harness import (Weir, append, checkpoint, config, expect_all, expect_once, file, lines, numbers, once, out_lines, stays, tail, wait,
                     wait_out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_inotify_queue_overflows_and_everything_is_looked_at_again(tmp_path, out):
    with open("/proc/sys/fs/inotify/max_queued_events") as f:
        most = int(f.read())
    if most > 100_000:
        pytest.skip("the queue is too long to be filled here")
    logs = tmp_path / "logs"
    logs.mkdir()
    append(logs / "a.log", lines(0, 10, "a"))
    append(logs / "b.log", lines(0, 10, "b"))
    weir = Weir(tmp_path, config(tmp_path, tail(logs / "*.log", rescan_interval="1h"), file(out)))  # no safety net
    wait_out(out, 20, weir=weir)
    weir.signal(signal.SIGSTOP)
    for i in range(most):  # in turn, or the kernel makes one event of them
        append(logs / "noise1", b".")
        append(logs / "noise2", b".")
    append(logs / "a.log", lines(10, 20, "a"))
    (logs / "b.log").rename(logs / "b.old")
    append(logs / "b.old", lines(10, 20, "b"))
    append(logs / "b.log", lines(20, 30, "b"))
    append(logs / "new.log", lines(0, 10, "c"))
    weir.signal(signal.SIGCONT)
    got = wait_out(out, 60, weir=weir)
    weir.wait_log("inotify lost events")  # or the queue did not overflow
    for tag, count in ("a", 20), ("b", 30), ("c", 10):
        expect_once(got, count, tag)
    weir.stop()


def test_unread_tail_in_the_copy_and_new_lines_in_the_original(tmp_path, out):
    """copytruncate with the copy inside the pattern, while weir stands still: what was not read of the original comes from the copy."""
    log = tmp_path / "a.log"
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log*"), file(out)))
    wait_out(out, 100, weir=weir)
    weir.signal(signal.SIGSTOP)
    append(log, lines(100, 200))
    (tmp_path / "a.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, lines(200, 300))
    assert checkpoint(tmp_path / "data").get(str(log), 0) < (tmp_path / "a.log.1").stat().st_size, "it was read already"
    weir.signal(signal.SIGCONT)
    wait(lambda: len(set(numbers(out_lines(out)))) == 300, "all lines")
    weir.stop()
    repeated = expect_all(out_lines(out), 300)
    assert repeated <= 100, "only what the copy has of the lines that had been read may come twice"


def test_half_a_line_in_a_rotated_file_around_a_restart(tmp_path, out):
    log = tmp_path / "a.log"
    setup = config(tmp_path, tail(log, rotate_wait="10s"), file(out))
    append(log, lines(0, 5) + b"n 5 half")
    weir = Weir(tmp_path, setup)
    wait_out(out, 5, weir=weir)
    log.rename(tmp_path / "a.log.1")
    append(log, lines(6, 8))
    wait_out(out, 7, weir=weir)
    weir.stop()
    weir = Weir(tmp_path, setup)
    weir.following(log)
    append(tmp_path / "a.log.1", b" and the rest\n")
    got = wait_out(out, 8, weir=weir)
    assert got[7] == b"n 5 half and the rest" and sorted(numbers(got)) == list(range(8))
    weir.stop()


def test_inode_used_again_by_a_file_that_no_pattern_wants(tmp_path, out):
    """Removed while weir is down, and its inode taken by a file beside it: that is not the rotated log, and is none of weir's business."""
    log, private = tmp_path / "a.log", tmp_path / "private.txt"
    setup = config(tmp_path, tail(log), file(out))
    append(log, lines(0, 10))
    once(tmp_path, setup)
    inode = log.stat().st_ino
    log.unlink()
    for i in range(50):
        private.write_text("nobody is to see this\n" * 50)
        if private.stat().st_ino == inode:
            break
        private.rename(tmp_path / f"other{i}")
    else:
        pytest.skip("this file system does not use inodes again")
    append(log, lines(10, 20))
    once(tmp_path, setup)
    expect_once(out_lines(out), 20)
    assert b"nobody" not in out.read_bytes()


# ---- directories that go and come ------------------------------------------------------------------

@pytest.fixture
def mounted(tmp_path):
    """A directory that is another one, bound: mount and umount as often as one likes."""
    real, place = tmp_path / "real", tmp_path / "logs"
    real.mkdir()
    place.mkdir()

    class Mounted:
        path = place

        @staticmethod
        def mount():
            return subprocess.run(["mount", "--bind", real, place], capture_output=True).returncode == 0

        @staticmethod
        def umount():
            subprocess.run(["umount", "-l", place], check=True)
            assert not os.listdir(place), "it is still mounted"

    if os.geteuid() != 0 or not Mounted.mount():
        pytest.skip("mount is not allowed here")
    yield Mounted
    subprocess.run(["umount", "-l", place], capture_output=True)


def test_unmounted_while_stopped_and_mounted_again(tmp_path, out, mounted):
    log = mounted.path / "a.log"
    setup = config(tmp_path, tail(mounted.path / "*.log", rescan_interval="100ms"), file(out))
    append(log, lines(0, 100))
    Weir(tmp_path, setup, "--once").finish()
    mounted.umount()
    weir = Weir(tmp_path, setup)
    append(mounted.path / "other.log", lines(0, 5, "other"))
    wait_out(out, 105, weir=weir)
    stays(weir.running, 0.6, "it ended")  # longer than rotate_wait: what is gone is finished
    weir.stop()
    (mounted.path / "other.log").unlink()
    assert mounted.mount()
    append(log, lines(100, 200))
    Weir(tmp_path, setup, "--once").finish()
    expect_once(out_lines(out), 200)


def test_unmounted_and_mounted_again_while_it_runs(tmp_path, out, mounted):
    """A mount makes no event: it is noticed with the next one, here of a file that is written where the logs really are."""
    log = mounted.path / "a.log"
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(mounted.path / "*.log"), file(out)), level="debug")
    wait_out(out, 100, weir=weir)
    mounted.umount()
    append(tmp_path / "real" / "something", b"x")
    weir.wait_log("a.log is gone")
    stays(weir.running, 0.6, "it ended")  # longer than rotate_wait
    assert mounted.mount()
    append(log, lines(100, 200))
    wait_out(out, 200, weir=weir)
    weir.stop()
    expect_once(out_lines(out), 200)


# ---- clocks ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("jump", [400 * 86400, -400 * 86400], ids=["forward", "back"])
def test_a_jump_of_the_clock_forgets_nothing_that_is_there(tmp_path, out, jump):
    log, clock = tmp_path / "a.log", tmp_path / "clock"
    clock.write_bytes((0).to_bytes(8, "little", signed=True))
    env = {"LD_PRELOAD": str(crash.build_clock(tmp_path)), "WEIR_CLOCK": str(clock), "ASAN_OPTIONS": "verify_asan_link_order=0"}
    setup = config(tmp_path, tail(log, rescan_interval="100ms"), file(out))

    def jump_by(seconds):
        with open(clock, "r+b") as f:
            f.write(seconds.to_bytes(8, "little", signed=True))

    append(log, lines(0, 100))
    first = weir = Weir(tmp_path, setup, env=env)
    wait_out(out, 100, weir=weir)
    wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "the checkpoint")
    jump_by(jump)  # while it runs
    append(log, lines(100, 200))
    wait_out(out, 200, weir=weir)
    weir.state()  # which it says with the time
    log.rename(tmp_path / "a.log.1")  # its end is read after the next start
    weir.kill()
    append(tmp_path / "a.log.1", lines(200, 250))
    append(log, lines(250, 300))
    jump_by(2 * jump)
    weir = Weir(tmp_path, setup, env=env)
    wait(lambda: set(numbers(out_lines(out))) == set(range(300)), "all lines")
    weir.stop()
    assert len({x[:4] for x in (first.log + weir.log).splitlines() if " info  " in x}) == 3, "the clock did not jump"
    assert expect_all(out_lines(out), 300) <= 100
