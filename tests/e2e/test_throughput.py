"""Many bytes through tail → json → filter, byte for byte what an independent program says should come out."""
import os
import subprocess

import pytest

import make_lines
import oracle
from harness import LONG, MIB, SANITIZED, Receiver, Weir, config, file, free_port, once, tail, tcp, wait

pytestmark = pytest.mark.alone

SIZE = 512 * MIB if LONG else 16 * MIB if SANITIZED else 64 * MIB
TRANSFORMS = [{"type": "json"}, {"type": "filter", "where": '.level != "debug"'}]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The file with the lines, and the records that pass."""
    path = tmp_path_factory.mktemp("lines") / "app.log"
    text = make_lines.generate(SIZE)
    path.write_bytes(text)
    passing = oracle.filtered(text)
    assert 0.5 < len(passing) / text.count(b"\n") < 0.9
    return path, passing


def same(got, want):
    """Compare record for record, with a short message for what differs."""
    if got == want:
        return
    for i, (a, b) in enumerate(zip(got, want)):
        assert a == b, f"record {i} of {len(want)}"
    raise AssertionError(f"{len(got)} records, expected {len(want)}")


def test_tcp_gets_the_records_of_the_oracle_in_order(tmp_path, data):
    path, passing = data
    receiver = Receiver()
    once(tmp_path, config(tmp_path, tail(path), tcp(receiver), TRANSFORMS), timeout=300)
    wait(lambda: receiver.connections[0].ended == "fin", "the end of the connection")
    same(receiver.data().split(b"\n"), passing + [b""])


@pytest.mark.slow
def test_octet_counting(tmp_path, data):
    path, passing = data
    receiver = Receiver()
    once(tmp_path, config(tmp_path, tail(path), tcp(receiver, framing="octet_counting"), TRANSFORMS))
    wait(lambda: receiver.connections[0].ended == "fin", "the end of the connection")
    stream, at, got = receiver.data(), 0, []
    while at < len(stream):
        space = stream.index(b" ", at, at + 12)
        size = int(stream[at:space])
        got.append(stream[space + 1:space + 1 + size])
        at = space + 1 + size
    assert at == len(stream)
    same(got, passing)


@pytest.mark.slow
def test_gzip_file_reads_back(tmp_path, data):
    path, passing = data
    out = tmp_path / "out.gz"
    once(tmp_path, config(tmp_path, tail(path), file(out), TRANSFORMS + [{"type": "gzip", "level": 1}]))
    text = subprocess.run(["gzip", "-dc", out], check=True, capture_output=True).stdout
    same(text.split(b"\n"), passing + [b""])
    assert out.stat().st_size < len(text) / 2
    subprocess.run(["gzip", "-t", out], check=True)


def test_three_sinks_get_what_is_theirs(tmp_path, data):
    path, passing = data
    errors = [x for x in passing if (oracle.parse(x) or {}).get("level") == "error"]
    receiver = Receiver()
    once(tmp_path, config(tmp_path, tail(path), [
        tcp(receiver), file(tmp_path / "errors", where='.level == "error"'),
        {**file(tmp_path / "all.gz"), "transforms": [{"type": "gzip", "level": 1}]}], TRANSFORMS))
    wait(lambda: receiver.connections[0].ended == "fin", "the end of the connection")
    same(receiver.data().split(b"\n"), passing + [b""])
    same((tmp_path / "errors").read_bytes().split(b"\n"), errors + [b""])
    text = subprocess.run(["gzip", "-dc", tmp_path / "all.gz"], check=True, capture_output=True).stdout
    same(text.split(b"\n"), passing + [b""])


def test_many_files_keep_the_order_of_each(tmp_path):
    files = {tmp_path / f"{i}.log": b"".join(b'{"f":%d,"n":%d}\n' % (i, n) for n in range(2000)) for i in range(20)}
    for path, text in files.items():
        path.write_bytes(text)
    once(tmp_path, config(tmp_path, tail(tmp_path / "*.log"), file(tmp_path / "out"), [{"type": "json"}]))
    got = (tmp_path / "out").read_bytes().splitlines(keepends=True)
    assert len(got) == 40000
    for i, text in enumerate(files.values()):
        assert b"".join(x for x in got if x.startswith(b'{"f":%d,' % i)) == text


@pytest.mark.slow
def test_file_past_two_gib_goes_on_where_it_stopped(tmp_path):
    """A sparse file: its first line is 2.5 GiB of NUL bytes, skipped; offsets past 2^31 are kept and taken up."""
    path = tmp_path / "big.log"
    with open(path, "wb") as f:
        f.truncate(5 << 29)
        f.seek(5 << 29)
        f.write(b"\nfirst\n")
    assert path.stat().st_size > 1 << 31 and path.stat().st_blocks * 512 < 1 << 20
    setup = config(tmp_path, tail(path, on_long_line="skip"), file(tmp_path / "out"))
    once(tmp_path, setup, timeout=120)
    assert (tmp_path / "out").read_bytes() == b"first\n"
    with open(path, "ab") as f:
        f.write(b"second\n")
    once(tmp_path, setup)
    assert (tmp_path / "out").read_bytes() == b"first\nsecond\n"


def test_once_without_a_receiver_waits_for_it(tmp_path):
    (tmp_path / "a.log").write_bytes(b"1\n2\n")
    port = free_port()
    weir = Weir(tmp_path, config(tmp_path, tail(tmp_path / "a.log"), tcp(port)), "--once")
    weir.wait_log("cannot connect: Connection refused")
    receiver = Receiver(port)
    weir.finish()
    assert receiver.wait_lines(2) == [b"1", b"2"]
    assert os.path.exists(tmp_path / "data/checkpoint")
