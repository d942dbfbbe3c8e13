"""The wire: what crosses between judge and worker is JSON plus raw buffers, and nothing is ever unpickled.

A frame is a head (magic, length of the JSON, number of buffers), the lengths of the buffers, the JSON, the buffers.
Values that JSON lacks are objects whose only key names their kind: `{"tuple": […]}`, `{"tensor": [0, "int64", [2]]}`.
Every limit is checked before memory is taken, because the other end may be hostile.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

MAGIC = b"SCR1"
HEAD = struct.Struct("!4sII")
MAX_JSON = 32 * 2**20  # bytes
MAX_ANSWER = 8 * 2**20, 192 * 2**20  # bytes of JSON and of buffers that the judge takes in one message ...
MAX_ANSWERS = 24 * 2**20, 256 * 2**20  # ... and from one worker in all: a check may keep every answer
MAX_BUFFERS = 16384
MAX_BYTES = 1024 * 2**20  # all buffers of one frame
MAX_DEPTH = 50  # of a value that a worker sends ...
MAX_ASKED = MAX_DEPTH + 2  # ... of a question of its, which holds values ...
MAX_DEPTH_OUT = MAX_DEPTH + 20  # ... and of one sent to it: whatever came in can go out again, with something around it
MAX_NODES = 1_500_000  # commas and brackets, counted before parsing
MAX_ALIKE = 16  # keys of one table with the same hash: as many as quadruples of -1 and -2 have
MAX_SET_AS_KEY = 8  # numbers or texts in a set that is itself in a set
INLINE_BYTES = 256  # longer byte strings travel as buffers: in a text a byte takes up to six
MAX_DIMS = 16
MAX_SIZE = 2**48  # of one dimension
MAX_DIGITS = 4300  # of an integer, in both directions: what Python reads in linear time, nearly
MAX_INTEGER = 10**MAX_DIGITS

sys.set_int_max_str_digits(MAX_DIGITS)  # Python's default, whatever the environment says

FLOATS = ["float16", "float32", "float64", "complex64", "complex128"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
TORCH_DTYPES = [*FLOATS, *INTEGERS, "bfloat16"]
NUMPY_DTYPES = [*FLOATS, *INTEGERS]

SCALARS = frozenset({type(None), bool, int, float, str})  # of what JSON gives, those that stand for themselves
INTEGER = {int}
CONTAINERS = ("tuple", "dict", "set", "frozenset")
NESTED = frozenset({tuple, frozenset})  # keys that hold others

GREETING = HEAD.pack(MAGIC, 14, 0) + b'{"ready":true}'  # a worker's first message, before it reads the submission
JOIN = b"another judge"  # what a fork server is told, with the socket of one that it shall serve too


class WireError(Exception):
    """The other end sent something that is no message, or a value cannot be sent."""


# ── values to JSON nodes ──────────────────────────────────────────────────────────────────────────────────────────


def encode(
    value: Any,
    buffers: list[Any],
    other: Callable[[Any], dict[str, Any]],
    most: int = MAX_DEPTH_OUT,
) -> Any:
    """Return the JSON node for `value`; raw bytes go to `buffers`, and `other` encodes what crosses by reference.

    Types are matched exactly: a subclass of int is no int here, so it cannot bring behaviour along. `most` is how many
    more levels it may be nested.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        if not -MAX_INTEGER < value < MAX_INTEGER:
            raise WireError(f"an integer of more than {MAX_DIGITS} digits")
        return value
    if not most:
        raise WireError("a value nested too deep")
    below = most - 1
    if kind is list:
        if all(type(item) is int and -(2**63) <= item < 2**63 for item in value):
            return list(value)  # long lists of token ids are the common case
        return [encode(item, buffers, other, below) for item in value]
    if kind is tuple or kind is set or kind is frozenset:
        if kind is not tuple:
            check_keys(value)
        return {kind.__name__: [encode(item, buffers, other, below) for item in value]}
    if kind is dict:
        check_keys(value)
        pairs = [
            [encode(key, buffers, other, below), encode(item, buffers, other, below)] for key, item in value.items()
        ]
        return {"dict": pairs}
    if kind is bytes or kind is bytearray:
        if len(value) <= INLINE_BYTES:
            return {"bytes": value.decode("latin-1")}
        return {"buffer": _add(buffers, value)}
    module = kind.__module__
    if module.startswith("torch"):
        node = _encode_torch(value, buffers)
        if node is not None:
            return node
    elif module.startswith("numpy"):
        node = _encode_numpy(value, buffers)
        if node is not None:
            return node
    return other(value)


def _add(buffers: list[Any], data: Any) -> int:
    if len(buffers) >= MAX_BUFFERS:
        raise WireError(f"a value of more than {MAX_BUFFERS} tensors")
    buffers.append(data)
    return len(buffers) - 1


def _encode_torch(value: Any, buffers: list[Any]) -> dict[str, Any] | None:
    import torch

    kind = type(value)
    if kind is torch.dtype:
        return {"dtype": str(value).removeprefix("torch.")}
    if kind is torch.device:
        return {"device": str(value)}
    if kind is torch.Size:
        return {"tuple": list(value)}
    if kind is not torch.Tensor and kind is not torch.nn.Parameter:
        return None
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in TORCH_DTYPES or value.layout is not torch.strided or value.device.type == "meta":
        return None
    plain = value.detach().resolve_conj().resolve_neg().to("cpu").contiguous()
    raw = plain.reshape(-1).view(torch.uint8).numpy() if plain.numel() else b""
    return {"tensor": [_add(buffers, raw), dtype, list(plain.shape)]}


def _encode_numpy(value: Any, buffers: list[Any]) -> dict[str, Any] | None:
    import numpy

    kind = type(value)
    if kind is not numpy.ndarray and not isinstance(value, numpy.generic):
        return None
    if kind is not numpy.ndarray and kind.__module__ != "numpy":
        return None
    array = numpy.ascontiguousarray(value)
    if array.dtype.name not in NUMPY_DTYPES or not array.dtype.isnative:
        return None
    tag = "array" if kind is numpy.ndarray else "scalar"
    return {tag: [_add(buffers, array.tobytes()), array.dtype.name, list(value.shape)]}


# ── JSON nodes to values ──────────────────────────────────────────────────────────────────────────────────────────


def decode(
    node: Any,
    buffers: list[bytearray],
    other: Callable[[str, Any], Any],
    device: str = "cpu",
    most: int = MAX_DEPTH_OUT,
) -> Any:
    """Return the value that `node` stands for; `other(kind, content)` makes what crossed by reference.

    The other end decides how many nodes there are, so each must be cheap: no closures, no abstract types. `most` is how
    many more levels they may be nested.
    """
    if type(node) in SCALARS:
        return node
    if not most:
        raise WireError("a message nested too deep")
    below = most - 1
    if type(node) is list:
        if set(map(type, node)) <= INTEGER:
            return node
        return [decode(item, buffers, other, device, below) for item in node]
    if len(node) != 1:
        raise WireError("a node that is not of one kind")
    ((kind, content),) = node.items()
    try:
        if kind in CONTAINERS:
            if type(content) is not list:
                raise WireError("a container without a list of items")
            if kind == "tuple":
                return tuple([decode(item, buffers, other, device, below) for item in content])
            keys = [key for key, _ in content] if kind == "dict" else content
            decoded = [decode(key, buffers, other, device, below) for key in keys]
            check_keys(decoded)
            if kind == "dict":
                values = [decode(value, buffers, other, device, below) for _, value in content]
                return dict(zip(decoded, values, strict=True))
            return set(decoded) if kind == "set" else frozenset(decoded)
        if kind == "bytes":
            return content.encode("latin-1")
        if kind == "buffer":
            return bytes(_buffer(buffers, content))
        if kind == "tensor":
            return _decode_tensor(content, buffers, device)
        if kind in ("array", "scalar"):
            return _decode_array(content, buffers, kind)
        if kind == "dtype":
            return _dtype(content)
        if kind == "device":
            import torch

            return torch.device(content)
    except (TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise WireError(f"a malformed {kind}: {str(error)[:200]}") from None
    return other(kind, content)


def check_keys(keys: Collection[Any]) -> None:
    """Refuse keys that can be chosen so that a table of them, or a comparison of two, takes more than linear time.

    A table compares keys of the same hash, and Python's hashes of numbers and tuples are no secret. Each comparison is
    linear in the keys' size as long as none is itself a table.
    """
    if not NESTED.isdisjoint(map(type, keys)) and not all(map(_is_plain, keys)):
        raise WireError("a set or dict whose keys hold sets")
    if len(keys) > MAX_ALIKE and max(Counter(map(hash, keys)).values()) > MAX_ALIKE:
        raise WireError(f"a set or dict with more than {MAX_ALIKE} keys that Python cannot tell apart by their hash")


def _is_plain(key: Any) -> bool:
    if type(key) is tuple:
        return all(map(_is_plain, key))
    return type(key) is not frozenset or (len(key) <= MAX_SET_AS_KEY and NESTED.isdisjoint(map(type, key)))


def _buffer(buffers: list[bytearray], index: Any) -> bytearray:
    if type(index) is not int or not 0 <= index < len(buffers):
        raise WireError("a reference to a buffer that is not there")
    buffer, buffers[index] = buffers[index], None  # type: ignore[call-overload]
    if buffer is None:
        raise WireError("two references to one buffer")
    return buffer


def _dtype(name: Any) -> Any:
    import torch

    if name not in TORCH_DTYPES:
        raise WireError("an unknown dtype")
    return getattr(torch, name)


def _shape(shape: Any) -> list[int]:
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMS
        or any(type(n) is not int or not 0 <= n < MAX_SIZE for n in shape)
    ):
        raise WireError("a malformed shape")
    return shape


def _decode_tensor(content: Any, buffers: list[bytearray], device: str) -> Any:
    import torch

    index, name, shape = content
    raw, dtype, count = _buffer(buffers, index), _dtype(name), 1
    for size in _shape(shape):
        count *= size
    if count * dtype.itemsize != len(raw):
        raise WireError("a tensor whose bytes do not fit its shape")
    if not count:
        return torch.empty(shape, dtype=dtype, device=device)
    tensor = torch.frombuffer(raw, dtype=dtype).reshape(shape)  # a bytearray of its own: private, writable memory
    return tensor if device == "cpu" else tensor.to(device)


def _decode_array(content: Any, buffers: list[bytearray], kind: str) -> Any:
    import numpy

    index, name, shape = content
    raw, count = _buffer(buffers, index), 1
    if name not in NUMPY_DTYPES:
        raise WireError("an unknown array dtype")
    dtype = numpy.dtype(name)
    for size in _shape(shape):
        count *= size
    if count * dtype.itemsize != len(raw):
        raise WireError("an array whose bytes do not fit its shape")
    array = numpy.frombuffer(raw, dtype=dtype).reshape(shape)
    return array if kind == "array" else array[()]


# ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Channel:
    """A two-way stream of frames over a pair of file descriptors (a socket or two pipes)."""

    def __init__(self, read_fd: int, write_fd: int, most: tuple[int, int] = (MAX_JSON, MAX_BYTES)) -> None:
        self.read_fd, self.write_fd, self.most = read_fd, write_fd, most
        self.left = list(MAX_ANSWERS) if most == MAX_ANSWER else None
        self._turn = threading.Lock()  # messages may be sent from several threads

    def send(self, node: Any, buffers: list[Any]) -> None:
        """Send one message; OSError when the other end is gone."""
        try:
            text = json.dumps(node, separators=(",", ":")).encode("ascii")
        except (ValueError, RecursionError) as error:
            raise WireError(f"a value that cannot be sent: {error}") from None
        views = [memoryview(buffer).cast("B") if len(buffer) else memoryview(b"") for buffer in buffers]
        sizes = [len(view) for view in views]
        if len(text) > MAX_JSON or sum(sizes) > MAX_BYTES:
            raise WireError("a value that is too large to send")
        head = HEAD.pack(MAGIC, len(text), len(sizes)) + struct.pack(f"!{len(sizes)}Q", *sizes)
        with self._turn:
            self._write(head + text)
            for view in views:
                self._write(view)

    def sending(self, node: Any) -> Callable[[], None]:
        """Return what sends this message; made beforehand, it asks nothing of the modules, which may change.

        It ends the process where another file has taken the channel's place: nobody would hear of it.
        """
        text = json.dumps(node, separators=(",", ":")).encode("ascii")
        frame, fd, turn, write = HEAD.pack(MAGIC, len(text), 0) + text, self.write_fd, self._turn, os.write
        look, leave, own = os.fstat, os._exit, os.fstat(self.write_fd).st_ino

        def send() -> None:
            with turn:
                if look(fd).st_ino != own:
                    leave(73)
                left = frame
                while left:
                    left = left[write(fd, left) :]

        return send

    def receive(self) -> tuple[Any, list[bytearray]]:
        """Wait for one message; EOFError when the other end is gone, WireError when it is no message."""
        magic, json_size, count = HEAD.unpack(self._read(HEAD.size))
        if magic != MAGIC or json_size > self.most[0] or count > MAX_BUFFERS:
            raise WireError("bytes that are no message")
        sizes = struct.unpack(f"!{count}Q", self._read(8 * count))
        if sum(sizes) > self.most[1]:
            raise WireError("a message that is too large")
        if self.left is not None:
            self.left = [self.left[0] - json_size, self.left[1] - sum(sizes)]
            if min(self.left) < 0:
                raise WireError("more in all than a check could need")
        text = bytes(self._read(json_size))
        node = parse(text)
        return node, [self._read(size) for size in sizes]

    def close(self) -> None:
        """Close both directions."""
        for fd in {self.read_fd, self.write_fd}:
            os.close(fd)

    def _write(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.write_fd, view[: 2**20]) :]

    def _read(self, size: int) -> bytearray:
        # Memory grows with what has arrived, not with what the head promises.
        data = bytearray()
        while len(data) < size:
            piece = os.read(self.read_fd, min(size - len(data), 2**20))
            if not piece:
                raise EOFError("the other end closed the channel")
            data += piece
        return data


def parse(text: bytes) -> Any:
    """Parse the JSON of a message; WireError if it is none, or has too many parts or too deep a nesting."""
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MAX_NODES:
        raise WireError("a message with too many parts")
    collecting = gc.isenabled()
    gc.disable()  # JSON has no cycles, and looking for them takes longer than the parsing
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message that is not JSON: {error}") from None
    finally:
        if collecting:
            gc.enable()
