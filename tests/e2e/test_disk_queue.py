"""A queue on disk: the source goes on while the sink is down, and nothing is lost whatever ends in the middle of it."""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import time

import pytest

import oracle
import test_exactly_once
from harness import (LONG, MIB, SANITIZED, Receiver, Weir, Writer, append, checkpoint, config, expect_all, expect_once, file, free_port, lines,
                     out_lines, stays, tail, tcp, wait, wait_out)
from make_lines import generate
from relp import RelpServer

COUNT = 60_000 if SANITIZED else 100_000


def disk(sink, size="64MiB", **options):
    return {**sink, "queue": {"type": "disk", "max_bytes": size, **options}}


def spool(tmp_path, sink="tcp"):
    return tmp_path / "data" / "queue" / "p" / sink


def queue_state(weir, sink="tcp"):
    """What the queue says of itself: the numbers of its line in the state."""
    weir.wait_log("following")  # SIGUSR1 would end a weir that is not that far
    text = weir.state()[f"p/{sink}.queue"]
    found = re.search(r"in (\d+) records, \d+ bytes; out (\d+) records.*; (\d+) records wait on disk, (\d+) not there yet; "
                      r"(\d+) of (\d+) bytes in (\d+) segments", text)
    assert found, text
    keys = ("taken", "delivered", "waiting", "unsafe", "bytes", "max", "segments")
    dropped = dict((reason, int(n)) for n, reason in re.findall(r"dropped (\d+) \(([^)]*)\)", text))
    return {**dict(zip(keys, map(int, found.groups()))), "dropped": dropped, "text": text}


def delivered_to_queue(weir, path):
    """All of the file counts as delivered for the source."""
    size = os.path.getsize(path)
    wait(lambda: weir.checkpoint().get(str(path)) == size, "the checkpoint to reach the end of the file", 30)


def test_files_are_deleted_while_the_sink_is_down(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    body = b""
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), disk(tcp(port))))
    for i in range(3):
        part = lines(i * 5000, (i + 1) * 5000, pad=50)
        body += part
        append(log, part)
        delivered_to_queue(weir, log)
        log.rename(tmp_path / "a.log.1")
        append(log, b"")
        wait(lambda: str(tmp_path / "a.log.1") not in weir.open_files(), "the rotated file to be closed", 30)
        (tmp_path / "a.log.1").unlink()
    state = queue_state(weir)
    assert state["waiting"] == 15000 and state["unsafe"] == 0 and state["delivered"] == 0
    assert "the oldest since" in state["text"]
    receiver = Receiver(port)
    wait(lambda: receiver.received == len(body), "everything to arrive", 60)
    wait(lambda: queue_state(weir)["waiting"] == 0, "everything to be acknowledged")
    weir.stop()
    assert receiver.data() == body
    assert sorted(p.name for p in spool(tmp_path).iterdir()) == ["state"]


def test_a_stop_leaves_it_on_disk_and_the_next_start_sends_it(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    setup = config(tmp_path, tail(log), disk(tcp(port)))
    append(log, lines(0, 5000))
    weir = Weir(tmp_path, setup)
    delivered_to_queue(weir, log)
    append(log, lines(5000, 5100))
    before = time.monotonic()
    weir.stop(0)
    assert time.monotonic() - before < 6, "it waited for a sink although all is on disk"
    assert "records stay in" in weir.log
    receiver = Receiver(port)
    weir = Weir(tmp_path, setup)
    wait(lambda: receiver.received >= len(lines(0, 5100)), "what was on disk")
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty")
    weir.stop()
    expect_once(receiver.lines(), 5100)


def test_an_orderly_restart_repeats_nothing(tmp_path):
    receiver, log = Receiver(), tmp_path / "a.log"
    setup = config(tmp_path, tail(log), disk(tcp(receiver)))
    for i in range(5):
        append(log, lines(i * 1000, (i + 1) * 1000))
        weir = Weir(tmp_path, setup)
        wait(lambda: receiver.received >= len(lines(0, (i + 1) * 1000)), "the lines")
        weir.stop()
    expect_once(receiver.lines(), 5000)


@pytest.mark.parametrize("transforms", [[], [{"type": "json"}], [{"type": "json"}, {"type": "set", "fields": {".n": "1.50"}}], [{"type": "gzip"}]],
                         ids=["plain", "parsed", "changed", "gzip"])
def test_what_comes_out_is_what_comes_out_without_it(tmp_path, transforms):
    """Byte for byte, numbers and key order included, by all encodings; blobs stay whole."""
    (tmp_path / "a.log").write_bytes(generate(2_000_000))
    encodings = ["auto"] if transforms and transforms[0]["type"] == "gzip" else ["auto", "json", "text"]
    sinks = [file(tmp_path / f"{name}.{e}", name=f"{name}-{e}", **({} if len(encodings) == 1 else {"encoding": e}))
             for e in encodings for name in ("direct", "queued")]
    sinks = [disk(s) if s["name"].startswith("queued") else s for s in sinks]
    Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), sinks, transforms), "--once").finish()
    for e in encodings:
        direct, queued = (tmp_path / f"direct.{e}").read_bytes(), (tmp_path / f"queued.{e}").read_bytes()
        if e == "text" and len(transforms) > 1:  # a changed record is kept as JSON, which has no bytes that are not UTF-8
            direct = direct.decode(errors="replace").encode()
        assert direct == queued and len(direct) > (100_000 if len(encodings) == 1 else 1_000_000 if e != "text" or not transforms else 0)
        if e == "auto" and not transforms:
            assert queued == (tmp_path / "a.log").read_bytes()
    if transforms and transforms[0]["type"] == "gzip":
        subprocess.run(["gzip", "-t"], stdin=open(tmp_path / "queued.auto", "rb"), check=True)


def test_metadata_and_fields_are_kept(tmp_path):
    """A path template and conditions behind the queue see what they would see in front of it."""
    for name in "ab":
        append(tmp_path / f"{name}.log", b"".join(b'{"t":"x%d","n":%d}\n' % (i % 3, i) for i in range(300)))
    setup = config(tmp_path, tail(tmp_path / "*.log"),
                   [disk(file(tmp_path / "q" / "{@source}" / "{@path}.{.t}", name="q")), file(tmp_path / "d" / "{@source}" / "{@path}.{.t}", name="d")],
                   [{"type": "json"}, {"type": "filter", "where": ".n % 7 != 0"}])
    Weir(tmp_path, setup, "--once").finish()
    found = {p.relative_to(tmp_path / "d"): p.read_bytes() for p in (tmp_path / "d").rglob("*") if p.is_file()}
    assert len(found) == 6
    assert found == {p.relative_to(tmp_path / "q"): p.read_bytes() for p in (tmp_path / "q").rglob("*") if p.is_file()}


# ---- crashes ------------------------------------------------------------------------------------

STEPS = {"checkpoint": ["create.before", "write.before", "fsync.before", "rename.before", "rename.after", "dirsync.after"],
         "segment": ["create.before", "write.before", "write.half", "fsync.before", "fsync.after", "dirsync.after", "unlink.before", "unlink.after"],
         "state": ["write.before", "fsync.before", "fsync.after"]}
POINTS = [f"{what}.{step}" for what, steps in STEPS.items() for step in steps]


def test_the_list_of_fault_points_is_complete():
    """Every fault_point and fault_hit of the sources is in the list above."""
    top = pathlib.Path(__file__).resolve().parents[2] / "src"
    found = set()
    for path in top.rglob("*.c"):
        for what, step in re.findall(r'fault_(?:point|hit)\((\w+|"\w+"), "([\w.]+)"\)', path.read_text()):
            found.add(f"{what.strip(chr(34)) if what != 'name' else 'checkpoint'}.{step}")
    outputs = {f"output.{x}" for x in test_exactly_once.STEPS}
    assert found == set(POINTS) | outputs


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_each_durable_step_loses_nothing(tmp_path, point, passes):
    log, out = tmp_path / "a.log", tmp_path / "out"
    total = 30_000
    append(log, lines(0, total, pad=60))
    setup = config(tmp_path, tail(log), disk(file(out), "4MiB"))
    repeated = 0
    first = Weir(tmp_path, setup, "--once", env={"WEIR_FAULT": f"{point}:{passes}"})
    status = first.join(60)
    if passes == 1 or status != 0:  # a checkpoint may be written only once
        assert status == 86, f"the fault did not take place: {status}\n{first.log[-3000:]}"
    Weir(tmp_path, setup, "--once").finish()
    got = out_lines(out)
    repeated = expect_all(got, total)
    print(f"{point}: {repeated} lines twice")
    assert repeated <= 2 * total  # what the checkpoint did not have yet, and what the state of the queue did not have yet
    if passes == 1 and point in ("segment.create.before", "segment.write.before", "segment.write.half"):
        assert repeated == 0  # nothing had been handed on
    assert oracle.filtered(b"".join(x + b"\n" for x in got)) == got
    assert sorted(p.name for p in spool(tmp_path, "file").iterdir()) == ["state"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.skipif(SANITIZED, reason="the leak check does not work under strace")
@pytest.mark.parametrize("call,error", [("fsync", "EIO"), ("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("unlinkat", "EIO"),
                                        ("ftruncate", "EIO")])
def test_failing_system_calls_lose_nothing(tmp_path, call, error):
    """Each fails several times in a row, after the queue is open: told once, tried again, nothing lost or twice."""
    log, out, total = tmp_path / "a.log", tmp_path / "out", 30_000
    setup = config(tmp_path, tail(log), disk(file(out), "4MiB"))
    append(log, lines(0, 10))
    Weir(tmp_path, setup, "--once").finish()  # what is made at the first start is there
    append(log, lines(10, total, pad=60))
    trace = tmp_path / "trace"
    weir = Weir(tmp_path, setup, "--once", prefix=["strace", "-f", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=2..4"])
    status = weir.join(120)
    assert status == 0 or "fsync the directory of checkpoint" in weir.log  # the last one failed too: then the log says so
    injected = trace.read_text().count("INJECTED")
    assert injected > 0 or call == "ftruncate", "nothing failed"
    if status == 0:
        expect_once(out_lines(out), total)
    Weir(tmp_path, setup, "--once").finish()
    expect_all(out_lines(out), total)
    if call == "pwrite64":
        assert weir.log.count("trying again until it works") >= 1 and "is written again" in weir.log


def test_kills_at_random_moments_lose_nothing(tmp_path):
    """The agent is killed again and again, the receiver comes and goes."""
    rng = random.Random(11)
    writer = Writer(tmp_path / "a.log", pause=0.0002)
    port, receivers = free_port(), []
    setup = config(tmp_path, tail(tmp_path / "a.log"), disk(tcp(port), "16MiB"))
    writer.written(100)
    for i in range(200 if LONG else 20):
        weir = Weir(tmp_path, setup)
        weir.wait_log("following")
        if i % 3 != 2:
            receiver = Receiver(port)
            receivers.append(receiver)
            wait(lambda: receiver.received > 0, "anything to arrive", 30)
        if i % 4 == 1:
            before = weir.checkpoint()
            wait(lambda: weir.checkpoint() != before, "the checkpoint to move", 30)
        writer.written(writer.count + rng.randrange(600))
        assert weir.running()
        weir.kill()
        if i % 3 != 2:
            wait(lambda: all(c.ended for c in receiver.connections), "the connection to end")
            receiver.stop_now()
    count = writer.stop()
    receivers.append(Receiver(port))
    weir = Weir(tmp_path, setup)
    delivered_to_queue(weir, tmp_path / "a.log")
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty", 30)
    weir.stop()
    repeated = expect_all([x for r in receivers for x in r.lines()], count)
    print(f"{count} lines, {repeated} of them twice")
    assert "damaged" not in weir.log and " lost" not in weir.log


# ---- bounds -------------------------------------------------------------------------------------

def test_full_queue_throttles_the_source_and_drains(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    body = lines(0, COUNT, pad=100)
    log.write_bytes(body)
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "4MiB")))
    wait(lambda: queue_state(weir)["bytes"] > 3.5 * MIB, "the queue to fill", 30)
    read = -1
    while weir.bytes_read() != read:
        read = weir.bytes_read()
        time.sleep(0.5)
    assert sum(p.stat().st_size for p in spool(tmp_path).iterdir()) <= 4 * MIB
    cpu = weir.cpu()
    stays(lambda: weir.running(), 3, "runs")
    assert weir.cpu() - cpu < 0.2, "it spins"
    receiver = Receiver(port)
    most = 0
    while receiver.received < len(body):
        most = max(most, sum(p.stat().st_size for p in list(spool(tmp_path).iterdir()) if p.exists()))
        assert weir.running()
        time.sleep(0.005)
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty", 30)
    weir.stop()
    assert most <= 4 * MIB
    expect_once(receiver.lines(), COUNT)


def test_what_does_not_fit_is_told_at_a_stop(tmp_path):
    """A full queue and a dead sink: only then is shutdown_timeout sat out, and the log says how much is sent again."""
    port, log = free_port(), tmp_path / "a.log"
    log.write_bytes(lines(0, COUNT, pad=100))
    setup = config(tmp_path, tail(log), disk(tcp(port), "4MiB"), shutdown_timeout="1s")
    weir = Weir(tmp_path, setup)
    wait(lambda: queue_state(weir)["bytes"] > 3.5 * MIB, "the queue to fill", 30)
    weir.stop(1)
    told, kept = re.search(r"(\d+) records were read and not delivered", weir.log), re.search(r"(\d+) records stay in", weir.log)
    assert told and kept and 0 < int(told[1]) < COUNT - int(kept[1])
    receiver = Receiver(port)
    weir = Weir(tmp_path, setup)
    delivered_to_queue(weir, log)
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty", 30)
    weir.stop()
    expect_once(receiver.lines(), COUNT)


def test_full_queue_that_drops_counts(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    log.write_bytes(lines(0, COUNT, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "4MiB", when_full="drop_newest")))
    delivered_to_queue(weir, log)
    state = queue_state(weir)
    dropped = state["dropped"]["queue full"]
    assert state["taken"] == COUNT and dropped > 0 and state["waiting"] + dropped == COUNT
    assert "queue full" in weir.log
    receiver = Receiver(port)
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty", 30)
    weir.stop()
    got = receiver.lines()
    assert len(got) == COUNT - dropped == len(set(got))


def test_a_line_larger_than_the_queue_goes_past_it(tmp_path):
    log, out = tmp_path / "a.log", tmp_path / "out"
    append(log, b"n 0\n" + b"n 1 " + b"y" * (6 * MIB) + b"\n" + lines(2, 1000))
    Weir(tmp_path, config(tmp_path, tail(log, max_line_bytes="8MiB"), disk(file(out), "4MiB")), "--once").finish()
    assert out.read_bytes() == log.read_bytes()


def test_memory_is_bounded_with_much_queued(tmp_path):
    limit, size = 32 * MIB, (40 if SANITIZED else 200) * MIB
    port, log = free_port(), tmp_path / "a.log"
    line = b"x" * 199 + b"\n"
    with open(log, "wb") as f:
        for _ in range(size // (200 * 5000)):
            f.write(line * 5000)
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "1GiB"), memory_limit=limit))
    delivered_to_queue(weir, log)
    assert SANITIZED or weir.peak_rss() <= limit + 16 * MIB
    assert queue_state(weir)["bytes"] > log.stat().st_size
    weir.kill()
    before = time.monotonic()
    receiver = Receiver(port, keep=False)
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "1GiB"), memory_limit=limit))
    wait(lambda: receiver.received >= log.stat().st_size, "everything to arrive", 120)
    print(f"{time.monotonic() - before:.1f} s")
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty", 30)
    assert SANITIZED or weir.peak_rss() <= limit + 16 * MIB
    assert receiver.received == log.stat().st_size
    weir.stop()


@pytest.fixture
def small_disk(tmp_path):
    """6 MiB of tmpfs as data_dir."""
    where = tmp_path / "data"
    where.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", where], capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    yield where
    subprocess.run(["umount", "-l", where], check=True)


def test_full_disk_loses_nothing(tmp_path, small_disk):
    port, log = free_port(), tmp_path / "a.log"
    log.write_bytes(lines(0, COUNT, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "64MiB")))
    weir.wait_log("No space left on device", 30)
    time.sleep(2)
    assert weir.log.count("what comes is not taken") == 1, "told more than once"
    receiver = Receiver(port)
    wait(lambda: receiver.received == log.stat().st_size, "everything to arrive", 60)
    weir.wait_log("is written again")
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty", 30)
    weir.stop()
    expect_once(receiver.lines(), COUNT)


def test_disk_filled_by_others_then_freed(tmp_path, small_disk):
    port, log, ballast = free_port(), tmp_path / "a.log", small_disk / "ballast"
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "4MiB")))
    wait(lambda: queue_state(weir)["waiting"] == 100, "the first lines to be queued")
    with open(ballast, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"b" * 4096)
        except OSError:
            pass
    append(log, lines(100, 10_000))
    weir.wait_log("No space left on device", 30)
    ballast.unlink()
    weir.wait_log("is written again", 30)
    wait(lambda: queue_state(weir)["waiting"] == 10_000, "all to be queued", 30)
    weir.kill()
    receiver = Receiver(port)
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port), "4MiB")))
    wait(lambda: queue_state(weir)["waiting"] == 0 and receiver.received, "the queue to be empty", 30)
    weir.stop()
    expect_all(receiver.lines(), 10_000)


# ---- the books, damage, configuration -----------------------------------------------------------

def test_conservation(tmp_path):
    receiver, log = Receiver(hold=True, rcvbuf=65536), tmp_path / "a.log"
    log.write_bytes(lines(0, COUNT, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(receiver), "64MiB")))
    receiver.connected()
    for _ in range(20):
        state = weir.state()
        queue = queue_state(weir)
        assert queue["taken"] == queue["delivered"] + queue["waiting"] + queue["unsafe"], state
        receiver.release()
        time.sleep(0.02)
        receiver.hold()
    receiver.release()
    wait(lambda: queue_state(weir)["delivered"] == COUNT, "everything to be delivered", 60)
    weir.stop()
    expect_once(receiver.lines(), COUNT)


def test_damage_is_told_kept_and_passed(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    setup = config(tmp_path, tail(log), disk(tcp(port)))
    weir = Weir(tmp_path, setup)
    for i in range(10):
        append(log, lines(i * 100, (i + 1) * 100, pad=100))
        wait(lambda: queue_state(weir)["waiting"] == (i + 1) * 100, "the lines to be queued")
    weir.stop()
    segment, = spool(tmp_path).glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    receiver = Receiver(port)
    weir = Weir(tmp_path, setup)
    weir.wait_log(r"\.seg is damaged from offset \d+ to \d+ \(kept as")
    wait(lambda: queue_state(weir)["waiting"] == 0, "the queue to be empty")
    state = queue_state(weir)
    lost = state["dropped"]["damaged in the queue"]
    assert 0 < lost <= 200 and f"{lost} records of the queue" in weir.log
    append(log, lines(1000, 1001))
    wait(lambda: b"n 1000\n" in receiver.data(), "the next line")
    weir.stop()
    got = receiver.lines()
    assert len(set(got)) == len(got) == 1001 - lost
    assert len(list(spool(tmp_path).glob("*.bad"))) == 1


def test_a_sink_that_is_gone_leaves_a_warning(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port, name="old"))))
    delivered_to_queue(weir, log)
    weir.configure(config(tmp_path, tail(log), file(tmp_path / "out", name="new")))
    weir.signal(1)
    weir.wait_log(r"bytes in .*/queue/p/old wait for the sink \"old\" of the pipeline \"p\"")
    weir.stop()
    assert list((tmp_path / "data" / "queue" / "p" / "old").glob("*.seg"))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(tmp_path / "out", name="new")))
    weir.wait_log(r"bytes in .*/queue/p/old wait for the sink")
    weir.stop()


def test_a_reload_keeps_the_queue(tmp_path):
    port, log = free_port(), tmp_path / "a.log"
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(port))))
    delivered_to_queue(weir, log)
    receiver = Receiver()
    weir.configure(config(tmp_path, tail(log), disk(tcp(receiver))))  # the server has moved
    before = time.monotonic()
    weir.signal(1)
    wait(lambda: receiver.received >= len(lines(0, 1000)), "what was in the queue", 20)
    assert time.monotonic() - before < 8 * (4 if SANITIZED else 1)
    append(log, lines(1000, 1100))
    wait(lambda: queue_state(weir)["waiting"] == 0 and receiver.received >= len(lines(0, 1100)), "the next lines")
    weir.stop()
    expect_once(receiver.lines(), 1100)


def test_dry_run_does_not_touch_it(tmp_path):
    log = tmp_path / "a.log"
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(file(tmp_path / "out"))), command="dry-run", stdout=subprocess.PIPE)
    text = weir.process.communicate(timeout=30)[0]
    assert weir.process.returncode == 0 and b"n 9" in text
    assert not (tmp_path / "data").exists() and not (tmp_path / "out").exists()


def test_idle_it_does_not_wake_up(tmp_path):
    receiver, log = Receiver(), tmp_path / "a.log"
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), disk(tcp(receiver))))
    wait(lambda: queue_state(weir)["waiting"] == 0 and receiver.received, "the lines")
    time.sleep(3)
    def wakeups():
        return int(re.search(r"voluntary_ctxt_switches:\s+(\d+)", pathlib.Path(f"/proc/{weir.pid}/status").read_text())[1])
    before = wakeups()
    time.sleep(2)
    assert wakeups() - before <= 1
    weir.stop()


def test_a_stop_leaves_letters_that_cannot_be_written(tmp_path):
    """The sink has refused a record, and the file for it is not to be had: that is for the next start, too."""
    log, dead = tmp_path / "a.log", tmp_path / "dead"
    append(log, b"one\nbad line\nthree\n")
    dead.mkdir()
    server = RelpServer(behave=lambda s, txnr, data: s.no(txnr) if b"bad" in data else s.ok(txnr))
    sink = {"type": "relp", "address": f"127.0.0.1:{server.port}", "attempts": 1, "dead_letter": file(dead), "queue": {"type": "disk", "max_bytes": "8MiB"}}
    whole = config(tmp_path, tail(log), sink)
    weir = Weir(tmp_path, whole)
    weir.wait_log("relp.dead_letter: cannot open .*dead: Is a directory")
    weir.stop(timeout=10)
    weir.wait_log("3 records stay in .*queue/p/relp for the next start")
    dead.rmdir()
    weir = Weir(tmp_path, whole)
    wait(lambda: dead.exists() and dead.read_text().endswith("}\n"), "the letter")
    weir.stop()
    assert [json.loads(x)["message"] for x in dead.read_text().splitlines()] == ["bad line"]
