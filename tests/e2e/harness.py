"""What the end-to-end tests share: weir as a process, receivers, writers, and waiting for conditions.

Nothing here sleeps for a fixed time in the hope that something has happened: wait() looks until it has, or fails with what
it waited for. Whatever is started is registered and stopped by pid after each test (conftest.py).
"""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

WEIR = os.path.abspath(os.environ.get("WEIR", "weir"))
LONG = os.environ.get("WEIR_LONG") == "1"
SANITIZED = b"__asan_init" in pathlib.Path(WEIR).read_bytes() if os.path.exists(WEIR) else False
SLOW = 4 if SANITIZED else 1  # sanitizers, and valgrind, take their time
MIB = 1 << 20

started = []  # everything with a stop_now(), for conftest.py


def wait(condition, what, timeout=15):
    """Wait until condition() is true and return its value."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout * SLOW} s in vain for: {what() if callable(what) else what}")
        time.sleep(0.005)


def stays(condition, seconds, what):
    """condition() must hold all the time for so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what() if callable(what) else what
        time.sleep(0.02)


# ---- configuration ------------------------------------------------------------------------------

def tail(include, **options):
    return {"type": "tail", "include": [str(p) for p in (include if isinstance(include, list) else [include])],
            "rotate_wait": "300ms", **options}


def tcp(receiver, **options):
    port = receiver if isinstance(receiver, int) else receiver.port
    return {"type": "tcp", "address": f"127.0.0.1:{port}", **options}


def file(path, **options):
    return {"type": "file", "path": str(path), **options}


def config(tmp_path, sources, sinks, transforms=(), data_dir=True, **top):
    """A configuration of one pipeline, p."""
    def items(x):
        return [x] if isinstance(x, dict) else list(x)
    whole = {"pipelines": {"p": {"sources": items(sources), "transforms": items(transforms), "sinks": items(sinks)}}, **top}
    if data_dir:
        whole.setdefault("data_dir", str(tmp_path / "data"))
    return whole


# ---- weir as a process --------------------------------------------------------------------------

class Weir:
    """A running weir. Its log goes to a file, which every failed expectation shows."""
    count = 0

    def __init__(self, tmp_path, configuration, *args, command="run", prefix=(), nofile=None, fsize=None, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, start=True, env=None, name="weir.json", level="info"):
        Weir.count += 1
        self.dir = pathlib.Path(tmp_path)
        self.file = self.dir / name
        self.configure(configuration)
        self.log_path = self.dir / f"log.{Weir.count}"
        self.argv = [*map(str, prefix), WEIR, command, "-c", str(self.file), *map(str, args)]
        if level != "info":
            self.argv += ["--log-level", level]
        self.limits = [(resource.RLIMIT_NOFILE, nofile), (resource.RLIMIT_FSIZE, fsize)]
        self.streams = {"stdin": stdin, "stdout": stdout}
        self.env = {**os.environ, **(env or {})}
        self.process = None
        if start:
            self.start()

    def configure(self, configuration):
        text = configuration if isinstance(configuration, str) else json.dumps(configuration, indent=1)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.file)

    def _set_limits(self):
        for which, value in self.limits:
            if value is not None:
                resource.setrlimit(which, (value, value))

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.argv, stderr=log, preexec_fn=self._set_limits, env=self.env, **self.streams)
        self.pid = self.process.pid
        started.append(self)
        return self

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, timeout=15, count=1):
        """Wait for a line of the log that holds the regular expression ${pattern} (${count} of them)."""
        def found():
            assert self.running() or len(re.findall(pattern, self.log)) >= count, \
                f"weir ended ({self.process.returncode}) before it said {pattern!r}:\n{self.log}"
            return len(re.findall(pattern, self.log)) >= count
        wait(found, lambda: f"{pattern!r} in the log:\n{self.log}", timeout)
        return self

    def following(self, path):
        return self.wait_log("following " + re.escape(str(path)))

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def join(self, timeout=30):
        try:
            return self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"weir does not end:\n{self.log[-8000:]}") from None

    def stop(self, status=0, timeout=30):
        """SIGTERM, and its exit status must be ${status}."""
        self.signal(signal.SIGTERM)
        got = self.join(timeout)
        assert got == status, f"exit status {got}, expected {status}:\n{self.log[-8000:]}"
        return self

    def kill(self):
        """As a crash: kill -9."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        return self

    def finish(self, status=0, timeout=60):
        """Wait for its own end (--once)."""
        got = self.join(timeout)
        assert got == status, f"exit status {got}, expected {status}:\n{self.log[-8000:]}"
        return self

    def stop_now(self):
        if self.process is not None and self.running():
            self.signal(signal.SIGKILL)
            self.process.wait()

    def state(self):
        """SIGUSR1; returns what the stages say, by scope."""
        before = self.log.count("memory ")
        self.signal(signal.SIGUSR1)
        wait(lambda: self.log.count("memory ") > before, "the state in the log")
        time.sleep(0.05)
        lines = self.log.splitlines()
        last = max(i for i, line in enumerate(lines) if ": memory " in line)
        return dict(line.split(" info  ", 1)[1].split(": ", 1) for line in lines[last:] if " info  " in line)

    # -- /proc
    def rss(self):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmRSS"))

    def peak_rss(self):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))

    def cpu(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def bytes_read(self):
        with open(f"/proc/{self.pid}/io") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("rchar"))

    def open_files(self):
        """What its descriptors lead to."""
        found = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        return found

    def checkpoint(self):
        """Offsets by path, as the checkpoint in data_dir has them now; {} while there is none."""
        directory = json.loads(self.file.read_text())["data_dir"]
        return checkpoint(directory)


def checkpoint(directory):
    try:
        text = (pathlib.Path(directory) / "checkpoint").read_text()
    except FileNotFoundError:
        return {}
    rows = [line.split(" ") for line in text.splitlines() if line.startswith("file ")]
    return {re.sub("%(..)", lambda m: chr(int(m[1], 16)), r[11]): int(r[7]) for r in rows}


def once(tmp_path, configuration, *args, status=0, timeout=60, **options):
    """Run weir to the present end of its sources."""
    return Weir(tmp_path, configuration, "--once", *args, **options).finish(status, timeout)


# ---- as somebody whom permissions concern ---------------------------------------------------------

class TheirWeir(Weir):
    """A weir of the user nobody, in a folder of theirs (see the fixture). A copy of the program, wherever the build folder is."""

    def __init__(self, where, configuration, *args, **options):
        super().__init__(where, configuration, *args, start=False, **options)
        self.file.chmod(0o644)
        shutil.copy(WEIR, where / "weir")
        (where / "weir").chmod(0o755)
        self.argv = [shutil.which("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", str(where / "weir"), *self.argv[1:]]
        self.start()


# ---- receivers ----------------------------------------------------------------------------------

class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.data = bytearray()
        self.ended = None  # "fin", "rst" or "closed" (by us)


class Receiver(threading.Thread):
    """A TCP server in a thread. Reads all that comes, unless hold() is on; step is how much it reads at a time."""

    def __init__(self, port=0, step=1 << 18, hold=False, rcvbuf=None, close_after=None, keep=True):
        super().__init__(daemon=True)
        self.step, self.keep, self.close_after = step, keep, close_after
        self.reading = threading.Event()
        if not hold:
            self.reading.set()
        self.connections = []
        self.received = 0
        self.over = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf is not None:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.listener.settimeout(0.05)
        self.port = self.listener.getsockname()[1]
        started.append(self)
        self.start()

    def run(self):
        while not self.over:
            try:
                sock, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                break
            connection = Connection(sock)
            self.connections.append(connection)
            threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, c):
        c.sock.settimeout(0.05)
        while not self.over and c.ended is None:
            if not self.reading.wait(0.05):
                continue
            try:
                got = c.sock.recv(self.step)
            except TimeoutError:
                continue
            except OSError:
                c.ended = c.ended or "rst"
                break
            if not got:
                c.ended = c.ended or "fin"
                break
            self.received += len(got)
            if self.keep:
                c.data += got
            if self.close_after is not None and len(c.data) >= self.close_after:
                self.close_after = None
                self.reset(c)
                break
        c.sock.close()

    def hold(self):
        self.reading.clear()

    def release(self):
        self.reading.set()

    def current(self):
        return next((c for c in reversed(self.connections) if c.ended is None), None)

    def connected(self, count=1, timeout=15):
        wait(lambda: len(self.connections) >= count, f"{count} connections", timeout)
        return self.connections[count - 1]

    @staticmethod
    def reset(c):
        """Hang up with an RST."""
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.ended = "closed"
        c.sock.close()

    @staticmethod
    def hang_up(c):
        """Hang up in an orderly way: a FIN, when everything was read."""
        c.ended = "closed"
        try:
            c.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        c.sock.close()

    def die(self):
        """As if the program had been killed: nobody listens, connections are reset or closed by the kernel."""
        self.over = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # at once, also while accept() waits: no connection into the backlog
        except OSError:
            pass
        self.join()
        self.listener.close()
        for c in self.connections:
            if c.ended is None:
                self.hang_up(c)
        return self.port

    def stop_now(self):
        if not self.over:
            self.die()

    def data(self):
        return b"".join(bytes(c.data) for c in self.connections)

    def lines(self):
        """Whole lines; a piece of a line that a lost connection ended with is none."""
        return [line for c in self.connections for line in bytes(c.data).split(b"\n")[:-1]]

    def wait_lines(self, count, timeout=30):
        wait(lambda: self.received and sum(c.data.count(b"\n") for c in self.connections) >= count,
             lambda: f"{count} lines, there are {len(self.lines())}", timeout)
        return self.lines()


def free_port():
    """A port on which nobody listens now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- numbered lines -----------------------------------------------------------------------------

def line(number, tag="n", pad=0):
    return b"%s %d%s\n" % (tag.encode(), number, b" " + b"x" * pad if pad else b"")


def lines(start, stop, tag="n", pad=0):
    return b"".join(line(i, tag, pad) for i in range(start, stop))


def append(path, data):
    with open(path, "ab", buffering=0) as f:
        f.write(data)


def numbers(got, tag="n"):
    """The numbers of the lines that begin with ${tag}, in the order in which they came."""
    head = tag.encode() + b" "
    return [int(x[len(head):].split(b" ", 1)[0]) for x in got if x.startswith(head) and len(x) > len(head)]


def expect_once(got, count, tag="n", start=0):
    """Every line from ${start} up to ${count}, once, in order."""
    have = numbers(got, tag)
    want = list(range(start, count))
    if have == want:
        return
    missing = sorted(set(want) - set(have))
    seen, repeated = set(), []
    for n in have:
        if n in seen:
            repeated.append(n)
        seen.add(n)
    order = next((i for i in range(1, len(have)) if have[i] < have[i - 1]), None)
    raise AssertionError(f"{tag}: {len(have)} lines, expected {len(want)}; missing {len(missing)} {missing[:10]}; repeated "
                         f"{len(repeated)} {repeated[:10]}; unexpected {sorted(seen - set(want))[:10]}; first out of order at {order}")


def expect_each_file(got, count, tag="n"):
    """What a Writer wrote: every line once, and those of each file in order."""
    expect_once(sorted(got, key=lambda x: int(x.split(b" ")[1])), count, tag)
    last = {}
    for x in got:
        head, number, which = x.split(b" ")[:3]
        if head == tag.encode():
            assert int(number) > last.get(which, -1), f"line {number} came behind line {last[which]} of the same file"
            last[which] = int(number)


def expect_all(got, count, tag="n"):
    """Every line at least once. Returns how many were there again."""
    have = numbers(got, tag)
    missing = sorted(set(range(count)) - set(have))
    assert not missing, f"{tag}: missing {len(missing)}: {missing[:20]}"
    assert set(have) == set(range(count))
    return len(have) - count


def out_lines(path):
    try:
        return pathlib.Path(path).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def wait_out(path, count, timeout=30, weir=None):
    """Wait until the file holds ${count} lines; returns them."""
    wait(lambda: len(out_lines(path)) >= count,
         lambda: f"{count} lines in {path}, there are {len(out_lines(path))}\n{weir.log[-4000:] if weir else ''}", timeout)
    return out_lines(path)


class Writer(threading.Thread):
    """Appends numbered lines to a file until told to stop, reopening it after each when reopen is set."""

    def __init__(self, path, tag="n", pause=0.001, pad=40):
        super().__init__(daemon=True)
        self.path, self.tag, self.pause, self.pad = path, tag, pause, pad
        self.count = 0
        self.over = False
        self.files = 1  # how many files it has written to, one after the other
        self.gate = threading.Lock()  # held by whoever must not be written to meanwhile
        self.reopen_wanted = False
        started.append(self)
        self.start()

    def run(self):
        f = open(self.path, "ab", buffering=0)
        while not self.over:
            with self.gate:
                if self.reopen_wanted:
                    f.close()
                    f = open(self.path, "ab", buffering=0)
                    self.files += 1
                    self.reopen_wanted = False
                f.write(b"%s %d file%d %s\n" % (self.tag.encode(), self.count, self.files, b"x" * self.pad))
                self.count += 1
            time.sleep(self.pause)
        f.close()

    def reopen(self):
        self.reopen_wanted = True
        wait(lambda: not self.reopen_wanted, "the writer to reopen its file")

    def written(self, count, timeout=30):
        wait(lambda: self.count >= count, f"{count} lines written", timeout)

    def stop_now(self):
        self.over = True
        self.join()

    def stop(self):
        self.stop_now()
        return self.count
