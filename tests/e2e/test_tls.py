"""The tcp sink over TLS: against openssl s_server, rsyslog and Python, with the right certificates and with every wrong one."""
import struct
import time

import pytest

from harness import (MIB, SANITIZED, SLOW, Receiver, Weir, append, checkpoint, config, expect_all, expect_once, free_port, lines, numbers,
                     once, stays, tail, tcp, wait)
from pki import Pki, SServer, TlsReceiver
from rsyslog import Rsyslog


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    append(path, b"")
    return path


@pytest.fixture
def pki(tmp_path):
    p = Pki(tmp_path)
    p.make("here", "IP:127.0.0.1", "DNS:here.test")
    return p


def tls(pki, receiver, **options):
    """A tcp sink that trusts the authority."""
    more = {key: options.pop(key) for key in list(options) if key in ("address", "framing", "balance", "connect_timeout", "name", "ack")}
    return {**tcp(receiver), **more, "tls": {"ca_file": str(pki.ca.cert), **{k: str(v) if hasattr(v, "parts") else v for k, v in options.items()}}}


def own(certificate):
    return {"cert_file": certificate.cert, "key_file": certificate.key}


def delivered(tmp_path, log):
    return wait(lambda: checkpoint(tmp_path / "data").get(str(log)) == log.stat().st_size, "all to be delivered", 40)


# ---- real peers, the right certificate --------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_server_gets_every_line(tmp_path, log, pki, version):
    count = 50_000
    server = SServer(tmp_path, pki.here, version)
    append(log, lines(0, count, pad=80))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server)), "--once").finish()
    expect_once(server.wait_lines(count), count)
    assert f"connected to 127.0.0.1:{server.port} with TLSv{version[4:].replace('_', '.')}" in weir.log


IMTCP = '''
global(DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="%(ca)s" DefaultNetstreamDriverCertFile="%(cert)s"
       DefaultNetstreamDriverKeyFile="%(key)s")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="%(auth)s" MaxFrameSize="200000")
input(type="imtcp" port="%(port)d" address="127.0.0.1")
template(name="raw" type="string" string="%%rawmsg%%\\n")
action(type="omfile" file="%(out)s" template="raw")'''


def rsyslog(tmp_path, pki, auth="anon", port=None):
    return Rsyslog(tmp_path, IMTCP, port=port or free_port(), ca=pki.ca.cert, cert=pki.here.cert, key=pki.here.key, auth=auth)


@pytest.mark.parametrize("framing", ["newline", "octet_counting"])
@pytest.mark.parametrize("auth", ["anon", "x509/certvalid"])
def test_rsyslog_gets_every_line(tmp_path, log, pki, framing, auth):
    count = 20_000
    pki.make("agent", "DNS:agent.test")
    server = rsyslog(tmp_path, pki, auth)
    append(log, lines(0, count, pad=80))
    mine = own(pki.agent) if auth != "anon" else {}
    once(tmp_path, config(tmp_path, tail(log), tls(pki, server, framing=framing, **mine)))
    expect_once(server.wait_lines(count), count)
    server.stop()


def test_rsyslog_that_restarts_twice_is_found_again(tmp_path, log, pki):
    servers = [rsyslog(tmp_path, pki)]
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, servers[0])))
    for i in range(3):
        append(log, lines(1000 * i, 1000 * i + 500))
        servers[i].wait_lines(500 if i == 0 else 1000)
        if i == 2:
            break
        servers[i].stop()
        append(log, lines(1000 * i + 500, 1000 * i + 1000))
        weir.wait_log("Connection refused", count=i + 1)
        servers.append(rsyslog(tmp_path, pki, port=servers[0].port))
        servers[i + 1].wait_lines(500)
    append(log, lines(2500, 3000))
    delivered(tmp_path, log)
    weir.stop()
    servers[2].stop()
    expect_once([x for s in servers for x in s.lines()], 3000)


def test_key_update_that_the_peer_asks_for(tmp_path, log, pki):
    """In TLS 1.3 the peer may change keys at any time, and wants an answer from somebody who never meant to read."""
    server = SServer(tmp_path, pki.here, "-tls1_3", quiet=False)
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server)))
    for i in range(5):
        append(log, lines(100 * i, 100 * i + 100))
        wait(lambda: len(numbers(server.lines())) == 100 * (i + 1), "a hundred lines more")
        server.command("K")
    append(log, lines(500, 600))
    wait(lambda: len(numbers(server.lines())) == 600, "the last lines")
    expect_once([x for x in server.lines() if x.startswith(b"n ")], 600)
    weir.stop()
    assert weir.log.count("connected to") == 1


# ---- refusals ---------------------------------------------------------------------------------------------------

REFUSALS = {
    "wrong CA": ("stranger", {}, r'certificate is not trusted: unable to get local issuer certificate \(issued by "other"; ca_file ".*ca\.pem"\)'),
    "wrong name": ("here", {"server_name": "elsewhere.test"}, r'certificate is for "127\.0\.0\.1", "here\.test", not for "elsewhere\.test"'),
    "wrong address": ("named", {}, r'certificate is for "here\.test", not for "127\.0\.0\.1"'),
    "expired": ("old", {}, r"certificate expired on 2021-02-03 04:05:06 UTC"),
    "not yet valid": ("early", {}, r"certificate is not valid before 2090-01-01"),
    "self-signed": ("other", {}, r"certificate is not trusted: self-signed certificate"),
}


def refused(tmp_path, log, weir, words, received):
    """It says why, sends nothing, and counts nothing as delivered."""
    weir.wait_log(words)
    time.sleep(0.3)  # some attempts more
    assert b"n 0" not in received()
    assert checkpoint(tmp_path / "data").get(str(log), 0) == 0
    weir.stop(status=1)
    assert len([x for x in weir.log.splitlines() if " warn " in x]) <= 3, weir.log


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("case", REFUSALS)
def test_a_wrong_certificate_is_refused_by_name(tmp_path, log, pki, case, version):
    which, options, words = REFUSALS[case]
    pki.authority("other")
    if which == "stranger":
        pki.make("stranger", "IP:127.0.0.1", issuer="other")
    if which == "named":
        pki.make("named", "DNS:here.test")
    if which == "old":
        pki.make("old", "IP:127.0.0.1", dates=("20200101000000Z", "20210203040506Z"))
    if which == "early":
        pki.make("early", "IP:127.0.0.1", dates=("20900101000000Z", "20910101000000Z"))
    server = SServer(tmp_path, getattr(pki, which), version)
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server, **options), shutdown_timeout="300ms"))
    refused(tmp_path, log, weir, words, server.out.read_bytes)


@pytest.mark.parametrize("says", [b"220 mail.test ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_peer_without_tls(tmp_path, log, pki, says):
    receiver = Receiver()
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver, connect_timeout="500ms"), shutdown_timeout="300ms"))
    if says:
        receiver.connected().sock.sendall(says)
    refused(tmp_path, log, weir, "the peer does not speak TLS" if says else "no TLS handshake within connect_timeout: does the peer speak TLS",
            receiver.data)
    assert all(len(c.data) < 1000 for c in receiver.connections), "more than a ClientHello"


def test_a_peer_that_hangs_up_at_once(tmp_path, log, pki):
    receiver = Receiver()
    append(log, lines(0, 1000))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver), shutdown_timeout="300ms"))
    receiver.hang_up(receiver.connected())
    refused(tmp_path, log, weir, "during the TLS handshake", receiver.data)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_client_certificate(tmp_path, log, pki, version):
    """A peer that requires one: without, and with one of a strange authority, it says so and nothing is lost; with the right one all arrive."""
    pki.authority("other")
    pki.make("agent", "DNS:agent.test")
    pki.make("foreign", "DNS:agent.test", issuer="other")
    append(log, lines(0, 5000, pad=100))
    server = SServer(tmp_path, pki.here, version, "-CAfile", pki.ca.cert, "-Verify", "1", "-verify_return_error")
    for mine, words in (({}, "requires a client certificate: cert_file and key_file are needed"),
                        (own(pki.foreign), "the peer does not trust the issuer of our certificate")):
        weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server, **mine), shutdown_timeout="300ms"))
        refused(tmp_path, log, weir, words, server.out.read_bytes)
    once(tmp_path, config(tmp_path, tail(log), tls(pki, server, **own(pki.agent))))
    expect_once(server.wait_lines(5000), 5000)


def test_an_older_version_than_wanted_is_refused(tmp_path, log, pki):
    server = SServer(tmp_path, pki.here, "-tls1_2")
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server, min_version="1.3"), shutdown_timeout="300ms"))
    refused(tmp_path, log, weir, "the peer speaks no version of TLS from min_version on", server.out.read_bytes)


def test_unverified_is_sent_and_said(tmp_path, log, pki):
    pki.authority("other")
    server = SServer(tmp_path, pki.other)
    append(log, lines(0, 10))
    weir = once(tmp_path, config(tmp_path, tail(log), {**tcp(server), "tls": {"verify": False}}))
    expect_once(server.wait_lines(10), 10)
    assert "the peer's certificate is not checked (tls.verify is false)" in weir.log


def test_server_name_is_asked_for_and_checked(tmp_path, log, pki):
    named = pki.make("named", "DNS:here.test")
    server = SServer(tmp_path, pki.here, "-servername", "here.test", "-cert2", named.cert, "-key2", named.key, "-servername_fatal")
    append(log, lines(0, 10))
    once(tmp_path, config(tmp_path, tail(log), tls(pki, server, server_name="here.test")))
    expect_once(server.wait_lines(10), 10)


def test_a_missing_file_is_told_and_read_once_it_is_there(tmp_path, log, pki):
    server = SServer(tmp_path, pki.here)
    append(log, lines(0, 10))
    hidden = pki.ca.cert.rename(tmp_path / "hidden")
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server)))
    weir.wait_log('cannot read ca_file ".*ca.pem": No such file or directory')
    hidden.rename(pki.ca.cert)
    expect_once(server.wait_lines(10), 10)
    weir.stop()


def test_renewed_certificate_is_used_at_the_next_connection(tmp_path, log, pki):
    pki.make("agent", "DNS:agent.test", dates=("20200101000000Z", "20210203040506Z"))
    receiver = TlsReceiver(pki.server_context(pki.here, verify_client=True))
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver, **own(pki.agent))))
    weir.wait_log(r"our certificate has expired, says the peer \(cert_file\)")
    pki.make("agent", "DNS:agent.test")
    expect_once(receiver.wait_lines(10), 10)
    weir.stop()


@pytest.mark.parametrize("problem", [
    ({"cert_file": "x"}, "cert_file and key_file are needed both or not at all"),
    ({"key_password": "x"}, "key_password is for a key_file"),
    ({"verify": False, "ca_file": "x"}, "ca_file has no effect when verify is false"),
    ({"min_version": "1.1"}, 'expected "1.2" or "1.3", got "1.1"'),
    ({"key_password": 12345678}, "expected a string, got \\*\\*\\*"),
    ({"cafile": "x"}, 'did you mean "ca_file"'),
], ids=lambda p: p[1][:30])
def test_check_names_what_is_wrong(tmp_path, problem):
    options, words = problem
    sink = {"type": "tcp", "address": "a:1", "tls": options}
    weir = Weir(tmp_path, config(tmp_path, {"type": "stdin"}, sink), command="check").finish(2)
    weir.wait_log(words)


# ---- connections that break -------------------------------------------------------------------------------------

def test_close_notify_while_idle_is_noticed(tmp_path, log, pki):
    receiver = TlsReceiver(pki.server_context(pki.here))
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver)))
    receiver.wait_lines(10)
    delivered(tmp_path, log)
    receiver.say_goodbye(receiver.current())
    weir.wait_log("the peer closed the connection")
    receiver.connected(2)
    append(log, lines(10, 20))
    expect_once(receiver.wait_lines(20), 20)
    weir.stop()


def test_an_orderly_end_has_a_close_notify(tmp_path, log, pki):
    receiver = TlsReceiver(pki.server_context(pki.here))
    append(log, lines(0, 1000))
    once(tmp_path, config(tmp_path, tail(log), tls(pki, receiver)))
    wait(lambda: receiver.connections[0].ended, "the end")
    assert receiver.connections[0].ended == "notify"
    expect_once(receiver.lines(), 1000)


def test_reset_in_the_middle_of_a_record(tmp_path, log, pki):
    """Where the connection breaks inside a record (and of TLS one too), that record is sent again whole, and only what the peer's kernel
    had acknowledged is not."""
    receiver = TlsReceiver(pki.server_context(pki.here), close_after=100_001, step=1000, rcvbuf=8192)
    append(log, lines(0, 20_000, pad=90))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver)))
    delivered(tmp_path, log)
    weir.stop()
    wait(lambda: all(c.ended for c in receiver.connections), "the connections to end")
    assert len(receiver.connections) == 2
    first, second = (bytes(c.data) for c in receiver.connections)
    assert second.startswith(b"n ") and second.endswith(b"\n")
    resumed = int(second.split(b" ", 2)[1])
    expect_once(second.split(b"\n")[:-1], 20_000, start=resumed)
    assert len(lines(0, resumed, pad=90)) < len(first) + 50_000


def test_many_resets_while_all_is_read(tmp_path, log, pki):
    """A receiver that reads everything and resets between records: then nothing may be missing."""
    receiver = TlsReceiver(pki.server_context(pki.here))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver)))
    for i in range(10):
        append(log, lines(100 * i, 100 * i + 100))
        wait(lambda: (100 * i + 99) in {int(x.split()[1]) for x in receiver.lines()[-400:]}, "the last line")
        receiver.reset(receiver.current())
        receiver.connected(i + 2)
    weir.stop()
    expect_all(receiver.lines(), 1000)


def test_garbage_in_the_middle(tmp_path, log, pki):
    """What is no TLS any more ends the connection, and what was not acknowledged goes over the next one."""
    receiver = TlsReceiver(pki.server_context(pki.here))
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver)))
    receiver.wait_lines(100)
    delivered(tmp_path, log)
    receiver.current().sock.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    weir.wait_log("TLS failed: ")
    append(log, lines(100, 200))
    expect_once(receiver.wait_lines(200), 200)
    weir.stop()


def test_receiver_is_killed_in_the_middle(tmp_path, log, pki):
    """kill -9 of s_server twice under load: afterwards it goes on with a whole record, and only what the dead process's kernel had
    acknowledged can be missing."""
    count, most = 60_000, 4 * MIB
    append(log, lines(0, count, pad=100))
    server = SServer(tmp_path, pki.here)
    port, parts = server.port, []
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, server), memory_limit="1MiB"))
    for _ in range(2):
        wait(lambda: server.out.stat().st_size > 500_000, "some to arrive")
        server.kill()
        parts.append(server.out.read_bytes())
        server = SServer(tmp_path, pki.here, port=port)
    delivered(tmp_path, log)
    weir.stop()
    wait(lambda: server.out.read_bytes().endswith(lines(count - 1, count, pad=100)), "the last line")
    parts.append(server.out.read_bytes())
    assert all(p.startswith(b"n ") for p in parts), "a connection does not begin with a record"
    whole = [p.split(b"\n")[:-1] for p in parts]
    for a, b in zip(whole, whole[1:]):
        gap = numbers(b)[0] - numbers(a)[-1] - 1
        assert gap * 110 < most, f"{gap} lines are missing between two connections"
    for part in whole:
        expect_once(part, numbers(part)[-1] + 1, start=numbers(part)[0])


# ---- slow peers -------------------------------------------------------------------------------------------------

def test_one_byte_a_read(tmp_path, log, pki):
    count = 100 if SANITIZED else 400
    receiver = TlsReceiver(pki.server_context(pki.here), step=1, rcvbuf=2304)
    append(log, lines(0, count))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver)))
    expect_once(receiver.wait_lines(count), count)
    weir.stop()


def test_stalled_receiver_bounds_memory_and_does_not_spin(tmp_path, log, pki):
    receiver = TlsReceiver(pki.server_context(pki.here), rcvbuf=65536)
    count = 400_000
    append(log, lines(0, 10))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tls(pki, receiver), memory_limit="8MiB"))
    receiver.wait_lines(10)
    receiver.hold()
    append(log, lines(10, count, pad=100))
    wait(lambda: weir.bytes_read() > 4 * MIB, "it to read what it may")
    time.sleep(1)
    read, cpu = weir.bytes_read(), weir.cpu()
    stays(lambda: weir.bytes_read() - read < MIB, 2, "it reads on")
    assert weir.cpu() - cpu < 0.2 * SLOW, "it spins"
    if not SANITIZED:
        assert weir.peak_rss() < (8 + 16) * MIB, f"{weir.peak_rss() / MIB:.1f} MiB"
    assert checkpoint(tmp_path / "data").get(str(log), 0) < log.stat().st_size / 2
    receiver.release()
    expect_once(receiver.wait_lines(count, timeout=60), count)
    weir.stop()


# ---- several addresses ------------------------------------------------------------------------------------------

def several(receivers, balance=None):
    return {"type": "tcp", "address": [f"127.0.0.1:{r if isinstance(r, int) else r.port}" for r in receivers],
            **({"balance": balance} if balance else {})}


def test_failover_and_back(tmp_path, log):
    """The first dies, the second takes over; it keeps the connection when the first returns; lost, the first is tried first."""
    first, second = Receiver(), Receiver()
    append(log, lines(0, 100))
    weir = Weir(tmp_path, config(tmp_path, tail(log), several([first, second])))
    expect_once(first.wait_lines(100), 100)
    delivered(tmp_path, log)
    assert not second.connections
    first.die()
    append(log, lines(100, 200))
    expect_once(second.wait_lines(100), 200, start=100)
    delivered(tmp_path, log)
    again = Receiver(first.port)
    append(log, lines(200, 300))
    expect_once(second.wait_lines(200), 300, start=100)
    assert not again.connections
    delivered(tmp_path, log)
    second.die()
    append(log, lines(300, 400))
    expect_once(again.wait_lines(100), 400, start=300)
    weir.stop()


def test_failover_past_one_that_refuses_us(tmp_path, log, pki):
    """An address whose certificate is wrong, one where nobody is, one without TLS: the fourth gets it all, and each reason is told once."""
    pki.authority("other")
    pki.make("stranger", "IP:127.0.0.1", issuer="other")
    wrong, nobody, plain = SServer(tmp_path, pki.stranger), free_port(), Receiver()
    good = TlsReceiver(pki.server_context(pki.here))
    append(log, lines(0, 1000))
    sink = {**tls(pki, good, connect_timeout="300ms"), **several([wrong, nobody, plain, good])}
    weir = Weir(tmp_path, config(tmp_path, tail(log), sink))
    expect_once(good.wait_lines(1000), 1000)
    for words in ("certificate is not trusted", "Connection refused", "no TLS handshake"):
        assert len([x for x in weir.log.splitlines() if words in x and " warn " in x]) == 1
    assert b"n 0" not in wrong.out.read_bytes() + plain.data()
    weir.stop()


def test_round_robin_takes_the_next_one_each_time(tmp_path, log):
    receivers = [Receiver() for _ in range(3)]
    weir = Weir(tmp_path, config(tmp_path, tail(log), several(receivers, "round_robin")))
    order = []
    for i in range(6):
        append(log, lines(100 * i, 100 * i + 100))
        where = wait(lambda: next((r for r in receivers if (100 * i + 99) in numbers(r.lines())), None), "the lines somewhere")
        order.append(receivers.index(where))
        delivered(tmp_path, log)
        where.hang_up(where.current())
    assert all((b - a) % 3 == 1 for a, b in zip(order, order[1:])), order
    expect_once(sorted((x for r in receivers for x in r.lines()), key=lambda x: int(x.split()[1])), 600)
    weir.stop()


# ---- length_prefix ----------------------------------------------------------------------------------------------

def frames(data):
    got, at = [], 0
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        assert at + 4 + size <= len(data), "the last frame is not whole"
        got.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return got


def test_length_prefix(tmp_path, log):
    receiver = Receiver()
    texts = [b"", b"a", b"x" * 255, b"y" * 256, b"z" * 70_000, "mé\t€".encode(), b"\xff\x00\xfe"]
    append(log, b"".join(t + b"\n" for t in texts))
    once(tmp_path, config(tmp_path, tail(log), tcp(receiver, framing="length_prefix")))
    wait(lambda: all(c.ended for c in receiver.connections), "the end")
    assert frames(receiver.data()) == texts


@pytest.mark.parametrize("framing", ["length_prefix", "octet_counting"])
def test_records_of_several_lines_are_framed_as_one(tmp_path, log, framing):
    """A field that holds line feeds, sent as text: its length in bytes goes in front."""
    receiver = Receiver()
    append(log, b'{"message":"one\\ntwo\\u00e9\\n"}\n{"message":""}\n')
    once(tmp_path, config(tmp_path, tail(log), tcp(receiver, framing=framing, encoding="text"), [{"type": "json"}]))
    wait(lambda: all(c.ended for c in receiver.connections), "the end")
    want = ["one\ntwo\u00e9\n".encode(), b""]
    if framing == "length_prefix":
        assert frames(receiver.data()) == want
    else:
        assert receiver.data() == b"10 " + want[0] + b"0 "


def test_length_prefix_resumes_on_a_frame(tmp_path, log):
    receiver = Receiver(close_after=50_003, step=777)
    append(log, lines(0, 5000, pad=50))
    weir = Weir(tmp_path, config(tmp_path, tail(log), tcp(receiver, framing="length_prefix")))
    delivered(tmp_path, log)
    weir.stop()
    wait(lambda: all(c.ended for c in receiver.connections), "the connections to end")
    got = frames(bytes(receiver.connections[1].data))
    expect_once(got, 5000, start=numbers(got)[0])


def test_dry_run_shows_the_frames_and_connects_nowhere(tmp_path, log):
    append(log, b"one\n")
    for framing, shown in (("length_prefix", b'\\u0000\\u0000\\u0000\\u0003one'), ("octet_counting", b"3 one")):
        out = tmp_path / "shown"
        with open(out, "wb") as f:
            sink = {**several([1, 2]), "framing": framing, "tls": {}}
            Weir(tmp_path, config(tmp_path, tail(log), sink), "--format", "json", command="dry-run", stdout=f).finish()
        assert shown in out.read_bytes() and b"127.0.0.1:1, 127.0.0.1:2" in out.read_bytes(), out.read_bytes()
