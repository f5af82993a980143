"""Compressed files, and files whose content went elsewhere: copied and truncated, or compressed, while weir runs or not."""
import gzip
import os
import resource
import shutil
import signal
import subprocess
import time
from random import Random

import pytest

from harness import (MIB, SANITIZED, SLOW, Receiver, Weir, Writer, append, config, expect_once, file, free_port, lines, numbers, once, out_lines, stays, tail,
                     tcp, wait, wait_out)

ZSTD = shutil.which("zstd")


def compress(path, tool="gzip"):
    """As logrotate does: beside it, then the original goes."""
    if tool == "gzip":
        subprocess.run(["gzip", path], check=True)
        return path.with_name(path.name + ".gz")
    subprocess.run([ZSTD, "-q", "--rm", path], check=True)
    return path.with_name(path.name + ".zst")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(tmp_path, out):
    def start(include, *args, sink=None, **options):
        patterns = [tmp_path / p for p in include.split()]
        return Weir(tmp_path, config(tmp_path, tail(patterns, **options), sink or file(out)), *args)
    return start


# ---- compressed files ----------------------------------------------------------------------------

def test_backfill_of_compressed_files(tmp_path):
    """A folder of plain, gzip and zstd files: what their tools print, and nothing at the second run."""
    texts = {}
    for i in range(6):
        texts[f"{i}.log"] = lines(0, 20000, tag=f"f{i}", pad=i * 10)
        path = tmp_path / "in" / f"{i}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(texts[path.name])
        if i % 3 == 1:
            compress(path)
        elif i % 3 == 2:
            compress(path, "zstd")
    whole = config(tmp_path, tail(tmp_path / "in" / "*", compressed=True), file(tmp_path / "out"))
    once(tmp_path, whole)
    got = (tmp_path / "out").read_bytes()
    for name, text in texts.items():
        tag = f"f{name[0]} ".encode()
        assert b"".join(x for x in got.splitlines(True) if x.startswith(tag)) == text, name
    weir = once(tmp_path, whole)
    assert (tmp_path / "out").read_bytes() == got
    assert "error" not in weir.log and "p: read 6 files, 0 records, 0 B" in weir.log


def test_backfill_goes_on_where_it_was_killed(tmp_path, out):
    """kill -9 in the middle of a compressed file: nothing is missing, and what came before the checkpoint does not come again."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 300000, pad=50))
    compress(log)
    receiver = Receiver(rcvbuf=4096)
    whole = config(tmp_path, tail(tmp_path / "*.gz", compressed=True), tcp(receiver))
    weir = Weir(tmp_path, whole, "--once")
    wait(lambda: receiver.received > MIB, "some of it")
    receiver.hold()
    wait(lambda: weir.checkpoint().get(str(tmp_path / "a.log.gz"), 0) > MIB // 2, "a checkpoint inside the file")
    weir.kill()
    offset = weir.checkpoint()[str(tmp_path / "a.log.gz")]
    assert offset < 300000 * 60
    first = receiver.lines()
    receiver.release()
    Weir(tmp_path, whole, "--once").finish()
    wait(lambda: 299999 in numbers(receiver.lines()[-1:]), "the last line", 60)
    second = [x for c in receiver.connections[1:] for x in bytes(c.data).split(b"\n")[:-1]]
    assert second[0] == lines(0, 300000, pad=50)[offset:offset + 200].split(b"\n")[0]
    have = sorted(set(numbers(first)) | set(numbers(second)))
    assert have == list(range(300000))
    assert numbers(second) == list(range(numbers(second)[0], 300000))


@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_compressed_file_that_grows(tmp_path, out, run, tool):
    """It is written slowly, by the real program: what can be decoded comes, and nothing twice."""
    weir = run("*.gz *.zst", compressed=True, rotate_wait="3s")  # the writer may pause
    weir.wait_log("no file matches")
    target = tmp_path / ("a.gz" if tool == "gzip" else "a.zst")
    with open(target, "wb") as f:
        p = subprocess.Popen(["gzip", "-1"] if tool == "gzip" else [ZSTD, "-q", "-1"], stdin=subprocess.PIPE, stdout=f)
        count = 0
        for _ in range(20):
            size = target.stat().st_size
            while target.stat().st_size == size:
                p.stdin.write(b"".join(b"n %d %s\n" % (i, os.urandom(40).hex().encode()) for i in range(count, count + 500)))
                p.stdin.flush()
                count += 500
        p.stdin.write(b"n %d unended" % count)
        p.stdin.close()
        assert p.wait() == 0
    got = wait_out(out, count + 1, weir=weir)
    expect_once(got, count + 1)
    weir.stop()
    assert "ends in the middle" not in weir.log


def test_damaged_and_torn_files_are_told_and_the_others_read(tmp_path, out):
    good = gzip.compress(lines(0, 5000, "a"))
    (tmp_path / "a.gz").write_bytes(good)
    (tmp_path / "torn.gz").write_bytes(gzip.compress(lines(0, 5000, "t"))[:-3000])
    (tmp_path / "bad.gz").write_bytes(gzip.compress(lines(0, 10, "b")) + b"\x1f\x8b\x08 and then something else")
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "*.gz", compressed=True), file(out)), status=1)
    got = out_lines(out)
    expect_once(got, 5000, "a")
    assert f"p: read 3 files, {len(got)} records, " in weir.log and "p/tail: 2 files could not be read to their end" in weir.log
    assert f"p/file: {len(got)} records delivered, " in weir.log
    expect_once(got, 10, "b")
    torn = numbers(got, "t")[:-1]  # the last one is torn itself
    assert torn == list(range(len(torn))) and 100 < len(torn) < 5000
    assert "torn.gz ends in the middle of its gzip data" in weir.log
    assert "bad.gz holds gzip data that cannot be decoded, at byte " in weir.log


@pytest.mark.parametrize("before", [0, 60000])
def test_zstd_with_a_wrong_checksum_is_sent_once(tmp_path, out, before):
    """All of its text is there: it is sent, at the first run, whatever was read before it and how large buffers are."""
    (tmp_path / "a").write_bytes(lines(0, before, "a"))
    (tmp_path / "b").write_bytes(lines(0, 1500))
    packed = bytearray(subprocess.run([ZSTD, "-q", "--check", "-c", tmp_path / "b"], check=True, stdout=subprocess.PIPE).stdout)
    packed[-1] ^= 1
    (tmp_path / "b.zst").write_bytes(packed)
    for _ in range(3):
        weir = once(tmp_path, config(tmp_path, tail([tmp_path / "a", tmp_path / "b.zst"], compressed=True), file(out)), status=1)
        assert "b.zst holds zstd data that cannot be decoded" in weir.log
        expect_once(out_lines(out), 1500)


@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_damage_in_the_middle_costs_what_is_behind_it(tmp_path, out, tool):
    """What comes of a damaged file is what its tool prints, in whole blocks, and the same at each run."""
    random = Random(4)
    (tmp_path / "a").write_bytes(b"".join(b"n %d %s\n" % (i, random.randbytes(40).hex().encode()) for i in range(30000)))
    command = ["gzip", "-c"] if tool == "gzip" else [ZSTD, "-q", "-c"]
    packed = bytearray(subprocess.run([*command, tmp_path / "a"], check=True, stdout=subprocess.PIPE).stdout)
    packed[len(packed) * 7 // 10] ^= 0xff
    packed[len(packed) * 7 // 10 + 1] ^= 0xff
    (tmp_path / "a.packed").write_bytes(packed)
    printed = subprocess.run([*command, "-d", tmp_path / "a.packed"], stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    counts = []
    for _ in range(3):
        once(tmp_path, config(tmp_path, tail(tmp_path / "a.packed", compressed=True), file(out)), status=1)
        counts.append(len(out_lines(out)))
    assert counts[0] >= printed.count(b"\n") > 1000 and len(set(counts)) == 1


def test_zstd_that_is_touched_while_it_is_incomplete(tmp_path, out, run):
    """Looked at again and again in vain, it is read on when it grows."""
    (tmp_path / "a").write_bytes(lines(0, 100000, pad=30))
    packed = subprocess.run([ZSTD, "-q", "-c", tmp_path / "a"], check=True, stdout=subprocess.PIPE).stdout
    target = tmp_path / "a.zst"
    target.write_bytes(packed[:len(packed) // 2])
    weir = run("*.zst", compressed=True, rotate_wait="1h")
    wait(lambda: out.exists() and len(out_lines(out)) > 1000, "some of it")
    for _ in range(40):
        os.utime(target)
        time.sleep(0.02)
    append(target, packed[len(packed) // 2:])
    expect_once(wait_out(out, 100000, weir=weir), 100000)
    weir.stop()


def test_window_that_is_too_large_is_refused(tmp_path, out):
    log = tmp_path / "a.log"
    log.write_bytes(os.urandom(20 * MIB))
    subprocess.run([ZSTD, "-q", "--rm", "--long=27", "-1", log], check=True)
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "*.zst", compressed=True), file(out)), status=1)
    assert "a.log.zst holds zstd data that cannot be decoded, at byte 0: Frame requires too much memory" in weir.log or \
        "requires too much memory" in weir.log


def test_many_compressed_files_take_little_memory(tmp_path):
    """A decoder at a time, and a bomb is only long: 400 MB of text in 20 files within the bound."""
    block = gzip.compress(lines(0, 1000, pad=2000) * 10)
    for i in range(20):
        (tmp_path / f"{i:02}.gz").write_bytes(block)
    receiver = Receiver(keep=False)
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.gz", compressed=True), tcp(receiver), memory_limit="16MiB"))
    wait(lambda: receiver.received == 20 * 10 * len(lines(0, 1000, pad=2000)), lambda: f"all text, {receiver.received}", 60)
    assert SANITIZED or weir.peak_rss() < 32 * MIB
    weir.stop()


def test_without_the_option_it_says_so(tmp_path, out):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x\n"))
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "*.gz"), file(out)))
    assert 'a.gz holds gzip data, which is read as if it were lines: leave it out, or set "compressed"' in weir.log


# ---- compressed after rotation -------------------------------------------------------------------

@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_rotated_and_compressed_while_stopped(tmp_path, out, run, tool):
    """The unread end is in app.log.1.gz, which no pattern finds: it comes, before the lines of the new file."""
    log = tmp_path / "app.log"
    append(log, lines(0, 5000))
    weir = run("app.log")
    wait_out(out, 5000, weir=weir)
    weir.stop()
    append(log, lines(5000, 6001))
    log.rename(tmp_path / "app.log.1")
    packed = compress(tmp_path / "app.log.1", tool)
    append(log, lines(6001, 6100))
    weir = run("app.log")
    got = wait_out(out, 6100, weir=weir)
    expect_once(got, 6100)
    weir.wait_log(f"app.log lives on in {packed}: reading it there from offset")
    weir.stop()
    weir = run("app.log")
    append(log, lines(6100, 6101))
    expect_once(wait_out(out, 6101, weir=weir), 6101)
    weir.stop()


@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_compressed_file_in_the_pattern_is_not_read_again(tmp_path, out, run, tool):
    """app.log* finds every generation. Each is compressed after it was read; restarts lie between."""
    log = tmp_path / "app.log"
    weir, count = run("app.log*", compressed=True), 0
    for round in range(4):
        append(log, lines(count, count + 3000))
        count += 3000
        expect_once(wait_out(out, count, weir=weir), count)
        for old in (3, 2, 1):
            for end in ("", ".gz", ".zst"):
                if (tmp_path / f"app.log.{old}{end}").exists():
                    (tmp_path / f"app.log.{old}{end}").rename(tmp_path / f"app.log.{old + 1}{end}")
        log.rename(tmp_path / "app.log.1")
        append(log, lines(count, count + 10))
        count += 10
        expect_once(wait_out(out, count, weir=weir), count)
        compress(tmp_path / "app.log.1", tool)
        if round % 2 == 1:
            weir.stop()
            weir = run("app.log*", compressed=True)
    stays(lambda: len(out_lines(out)) == count, 1.5, lambda: f"{len(out_lines(out))} lines, not {count}")
    expect_once(out_lines(out), count)
    weir.stop()
    expect_once(out_lines(out), count)


def test_all_of_it_compressed_while_stopped_and_in_the_pattern(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 4000))
    weir = run("app.log*", compressed=True)
    wait_out(out, 4000, weir=weir)
    weir.stop()
    append(log, lines(4000, 5000))
    log.rename(tmp_path / "app.log.1")
    compress(tmp_path / "app.log.1")
    append(log, lines(5000, 5100))
    for _ in range(2):
        weir = run("app.log*", compressed=True)
        expect_once(wait_out(out, 5100, weir=weir), 5100)
        stays(lambda: len(out_lines(out)) == 5100, 1, "nothing twice")
        weir.stop()


def test_compressed_later_after_its_original_was_finished(tmp_path, out, run):
    """delaycompress: app.log.1 is outside of the patterns, read to its end and finished; a day later its compressed form is in them."""
    log = tmp_path / "app.log"
    append(log, lines(0, 4000))
    weir = run("app.log *.gz", compressed=True)
    wait_out(out, 4000, weir=weir)
    log.rename(tmp_path / "app.log.1")
    append(log, lines(4000, 4100))
    wait_out(out, 4100, weir=weir)
    stays(lambda: len(out_lines(out)) == 4100, 1, "finished")
    compress(tmp_path / "app.log.1")
    append(log, lines(4100, 4200))
    wait_out(out, 4200, weir=weir)
    stays(lambda: len(out_lines(out)) == 4200, 1.5, "nothing twice")
    expect_once(out_lines(out), 4200)
    weir.stop()


def test_compressed_copy_beside_its_original_is_a_file_of_its_own(tmp_path, out, run):
    """gzip -k: what stays in its place was not moved."""
    log = tmp_path / "app.log"
    append(log, lines(0, 1000))
    weir = run("app.log*", compressed=True)
    wait_out(out, 1000, weir=weir)
    subprocess.run(["gzip", "-k", log], check=True)
    weir.wait_log("app.log.gz looks like a copy of .*app.log")
    append(log, lines(1000, 1100))
    wait_out(out, 2100, weir=weir)
    assert sorted(numbers(out_lines(out))) == sorted(list(range(1100)) + list(range(1000)))
    weir.stop()


# ---- copied and truncated -------------------------------------------------------------------------

@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_unread_end_is_in_the_copy(tmp_path, run, pattern):
    """The sink is stalled while the log is copied and truncated: what was not read yet comes from the copy, then the new lines."""
    log, copy = tmp_path / "app.log", tmp_path / "app.log.1"
    receiver = Receiver(rcvbuf=4096, hold=True)
    append(log, lines(0, 200000, pad=80))
    weir = run(pattern, sink=tcp(receiver, queue={"max_bytes": 65536}), rotate_wait="3s")  # from the copy to the truncation, at most
    wait(lambda: weir.bytes_read() > MIB, "reading")
    before = log.stat()
    shutil.copyfile(log, copy)
    os.truncate(log, 0)
    append(log, lines(200000, 200500))
    receiver.release()
    expect_once(receiver.wait_lines(200500, 60), 200500)
    assert log.stat().st_ino == before.st_ino and log.stat().st_size < before.st_size
    weir.wait_log(f"app.log lives on in {copy}: reading it there from offset")
    stays(lambda: len(receiver.lines()) == 200500, 0.7, "nothing twice")
    weir.stop()


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("grown", [False, True], ids=["short", "past the old offset"])
def test_copied_and_truncated_while_stopped(tmp_path, out, run, pattern, grown):
    log, copy = tmp_path / "app.log", tmp_path / "app.log.1"
    append(log, lines(0, 3000))
    weir = run(pattern)
    wait_out(out, 3000, weir=weir)
    weir.stop()
    append(log, lines(3000, 3500))
    shutil.copyfile(log, copy)
    os.truncate(log, 0)
    count = 9000 if grown else 3600
    append(log, lines(3500, count))
    weir = run(pattern)
    expect_once(wait_out(out, count, weir=weir), count)
    stays(lambda: len(out_lines(out)) == count, 0.7, "nothing twice")
    weir.stop()


def test_copytruncate_and_compress_while_stopped(tmp_path, out, run):
    log = tmp_path / "app.log"
    append(log, lines(0, 3000))
    weir = run("app.log")
    wait_out(out, 3000, weir=weir)
    weir.stop()
    append(log, lines(3000, 3500))
    shutil.copyfile(log, tmp_path / "app.log.1")
    compress(tmp_path / "app.log.1")
    os.truncate(log, 0)
    append(log, lines(3500, 3600))
    weir = run("app.log", "--once")
    weir.finish()
    expect_once(out_lines(out), 3600)


def test_copy_in_use_by_kill(tmp_path, run):
    """Killed while it reads the copy: it goes on there."""
    log = tmp_path / "app.log"
    receiver = Receiver(rcvbuf=4096, hold=True)
    append(log, lines(0, 100000, pad=80))
    weir = run("app.log", sink=tcp(receiver, queue={"max_bytes": 65536}))
    wait(lambda: weir.bytes_read() > MIB, "reading")
    shutil.copyfile(log, tmp_path / "app.log.1")
    os.truncate(log, 0)
    receiver.release()
    weir.wait_log("lives on in")
    receiver.hold()
    wait(lambda: str(tmp_path / "app.log.1") in weir.checkpoint(), "the copy in the checkpoint")
    weir.kill()
    append(log, lines(100000, 100100))
    receiver.release()
    weir = run("app.log", sink=tcp(receiver))
    got = wait(lambda: 100099 in (n := numbers(receiver.lines())) and n, "the last line", 30)
    assert set(got) == set(range(100100))
    weir.stop()


def test_older_copies_are_not_taken_for_it(tmp_path, out, run):
    """Backups of the same log from before stand beside it: too short to hold what was read since. What the sink wrote beside it
    has all of it, and is no copy either, as its name says."""
    log = tmp_path / "app.log"
    append(log, lines(0, 3000))
    shutil.copyfile(log, tmp_path / "app.log.backup")
    weir = run("app.log")
    append(log, lines(3000, 4000))
    wait_out(out, 4000, weir=weir)
    os.truncate(log, 0)
    append(log, lines(4000, 4100))
    expect_once(wait_out(out, 4100, weir=weir), 4100)
    weir.wait_log("app.log was (truncated|written anew): reading it from its beginning")
    weir.stop()


def test_live_look_alikes_are_both_read(tmp_path, out, run):
    """A second file begins as one that is followed, and goes on by itself: it waits a moment, and is read whole."""
    banner = b"".join(b"# banner %d\n" % i for i in range(300))
    a, b = tmp_path / "a.log", tmp_path / "a.log-b"
    append(a, banner)
    weir = run("a.log*")
    wait_out(out, 300, weir=weir)
    append(b, banner)
    weir.wait_log("a.log-b looks like a copy of .*a.log")
    append(b, lines(0, 100, "b"))
    append(a, lines(0, 100, "a"))
    got = wait_out(out, 800, weir=weir)
    expect_once(got, 100, "a")
    expect_once(got, 100, "b")
    assert sum(x.startswith(b"# banner") for x in got) == 600
    weir.stop()


def test_look_alike_that_goes_on_growing_is_read(tmp_path, out, run):
    """It holds all that is known of the other one, and more, and is never quiet for rotate_wait: what is longer than its original is no copy."""
    append(tmp_path / "w.log", b"starting\n")
    weir = run("w*.log")
    wait_out(out, 1, weir=weir)
    append(tmp_path / "w-1.log", b"starting\n")
    writer = Writer(tmp_path / "w-1.log", pause=0.05)
    wait_out(out, 20, timeout=5, weir=weir)
    writer.stop()
    weir.stop()


def test_look_alike_of_one_that_is_gone_is_read(tmp_path, out, run):
    """The same banner as that of a longer log, removed long ago; it grows all the time, too."""
    banner = b"".join(b"# banner %d\n" % i for i in range(300))
    append(tmp_path / "w.log", banner + lines(0, 1000))
    weir = run("w*.log")
    wait_out(out, 1300, weir=weir)
    (tmp_path / "w.log").unlink()
    weir.stop()
    append(tmp_path / "w-1.log", banner)
    writer = Writer(tmp_path / "w-1.log", pause=0.05)
    weir = run("w*.log")
    weir.wait_log("w-1.log looks like a copy of")
    wait_out(out, 1620, timeout=5, weir=weir)
    writer.stop()
    weir.stop()


def test_copy_that_takes_long_to_make_is_waited_for(tmp_path, out, run):
    """It grows for longer than rotate_wait, in the pattern: it is a copy of the original all the time."""
    log, copy = tmp_path / "app.log", tmp_path / "app.log.1"
    text = lines(0, 20000)
    append(log, text)
    weir = run("app.log*", rotate_wait="1s")
    wait_out(out, 20000, weir=weir)
    for at in range(0, len(text), len(text) // 20):
        append(copy, text[at:at + len(text) // 20])
        time.sleep(0.1)
    os.truncate(log, 0)
    append(log, lines(20000, 20100))
    wait_out(out, 20100, weir=weir)
    stays(lambda: len(out_lines(out)) == 20100, 1, "nothing twice")
    weir.stop()


def test_compressed_after_it_was_finished_and_before_it_was_delivered(tmp_path, run):
    """The sink is stalled all the while: the compressed file is nothing new."""
    log = tmp_path / "app.log"
    append(log, lines(0, 2000, pad=80))
    receiver = Receiver(rcvbuf=4096, hold=True)
    weir = run("app.log *.gz", compressed=True, sink=tcp(receiver))
    wait(lambda: weir.bytes_read() > 2000 * 80, "reading")
    log.rename(tmp_path / "app.log.1")
    wait(lambda: not any("app.log" in x for x in weir.open_files()), "it is finished")
    compress(tmp_path / "app.log.1")
    weir.wait_log("app.log.1.gz looks like a copy of")
    time.sleep(1)  # three times rotate_wait
    receiver.release()
    receiver.wait_lines(2000)
    weir.wait_log("lives on in")
    stays(lambda: len(receiver.lines()) == 2000, 1, "nothing twice")
    expect_once(receiver.lines(), 2000)
    weir.stop()


def test_many_logs_copied_and_truncated_at_once(tmp_path, out, run):
    """As a nightly logrotate does: what stands in their old places is looked for once, not once for each."""
    logs = [tmp_path / "in" / f"{i:03}.log" for i in range(600)]
    logs[0].parent.mkdir()
    for log in logs:
        append(log, lines(0, 20, log.stem))
    weir = run("in/*.log")
    wait_out(out, 600 * 20, weir=weir)
    weir.stop()
    for log in logs:
        append(log, lines(20, 21, log.stem))
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
        append(log, lines(21, 22, log.stem))
    weir = run("in/*.log")
    got = wait_out(out, 600 * 22, weir=weir)
    for log in logs:
        expect_once(got, 22, log.stem)
    assert weir.cpu() < 1.2 * SLOW
    weir.stop()


def test_short_files_do_not_wait_for_one_another(tmp_path, out, run):
    """Thirty rotated files are gone after a restart, and thirty new ones too short to tell whether they become copies of them: they wait
    once, together."""
    log = tmp_path / "a.log"
    weir = run("a.log*", rotate_wait="3s")
    for i in range(30):
        append(log, lines(i * 200, (i + 1) * 200))
        wait_out(out, (i + 1) * 200, weir=weir)
        log.rename(tmp_path / f"a.log.{i}")
    weir.stop()
    for i in range(30):
        append(tmp_path / f"a.log.{i}-new", lines(0, 3, f"new{i}"))
    for i in range(30):
        (tmp_path / f"a.log.{i}").unlink()
    weir = run("a.log*", rotate_wait="3s")
    wait_out(out, 6090, timeout=12, weir=weir)  # one after the other they would take 90 s
    assert "looks like a copy" in weir.log
    for i in range(30):
        expect_once(out_lines(out), 3, f"new{i}")
    weir.stop()


def test_no_descriptor_to_look_for_the_copy(tmp_path, run):
    """Descriptors run out just when the log is found truncated: the copy is looked for until there are some, and nothing is given up."""
    log, copy = tmp_path / "app.log", tmp_path / "app.log.1"
    receiver = Receiver(rcvbuf=4096, hold=True)
    append(log, lines(0, 200000, pad=80))
    weir = run("app.log", sink=tcp(receiver, queue={"max_bytes": 65536}))
    wait(lambda: weir.bytes_read() > MIB, "reading")
    weir.wait_log("connected to")
    wait(lambda: str(log) in weir.checkpoint(), "a first checkpoint, which starts its thread")
    shutil.copyfile(log, copy)
    os.truncate(log, 0)
    append(log, lines(200000, 200500))
    free = next(i for i in range(100) if not os.path.exists(f"/proc/{weir.pid}/fd/{i}"))
    before = resource.prlimit(weir.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, (free, before[1]))
    receiver.release()
    weir.wait_log("app.log is not what was read of it, and what was cannot be looked for: too many open files")
    resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, before)
    expect_once(receiver.wait_lines(200500, 60), 200500)
    weir.wait_log(f"app.log lives on in {copy}: reading it there from offset")
    weir.stop()


def test_no_descriptor_to_look_into_a_renamed_file(tmp_path, out, run):
    """One is left, for the directory, and none for the file: it waits, and is found."""
    log = tmp_path / "app.log"
    append(log, lines(0, 100))
    weir = run("app.log", close_inactive="1s")
    wait_out(out, 100, weir=weir)
    wait(lambda: str(log) in weir.checkpoint(), "a first checkpoint")
    wait(lambda: not any("app.log" in x for x in weir.open_files()), "it is closed")
    weir.signal(signal.SIGSTOP)
    append(log, lines(100, 200))
    log.rename(tmp_path / "app.log.1")
    free = next(i for i in range(100) if not os.path.exists(f"/proc/{weir.pid}/fd/{i}"))
    before = resource.prlimit(weir.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, (free + 1, before[1]))
    weir.signal(signal.SIGCONT)
    weir.wait_log("app.log waits: too many open files")
    cpu = weir.cpu()
    stays(weir.running, 1, "it runs")
    assert weir.cpu() - cpu < 0.3
    resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, before)
    expect_once(wait_out(out, 200, weir=weir), 200)
    weir.stop()


def test_compressed_into_an_inode_that_is_used_again(tmp_path, out, run):
    """The compressed log has the inode of an older one that is still in the checkpoint: it is not known for that."""
    log, packed = tmp_path / "app.log", tmp_path / "app.log.1.gz"
    append(log, lines(0, 1000))
    older = log.stat().st_ino
    once(tmp_path, config(tmp_path, tail(log), file(out)))
    keeper = tmp_path / "keeper"
    log.rename(keeper)
    append(log, lines(1000, 2000))
    weir = run("app.log", sink=tcp(free_port()))  # nothing is delivered
    wait(lambda: weir.checkpoint().get(str(log)) == 0, "the new one in the checkpoint")
    weir.kill()
    keeper.unlink()
    for i in range(50):
        packed.write_bytes(gzip.compress(log.read_bytes()))
        if packed.stat().st_ino == older:
            break
        packed.rename(tmp_path / f"other{i}")
    else:
        pytest.skip("this file system does not use inodes again")
    log.unlink()
    append(log, lines(2000, 2100))
    weir = run("app.log")
    got = wait_out(out, 2100, weir=weir)
    weir.wait_log(f"lives on in {packed}")
    assert sorted(numbers(got)) == list(range(2100))
    weir.stop()


def test_many_that_may_be_copies_are_not_held_one_after_the_other(tmp_path, out, run):
    """They are too short to tell; what they may be copies of is gone. It is looked for once, not once for each."""
    append(tmp_path / "a.log", lines(0, 1000))
    weir = run("a.log*")
    wait_out(out, 1000, weir=weir)
    weir.stop()
    for i in range(40):
        append(tmp_path / f"a.log.{i}", lines(0, 2, f"f{i}"))
    (tmp_path / "a.log").unlink()
    weir = run("a.log*")
    weir.wait_log("looks like a copy of", count=40)
    wait_out(out, 1080, timeout=5, weir=weir)
    weir.stop()
