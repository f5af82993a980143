"""Following many files, few descriptors, permissions, restarts, look-alikes."""
import os
import shutil

import pytest

from harness import (TheirWeir, Weir, append, checkpoint, config, expect_once, file, lines, numbers, once, out_lines, tail, wait,
                     wait_out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_line_written_in_two_halves_around_a_restart(tmp_path, out):
    log = tmp_path / "a.log"
    setup = config(tmp_path, tail(log), file(out))
    append(log, b"n 0\nn 1 first ha")
    weir = Weir(tmp_path, setup)
    wait_out(out, 1)
    weir.stop()
    assert checkpoint(tmp_path / "data")[str(log)] == 4
    append(log, b"lf, second half\nn 2\n")
    weir = Weir(tmp_path, setup)
    assert wait_out(out, 3) == [b"n 0", b"n 1 first half, second half", b"n 2"]
    weir.stop()


def test_line_written_byte_by_byte(tmp_path, out):
    log = tmp_path / "a.log"
    append(log, b"")
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out))).following(log)
    for byte in lines(0, 20):
        append(log, bytes([byte]))
    expect_once(wait_out(out, 20), 20)
    weir.stop()


def test_restart_sends_nothing_twice_and_nothing_less(tmp_path, out):
    log = tmp_path / "a.log"
    setup = config(tmp_path, tail(log), file(out))
    for i in range(10):
        append(log, lines(10 * i, 10 * i + 10))
        weir = Weir(tmp_path, setup)
        wait_out(out, 10 * i + 10)
        weir.stop()
    expect_once(out_lines(out), 100)


def test_file_that_grows_past_the_hashed_head_across_restarts(tmp_path, out):
    log = tmp_path / "a.log"
    setup = config(tmp_path, tail(log), file(out))
    for i in range(0, 400, 20):  # from 100 bytes to 3 KiB; the head is 1 KiB
        append(log, lines(i, i + 20))
        once(tmp_path, setup)
    expect_once(out_lines(out), 400)


def test_many_descriptors_are_not_needed(tmp_path, out):
    """200 files and 40 descriptors."""
    for i in range(200):
        append(tmp_path / f"{i}.log", lines(0, 5, f"f{i}"))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), file(out)), nofile=40)
    wait_out(out, 1000, weir=weir)
    for i in range(200):
        append(tmp_path / f"{i}.log", lines(5, 10, f"f{i}"))
    got = wait_out(out, 2000, weir=weir)
    for i in range(200):
        expect_once(got, 10, f"f{i}")
    assert len(weir.open_files()) <= 40
    weir.stop()
    once(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), file(out)), nofile=40)
    assert len(out_lines(out)) == 2000


def test_no_descriptor_to_be_had_is_waited_out(tmp_path, out):
    """So few that even the directory cannot be listed at times: nothing is forgotten, nothing is sent again."""
    setup = config(tmp_path, tail(tmp_path / "*.log", rescan_interval="200ms"), file(out))
    for i in range(60):
        append(tmp_path / f"{i}.log", lines(0, 5, f"f{i}"))
    weir = Weir(tmp_path, setup, nofile=40)
    wait_out(out, 300, weir=weir)
    weir.stop()
    used = 16
    for limit in range(used, 4, -1):
        weir = Weir(tmp_path, setup, nofile=limit)
        wait(lambda: not weir.running() or "following" in weir.log, "it to say something")
        if weir.running():
            append(tmp_path / "0.log", lines(5, 6, "f0"))
            wait_out(out, 301, weir=weir)
            weir.stop()
            break
        used = limit
    got = out_lines(out)
    for i in range(1, 60):
        expect_once(got, 5, f"f{i}")


def test_two_look_alike_files_with_equal_heads(tmp_path, out):
    head = b"# a banner that every file begins with\n" * 60
    assert len(head) > 1024
    for name in "ab":
        append(tmp_path / f"{name}.log", head + lines(0, 10, name))
    setup = config(tmp_path, tail(tmp_path / "*.log"), file(out))
    once(tmp_path, setup)
    assert len(out_lines(out)) == 140
    (tmp_path / "a.log").rename(tmp_path / "c.log")
    for name, path in [("a", "c"), ("b", "b")]:
        append(tmp_path / f"{path}.log", lines(10, 20, name))
    once(tmp_path, setup)
    got = out_lines(out)
    assert len(got) == 160
    expect_once(got, 20, "a")
    expect_once(got, 20, "b")


def test_identical_files_are_two_files(tmp_path, out):
    append(tmp_path / "a.log", lines(0, 100))
    shutil.copy(tmp_path / "a.log", tmp_path / "b.log")
    setup = config(tmp_path, tail(tmp_path / "*.log"), file(out))
    once(tmp_path, setup)
    once(tmp_path, setup)
    assert numbers(out_lines(out)) == [*range(100)] * 2


def test_two_names_of_one_file_are_one_file(tmp_path, out):
    append(tmp_path / "a.log", lines(0, 10))
    os.link(tmp_path / "a.log", tmp_path / "b.log")
    (tmp_path / "c.log").symlink_to("a.log")
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), file(out)))
    wait_out(out, 10)
    append(tmp_path / "b.log", lines(10, 20))
    expect_once(wait_out(out, 20, weir=weir), 20)
    (tmp_path / "a.log").unlink()
    append(tmp_path / "b.log", lines(20, 30))
    expect_once(wait_out(out, 30, weir=weir), 30)
    weir.stop()


def test_thousands_of_files_with_few_descriptors(tmp_path, out):
    for i in range(2000):
        append(tmp_path / f"{i}.log", lines(0, 2, f"f{i}"))
    setup = config(tmp_path, tail(tmp_path / "*.log"), file(out))
    weir = Weir(tmp_path, setup, nofile=64)
    wait_out(out, 4000, weir=weir)
    for i in range(0, 2000, 7):
        append(tmp_path / f"{i}.log", lines(2, 4, f"f{i}"))
    touched = len(range(0, 2000, 7))
    got = wait_out(out, 4000 + 2 * touched, weir=weir)
    for i in range(0, 2000, 7):
        expect_once(got, 4, f"f{i}")
    weir.stop()
    once(tmp_path, setup)
    assert len(out_lines(out)) == 4000 + 2 * touched


def test_files_that_appear_in_a_burst(tmp_path, out):
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log", start_at="end"), file(out))).wait_log("no file matches")
    for i in range(1500):
        append(tmp_path / f"{i}.log", lines(0, 2, f"f{i}"))
    got = wait_out(out, 3000, weir=weir)
    assert len(set(got)) == 3000
    weir.stop()


def test_start_at_end_skips_what_is_there_and_nothing_that_comes(tmp_path, out):
    append(tmp_path / "old.log", lines(0, 1000) + b"half a li")
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log", start_at="end"), file(out))).following(tmp_path / "old.log")
    assert f"old.log from offset {(tmp_path / 'old.log').stat().st_size}" in weir.log  # it is told where it really begins
    append(tmp_path / "new.log", lines(0, 10, "new"))
    append(tmp_path / "old.log", b"ne\n" + lines(1000, 1010))
    got = wait_out(out, 20, weir=weir)
    expect_once(got, 10, "new")
    expect_once(got, 1010, start=1000)
    weir.stop()
    append(tmp_path / "old.log", lines(1010, 1020))
    once(tmp_path, config(tmp_path, tail(tmp_path / "*.log", start_at="end"), file(out)))
    expect_once(out_lines(out), 1020, start=1000)


def test_empty_lines_and_carriage_returns(tmp_path, out):
    append(tmp_path / "a.log", b"\n\na\r\n\r\nb\n\n")
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out)))
    assert out.read_bytes() == b"\n\na\r\n\r\nb\n\n"
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log", strip_cr=True), file(tmp_path / "out2"), data_dir=False))
    assert (tmp_path / "out2").read_bytes() == b"\n\na\n\nb\n\n"


def test_inactive_files_are_closed_and_still_followed(tmp_path, out):
    log = tmp_path / "a.log"
    append(log, lines(0, 5))
    weir = Weir(tmp_path, config(tmp_path, tail(log, close_inactive="1s"), file(out)))
    wait_out(out, 5)
    wait(lambda: str(log) in weir.open_files(), "the file to be open")
    wait(lambda: str(log) not in weir.open_files(), "the file to be closed")
    append(log, lines(5, 10))
    expect_once(wait_out(out, 10, weir=weir), 10)
    wait(lambda: str(log) not in weir.open_files(), "the file to be closed again")
    log.rename(tmp_path / "a.1")
    append(tmp_path / "a.1", lines(10, 15))
    append(log, lines(15, 20))
    got = wait_out(out, 20, weir=weir)
    assert sorted(numbers(got)) == list(range(20))
    weir.stop()


# ---- as somebody whom permissions concern ---------------------------------------------------------

needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")


@needs_root
def test_permissions_taken_and_restored(theirs):
    log, out = theirs / "a.log", theirs / "out"
    append(log, lines(0, 10))
    append(theirs / "b.log", lines(0, 10, "b"))
    log.chmod(0)
    weir = TheirWeir(theirs, config(theirs, tail(theirs / "*.log", rescan_interval="1m"), file(out)))
    weir.wait_log(r"a\.log.*Permission denied")
    expect_once(wait_out(out, 10, weir=weir), 10, "b")  # nothing else stops
    log.chmod(0o644)
    got = wait_out(out, 20, weir=weir)  # the change of permissions is an event: no need to wait for the rescan
    expect_once(got, 10)
    log.chmod(0)
    append(log, lines(10, 20))  # by root; the open descriptor goes on
    expect_once(wait_out(out, 30, weir=weir), 20)
    weir.stop()
    assert weir.log.count("Permission denied") == 1, "said once"


@needs_root
def test_directory_without_permission_is_no_deletion(theirs):
    (theirs / "d").mkdir()
    log, out = theirs / "d/a.log", theirs / "out"
    append(log, lines(0, 10))
    (theirs / "d").chmod(0o755)
    weir = TheirWeir(theirs, config(theirs, tail(theirs / "d/*.log", rescan_interval="200ms"), file(out)))
    wait_out(out, 10)
    (theirs / "d").chmod(0)
    weir.wait_log(r"/d cannot be (looked at|watched).*Permission denied")
    append(log, lines(10, 20))
    (theirs / "d").chmod(0o755)
    expect_once(wait_out(out, 20, weir=weir), 20)
    (theirs / "d").chmod(0)
    weir.stop()
    weir = TheirWeir(theirs, config(theirs, tail(theirs / "d/*.log", rescan_interval="200ms"), file(out)))
    weir.wait_log("Permission denied")
    append(log, lines(20, 30))
    (theirs / "d").chmod(0o755)
    expect_once(wait_out(out, 30, weir=weir), 30)
    weir.stop()
