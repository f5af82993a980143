"""What a first user stumbles over: messages that must be true, and mistakes that must be told.

The program is $WEIR, or ./weir in the folder where pytest runs.
"""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

WEIR = os.path.abspath(os.environ.get("WEIR", "weir"))


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def check(tmp_path, value, *args):
    f = write(tmp_path / "w.json", value)
    run = subprocess.run([WEIR, "check", "-c", f, *args], capture_output=True, text=True, timeout=20)
    return run.returncode, run.stderr.replace(f"{tmp_path}/", "")


def pipeline(source, sink, transforms=()):
    return {"sources": [source], "transforms": list(transforms), "sinks": [sink]}


@pytest.fixture
def dead_port():
    """A port on which nobody listens, held so that nobody else will."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


class Agent:
    """weir run, with its log in a file."""

    def __init__(self, tmp_path, *args, stdin=subprocess.DEVNULL):
        self.path = tmp_path / "agent.log"
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen([WEIR, "run", *args, "-c", tmp_path / "w.json"], cwd=tmp_path, stderr=log,
                                            stdin=stdin, stdout=subprocess.DEVNULL)

    @property
    def log(self):
        return self.path.read_text()

    def until(self, pattern, times=1):
        deadline = time.monotonic() + 20
        while len(re.findall(pattern, self.log)) < times:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


# ---- what was not delivered ---------------------------------------------------------------------

@pytest.mark.parametrize("source, data_dir, fate", [
    ("stdin", True, "those from standard input are lost, it cannot be read again"),
    ("tail", True, "the checkpoint stands before them, they are sent again after the next start"),
    ("tail", False, "there is no data_dir, so the next start does as start_at says"),
])
def test_the_log_says_what_becomes_of_undelivered_records(tmp_path, dead_port, source, data_dir, fate):
    write(tmp_path / "in", "one\ntwo\n")
    reads = {"type": "stdin"} if source == "stdin" else {"type": "tail", "include": "in"}
    value = {"shutdown_timeout": "200ms",
             "pipelines": {"p": pipeline(reads, {"type": "tcp", "address": f"127.0.0.1:{dead_port}"})}}
    if data_dir:
        value["data_dir"] = "data"
    write(tmp_path / "w.json", value)
    with open(tmp_path / "in", "rb") as stdin, Agent(tmp_path, stdin=stdin) as agent:
        agent.until("cannot connect")
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(20) == 1
        assert re.findall("read and not delivered: (.*)", agent.log) == [fate]


@pytest.mark.parametrize("source, warned", [({"type": "stdin"}, 0), ({"type": "tail", "include": "w.json"}, 1)])
def test_a_missing_data_dir_matters_only_to_what_can_be_read_again(tmp_path, source, warned):
    write(tmp_path / "w.json", {"pipelines": {"p": pipeline(source, {"type": "blackhole"})}})
    with Agent(tmp_path, "--once") as agent:
        assert agent.process.wait(20) == 0
        assert agent.log.count("no data_dir") == warned


# ---- reload -------------------------------------------------------------------------------------

def test_reload_compares_data_dir_with_the_one_in_use(tmp_path):
    def configure(data_dir):
        write(tmp_path / "w.json", {"data_dir": data_dir, "pipelines": {
            "p": pipeline({"type": "tail", "include": "*.txt"}, {"type": "blackhole"})}})
    configure("one")
    with Agent(tmp_path) as agent:
        agent.until("no file matches")
        for n, data_dir in enumerate(["one", "two", "two", "one"]):
            configure(data_dir)
            agent.process.send_signal(signal.SIGHUP)
            agent.until("reload: 1 pipelines unchanged", n + 1)
        assert agent.log.count("data_dir changes only") == 2


def test_a_json_log_stays_json_when_a_reload_is_refused(tmp_path):
    write(tmp_path / "w.json", {"pipelines": {"p": pipeline({"type": "tail", "include": "*.txt"}, {"type": "blackhole"})}})
    with Agent(tmp_path, "--log-format", "json") as agent:
        agent.until("no file matches")
        write(tmp_path / "w.json", '{ "pipelnes": {} }')
        agent.process.send_signal(signal.SIGHUP)
        agent.until("keeps running")
        events = [json.loads(line) for line in agent.log.splitlines()]
    told = [e["message"] for e in events if e["level"] == "error"]
    assert any(re.search(r'w\.json:1:3: pipelnes: unknown option \(did you mean "pipelines"\?\)$', m) for m in told)


# ---- mistakes -----------------------------------------------------------------------------------

def test_standard_input_has_one_reader(tmp_path):
    reader = pipeline({"type": "stdin"}, {"type": "stdout"})
    assert check(tmp_path, {"pipelines": {"a": reader}})[0] == 0
    status, err = check(tmp_path, {"pipelines": {"a": reader, "b": reader}})
    assert status == 2 and re.fullmatch(
        r'w.json:1:\d+: pipelines.b.sources\[0\]: standard input has a reader already, in pipeline "a"\n1 error\n', err)
    twice = {**reader, "sources": [{"type": "stdin"}, {"type": "stdin"}]}
    status, err = check(tmp_path, {"pipelines": {"a": twice}})
    assert status == 2 and 'pipelines.a.sources[1]: standard input has a reader already, in pipeline "a"' in err


@pytest.mark.parametrize("address", ["h:99999", "h:0", "h:syslog", "::1:99", "[::1]", "http://x:80", ":1"])
def test_a_wrong_port_or_bare_ipv6_address_is_explained(tmp_path, address):
    status, err = check(tmp_path, {"pipelines": {"a": pipeline({"type": "stdin"}, {"type": "tcp", "address": address})}})
    assert status == 2
    assert f'expected "host:port" or "[v6]:port" with a port from 1 to 65535, got "{address}"' in err


def test_a_sink_named_as_source_is_told_so(tmp_path):
    _, err = check(tmp_path, {"pipelines": {"a": pipeline({"type": "file", "path": "x"}, {"type": "stdout"})}})
    assert '"file" is a sink, not a source' in err


@pytest.mark.parametrize("command", ["run", "check", "dry-run"])
def test_a_configuration_without_its_flag(command):
    run = subprocess.run([WEIR, command, "w.json"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 2
    assert f'weir {command}: unexpected "w.json": a configuration is named with -c\n' in run.stderr


# ---- what is shown ------------------------------------------------------------------------------

def test_dry_run_keeps_long_stage_names_apart_from_the_verdict(tmp_path):
    sink = {"type": "file", "name": "errors", "path": "out", "where": ".status >= 500"}
    write(tmp_path / "w.json", {"pipelines": {"a": pipeline({"type": "stdin"}, sink)}})
    run = subprocess.run([WEIR, "dry-run", "-c", "w.json"], input="x\n", capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert re.search(r"^  errors/where drop +[0-9.]+ µs  where is not true$", run.stdout, re.M), run.stdout
