"""Two hundred kills of weir, and many of its receiver, while logs are rotated in every way: see crash.py, which also runs for hours."""
import os

import pytest

import crash
from harness import LONG, SANITIZED

JOBS = 4  # most of the time of a job is waiting
KILLS = {"tcp": 80, "file": 60, "sync": 20, "gzip": 20, "zstd": 10, "lz4": 10,
         "exact": 30, "exact-gzip": 20, "exact-rotate": 20, "exact-paths": 20}


@pytest.mark.parametrize("mode", crash.MODES)
def test_no_line_is_lost(tmp_path, mode, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    kills = KILLS[mode] * 5 if LONG else max(KILLS[mode] // 4, 10) if SANITIZED else KILLS[mode]
    jobs = min(JOBS, kills // 10)
    figures = crash.many(mode, seed=1, kills=kills, jobs=jobs)
    print(figures)
    assert figures["kills"] == kills and figures["lost"] == 0 and figures["lines"] > kills * 100
    assert figures["rotations"] > kills and figures["clock jumps"] > 0 and figures["freezes"] > 0
    assert mode in ("file", "sync") or figures["torn"] == 0
    assert mode not in crash.EXACT or figures["repeated"] == 0
    if mode == "tcp":
        assert figures["receiver kills"] > kills / 4
    if os.geteuid() == 0 and kills >= 60:
        assert figures["full disks"] > 0
