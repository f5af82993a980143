"""The crash harness: weir and its receiver are killed again and again while logs are written and rotated, and nothing may be missing.

As a program, for hours if need be:

    WEIR=build/weir /usr/bin/python3 tests/e2e/crash.py --kills 5000 --seed 1 --mode tcp --jobs 4

Modes are in MODES: a sink each, but for disk (a queue on disk before tcp, whose receiver is away most of the time, while files that are in the
queue are deleted) and compressed (logs whose rotated files are compressed or copies, to tcp). Each job has a world of its own: families of logs
(families.py, families_compressed.py), a receiver (mortal.py, mortal_relp.py) or an output file, a small disk that holds the output, the checkpoint and
the queue and fills up (where mount is allowed), a wall clock that jumps (clock.c). What happens is drawn
from the seed: the same seed does the same things, though not at the same microsecond. When a line is missing, the seed, the line, where it stood,
the checkpoint, the last actions and the log of weir are printed, and the directory stays.
"""
import argparse
import copy
import gzip
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import families  # noqa: E402
import families_compressed  # noqa: E402
import harness  # noqa: E402
import mortal  # noqa: E402
import mortal_relp  # noqa: E402
import sequence  # noqa: E402

PACKED = ("gzip", "zstd", "lz4")
RECEIVED = ("tcp", "relp", "disk", "compressed")
EXACT = ("exact", "exact-gzip", "exact-rotate", "exact-paths")  # nothing twice either
MODES = (*RECEIVED, "file", "sync", *PACKED, *EXACT)
SETTLE = 15          # kills between two looks at the whole, about
ACTS = 15            # in most rounds at least
DISK = 64 << 20
LOG_KEPT = 1 << 20   # of the agent's log, for reports


def build_clock(where):
    """The preload library that lets the wall clock jump."""
    made = pathlib.Path(where) / "clock.so"
    source = pathlib.Path(__file__).resolve().parent / "clock.c"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-o", made, source], check=True)
    return made


class World:
    def __init__(self, where, mode, seed):
        self.where, self.mode, self.seed = pathlib.Path(where), mode, seed
        self.rng = random.Random(seed)
        self.oracle = sequence.Sequence()
        self.lock = threading.Lock()
        self.wrong = None      # what a receiver's thread found
        self.trail = []        # the last actions
        self.figures = dict.fromkeys(("kills", "stops", "receiver kills", "freezes", "rotations", "full disks", "clock jumps", "reloads",
                                      "deleted"), 0)
        self.logs = self.where / "logs"
        self.logs.mkdir()
        self.disk = self.where / "disk"
        self.disk.mkdir()
        self.small = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", self.disk], capture_output=True).returncode == 0
        self.data, self.out = self.disk / "data", self.disk / "out"
        self.taken, self.rest = 0, b""  # of the output file
        kind = mortal_relp.MortalRelp if mode == "relp" else mortal.Mortal
        self.receiver = kind(self.receive, self.rng) if mode in RECEIVED else None
        kinds = families_compressed.KINDS if mode == "compressed" else families.KINDS
        # tail goes by the inode where there is no content to go by, so that it may read what is another family's: nothing is lost by that
        self.families = families.make_families(self.logs, self.oracle, self.rng, kinds, apart=mode in EXACT)
        self.weir = harness.Weir(self.where, self.configuration(), start=False, env=self.environment())

    # ---- what runs

    def configuration(self):
        more = {"compressed": True} if self.mode == "compressed" else {}
        wait = "500ms" if self.mode in EXACT else "3s"
        tails = [harness.tail(f.include, name=f.letter, rotate_wait=wait, rescan_interval="1s", **more) for f in self.families]
        packed = "gzip" if self.mode == "exact-gzip" else self.mode if self.mode in PACKED else None
        transforms = [{"type": packed, "flush_interval": "30ms"}] if packed else []
        return {"data_dir": str(self.data), "memory_limit": "4MiB",
                "pipelines": {"p": {"sources": tails, "transforms": transforms, "sinks": [self.sink()]}}}

    def sink(self):
        if self.mode in EXACT:
            exact = harness.file(self.out, delivery="exactly_once")
            if self.mode == "exact-rotate":
                exact["rotate"] = {"max_bytes": "20KiB", "keep": 1000}
            elif self.mode == "exact-paths":
                exact.update(path=f"{self.out}.{{@source}}", max_open_files=3)
            return exact
        if not self.receiver:
            return harness.file(self.out, sync="always" if self.mode == "sync" else "none")
        sink = harness.tcp(self.receiver)
        if self.mode == "relp":
            return {**sink, "type": "relp", "answer_timeout": "3s"}
        return {**sink, "queue": {"type": "disk", "max_bytes": "4MiB"}} if self.mode == "disk" else sink

    def environment(self):
        self.clock = self.where / "clock"
        self.clock.write_bytes(b"\0" * 8)
        asan = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": str(build_clock(self.where)), "WEIR_CLOCK": str(self.clock),
                "ASAN_OPTIONS": f"{asan}:verify_asan_link_order=0"}

    def start(self):
        self.note("start")
        self.weir.start()
        harness.started.remove(self.weir)

    def up(self):
        return self.weir.process is not None and self.weir.running()

    def freeze(self, yes):
        if self.up():
            self.weir.signal(signal.SIGSTOP if yes else signal.SIGCONT)

    def catches(self, number):
        """Has it a handler for that signal? In the first moments it has none."""
        with open(f"/proc/{self.weir.pid}/status") as f:
            return any(x.startswith("SigCgt") and int(x.split()[1], 16) >> (number - 1) & 1 for x in f)

    def note(self, what):
        self.trail.append(f"{time.monotonic():.3f} {what}")
        del self.trail[:-60]

    # ---- what came

    def receive(self, lines):
        with self.lock:
            try:
                for x in lines:
                    self.oracle.feed(x, False)
            except AssertionError as e:
                self.wrong = self.wrong or str(e)

    def poll(self):
        """Look at what came to the output file since the last time; what is not packed."""
        if self.receiver or self.mode in PACKED or self.mode in EXACT or not self.out.exists():
            return
        with open(self.out, "rb") as f:
            f.seek(self.taken)
            fresh = f.read()
        self.taken += len(fresh)
        *whole, self.rest = (self.rest + fresh).split(b"\n")
        for x in whole:
            self.oracle.feed(x, True)

    def unpack(self):
        """The same for a packed one, with the tool of the system, and for what is there exactly once; weir does not run."""
        if self.mode in EXACT:
            for x in self.outputs():
                self.oracle.feed(x, False)
            assert self.oracle.repeated == 0, f"{self.oracle.repeated} lines are there twice: {self.oracle.again}"
        if self.mode in PACKED and self.out.exists():
            with open(self.out, "rb") as f:
                text = subprocess.run([self.mode, "-dc"], stdin=f, check=True, capture_output=True).stdout
            for x in text.split(b"\n")[:-1]:
                self.oracle.feed(x, False)

    def outputs(self):
        """All lines that were written since the last time, whole or not: what is behind the checkpoint goes when weir starts again."""
        for p in sorted(self.disk.glob("out*")):
            data = p.read_bytes()
            yield from (gzip.decompress(data) if self.mode == "exact-gzip" else data).splitlines()

    def came_exactly(self):
        """Is all there? For a running weir; not too often."""
        time.sleep(0.2)
        trial = copy.deepcopy(self.oracle)
        try:
            for x in self.outputs():
                trial.feed(x, True)
        except EOFError:  # it is writing a member
            return False
        self.note(f"still missing: {trial.missing()}")
        return not trial.missing()

    def known(self):
        return families.Known(self.data)

    def caught_up(self):
        if self.wrong:
            raise AssertionError(self.wrong)
        if self.mode in EXACT:
            return self.came_exactly()
        if self.mode not in PACKED:
            self.poll()
            with self.lock:
                return not self.oracle.missing()
        known = self.known()
        old = [p for f in self.families for p in f.old() if p.stat().st_size and (not f.gated or known.knows(p))]
        now = [f.path for f in self.families if f.path.stat().st_size]
        return all(known.delivered(p) for p in old + now)

    # ---- what happens

    def act(self):
        roll = self.rng.random() * 100
        if roll < 45:
            family, count = self.rng.choice(self.families), self.rng.randrange(1, 80)
            self.note(f"write {family.letter} {count}")
            family.write(count)
        elif roll < 65:
            self.rotate(self.rng.choice(self.families))
        elif roll < 85:
            time.sleep(self.rng.random() * 0.03)
        elif roll < 88 and self.up():
            self.note("freeze")
            self.figures["freezes"] += 1
            self.freeze(True)
            time.sleep(self.rng.random() * 0.06)
            self.freeze(False)
        elif roll < 90:
            self.clean()
        elif roll < 92:
            self.jump()
        elif roll < 94:
            self.fill_or_free()
        elif roll < 96 and self.rng.random() < 0.3 and self.up() and self.catches(signal.SIGHUP):
            self.note("reload")
            self.figures["reloads"] += 1
            self.weir.signal(signal.SIGHUP)
        elif self.receiver:
            self.torment_receiver()

    def clean(self):
        """Delete what counts as delivered, whether or not the receiver has it."""
        known = self.known()
        before = sum(len(f.old()) for f in self.families)
        left = sum(f.clean(known) for f in self.families)
        self.note(f"clean {before} {left}")
        self.figures["deleted"] += before - left

    def leave_for_long(self):
        """Most of the time the receiver is not there; files that are in the queue go meanwhile."""
        away = self.rng.random() < 0.7
        self.note(f"receiver {'away' if away else 'back'}")
        self.receiver.absent(away, self.freeze)
        if away:
            self.receiver.kill(self.rng.random() < 0.5, self.freeze)
            self.clean()

    def rotate(self, family):
        done = family.rotate(self.known())
        self.note(f"rotate {family.letter} {'' if done else '(refused)'}")
        self.figures["rotations"] += done

    def jump(self):
        shift = self.rng.choice([0, 3600, -3600, 400 * 86400, -400 * 86400])
        self.note(f"clock {shift:+}")
        self.figures["clock jumps"] += 1
        with open(self.clock, "r+b") as f:  # in place: weir has it mapped
            f.write(struct.pack("q", shift))

    def fill_or_free(self):
        ballast = self.disk / "ballast"
        if ballast.exists() or not self.small:
            self.note("disk freed")
            ballast.unlink(missing_ok=True)
            return
        self.note("disk full")
        with open(ballast, "wb", buffering=0) as f:
            try:
                while f.write(b"x" * (1 << 20)):
                    pass
            except OSError:
                assert os.statvfs(self.disk).f_bavail == 0, "the disk is not full"
                self.figures["full disks"] += 1

    def torment_receiver(self):
        r, what = self.receiver, self.rng.randrange(6)
        self.note(f"receiver {what}")
        if what < 2:
            self.figures["receiver kills"] += 1
            r.kill(what == 1, self.freeze)
        elif what == 2:
            r.signal(signal.SIGSTOP)
        elif what == 3:
            r.signal(signal.SIGCONT)
        elif what == 4:  # from now on slow, or not
            r.step, r.pause = self.rng.choice([(1, 0), (1000, 0.001), (1 << 16, 0), (1 << 16, 0)])
        else:
            r.absent(r.listener is not None, self.freeze)

    def quieten(self):
        """All faults end; lines are completed."""
        self.freeze(False)
        (self.disk / "ballast").unlink(missing_ok=True)
        if self.receiver:
            self.receiver.step, self.receiver.pause = 1 << 16, 0
            self.receiver.absent(False, self.freeze)
            self.receiver.signal(signal.SIGCONT)
            self.receiver.kill(False, self.freeze)  # a slow one is not waited for
        for f in self.families:
            f.complete()

    def round(self):
        if not self.up():
            self.start()
        if self.mode == "disk":
            self.leave_for_long()
        roll = self.rng.random()
        length = self.rng.random() * 0.015 if roll < 0.1 else self.rng.random() * 0.25 if roll < 0.75 else 1.1 + self.rng.random() * 0.5
        end, most = time.monotonic() + length * min(harness.SLOW, 2), length > 0.015
        acts = 0
        while time.monotonic() < end or (most and acts < ACTS):  # also where other work takes the time
            self.act()
            acts += 1
        self.poll()
        assert self.up(), f"weir ended by itself ({self.weir.process.returncode})"
        assert self.wrong is None, self.wrong
        self.note("kill")
        self.weir.kill()
        self.figures["kills"] += 1
        while self.rng.random() < 0.5:
            self.act()

    def settle(self):
        """Everything that was written must come. Then begin anew with the output and the old files."""
        self.note("settle")
        self.quieten()
        if not self.up():
            self.start()
        harness.wait(self.caught_up, "everything to come", 60)
        if self.mode in PACKED or self.mode in EXACT or self.rng.random() < 0.5:
            self.figures["stops"] += 1
            harness.wait(lambda: self.catches(signal.SIGTERM), "it to be ready for a stop")
            self.weir.stop()
        else:
            self.weir.kill()
        self.poll()
        self.unpack()
        assert not self.oracle.missing(), "lines are missing"
        for p in self.disk.glob("out*"):
            p.unlink()
        self.taken, self.rest = 0, b""
        for f in self.families:
            for p in f.old():
                p.unlink()
            del f.lines[:-50]
        if self.weir.log_path.stat().st_size > LOG_KEPT:
            self.weir.log_path.write_bytes(b"")

    def run(self, kills):
        try:
            while self.figures["kills"] < kills:
                for _ in range(min(SETTLE, kills - self.figures["kills"])):
                    self.round()
                self.settle()
        except Exception as e:
            raise AssertionError(self.report(e)) from e
        return self.result()

    def result(self):
        o = self.oracle
        return {**self.figures, "lines": o.total(), "lost": sum(o.written[f] - o.below.get(f, 0) for f in o.written),
                "repeated": o.repeated, "torn": o.torn, "out of order": sum(o.late.get(f.letter, 0) for f in self.families if f.ordered)}

    def report(self, e):
        if self.up() and self.catches(signal.SIGUSR1):
            self.weir.state()
        missing = self.oracle.missing()
        where = [f"{f} {n}: written to {[x for x in fam.lines if x[0] <= n][-1:]}"
                 for f, n in missing for fam in self.families if fam.letter == f]
        for family, number in self.oracle.again[:1] + self.oracle.again[-1:]:
            where += [f"twice: {family} {number}: written to {[x for x in fam.lines if x[0] <= number][-1:]}"
                      for fam in self.families if fam.letter == family]
            text = sequence.make(family, number).rstrip()
            where += [f"  in {p}, line {i + 1} of {len(got)}" for p in sorted(self.disk.glob("out*"))
                      for got in [p.read_bytes().splitlines()] for i, x in enumerate(got) if x == text]
        try:
            state = (self.data / "checkpoint").read_text()
        except OSError as why:
            state = str(why)
        files = subprocess.run(["ls", "-liR", self.logs], capture_output=True, text=True).stdout
        what = [f"{e}", f"mode {self.mode}, seed {self.seed}, in {self.where}: {self.result()}", "first missing of each family:", *where]
        return "\n".join(["-- log:", self.weir.log[-12000:], "-- files:", files, "-- checkpoint:", state, "-- last actions:", *self.trail,
                          "-- receiver:", str(self.receiver), "-- what is wrong:", *what])

    def close(self):
        if self.up():
            self.weir.kill()
        if self.receiver:
            self.receiver.stop_now()
        if self.small:
            subprocess.run(["umount", "-l", self.disk], check=True)


# ---- as a program -------------------------------------------------------------------------------

def one(mode, seed, kills):
    where = tempfile.mkdtemp(prefix="weir-crash-")
    world = World(where, mode, seed)
    try:
        print(json.dumps(world.run(kills)), flush=True)
    finally:
        world.close()
    subprocess.run(["rm", "-rf", where], check=True)


def many(mode, seed, kills, jobs):
    """${jobs} worlds at once, with a share of the kills each. Returns the sum of their figures."""
    share = [kills // jobs + (i < kills % jobs) for i in range(jobs)]
    running = [subprocess.Popen([sys.executable, __file__, "--mode", mode, "--seed", str(seed + i), "--kills", str(n)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for i, n in enumerate(share)]
    total, failures = {}, []
    for p in running:
        out, err = p.communicate()
        if p.returncode:
            failures.append(err[-20000:])
            continue
        for key, value in json.loads(out).items():
            total[key] = total.get(key, 0) + value
    assert not failures, "\n\n".join(failures)
    return total


def main():
    p = argparse.ArgumentParser(description="kill weir again and again: no line may be missing")
    p.add_argument("--kills", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--mode", choices=MODES, default="tcp")
    p.add_argument("--jobs", type=int, default=1)
    a = p.parse_args()
    if a.jobs == 1:
        one(a.mode, a.seed, a.kills)
        return
    began = time.monotonic()
    print(json.dumps({"mode": a.mode, **many(a.mode, a.seed, a.kills, a.jobs), "seconds": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
