"""Numbered lines and the oracle that checks what came out of them.

A line is "FAMILY NUMBER PADDING CRC": the padding follows from the number, so that each line can be made again from its first two fields,
and the CRC tells a whole line from the piece of one that a crash left.
"""
import re
import zlib

WHOLE = re.compile(rb"([a-z]) (\d+) (x*) ([0-9a-f]{8})")


def make(family, number):
    """The line ${number} of ${family}, with its terminator."""
    body = b"%s %d %s " % (family.encode(), number, b"x" * (number * 37 % 150))
    return b"%s%08x\n" % (body, zlib.crc32(body))


class Sequence:
    """What was written, and what of it has arrived."""

    def __init__(self):
        self.written = {}   # by family: the number of the next line
        self.below = {}     # everything before has arrived
        self.above = {}     # and these behind it
        self.last = {}      # the highest
        self.late = {}      # for the first time, and behind a newer one: how many
        self.repeated = self.torn = self.arrived = 0
        self.again = []     # the first that were repeated

    def next(self, family):
        number = self.written.get(family, 0)
        self.written[family] = number + 1
        return number

    def feed(self, line, torn_allowed):
        """Take a line without its terminator. A piece of one is wrong unless ${torn_allowed}."""
        m = WHOLE.fullmatch(line)
        if m is None or make(m[1].decode(), int(m[2])) != line + b"\n":
            assert torn_allowed and self.is_piece(line), f"neither a line that was written nor a piece of one: {line!r}"
            self.torn += 1
            return
        family, number = m[1].decode(), int(m[2])
        assert number < self.written.get(family, 0), f"a line that was never written: {line!r}"
        self.count(family, number)

    def count(self, family, number):
        self.arrived += 1
        below, above = self.below.get(family, 0), self.above.setdefault(family, set())
        if number < below or number in above:
            self.repeated += 1
            if len(self.again) < 20:
                self.again.append((family, number))
            return
        above.add(number)
        if number < self.last.get(family, -1):
            self.late[family] = self.late.get(family, 0) + 1
        self.last[family] = max(number, self.last.get(family, -1))
        while below in above:
            above.remove(below)
            below += 1
        self.below[family] = below

    def is_piece(self, line):
        """Is it the beginning of a line that was written?"""
        m = re.match(rb"([a-z]) (\d+)( |$)", line)
        if m is None:
            return re.fullmatch(rb"[a-z]? ?\d*", line) is not None
        if not m[3]:
            return True  # cut inside its number
        return make(m[1].decode(), int(m[2])).startswith(line)

    def total(self):
        return sum(self.written.values())

    def missing(self):
        """The first missing line of each family."""
        return [(f, self.below.get(f, 0)) for f, n in sorted(self.written.items()) if self.below.get(f, 0) < n]
