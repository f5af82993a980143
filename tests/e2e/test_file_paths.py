"""Paths made of records, bounded descriptors, rotation by size and age across kill -9 and a full disk, SIGHUP, what check refuses."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import (WEIR, Weir, Writer, append, checkpoint, config, expect_all, expect_once, file, lines, once, out_lines, stays, tail, wait,
                     wait_out)
from test_file_sink import small_disk  # noqa: F401 (a fixture)


def rows(path, records):
    append(path, b"".join(json.dumps(r).encode() + b"\n" for r in records))


def done(tmp_path, log):
    return lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size


def rotated(out):
    """The files of ${out}, oldest first."""
    found = [(int(m.group(1)), p) for p in out.parent.iterdir() if (m := re.fullmatch(re.escape(out.name) + r"\.(\d+)", p.name))]
    return [p for _, p in sorted(found, reverse=True)] + ([out] if out.exists() else [])


def all_lines(out):
    return [x for p in rotated(out) for x in out_lines(p)]


def test_a_thousand_values_in_twenty_descriptors(tmp_path):
    out, log = tmp_path / "out", tmp_path / "a.log"
    rows(log, ({"t": f"tenant {i * 7919 % 1000}", "n": i} for i in range(10_000)))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out / "{.t}/{@source}.log", max_open_files=20), {"type": "json"}))
    most = 0

    def over():
        nonlocal most
        most = max(most, sum(x.startswith(str(out)) for x in weir.open_files()))
        return done(tmp_path, log)()
    wait(over, "everything to be delivered", timeout=60)
    over()
    assert 1 <= most <= 22, most  # a directory and a look at a file's end beside the twenty
    assert sum(x.startswith(str(out)) for x in weir.open_files()) == 20
    weir.stop()
    assert len(list(out.iterdir())) == 1000
    for i in range(1000):
        got = [json.loads(x) for x in out_lines(out / f"tenant {i}" / "tail.log")]
        assert [r["n"] for r in got] == [n for n in range(10_000) if n * 7919 % 1000 == i]


HOSTILE = ["../../../etc/x", "/abs", "a/b", "", "x" * 300, "nul\0", ".", "..", ".ssh", "a\nb", "\u009b1m", "../out2/x", "..\\x", " ", "-rf", "x" * 299 + "y"]


def test_hostile_values_stay_inside(tmp_path):
    out, log = tmp_path / "in" / "out", tmp_path / "a.log"
    rows(log, [{"t": t, "n": i} for i, t in enumerate(HOSTILE)] + [{"t": {"../x": 1}}, {"t": None}, {"t": ["/"]}, {}, {"t": 12.50}])
    append(log, b'\xff\xfe../plain\n')
    before = {str(p) for p in tmp_path.rglob("*")}
    once(tmp_path, config(tmp_path, tail(log), file(out / "{.t}/{.t}"), {"type": "json"}, data_dir=False))
    made = [p for p in tmp_path.rglob("*") if str(p) not in before and p.is_file() and not p.name.startswith(("log.", "weir"))]
    assert all(len(p.relative_to(out).parts) == 2 for p in made), made
    assert sum(len(out_lines(p)) for p in made) == len(HOSTILE) + 6
    assert len(out_lines(out / "_/_")) == 7  # "", ".", null, missing, containers, and the line that is no JSON
    assert sum(p.name.startswith("xxx") for p in made) == 2 and all(len(os.fsencode(p.name)) <= 250 for p in made)


def test_a_link_planted_below_the_prefix_is_not_followed(tmp_path):
    out, outside, log = tmp_path / "out", tmp_path / "outside", tmp_path / "a.log"
    out.mkdir()
    outside.mkdir()
    (out / "evil").symlink_to(outside)
    rows(log, [{"t": "good"}, {"t": "evil"}])
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out / "{.t}/x"), {"type": "json"}))
    weir.wait_log("cannot open or create the directory of .*/evil/x")
    assert list(outside.iterdir()) == [] and len(out_lines(out / "good/x")) == 1
    assert not done(tmp_path, log)()
    (out / "evil").unlink()
    wait(done(tmp_path, log), "everything to be delivered")
    weir.wait_log("evil/x is written again").stop()
    assert len(out_lines(out / "evil/x")) == 1 and list(outside.iterdir()) == []


def test_a_file_a_day_by_the_time_of_the_record(tmp_path):
    out, log = tmp_path / "out", tmp_path / "a.log"
    rows(log, [{"ts": "2026-01-31T23:59:59.999Z", "n": 1}, {"ts": "2026-02-01T00:00:00Z", "n": 2}, {"ts": "2026-01-31T23:30:00Z", "n": 3},
               {"ts": "2026-02-01T00:30:00+01:00", "n": 4}])
    steps = [{"type": "json"}, {"type": "timestamp", "field": ".ts"}]

    def days(where, **options):
        once(tmp_path, config(tmp_path, tail(log), file(where / "{%Y/%m-%d}.log", **options), steps, data_dir=False))
        return {str(p.relative_to(where)): [json.loads(x)["n"] for x in out_lines(p)] for p in where.rglob("*.log")}
    assert days(tmp_path / "utc") == {"2026/01-31.log": [1, 3, 4], "2026/02-01.log": [2]}
    assert days(tmp_path / "berlin", timezone="Europe/Berlin") == {"2026/02-01.log": [1, 2, 3, 4]}


def test_bytes_have_a_time_and_no_fields(tmp_path):
    log = tmp_path / "a.log"
    append(log, lines(0, 100))
    once(tmp_path, config(tmp_path, tail(log), file(tmp_path / "out/{%Y}.gz"), {"type": "gzip"}, data_dir=False))
    made = list((tmp_path / "out").iterdir())
    assert re.fullmatch(r"20\d\d\.gz", made[0].name) and len(made) == 1
    assert subprocess.run(["gzip", "-dc", made[0]], check=True, capture_output=True).stdout == lines(0, 100)


def check(tmp_path, configuration):
    (tmp_path / "check.json").write_text(json.dumps(configuration))
    got = subprocess.run([WEIR, "check", "-c", tmp_path / "check.json"], capture_output=True, text=True)
    return got.returncode, got.stderr


def test_what_check_refuses(tmp_path):
    log = tail("/l/*.log")

    def refused(sinks, message, source=log, transforms=()):
        status, text = check(tmp_path, config(tmp_path, source, sinks, transforms))
        assert status == 2 and re.search(message, text), text

    def taken(sinks, source=log, transforms=()):
        status, text = check(tmp_path, config(tmp_path, source, sinks, transforms))
        assert status == 0, text
    refused(file("{.x}/a"), r"sinks\[0\]\.path: column 1: expected a directory in front of the first placeholder")
    refused(file("/a/{.x"), r"column 7: expected \"}\"")
    refused(file("/a/x", rotate={}), r"rotate: expected \"max_bytes\", \"max_age\" or both")
    refused(file("/a/x", rotate={"max_bytes": "1MiB", "keep": 0}), "keep: expected 1 to 1000")
    refused(file("/a/{%Y}", timezone="Nowhere/Land"), "timezone: ")
    refused(file("/a/{.x}.gz"), r'path: fields and metadata need records, but "gzip" before it gives bytes', transforms={"type": "gzip"})
    taken(file("/a/{%Y}.gz"), transforms={"type": "gzip"})
    refused([file("/a/x"), file("/a//./x")], r'sinks\[1\]\.path: two sinks write to "/a//./x"')
    taken([file("/a/x"), file("/a/y"), file("/dev/null"), file("/dev/null")])
    refused(file("/l/out.log"), '"tail" of this pipeline would read this file again')
    refused(file("/l/out.log", rotate={"max_bytes": "1MiB"}), "or what it is rotated to", source=tail("/l/*", exclude=["/l/out.log"]))
    taken(file("/l/out.log", rotate={"max_bytes": "1MiB"}), source=tail("/l/*", exclude=["/l/out.log*"]))
    taken(file("/l/sub/out.log"))
    taken(file("/l/out.txt"))
    two = config(tmp_path, log, file("/a/x"))
    two["pipelines"]["q"] = two["pipelines"]["p"]
    status, text = check(tmp_path, two)
    assert status == 2 and 'pipelines.q.sinks[0].path: two sinks write to "/a/x": the other one is in pipeline "p"' in text


@pytest.mark.parametrize("sync", ["none", "always"])
def test_rotation_by_size(tmp_path, sync):
    out, log = tmp_path / "o/out", tmp_path / "a.log"
    append(log, lines(0, 20_000, pad=20))
    once(tmp_path, config(tmp_path, tail(log), file(out, rotate={"max_bytes": "50KiB", "keep": 1000}, sync=sync), data_dir=False))
    files = rotated(out)
    assert len(files) == -(-log.stat().st_size // (50 << 10)) or len(files) > log.stat().st_size // (50 << 10)
    assert all((49 << 10) < p.stat().st_size <= (50 << 10) for p in files[:-1])
    assert b"".join(p.read_bytes() for p in files) == log.read_bytes()


def test_rotation_keeps_so_many(tmp_path):
    out, log = tmp_path / "o/out", tmp_path / "a.log"
    append(log, lines(0, 20_000))
    once(tmp_path, config(tmp_path, tail(log), file(out, rotate={"max_bytes": "10KiB", "keep": 3}), data_dir=False))
    assert [p.name for p in rotated(out)] == ["out.3", "out.2", "out.1", "out"]
    assert log.read_bytes().endswith(b"".join(p.read_bytes() for p in rotated(out)))


def test_rotation_keeps_members_whole(tmp_path):
    out, log = tmp_path / "o/out.gz", tmp_path / "a.log"
    append(log, b"".join(b"n %d %s\n" % (i, os.urandom(20).hex().encode()) for i in range(50_000)))
    once(tmp_path, config(tmp_path, tail(log), file(out, rotate={"max_bytes": "250KiB", "keep": 100}), {"type": "gzip", "flush_bytes": "20KiB"}, data_dir=False))
    files = rotated(out)
    assert len(files) > 4 and all(p.stat().st_size <= 250 << 10 for p in files)
    parts = [subprocess.run(["gzip", "-dc", p], check=True, capture_output=True).stdout for p in files]
    assert b"".join(parts) == log.read_bytes()


def test_rotation_under_load_with_kills(tmp_path):
    out, log = tmp_path / "o/out", tmp_path / "a.log"
    setup = config(tmp_path, tail(log), file(out, rotate={"max_bytes": "8KiB", "keep": 1000}))
    writer = Writer(log)
    for i in range(8):
        weir = Weir(tmp_path, setup)
        writer.written(writer.count + 3000)
        wait(lambda n=len(rotated(out)): len(rotated(out)) > n + 2, "rotations")
        weir.kill()
    count = writer.stop()
    once(tmp_path, setup, timeout=120)
    files = rotated(out)
    assert len(files) > 20 and all(p.stat().st_size <= 8 << 10 for p in files)
    assert [p.name for p in files[:-1]] == [f"out.{i}" for i in range(len(files) - 1, 0, -1)], "a gap was left"
    expect_all(all_lines(out), count)


def test_rotation_of_many_files(tmp_path):
    """Each by itself; a value that looks like a rotated file's name does not get in between."""
    out, log = tmp_path / "out", tmp_path / "a.log"
    rows(log, ({"t": ["a", "a.1", "b"][i % 3], "n": i} for i in range(3000)))
    once(tmp_path, config(tmp_path, tail(log), file(out / "{.t}", rotate={"max_bytes": "4KiB", "keep": 50}, max_open_files=2), {"type": "json"}, data_dir=False))
    for k, name in enumerate(["a", "a_1", "b"]):
        assert len(rotated(out / name)) > 3
        assert [json.loads(x)["n"] for x in all_lines(out / name)] == list(range(k, 3000, 3))


def test_rotation_by_age_survives_a_restart(tmp_path):
    out, log = tmp_path / "o/out", tmp_path / "a.log"
    setup = config(tmp_path, tail(log), file(out, rotate={"max_age": "2s"}))
    append(log, lines(0, 10))
    born = time.monotonic()
    weir = Weir(tmp_path, setup)
    wait_out(out, 10)
    append(log, lines(10, 20))
    wait_out(out, 20)
    if time.monotonic() - born < 1.9:
        assert [p.name for p in rotated(out)] == ["out"]
    wait(done(tmp_path, log), "the checkpoint")
    weir.stop()
    time.sleep(max(0, 2.1 - (time.monotonic() - born)))
    append(log, lines(20, 30))
    once(tmp_path, setup)
    assert [p.name for p in rotated(out)] == ["out.1", "out"]
    expect_once(out_lines(out), 30, start=20)


def test_full_disk_during_rotation(tmp_path, small_disk):  # noqa: F811
    out, log = small_disk / "out", tmp_path / "a.log"
    (small_disk / "ballast").write_bytes(os.urandom(850_000))
    append(log, lines(0, 12_000, pad=20))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out, rotate={"max_bytes": "32KiB", "keep": 1000})))
    weir.wait_log("No space left on device")
    stays(weir.running, 1, "it ended")
    (small_disk / "ballast").unlink()
    wait(done(tmp_path, log), "everything to be delivered")
    weir.stop()
    assert all(p.stat().st_size <= 32 << 10 for p in rotated(out))
    expect_once(all_lines(out), 12_000)


def test_a_rotation_that_fails_loses_nothing(tmp_path):
    """A directory stands where the oldest file would be: told once, the file grows on, and is rotated when the way is free."""
    out, log = tmp_path / "o/out", tmp_path / "a.log"
    (out.parent / "out.1").mkdir(parents=True)
    append(log, lines(0, 3000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out, rotate={"max_bytes": "4KiB", "keep": 1})))
    wait(done(tmp_path, log), "everything to be delivered")
    weir.wait_log("cannot rotate .*/out: ")
    expect_once(out_lines(out), 3000)
    (out.parent / "out.1").rmdir()
    time.sleep(1.1)
    append(log, lines(3000, 3010))
    weir.wait_log("is rotated again")
    expect_once(wait_out(out, 10), 3010, start=3000)
    weir.stop()
    assert weir.log.count("cannot rotate") == 1
    expect_once(out_lines(out.parent / "out.1"), 3000)


def test_hup_lets_go_of_what_was_moved(tmp_path):
    """Without a further record; also when the new configuration is not a good one."""
    out, log = tmp_path / "o/out", tmp_path / "a.log"
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)))
    wait_out(out, 10)
    wait(done(tmp_path, log), "delivery")
    out.rename(out.parent / "out.1")
    assert str(out.parent / "out.1") in weir.open_files()
    weir.signal(signal.SIGHUP)
    wait(lambda: str(out.parent / "out.1") not in weir.open_files(), "the file to be let go of")
    weir.wait_log("1 pipelines unchanged")
    append(log, lines(10, 20))
    expect_once(wait_out(out, 10), 20, start=10)
    weir.configure("{")
    out.rename(out.parent / "out.2")
    weir.signal(signal.SIGHUP)
    wait(lambda: str(out.parent / "out.2") not in weir.open_files(), "the file to be let go of")
    weir.wait_log("the old one keeps running")
    weir.stop()


@pytest.mark.skipif(not os.path.exists("/usr/sbin/logrotate"), reason="needs logrotate")
def test_logrotate_with_a_postrotate_hup(tmp_path):
    out, log = tmp_path / "o/out.log", tmp_path / "a.log"
    os.chmod(tmp_path, 0o755)
    writer = Writer(log)
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out)))
    wait(out.exists, "output")
    os.chmod(out.parent, 0o755)
    conf = tmp_path / "logrotate.conf"
    conf.write_text(f"{out} {{\n rotate 9\n size 1\n su root root\n nocreate\n postrotate\n  kill -HUP {weir.pid}\n endscript\n}}\n")
    for i in range(4):
        writer.written(writer.count + 200)
        wait(lambda: out.exists() and out.stat().st_size > 1000, "output")
        subprocess.run(["/usr/sbin/logrotate", "-f", "-s", tmp_path / "state", conf], check=True)
        weir.wait_log("pipelines unchanged", count=i + 1)
    count = writer.stop()
    wait(done(tmp_path, log), "everything to be delivered")
    weir.stop()
    expect_once(all_lines(out), count)


def test_files_not_written_are_closed(tmp_path):
    out, log = tmp_path / "out", tmp_path / "a.log"
    rows(log, ({"t": i} for i in range(5)))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out / "{.t}", close_inactive="1s"), {"type": "json"}))
    wait(lambda: sum(x.startswith(str(out)) for x in weir.open_files()) == 5, "five files")
    wait(lambda: sum(x.startswith(str(out)) for x in weir.open_files()) == 0, "no file")
    rows(log, [{"t": 3}])
    wait(lambda: len(out_lines(out / "3")) == 2, "one more line")
    weir.stop()


def test_dry_run_shows_the_path_and_makes_nothing(tmp_path):
    log = tmp_path / "a.log"
    rows(log, [{"t": "../x", "ts": "2026-01-31T00:00:00Z"}])
    steps = [{"type": "json"}, {"type": "timestamp", "field": ".ts"}]
    setup = config(tmp_path, tail(log), file(tmp_path / "out/{.t}/{%F}", rotate={"max_age": "1h"}), steps, data_dir=False)
    (tmp_path / "weir.json").write_text(json.dumps(setup))
    got = subprocess.run([WEIR, "dry-run", "-c", tmp_path / "weir.json"], capture_output=True, text=True, check=True).stdout
    assert f"{tmp_path}/out/_._x/2026-01-31" in got and not (tmp_path / "out").exists()


def test_mode_is_exact(tmp_path):
    append(tmp_path / "a.log", lines(0, 3))
    old = os.umask(0o077)
    try:
        once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(tmp_path / "out", mode="0664"), data_dir=False))
    finally:
        os.umask(old)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o664


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_system_calls_for_a_chunk(tmp_path):
    """One look at the name and one write for each chunk, whatever is in it."""
    append(tmp_path / "a.log", lines(0, 100_000, pad=20))
    out, trace = tmp_path / "out", tmp_path / "trace"
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out), data_dir=False), env={"ASAN_OPTIONS": "detect_leaks=0"},
         prefix=["strace", "-f", "-y", "-e", "trace=writev,newfstatat,stat,statx", "-o", trace])
    calls = [x for x in trace.read_text().splitlines() if f"{out}" in x]
    writes = sum("writev(" in x for x in calls)
    assert writes >= 10 and len(calls) - writes <= writes + 5
