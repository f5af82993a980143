"""Families of log files that are written and rotated in every way in which nothing has to be lost: for crash.py.

A way that needs weir to know a file first (it is renamed to where no pattern looks, or truncated) waits until the checkpoint says that it
does; until then rotate() leaves it alone and says so.
"""
import os
import pathlib
import re
import shutil
import zlib

import sequence


class Known:
    """What the checkpoint says."""

    def __init__(self, data_dir):
        try:
            text = (pathlib.Path(data_dir) / "checkpoint").read_text()
        except FileNotFoundError:
            text = ""
        self.rows = [r for r in (x.split(" ") for x in text.splitlines()) if r[0] == "file"]

    @staticmethod
    def crc(path, start, length):
        with open(path, "rb") as f:
            f.seek(start)
            return zlib.crc32(f.read(length))

    def row(self, path):
        """(offset, mark length, mark CRC) of the file at ${path} by inode and content, or None."""
        inode = os.stat(path).st_ino
        for r in self.rows:
            head = int(r[5])
            if int(r[4]) == inode and head and self.crc(path, 0, head) == int(r[6], 16):
                return int(r[7]), int(r[8]), int(r[9], 16)
        return None

    def knows(self, path):
        return self.row(path) is not None

    def delivered(self, path):
        """Was the whole file delivered?"""
        row = self.row(path)
        return row is not None and row[0] == os.path.getsize(path) and self.crc(path, row[0] - row[1], row[1]) == row[2]


class Family:
    """One log and its writer. The newest file stays open across rotation, as that of a daemon."""
    gated = True       # must weir know a file before it is rotated?
    ordered = True     # is it one log, whose lines keep their order?
    pattern = "{}.log"

    def __init__(self, letter, where, oracle, rng):
        self.letter, self.where, self.oracle, self.rng = letter, where, oracle, rng
        self.path = where / f"{letter}.log"
        self.fd = None
        self.half = b""      # the rest of a line whose head is written
        self.lines = []      # (first number, inode, path then): for reports
        self.rotations = 0
        self.open()

    @property
    def include(self):
        return str(self.where / self.pattern.format(self.letter))

    def open(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.lines.append((self.oracle.written.get(self.letter, 0), os.fstat(self.fd).st_ino, str(self.path)))

    def write(self, count):
        """${count} lines; the last may be left half written."""
        text = self.half + b"".join(sequence.make(self.letter, self.oracle.next(self.letter)) for _ in range(count))
        cut = len(text) - (self.rng.randrange(1, 12) if self.rng.random() < 0.2 else 0)
        self.half = text[cut:]
        middle = self.rng.randrange(cut + 1)
        os.write(self.fd, text[:middle])
        os.write(self.fd, text[middle:cut])

    def complete(self):
        if self.half:
            os.write(self.fd, self.half)
        self.half = b""

    def rotate(self, known):
        """Rotate, or return False when that would have to lose lines now."""
        if self.gated and not known.knows(self.path):
            return False
        self.move(known)
        self.rotations += 1
        return True

    def move(self, known):
        raise NotImplementedError

    def old(self):
        """Rotated files, oldest first."""
        def age(p):
            return -int(p.suffix[1:])
        return sorted((p for p in self.where.glob(f"{self.letter}.log.*") if p.suffix[1:].isdigit()), key=age)

    def shift(self):
        for p in self.old():
            p.rename(p.with_suffix(f".{int(p.suffix[1:]) + 1}"))
        self.path.rename(f"{self.path}.1")
        if self.rng.random() < 0.5:  # the writer does not know yet
            self.write(self.rng.randrange(1, 10))
        self.complete()
        self.open()

    def clean(self, known):
        """Delete what was rotated out and delivered. Returns how many files stay."""
        left = self.old()
        for p in list(left):
            if known.delivered(p):
                p.unlink()
                left.remove(p)
        return len(left)


class Outside(Family):
    """rename + create, to names that no pattern finds."""

    def move(self, known):
        self.shift()


class Inside(Family):
    """The same within the pattern; sometimes ten times in a row."""
    gated = False
    pattern = "{}.log*"

    def move(self, known):
        for _ in range(10 if self.rng.random() < 0.1 else 1):
            self.shift()
            self.write(self.rng.randrange(1, 5))


class Copied(Family):
    """copytruncate, with the writer held around it, and when everything was delivered: what was not read is lost by its nature."""

    def rotate(self, known):
        self.complete()
        if not known.delivered(self.path):
            return False
        return super().rotate(known)

    def move(self, known):
        shutil.copyfile(self.path, f"{self.path}.copy")
        os.truncate(self.path, 0)
        self.lines.append((self.oracle.written.get(self.letter, 0), os.fstat(self.fd).st_ino, str(self.path)))
        if self.rng.random() < 0.5:  # at once past where it was
            self.write(self.rng.randrange(1, 300))


class Dated(Family):
    """A new file of a new name each time, a log of its own; the old one stays where it is."""
    gated = ordered = False
    pattern = "{}-*.log"

    opened = 0

    def open(self):
        self.opened += 1
        self.path = self.where / f"{self.letter}-{self.opened:06}.log"
        super().open()

    def move(self, known):
        self.complete()
        self.open()

    def old(self):
        return [p for p in sorted(self.where.glob(f"{self.letter}-*.log")) if p != self.path]


class Linked(Family):
    """The log is a symbolic link that is led to a new file."""

    opened = 0

    def open(self):
        self.opened += 1
        target = self.where / f"{self.letter}.{self.opened:06}"
        fresh = self.where / f"{self.letter}.new"
        target.touch()
        fresh.symlink_to(target.name)
        fresh.rename(self.path)
        super().open()

    def move(self, known):
        self.complete()
        self.open()

    def old(self):
        return [p for p in sorted(self.where.glob(f"{self.letter}.0*")) if re.fullmatch(r"\.\d{6}", p.suffix)
                and p.name != os.readlink(self.path)]


class Replaced(Family):
    """Removed and made anew under the same name, often with the same inode."""

    def rotate(self, known):
        self.complete()
        if not known.delivered(self.path):
            return False
        return super().rotate(known)

    def move(self, known):
        self.path.unlink()
        self.open()


KINDS = [Outside, Inside, Copied, Dated, Linked, Replaced]


def make_families(where, oracle, rng, kinds=KINDS, apart=False):
    """One of each kind; ${apart}: each in a directory of its own."""
    letters = [chr(ord("a") + i) for i in range(len(kinds))]
    for letter in letters if apart else []:
        (where / letter).mkdir()
    return [kind(letter, where / letter if apart else where, oracle, rng) for letter, kind in zip(letters, kinds)]
