"""Dead letters: what a sink can never deliver is in a file, with the reason, and counts as delivered when it is there."""
import base64
import json
import random
import signal
import subprocess

import pytest

from harness import LONG, SANITIZED, WEIR, Weir, Writer, append, checkpoint, config, expect_all, expect_once, file, lines, once, stays, tail, wait
from relp import RelpServer


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    append(path, b"")
    return path


def relp(server, letters, **options):
    return {"type": "relp", "address": f"127.0.0.1:{server if isinstance(server, int) else server.port}", "dead_letter": file(letters), **options}


def delivered(tmp_path, log):
    return wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "all to be delivered", 40)


def read(path):
    return [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []


def refuses(odd):
    """A server that never takes the records for which odd(data)."""
    return RelpServer(behave=lambda session, txnr, data: session.no(txnr, b"500 not in my house") if odd(data) else session.ok(txnr))


def test_a_refused_record_with_its_reason(tmp_path, log):
    server = refuses(lambda data: b"bad" in data)
    dead = tmp_path / "dead" / "letters"
    append(log, b"one\nbad line\n" + b'{"bad": 1.50,  "b": [ ]}\n' + b"bad \xff\nfive\n")
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, dead, attempts=1), [{"type": "json"}]))
    delivered(tmp_path, log)
    state = weir.state()
    weir.stop()
    assert "out 2 records" in state["p/relp"] and "refused 3" in state["p/relp"] and "dropped" not in state["p/relp"]
    assert "in 3 records" in state["p/relp.dead_letter"] and "out 3 records" in state["p/relp.dead_letter"]
    assert server.taken == [b"one", b"five"]
    letters = read(dead)
    for x in letters:
        assert x["reason"] == "refused by the peer: 500 not in my house"
        assert (x["pipeline"], x["sink"], x["source"], x["path"]) == ("p", "relp", "tail", str(log))
        assert x["time"].startswith("20") and x["time"].endswith("Z") and x["host"]
    assert [x["offset"] for x in letters] == [4, 13, 38]
    assert letters[0]["message"] == "bad line" and letters[1]["record"] == {"bad": 1.5, "b": []}
    assert base64.b64decode(letters[2]["message_base64"]) == b"bad \xff"
    assert '"record":{"bad":1.50,"b":[]}' in dead.read_text(), "numbers keep their spelling"
    assert "refuses a record for good: 500 not in my house: a dead letter" in weir.log


def test_a_record_that_is_too_long(tmp_path, log):
    server, dead = RelpServer(), tmp_path / "dead"
    append(log, lines(0, 10) + b"x" * 200_000 + b"\n" + lines(10, 20))
    once(tmp_path, config(tmp_path, tail(log), relp(server, dead)))
    expect_once(server.taken, 20)
    letter, = read(dead)
    assert letter["reason"] == "longer than max_record_bytes" and letter["message"] == "x" * 200_000


def test_it_counts_when_the_file_has_it(tmp_path, log):
    """The place for dead letters cannot be written to: the record is not delivered before it can."""
    server, dead = refuses(lambda data: data == b"n 5"), tmp_path / "there" / "dead"
    (tmp_path / "there").write_text("in the way of a directory")
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, dead, attempts=1)))
    server.wait_taken(9)
    stays(lambda: checkpoint(tmp_path / "data").get(str(log), 0) == 0, 1.5, "the letter is not written")
    (tmp_path / "there").unlink()
    delivered(tmp_path, log)
    weir.stop()
    assert [x["message"] for x in read(dead)] == ["n 5"]


def test_memory_is_bounded_when_everything_is_refused(tmp_path, log):
    count = 20_000 if SANITIZED else 200_000
    server, dead = refuses(lambda data: True), tmp_path / "dead"
    append(log, lines(0, count, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, dead, attempts=1), memory_limit="4MiB"))
    delivered(tmp_path, log)
    assert SANITIZED or weir.peak_rss() < 24 << 20
    weir.stop()
    expect_once([x["message"].encode() for x in read(dead)], count)


def test_stop_with_letters_that_cannot_be_written(tmp_path, log):
    server, dead = refuses(lambda data: data == b"n 5"), tmp_path / "there" / "dead"
    (tmp_path / "there").write_text("in the way of a directory")
    append(log, lines(0, 10))
    setup = config(tmp_path, tail(log), relp(server, dead, attempts=1), shutdown_timeout="1s")
    weir = Weir(tmp_path, setup)
    server.wait_taken(9)
    weir.stop(status=1)
    assert "p/relp: 1 records were read and not delivered" in weir.log and weir.log.count("not delivered:") == 1
    assert checkpoint(tmp_path / "data").get(str(log), 0) == 0
    (tmp_path / "there").unlink()
    Weir(tmp_path, setup, "--once").finish()
    assert [x["message"] for x in read(dead)] == ["n 5"]
    assert expect_all([x for x in server.taken] + [b"n 5"], 10) == 9


def test_each_sink_has_its_own(tmp_path, log):
    a, b = refuses(lambda data: data.endswith(b"1")), refuses(lambda data: data.endswith(b"2"))
    append(log, lines(0, 100))
    once(tmp_path, config(tmp_path, tail(log), [{**relp(a, tmp_path / "dead-a", attempts=1), "name": "a"},
                                                {**relp(b, tmp_path / "dead-b", attempts=1), "name": "b"}]))
    for server, name, digit in ((a, "a", "1"), (b, "b", "2")):
        letters = read(tmp_path / f"dead-{name}")
        assert {x["sink"] for x in letters} == {name} and len(letters) == 10
        assert all(x["message"].endswith(digit) for x in letters)
        expect_once(sorted(server.taken + [x["message"].encode() for x in letters], key=lambda x: int(x[2:])), 100)


def test_kill_9_loses_no_letter(tmp_path, log):
    kills = 60 if LONG else 6 if SANITIZED else 12
    rng, dead = random.Random(5), tmp_path / "dead"
    server = refuses(lambda data: data.split(b" ")[1].endswith(b"7"))
    writer = Writer(log, pause=0.0002)
    setup = config(tmp_path, tail(log), relp(server, dead, attempts=1))
    for _ in range(kills):
        weir = Weir(tmp_path, setup).wait_log("connected")
        seen = writer.count
        writer.written(seen + 100 + rng.randrange(1500))
        weir.kill()
    count = writer.stop()
    weir = Weir(tmp_path, setup)
    delivered(tmp_path, log)
    weir.stop()
    letters = [x["message"].encode() for x in read(dead)]
    assert all(x.split(b" ")[1].endswith(b"7") for x in letters) and len(letters) >= count // 10
    repeated = expect_all(server.taken + letters, count)
    print(f"{count} lines, {kills} kills, 0 lost, {repeated} twice, {len(letters)} letters")


def check(tmp_path, sink, *more):
    f = tmp_path / "c.json"
    f.write_text(json.dumps(config(tmp_path, tail("/var/log/x/*.log"), [sink, *more])))
    got = subprocess.run([WEIR, "check", "-c", f], capture_output=True, text=True)
    return got.returncode, got.stderr


@pytest.mark.parametrize("letters, says", [
    ({}, "dead_letter.type: required option missing"),
    (5, 'dead_letter: expected an object with "type": "file", got 5'),
    ({"type": "tcp", "address": "a:1"}, 'dead_letter.type: expected "file", the only place for dead letters, got "tcp"'),
    ({"type": "file"}, "dead_letter.path: required option missing"),
    ({"type": "file", "path": "/x", "encoding": "json"}, "dead_letter.encoding: dead letters have a format of their own: leave it out"),
    ({"type": "file", "path": "/x", "dead_letter": {"type": "file", "path": "/y"}}, "dead_letter.dead_letter: unknown option"),
    ({"type": "file", "path": "/x", "where": "true"}, "dead_letter.where: unknown option"),
    ({"type": "file", "path": "/var/log/x/dead.log"}, 'would read this file again'),
    ({"type": "file", "path": "/out"}, 'two sinks write to "/out"'),
    ({"type": "file", "path": "/dead"}, 'two sinks write to "/dead"'),
], ids=json.dumps)
def test_what_cannot_be(tmp_path, letters, says):
    status, err = check(tmp_path, {"type": "relp", "address": "a:1", "dead_letter": letters}, file("/out"),
                        {**relp(1, "/dead"), "name": "other"})
    assert status == 2 and says in err, err


def test_dry_run_shows_the_letter(tmp_path, log):
    append(log, b"short\nlonger than twenty bytes\n")
    f = tmp_path / "c.json"
    f.write_text(json.dumps(config(tmp_path, tail(log), relp(1, tmp_path / "dead", max_record_bytes=20))))
    got = subprocess.run([WEIR, "dry-run", "-c", f, "--format", "json"], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(x) for x in got.splitlines()]
    letter, = rows[1]["output"]
    assert rows[0]["output"][0]["sink"] == "relp"
    assert letter["sink"] == "relp.dead_letter" and letter["place"] == str(tmp_path / "dead")
    assert json.loads(letter["bytes"])["message"] == "longer than twenty bytes" and not (tmp_path / "dead").exists()


def test_sighup_lets_go_of_a_file_that_was_moved(tmp_path, log):
    server, dead = refuses(lambda data: True), tmp_path / "dead"
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, dead, attempts=1)))
    append(log, lines(0, 10))
    delivered(tmp_path, log)
    dead.rename(tmp_path / "dead.1")
    weir.signal(signal.SIGHUP)
    append(log, lines(10, 20))
    delivered(tmp_path, log)
    weir.stop()
    assert len(read(tmp_path / "dead.1")) == 10 and len(read(dead)) == 10
