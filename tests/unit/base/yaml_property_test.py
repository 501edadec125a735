"""What the YAML writer writes reads back equal, by PyYAML and by our own reader.

usage: yaml_property_test.py PATH_OF_YAML_FILTER [ROUNDS [SEED]]
"""

import json
import math
import random
import subprocess
import sys

import yaml

WORDS = """y n yes No ON off true FALSE null Null ~ << = - -- --- ... . .. ? : , | > @ ` % & * ! # 0 00 007 08 1_000 0x1f 0X1F 0o17
0b11 0b-1 -1 +1 1. .5 -.5 5e3 1e+3 1.5e-3 1:30 190:20:30.15 12:30:45 2001-01-01 2001-12-14t21:59:43.10-05:00 .inf -.Inf
.NaN nan inf 10.0.0.1 1.2.3 v1 a:b a: :a a#b a#b #a -a -#a - a ? a [a] {a} 'a' "a" a'b a"b \\ \\n ${x} {{ .x }} *.go &amp !!str
%YAML key=value http://x/y?z=1#f C:\\dir é ü日本 \U0001f600 a\u0085b \u2028 \ufeff \ufffe \x7f \x80 \t a\tb""".split(" ")
PIECES = ["a", "b c", " ", "  ", "\n", "\n\n", ":", ": ", " #", "#", "-", "- ", "'", '"', "\\", "\t", "\r", "\x00", "\x1b",
          "é", "\u2028", "\u0085", "\ufeff", "\U0001f600", "0", "1.5", "---", "---\n", "...", "|", ">", "x" * 90, "{", "}", ","]


def text(rng):
    if rng.random() < 0.4:
        return rng.choice(WORDS)
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(6)))


def number(rng):
    pick = rng.random()
    if pick < 0.4:
        return rng.randrange(-1000, 1000)
    if pick < 0.6:
        return rng.randrange(-(2**63), 2**63)
    if pick < 0.8:
        return rng.randrange(-999, 999) + 0.5
    return math.ldexp(rng.random() + 0.01, rng.randrange(-1000, 1000))


def tree(rng, depth):
    pick = rng.random()
    if depth and pick < 0.25:
        return [tree(rng, depth - 1) for _ in range(rng.randrange(4))]
    if depth and pick < 0.6:
        return {key(rng): tree(rng, depth - 1) for _ in range(rng.randrange(5))}
    if pick < 0.7:
        return rng.choice([True, False, None])
    return number(rng) if pick < 0.8 else text(rng)


def key(rng):
    # jansson has no NUL in keys; a very long one needs the "? " form.
    return (text(rng).replace("\x00", "") + "k" * 1100) if rng.random() < 0.01 else text(rng).replace("\x00", "")


def run(program, mode, data):
    return subprocess.run([program, mode], input=data, capture_output=True, check=True, timeout=100).stdout


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    trees = [tree(rng, 5) for _ in range(rounds)] + WORDS
    written = run(program, "write", json.dumps(trees).encode())
    back = list(yaml.load_all(written.decode(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    slow = list(yaml.load_all(written.decode(), Loader=yaml.SafeLoader))
    own = json.loads(run(program, "read", written + b"\x00"))
    assert len(back) == len(slow) == len(trees), (len(back), len(slow), len(trees))
    for want, got, got_slow in zip(trees, back, slow):
        assert want == got and want == got_slow, f"PyYAML reads {got!r}\n where {want!r} was written"
    wanted = [t for t in trees if t is not None]
    assert len(own) == len(wanted), (len(own), len(wanted))
    for want, got in zip(wanted, own):
        assert want == got, f"we read {got!r}\n where {want!r} was written"
    print(f"{len(trees)} trees")


if __name__ == "__main__":
    main()
