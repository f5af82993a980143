"""Many stages, many pipelines: start, run and stop cleanly, in the memory that the bounds promise."""
import json
import os
import time

from harness import MIB, SANITIZED, Weir, append, config, file, out_lines, tail, wait


def test_a_hundred_stages(tmp_path):
    """Each tenth one parses, sets, renames, removes and filters; what comes of it is computed here."""
    log, out = tmp_path / "app.log", tmp_path / "out"
    chain = [{"type": "json"}]
    for i in range(33):
        chain += [{"type": "set", "fields": {f".f{i}": f".n + {i}"}},
                  {"type": "rename", "fields": {f".f{i}": f".g{i}"}},
                  {"type": "filter", "where": f".g{i} != {1000 + 2 * i}"}]  # drops n == 1000 + i
    assert len(chain) == 100
    log.write_bytes(b"".join(b'{"n":%d,"keep":1.50}\n' % n for n in range(20000)))
    weir = Weir(tmp_path, config(tmp_path, tail(log), file(out), chain, memory_limit="32MiB"))
    wanted = [n for n in range(20000) if not 1000 <= n < 1033]
    wait(lambda: out.exists() and len(out_lines(out)) >= len(wanted), "all records", 60)
    if not SANITIZED:
        assert weir.peak_rss() < 48 * MIB
    began = time.monotonic()
    weir.stop()
    assert time.monotonic() - began < 5
    rows = out_lines(out)
    assert [json.loads(row)["n"] for row in rows] == wanted
    assert rows[0] == b'{"n":0,"keep":1.50,' + b",".join(b'"g%d":%d' % (i, i) for i in range(33)) + b"}"


def many(tmp_path, count, change=None):
    pipelines = {}
    for i in range(count):
        sink = file(tmp_path / f"out/{i}" if i != change else tmp_path / "out/changed")
        pipelines[f"p{i}"] = {"sources": [tail(tmp_path / f"logs/{i}.log")], "transforms": [{"type": "json"}], "sinks": [sink]}
    return {"data_dir": str(tmp_path / "data"), "pipelines": pipelines}


def test_a_thousand_pipelines(tmp_path):
    count = 1000
    (tmp_path / "logs").mkdir()
    for i in range(count):
        (tmp_path / f"logs/{i}.log").write_bytes(b'{"n":%d}\n' % i)
    weir = Weir(tmp_path, many(tmp_path, count), nofile=8192)

    def arrived(lines):
        return all((tmp_path / f"out/{i}").exists() and (tmp_path / f"out/{i}").stat().st_size == lines * len(b'{"n":%d}\n' % i)
                   for i in range(count))
    wait(lambda: arrived(1), "the first line of each", 60)
    for i in range(count):
        append(tmp_path / f"logs/{i}.log", b'{"n":%d}\n' % i)
    wait(lambda: arrived(2), "the second line of each", 60)
    if not SANITIZED:
        assert weir.rss() < (64 + 16) * MIB
    weir.configure(many(tmp_path, count, change=7))
    weir.signal(1)
    weir.wait_log("reload", 60)
    append(tmp_path / "logs/7.log", b'{"n":"7"}\n')
    append(tmp_path / "logs/8.log", b'{"n":8}\n')
    wait(lambda: (tmp_path / "out/changed").exists() and out_lines(tmp_path / "out/changed") == [b'{"n":"7"}'], "the changed pipeline", 60)
    wait(lambda: len(out_lines(tmp_path / "out/8")) == 3, "one that did not change")
    weir.stop(timeout=30)
    assert len(out_lines(tmp_path / "out/7")) == 2 and "error" not in weir.log
    assert len(os.listdir(tmp_path / "out")) == count + 1
