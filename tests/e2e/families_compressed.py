"""Families of logs whose rotated files are compressed, or copied and truncated with the copies left in their place: for crash.py.

What is unread of a log then lives on in another file, of another inode. Nothing waits here until everything was delivered, as families.Copied
does: that weir finds the rest where it went is what is shown.
"""
import os
import pathlib
import re
import shutil
import subprocess

from families import Family

TOOLS = {".gz": ["gzip", "-q"], ".zst": ["zstd", "-q", "--rm"]}


class Packing(Family):
    """Rotated files are NAME.N, or NAME.N.gz and .zst once they are compressed."""

    def __init__(self, *args):
        self.ends = {}  # by inode of a rotated file: the number behind its last line
        super().__init__(*args)

    def old(self):
        def age(p):
            return -int(re.search(r"\.log\.(\d+)", p.name)[1])
        return sorted((p for p in self.where.glob(f"{self.letter}.log.*") if re.fullmatch(r"\w\.log\.\d+(\.gz|\.zst)?", p.name)), key=age)

    def shift(self):
        """Make room for a new NAME.1."""
        for p in self.old():
            head, number, end = re.fullmatch(r"(\w\.log\.)(\d+)(.*)", p.name).groups()
            p.rename(p.with_name(f"{head}{int(number) + 1}{end}"))

    def rotated(self, path):
        """${path} gets no more lines."""
        self.ends[os.stat(path).st_ino] = self.oracle.written.get(self.letter, 0)

    def compress(self, path):
        end = self.rng.choice([".gz", ".zst"])
        number = self.ends.pop(os.stat(path).st_ino)
        subprocess.run([*TOOLS[end], path], check=True)
        self.ends[os.stat(f"{path}{end}").st_ino] = number

    def compress_old(self, chance):
        for p in self.old():
            if p.suffix not in TOOLS and self.rng.random() < chance:
                self.compress(p)

    def arrived(self, path):
        """Every line of a rotated file, and all before it, has come."""
        return self.oracle.below.get(self.letter, 0) >= self.ends[os.stat(path).st_ino]

    def clean(self, known):
        for p in self.old():
            if self.arrived(p):
                del self.ends[os.stat(p).st_ino]
                p.unlink()
        return len(self.old())


class Zipped(Packing):
    """rename, create, compress, at once or at one of the next rotations; no pattern finds the rotated files."""

    def move(self, known):
        self.shift()
        self.path.rename(f"{self.path}.1")
        self.complete()
        self.open()
        self.rotated(f"{self.path}.1")
        self.compress_old(0.6)


class ZippedInside(Zipped):
    """The same within the pattern, several times in a row."""
    gated = False
    pattern = "{}.log*"

    def move(self, known):
        for _ in range(4 if self.rng.random() < 0.1 else 1):
            super().move(known)
            self.write(self.rng.randrange(1, 5))


class ZippedDated(Packing):
    """A new name each time; the older files are compressed beside it."""
    gated = ordered = False
    pattern = "{}-*.log*"

    def open(self):
        self.path = self.where / f"{self.letter}-{len(self.lines):06}.log"
        super().open()

    def old(self):
        return [p for p in sorted(self.where.glob(f"{self.letter}-*.log*")) if p != self.path]

    def move(self, known):
        self.complete()
        self.rotated(self.path)
        self.open()
        self.compress_old(0.5)


class CopiedInPlace(Packing):
    """copytruncate, with the writer held around it; the copies are in the folder and no pattern finds them. The next one waits until the last
    copy was delivered: of several that a stalled weir sleeps through only the newest can be told from its content."""

    def rotate(self, known):
        self.complete()
        copies = self.old()
        if copies and not self.arrived(copies[-1]):
            return False
        return super().rotate(known)

    def move(self, known):
        self.shift()
        shutil.copyfile(self.path, f"{self.path}.1")
        self.rotated(f"{self.path}.1")
        if self.packed():
            self.compress(pathlib.Path(f"{self.path}.1"))
        os.truncate(self.path, 0)
        self.lines.append((self.oracle.written.get(self.letter, 0), os.fstat(self.fd).st_ino, str(self.path)))
        if self.rng.random() < 0.5:  # at once past where it was
            self.write(self.rng.randrange(1, 300))

    def packed(self):
        return False


class CopiedPacked(CopiedInPlace):
    """And the copy is compressed before the log is truncated."""

    def packed(self):
        return True


class CopiedInside(CopiedInPlace):
    """The pattern finds the copies: nothing has to wait."""
    gated = False
    pattern = "{}.log*"

    def rotate(self, known):
        self.complete()
        return Packing.rotate(self, known)


KINDS = [Zipped, ZippedInside, ZippedDated, CopiedInPlace, CopiedPacked, CopiedInside]
