"""The syslog source: what logger sends over each transport, and a round trip from one real rsyslog through weir into another: nothing changed."""
import random
import re
import socket
import struct
import subprocess

import pytest

from harness import Weir, config, file, free_port, out_lines, stays, wait, wait_out
from pki import Pki
from rsyslog import Rsyslog


def syslog(transport, where, **options):
    key = "path" if transport.startswith("unix") else "listen"
    return {"type": "syslog", "transport": transport, key: where if isinstance(where, str) else f"127.0.0.1:{where}", **options}


def listening(tmp_path, source, sinks, transforms=(), **options):
    return Weir(tmp_path, config(tmp_path, source, sinks, transforms, **options)).wait_log("listening on")


# ---- logger ---------------------------------------------------------------------------------------

def logger(*args, text):
    subprocess.run(["logger", *map(str, args), "--", text], check=True, timeout=20)


@pytest.mark.parametrize("style, head", [("--rfc5424", r"<14>1 \S+ \S+ tag \d+ - \[timeQuality [^]]*\] "), ("--rfc3164", r"<14>\w+ +\d+ [\d:]+ \S+ tag\[\d+\]: ")])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tcp, counted", "unix_stream", "unix_datagram"])
def test_logger(tmp_path, transport, style, head):
    out = tmp_path / "out"
    where = str(tmp_path / "log") if transport.startswith("unix") else free_port()
    weir = listening(tmp_path, syslog(transport.split(",")[0], where), file(out))
    to = ["-u", where] if transport.startswith("unix") else ["-n", "127.0.0.1", "-P", where, "--" + transport[:3]]
    text = "a message with \"quotes\", ümläuts and 123 at 4 places"
    for _ in range(3):
        logger(*to, *(["--octet-count"] if "counted" in transport else []), style, "-p", "user.info", "-t", "tag", "-i", text=text)
    got = wait_out(out, 3, weir=weir)
    assert all(re.fullmatch(head + re.escape(text), x.decode()) for x in got), got
    stays(lambda: len(out_lines(out)) == 3, 0.2, "more than was sent")
    weir.stop()


def test_both_framings_on_one_connection(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, syslog("tcp", port), file(out, encoding="json"))
    with socket.create_connection(("127.0.0.1", port)) as s:
        for c in b"<13>line\n9 <13>count\n\n8 <13>a\nb\n2026-11-25 no priority\n<13>last":
            s.sendall(bytes([c]))
    assert wait_out(out, 5, weir=weir) == [b'{"message":"<13>line"}', b'{"message":"<13>count"}', rb'{"message":"<13>a\nb"}',
                                           b'{"message":"2026-11-25 no priority"}', b'{"message":"<13>last"}']
    assert "errors" not in weir.state()["p/syslog"]
    weir.stop()


def test_an_empty_datagram_is_no_message(tmp_path):
    port, out = free_port(), tmp_path / "out"
    weir = listening(tmp_path, syslog("udp", port), file(out))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for text in (b"", b"\n", b"<13>x"):
            s.sendto(text, ("127.0.0.1", port))
    assert wait_out(out, 1, weir=weir) == [b"<13>x"]
    weir.stop()
    assert out_lines(out) == [b"<13>x"]


# ---- rsyslog → weir → rsyslog ---------------------------------------------------------------------

def messages(count):
    """Raw messages of both RFCs, with all that a relay may be tempted to change."""
    rnd = random.Random(5)
    bodies = ['plain', 'Grüße aus Köln, 日本語, 🙂', 'say "hello" and \\n', "it's {\"json\":[1,2.50,1e3]}", '  spaces at both ends  ', '12 figures first',
              "tab\there", "<not> a priority", "100% %s %m $1", "x" * 4000]
    for i in range(count):
        body = f"{bodies[i % len(bodies)]} #{i}"
        pri = rnd.randrange(192)
        if i % 2:
            data = '-' if i % 3 else f'[id@32473 n="{i}" q="a \\"b\\" \\] c" u="é"][other x=""]'
            yield f'<{pri}>1 2026-11-25T18:0{i % 10}:00.{i:06d}+02:00 host{i % 7} app {i} ID{i} {data} {body}'
        else:
            yield f'<{pri}>Nov {1 + i % 30:2d} 18:0{i % 10}:00 host{i % 7} app[{i}]: {body}'


# What rsyslog sends on is what it received, untouched: %rawmsg%. No escaping, no parsing of what a sender may put in.
RELAY = '''
global(maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off" preserveFQDN="on")
module(load="imtcp")
template(name="raw" type="string" string="%%rawmsg%%")
template(name="rawline" type="string" string="%%rawmsg%%\\n")
input(type="imtcp" port="%(port)d" address="127.0.0.1" ruleset="out")
ruleset(name="out" queue.type="LinkedList" queue.size="100000") { action(type=%(action)s) }
'''


def feed(port, sent):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"".join(b"%d %s" % (len(x), x) for x in sent))


def last_rsyslog(tmp_path):
    port = free_port()
    return Rsyslog(tmp_path, RELAY, port=port, action=f'"omfile" file="{tmp_path}/last" template="rawline"'), port


def first_rsyslog(tmp_path, to, protocol, more=""):
    port = free_port()
    action = f'"omfwd" target="127.0.0.1" port="{to}" protocol="{protocol}" template="raw" action.resumeRetryCount="-1" {more}'
    return Rsyslog(tmp_path, RELAY, port=port, action=action), port


def sink(port):
    return {"type": "tcp", "address": f"127.0.0.1:{port}", "framing": "octet_counting"}


def sorted_difference(a, b):
    return [x for x in a if x not in set(b)][:3], [x for x in b if x not in set(a)][:3]


@pytest.mark.parametrize("framing", ["octet-counted", "traditional"])
def test_a_round_trip_over_tcp_changes_nothing(tmp_path, framing):
    sent = [x.encode() for x in messages(10_000)]
    last, last_port = last_rsyslog(tmp_path)
    port = free_port()
    weir = listening(tmp_path, syslog("tcp", port), sink(last_port))
    first, first_port = first_rsyslog(tmp_path, port, "tcp", f'tcp_framing="{framing}"')
    feed(first_port, sent)
    got = wait_out(tmp_path / "last", len(sent), 60, weir)
    assert got == sent, sorted_difference(sent, got)
    first.stop()
    weir.stop()
    last.stop()
    assert out_lines(tmp_path / "last") == sent


def test_a_round_trip_over_udp_changes_nothing(tmp_path):
    sent = [x.encode() for x in messages(10_000)]
    last, last_port = last_rsyslog(tmp_path)
    port = free_port()
    most = int(open("/proc/sys/net/core/rmem_max").read())
    weir = listening(tmp_path, syslog("udp", port, receive_buffer=most), sink(last_port))
    first, first_port = first_rsyslog(tmp_path, port, "udp")
    for i in range(0, len(sent), 500):  # in portions, so that nothing overflows on the way
        feed(first_port, sent[i:i + 500])
        wait_out(tmp_path / "last", i + 500, 30, weir)
    got = out_lines(tmp_path / "last")
    assert got == sent, sorted_difference(sent, got)
    assert "lost" not in weir.log
    first.stop()
    weir.stop()
    last.stop()


def test_a_round_trip_over_tls(tmp_path):
    pki = Pki(tmp_path)
    pki.make("here", "IP:127.0.0.1", "DNS:localhost")
    pki.make("client", "DNS:client")
    sent = [x.encode() for x in messages(2000)]
    last, last_port = last_rsyslog(tmp_path)
    port = free_port()
    weir = listening(tmp_path, syslog("tcp", port, tls={"cert_file": str(pki.here.cert), "key_file": str(pki.here.key), "verify_client": True,
                                                        "ca_file": str(pki.ca.cert)}), sink(last_port))
    first, first_port = first_rsyslog(
        tmp_path, port, "tcp", f'''tcp_framing="octet-counted" streamDriver="ossl" streamDriverMode="1" streamDriverAuthMode="x509/certvalid"
        streamDriver.CAFile="{pki.ca.cert}" streamDriver.CertFile="{pki.client.cert}" streamDriver.KeyFile="{pki.client.key}"''')
    feed(first_port, sent)
    got = wait_out(tmp_path / "last", len(sent), 60, weir)
    assert got == sent, sorted_difference(sent, got)
    weir.stop()
