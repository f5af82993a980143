"""Rotation while weir runs and while it does not: every line once, in the order of its file."""
import os
import shutil
import subprocess

import pytest

from harness import (Receiver, Weir, Writer, append, config, expect_each_file, expect_once, file, lines, numbers, out_lines, stays, tail,
                     tcp, wait, wait_out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(tmp_path, out):
    """Start weir on *.log (or what is said) into the file out."""
    def start(include="*.log", *args, **options):
        patterns = [tmp_path / p for p in include.split()]
        return Weir(tmp_path, config(tmp_path, tail(patterns, **options), file(out)), *args)
    return start


def inode(path):
    return os.stat(path).st_ino


def rotate(tmp_path, log, *directives):
    """The real logrotate."""
    conf = tmp_path / "logrotate.conf"
    conf.write_text(f"{log} {{\n  rotate 20\n  size 1\n  su root root\n" + "".join(f"  {d}\n" for d in directives) + "}\n")
    conf.chmod(0o644)
    os.chmod(tmp_path, 0o755)
    subprocess.run([shutil.which("logrotate") or "/usr/sbin/logrotate", "-f", "-s", tmp_path / "lr.state", conf], check=True)


needs_logrotate = pytest.mark.skipif(not os.path.exists("/usr/sbin/logrotate"), reason="needs logrotate")


# ---- the real logrotate ------------------------------------------------------------------------

@needs_logrotate
@pytest.mark.parametrize("directives", [["create 0644 root root"], ["create 0644 root root", "compress"],
                                        ["create 0644 root root", "compress", "delaycompress"]],
                         ids=["create", "compress", "delaycompress"])
def test_logrotate_by_renaming(tmp_path, out, run, directives):
    log = tmp_path / "app.log"
    writer = Writer(log)
    weir = run("app.log")
    for i in range(5):
        writer.written(writer.count + 100)
        before = inode(log)
        if "compress" in directives and len(directives) == 2:
            with writer.gate:  # logrotate compresses at once: nobody may write into what it compresses
                wait_out(out, writer.count)
                rotate(tmp_path, log, *directives)
                writer.reopen_wanted = True
        else:
            rotate(tmp_path, log, *directives)
            writer.written(writer.count + 50)  # into the renamed file
        assert inode(log) != before
        writer.reopen()
    count = writer.stop()
    expect_each_file(wait_out(out, count, weir=weir), count)
    weir.stop()


@needs_logrotate
def test_logrotate_copytruncate(tmp_path, out, run):
    log = tmp_path / "app.log"
    writer = Writer(log)
    weir = run("app.log")
    for i in range(5):
        writer.written(writer.count + 200)
        with writer.gate:  # between copy and truncate logrotate itself loses what is written
            wait_out(out, writer.count, weir=weir)
            before = inode(log), log.stat().st_size
            rotate(tmp_path, log, "copytruncate")
            assert inode(log) == before[0] and log.stat().st_size == 0 < before[1]
    count = writer.stop()
    expect_each_file(wait_out(out, count, weir=weir), count)
    assert b"\0" not in out.read_bytes()
    weir.stop()


@needs_logrotate
def test_logrotate_of_several_files_at_once(tmp_path, out, run):
    writers = [Writer(tmp_path / f"{tag}.log", tag=tag) for tag in "abcde"]
    weir = run("*.log")
    for i in range(4):
        for w in writers:
            w.written(w.count + 60)
        before = [inode(w.path) for w in writers]
        rotate(tmp_path, tmp_path / "*.log", "create 0644 root root")
        assert all(inode(w.path) != b for w, b in zip(writers, before))
        for w in writers:
            w.reopen()
    counts = {w.tag: w.stop() for w in writers}
    got = wait_out(out, sum(counts.values()), weir=weir)
    for tag, count in counts.items():
        expect_each_file(got, count, tag)
    weir.stop()


@needs_logrotate
def test_logrotate_inside_the_glob(tmp_path, out, run):
    """The pattern finds the rotated files too (app.log*): they are known by their inode."""
    log = tmp_path / "app.log"
    writer = Writer(log)
    weir = run("app.log*")
    for i in range(5):
        writer.written(writer.count + 100)
        rotate(tmp_path, log, "create 0644 root root")
        writer.written(writer.count + 50)
        writer.reopen()
    assert (tmp_path / "app.log.5").exists()
    count = writer.stop()
    expect_each_file(wait_out(out, count, weir=weir), count)
    weir.wait_log(r"app\.log was renamed to .*app\.log\.1")
    weir.stop()


# ---- renaming ------------------------------------------------------------------------------------

def test_ten_rotations_in_a_row(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    weir = run("app.log").following(log)
    for i in range(10):  # as fast as it goes: no waiting for weir
        append(log, lines(10 * (i + 1), 10 * (i + 1) + 5))
        log.rename(tmp_path / f"app.{i}")
        append(tmp_path / f"app.{i}", lines(10 * (i + 1) + 5, 10 * (i + 1) + 10))
        append(log, b"")
    append(log, lines(110, 120))
    got = wait_out(out, 120, weir=weir)
    assert sorted(numbers(got)) == list(range(120)), "every line once"
    weir.stop()


def test_ten_rotations_while_each_is_seen(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    weir = run("app.log").following(log)
    for i in range(10):
        wait_out(out, 10 * (i + 1), weir=weir)
        log.rename(tmp_path / f"app.{i}")
        append(log, lines(10 * (i + 1), 10 * (i + 1) + 10))
    expect_once(wait_out(out, 110, weir=weir), 110)
    wait(lambda: not [f for f in weir.open_files() if f.startswith(str(tmp_path / "app."))
                      and not f.endswith("app.log")], "rotated files to be closed")
    weir.stop()


def test_writer_that_reopens_late(tmp_path, out, run):
    """It writes on into the renamed file, for longer than rotate_wait."""
    log = tmp_path / "app.log"
    writer = Writer(log)
    weir = run("app.log", rotate_wait="500ms").following(log)
    writer.written(100)
    log.rename(tmp_path / "app.1")
    append(log, b"")
    renamed_at = writer.count
    writer.written(renamed_at + 1000)
    wait_out(out, renamed_at + 900, weir=weir)
    writer.reopen()
    writer.written(writer.count + 100)
    count = writer.stop()
    expect_each_file(wait_out(out, count, weir=weir), count)
    weir.stop()


def test_last_line_without_terminator_is_finished_after_rotate_wait(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, b"n 0\nn 1")
    weir = run("app.log")
    wait_out(out, 1)
    log.rename(tmp_path / "app.1")
    append(log, b"n 2\n")
    got = wait_out(out, 3, weir=weir)
    assert sorted(numbers(got)) == [0, 1, 2]
    weir.stop()


def test_half_a_line_in_the_renamed_file_is_not_torn(tmp_path, out, run):
    """The writer finishes its line after the rename, before rotate_wait is over."""
    log = tmp_path / "app.log"
    append(log, b"n 0\nn 1 be")
    weir = run("app.log", rotate_wait="2s")
    wait_out(out, 1)
    log.rename(tmp_path / "app.1")
    append(log, b"n 2\n")
    wait_out(out, 2)
    append(tmp_path / "app.1", b"gun and ended\n")
    got = wait_out(out, 3, weir=weir)
    assert sorted(got) == [b"n 0", b"n 1 begun and ended", b"n 2"]
    weir.stop()


def test_rename_inside_the_glob(tmp_path, out, run):
    append(tmp_path / "a.log", lines(0, 10))
    weir = run("*.log")
    wait_out(out, 10)
    (tmp_path / "a.log").rename(tmp_path / "b.log")
    weir.wait_log(r"a\.log was renamed to .*b\.log")
    append(tmp_path / "b.log", lines(10, 20))
    expect_once(wait_out(out, 20, weir=weir), 20)
    (tmp_path / "b.log").rename(tmp_path / "a.log")
    append(tmp_path / "a.log", lines(20, 30))
    expect_once(wait_out(out, 30, weir=weir), 30)
    weir.stop()
    once_more = run("*.log", "--once").finish()
    assert len(out_lines(out)) == 30, once_more.log


def test_two_files_change_names(tmp_path, out, run):
    append(tmp_path / "a.log", lines(0, 10, "a"))
    append(tmp_path / "b.log", lines(0, 10, "b"))
    weir = run("*.log")
    wait_out(out, 20)
    (tmp_path / "a.log").rename(tmp_path / "x")
    (tmp_path / "b.log").rename(tmp_path / "a.log")
    (tmp_path / "x").rename(tmp_path / "b.log")
    append(tmp_path / "b.log", lines(10, 20, "a"))
    append(tmp_path / "a.log", lines(10, 20, "b"))
    got = wait_out(out, 40, weir=weir)
    expect_once(got, 20, "a")
    expect_once(got, 20, "b")
    weir.stop()


def test_file_moved_out_of_the_glob_and_appended(tmp_path, out, run):
    append(tmp_path / "a.log", lines(0, 10))
    weir = run("*.log", rotate_wait="1s")
    wait_out(out, 10)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.log").rename(tmp_path / "elsewhere/a.old")
    append(tmp_path / "elsewhere/a.old", lines(10, 20))
    expect_once(wait_out(out, 20, weir=weir), 20)
    wait(lambda: not [f for f in weir.open_files() if f.endswith("a.old")], "the file to be let go")
    weir.stop()


def test_rename_and_append_while_stopped(tmp_path, out, run):
    """The rotated file is finished by its inode, then the new one is read."""
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    weir = run("app.log")
    wait_out(out, 10)
    weir.stop()
    append(log, lines(10, 20))
    log.rename(tmp_path / "app.log.1")
    append(tmp_path / "app.log.1", lines(20, 30))
    append(log, lines(30, 40))
    weir = run("app.log")
    got = wait_out(out, 40, weir=weir)
    assert sorted(numbers(got)) == list(range(40)), "every line once"
    weir.stop()


def test_rotated_twice_while_stopped(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    run("app.log*", "--once").finish()
    append(log, lines(10, 20))
    (tmp_path / "app.log").rename(tmp_path / "app.log.2")
    append(tmp_path / "app.log.1", lines(20, 30))
    append(log, lines(30, 40))
    run("app.log*", "--once").finish()
    assert sorted(numbers(out_lines(out))) == list(range(40))


# ---- truncation ----------------------------------------------------------------------------------

def test_fifty_truncations_in_place(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, b"")
    node = inode(log)
    weir = run("app.log").following(log)
    for i in range(50):
        with open(log, "wb", buffering=0) as f:  # truncates, the inode stays
            f.write(lines(10 * i, 10 * i + 10 - i % 3) + lines(10 * i + 10 - i % 3, 10 * i + 10))
        assert inode(log) == node
        wait_out(out, 10 * (i + 1), weir=weir)
    expect_once(out_lines(out), 500)
    weir.stop()


def test_truncated_and_written_longer_than_before(tmp_path, out, run):
    """The size alone does not tell: it is the content before the offset that is not what it was."""
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    weir = run("app.log")
    wait_out(out, 10)
    weir.signal(19)  # SIGSTOP: it sees only what comes of it
    with open(log, "wb", buffering=0) as f:
        f.write(lines(10, 60))
    weir.signal(18)
    expect_once(wait_out(out, 60, weir=weir), 60)
    weir.wait_log("was (truncated|written anew)")
    weir.stop()


def test_stale_writer_after_copytruncate_gives_no_nul_bytes_as_lines(tmp_path, out, run):
    """A writer without O_APPEND goes on at its old offset: the hole reads as NUL bytes, in front of its next line."""
    log = tmp_path / "app.log"
    with open(log, "wb", buffering=0) as f:
        f.write(lines(0, 10))
        weir = run("app.log")
        wait_out(out, 10)
        os.truncate(log, 0)
        weir.wait_log("was truncated")
        f.write(lines(10, 20))
        got = wait_out(out, 20, weir=weir)
    assert got[:10] == lines(0, 10).splitlines() and got[11:20] == lines(11, 20).splitlines()
    assert got[10].lstrip(b"\0") == b"n 10"
    weir.stop()


def test_copytruncate_while_stopped(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 100))
    run("app.log", "--once").finish()
    shutil.copy(log, tmp_path / "app.log.1")
    os.truncate(log, 0)
    append(log, lines(100, 120))
    run("app.log", "--once").finish()
    expect_once(out_lines(out), 120)


def test_copytruncate_while_stopped_and_grown_past_the_old_offset(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    run("app.log", "--once").finish()
    os.truncate(log, 0)
    append(log, lines(10, 500))
    run("app.log", "--once").finish()
    expect_once(out_lines(out), 500)


def test_written_anew_while_stopped_and_alike_before_the_old_offset(tmp_path, out, run):
    """What stands before the offset is what stood there; only the beginning of the file tells."""
    log = tmp_path / "app.log"
    append(log, b"boot 1\n" + b"tick tock\n" * 1000)
    run("app.log", "--once").finish()
    os.truncate(log, 0)
    append(log, b"boot 2\n" + b"tick tock\n" * 2000)
    run("app.log", "--once").finish()
    got = out_lines(out)
    assert len(got) == 3002 and got[0] == b"boot 1" and got[1001] == b"boot 2"


# ---- deletion ------------------------------------------------------------------------------------

def test_deleted_and_recreated_path(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    weir = run("app.log")
    for i in range(5):
        wait_out(out, 10 * (i + 1), weir=weir)
        log.unlink()
        append(log, lines(10 * (i + 1), 10 * (i + 2)))
    expect_once(wait_out(out, 60, weir=weir), 60)
    weir.stop()


def test_inode_used_again_is_a_new_file(tmp_path, out, run):
    """ext4 gives a deleted file's inode to the next one at once: the content says that it is another."""
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    run("app.log", "--once").finish()
    node = inode(log)
    log.unlink()
    for i in range(200):
        append(tmp_path / f"other.{i}", b"x")
        if inode(tmp_path / f"other.{i}") == node:
            (tmp_path / f"other.{i}").rename(log)
            break
    else:
        pytest.skip("this file system does not use inodes again soon")
    os.truncate(log, 0)
    append(log, lines(10, 40))
    assert inode(log) == node
    run("app.log", "--once").finish()
    expect_once(out_lines(out), 40)


def test_descriptor_is_released_after_delete(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 10))
    weir = run("app.log")
    wait_out(out, 10)
    wait(lambda: str(log) in weir.open_files(), "the file to be open")
    with open(log, "ab", buffering=0) as f:
        log.unlink()
        f.write(lines(10, 20))  # unlinked, and still written
        expect_once(wait_out(out, 20, weir=weir), 20)
    wait(lambda: not [f for f in weir.open_files() if "app.log" in f], "the descriptor to be closed")
    weir.stop()


# ---- links and directories -----------------------------------------------------------------------

def test_symlink_is_followed_and_retargeted(tmp_path, out, run):
    append(tmp_path / "first", lines(0, 10))
    append(tmp_path / "second", lines(10, 20))
    (tmp_path / "link1").symlink_to("first")
    (tmp_path / "app.log").symlink_to("link1")  # a chain
    weir = run("app.log")
    wait_out(out, 10)
    append(tmp_path / "first", lines(100, 110))
    wait_out(out, 20, weir=weir)
    (tmp_path / "new").symlink_to("second")
    (tmp_path / "new").rename(tmp_path / "app.log")
    wait_out(out, 30, weir=weir)
    append(tmp_path / "second", lines(20, 30))
    got = numbers(wait_out(out, 40, weir=weir))
    assert got == [*range(10), *range(100, 110), *range(10, 20), *range(20, 30)]
    weir.stop()


def test_links_are_left_alone_when_told_so(tmp_path, out, run):
    append(tmp_path / "target", lines(0, 10, "t"))
    append(tmp_path / "a.log", lines(0, 10, "a"))
    (tmp_path / "b.log").symlink_to("target")
    run("*.log", "--once", follow_symlinks=False).finish()
    assert out_lines(out) == lines(0, 10, "a").splitlines()


def test_directories_created_and_removed_in_rounds(tmp_path, out, run):
    (tmp_path / "d").mkdir()
    weir = run("d/*/*.log").wait_log("no file matches")
    for i in range(8):
        (tmp_path / "d/sub").mkdir()
        append(tmp_path / "d/sub/a.log", lines(10 * i, 10 * i + 10))
        wait_out(out, 10 * (i + 1), weir=weir)
        shutil.rmtree(tmp_path / "d/sub")
    expect_once(out_lines(out), 80)
    wait(lambda: not [f for f in weir.open_files() if "a.log" in f], "the removed files to be let go")
    weir.stop()


def test_short_lived_directories_lose_no_line(tmp_path, out, run):
    """Removed as soon as written and seen; the parent too is created after the start."""
    weir = run("d/e/*/*.log").wait_log("no file matches")
    (tmp_path / "d/e").mkdir(parents=True)
    for i in range(20):
        (tmp_path / f"d/e/{i}").mkdir()
        append(tmp_path / f"d/e/{i}/a.log", lines(10 * i, 10 * i + 10))
    got = wait_out(out, 200, weir=weir)
    assert sorted(numbers(got)) == list(range(200))
    weir.stop()


def test_double_star_finds_files_at_any_depth_now_and_later(tmp_path, out, run):
    append(tmp_path / "top.log", lines(0, 1))
    (tmp_path / "a/b/c").mkdir(parents=True)
    append(tmp_path / "a/b/c/deep.log", lines(1, 2))
    weir = run("**/*.log")
    wait_out(out, 2)
    (tmp_path / "a/b/c/d/e").mkdir(parents=True)
    append(tmp_path / "a/b/c/d/e/later.log", lines(2, 3))
    append(tmp_path / "a/b/beside.log", lines(3, 4))
    append(tmp_path / "a/b/c/d/e/no.txt", lines(4, 5))
    got = wait_out(out, 4, weir=weir)
    assert sorted(numbers(got)) == [0, 1, 2, 3]
    weir.stop()
    assert len(out_lines(out)) == 4


def test_exclude(tmp_path, out, run):
    (tmp_path / "sub").mkdir()
    for name, tag in [("a.log", "a"), ("b.log", "b"), ("sub/b.log", "b"), ("sub/c.log", "c"), ("secret.log", "s")]:
        append(tmp_path / name, lines(0, 5, tag))
    run("**/*.log", "--once", exclude=["b.log", str(tmp_path / "secret*")]).finish()
    got = out_lines(out)
    assert len(got) == 10 and numbers(got, "a") == numbers(got, "c") == [0, 1, 2, 3, 4]


def test_moved_away_and_back_while_the_sink_is_stalled(tmp_path):
    """It was finished, and nothing of it is delivered yet: what was read of it is not read again."""
    log, away = tmp_path / "app.log", tmp_path / "away"
    away.mkdir()
    append(log, lines(0, 2000, pad=80))
    receiver = Receiver(rcvbuf=4096, hold=True)
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver)))
    wait(lambda: weir.bytes_read() > 2000 * 80, "reading")
    log.rename(away / "app.log")
    wait(lambda: not any("app.log" in x for x in weir.open_files()), "it is finished")
    (away / "app.log").rename(log)
    append(log, lines(2000, 2010, pad=80))
    wait(lambda: any("app.log" in x for x in weir.open_files()), "it is followed again")
    receiver.release()
    receiver.wait_lines(2010)
    stays(lambda: len(receiver.lines()) == 2010, 0.5, "nothing twice")
    expect_once(receiver.lines(), 2010)
    weir.stop()
