"""Input that no one would call a log: nothing of it stops anything else, and each is told with its name."""
import os
import zlib

import pytest

from harness import (MIB, SANITIZED, Weir, append, checkpoint, config, expect_once, file, lines, numbers, once, out_lines, tail,
                     wait_out)

HUGE = (20 if SANITIZED else 100) * MIB


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_invalid_utf8_and_nul_bytes_arrive_as_they_are(tmp_path, out):
    text = b"".join(bytes([b]) * 3 + b" %d\n" % b for b in range(256) if b != 10) + b"\0\n\xc0\xaf\n\xed\xa0\x80\n"
    append(tmp_path / "a.log", text)
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out), [{"type": "json"}]))
    assert out.read_bytes() == text


def test_invalid_utf8_as_json_is_json(tmp_path, out):
    import json
    append(tmp_path / "a.log", b"bad \xff byte\0 and \"quote\"\nfine\n")
    once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out, encoding="json")))
    got = [json.loads(x.decode("utf-8")) for x in out_lines(out)]
    assert [list(x) for x in got] == [["message"], ["message"]]
    assert got[1]["message"] == "fine" and got[0]["message"].endswith("byte\0 and \"quote\"")


def test_empty_file(tmp_path, out):
    append(tmp_path / "a.log", b"")
    append(tmp_path / "b.log", lines(0, 3))
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), file(out)))
    expect_once(out_lines(out), 3)
    assert "warn" not in weir.log and "error" not in weir.log


@pytest.mark.parametrize("mode, words", [("truncate", "truncated"), ("split", "split"), ("skip", "skipped")])
def test_huge_line(tmp_path, out, mode, words):
    """It is told with file and offset, memory stays within bounds, and the file goes on behind it."""
    log = tmp_path / "a.log"
    with open(log, "wb") as f:
        f.write(b"n 0\n")
        for i in range(HUGE // MIB):
            f.write(bytes([65 + i % 26]) * MIB)
        f.write(b"\nn 1\n")
    weir = Weir(tmp_path, config(tmp_path, tail(log, on_long_line=mode), file(out), memory_limit="4MiB"))
    wait_out(out, 2 if mode == "skip" else 3 if mode == "truncate" else 2 + HUGE // MIB, weir=weir)
    weir.wait_log(rf"{log}: line at offset 4 .*{words}")
    assert SANITIZED or weir.peak_rss() < 24 * MIB
    weir.stop()
    got = out_lines(out)
    expect_once([got[0], got[-1]], 2)
    middle = got[1:-1]
    if mode == "truncate":
        assert middle == [b"A" * MIB]
    elif mode == "split":
        assert b"".join(middle) == log.read_bytes()[4:-5] and max(map(len, middle)) == MIB
    else:
        assert middle == []
    assert checkpoint(tmp_path / "data")[str(log)] == HUGE + 9


@pytest.mark.parametrize("mode", ["truncate", "split", "skip"])
def test_huge_line_that_grows_slowly_and_a_restart_in_it(tmp_path, out, mode):
    log = tmp_path / "a.log"
    setup = config(tmp_path, tail(log, on_long_line=mode, max_line_bytes=1000), file(out))
    append(log, b"n 0\n" + b"x" * 1500)
    weir = Weir(tmp_path, setup)
    wait_out(out, 1, weir=weir)
    for _ in range(5):
        append(log, b"x" * 700)
    weir.stop()
    append(log, b"x" * 1000)
    weir = Weir(tmp_path, setup)
    append(log, b"x" * 500 + b"\nn 1\n")
    want = {"truncate": 3, "split": 2 + 7, "skip": 2}[mode]
    got = wait_out(out, want, weir=weir)
    weir.stop()
    expect_once(got, 2)
    body = [x for x in got if x.startswith(b"x")]
    if mode == "truncate":
        assert body == [b"x" * 1000]
    elif mode == "split":
        assert b"".join(body) == b"x" * 6500 and all(len(x) <= 1000 for x in body)
    else:
        assert body == []


@pytest.mark.parametrize("size", [999, 1000, 1001])
@pytest.mark.parametrize("mode", ["truncate", "split", "skip"])
def test_lines_around_the_limit(tmp_path, out, size, mode):
    append(tmp_path / "a.log", b"y" * size + b"\n" + b"z\n" + b"w" * size)
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "a.log", on_long_line=mode, max_line_bytes=1000), file(out)))
    got = out_lines(out)
    if size <= 1000:
        assert got == [b"y" * size, b"z", b"w" * size] and "warn" not in weir.log
    elif mode == "truncate":
        assert got == [b"y" * 1000, b"z", b"w" * 1000]
    elif mode == "split":
        assert got == [b"y" * 1000, b"y", b"z", b"w" * 1000, b"w"]
    else:
        assert got == [b"z"]
    assert weir.log.count("line at offset") == (2 if size > 1000 else 0)


def test_what_is_no_regular_file(tmp_path, out):
    (tmp_path / "dir.log").mkdir()
    os.mkfifo(tmp_path / "fifo.log")
    (tmp_path / "dangling.log").symlink_to("nowhere")
    (tmp_path / "loop.log").symlink_to("loop.log")
    (tmp_path / "zero.log").symlink_to("/dev/zero")
    append(tmp_path / "good.log", lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log", rescan_interval="100ms"), file(out)))
    expect_once(wait_out(out, 10, weir=weir), 10)
    for name, words in [("dir", "is a directory"), ("fifo", "is a FIFO"), ("dangling", "is a link that leads nowhere"),
                        ("loop", "cannot be looked at: Too many levels"), ("zero", "is not a regular file")]:
        weir.wait_log(f"{tmp_path}/{name}.log {words}")
    append(tmp_path / "good.log", lines(10, 20))
    append(tmp_path / "nowhere", lines(0, 5, "late"))
    (tmp_path / "dangling.log").unlink()
    (tmp_path / "dangling.log").symlink_to("nowhere")
    got = wait_out(out, 25, weir=weir)
    expect_once(got, 20)
    expect_once(got, 5, "late")
    weir.stop()
    assert weir.log.count("is a FIFO") == 1, "said once"


def test_dangling_link_whose_target_comes(tmp_path, out):
    """Nothing happens in the folder of the link: the rescan finds it."""
    (tmp_path / "far").mkdir()
    (tmp_path / "a.log").symlink_to("far/target")
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "*.log", rescan_interval="200ms"), file(out)))
    weir.wait_log("leads nowhere")
    append(tmp_path / "far/target", lines(0, 5))
    expect_once(wait_out(out, 5, weir=weir), 5)
    weir.stop()


# ---- the checkpoint ------------------------------------------------------------------------------

def sealed(body):
    """A checkpoint with a right end line."""
    return body + b"end %d %08x\n" % (body.count(b"\nfile "), zlib.crc32(body))


@pytest.mark.parametrize("damage", [
    lambda text: b"", lambda text: b"garbage\n", lambda text: os.urandom(300), lambda text: text[:-10],
    lambda text: text.replace(b"file p tail", b"file p tali"), lambda text: text[:40] + b"\0" + text[41:],
    lambda text: sealed(text.rsplit(b"end", 1)[0].replace(b"weir-checkpoint 3", b"weir-checkpoint 2")),
    lambda text: b"weir-checkpoint 99\nsomething else\n",
], ids=["empty", "text", "random", "cut", "flipped", "nul", "version2", "version99"])
def test_damaged_checkpoint(tmp_path, out, damage):
    """It is kept aside under another name, told, and everything is read again, even with start_at end."""
    log = tmp_path / "a.log"
    append(log, lines(0, 10))
    setup = config(tmp_path, tail(log), file(out))
    once(tmp_path, setup)
    path = tmp_path / "data/checkpoint"
    bad = damage(path.read_bytes())
    path.write_bytes(bad)
    append(log, lines(10, 20))
    weir = once(tmp_path, config(tmp_path, tail(log, start_at="end"), file(out)))
    assert f"{path} is not usable" in weir.log and "error" in weir.log
    assert (tmp_path / "data/checkpoint.bad").read_bytes() == bad
    assert numbers(out_lines(out)) == [*range(10), *range(20)]
    path.write_bytes(bad)
    once(tmp_path, setup)
    assert (tmp_path / "data/checkpoint.bad.1").exists()
    append(log, lines(20, 21))
    once(tmp_path, setup)
    assert numbers(out_lines(out))[-1] == 20 and len(out_lines(out)) == 51


def test_checkpoint_that_is_a_directory(tmp_path, out):
    append(tmp_path / "a.log", lines(0, 10))
    (tmp_path / "data/checkpoint").mkdir(parents=True)
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out)), status=1)
    assert f"{tmp_path}/data/checkpoint" in weir.log


def test_data_dir_that_cannot_be(tmp_path, out):
    append(tmp_path / "data", b"a file")
    append(tmp_path / "a.log", lines(0, 10))
    weir = once(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), file(out)), status=1)
    assert f"{tmp_path}/data" in weir.log and not out.exists()


def test_left_over_temporary_files_do_not_matter(tmp_path, out):
    log = tmp_path / "a.log"
    append(log, lines(0, 10))
    setup = config(tmp_path, tail(log), file(out))
    once(tmp_path, setup)
    names = set(os.listdir(tmp_path / "data"))
    assert names == {"checkpoint", "lock"}, names
    for name in ["checkpoint.tmp", "checkpoint.new", ".checkpoint.tmp"]:
        (tmp_path / "data" / name).write_bytes(b"half written")
    append(log, lines(10, 20))
    once(tmp_path, setup)
    expect_once(out_lines(out), 20)
