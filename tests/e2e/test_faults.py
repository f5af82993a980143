"""Every system call of a small run fails in turn: nothing is lost, nothing crashes or hangs, and what cannot be gone on after is in the log.

faults.c is preloaded. A first run without a fault counts the calls; then each call, up to a bound, fails with each error that it may have. The run:
two files through json and filter, into a file (sync always) and over TCP; one file grows and is rotated meanwhile. Afterwards weir is started
once more without faults, and every line must have come to both sinks.
"""
import concurrent.futures
import errno
import json
import os
import pathlib
import random
import signal
import struct
import subprocess

import pytest

from harness import LONG, SANITIZED, SLOW, Receiver, Weir, append, config, file, once, tail, tcp, wait

SHORT = 1000
E = errno

# In the order of enum call in faults.c: the call, the errors it may have.
CALLS = {
    "open": [E.EIO, E.EMFILE, E.ENOMEM, E.EINTR],
    "openat": [E.EIO, E.EMFILE, E.ENOSPC],
    "read": [E.EIO, E.EINTR, SHORT],
    "pread": [E.EIO, E.EINTR, SHORT],
    "write": [E.ENOSPC, E.EIO, E.EINTR, SHORT],
    "writev": [E.ENOSPC, E.EIO, E.EINTR, SHORT],
    "fsync": [E.EIO, E.ENOSPC],
    "fdatasync": [E.EIO, E.ENOSPC],
    "renameat": [E.EIO, E.ENOSPC],
    "unlinkat": [E.EIO],
    "stat": [E.EIO, E.ENOMEM],
    "lstat": [E.EIO, E.ENOMEM],
    "fstat": [E.EIO],
    "fstatat": [E.EIO],
    "statx": [E.EIO],
    "mkdir": [E.EIO, E.ENOSPC],
    "mkdirat": [E.EIO, E.ENOSPC],
    "flock": [E.ENOLCK, E.EINTR],
    "ftruncate": [E.EIO],
    "opendir": [E.EMFILE, E.EIO],
    "readdir": [E.EIO],
    "socket": [E.EMFILE, E.ENOBUFS],
    "connect": [E.ECONNREFUSED, E.ETIMEDOUT, E.EADDRNOTAVAIL],
    "setsockopt": [E.EINVAL],
    "getsockopt": [E.ENOBUFS],
    "send": [E.EAGAIN, E.EINTR, E.ECONNRESET, SHORT],
    "sendmsg": [E.EAGAIN, E.EINTR, E.ENOBUFS, E.ECONNRESET, SHORT],
    "recv": [E.EINTR, E.ECONNRESET],
    "ioctl": [E.EIO],
    "poll": [E.EINTR],
    "inotify_init1": [E.EMFILE],
    "inotify_add_watch": [E.ENOSPC, E.ENOMEM],
    "epoll_ctl": [E.ENOMEM],
    "epoll_wait": [E.EINTR],
    "pthread_create": [E.EAGAIN],
}
NAMES = list(CALLS)
SILENT = {E.EINTR, E.EAGAIN, SHORT}  # to be gone on after without a word


class Plan:
    """The shared memory of faults.c."""

    def __init__(self, where, call=None, nth=0, error=0):
        self.path = where / "plan"
        which = NAMES.index(call) if call else len(NAMES)
        self.path.write_bytes(struct.pack("IIII", which, nth, error, 0) + b"\0" * 4 * len(NAMES))

    def fired(self):
        return struct.unpack_from("I", self.path.read_bytes(), 12)[0] == 1

    def counts(self):
        return dict(zip(NAMES, struct.unpack_from(f"{len(NAMES)}I", self.path.read_bytes(), 16)))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    source = pathlib.Path(__file__).resolve().parent / "faults.c"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", made, source, "-ldl"], check=True)
    return made


class Run:
    """One small run with a directory of its own. Lines carry its name, so that one receiver serves all."""

    def __init__(self, where, receiver, library):
        self.where, self.receiver, self.library = where, receiver, library
        self.where.mkdir()
        self.log = where / "a.log"
        self.count = 0
        self.write(30)
        (where / "b.log").write_text('{"run":"%s","n":-1}\nnot json %s' % (where.name, where.name))
        self.setup = config(where, tail(where / "*.log", rotate_wait="100ms", rescan_interval="100ms"),
                            [file(where / "out" / "all", sync="always"), tcp(receiver)],
                            [{"type": "json"}, {"type": "filter", "where": '.level != "debug"'}], shutdown_timeout="3s")

    def write(self, count):
        append(self.log, b"".join(self.line(i, "debug" if i % 5 == 0 else "info") for i in range(self.count, self.count + count)))
        self.count += count

    def line(self, i, level):
        return b'{"run":"%s","n":%d,"level":"%s"}\n' % (self.where.name.encode(), i, level.encode())

    def expected(self):
        return {self.line(i, "info")[:-1] for i in range(self.count) if i % 5}

    def missing(self):
        out = self.where / "out" / "all"
        there = set(out.read_bytes().split(b"\n")) if out.exists() else set()
        return (self.expected() - there, self.expected() - set(self.receiver.lines()))

    def complete(self):
        return not any(self.missing())

    def environment(self, plan):
        return {"LD_PRELOAD": str(self.library), "WEIR_FAULTS": str(plan.path),
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def go(self, plan):
        """Follow, grow, rotate, stop. Returns the weir, which has ended."""
        weir = Weir(self.where, self.setup, env=self.environment(plan))
        self.patient(weir, 5)
        self.write(10)
        self.log.rename(self.where / "a.1.log")
        self.write(10)
        self.patient(weir, 5)
        if weir.running():
            weir.signal(signal.SIGTERM)
        try:
            weir.process.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            self.hangs = True
            weir.kill()
        return weir

    def patient(self, weir, seconds):
        """Wait until everything is there, or it has ended, or it takes too long: that is for the run without faults to mend."""
        try:
            wait(lambda: self.complete() or not weir.running(), "", seconds)
        except AssertionError:
            self.late = True

    late = hangs = False


def one_fault(where, receiver, library, call, nth, error):
    """Returns what is wrong, or None, and whether the fault took place."""
    kind = "short" if error == SHORT else errno.errorcode[error]
    run = Run(where / f"{call}-{nth}-{kind}", receiver, library)
    plan = Plan(run.where, call, nth, error)
    weir = run.go(plan)
    status, log = weir.process.returncode, weir.log
    once(run.where, run.setup)
    what = f"{call} number {nth}, {kind}: "
    if run.hangs:
        return what + f"does not end\n{log}", plan.fired()
    try:
        wait(run.complete, "", 5)
    except AssertionError:
        return what + f"lost {run.missing()} (status {status})\n{log}", plan.fired()
    if status not in (0, 1, 2):
        return what + f"exit status {status}\n{log}", plan.fired()
    if run.late and status == 0:
        return what + f"came only after a restart\n{log}", plan.fired()
    if plan.fired() and error not in SILENT and status != 0 and os.strerror(error) not in log:
        return what + f"status {status}, and the log does not say why\n{log}", True
    return None, plan.fired()


def plan_of(counts, most, rng):
    """(call, number, error) for every call that was made, so many of each at most, chosen at random then."""
    every = []
    for call, errors in CALLS.items():
        numbers = list(range(1, counts[call] + 1))
        chosen = [(call, n, e) for n in numbers for e in errors]
        every += chosen if len(chosen) <= most else rng.sample(chosen, most)
    return every


def test_every_system_call_may_fail(tmp_path, library):
    receiver = Receiver()
    clean = Run(tmp_path / "clean", receiver, library)
    plan = Plan(clean.where)
    weir = clean.go(plan)
    assert weir.process.returncode == 0 and clean.complete() and not clean.late, weir.log
    counts = plan.counts()
    for call in ("open", "pread", "write", "fsync", "fdatasync", "renameat", "fstat", "socket", "connect", "inotify_add_watch"):
        assert counts[call] > 0, f"{call} is not seen: the test tests nothing"
    faults = plan_of(counts, 10_000 if LONG else 4 if SANITIZED else 12, random.Random(1))
    problems, fired = [], 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(one_fault, tmp_path, receiver, library, *f) for f in faults]
        for job in jobs:
            wrong, happened = job.result()
            problems += [wrong] if wrong else []
            fired += happened
    print(json.dumps({"calls": counts, "faults": len(faults), "took place": fired}))
    assert fired > len(faults) * 0.8, f"only {fired} of {len(faults)} faults took place"
    assert not problems, f"{len(problems)} of {len(faults)}:\n" + "\n".join(p[:3000] for p in problems[:8])
