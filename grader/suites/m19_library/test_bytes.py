"""m19_library: tensors as a file's bytes, written and read, beside safetensors itself."""

import json
from typing import Any

import pytest
import torch
from safetensors import torch as library

from grader.counting import counted
from grader.judge import (
    CheckFailed,
    achieve,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_raises,
    expect_unchanged,
)

from . import oracle, probes
from .steps import expect_file, expect_tensors

NO_BFLOAT16 = "NumPy has no bfloat16: look at the tensor as bytes before NumPy sees it"
ONE_MEMORY = "all tensors are views of one memory: who keeps one keeps the whole file"
UNWRITTEN = "a tensor of another dtype is written under a wrong name, or left out"
NAMED_META = "a tensor called __metadata__ is written: that name is the metadata's"
META_KINDS = "metadata that are no strings are written: no reader takes them"
EMPTY = "an empty tensor cannot be read, or one without axes: torch.frombuffer wants at least one byte"
NO_AXES = "a tensor without axes cannot be viewed as bytes, nor can an empty one be cut: give it one axis first"
META_AMONG = "metadata are taken for a tensor: take __metadata__ out of the header first"
FILE_MEMORY = "tensors lie in the memory of the bytes that were read: who changes a tensor changes these"
NO_KIND = "a dtype that the contract lists is not known"
SORTED = "tensors are taken to lie in the order in which the header names them"


def every_kind(draw):
    """Return a tensor of each dtype, drawn, with several numbers of axes, none and empty ones among them."""
    tensors = {}
    for number, (dtype, kind) in enumerate(oracle.KINDS.items()):
        shape = ((2, 3), (5,), (), (3, 1, 2), (0, 4))[number % 5]
        values = (
            draw.normal(*(shape or (1,)), scale=40.0).reshape(shape)
            if dtype.is_floating_point
            else draw.integers(-90, 90, *(shape or (1,))).reshape(shape)
        )
        values = values > 0 if dtype == torch.bool else values.abs() if dtype == torch.uint8 else values
        tensors[f"{kind}.{number}"] = values.to(dtype)
    tensors["größe.重み"] = draw.normal(2, 2)
    return tensors


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    'Example: {"a": torch.tensor([1.0])} has the header {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, '
    "4]}}, and ends with the bytes 00 00 80 3f.",
)
def test_the_file_of_the_docstring(student):
    """One number gives a header of one entry, and its four bytes behind that."""
    data = student.write_tensors({"a": torch.tensor([1.0])})
    expect_file(data, {"a": torch.tensor([1.0])})
    header, rest = oracle.parse(data)
    expect_equal(header, {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, what="the header")
    expect_equal(rest, b"\x00\x00\x80\x3f", what="what stands behind the header")


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Return a safetensors file: the header's length in bytes (unsigned, 8 bytes, little-endian), the header, the data.",
    'The header is JSON in UTF-8: a dict with {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} for '
    'each name, begin and end counted in bytes from the header\'s end, and "__metadata__" where metadata are '
    "given.",
    "Numbers lie row by row, each little-endian, one tensor's right behind another's, up to the file's end.",
    "Each byte belongs to one.",
    "Spaces may end the header.",
)
def test_tensors_lie_one_behind_the_other(student, draw):
    """Of several tensors each lies right behind another, from the header's end to the file's, and is found there."""
    for names in (("wte.weight",), ("h.0.ln_1.weight", "a", "größe")):
        tensors = {name: draw.normal(2 + number, 3) for number, name in enumerate(names)}
        expect_file(student.write_tensors(tensors), tensors)
    expect_file(student.write_tensors({}), {})


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "The dtypes: F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL (a byte, 0 or 1).",
)
@pytest.mark.parametrize("kind", oracle.DTYPES)
def test_every_dtype_is_written(student, draw, kind):
    """Tensors of each dtype, without axes and empty ones too, are written under its name, number by number."""
    dtype = oracle.DTYPES[kind]
    given = {
        "matrix": draw.normal(3, 2, scale=40.0),
        "none": draw.normal(0, 4),
        "number": draw.normal(1)[0] + 50,
    }
    if not dtype.is_floating_point:
        given = {name: value.abs().mul(2).round() for name, value in given.items()}
    tensors = {name: (value.round() % 2 if kind == "BOOL" else value).to(dtype) for name, value in given.items()}
    simpler = {"a": torch.ones(2)}
    if kind == "F32":  # known to all, so that nothing but its axes can be at fault
        data = expect_answer(student.write_tensors, tensors, simpler=(simpler,), mistake=NO_AXES)
    else:
        simpler |= {name: torch.ones(value.shape) for name, value in given.items()}
        mistake = NO_BFLOAT16 if kind == "BF16" else NO_KIND
        data = expect_answer(student.write_tensors, tensors, simpler=(simpler,), mistake=mistake)
    expect_file(data, tensors)


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    'The header is JSON in UTF-8: a dict with {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} for '
    'each name, begin and end counted in bytes from the header\'s end, and "__metadata__" where metadata are '
    "given.",
)
@pytest.mark.parametrize("metadata", [{"format": "pt", "von": "Zoë"}, {}, None], ids=["some", "none", "absent"])
def test_metadata_stand_in_the_header(student, draw, metadata):
    """Metadata stand under __metadata__ in the header, where there are any, and beside all tensors."""
    tensors = {"a": draw.normal(3)}
    data = student.write_tensors(tensors, metadata) if metadata is not None else student.write_tensors(tensors)
    expect_file(data, tensors, metadata or {})


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Tensors may lie in memory in any way (transposed, sliced, shared), and stay as they are.",
    "Numbers lie row by row, each little-endian, one tensor's right behind another's, up to the file's end.",
)
def test_however_a_tensor_lies_its_numbers_are_written(student, draw):
    """Transposed, sliced, expanded, shared and trainable tensors are written row by row, and stay as they are."""
    base = draw.normal(4, 3)
    found = student.plant(probes).writing(student.write_tensors, base)
    tensors = {
        "sliced": base[1:, ::2],
        "turned": base.T,
        "last": base[-1],
        "again": base.T,
        "grown": base[:1, :1].expand(2, 3),
        "trained": base[:, 1:],
    }
    expect_file(found["data"], tensors)
    expect_unchanged(found["after"], base, what="the tensor that was written")


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a tensor of another dtype or called __metadata__, and for metadata that "
    "are no strings.",
)
def test_what_the_format_has_no_place_for_is_refused(student, draw):
    """A complex tensor, one called __metadata__, and metadata that are numbers raise ValueError."""
    good = {"a": draw.normal(2)}
    odd = {"a": draw.normal(2), "wave.7": torch.complex(draw.normal(2), draw.normal(2))}
    given: dict[str, Any] = {"mentions": ("wave.7",), "fine": (good,), "mistake": UNWRITTEN}
    expect_raises("ValueError", student.write_tensors, odd, what="write_tensors with complex64", **given)
    named = {"__metadata__": draw.normal(2)}
    given = {"mentions": ("__metadata__",), "fine": (good,), "mistake": NAMED_META}
    expect_raises("ValueError", student.write_tensors, named, what="write_tensors of a tensor __metadata__", **given)
    for metadata in ({"step": 3}, {"a": ["b"]}, {"best": None}):
        what = f"write_tensors with the metadata {metadata}"
        given = {"fine": (good, {"a": "b"}), "mistake": META_KINDS}
        expect_raises("ValueError", student.write_tensors, good, metadata, what=what, **given)


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Return what write_tensors was given: tensors, each in memory of its own, and metadata ({} where there are none).",
    "The dtypes: F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL (a byte, 0 or 1).",
)
def test_what_safetensors_has_written_is_read(student, draw):
    """A file that safetensors has written gives all tensors, of every dtype, and its metadata."""
    tensors, metadata = every_kind(draw), {"format": "pt", "author": "Zoë"}
    for given, mistake in ((None, EMPTY), (metadata, META_AMONG)):
        file, simpler = library.save(tensors, given), (library.save({"a": draw.normal(2)}),)
        found = expect_answer(student.read_tensors, file, simpler=simpler, mistake=mistake)
        expect_tensors(found, tensors, given or {})


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Others' files have tensors and keys in any order, and white space around the header or none.",
    "Numbers lie row by row, each little-endian, one tensor's right behind another's, up to the file's end.",
)
def test_others_files_are_read(student, draw):
    """Tensors and keys in any order, white space around the header or none: what the format allows is read."""
    tensors = {"b": draw.normal(2, 3), "c": draw.integers(0, 99, 3).to(torch.uint8), "a": draw.normal(4).double()}
    unsorted = {"z": "1", "y": "2"}
    files = {
        "without padding": oracle.assemble(tensors),
        "padded with spaces": oracle.assemble(tensors, unsorted, pad=b"   "),
        "padded with newlines": oracle.assemble(tensors, pad=b"\n\n"),
        "with spaces before the header": oracle.assemble(tensors, front=b"  "),
        "with names in another order than the numbers": oracle.assemble(
            tensors, header=lambda header: dict(reversed(header.items()))
        ),
        "with a key that nobody knows": oracle.assemble(
            tensors, header=lambda header: header | {"b": header["b"] | {"note": "x"}}
        ),
        "in ASCII": oracle.assemble({"größe": tensors["a"]}, header=lambda header: json.dumps(header).encode()),
    }
    for what, data in files.items():
        wanted = {"größe": tensors["a"]} if what == "in ASCII" else tensors
        mistake = SORTED if "order" in what else None
        misses = {SORTED: oracle.in_header_order(data)} if "order" in what else {}
        found = expect_answer(student.read_tensors, data, simpler=(files["without padding"],), mistake=mistake)
        said = unsorted if what == "padded with spaces" else {}
        expect_tensors(found, wanted, said, f"of a file {what}", misses)


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Return what write_tensors was given: tensors, each in memory of its own, and metadata ({} where there are none).",
)
def test_each_tensor_has_memory_of_its_own(student, draw):
    """A tensor that was read can be changed, and holds no more memory than its own numbers."""
    tensors = {"a": draw.normal(50, 2), "b": draw.normal(3), "none": draw.normal(0, 2)}
    found, kept = student.plant(probes).storages(student.read_tensors, library.save(tensors))
    expect(kept is True, "The bytes that were read are others, once a tensor was changed.", mistake=FILE_MEMORY)
    for name, tensor in tensors.items():
        size, flat = found[name]
        own = tensor.numel() * tensor.element_size()
        said = f"{name} has {counted(own, 'byte')}, and the memory that it keeps has {size}."
        expect(size == own, said, mistake=ONE_MEMORY)
        expect(flat is True, f"{name} is not contiguous.")
    expect_tensors(student.read_tensors(library.save(tensors)), tensors, {})


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Nothing is believed: ValueError where length, JSON or metadata break the rules above, or the tensors take "
    "more or fewer bytes than there are; it names a tensor whose dtype is unknown, or whose begin or end "
    "disagrees with its shape, dtype or neighbours.",
)
@pytest.mark.parametrize("number", range(16))
def test_a_broken_file_is_refused(student, draw, number):
    """Lengths, headers, metadata, dtypes and offsets that break a rule raise ValueError, naming the tensor at fault."""
    tensors = {"layer.up": draw.normal(5), "layer.down": draw.normal(3, 2)}
    mistake, (data, names) = list(oracle.broken_files(tensors).items())[number]
    fine = (oracle.assemble(tensors),)
    what = "read_tensors with a file that breaks a rule"
    try:
        expect_raises("ValueError", student.read_tensors, data, mentions=names, mistake=mistake, fine=fine, what=what)
    except CheckFailed as failed:
        failed.args = (f"{failed.args[0]}\nThe file: {data[:90]!r}…", *failed.args[1:])
        raise


@pytest.mark.task("m19.1")
@pytest.mark.holds(
    "Return what write_tensors was given: tensors, each in memory of its own, and metadata ({} where there are none).",
)
def test_what_was_written_is_read(student, draw):
    """The student's own reader gives back what the student's writer was given."""
    tensors = every_kind(draw)
    found = student.read_tensors(student.write_tensors(tensors, {"a": "b"}))
    expect_tensors(found, tensors, {"a": "b"})
    expect_close(found[0]["F64.0"], tensors["F64.0"], atol=0.0, what="F64.0")


@pytest.mark.task("m19.1")
def test_bert_nanos_own_file_is_read_and_written(student, data):
    """The file of a model that this course has trained is read, and written so that it opens again."""
    file = data.bytes("bert-nano/model.safetensors")
    tensors = library.load(file)
    found = student.read_tensors(file)
    expect_tensors(found, tensors, {"format": "pt"})
    written = student.write_tensors(tensors, {"format": "pt"})
    expect_file(written, tensors, {"format": "pt"})
    count = sum(value.numel() for value in tensors.values())
    said = f"Your reader has opened bert-nano's own file, {len(tensors)} tensors with {count:,} numbers; your writer "
    achieve(f"{said}makes a file of {counted(len(written), 'byte')} of them, and safetensors one of {len(file):,}.")
