"""The reference for m19_library's files of tensors: the format by its rules, and what each mistake writes instead."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from grader.counting import counted

Tensors = dict[str, Tensor]

KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
DTYPES = {kind: dtype for dtype, kind in KINDS.items()}
META = "__metadata__"

NO_LENGTH = "the header's length is missing: the file begins with eight bytes that hold it"
BIG_LENGTH = "the header's length is written big-endian"
FOUR = "the header's length has 4 bytes: it takes 8"
SELF = "the header's length counts its own 8 bytes"
CHARACTERS = "the header's length counts characters, not bytes"
NOT_JSON = "the header is Python's text of a dict, not JSON: json.dumps writes double quotes"
NOT_UTF8 = "the header is not UTF-8"
TORCH_NAMES = "dtypes bear torch's names: the format has its own, F32 and the like"
FROM_START = "offsets are counted from the file's start, not from the header's end"
LENGTHS = "data_offsets hold begin and length: they are begin and end"
EACH_FROM_0 = "every tensor's offsets begin at 0: each begins where the last one ended"
NUMBERS = "offsets count numbers, not bytes"
LAST = "data_offsets hold the place of the last byte: the end is one behind it"
NO_SHAPE = "a tensor without axes is written with shape [1]: its shape is []"
OTHER_DTYPE = "a tensor is stored in another dtype than its own"
STRINGS = "the shape is written as text: it is a list of numbers"
META_LEFT = "the metadata are left out"
META_OUTSIDE = "the metadata stand among the tensors: they belong under __metadata__"
META_ENTRY = "the metadata are written as a tensor: they are a dict of strings in the header"
ALIGNED = "there are bytes that belong to no tensor: the next one begins where the last one ends"
TWICE_ONCE = "a tensor that two names share is written once: each name has numbers of its own"
BIG_NUMBERS = "numbers are written big-endian"
COLUMNS = "numbers are written as they lie in memory: row by row is what is asked for"
PADDING = "the spaces behind the header are not counted in its length"
STORAGE = "what is written is the memory behind a tensor, not its own numbers"


def numbers(tensor: Tensor) -> bytes:
    """Return a tensor's bytes, row by row, little-endian."""
    rows = tensor.detach().contiguous().flatten()
    return bytes(rows.view(torch.uint8).numpy().data)


def assemble(
    tensors: Tensors, metadata: Any = None, *, header: Callable[[dict[str, Any]], Any] = dict, pad: bytes = b"",
    front: bytes = b"", turn: Callable[[bytes], bytes] = bytes, length: Callable[[int], bytes] | None = None,
) -> bytes:  # fmt: skip
    """Write a file by the rules; `header` and `turn` change header and data, `pad` and `front` stand around the header.

    Tensors come in their order, keys in the order in which they are named here.
    """
    entries: dict[str, Any] = {} if metadata is None else {META: metadata}
    parts, end = [], 0
    for name, tensor in tensors.items():
        parts.append(numbers(tensor))
        offsets = [end, end + len(parts[-1])]
        entries[name] = {"data_offsets": offsets, "shape": list(tensor.shape), "dtype": KINDS[tensor.dtype]}
        end = offsets[1]
    changed = header(entries)
    text = changed if type(changed) is bytes else json.dumps(changed, ensure_ascii=False).encode()
    text = front + text + pad
    size = (length or (lambda count: count.to_bytes(8, "little")))(len(text))
    return size + text + turn(b"".join(parts))


# ── what is wrong with a file ──


class Broken(Exception):
    """A file breaks a rule; the text is a sentence."""


def _header(data: bytes, begin: int, end: int) -> Any:
    try:
        return json.loads(data[begin:end].decode())
    except (ValueError, RecursionError):
        return None


def parse(data: Any) -> tuple[dict[str, Any], bytes]:
    """Return a file's header and its data. Raises Broken."""
    if type(data) is not bytes:
        raise Broken("What is returned is no bytes.")
    whole, end = len(data), int.from_bytes(data[:8], "little") + 8
    if whole < max(8, end):
        raise Broken(f"The first 8 bytes say that the header ends at {end}, and the file has {counted(whole, 'byte')}.")
    header = _header(data, 8, end)
    if type(header) is not dict:
        raise Broken(f"The header, of {counted(end - 8, 'byte')}, is no JSON object.")
    return header, data[end:]


def misread(data: Any) -> str | None:
    """Return the mistake that makes a header unreadable, if it can be told."""
    if type(data) is not bytes:
        return None
    if data[:1] == b"{":
        return NO_LENGTH
    if data[4:5] == b"{":
        return FOUR
    if data[8:9] != b"{":
        return None
    size = int.from_bytes(data[:8], "little")
    if type(_header(data, 8, 8 + int.from_bytes(data[:8], "big"))) is dict:
        return BIG_LENGTH
    if size > 8 and type(_header(data, 8, size)) is dict:
        return SELF
    if data[8:10] == b"{'":
        return NOT_JSON
    if any(type(_header(data, 8, 8 + size + more)) is dict for more in range(1, 9)):
        return CHARACTERS
    try:
        data[8 : 8 + size].decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return None


def uncounted(data: bytes, begin: int, more: int) -> str | None:
    """Return the mistake by which a header of the right length but for `more` spaces leaves these before the data."""
    if data[begin : begin + more].strip(b" "):
        return None
    text = data[8:begin]
    return CHARACTERS if len(text) - len(text.decode()) == more else PADDING


def expected_entry(tensor: Tensor) -> dict[str, Any]:
    """Return what a header says of a tensor, but for where it lies."""
    return {"dtype": KINDS[tensor.dtype], "shape": list(tensor.shape)}


def wrong_entry(entry: Any, tensor: Tensor) -> str | None:
    """Return the mistake in what a header says of a tensor."""
    if type(entry) is not dict:
        return None
    kind, shape = entry.get("dtype"), entry.get("shape")
    if type(kind) is str and kind.rpartition(".")[2] == str(tensor.dtype).rpartition(".")[2]:
        return TORCH_NAMES
    if shape == [1] and tensor.shape == ():
        return NO_SHAPE
    if type(kind) is str and kind in DTYPES and DTYPES[kind] != tensor.dtype:
        return OTHER_DTYPE
    return STRINGS if type(shape) is str else None


def spans(header: dict[str, Any]) -> dict[str, list[int]] | None:
    """Return where a header says that each tensor lies; None where it says no such thing."""
    found = {}
    for name, entry in header.items():
        if name != META:
            offsets = entry.get("data_offsets") if type(entry) is dict else None
            if type(offsets) is not list or [type(number) for number in offsets] != [int, int]:
                return None
            found[name] = offsets
    return found


def misplaced(found: dict[str, list[int]], tensors: Tensors, size: int, begin: int) -> str | None:
    """Return the mistake that puts tensors where they do not lie, or None where they lie as they should."""
    sizes = {name: len(numbers(tensor)) for name, tensor in tensors.items()}
    total = sum(sizes.values())

    def fits(places: dict[str, list[int]], given: dict[str, int] = sizes) -> bool:
        end = 0
        for name, (first, last) in sorted(places.items(), key=lambda item: item[1]):
            if first != end or last - first != given[name]:
                return False
            end = last
        return True

    if fits(found) and size == total:
        return None
    others = {
        FROM_START: {name: [first - begin, last - begin] for name, (first, last) in found.items()},
        LENGTHS: {name: [first, first + last] for name, (first, last) in found.items()},
        LAST: {name: [first, last + 1] for name, (first, last) in found.items()},
    }
    for words, places in others.items():
        if places != found and fits(places):
            return words
    if fits(found, {name: tensor.numel() for name, tensor in tensors.items()}):
        return NUMBERS
    if len(found) > 1 and all(span == [0, sizes[name]] for name, span in found.items()):
        return EACH_FROM_0
    if len(set(map(tuple, found.values()))) < len(found) and size < total:
        return TWICE_ONCE
    widths = all(last - first == sizes[name] for name, (first, last) in found.items())
    ordered = sorted(found.values())
    apart = all(one[1] <= other[0] for one, other in pairwise(ordered))
    return ALIGNED if widths and apart and size > total else None


def wrong_numbers(part: bytes, tensor: Tensor) -> str | None:
    """Return the mistake that writes these bytes for a tensor."""
    tensor = tensor.detach()
    if tensor.numel() == 0:
        return None
    width = tensor.element_size()
    right = numbers(tensor)
    if width > 1 and part == b"".join(right[i : i + width][::-1] for i in range(0, len(right), width)):
        return BIG_NUMBERS
    if tensor.ndim > 1 and part == numbers(tensor.permute(*reversed(range(tensor.ndim)))):
        return COLUMNS
    whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
    behind = numbers(whole)[tensor.storage_offset() * width :]  # as the memory lies from where the tensor begins
    return STORAGE if part in (numbers(whole)[: len(part)], numbers(whole), behind[: len(part)]) else None


assert sys.byteorder == "little"  # as every machine that torch is built for


def in_header_order(data: bytes) -> Tensors:
    """Read a file as whoever takes tensors to lie in the order in which the header names them."""
    header, rest = parse(data)
    found, begin = {}, 0
    for name, entry in header.items():
        if name != META:
            first, last = entry["data_offsets"]
            part, begin = bytearray(rest[begin : begin + last - first]), begin + last - first
            found[name] = torch.frombuffer(part, dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


# ── others' files ──


def broken_files(tensors: Tensors) -> dict[str, tuple[bytes, tuple[str, ...]]]:
    """Return files that break a rule, by the mistake of who takes them, each with the names of which one must be told.

    `tensors` are float32, the second one of two axes.
    """
    first, second = tensors
    size = len(numbers(tensors[first]))
    common = first[: next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)]

    def entry(name: str, **fields: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda header: header | {name: header[name] | fields}

    def without(name: str, field: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda header: header | {name: {key: header[name][key] for key in header[name] if key != field}}

    rows, columns = tensors[second].shape
    whole = size + 4 * rows * columns
    moved = entry(second, data_offsets=[size + 4, whole + 4])
    earlier = entry(second, data_offsets=[size - 4, whole - 4])
    good = assemble(tensors)
    return {
        TOO_SHORT: (good[:7], ()),
        LENGTH_BEYOND: (assemble(tensors, length=lambda count: (count + 10**6).to_bytes(8, "little")), ()),
        HEADER_TEXT: (assemble(tensors, header=lambda header: repr(header).encode()), ()),
        HEADER_LIST: (assemble(tensors, header=lambda header: b"[]", turn=lambda data: b""), ()),
        HEADER_BYTES: (assemble(tensors, {"by": "Zoë"}, header=_latin), ()),
        META_NUMBER: (assemble(tensors, {"step": 3}), ()),
        META_TENSOR: (assemble(tensors, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), ()),
        BEHIND: (assemble(tensors, turn=lambda data: data + b"\0" * 4), ()),
        CUT: (good[:-4], ()),
        GAP: (assemble(tensors, header=moved, turn=lambda data: data[:size] + b"\0" * 4 + data[size:]), (common,)),
        OVERLAP: (assemble(tensors, header=earlier, turn=lambda data: data[:-4]), (common,)),
        KIND: (assemble(tensors, header=entry(second, dtype="float32")), (second,)),
        NO_FIELD: (assemble(tensors, header=without(second, "shape")), (second,)),
        OTHER_SHAPE: (assemble(tensors, header=entry(second, shape=[rows, columns + 1])), (second,)),
        NEGATIVE: (assemble(tensors, header=entry(second, shape=[-rows, -columns])), (second,)),
        BACKWARDS: (assemble(tensors, header=entry(first, data_offsets=[size, 0])), (common,)),
    }


def _latin(header: dict[str, Any]) -> bytes:
    return json.dumps(header, ensure_ascii=False).encode("latin-1")


TOO_SHORT = "a file of less than 8 bytes is taken"
LENGTH_BEYOND = "a header that is longer than the file is taken"
HEADER_TEXT = "a header that is no JSON is taken: json.loads is the way, and eval runs whatever stands there"
HEADER_LIST = "a header that is no JSON object is taken"
HEADER_BYTES = "a header that is not UTF-8 is taken"
META_NUMBER = "metadata that are no strings are taken"
META_TENSOR = "metadata that look like a tensor are taken"
BEHIND = "bytes behind the last tensor are taken: each byte belongs to one"
CUT = "a file whose last numbers are cut off is taken"
GAP = "bytes between two tensors are taken: each byte belongs to one"
OVERLAP = "two tensors that overlap are taken"
KIND = "a dtype that the format does not know is taken"
NO_FIELD = "a tensor without a shape is taken"
OTHER_SHAPE = "a tensor whose shape asks for more bytes than it has is taken"
NEGATIVE = "negative sizes are taken, since their product is right"
BACKWARDS = "a tensor that ends before it begins is taken"


# ── shards ──


def shards(sizes: dict[str, int], most: int) -> list[list[str]]:
    """Share names out in order."""
    return _shared(sizes, lambda held, size: held + size <= most)


def _shared(sizes: dict[str, int], fits: Callable[[int, int], bool]) -> list[list[str]]:
    plan: list[list[str]] = []
    held = 0
    for name, size in sizes.items():
        if plan and fits(held, size):
            plan[-1].append(name)
            held += size
        else:
            plan.append([name])
            held = size
    return plan


def shard_misses(sizes: dict[str, int], most: int) -> dict[str, Callable[[], Any]]:
    """Share the same names out as mistakes do."""

    def filled() -> list[list[str]]:
        plan: list[list[str]] = []
        for name, size in sizes.items():
            for part in plan:
                if sum(sizes[other] for other in part) + size <= most:
                    part.append(name)
                    break
            else:
                plan.append([name])
        return plan

    def late() -> list[list[str]]:
        plan: list[list[str]] = [[]]
        held = 0
        for name, size in sizes.items():
            plan[-1].append(name)
            held += size
            if held >= most:
                plan.append([])
                held = 0
        return plan if plan[-1] else plan[:-1]

    def front() -> list[list[str]]:
        plan: list[list[str]] = [[]]
        held = 0
        for name, size in sizes.items():
            if held + size > most:
                plan.append([])
                held = 0
            plan[-1].append(name)
            held += size
        return plan

    def beside() -> list[list[str]]:
        large = [name for name in sizes if sizes[name] > most]
        rest = shards({name: size for name, size in sizes.items() if name not in large}, most)
        return sorted([*rest, *([name] for name in large)], key=lambda part: list(sizes).index(part[0]))

    def free() -> list[list[str]]:
        files: list[list[str]] = []
        held = most + 1  # bytes in the last file, the first of its tensors left out
        for name, size in sizes.items():
            if held + size > most:
                files.append([])
                held = -size
            files[-1].append(name)
            held += size
        return files

    def joined() -> list[list[str]]:
        files: list[list[str]] = []
        held = most  # bytes in the last file, as if one that is too large took none
        for name in sizes:
            if not files or held + sizes[name] > most:
                files.append([])
                held = 0
            files[-1].append(name)
            held = 0 if sizes[name] > most else held + sizes[name]
        return files

    by_size = dict(sorted(sizes.items(), key=lambda item: -item[1]))
    return {
        "a file that is exactly full is counted as too full: at most `most` bytes fit": lambda: _shared(
            sizes, lambda held, size: held + size < most
        ),
        "a file is closed only when it holds more than `most`": late,
        "an empty file stands before a tensor that is too large for one": front,
        "names go into any file with room, not into the last one": filled,
        "names are sorted by size: they keep their order": lambda: shards(by_size, most),
        "each name has a file of its own": lambda: [[name] for name in sizes],
        "what comes behind a tensor that is too large joins the file before it": beside,
        "what comes behind a tensor that is too large joins its file: it has one for itself": joined,
        "what comes behind a tensor that is too large goes on in the file before, as huggingface_hub has it": lambda: (
            sorted(beside(), key=lambda part: list(sizes).index(part[-1]))
        ),
        "the size of a file's first tensor is not counted": free,
        "the size of the last tensor is not counted": lambda: _shared(sizes, lambda held, _: held < most),
        "all names are in one file": lambda: [list(sizes)],
    }
