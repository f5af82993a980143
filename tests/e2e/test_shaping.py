"""Stages that hold records back, or read time and syslog, in the whole agent."""
import datetime
import json
import re
import shutil
import subprocess
import time

import pytest

from harness import Weir, append, config, file, once, tail, wait


def output(tmp_path):
    path = tmp_path / "out.log"
    return path.read_text().splitlines() if path.exists() else []


def chain(tmp_path, *transforms, **options):
    return config(tmp_path, tail(tmp_path / "in.log"), file(tmp_path / "out.log"), list(transforms), **options)


# ---- throttle ------------------------------------------------------------------------------------


def test_a_stop_passes_on_what_waits(tmp_path):
    """A day's wait is not sat out: everything under way is delivered, and the checkpoint says so."""
    append(tmp_path / "in.log", ("".join("line %d\n" % i for i in range(1000))).encode())
    weir = Weir(tmp_path, chain(tmp_path, {"type": "throttle", "rate": 10, "per": "1d", "when_exceeded": "block"}))
    wait(lambda: len(output(tmp_path)) >= 10, "the burst")
    time.sleep(0.3)
    assert len(output(tmp_path)) == 10
    weir.stop()
    assert output(tmp_path) == ["line %d" % i for i in range(1000)]
    once(tmp_path, chain(tmp_path))
    assert len(output(tmp_path)) == 1000  # nothing twice


def test_a_throttled_pipeline_throttles_its_source(tmp_path):
    append(tmp_path / "in.log", (("x" * 999 + "\n") * 40000).encode())
    transform = {"type": "throttle", "rate": 10, "per": "1d", "when_exceeded": "block"}
    weir = Weir(tmp_path, chain(tmp_path, transform, memory_limit="4MiB"))
    wait(lambda: len(output(tmp_path)) == 10, "the burst")
    time.sleep(0.5)
    assert weir.rss() < 25 << 20
    weir.kill()
    once(tmp_path, chain(tmp_path))
    assert len(output(tmp_path)) in (40000, 40010)  # what was not acknowledged was read again


# ---- dedupe --------------------------------------------------------------------------------------


def test_a_held_repeat_survives_a_crash(tmp_path):
    append(tmp_path / "in.log", ("first\nsame\nsame\nsame\nother\n").encode())
    transform = {"type": "dedupe", "window": "60s", "count": ".n"}
    weir = Weir(tmp_path, chain(tmp_path, transform))
    wait(lambda: output(tmp_path) == ["first", "same", "other"], "what passes at once")
    time.sleep(1.3)  # past a checkpoint
    weir.kill()
    once(tmp_path, chain(tmp_path, transform))
    assert '{"message":"same","n":2}' in output(tmp_path)


def test_the_end_of_a_window(tmp_path):
    append(tmp_path / "in.log", ("same\nsame\nsame\n").encode())
    weir = Weir(tmp_path, chain(tmp_path, {"type": "dedupe", "window": "500ms", "count": ".n"}))
    wait(lambda: output(tmp_path) == ["same", '{"message":"same","n":2}'], "the repeat")
    append(tmp_path / "in.log", ("same\n").encode())
    wait(lambda: output(tmp_path)[2:] == ["same"], "the first of a new window")
    weir.stop()
    assert len(output(tmp_path)) == 3


# ---- syslog_parse, timestamp ---------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("logger") is None, reason="needs logger")
@pytest.mark.parametrize("format", ["--rfc3164", "--rfc5424"])
def test_what_logger_writes(tmp_path, format):
    run = subprocess.run(["logger", "--no-act", "--stderr", "-n", "127.0.0.1", "-d", format, "--id=4711", "-t", "app", "-p", "auth.err", "it is: all [well]"],
                         capture_output=True, text=True, check=True)
    append(tmp_path / "in.log", (run.stderr).encode())
    once(tmp_path, chain(tmp_path, {"type": "syslog_parse"}, {"type": "set", "fields": {".at": "@time"}}))
    record, = map(json.loads, output(tmp_path))
    assert (record["facility"], record["severity"], record["appname"], record["procid"]) == ("auth", "err", "app", "4711")
    assert record["message"] == "it is: all [well]"
    assert re.fullmatch(r"[^ ]+", record["hostname"])
    assert abs(record["at"] - time.time()) < 60
    assert abs(datetime.datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00")).timestamp() - record["at"]) < 0.01


def test_time_from_a_field(tmp_path):
    append(tmp_path / "in.log", ('{"ts":"05/Nov/2025:10:00:00 +0100"}\n{"ts":"soon"}\n').encode())
    once(tmp_path, chain(tmp_path, {"type": "json"}, {"type": "timestamp", "field": ".ts", "format": ["rfc3339", "common_log"]},
                         {"type": "set", "fields": {".day": "format_time(@time, '%Y/%m/%d')"}}))
    first, second = map(json.loads, output(tmp_path))
    assert first["day"] == "2025/11/05"
    assert second["day"] in {datetime.datetime.fromtimestamp(time.time() - s, datetime.timezone.utc).strftime("%Y/%m/%d") for s in (0, 60)}
