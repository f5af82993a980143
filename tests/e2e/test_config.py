"""The commands that need only a configuration: check, list, schema, version, help.

The program is $WEIR, or ./weir in the folder where pytest runs. The schema tests need Debian's python3-jsonschema.
"""
import json
import re
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.path.abspath(os.environ.get("WEIR", "weir"))
EXAMPLES = sorted((ROOT / "conf").glob("*.json"))
STAGES = ["source/" + name for name in """
    tail stdin tcp udp unix syslog
    """.split()] + ["transform/" + name for name in """
    multiline cri docker
    json regex logfmt csv syslog_parse timestamp
    filter sample throttle dedupe
    set remove keep rename redact
    gunzip gzip zstd lz4
    """.split()] + ["sink/" + name for name in """
    tcp relp file stdout blackhole
    """.split()]
COMMANDS = ["check", "list", "schema", "version", "help"]


def weir(*args, env=None, cwd=None):
    """Run weir; returns (status, stdout, stderr)."""
    run = subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True, timeout=20, cwd=cwd,
                         env={**os.environ, **(env or {})})
    return run.returncode, run.stdout, run.stderr


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def config(**pipeline):
    return {"pipelines": {"p": {"sources": [{"type": "stdin"}], "sinks": [{"type": "stdout"}], **pipeline}}}


# --- check -----------------------------------------------------------------------------------

@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_examples_pass(example):
    status, out, err = weir("check", "-c", example)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == len(json.loads(example.read_text())["pipelines"])


def test_examples_are_all_in_their_readme():
    text = (ROOT / "conf/README.md").read_text()
    assert EXAMPLES and all(f"({p.name})" in text for p in EXAMPLES)


def test_summary_says_what_flows_where(tmp_path):
    f = write(tmp_path / "w.json", config(
        sources=[{"type": "stdin"}, {"type": "tail", "include": "x"}],
        transforms=[{"type": "json"}, {"type": "gzip", "name": "pack"}],
        sinks=[{"type": "stdout"}, {"type": "stdout"}]))
    assert weir("check", "-c", f) == (0, "p: stdin, tail → json → pack → stdout, stdout-2\n", "")


TWELVE = """{
  "data_dri": "/var/lib/weir",
  "memory_limit": "64 MiB",
  "admin": { "listen": "127.0.0.1:9600" },
  "pipelines": {
    "app": {
      "sources": [ { "type": "tail" }, { "type": "tial" } ],
      "transforms": [
        { "type": "gzip", "level": 12 },
        { "type": "json", "feild": ".message" },
        { "type": "filter", "where": ".level = \\"debug\\"" }
      ],
      "sinks": [
        { "type": "tcp", "address": "localhost" },
        { "type": "file", "path": "/x", "delivery": "twice", "sync": true },
        { "type": "stdout", "queue": { "when_full": "drop_newset" } }
      ]
    }
  }
}
"""
TWELVE_SAID = """\
w.json:2:3: data_dri: unknown option (did you mean "data_dir"?)
w.json:3:19: memory_limit: expected a size such as 4096 or "64KiB", got "64 MiB"
w.json:4:3: admin: the admin endpoint is not built into this version
w.json:7:20: pipelines.app.sources[0].include: required option missing
w.json:7:50: pipelines.app.sources[1].type: unknown source "tial" (did you mean "tail"?)
w.json:9:36: pipelines.app.transforms[0].level: expected 1 to 9, got 12
w.json:10:9: pipelines.app.transforms[1]: "json" needs records, but "gzip" before it gives bytes
w.json:10:27: pipelines.app.transforms[1].feild: unknown option (did you mean "field"?)
w.json:11:46: pipelines.app.transforms[2].where: column 8: expected "==", found "="
w.json:14:37: pipelines.app.sinks[0].address: expected "host:port", got "localhost"
w.json:15:53: pipelines.app.sinks[1].delivery: expected "at_least_once" or "exactly_once", got "twice"
w.json:15:70: pipelines.app.sinks[1].sync: expected "none" or "always", got true
w.json:16:53: pipelines.app.sinks[2].queue.when_full: expected "block", "drop_newest" or "drop_oldest", \
got "drop_newset" (did you mean "drop_newest"?)
13 errors
"""


def test_all_mistakes_are_told_at_once(tmp_path):
    write(tmp_path / "w.json", TWELVE)
    assert weir("check", "-c", "w.json", cwd=tmp_path) == (2, "", TWELVE_SAID)


def test_problems_as_json(tmp_path):
    write(tmp_path / "w.json", TWELVE)
    status, out, err = weir("check", "-c", "w.json", "--format", "json", cwd=tmp_path)
    assert (status, out) == (2, "")
    told = json.loads(err)
    lines = ["{file}:{line}:{column}: {path}: {message}".format(**p) for p in told]
    assert lines == TWELVE_SAID.splitlines()[:-1]
    assert weir("check", "-c", EXAMPLES[0], "--format", "json")[2] == "[]\n"


@pytest.mark.parametrize("change", [
    {"user": "nobody"},
    {"admin": {"listen": "127.0.0.1:1"}},
    config(transforms=[{"type": "gzip", "workers": 2}]),
    config(sources=[{"type": "journald"}]),
    config(sinks=[{"type": "kafka"}]),
], ids=json.dumps)
def test_what_is_not_built_yet_is_refused(tmp_path, change):
    f = write(tmp_path / "w.json", {**config(), **change})
    status, _, err = weir("check", "-c", f)
    assert status == 2 and "not built into this version" in err and err.endswith("\n1 error\n")


def test_directory_is_merged(tmp_path):
    write(tmp_path / "1.json", {"data_dir": "/x"})
    write(tmp_path / "2.json", {"pipelines": {"b": config()["pipelines"]["p"]}})
    write(tmp_path / "3.json", {"pipelines": {"a": config(sources=[{"type": "tail", "include": "x"}])["pipelines"]["p"]}})
    assert weir("check", "-c", tmp_path)[:2] == (0, "b: stdin → stdout\na: tail → stdout\n")
    write(tmp_path / "4.json", {"pipelines": {"b": config()["pipelines"]["p"]}})
    status, _, err = weir("check", "-c", tmp_path)
    assert status == 2
    assert f"4.json:1:16: pipelines.b: a pipeline of this name is already defined in {tmp_path}/2.json:1:16" in err


def test_secrets_are_not_printed(tmp_path):
    write(tmp_path / "secret", "opensesame\n")
    for value, env in [("${file:%s/secret}" % tmp_path, {}), ("${API_TOKEN}", {"API_TOKEN": "opensesame"})]:
        f = write(tmp_path / "w.json", config(sinks=[{"type": "tcp", "address": value}]))
        status, out, err = weir("check", "-c", f, env=env)
        assert status == 2 and "opensesame" not in out + err and 'got "***"' in err


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_check_opens_nothing_it_is_not_told_to(tmp_path):
    f = write(tmp_path / "w.json", {"data_dir": str(tmp_path / "data"), **config(
        sources=[{"type": "tail", "include": str(tmp_path / "*.log")}],
        sinks=[{"type": "tcp", "address": "127.0.0.1:9"}, {"type": "file", "path": str(tmp_path / "out")}])})
    write(tmp_path / "a.log", "x\n")
    trace = tmp_path / "trace"
    calls = "trace=openat,open,creat,mkdir,mkdirat,socket,connect,unlink,rename"
    subprocess.run(["strace", "-f", "-e", calls, "-o", trace, WEIR, "check", "-c", f], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})  # it does not work under strace
    lines = [line for line in trace.read_text().splitlines() if str(tmp_path) in line or "socket(" in line]
    assert len(lines) == 1 and "w.json" in lines[0], lines


# --- list, schema, version --------------------------------------------------------------------

def test_reference_is_what_the_tables_say():
    """After a change to a table: weir list --format markdown > docs/reference.md"""
    assert weir("list", "--format", "markdown") == (0, (ROOT / "docs/reference.md").read_text(), "")


def test_list_names_every_stage():
    assert weir("list", "--format", "names")[1].split() == STAGES
    overview = weir("list")[1]
    assert all(f"  {s.split('/')[1]} " in overview for s in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_manual_of_a_stage(stage, tmp_path):
    kind, name = stage.split("/")
    status, page, err = weir("list", name)
    assert (status, err) == (0, "")
    page = re.search(rf"^{name} \({kind}\): .*?\nExample\n.*?$", page, re.M | re.S)[0]  # a source and a sink may share a name
    example = json.loads(page.split("\nExample\n")[1])
    key = {"source": "sources", "transform": "transforms", "sink": "sinks"}[kind]
    f = write(tmp_path / "w.json", config(**{key: [example]}))
    assert weir("check", "-c", f)[0] == 0
    assert "not built" not in page


def test_list_of_an_unknown_stage():
    assert weir("list", "tial") == (
        2, "", 'weir list: there is no stage "tial" (did you mean "tail"?)\nTry "weir list --help".\n')


@pytest.fixture(scope="module")
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    text = json.loads(weir("schema")[1])
    jsonschema.Draft202012Validator.check_schema(text)
    return jsonschema.Draft202012Validator(text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_schema_takes_the_examples(schema, example):
    schema.validate(json.loads(example.read_text()))


@pytest.mark.parametrize("good", [
    config(),
    {"$schema": "weir.schema.json", "include": "conf.d/*.json"},
    config(sources=[{"type": "tail", "include": "x", "max_line_bytes": "${SIZE}"}]),
    config(sinks=[{"type": "tcp", "address": "[::1]:80", "queue": {"max_bytes": 1, "when_full": "${POLICY}"}}]),
    config(sinks=[{"type": "stdout", "where": ".a", "transforms": [{"type": "json"}]}]),
    {"memory_limit": "1.5GiB", "shutdown_timeout": 0.5, **config()},
], ids=json.dumps)
def test_schema_takes(schema, good):
    schema.validate(good)


@pytest.mark.parametrize("bad", [
    [],
    {"data_dri": "/x"},
    {"admin": {"listen": "a:1"}},
    {"memory_limit": 1},
    {"memory_limit": "64 MiB"},
    {"shutdown_timeout": "1 s"},
    {"pipelines": {"a b": config()["pipelines"]["p"]}},
    {"pipelines": {"p": {"sources": [{"type": "stdin"}]}}},
    config(sources=[]),
    config(sources=[{}]),
    config(sources=[{"type": "tial"}]),
    config(sources=[{"type": "gzip"}]),
    config(sources=[{"type": "tail"}]),
    config(sources=[{"type": "tail", "include": []}]),
    config(sources=[{"type": "tail", "include": "x", "start_at": "middle"}]),
    config(sources=[{"type": "tail", "include": "x", "multiline": {"begin": "x"}}]),
    config(sources=[{"type": "tail", "include": "x", "strip_cr": "yes"}]),
    config(transforms=[{"type": "gzip", "level": 12}]),
    config(transforms=[{"type": "gzip", "level": 1.5}]),
    config(transforms=[{"type": "json", "feild": ".a"}]),
    config(sources=[{"type": "journald"}]),
    config(sinks=[{"type": "tcp", "address": "localhost"}]),
    config(sinks=[{"type": "file", "path": "/x", "mode": "rw"}]),
    config(sinks=[{"type": "stdout", "queue": {"type": "tape"}}]),
    config(sinks=[{"type": "stdout", "name": "a/b"}]),
    config(sinks=[{"type": "stdout", "transforms": [{"type": "stdout"}]}]),
], ids=json.dumps)
def test_schema_and_check_refuse(schema, tmp_path, bad):
    assert list(schema.iter_errors(bad))
    assert weir("check", "-c", write(tmp_path / "w.json", bad))[0] == 2


def test_version():
    status, out, _ = weir("version")
    lines = out.splitlines()
    assert status == 0 and lines[0].startswith("weir ")
    assert [line.split()[0] for line in lines[1:]] == ["libev", "jansson", "zlib", "pcre2", "gzip", "zstd", "lz4"]
    assert weir("--version")[1] == out


# --- usage ------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", COMMANDS)
def test_help_on_everything(command):
    status, page, err = weir(command, "--help")
    assert (status, err) == (0, "") and page.startswith(f"Usage: weir {command} ")
    assert weir("help", command)[1] == page
    assert f"  {command} " in weir("--help")[1]
    assert all(flag in page for flag in ("--log-level", "--log-format", "--color", "--help"))


@pytest.mark.parametrize("args, said", [
    ([], "Usage: weir COMMAND"),
    (["chekc"], 'weir: unknown command "chekc" (did you mean "check"?)'),
    (["help", "lisst"], 'weir: unknown command "lisst" (did you mean "list"?)'),
    (["--verison"], 'weir: unknown flag "--verison" (did you mean "--version"?)'),
    (["check"], "weir check: which configuration? -c FILE is missing"),
    (["check", "-c"], "weir check: --config needs a value: FILE"),
    (["check", "--confgi=x"], 'weir check: unknown flag "--confgi" (did you mean "--config"?)'),
    (["check", "--env", "-c", "x"], 'weir check: unknown flag "--env"'),
    (["check", "-x"], "weir check: unknown flag -x"),
    (["check", "-c", "x", "y"], 'weir check: unexpected "y"'),
    (["check", "--format", "xml"], 'weir check: --format: expected text|json, got "xml"'),
    (["list", "tail", "json"], 'weir list: unexpected "json"'),
    (["schema", "x"], 'weir schema: unexpected "x"'),
    (["--log-level", "loud", "version"], 'weir: --log-level: expected error|warn|info|debug, got "loud"'),
    (["version", "--color=maybe"], 'weir version: --color: expected auto|always|never, got "maybe"'),
    (["version", "--help=yes"], "weir version: --help takes no value"),
])
def test_wrong_usage(args, said):
    status, out, err = weir(*args)
    assert (status, out) == (2, "") and err.startswith(said)


def test_flags_stand_before_or_behind_the_command():
    for args in (["--color", "never", "--log-format=json", "version"], ["version", "--log-level", "debug"]):
        assert weir(*args)[0] == 0


def test_full_disk_is_a_failure():
    with open("/dev/full", "w") as full:
        run = subprocess.run([WEIR, "schema"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1 and "No space left" in run.stderr
