"""`python -m benchmarks.decoding`: what a megabyte of a worker's message costs the judge, whatever its shape.

Each shape is read, decoded and described as an answer is, side by side with a plain list of integers of the same size,
which is the common case. A hostile worker chooses the shape, so the worst one is what counts.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from grader.judge.describe import describe
from grader.sandbox.inside import wire

MEGABYTE = 2**20
PRIME = sys.hash_info.modulus
SAME = [float(2 ** (61 * n)) for n in range(-16, 17)]  # all with the hash of 1.0

Message = tuple[bytes, list[bytes]]


def _repeated(piece: str, count: int | None = None) -> Message:
    count = count or MEGABYTE // (len(piece) + 1)
    return f"[{','.join([piece] * count)}]".encode(), []


def _tensors(kind: str, shape: list[int], size: int) -> Message:
    nodes = [{kind: [n, "int8", shape]} for n in range(min(wire.MAX_BUFFERS, MEGABYTE // (size + 30)))]
    return json.dumps(nodes).encode(), [bytes(size)] * len(nodes)


def _colliding(items: int, sets: int) -> Message:
    alike = [7 + n * PRIME for n in range(1, items + 1)]
    inner = [{"frozenset": alike[:n] + alike[n + 1 :]} for n in range(sets)]
    return json.dumps({"set": inner}).encode(), []


def _tuples(length: int, count: int) -> Message:
    ends = [[a, b] for a in SAME for b in SAME][:count]
    return json.dumps({"dict": [[{"tuple": [1.5] * length + end}, 0] for end in ends]}).encode(), []


def _nested(depth: int) -> Message:
    return _repeated("[" * depth + "]" * depth)


SHAPES: dict[str, Callable[[], Message]] = {
    "empty lists": lambda: _repeated("[]"),
    "empty tuples": lambda: _repeated('{"tuple":[]}'),
    "empty sets": lambda: _repeated('{"set":[]}'),
    "empty dicts": lambda: _repeated('{"dict":[]}'),
    "dtypes": lambda: _repeated('{"dtype":"int8"}'),
    "devices": lambda: _repeated('{"device":"cpu"}'),
    "long integers": lambda: _repeated("7" * wire.MAX_DIGITS),
    "long numbers": lambda: _repeated("0." + "7" * 400),
    "one endless number": lambda: (b"[0." + b"7" * MEGABYTE + b"]", []),
    "escapes": lambda: (b'["' + b"\\ud83d\\ude42" * (MEGABYTE // 12) + b'"]', []),
    "bytes": lambda: _repeated('{"bytes":"\\u0000"}'),
    "nested lists": lambda: _nested(wire.MAX_DEPTH - 1),
    "a large set": lambda: (json.dumps({"set": list(range(150_000))}).encode(), []),
    "a large dict": lambda: (json.dumps({"dict": [[n, n] for n in range(60_000)]}).encode(), []),
    "small sets in a set": lambda: (
        json.dumps({"set": [{"frozenset": [n, -1, n + 7, 3 * n]} for n in range(30_000)]}).encode(),
        [],
    ),
    "colliding sets in a set": lambda: _colliding(330, 330),
    "colliding integers": lambda: (json.dumps({"set": [7 + n * PRIME for n in range(40_000)]}).encode(), []),
    "colliding tuples": lambda: _tuples(1300, 1089),
    "quadruples of -1 and -2": lambda: (
        json.dumps(
            [{"set": [{"tuple": [-1 - (n >> k & 1) for k in range(4)]} for n in range(16)]} for _ in range(2000)]
        ).encode(),
        [],
    ),
    "small tensors": lambda: _tensors("tensor", [1], 1),
    "tensors of many axes": lambda: _tensors("tensor", [2] * 12, 2**12),
    "a tensor of short axes": lambda: (json.dumps([{"tensor": [0, "int8", [6] * 8]}]).encode(), [bytes(6**8)]),
    "small arrays": lambda: _tensors("array", [1], 1),
    "numbers of NumPy's": lambda: _tensors("scalar", [], 1),
    "shapes of long numbers": lambda: _repeated(f'{{"tensor":[0,"int8",[{",".join(["7" * 4000] * 16)}]]}}'),
}


def integers() -> Message:
    """Return the common case: a list of token ids."""
    return json.dumps([n % 50257 for n in range(150_000)]).encode(), []


def seconds(message: Message) -> float:
    """Return the processor time for each megabyte of a message, read, decoded and described."""
    text, parts = message
    buffers = [bytearray(part) for part in parts]
    started = time.process_time()
    with contextlib.suppress(wire.WireError):
        describe(wire.decode(wire.parse(text), buffers, _refuse))
    return (time.process_time() - started) / (len(text) + sum(map(len, parts))) * MEGABYTE


def _refuse(kind: str, content: Any) -> Any:
    raise wire.WireError(f"nothing of the kind {kind} was sent")


def ratio(shape: str, rounds: int = 3) -> float:
    """Return how many times a list of integers a shape costs: the median of some rounds, each with both."""
    message, common = SHAPES[shape](), integers()
    seconds(message)  # whatever is loaded on first use is loaded now
    return statistics.median([seconds(message) / max(seconds(common), 1e-4) for _ in range(rounds)])


if __name__ == "__main__":
    for name in SHAPES:
        print(f"{name:<26} {ratio(name):6.1f} times a list of integers")
