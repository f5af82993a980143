"""At any moment, what was read is delivered, dropped for a reason that is counted, or still inside; and the numbers are those of the outside."""
import random
import re
import time

from harness import MIB, SLOW, Receiver, Weir, Writer, append, config, file, free_port, out_lines, tail, tcp, wait

LINE = 40  # bytes that a line of these tests has at least


class State:
    """What the stages said at one moment: numbers by stage."""

    def __init__(self, weir):
        weir.state()
        lines = weir.log.rpartition(": memory ")[2].splitlines()[1:]
        self.text = dict(x.split(" info  ", 1)[1].split(": ", 1) for x in lines if re.search(r" info  p/\S+: in \d+ records", x))

    def number(self, stage, pattern):
        return sum(int(x) for x in re.findall(pattern, self.text[f"p/{stage}"]))

    def read(self, *sources):
        return sum(self.number(s, r"out (\d+) records") for s in sources)

    def taken(self, stage):
        return self.number(stage, r"in (\d+) records")

    def out(self, stage):
        return self.number(stage, r"out (\d+) records")

    def dropped(self, stage):
        return self.number(stage, r"dropped (\d+) \(") + self.number(stage, r"joined (\d+)")

    def inside(self, sources, chain):
        """How many records are on their way through ${chain}, of which the last is a sink. Looks at each step, too."""
        flow = self.read(*sources)
        for stage in chain:
            assert self.taken(stage) <= flow, f"{stage} took more than there was: {self.text}"
            flow = self.out(stage)
            assert flow + self.dropped(stage) <= self.taken(stage), f"{stage} made records: {self.text}"
        return self.read(*sources) - sum(self.dropped(s) for s in chain) - self.out(chain[-1])


def sample(weir, seconds, look):
    """Call ${look}(state) at random moments. Returns how often."""
    rng, count, end = random.Random(1), 0, time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        look(State(weir))
        count += 1
        time.sleep(rng.random() * 0.05)
    return count


def json_line(i):
    kind = ("debug", "info", "error")[i % 3]
    return b'{"n":%d,"level":"%s","pad":"xxxxxxxxxxxxxxxxxxxxxxxx"}\n' % (i, kind.encode()) if i % 10 else b"%039d is not json\n" % i


def test_drops_errors_and_reconnects(tmp_path):
    """A filter that drops, lines that are no JSON and dropped, a receiver that hangs up again and again, and one that is dead."""
    receiver = Receiver(rcvbuf=16384)
    log, out = tmp_path / "a.log", tmp_path / "out"
    weir = Weir(tmp_path, config(
        tmp_path, tail(log), [file(out), tcp(receiver, name="live"),
                              tcp(free_port(), name="dead", queue={"max_bytes": "64KiB", "when_full": "drop_oldest"})],
        [{"type": "json", "on_error": "drop"}, {"type": "filter", "where": '.level != "debug"'}], memory_limit="4MiB",
        shutdown_timeout="1s"))
    weir.wait_log("no file matches")
    written = 0
    rng = random.Random(2)
    most = {"file": 0, "live": 0, "dead": 0}

    def look(state):
        nonlocal written
        append(log, b"".join(json_line(i) for i in range(written, written + 500)))
        written += 500
        current = receiver.current()
        if rng.random() < 0.3 and current and current.data:
            receiver.reset(current)
        if rng.random() < 0.1:
            receiver.hold()
        else:
            receiver.release()
        assert state.read("tail") <= written
        for sink in most:
            inside = state.inside(["tail"], ["json", "filter", sink])
            assert 0 <= inside <= 4 * MIB / LINE, f"{inside} records inside: {state.text}"
            most[sink] = max(most[sink], inside)
        assert state.out("file") <= len(out_lines(out))

    assert sample(weir, 4, look) > 20
    receiver.release()
    wait(lambda: State(weir).inside(["tail"], ["json", "filter", "live"]) == 0, "everything to be delivered")
    wait(lambda: State(weir).read("tail") == written, "everything to be read")
    wait(lambda: State(weir).inside(["tail"], ["json", "filter", "file"]) == 0, "everything to be delivered")
    wait(lambda: State(weir).inside(["tail"], ["json", "filter", "live"]) == 0, "everything to be delivered")
    state = State(weir)
    bad, debug = sum(i % 10 == 0 for i in range(written)), sum(i % 10 != 0 and i % 3 == 0 for i in range(written))
    assert state.dropped("json") == bad and state.dropped("filter") == debug
    assert state.out("file") == state.out("live") == written - bad - debug == len(out_lines(out))
    assert state.out("dead") == 0 and state.dropped("dead") > 0 and "queue" in state.text["p/dead"]
    assert state.dropped("dead") + state.inside(["tail"], ["json", "filter", "dead"]) == written - bad - debug
    assert len(receiver.connections) > 3, "nobody hung up"
    inside = state.inside(["tail"], ["json", "filter", "dead"])
    weir.stop(status=1)
    assert f"p/dead: {inside} records were read and not delivered" in weir.log


def test_joined_records_and_long_lines(tmp_path):
    """Records that become part of another one, and lines that are skipped."""
    log, out = tmp_path / "a.log", tmp_path / "out"
    weir = Weir(tmp_path, config(tmp_path, tail(log, max_line_bytes=200, on_long_line="skip"), file(out),
                                 [{"type": "multiline", "start": "^[0-9]"}, {"type": "filter", "where": '.message contains "keep"'}]))
    weir.wait_log("no file matches")
    written = long = 0

    def look(state):
        nonlocal written, long
        for i in range(20):
            append(log, b"1 keep %s\n  more\n  more\n2 drop %s\n" % (b"x" * 30, b"x" * 30) + (b"y" * 300 + b"\n" if i == 0 else b""))
        written += 80
        long += 1
        assert 0 <= state.inside(["tail"], ["multiline", "filter", "file"]) <= written
        assert state.read("tail") <= written and state.out("file") <= len(out_lines(out))

    assert sample(weir, 2, look) > 10
    wait(lambda: State(weir).inside(["tail"], ["multiline", "filter", "file"]) <= 1, "all but what may go on to be delivered")
    wait(lambda: State(weir).read("tail") == written, "everything to be read")
    assert State(weir).dropped("tail") == long
    weir.stop()
    assert out.read_bytes().count(b"keep") == written // 4
