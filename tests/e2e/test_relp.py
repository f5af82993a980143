"""The relp sink: with the real rsyslog (imrelp) and with a server that dies, is late, refuses, talks nonsense or says nothing."""
import json
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from harness import (LONG, MIB, SANITIZED, SLOW, WEIR, Weir, Writer, append, checkpoint, config, expect_all, expect_once, free_port, lines, once,
                     stays, tail, wait)
from pki import Pki
from relp import OFFERS, RelpServer, frame
from rsyslog import Rsyslog


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    append(path, b"")
    return path


def relp(*servers, **options):
    addresses = [f"127.0.0.1:{x if isinstance(x, int) else x.port}" for x in servers]
    return {"type": "relp", "address": addresses if len(addresses) > 1 else addresses[0], **options}


def delivered(tmp_path, log):
    return wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "all to be delivered", 40)


def offset(tmp_path, log):
    return checkpoint(tmp_path / "data").get(str(log), 0)


# ---- a server that does as it should ----------------------------------------------------------------

def test_a_session_from_open_to_close(tmp_path, log):
    server = RelpServer()
    append(log, lines(0, 1000) + b"\n" + b"<13>\xff\x00\xc3 x\n")
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    stays(lambda: len(server.sessions) == 1, 0.1, "one session is enough")
    weir.stop()
    assert server.taken[-2:] == [b"", b"<13>\xff\x00\xc3 x"]
    expect_once(server.taken[:-2], 1000)
    session = server.sessions[0]
    assert session.closed and re.fullmatch(rb"relp_version=0\nrelp_software=weir,[0-9.]+\ncommands=syslog", session.offers)
    assert "warn" not in weir.log


def test_records_with_line_feeds_are_one_frame_each(tmp_path, log):
    server = RelpServer()
    append(log, b"a\n  b\n  c\nd\n 1 syslog 3 x\ne\n")
    once(tmp_path, config(tmp_path, tail(log, multiline={"continue": "^ "}), relp(server, encoding="text")))
    assert server.taken == [b"a\n  b\n  c", b"d\n 1 syslog 3 x", b"e"]


def test_it_counts_when_it_is_answered_and_not_before(tmp_path, log):
    held = []
    server = RelpServer(behave=lambda session, txnr, data: held.append((session, txnr)))
    append(log, lines(0, 50))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    wait(lambda: len(held) == 50, "fifty records")
    stays(lambda: offset(tmp_path, log) == 0, 1.2, "nothing was answered, so nothing is delivered")
    for session, txnr in held[1:]:
        session.ok(txnr)
    stays(lambda: offset(tmp_path, log) == 0, 1.2, "the first one was not answered")
    held[0][0].ok(held[0][1])
    delivered(tmp_path, log)
    weir.stop()
    expect_once(sorted(server.taken, key=lambda x: int(x[2:])), 50)


def test_no_more_than_the_window_is_under_way(tmp_path, log):
    seen = []
    server = RelpServer(behave=lambda session, txnr, data: seen.append(txnr))
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, window=7)))
    wait(lambda: len(seen) >= 7, "the window to be full")
    stays(lambda: len(seen) == 7, 0.3, lambda: f"{len(seen)} records are under way")
    server.behave = lambda session, txnr, data: session.ok(txnr)
    for txnr in reversed(list(seen)):  # out of order
        server.sessions[0].ok(txnr)
    delivered(tmp_path, log)
    weir.stop()
    expect_once(sorted(server.taken, key=lambda x: int(x[2:])), 1000)


def test_answers_out_of_order(tmp_path, log):
    rng, held = random.Random(1), []

    def shuffle(session, txnr, data):
        held.append(txnr)
        if len(held) == 40 or len(server.taken) + len(held) == 5000:
            rng.shuffle(held)
            for t in held:
                session.ok(t)
            held.clear()
    server = RelpServer(behave=shuffle)
    append(log, lines(0, 5000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    weir.stop()
    assert len(server.sessions) == 1
    expect_once(sorted(server.taken, key=lambda x: int(x[2:])), 5000)


# ---- one that dies ----------------------------------------------------------------------------------

def test_dies_in_the_middle_of_a_window_and_returns_twice(tmp_path, log):
    def dies_at(count):
        def behave(session, txnr, data):
            if len(server.taken) < count:
                session.ok(txnr)  # the others of the window came, and are not answered
        return behave
    port, taken = free_port(), []
    append(log, lines(0, 3000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(port)))
    for _ in range(2):
        server = RelpServer(port, behave=dies_at(500))
        server.wait_taken(500)
        wait(lambda: sum(len(s.records) for s in server.sessions) >= 600, "the rest of the window")
        server.die()
        taken += server.taken
    server = RelpServer(port)
    delivered(tmp_path, log)
    weir.stop()
    repeated = expect_all(taken + server.taken, 3000)
    assert repeated == 0, "what was answered does not come again"
    assert weir.log.count("connected to") == 3


def test_only_what_was_not_answered_comes_again(tmp_path, log):
    def every_second(session, txnr, data):
        if len(server.sessions) > 1 or txnr % 2 == 0:
            session.ok(txnr)
        if len(server.sessions) == 1 and len(session.records) == 100:
            session.hang_up()
    server = RelpServer(behave=every_second)
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    weir.stop()
    assert [int(x[2:]) for _, x in server.sessions[1].records] == list(range(1, 100, 2))
    expect_once(sorted(server.taken, key=lambda x: int(x[2:])), 100)


def test_fifty_resets(tmp_path, log):
    rng = random.Random(3)

    def behave(session, txnr, data):
        session.ok(txnr)
        if rng.random() < 0.02 and len(server.sessions) < 50:
            session.reset()  # the answers on their way may be lost with it
    server = RelpServer(behave=behave)
    append(log, lines(0, 5000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    weir.stop()
    repeated = expect_all(server.taken, 5000)
    print(f"{repeated} of 5000 twice")
    assert len(server.sessions) == 50 and repeated <= 50 * 128


def test_serverclose(tmp_path, log):
    """It says that it goes, with answers outstanding, and comes back: the rest is sent to the next session."""
    def behave(session, txnr, data):
        session.ok(txnr)
        if len(server.taken) == 300:
            session.send(frame(0, b"serverclose"))
            session.hang_up()
    server = RelpServer(behave=behave)
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    weir.stop()
    assert len(server.sessions) == 2
    assert re.search("the peer (closes the session|closed the connection)|reset by peer|Broken pipe", weir.log)
    assert expect_all(server.taken, 1000) <= 128


def test_serverclose_while_idle(tmp_path, log):
    server = RelpServer()
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    server.sessions[0].send(frame(0, b"serverclose"))
    weir.wait_log("the peer closes the session")
    server.wait_sessions(2)
    append(log, lines(10, 20))
    expect_once(server.wait_taken(20), 20)
    weir.stop()


def test_failover_to_the_second_address(tmp_path, log):
    first = RelpServer(behave=lambda session, txnr, data: session.ok(txnr) if len(first.taken) < 200 else None)
    second = RelpServer()
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(first, second)))
    first.wait_taken(200)
    first.die()
    delivered(tmp_path, log)
    weir.stop()
    expect_once(first.taken + second.taken, 1000)
    assert second.sessions[0].closed


# ---- one that says no -------------------------------------------------------------------------------

def test_a_record_that_is_always_refused_is_dropped_the_fifth_time(tmp_path, log):
    refused = []

    def behave(session, txnr, data):
        if data in (b"n 150", b"n 151"):
            refused.append(data)
            session.no(txnr, b"500 not in my house")
        else:
            session.ok(txnr)
    server = RelpServer(behave=behave)
    append(log, lines(0, 300))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    assert "dropped 2 (refused by the peer)" in weir.state()["p/relp"]
    weir.stop()
    assert sorted(refused) == [b"n 150"] * 5 + [b"n 151"] * 5
    expect_once(sorted(server.taken + [b"n 150", b"n 151"], key=lambda x: int(x[2:])), 300)
    assert 5 <= len(server.sessions) <= 6
    assert re.search("sent again: 500 not in my house", weir.log) and "sent again: 200" not in weir.log
    assert weir.log.count("refuses a record for good: 500 not in my house: dropped") == 2


def test_refused_at_once_with_one_attempt(tmp_path, log):
    server = RelpServer(behave=lambda session, txnr, data: session.no(txnr) if txnr % 10 == 0 else session.ok(txnr))
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, attempts=1)))
    delivered(tmp_path, log)
    assert "dropped 100 (refused by the peer)" in weir.state()["p/relp"]
    weir.stop()
    assert len(server.sessions) == 1 and len(server.taken) == 900
    assert weir.log.count("for good") <= 20, "the log is not flooded"


def test_a_trouble_that_passes_costs_nothing(tmp_path, log):
    """A server that refuses everything, as with a full disk, and is mended."""
    server = RelpServer(behave=lambda session, txnr, data: session.no(txnr, b"500 disk full"))
    append(log, lines(0, 300))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    server.wait_sessions(4)
    wait(lambda: server.sessions[3].records, "a record")
    assert [len(x.records) for x in server.sessions[1:4]] == [1, 1, 1], "one at a time is enough to learn that it still refuses"
    server.behave = lambda session, txnr, data: session.ok(txnr)
    delivered(tmp_path, log)
    weir.stop()
    expect_once(server.taken, 300)
    assert "refuses a record, which is sent again: 500 disk full" in weir.log


@pytest.mark.parametrize("answer, says", [
    (b"500 error on connect", "refuses a RELP session: 500 error on connect"),
    (b"200 OK", "does not offer relp_version 0 or 1"),
    (b"200 OK\nrelp_version=7\ncommands=syslog", "does not offer relp_version 0 or 1"),
    (b"200 OK\nrelp_version=0", "does not offer the command syslog"),
    (b"yes", "sends what is no answer"),
])
def test_a_session_that_cannot_be(tmp_path, log, answer, says):
    def opens(session, txnr):
        session.send(frame(txnr, b"rsp", answer if len(server.sessions) < 3 else b"200 OK\n" + OFFERS))
    server = RelpServer(opens=opens)
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    weir.stop()
    assert says in weir.log
    expect_once(server.taken, 100)
    assert not server.sessions[0].records, "nothing is sent before the session is open"


# ---- one that talks nonsense, or not at all ---------------------------------------------------------

@pytest.mark.parametrize("nonsense", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 100_000, b"\n", b"2 rsp 999999999 ", b"2 rsp 4097 x", b"9999 rsp 6 200 OK\n",
    b"2 rsp 6 200 OK\n2 rsp 6 200 OK\n", b"1 rsp 6 200 OK\n", b"0 rsp 6 200 OK\n", b"2 rsp 6 200 OKx", b"2 rsp 2 OK\n", b"2 rsp 0\n",
    b"2 syslog 6 200 OK\n", b"0 hint 0\n", b"9" * 1000, b"2 " + b"r" * 1000, random.Random(1).randbytes(1000),
], ids=lambda x: repr(x[:24]))
def test_nonsense_ends_the_session_and_nothing_is_lost(tmp_path, log, nonsense):
    def behave(session, txnr, data):
        if len(server.sessions) > 2:
            session.ok(txnr)
        elif len(session.records) == 10:
            if nonsense.startswith(b"2 rsp 6 200 OK\n"):
                server.taken.append(session.records[0][1])  # that is an answer; the one behind it is none
            session.send(nonsense)
    server = RelpServer(behave=behave)
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    assert weir.running()
    weir.stop()
    assert re.search("the peer (does not speak RELP|sends what is no answer|answers what it was not sent)", weir.log), weir.log
    expect_once(server.taken, 100)
    assert len(server.sessions) == 3


def test_one_byte_at_a_time(tmp_path, log):
    def behave(session, txnr, data):
        with server.lock:
            server.taken.append(data)
        for byte in frame(txnr, b"rsp", b"200 OK"):
            session.send(bytes([byte]))
    server = RelpServer(behave=behave)
    append(log, lines(0, 300))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    weir.stop()
    expect_once(server.taken, 300)
    assert len(server.sessions) == 1


def test_never_answers(tmp_path, log):
    """It is given up after answer_timeout, again and again, until it answers."""
    server = RelpServer(behave=lambda session, txnr, data: session.ok(txnr) if len(server.sessions) > 3 else None)
    append(log, lines(0, 100))
    began = time.monotonic()
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, answer_timeout="300ms")))
    delivered(tmp_path, log)
    assert time.monotonic() - began > 0.9
    weir.stop()
    expect_once(server.taken, 100)
    assert "no answer within answer_timeout" in weir.log


def test_slow_answers_are_no_silence(tmp_path, log):
    """Each is late, none later than answer_timeout after the one before it: the session goes on."""
    def behave(session, txnr, data):
        time.sleep(0.05)
        session.ok(txnr)
    server = RelpServer(behave=behave)
    append(log, lines(0, 40))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, answer_timeout=f"{500 * SLOW}ms")))
    delivered(tmp_path, log)
    weir.stop()
    expect_once(server.taken, 40)
    assert len(server.sessions) == 1


def test_idle_is_no_silence(tmp_path, log):
    server = RelpServer()
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, answer_timeout="200ms")))
    delivered(tmp_path, log)
    stays(lambda: len(server.sessions) == 1, 1, "nothing waits for an answer")
    append(log, lines(10, 20))
    expect_once(server.wait_taken(20), 20)
    weir.stop()
    assert len(server.sessions) == 1


def test_open_is_not_answered(tmp_path, log):
    server = RelpServer(opens=lambda session, txnr: None)
    other = RelpServer()
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, other, connect_timeout="200ms")))
    delivered(tmp_path, log)
    weir.stop()
    assert "no answer to open within connect_timeout: does the peer speak RELP?" in weir.log
    expect_once(other.taken, 100)


def test_memory_is_bounded_by_a_server_that_never_answers(tmp_path, log):
    server = RelpServer(behave=lambda session, txnr, data: None)
    append(log, lines(0, 400_000, pad=100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, window=65536), memory_limit="4MiB"))
    server.wait_sessions(1)
    wait(lambda: server.sessions[0].records, "records")
    count = wait(lambda: (n := len(server.sessions[0].records), time.sleep(0.5)) and n == len(server.sessions[0].records) and n, "it to stop")
    assert count < 65536 and (SANITIZED or weir.rss() < 24 * MIB)
    server.behave = lambda session, txnr, data: session.ok(txnr)
    for txnr, _ in list(server.sessions[0].records):
        server.sessions[0].ok(txnr)
    delivered(tmp_path, log)
    assert SANITIZED or weir.peak_rss() < 24 * MIB
    weir.stop()
    expect_once(sorted(server.taken, key=lambda x: int(x.split()[1])), 400_000)


# ---- long records -----------------------------------------------------------------------------------

def test_longer_than_max_record_bytes(tmp_path, log):
    server = RelpServer()
    append(log, lines(0, 10) + b"x" * 131072 + b"\n" + b"y" * 131073 + b"\n" + lines(10, 20))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    assert "dropped 1 (longer than max_record_bytes)" in weir.state()["p/relp"]
    weir.stop()
    assert [x for x in server.taken if x[:1] == b"x"] == [b"x" * 131072]
    expect_once([x for x in server.taken if x[:1] == b"n"], 20)
    assert "longer than max_record_bytes 131072: 1 dropped" in weir.log


# ---- the end ----------------------------------------------------------------------------------------

def test_stop_waits_for_the_answers(tmp_path, log):
    held = []
    server = RelpServer(behave=lambda session, txnr, data: held.append((session, txnr)))
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    wait(lambda: len(held) == 100, "a hundred records")
    weir.signal(signal.SIGTERM)
    weir.wait_log("stopping")
    stays(weir.running, 0.5, "it waits")
    for session, txnr in held:
        session.ok(txnr)
    assert weir.join() == 0
    assert server.sessions[0].closed and offset(tmp_path, log) == log.stat().st_size


def test_stop_without_answers_fails_and_the_next_start_sends_it(tmp_path, log):
    server = RelpServer(behave=lambda session, txnr, data: session.ok(txnr) if len(server.sessions) > 1 else None)
    append(log, lines(0, 100))
    setup = config(tmp_path, tail(log), relp(server), shutdown_timeout="1s")
    weir = Weir(tmp_path, setup)
    wait(lambda: server.sessions and len(server.sessions[0].records) == 100, "a hundred records")
    weir.stop(status=1)
    assert "p/relp: 100 records were read and not delivered" in weir.log
    assert offset(tmp_path, log) == 0
    Weir(tmp_path, setup, "--once").finish()
    expect_once(server.taken, 100)


@pytest.mark.parametrize("what", ["nothing", "a reset", "garbage"])
def test_close_that_is_not_answered_is_no_failure(tmp_path, log, what):
    server = RelpServer()
    server.handle = lambda session, txnr, command, data, handle=server.handle: (
        handle(session, txnr, command, data) if command != b"close" else
        session.reset() if what == "a reset" else session.send(b"?") if what == "garbage" else None)
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server)))
    delivered(tmp_path, log)
    began = time.monotonic()
    weir.stop()
    assert time.monotonic() - began < 4 * SLOW
    assert len(server.sessions) == 1


# ---- TLS --------------------------------------------------------------------------------------------

def test_over_tls(tmp_path, log):
    pki = Pki(tmp_path)
    pki.make("here", "IP:127.0.0.1")
    server = RelpServer(context=pki.server_context(pki.here))
    append(log, lines(0, 3000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(server, tls={"ca_file": str(pki.ca.cert)})))
    delivered(tmp_path, log)
    weir.stop()
    expect_once(server.taken, 3000)
    assert server.sessions[0].closed and re.search("connected to .* with TLS", weir.log)


# ---- before it runs ---------------------------------------------------------------------------------

def test_bytes_are_refused_and_dry_run_shows_the_frames(tmp_path, log):
    append(log, b"one\n\n" + b"x" * 200 + b"\nfour\n")
    setup = config(tmp_path, tail(log), relp(1, 2, max_record_bytes=100))
    path = tmp_path / "c.json"
    path.write_text(json.dumps(setup))
    got = subprocess.run([WEIR, "dry-run", "-c", path, "--format", "json"], capture_output=True, text=True, check=True).stdout
    sent = [row["output"] for row in map(json.loads, got.splitlines()) if "output" in row]
    assert [x[0]["bytes"] if x else None for x in sent] == ["2 syslog 3 one\n", "2 syslog 0\n", None, "2 syslog 4 four\n"]
    totals = next(x for x in json.loads(got.splitlines()[-1])["summary"]["stages"] if x["stage"] == "relp")
    assert [(x["reason"], x["records"]) for x in totals["dropped"]] == [("longer than max_record_bytes", 1)]
    setup["pipelines"]["p"]["transforms"] = [{"type": "gzip"}]
    path.write_text(json.dumps(setup))
    bad = subprocess.run([WEIR, "check", "-c", path], capture_output=True, text=True)
    assert bad.returncode == 2 and '"relp" needs records, but "gzip" before it gives bytes' in bad.stderr


# ---- rsyslog ----------------------------------------------------------------------------------------

# Without a queue between input and file, an answer says that the record was written.
IMRELP = '''
global(maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off")
main_queue(queue.type="Direct")
module(load="imrelp")
input(type="imrelp" port="%(port)d" address="127.0.0.1" %(more)s)
template(name="raw" type="string" string="%%rawmsg%%\\n")
action(type="omfile" file="%(out)s" template="raw")
'''


def imrelp(tmp_path, port=None, more="", **options):
    return Rsyslog(tmp_path, IMRELP, port=port or free_port(), more=more, **options)


def test_rsyslog_takes_everything_once(tmp_path, log):
    count = 10_000 if SANITIZED else 100_000
    daemon = imrelp(tmp_path)
    append(log, lines(0, count))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(daemon)))
    delivered(tmp_path, log)
    weir.stop()
    daemon.stop()
    expect_once(daemon.lines(), count)
    assert "warn" not in weir.log


def test_rsyslog_with_odd_records(tmp_path, log):
    daemon = imrelp(tmp_path)
    odd = [b"<13>Nov 25 10:00:00 h t: m", b"", b" ", "<165>1 - - - - - - \u00e4\u6771".encode(), b"\xff\xfe", b"1 syslog 3 x", b"y" * 131072, b"end"]
    append(log, b"".join(x + b"\n" for x in odd))
    once(tmp_path, config(tmp_path, tail(log), relp(daemon)))
    daemon.stop()
    assert daemon.lines() == odd


def test_rsyslog_over_tls(tmp_path, log):
    pki = Pki(tmp_path)
    pki.make("here", "IP:127.0.0.1")
    pki.make("client", "DNS:client")
    daemon = imrelp(tmp_path, more=f'tls="on" tls.caCert="{pki.ca.cert}" tls.myCert="{pki.here.cert}" tls.myPrivKey="{pki.here.key}" '
                                   'tls.authMode="certvalid"')
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(daemon, tls={
        "ca_file": str(pki.ca.cert), "cert_file": str(pki.client.cert), "key_file": str(pki.client.key)})))
    delivered(tmp_path, log)
    weir.stop()
    daemon.stop()
    expect_once(daemon.lines(), 1000)


def test_rsyslog_stops_and_returns_twice(tmp_path, log):
    daemon = imrelp(tmp_path)
    writer = Writer(log, pause=0.0002)
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(daemon)))
    for i in range(2):
        daemon.wait_lines(500 * (i + 1))
        daemon.stop()
        weir.wait_log("(closes the session|closed the connection|reset by peer)", count=i + 1)
        seen = writer.count
        writer.written(seen + 300)
        daemon.start()
    count = writer.stop()
    delivered(tmp_path, log)
    weir.stop()
    daemon.stop()
    repeated = expect_all(daemon.lines(), count)
    print(f"{count} lines, {repeated} of them twice")
    assert repeated <= 2 * 128


def test_kill_9_of_rsyslog_and_of_weir_loses_nothing(tmp_path, log):
    kills = 60 if LONG else 8 if SANITIZED else 16
    rng = random.Random(7)
    daemon = imrelp(tmp_path)
    writer = Writer(log, pause=0.0001)
    setup = config(tmp_path, tail(log), relp(daemon))
    weir = Weir(tmp_path, setup)
    killed = {"rsyslog": 0, "weir": 0}
    for i in range(kills):
        have = len(daemon.lines())
        daemon.wait_lines(have + 1 + rng.randrange(400))
        for who in (["rsyslog"], ["weir"], ["weir", "rsyslog"])[i % 3]:
            killed[who] += 1
            if who == "rsyslog":
                daemon.kill()
            else:
                weir.kill()
        if not daemon.running():
            daemon.start()
        if not weir.running():
            weir = Weir(tmp_path, setup)
    count = writer.stop()
    delivered(tmp_path, log)
    weir.stop()
    daemon.stop()
    repeated = expect_all(daemon.lines(), count)
    print(f"{count} lines, {kills} kills {killed}, 0 lost, {repeated} twice")
    assert killed["rsyslog"] >= kills // 2 and killed["weir"] >= kills // 2
    # A window for each rsyslog, what was delivered since the last checkpoint (a second) for each weir.
    assert repeated <= killed["rsyslog"] * 128 + killed["weir"] * 20_000


def test_rsyslog_that_is_stopped_is_waited_for(tmp_path, log):
    """SIGSTOP: its kernel takes what comes, nobody answers. With SIGCONT it goes on where it was."""
    daemon = imrelp(tmp_path)
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), relp(daemon)))
    delivered(tmp_path, log)
    daemon.process.send_signal(signal.SIGSTOP)
    threading.Timer(2, daemon.process.send_signal, [signal.SIGCONT]).start()
    append(log, lines(100, 5000))
    stays(lambda: offset(tmp_path, log) == len(lines(0, 100)), 1, "nothing more is answered")
    delivered(tmp_path, log)
    weir.stop()
    daemon.stop()
    expect_once(daemon.lines(), 5000)
    assert "warn" not in weir.log
