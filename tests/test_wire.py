"""The wire: every value crosses unchanged, and nothing else than a value does."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import fuzz
from grader.sandbox.inside import wire


def cross(value):
    """Send a value through a real channel and return what arrives."""
    buffers: list = []
    node = wire.encode(value, buffers, lambda other: pytest.fail(f"{other!r} crossed by reference"))
    return decode_sent(node, buffers)


def decode_sent(node, buffers):
    """Send a node and its buffers through a pipe and decode them."""
    read, write = os.pipe()
    channel = wire.Channel(read, write)
    try:
        channel.send(node, buffers)
        return wire.decode(*channel.receive(), other=lambda kind, content: pytest.fail(kind))
    finally:
        channel.close()


def receive(data: bytes):
    """Return what a channel makes of raw bytes."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        return wire.Channel(read, read).receive()
    finally:
        os.close(read)


inert = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.binary(), inner)
        | st.frozensets(st.integers() | st.text())
    ),
    max_leaves=20,
)


@given(inert)
def test_a_value_arrives_as_it_was_sent(value):
    """Nested plain values arrive equal, with the same types."""
    arrived = cross(value)

    assert arrived == value
    assert type(arrived) is type(value)
    if not isinstance(value, frozenset | list | tuple | dict):
        assert repr(arrived) == repr(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(wire.TORCH_DTYPES),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*fuzz.KINDS, "stop", "kind", "number", "args", "kwargs"]), inner, max_size=4)
        | st.lists(st.tuples(inner, inner).map(list), max_size=3).map(lambda pairs: {"dict": pairs})
        | st.tuples(
            st.integers(-1, 3), st.sampled_from(wire.TORCH_DTYPES), st.lists(st.integers(-1, 2**40), max_size=4)
        )
        .map(list)
        .flatmap(lambda content: st.sampled_from(["tensor", "array", "scalar"]).map(lambda kind: {kind: content}))
    ),
    max_leaves=25,
)


@given(anything, st.lists(st.binary(max_size=40).map(bytearray), max_size=3))
@settings(max_examples=400, deadline=None)
def test_no_message_does_more_than_be_refused(node, buffers):
    """Whatever tree of nodes is sent as reply, question or error report: only the wire's own errors come of it."""
    before = fuzz.peak_megabytes()

    for sent in (node, {"ok": node}, {"ask": node}, {"error": node}):
        fuzz.message(b"\0\0" + json.dumps(sent).encode())
        with contextlib.suppress(wire.WireError):
            fuzz.content(wire.parse(json.dumps(sent).encode()), [bytearray(buffer) for buffer in buffers])

    assert fuzz.peak_megabytes() - before < fuzz.MEGABYTES


@given(
    st.sampled_from([wire.MAGIC, b"SCR2"]),
    st.integers(0, 2**32 - 1) | st.integers(0, 60),
    st.integers(0, 2**32 - 1) | st.integers(0, 3),
    st.binary(max_size=200),
)
@settings(max_examples=400, deadline=None)
def test_no_frame_does_more_than_be_refused(magic, json_size, count, rest):
    """Whatever a frame's head promises, and whatever follows it, is refused before memory is set aside for it."""
    before = fuzz.peak_megabytes()

    fuzz.frame(wire.HEAD.pack(magic, json_size, count) + rest)

    assert fuzz.peak_megabytes() - before < fuzz.MEGABYTES


@pytest.mark.parametrize("dtype", [getattr(torch, name) for name in wire.TORCH_DTYPES], ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 4)], ids=str)
def test_a_tensor_arrives_bit_for_bit(dtype, shape):
    """A tensor of any dtype and shape arrives with the same bits, in memory of its own."""
    tensor = (torch.arange(24)[: max(1, torch.Size(shape).numel())] % 2).to(dtype)
    tensor = tensor[: torch.Size(shape).numel()].reshape(shape)

    arrived = cross(tensor)

    assert type(arrived) is torch.Tensor and arrived.dtype == dtype and arrived.shape == tensor.shape
    assert torch.equal(arrived, tensor)
    assert arrived.data_ptr() != tensor.data_ptr() or tensor.numel() == 0


def test_a_transposed_tensor_and_a_parameter_arrive_plain():
    """Strides, gradients and the Parameter class stay behind; the values arrive."""
    value = torch.nn.Parameter(torch.randn(3, 5)).t()

    arrived = cross(value)

    assert type(arrived) is torch.Tensor and not arrived.requires_grad and arrived.is_contiguous()
    assert torch.equal(arrived, value.detach())


def test_numpy_values_arrive():
    """Arrays and NumPy scalars arrive as such."""
    array, scalar = cross([numpy.arange(6, dtype="int32").reshape(2, 3), numpy.float32(2.5)])

    assert array.dtype == numpy.int32 and array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert type(scalar) is numpy.float32 and scalar == 2.5


@pytest.mark.parametrize("value", [type("Int", (int,), {})(3), torch.nn.Buffer(torch.ones(2)).to_sparse(), object()])
def test_a_subclass_or_an_object_does_not_cross(value):
    """What is not exactly a plain type is handed to the encoder of references."""
    seen: list = []

    wire.encode(value, [], lambda other: seen.append(other) or {"handle": 1})

    assert seen == [value]


@pytest.mark.parametrize(
    "data",
    [
        b"hello, I am no message at all",
        struct.pack("!4sII", b"SCR1", 2**31, 0),
        struct.pack("!4sII", b"SCR1", 2, 2**31),
        struct.pack("!4sIIQ", b"SCR1", 2, 1, 2**60) + b"{}",
        struct.pack("!4sII", b"SCR1", 3, 0) + b"{a}",
        struct.pack("!4sII", b"SCR1", 100_000, 0) + b"[" * 100_000,
        struct.pack("!4sII", b"SCR1", 9_000_002, 0) + b"[" + b"[]," * 2_999_999 + b"[]]"[:3] + b"    ",
        struct.pack("!4sII", b"SCR1", 5000, 0) + b"1" * 5000,
    ],
    ids=["text", "huge-json", "many-buffers", "huge-buffer", "not-json", "deep", "many-parts", "long-number"],
)
def test_what_is_no_message_is_a_wire_error(data):
    """Bytes that are no message, promise too much or nest too deep are refused without taking memory for them."""
    import threading

    read, write = os.pipe()

    def feed() -> None:
        with open(write, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        with pytest.raises((wire.WireError, EOFError)):
            wire.Channel(read, read).receive()
    finally:
        os.close(read)


def test_half_a_message_is_the_end():
    """A channel that closes in the middle of a message raises EOFError."""
    with pytest.raises(EOFError):
        receive(struct.pack("!4sII", b"SCR1", 20, 0) + b'{"ok"')


@pytest.mark.parametrize(
    "node",
    [
        {"tensor": [0, "float32", [3]]},
        {"tensor": [0, "float32", [2, -1]]},
        {"tensor": [7, "float32", [2]]},
        {"tensor": [0, "object", [2]]},
        {"tensor": [0, "float32", [1] * 40]},
        {"tensor": "x"},
        {"array": [0, "object", [1]]},
        {"dtype": "load"},
        {"device": "no such device"},
        {"dict": [[1]]},
        {"set": [[1]]},
        {"bytes": 3},
        {"bytes": "\u1234"},
        {"two": 1, "keys": 2},
        {"buffer": True},
    ],
    ids=str,
)
def test_a_malformed_value_is_a_wire_error(node):
    """A node that contradicts itself is refused with the decoder's own error."""
    with pytest.raises(wire.WireError):
        wire.decode(node, [bytearray(8)], lambda kind, content: pytest.fail(kind))


@pytest.mark.parametrize("most", [wire.MAX_DEPTH, wire.MAX_ASKED, wire.MAX_DEPTH_OUT])
def test_a_deep_value_is_refused_when_sent_as_when_received(most):
    """A value nested just as deep as is allowed crosses in both directions, and one a level deeper in neither."""
    value: list = []
    for _ in range(most - 1):
        value = [value]

    assert wire.decode(wire.encode(value, [], pytest.fail, most), [], pytest.fail, most=most) == value
    with pytest.raises(wire.WireError, match="deep"):
        wire.encode([value], [], pytest.fail, most)
    with pytest.raises(wire.WireError, match="deep"):
        wire.decode([value], [], pytest.fail, most=most)


PRIME = sys.hash_info.modulus
SAME_PLACE = [
    (-1 - (n >> 4 & 1), -1 - (n >> 3 & 1), -1 - (n >> 2 & 1), -1 - (n >> 1 & 1), -1 - (n & 1)) for n in range(32)
]


@pytest.mark.parametrize(
    "value",
    [10**4299, -(10**4299), 10**4300 - 1, {0.5, True, None, "a", b"a"}, {(-1, -2, 3): 1}, set(SAME_PLACE[:16]),
     {frozenset({1, 2}), frozenset({3})}, {((1, 2), 3): [frozenset(range(400))]}, set(range(5000))],
    ids=["4,300 digits", "negative", "largest", "scalars", "tuple", "few alike", "tiny sets", "nested tuples", "many"],
)  # fmt: skip
def test_what_comes_in_may_go_out_again(value):
    """Keys and numbers at the limits arrive, and can be sent back."""
    assert cross(value) == value
    assert cross([[cross(value)]]) == [[value]]


@pytest.mark.parametrize(
    "value",
    [10**4300, {7 + n * PRIME for n in range(17)}, dict.fromkeys(SAME_PLACE), {frozenset(range(9))},
     {(frozenset({frozenset()}),): 1}, {frozenset({(1, 2)})}],
    ids=["long number", "same hash", "alike tuples", "large set in a set", "sets in a tuple", "tuple in a set"],
)  # fmt: skip
def test_costly_keys_and_numbers_cross_in_neither_direction(value):
    """Tables whose keys collide or hold tables, and integers that take long to read, are refused at both ends."""
    with pytest.raises(wire.WireError):
        wire.encode(value, [], pytest.fail)
    with pytest.raises(wire.WireError):
        decode_sent(unchecked(value), [])


def unchecked(value):
    """Return the node that a hostile worker would send for a value."""
    if isinstance(value, tuple | set | frozenset):
        return {type(value).__name__: [unchecked(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[unchecked(key), unchecked(item)] for key, item in value.items()]}
    return value
