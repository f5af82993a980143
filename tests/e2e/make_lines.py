"""JSON lines as applications write them, reproducible: make_lines.py BYTES > FILE.

Mostly objects of some hundred bytes; among them numbers past 2^53, escapes, other scripts, nesting, long strings, and lines that
are no JSON object at all (text, empty, broken UTF-8, NUL bytes).
"""
import json
import random
import sys

LEVELS = ["debug", "debug", "debug", "info", "info", "info", "info", "warn", "error"]
WORDS = "request user cache miss timeout retry öffnen 東京 payload \"quoted\" back\\slash tab\there done".split(" ")
ODD = [b"", b"plain text, no JSON", b'"level"', b"[1,2,3]", b'{"level":"debug"', b'{"level":"debug",}', b"{'level':'debug'}",
       b'{"level":"de\xffbug"}', b'{"level":"debug"} x', b"\xff\xfe\x00\x01", b'{"level":NaN}', b"null", b"\r", b"{}",
       b'{"a":{"level":"debug"}}', b'{"level":["debug"]}', b'{"level":"\\u0064ebug"}', b'  {"level":"debug"}  ', b'{"level":"Debug"}',
       b'{"level" : "debug" , "n" : 1e400}', b'{"level":"debug","n":01}', b'{"\\u006cevel":"debug"}']


def templates(rng, count=4000):
    """Pairs of bytes between which the number of the line is put."""
    pairs = []
    for i in range(count):
        value = {"seq": 1234567890123, "ts": "2024-05-%02dT12:%02d:%02d.%03dZ" % tuple(rng.randrange(10, 28) for _ in range(4)),
                 "level": rng.choice(LEVELS), "msg": " ".join(rng.choice(WORDS) for _ in range(rng.randrange(3, 20))),
                 "id": rng.randrange(1 << 63), "took": rng.random() * 100, "ok": rng.random() < .5, "none": None}
        if i % 3 == 0:
            value["http"] = {"status": rng.choice([200, 204, 404, 500]), "path": "/a/b/%d" % i, "headers": [["a", "b"]] * (i % 5)}
        if i % 97 == 0:
            value["blob"] = "y" * rng.randrange(20000)
        text = json.dumps(value, ensure_ascii=i % 2 == 0, separators=rng.choice([(",", ":"), (", ", ": ")]))
        before, after = text.split("1234567890123")
        pairs.append((before.encode(), after.encode() + b"\n"))
    return pairs


def generate(size, seed=1):
    """About ${size} bytes in whole lines."""
    rng = random.Random(seed)
    pairs = templates(rng)
    out, total, number = [], 0, 0
    while total < size:
        if number % 211 == 210:
            text = ODD[rng.randrange(len(ODD))] + b"\n"
        else:
            before, after = pairs[rng.randrange(len(pairs))]
            text = before + b"%d" % number + after
        out.append(text)
        total += len(text)
        number += 1
    return b"".join(out)


if __name__ == "__main__":
    sys.stdout.buffer.write(generate(int(sys.argv[1])))
