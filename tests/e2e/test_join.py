"""Records of several lines: whole and in order across reads, rotation and restarts, as applications wrote them."""
import json
import os
import random
import subprocess

import pytest

from harness import SANITIZED, Weir, append, config, file, once, out_lines, tail, wait

PART = 16 << 10  # what container runtimes write at once


class Cri:
    """A log as containerd writes it: /var/log/pods/…/0.log, renamed by the kubelet, written on until it is reopened."""
    transform = {"type": "cri"}

    def __init__(self, directory):
        self.path = directory / "0.log"
        self.directory = directory
        self.log = open(self.path, "ab", buffering=0)
        self.inodes = {os.fstat(self.log.fileno()).st_ino}
        self.rotations = 0

    def line(self, stream, text, last):
        return b"2026-01-02T03:04:05.%09dZ %s %s %s\n" % (random.randrange(10 ** 9), stream.encode(), b"F" if last else b"P", text)

    def part(self, stream, text, last):
        self.log.write(self.line(stream, text, last))

    def old_name(self):
        return self.directory / f"0.log.2026010203{self.rotations:04}"

    def rename(self):
        self.rotations += 1
        os.rename(self.path, self.old_name())

    def reopen(self):
        self.log.close()
        self.log = open(self.path, "ab", buffering=0)
        self.inodes.add(os.fstat(self.log.fileno()).st_ino)


class Docker(Cri):
    """As dockerd's json-file driver: the file is renamed and opened anew in one go, old ones move up."""
    transform = {"type": "docker"}

    def line(self, stream, text, last):
        log = text.decode() + ("\n" if last else "")
        return json.dumps({"log": log, "stream": stream, "time": "2026-01-02T03:04:05.1Z"}).encode() + b"\n"

    def old_name(self):
        return self.directory / f"0.log.{self.rotations}"


class App:
    """Writes numbered lines, of any length, to stdout and stderr, through a container runtime."""

    def __init__(self, runtime, seed):
        self.runtime = runtime
        self.random = random.Random(seed)
        self.written = {"stdout": [], "stderr": []}
        self.rest = {}  # of a line that is being written, by stream

    def step(self):
        """One part of one line."""
        stream = self.random.choice(["stdout", "stderr"])
        if stream not in self.rest:
            number = len(self.written[stream])
            size = self.random.choice([10, 100, 1000, PART - 8, PART, PART + 1, 3 * PART, 5 * PART + 7])
            text = b"%s %d " % (stream.encode(), number)
            text += bytes(self.random.choices(b'abc "\\{}\t', k=max(0, size - len(text))))
            self.written[stream].append(text)
            self.rest[stream] = text
        text = self.rest.pop(stream)
        if len(text) > PART:
            self.rest[stream] = text[PART:]
        self.runtime.part(stream, text[:PART], stream not in self.rest)

    def finish(self):
        while self.rest:
            self.step()

    def count(self):
        return sum(map(len, self.written.values()))


def received(out):
    """The messages of each stream, as far as they are whole lines."""
    got = {"stdout": [], "stderr": []}
    for line in out_lines(out):
        record = json.loads(line)
        assert set(record) == {"time", "stream", "message"}, record
        got[record["stream"]].append(record["message"].encode())
    return got


def number(text):
    return int(text.split(b" ", 2)[1])


def check(app, out):
    """What came is what was written: nothing else, nothing missing, in order but for what is sent again after a stop in the middle of a line: all
    since the first line that was not complete, whichever stream it is of."""
    got = received(out)
    for stream, wrote in app.written.items():
        for message in got[stream]:
            assert message == wrote[number(message)], f"{stream} {number(message)} is not what was written"
        first = list(dict.fromkeys(number(m) for m in got[stream]))
        assert first == list(range(len(wrote))), f"{stream}: missing or out of order"


def wait_known(weir, path):
    """Until the checkpoint on disk knows the file: from then on it is found again whatever it is called."""
    inode = str(os.stat(path).st_ino)
    state = weir.dir / "data/checkpoint"
    wait(lambda: state.exists() and any(r.split(" ")[4] == inode for r in state.read_text().splitlines() if r.startswith("file ")),
         f"{path} in the checkpoint")


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [Cri, Docker])
@pytest.mark.parametrize("crash", [False, True], ids=["restart", "crash"])
def test_container_log_with_partial_lines_rotated_and_restarted(tmp_path, runtime, crash):
    """16 KiB parts, both streams woven, rotation and stops in the middle of a line."""
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    log = runtime(logs)
    app = App(log, seed=7)
    setup = config(tmp_path, tail(logs / "*.log"), file(out), [{**runtime.transform, "timeout": "1h"}])
    weir = Weir(tmp_path, setup).following(log.path)
    cut = stops = 0

    def amid_a_line():
        while not app.rest:
            app.step()

    for i in range(300):
        app.step()
        if i % 50 == 20:
            wait_known(weir, log.path)
            amid_a_line()
            cut += 1
            log.rename()
            if runtime is Cri:
                app.step()  # the runtime does not know yet
            log.reopen()
        if i % 75 == 50:
            wait_known(weir, log.path)
            amid_a_line()
            weir.kill() if crash else weir.stop()
            stops += 1
            for _ in range(5):
                app.step()
            if stops % 2 == 0:  # also while weir is not there
                amid_a_line()
                log.rename()
                log.reopen()
            weir.start()
    app.finish()
    assert cut == 6 and stops == 4 and len(log.inodes) >= 8
    wait(lambda: sum(len(set(v)) for v in received(out).values()) >= app.count(), "all lines", 30)
    weir.stop()
    check(app, out)


def test_one_stream_is_not_repeated_by_restarts(tmp_path):
    """With nothing woven into it a line is cut off exactly: a stop in the middle of one repeats nothing."""
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    log = Cri(logs)
    weir = Weir(tmp_path, config(tmp_path, tail(logs / "*.log"), file(out), [{"type": "cri", "timeout": "1h"}])).following(log.path)
    for i in range(4):
        for k in range(20):
            log.part("stdout", b"%d.%d," % (i, k), True)
        log.part("stdout", b"%d." % i, False)
        wait(lambda: out.exists() and len(out_lines(out)) == 21 * i + 20, "the whole lines")
        weir.stop()
        weir.start()
        log.part("stdout", b"end", True)
    wait(lambda: len(out_lines(out)) >= 84, "all lines")
    weir.stop()
    wanted = [[b"%d.%d," % (i, k) for k in range(20)] + [b"%d.end" % i] for i in range(4)]
    assert received(out)["stdout"] == sum(wanted, [])


def test_a_line_without_its_last_part_goes_on_after_the_timeout(tmp_path):
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    log = Cri(logs)
    log.part("stdout", b"begun", False)
    weir = Weir(tmp_path, config(tmp_path, tail(logs / "*.log"), file(out), [{"type": "cri", "timeout": "200ms"}]))
    wait(lambda: out.exists() and received(out)["stdout"] == [b"begun"], "the part")
    wait(lambda: weir.checkpoint().get(str(log.path)) == log.path.stat().st_size, "the checkpoint behind it")
    weir.stop()


def test_an_unfinished_line_is_found_whole_after_a_stop(tmp_path):
    """At SIGTERM the first part is there and the last is not: nothing is sent, nothing is acknowledged, and the next start has both."""
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    log = Cri(logs)
    log.part("stdout", b"whole", True)
    offset = log.path.stat().st_size
    log.part("stdout", b"first, ", False)
    setup = config(tmp_path, tail(logs / "*.log"), file(out), [{"type": "cri"}])
    weir = Weir(tmp_path, setup)
    wait(lambda: out.exists() and received(out)["stdout"] == [b"whole"], "the first line")
    weir.stop()
    assert "a record that is not complete is left for the next start" in weir.log
    assert weir.checkpoint() == {str(log.path): offset}
    log.part("stdout", b"last", True)
    weir.start()
    wait(lambda: received(out)["stdout"] == [b"whole", b"first, last"], "the joined line")
    weir.stop()


def test_an_unfinished_line_of_a_removed_file_is_passed_on_at_a_stop(tmp_path):
    """A pod ends and its log is deleted: the next start would not find the rest, so what there is is sent."""
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    log = Cri(logs)
    log.part("stdout", b"whole", True)
    log.part("stdout", b"part", False)
    weir = Weir(tmp_path, config(tmp_path, tail(logs / "*.log"), file(out), [{"type": "cri", "timeout": "1h"}]))
    wait(lambda: out.exists() and received(out)["stdout"] == [b"whole"], "the first line")
    log.path.unlink()
    weir.stop()
    assert received(out)["stdout"] == [b"whole", b"part"]


# ---- multiline --------------------------------------------------------------------------------------

def trace(i):
    """A record of one to six lines."""
    return [f"2026-01-02 {i} ERROR it happened"] + [f"\tat com.example.C{i}.m{k}(C.java:{k})" for k in range(i % 6)]


def messages(out):
    """Each record's lines: a record of one line is sent as it was."""
    return [(json.loads(line)["message"] if line.startswith(b"{") else line.decode()).split("\n") for line in out_lines(out)]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["source", "transform"])
def test_multiline_across_rotation_and_crashes(tmp_path, where):
    log, out = tmp_path / "app.log", tmp_path / "out"
    options = {"start": r"^\d{4}-", "timeout": "1h"}
    source = tail(log, **({"multiline": options} if where == "source" else {}))
    setup = config(tmp_path, source, file(out), [] if where == "source" else [{"type": "multiline", **options}])
    log.write_bytes(b"")
    weir = Weir(tmp_path, setup).following(log)
    inodes = set()
    for i in range(300):
        for k, line in enumerate(trace(i)):
            if k == 2 and i % 60 == 29:  # a rotation in the middle of a record
                wait_known(weir, log)
                os.rename(log, tmp_path / f"app.log.{i}")
            append(log, line.encode() + b"\n")
            inodes.add(os.stat(log).st_ino)
            if k == 2 and i % 90 == 59:  # a crash in the middle of a record
                wait_known(weir, log)
                weir.kill()
                weir.start()
    append(log, b"2026-01-02 end\n")
    assert len(inodes) == 6
    wait(lambda: len({tuple(m) for m in messages(out)}) >= 300, lambda: f"300 records, there are {len(messages(out))}", 30)
    weir.stop()  # the last one is passed on
    got = messages(out)
    wanted = [trace(i) for i in range(300)] + [["2026-01-02 end"]]
    assert all(m in wanted for m in got), next(m for m in got if m not in wanted)
    assert list(map(list, dict.fromkeys(map(tuple, got)))) == wanted


def test_stdin_multiline_and_text(tmp_path):
    """The lines of a record as they were, with encoding text; presets; what is left at the end of the input comes too."""
    text = b"starting\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\nstopped\n"
    out = tmp_path / "out"
    setup = config(tmp_path, {"type": "stdin", "multiline": {"preset": "python"}}, [file(out), file(tmp_path / "text", encoding="text")])
    weir = Weir(tmp_path, setup, start=False, stdin=subprocess.PIPE)
    weir.start()
    weir.process.stdin.write(text)
    weir.process.stdin.close()
    weir.finish()
    assert messages(out) == [["starting"], text.decode().split("\n")[1:4], ["stopped"]]
    assert (tmp_path / "text").read_bytes() == text


def test_many_logs_with_begun_records_are_bounded(tmp_path):
    """2,000 files that all end in the beginning of a record: a few MiB, not a slab each."""
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    for i in range(2000):
        (logs / f"{i}.log").write_bytes(b"2026-01-02 %d\n more\n" % i)
    options = {"start": r"^\d{4}-", "timeout": "1h"}
    weir = Weir(tmp_path, config(tmp_path, tail(logs / "*.log", multiline=options), file(out), memory_limit="16MiB"))
    weir.wait_log("following 2000 files")
    wait(lambda: "in 4000 records" in weir.state().get("p/multiline", ""), "all to be read")
    if not SANITIZED:
        assert weir.rss() < 32 << 20
    weir.stop()
    assert len(out_lines(out)) == 2000


def test_dry_run_tells_what_is_joined(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b"2026-01-02 a\n b\n2026-01-03 c\n")
    setup = config(tmp_path, tail(log, multiline={"start": r"^\d{4}-"}), file(tmp_path / "out"))
    weir = Weir(tmp_path, setup, "--format", "json", command="dry-run", stdout=subprocess.PIPE)
    rows = [json.loads(line) for line in weir.process.communicate()[0].splitlines()]
    weir.finish()
    verdicts = [(s["stage"], s["verdict"]) for row in rows if row.get("source") for s in row["steps"]]
    assert verdicts == [("multiline", "merge")] * 3
    outputs = [o["bytes"] for row in rows for o in row.get("output", [])]
    assert outputs == ['{"message":"2026-01-02 a\\n b"}\n', "2026-01-03 c\n"]
    assert not (tmp_path / "out").exists()


def test_once_passes_everything_on(tmp_path):
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    log = Cri(logs)
    log.part("stdout", b"whole", True)
    log.part("stderr", b"part", False)
    once(tmp_path, config(tmp_path, tail(logs / "*.log"), file(out), [{"type": "cri"}]))
    assert received(out) == {"stdout": [b"whole"], "stderr": [b"part"]}
