"""dry-run: no side effect, verified with a system-call trace, and its account is what run then sends."""
import base64
import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

import make_lines
from harness import SANITIZED, WEIR, Receiver, Weir, append, checkpoint, config, file, lines, once, tail, tcp, wait

MIXED = make_lines.generate(300_000 if SANITIZED else 1_000_000)
JSON_FILTER = [{"type": "json"}, {"type": "filter", "where": '.level != "debug"'}]


def dry(tmp_path, setup, *args, status=0, data=None, name="weir.json", command=("dry-run",), prefix=()):
    (tmp_path / name).write_text(json.dumps(setup))
    run = subprocess.run([*prefix, WEIR, *command, "-c", tmp_path / name, *args], input=data, capture_output=True, timeout=120,
                         env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"} if prefix else None,
                         stdin=subprocess.DEVNULL if data is None else None)
    assert run.returncode == status, (run.returncode, run.stdout[-500:], run.stderr.decode()[-2000:])
    return run


def accounts(run):
    told = [json.loads(x) for x in run.stdout.splitlines()]
    assert "summary" in told[-1] and not any("summary" in x for x in told[:-1])
    return told[:-1], told[-1]["summary"]


def sent(told, sink):
    """The bytes that ${sink} would send, by the account."""
    out = b""
    for account in told:
        for o in account["output"]:
            if o["sink"] == sink:
                out += o["bytes"].encode() if "bytes" in o else base64.b64decode(o["bytes_base64"])
    return out


def snapshot(folder):
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_ino, p.lstat().st_size, p.read_bytes() if p.is_file() else None)
            for p in folder.rglob("*")}


# ---- no side effect ------------------------------------------------------------------------------

FORBIDDEN = ("connect|bind|listen|accept4?|creat|rename|renameat|renameat2|unlink|unlinkat|rmdir|mkdir|mkdirat|truncate|ftruncate|link|"
             "linkat|symlink|symlinkat|mknod|mknodat|chmod|fchmod|fchmodat|chown|fchown|fchownat|utimensat|setxattr|fallocate|flock|sendto|"
             "sendmsg|sendfile|splice|mount|kill|fsync|fdatasync")


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("command", [("dry-run",), ("run", "--dry-run")], ids=["dry-run", "run --dry-run"])
@pytest.mark.parametrize("origin", ["start", "checkpoint"])
def test_no_system_call_changes_anything(tmp_path, command, origin):
    receiver = Receiver()
    work = tmp_path / "work"
    work.mkdir()
    append(work / "a.log", MIXED[:20_000])
    setup = config(work, tail(work / "*.log"), [
        tcp(receiver), {"type": "tcp", "name": "named", "address": "localhost:9", "transforms": [{"type": "gzip"}]}, file(work / "d/e/out"),
        {**file(work / "out.gz"), "name": "packed", "transforms": [{"type": "gzip"}]},
        file(work / "errors", name="errors", where='.level == "error"', queue={"when_full": "drop_oldest"})], JSON_FILTER)
    if origin == "checkpoint":
        append(work / "a.log", b"")
        once(tmp_path, {**config(work, tail(work / "a.log"), {"type": "blackhole"})}, name="prepare.json")
        append(work / "a.log", MIXED[20_000:30_000])
    before, trace = snapshot(work), tmp_path / "trace"
    run = dry(tmp_path, setup, "--from", origin, "-n", "0", "--format", "json", command=command,
              prefix=["strace", "-f", "-y", "-o", trace])
    told, _ = accounts(run)
    assert told
    expect_harmless(trace)
    assert snapshot(work) == before and receiver.connections == []
    assert not (work / "data").exists() or origin == "checkpoint"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_watching_from_the_end_changes_nothing_either(tmp_path):
    """--from end tells of what is written from now on."""
    work, trace = tmp_path / "work", tmp_path / "trace"
    work.mkdir()
    append(work / "a.log", lines(0, 10))
    weir = Weir(tmp_path, config(work, tail(work / "a.log"), file(work / "out")), "--from", "end", "-n", "2", "--format", "json",
                command="dry-run", prefix=["strace", "-f", "-y", "-o", trace], stdout=subprocess.PIPE,
                env={"ASAN_OPTIONS": "detect_leaks=0"})
    wait(lambda: trace.exists() and re.findall(r"epoll_p?wait[^\n]*$", trace.read_text())[-1:], "it to wait")
    append(work / "a.log", lines(10, 12))
    out = weir.process.stdout.read()
    weir.finish()
    told = [json.loads(x) for x in out.splitlines()][:-1]
    assert [x["input"] for x in told] == ["n 10", "n 11"]
    expect_harmless(trace)
    assert sorted(os.listdir(work)) == ["a.log"]


def expect_harmless(trace):
    text = trace.read_text().splitlines()
    assert any("execve" in x for x in text) and any("a.log" in x for x in text if re.search(r"\d+ +(openat|pread64|read)\(", x)), \
        "the trace holds nothing"
    calls = [x for x in text if re.match(rf"\d+ +({FORBIDDEN})\(", x)]
    opened = [x for x in text if re.match(r"\d+ +(open|openat)\(", x) and re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND", x)]
    if SANITIZED:
        opened = [x for x in opened if "/proc/self" not in x and "/dev/" not in x]
    assert calls == [] and opened == [], (calls, opened)
    wrote = [x for x in text if re.match(r"\d+ +(write|writev|pwrite64|pwritev)\(", x) and not re.match(r"\d+ +writev?\([12]<", x)
             and "eventfd" not in x]
    assert wrote == [], wrote


# ---- the account is true -------------------------------------------------------------------------

def test_account_is_what_run_sends_byte_for_byte(tmp_path):
    receiver = Receiver()
    append(tmp_path / "a.log", MIXED)
    setup = config(tmp_path, tail(tmp_path / "a.log"), tcp(receiver), JSON_FILTER)
    told, summary = accounts(dry(tmp_path, setup, "-n", "0", "--format", "json"))
    assert len(told) == MIXED.count(b"\n") == summary["records_in"]
    assert receiver.connections == [] and not (tmp_path / "data").exists()
    once(tmp_path, setup)
    wait(lambda: receiver.connections[0].ended == "fin", "the end of the connection")
    assert sent(told, "tcp") == receiver.data()


def test_account_of_routed_sinks_of_every_kind(tmp_path):
    octets, packed = Receiver(), Receiver()
    append(tmp_path / "a.log", MIXED)
    setup = config(tmp_path, tail(tmp_path / "*.log"), [
        file(tmp_path / "errors", name="errors", where='.level == "error"'),
        tcp(octets, name="octets", framing="octet_counting", where="exists(.http)"),
        file(tmp_path / "json", name="json", encoding="json"),
        file(tmp_path / "text", name="text", encoding="text", where="not exists(.level)"),
        {**file(tmp_path / "gz", name="gz"), "transforms": [{"type": "filter", "where": '.ok'}, {"type": "gzip", "flush_bytes": "10KiB"}]},
        {**tcp(packed, name="packed"), "where": '.level in ["warn", "info"]', "transforms": [{"type": "gzip", "encoding": "json"}]},
    ], {"type": "json"})
    told, _ = accounts(dry(tmp_path, setup, "-n", "0", "--format", "json"))
    once(tmp_path, setup)
    wait(lambda: octets.connections[0].ended and packed.connections[0].ended, "the connections to end")
    for name in ("errors", "json", "text"):
        assert sent(told, name) == (tmp_path / name).read_bytes() != b""
    assert sent(told, "octets") == octets.data() != b""
    assert gzip.decompress(sent(told, "gz")) == gzip.decompress((tmp_path / "gz").read_bytes()) != b""
    assert gzip.decompress(sent(told, "packed")) == gzip.decompress(packed.data()) != b""
    for account in told:
        for o in account["output"]:
            if o["sink"] in ("errors", "json", "text", "gz"):
                assert o["place"] == str(tmp_path / o["sink"])


def test_account_with_long_lines_and_a_last_line_without_end(tmp_path):
    append(tmp_path / "a.log", b"short\n" + b"x" * 5000 + b"\n\r\n\nlast")
    for mode in ("truncate", "split", "skip"):
        setup = config(tmp_path, tail(tmp_path / "a.log", max_line_bytes=1000, on_long_line=mode, strip_cr=True), file(tmp_path / mode),
                       data_dir=False)
        told, summary = accounts(dry(tmp_path, setup, "-n", "0", "--format", "json"))
        once(tmp_path, setup)
        assert sent(told, "file") == (tmp_path / mode).read_bytes()
        if mode == "truncate":
            assert [x.get("truncated") for x in told] == [None, True, None, None, None] and summary["truncated"] == 1


def test_account_says_from_where(tmp_path):
    text = MIXED[:5000].rpartition(b"\n")[0] + b"\n"
    append(tmp_path / "a.log", text)
    told, _ = accounts(dry(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), {"type": "blackhole"}), "-n", "0", "--format", "json"))
    offset = 0
    for account, x in zip(told, text.split(b"\n")):
        assert account["pipeline"] == "p" and account["source"] == {"stage": "tail", "path": str(tmp_path / "a.log"), "offset": offset}
        given = account["input"].encode() if "input" in account else base64.b64decode(account["input_base64"])
        assert given == x
        offset += len(x) + 1


def test_verdicts_and_reasons(tmp_path):
    setup = config(tmp_path, tail(tmp_path / "a.log"), file(tmp_path / "out"),
                   [{"type": "json", "on_error": "drop"}, {"type": "filter", "where": '.level == "error"'}])
    told, summary = accounts(dry(tmp_path, setup, "--input", "-", "--format", "json",
                                 data=b'{"level":"error"}\nnot json\n{"level":"info"}\n'))
    verdicts = [[(s["stage"], s["verdict"]) for s in x["steps"]] for x in told]
    assert verdicts[0] == [("json", "pass"), ("filter", "pass")]
    assert verdicts[1][0][0] == "json" and verdicts[1][0][1] in ("drop", "error") and len(verdicts[1]) == 1
    assert verdicts[2] == [("json", "pass"), ("filter", "drop")]
    assert [len(x["output"]) for x in told] == [1, 0, 0]
    assert "not a JSON object" in told[1]["steps"][0]["reason"]
    assert (summary["records_in"], summary["records_out"], summary["dropped"]) == (3, 1, 2)


# ---- options -------------------------------------------------------------------------------------

def test_number_of_records(tmp_path):
    append(tmp_path / "a.log", lines(0, 50))
    append(tmp_path / "b.log", lines(0, 50))
    setup = config(tmp_path, [tail(tmp_path / "a.log"), tail(tmp_path / "b.log")], file(tmp_path / "out"))
    for args, count in ([], 20), (["-n", "3"], 6), (["-n", "0"], 100), (["--records", "1"], 2):
        assert len(accounts(dry(tmp_path, setup, *args, "--format", "json"))[0]) == count
    dry(tmp_path, setup, "-n", "-1", status=2)
    dry(tmp_path, setup, "-n", "x", status=2)


def test_input_in_place_of_the_sources(tmp_path):
    setup = config(tmp_path, [{"type": "stdin"}, tail("/nowhere/*.log")], file(tmp_path / "out"))
    append(tmp_path / "given", b"one\ntwo\n")
    for args, data in ((["--input", str(tmp_path / "given")], None), (["--input", "-"], b"one\ntwo\n"), (["--input=-"], b"one\ntwo")):
        told, _ = accounts(dry(tmp_path, setup, *args, "--format", "json", data=data))
        assert sent(told, "file") == b"one\ntwo\n"
    run = dry(tmp_path, setup, "--input", str(tmp_path / "missing"), status=1)
    assert b"missing" in run.stderr


@pytest.mark.parametrize("fail_on, data, status", [
    ("drop", b'{"level":"info"}\n', 0), ("drop", b'{"level":"debug"}\n', 3), ("error", b'{"level":"debug"}\n', 0),
    ("error", b"text\n", 3), ("truncated", b"text\n", 0), ("truncated", b"x" * 2_000_000 + b"\n", 3), ("empty", b"text\n", 0),
    ("empty", b"", 3), ("empty", b'{"level":"debug"}\n', 3), ("drop,error", b"text\n", 3), ("drop,error", b"{}\n", 0), ("dorp", b"", 2)],
    ids=lambda x: str(x)[:24] if not isinstance(x, bytes) else f"{len(x)} bytes")
def test_fail_on(tmp_path, fail_on, data, status):
    append(tmp_path / "a.log", data)
    dry(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), {"type": "blackhole"}, JSON_FILTER), "--fail-on", fail_on, status=status)


def test_from_the_checkpoint(tmp_path):
    log = tmp_path / "a.log"
    setup = config(tmp_path, tail(log), file(tmp_path / "out"))
    append(log, lines(0, 10))
    once(tmp_path, setup)
    append(log, lines(10, 15))
    before = snapshot(tmp_path / "data")
    assert sent(accounts(dry(tmp_path, setup, "--from", "checkpoint", "--format", "json"))[0], "file") == lines(10, 15)
    assert sent(accounts(dry(tmp_path, setup, "--format", "json", "-n", "0"))[0], "file") == lines(0, 15)
    assert snapshot(tmp_path / "data") == before and checkpoint(tmp_path / "data")[str(log)] == len(lines(0, 10))
    once(tmp_path, setup)
    assert (tmp_path / "out").read_bytes() == lines(0, 15)


def test_beside_a_running_agent(tmp_path):
    """It takes no lock: looking at a configuration in use is what it is for."""
    log = tmp_path / "a.log"
    append(log, lines(0, 10))
    setup = config(tmp_path, tail(log), file(tmp_path / "out"))
    weir = Weir(tmp_path, setup)
    wait(lambda: weir.checkpoint(), "the checkpoint")
    assert len(accounts(dry(tmp_path, setup, "--format", "json"))[0]) == 10
    assert weir.running() and (tmp_path / "out").read_bytes() == lines(0, 10)
    weir.stop()


def test_one_pipeline_of_two(tmp_path):
    append(tmp_path / "a.log", lines(0, 3))
    setup = config(tmp_path, tail(tmp_path / "a.log"), {"type": "blackhole"})
    setup["pipelines"]["q"] = setup["pipelines"]["p"]
    assert {x["pipeline"] for x in accounts(dry(tmp_path, setup, "--format", "json"))[0]} == {"p", "q"}
    assert {x["pipeline"] for x in accounts(dry(tmp_path, setup, "--format", "json", "--pipeline", "q"))[0]} == {"q"}
    assert b"nope" in dry(tmp_path, setup, "--pipeline", "nope", status=2).stderr


def test_text_for_people(tmp_path):
    append(tmp_path / "a.log", b'{"level":"info","n":1}\n{"level":"debug"}\nplain \x1b[31m\xff\n')
    run = dry(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(tmp_path / "out"), JSON_FILTER))
    text = run.stdout.decode()
    assert str(tmp_path / "a.log") in text and "drop" in text and str(tmp_path / "out") in text
    assert "\x1b" not in text, "control characters of the input reach the terminal"
