"""delivery: exactly_once. After kill -9 at any moment each line is in the output once: none is missing, none is there twice.

The crash harness (crash.py, modes exact…) does the same with rotation of every kind, full disks and clock jumps; here are what it does not do: several
lines a record, several sinks, batches in parts, each durable step, and what is refused.
"""
import os
import random
import re
import subprocess
import time

import pytest

from harness import (SANITIZED, SLOW, Receiver, Weir, Writer, append, config, expect_once, file, lines, once, out_lines, tail, tcp, wait)

STEPS = ["fsync.before", "fsync.after", "truncate.before", "truncate.after"]
CHECKPOINT = ["create.before", "write.before", "fsync.before", "rename.before", "rename.after", "dirsync.after"]


def exact(path, **options):
    return file(path, delivery="exactly_once", **options)


def lengths(tmp_path):
    """What the checkpoint says of outputs: lengths by path."""
    try:
        text = (tmp_path / "data" / "checkpoint").read_text()
    except FileNotFoundError:
        return {}
    return {r[8]: int(r[5]) for r in (x.split(" ") for x in text.splitlines()) if r[0] == "output"}


def in_order(got):
    """By their numbers: those of a rotated file that was found later may come later."""
    return sorted(got, key=lambda x: int(x.split()[1]))


def kill_again_and_again(tmp_path, setup, seed, kills, what=lambda n: None):
    """Starts and kills, some before anything is done, some after several checkpoints. ${what} happens in between."""
    rng = random.Random(seed)
    cuts = 0
    for n in range(kills):
        weir = Weir(tmp_path, setup)
        roll = rng.random()
        time.sleep((rng.random() * 0.03 if roll < 0.2 else rng.random() * 0.3 if roll < 0.7 else 1.0 + rng.random() * 0.5) * SLOW)
        assert weir.running(), weir.log
        weir.kill()
        cuts += "behind the checkpoint" in weir.log
        what(n)
    assert cuts > kills / 6, "hardly anything had to be cut back"


KILLS = 16 if SANITIZED else 64


@pytest.mark.parametrize("seed", [1, 2])
def test_each_line_is_there_once(tmp_path, seed):
    """Several files that are written and rotated, plain."""
    out = tmp_path / "out"
    setup = config(tmp_path, tail(tmp_path / "*.log*"), exact(out), memory_limit="2MiB")
    writers = [Writer(tmp_path / f"{tag}.log", tag=tag, pause=0.0005) for tag in "nmo"]
    for w in writers:
        w.written(1)
    rotations = {w.tag: 0 for w in writers}

    def rotate(n):
        w = writers[n % 3]
        path = tmp_path / f"{w.tag}.log"
        if n % 4 == 0:
            path.rename(f"{path}.{rotations[w.tag]:03}")
            rotations[w.tag] += 1
            w.reopen()
    kill_again_and_again(tmp_path, setup, seed, KILLS, rotate)
    counts = {w.tag: w.stop() for w in writers}
    once(tmp_path, setup)
    got = out_lines(out)
    for tag, count in counts.items():
        expect_once(in_order(x for x in got if x.startswith(tag.encode())), count, tag)
    assert len(got) == sum(counts.values()) and sum(rotations.values()) > KILLS / 5


def test_members_are_whole(tmp_path):
    out = tmp_path / "out"
    writer = Writer(tmp_path / "a.log", pause=0.0003)
    setup = config(tmp_path, tail(tmp_path / "a.log"), exact(out), [{"type": "gzip", "flush_interval": "40ms", "flush_bytes": "20KiB"}])
    kill_again_and_again(tmp_path, setup, 3, KILLS)
    count = writer.stop()
    once(tmp_path, setup)
    expect_once(subprocess.run(["gzip", "-dc", out], check=True, capture_output=True).stdout.splitlines(), count)


def test_several_lines_a_record(tmp_path):
    """A record begins in one batch and ends in another; what is held back is not before the offset."""
    out = tmp_path / "out"
    setup = config(tmp_path, tail(tmp_path / "a.log", multiline={"start": "^n ", "timeout": "200ms"}), exact(out, encoding="text"), memory_limit="2MiB")
    writer = Writer(tmp_path / "a.log", pause=0.0003, pad=0)
    path = tmp_path / "b.log"

    def more(n):  # records of three lines, cut anywhere
        text = b"".join(b"n %d of b\n  second %d\n  third %d\n" % (i, i, i) for i in range(n * 50, n * 50 + 50))
        text = more.rest + text
        cut = len(text) - 17
        append(path, text[:cut])
        more.rest = text[cut:]
    more.rest = b""
    setup["pipelines"]["p"]["sources"][0]["include"] = [str(tmp_path / "?.log")]
    path.touch()
    kill_again_and_again(tmp_path, setup, 4, KILLS, more)
    append(path, more.rest)
    count = writer.stop()
    once(tmp_path, setup)
    text = out.read_bytes()
    expect_once(re.findall(rb"^n \d+ file1 $", text, re.M), count)
    whole = [int(a) for a, b, c in re.findall(rb"^n (\d+) of b\n  second (\d+)\n  third (\d+)$", text, re.M) if a == b == c]
    torn = len(re.findall(rb" of b$", text, re.M)) - len(whole)
    assert len(set(whole)) == len(whole)
    assert len(whole) + torn == KILLS * 50  # one that was written in two pieces more than timeout apart is two records, as it is without a crash
    assert text.count(b"  second ") == text.count(b"  third ") == KILLS * 50


def test_batches_in_parts(tmp_path):
    """A batch goes to several files, each after the other is rotated, so that it is half written most of the time."""
    writer = Writer(tmp_path / "a.log", pause=0.0003)
    setup = config(tmp_path, tail(tmp_path / "a.log"), exact(tmp_path / "out" / "{.t}.log", max_open_files=2, rotate={"max_bytes": "8KiB", "keep": 1000}),
                   [{"type": "set", "fields": {".t": "string(int(.n) % 4)"}}])
    setup["pipelines"]["p"]["transforms"].insert(0, {"type": "regex", "pattern": "^n (?<n>\\d+)"})
    kill_again_and_again(tmp_path, setup, 5, KILLS // 2)
    count = writer.stop()
    once(tmp_path, setup)
    got = b"".join(p.read_bytes() for p in (tmp_path / "out").iterdir()).splitlines()
    expect_once(in_order(b"n " + re.search(rb'"n":"(\d+)"', x)[1] for x in got), count)
    assert len(list((tmp_path / "out").glob("0.log*"))) > 1


def test_two_sinks_and_one_lags(tmp_path):
    """What the other sink has not taken keeps the checkpoint back, not the promise."""
    out, other = tmp_path / "out", tmp_path / "other.gz"
    receiver = Receiver(step=2000)
    writer = Writer(tmp_path / "a.log", pause=0.0003)
    setup = config(tmp_path, tail(tmp_path / "a.log"),
                   [exact(out, name="plain"), exact(other, name="packed", transforms=[{"type": "gzip", "flush_interval": "100ms"}]), tcp(receiver)])
    kill_again_and_again(tmp_path, setup, 6, KILLS // 2)
    count = writer.stop()
    once(tmp_path, setup)
    expect_once(out_lines(out), count)
    expect_once(subprocess.run(["gzip", "-dc", other], check=True, capture_output=True).stdout.splitlines(), count)


def test_a_backlog_with_a_small_memory(tmp_path):
    """Nothing is ever idle: the moment for a checkpoint has to be found in the middle of it."""
    total = 60_000 if SANITIZED else 400_000
    (tmp_path / "a.log").write_bytes(lines(0, total, pad=100))
    out = tmp_path / "out"
    setup = config(tmp_path, tail(tmp_path / "a.log"), exact(out), [{"type": "throttle", "rate": total // 10, "when_exceeded": "block"}],
                   memory_limit="1MiB")
    weir = Weir(tmp_path, setup)
    kept = []
    while len(kept) < 4:
        wait(lambda: lengths(tmp_path).get(str(out), 0) > (kept[-1] if kept else 0), "a checkpoint that says more", 20)
        kept.append(lengths(tmp_path)[str(out)])
    weir.kill()
    size = out.stat().st_size
    assert 0 < kept[-1] <= size
    once(tmp_path, setup, timeout=120)
    expect_once(out_lines(out), total)


@pytest.mark.parametrize("point", [f"output.{x}" for x in STEPS] + [f"checkpoint.{x}" for x in CHECKPOINT])
@pytest.mark.parametrize("passes", [1, 2])
def test_a_crash_at_each_durable_step(tmp_path, point, passes):
    log, out = tmp_path / "a.log", tmp_path / "out"
    setup = config(tmp_path, tail(log), exact(out))
    append(log, lines(0, 5000))
    weir = Weir(tmp_path, setup)
    wait(lambda: lengths(tmp_path).get(str(out), 0) > 0, "a checkpoint")
    append(log, lines(5000, 9000))
    wait(lambda: len(out_lines(out)) == 9000, "the rest")
    weir.kill()
    append(log, lines(9000, 12000))
    weir = Weir(tmp_path, setup, env={"WEIR_FAULT": f"{point}:{passes}"})
    if "truncate" in point and passes == 2:  # there is one file to cut back
        weir.kill()
    else:
        for n in range(12000, 30000, 2000):
            time.sleep(0.3)
            append(log, lines(n, n + 2000))
        assert weir.join(20) == 86, weir.log
    count = len(log.read_bytes().splitlines())
    once(tmp_path, setup)
    expect_once(out_lines(out), count)


def test_a_checkpoint_that_cannot_be_written(tmp_path):
    """Then the last one holds: what was written since is cut back."""
    log, out = tmp_path / "a.log", tmp_path / "out"
    setup = config(tmp_path, tail(log), exact(out))
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, setup)
    wait(lambda: lengths(tmp_path).get(str(out), 0) > 0, "a checkpoint")
    kept = lengths(tmp_path)[str(out)]
    (tmp_path / "data" / "checkpoint.new").mkdir()
    append(log, lines(1000, 2000))
    weir.wait_log("cannot create checkpoint.new")
    wait(lambda: len(out_lines(out)) == 2000, "it to go on")
    weir.kill()
    assert lengths(tmp_path)[str(out)] == kept
    (tmp_path / "data" / "checkpoint.new").rmdir()
    weir = once(tmp_path, setup)
    assert "behind the checkpoint" in weir.log
    expect_once(out_lines(out), 2000)


def test_an_output_that_is_renamed(tmp_path):
    """logrotate, and a crash at once: the old file is cut back where it is now, the new one too."""
    log, out = tmp_path / "a.log", tmp_path / "out"
    setup = config(tmp_path, tail(log), exact(out))
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, setup)
    wait(lambda: lengths(tmp_path).get(str(out), 0) > 0, "a checkpoint")
    append(log, lines(1000, 2000))
    wait(lambda: len(out_lines(out)) == 2000, "more")
    out.rename(tmp_path / "out-yesterday")
    weir.signal(1)
    append(log, lines(2000, 3000))
    wait(lambda: out.exists() and out.stat().st_size > 0, "a new file")
    weir.kill()
    once(tmp_path, setup)
    expect_once(out_lines(tmp_path / "out-yesterday") + out_lines(out), 3000)


def test_an_output_that_is_gone_shorter_or_another(tmp_path):
    """Told, and gone on with: nothing is cut off a file that is not what was written."""
    log = tmp_path / "a.log"

    def crash(name, change):
        out = tmp_path / name
        setup = config(tmp_path, tail(log), exact(out))
        setup["data_dir"] = str(tmp_path / f"data-{name}")
        log.unlink(missing_ok=True)
        append(log, lines(0, 1000))
        weir = Weir(tmp_path, setup)
        wait(lambda: "output" in (tmp_path / f"data-{name}" / "checkpoint").read_text() if (tmp_path / f"data-{name}" / "checkpoint").exists() else False, "it")
        wait(lambda: weir.checkpoint().get(str(log)) == log.stat().st_size, "a checkpoint")
        weir.kill()
        change(out)
        append(log, lines(1000, 1500))
        return out, once(tmp_path, setup).log
    out, log_ = crash("gone", lambda p: p.unlink())
    assert "is not there any more" in log_ and out_lines(out) == lines(1000, 1500).splitlines()
    out, log_ = crash("short", lambda p: os.truncate(p, len(lines(0, 10))))
    assert "what is missing was sent and is not sent again" in log_ and out_lines(out) == lines(0, 10).splitlines() + lines(1000, 1500).splitlines()
    out, log_ = crash("other", lambda p: p.write_bytes(b"x" * 100_000 + b"\n"))
    assert "is not what was written" in log_ and out_lines(out) == [b"x" * 100_000] + lines(1000, 1500).splitlines()


def test_somebody_else_writes_to_it(tmp_path):
    log, out = tmp_path / "a.log", tmp_path / "out"
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), exact(out)))
    wait(lambda: len(out_lines(out)) == 10, "the first")
    append(out, b"theirs\n")
    append(log, lines(10, 20))
    weir.wait_log("somebody else writes to it")
    wait(lambda: len(out_lines(out)) == 21, "the rest")
    weir.stop()
    assert b"theirs" in out_lines(out)


def test_what_was_there_before_stays(tmp_path):
    """Also when it crashes before anything was written, and after an orderly end, when others may append."""
    log, out = tmp_path / "a.log", tmp_path / "out"
    out.write_bytes(b"before\n")
    append(log, lines(0, 100))
    setup = config(tmp_path, tail(log), exact(out))
    weir = Weir(tmp_path, setup)
    wait(lambda: len(out_lines(out)) == 101, "all")
    weir.kill()
    once(tmp_path, setup)
    assert out_lines(out) == [b"before"] + lines(0, 100).splitlines()
    assert lengths(tmp_path) == {}
    append(out, b"theirs\n")
    append(log, lines(100, 200))
    once(tmp_path, setup)
    assert out_lines(out) == [b"before"] + lines(0, 100).splitlines() + [b"theirs"] + lines(100, 200).splitlines()


def test_reload_and_back_to_at_least_once(tmp_path):
    log, out = tmp_path / "a.log", tmp_path / "out"
    setup = config(tmp_path, tail(log), exact(out))
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, setup)
    wait(lambda: len(out_lines(out)) == 1000, "the first")
    weir.configure(config(tmp_path, tail(log), exact(out, mode="0600")))
    append(log, lines(1000, 2000))
    weir.signal(1)
    weir.wait_log("1 changed")
    wait(lambda: len(out_lines(out)) == 2000, "more")
    weir.configure(config(tmp_path, tail(log), file(out)))
    weir.signal(1)
    weir.wait_log("1 changed", count=2)
    append(log, lines(2000, 3000))
    wait(lambda: len(out_lines(out)) == 3000, "the rest")
    weir.stop()
    assert lengths(tmp_path) == {}
    expect_once(out_lines(out), 3000)


def test_dry_run_touches_nothing(tmp_path):
    log, out = tmp_path / "a.log", tmp_path / "out"
    setup = config(tmp_path, tail(log), exact(out))
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, setup)
    wait(lambda: lengths(tmp_path).get(str(out), 0) > 0, "a checkpoint")
    append(log, lines(1000, 2000))
    wait(lambda: len(out_lines(out)) == 2000, "more")
    weir.kill()
    before = out.read_bytes(), (tmp_path / "data" / "checkpoint").read_bytes()
    Weir(tmp_path, setup, command="dry-run", stdout=subprocess.DEVNULL).finish()
    assert before == (out.read_bytes(), (tmp_path / "data" / "checkpoint").read_bytes())


def test_it_sleeps_when_there_is_nothing_to_do(tmp_path):
    log, out = tmp_path / "a.log", tmp_path / "out"
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), exact(out)))
    wait(lambda: weir.checkpoint().get(str(log)) == log.stat().st_size, "a checkpoint")
    time.sleep(1.5)
    before = weir.cpu(), (tmp_path / "data" / "checkpoint").stat().st_mtime_ns
    time.sleep(2)
    assert (weir.cpu() - before[0], (tmp_path / "data" / "checkpoint").stat().st_mtime_ns) == (0, before[1])


@pytest.mark.parametrize("change, said", [
    (lambda p, c: p.update(sources=[{"type": "stdin"}]), '"stdin" cannot'),
    (lambda p, c: p["sources"].append({"type": "udp", "listen": "127.0.0.1:5140"}), '"udp" cannot'),
    (lambda p, c: p["sources"][0].update(start_at="end"), '"start_at" of "tail" prevents it'),
    (lambda p, c: c.pop("data_dir"), 'needs a "data_dir"'),
    (lambda p, c: p.update(transforms=[{"type": "dedupe", "count": ".n"}]), '"count" of "dedupe" lets some pass others'),
    (lambda p, c: p["sinks"][0].update(queue={"type": "disk", "max_bytes": "8MiB"}), "cannot have a queue on disk"),
    (lambda p, c: p.update(sinks=[{"type": "relp", "address": "127.0.0.1:2514", "dead_letter": {**p["sinks"][0]}}]), "at least once"),
])
def test_what_cannot_be_kept_is_refused(tmp_path, change, said):
    setup = config(tmp_path, tail(tmp_path / "a.log"), exact(tmp_path / "out"))
    change(setup["pipelines"]["p"], setup)
    weir = Weir(tmp_path, setup, command="check").finish(2)
    assert said in weir.log and ".delivery: " in weir.log and "1 error" in weir.log
