"""What json → filter (.level != "debug") must let through, said by another program than weir.

As a program: oracle.py < lines > lines-that-pass. Python's json reads what weir's must, but is more lenient in two points
(NaN and Infinity, bytes that are not UTF-8), which are refused here.
"""
import json
import sys


def refuse(name):
    raise ValueError(name)


def parse(line):
    """The object that the line is, or None."""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def passes(line, on_error="pass"):
    value = parse(line)
    if value is None:
        return on_error == "pass"
    return value.get("level") != "debug"


def filtered(data, on_error="pass"):
    """The records of ${data} that pass, each as it was."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [x for x in lines if passes(x, on_error)]


if __name__ == "__main__":
    for record in filtered(sys.stdin.buffer.read()):
        sys.stdout.buffer.write(record + b"\n")
