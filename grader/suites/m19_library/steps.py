"""What several checks of m19_library do: look at files and tensors, and put folders into the worker."""

from __future__ import annotations

import json
from typing import Any

import torch
from safetensors import torch as library
from torch import Tensor

from grader.counting import counted
from grader.judge import StudentError, expect, expect_close, expect_equal
from grader.judge.outcomes import CheckFailed
from grader.judge.raising import unfinished

from . import oracle, probes

Tensors = dict[str, Tensor]


def header_of(data: Any) -> tuple[dict[str, Any], bytes]:
    """Return header and data of a file; fail, and name the mistake, where it has none that can be read."""
    try:
        return oracle.parse(data)
    except oracle.Broken as broken:
        expect(False, str(broken), mistake=oracle.misread(data), evidence="value")
        raise


def expect_file(data: Any, tensors: Tensors, metadata: dict[str, str] | None = None, what: str = "the file") -> None:
    """Expect a file with just these tensors and metadata, which safetensors itself opens."""
    header, rest = header_of(data)
    mistake = None
    if oracle.META not in header and metadata:
        mistake = oracle.META_OUTSIDE if metadata.items() <= header.items() else oracle.META_LEFT
    elif type(header.get(oracle.META)) is dict and "data_offsets" in header[oracle.META]:
        mistake = oracle.META_ENTRY
    said = f"{what}'s metadata are {header.get(oracle.META)!r}, expected {metadata or {}!r}."[:500]
    expect(header.get(oracle.META, {}) == (metadata or {}), said, mistake=mistake, evidence="value")
    names = sorted(name for name in header if name != oracle.META)
    expect_equal(names, sorted(tensors), what=f"the list of names in {what}")
    for name, tensor in tensors.items():
        found, wanted = header[name], oracle.expected_entry(tensor)
        same = type(found) is dict and {key: found.get(key) for key in wanted} == wanted
        said = f"The header says of {name}: {json.dumps(found)[:300]}; expected {json.dumps(wanted)} and data_offsets."
        expect(same, said, mistake=oracle.wrong_entry(found, tensor), evidence="value")
    found_spans = oracle.spans(header)
    expect(found_spans is not None, "data_offsets are not a begin and an end for each tensor.", evidence="value")
    spans = found_spans or {}
    begin = len(data) - len(rest)
    mistake = oracle.misplaced(spans, tensors, len(rest), begin)
    if mistake == oracle.ALIGNED:
        more = len(rest) - sum(len(oracle.numbers(tensor)) for tensor in tensors.values())
        mistake = oracle.uncounted(data, begin, more) or mistake
    right = mistake is None and _covered(spans, tensors, len(rest))
    shown = ", ".join(f"{name} {span}" for name, span in list(spans.items())[:4])
    said = f"{counted(len(rest), 'byte')} behind the header, and the tensors are said to lie at: {shown}."
    expect(right, said, mistake=mistake, evidence="value")
    opened = library.load(data)
    for name, tensor in tensors.items():
        first, last = spans[name]
        said = f"The bytes of {name} are not its numbers: {rest[first:last][:24].hex(' ')} …"
        expect(
            rest[first:last] == oracle.numbers(tensor), said, mistake=oracle.wrong_numbers(rest[first:last], tensor),
            evidence="value",
        )  # fmt: skip
        _expect_same(opened[name], tensor.detach(), f"{name}, as safetensors reads it,")


def _covered(spans: dict[str, list[int]], tensors: Tensors, size: int) -> bool:
    end = 0
    for name, (first, last) in sorted(spans.items(), key=lambda item: item[1]):
        if first != end or last - first != len(oracle.numbers(tensors[name])):
            return False
        end = last
    return end == size


def _expect_same(actual: Any, expected: Tensor, what: str, misses: dict[str, Any] | None = None) -> None:
    if expected.is_floating_point() and expected.numel():
        expect_close(actual, expected.contiguous(), atol=0.0, misses=misses, what=what)
    else:
        expect_equal(actual, expected.contiguous(), misses=misses, what=what)


def expect_tensors(
    found: Any, tensors: Tensors, metadata: dict[str, str], what: str = "", misses: dict[str, Tensors] | None = None
) -> None:
    """Expect what read_tensors returns: just these tensors, exactly, and these metadata."""
    shown = type(found) is tuple and len(found) == 2 and type(found[0]) is dict
    expect(shown, "read_tensors returns no tuple of a dict of tensors and metadata.", evidence="value")
    expect_state(found[0], tensors, what, misses)
    lost: dict[str, Any] = {"metadata are not returned": {}, "metadata are not returned where there are none": None}
    expect_equal(found[1], metadata, misses=lost, what=f"the dict of metadata {what}".strip())


def expect_state(found: Any, tensors: Tensors, what: str = "", misses: dict[str, Tensors] | None = None) -> None:
    """Expect a dict with just these tensors, exactly; `misses` maps mistakes to other tensors."""
    expect_equal(sorted(found), sorted(tensors), what=f"the list of names {what}".strip())
    for name, tensor in tensors.items():
        part = oracle.numbers(tensor)
        size = tensor.element_size()
        wrong = {words: values[name] for words, values in (misses or {}).items() if name in values}
        if size > 1 and tensor.numel():
            wrong["numbers are read big-endian"] = _swapped(part, tensor)
        if tensor.ndim > 1 and tensor.numel():
            turned = tensor.reshape(*reversed(tensor.shape)).permute(*reversed(range(tensor.ndim)))
            wrong["numbers are read column by column: they lie row by row"] = turned.contiguous()
        _expect_same(found[name], tensor, f"{name} {what}".strip(), wrong)


def _swapped(part: bytes, tensor: Tensor) -> Tensor:
    size = tensor.element_size()
    turned = bytearray(b"".join(part[i : i + size][::-1] for i in range(0, len(part), size)))
    return torch.frombuffer(turned, dtype=tensor.dtype).reshape(tensor.shape)


def folder_with(student: Any, files: dict[str, bytes]) -> str:
    """Return a folder in the worker that holds these files."""
    return student.plant(probes).put(student.file("mark", b""), files)


def files_in(student: Any, folder: str) -> dict[str, bytes]:
    """Return what the files of a folder in the worker hold."""
    found = student.plant(probes).files(folder)
    well = type(found) is dict and all(type(data) is bytes for data in found.values())
    if not well:
        raise CheckFailed("The folder cannot be read.")
    return found


# ── pipelines ──

CHANCES = 1e-3  # of a probability: float32 scores of 10 are right to 1e-6, and so are their exponentials
ONE = "a single text is answered by a list of one: it is answered by itself"
DEVICE = "ids are made on the CPU, and not where the model is"
TRAINING = "the model is asked in training mode: dropout falls on its answer"
GRAPH = "a graph is kept of the model's answer"
MODES = "the model's modules are not in their old modes afterwards"
TENSORS = "a probability is a tensor: .item() or .tolist() makes it a float"
WHOLE_TRAIN = "after an answer all of the model is put in training mode: each module had its own"
LEFT_EVAL = "the model stays in eval mode after an answer"


def expect_modes(found, wanted, training):
    """Expect that every call was in eval mode and without a graph, and modes as they were."""
    for _, trains, graph in found["calls"]:
        expect(trains is False, "The model was in training mode when it was asked.", mistake=TRAINING)
        expect(graph is False, "There was a graph when the model was asked.", mistake=GRAPH)
    known = {LEFT_EVAL: [], WHOLE_TRAIN: wanted}
    named = next((words for words, value in known.items() if value == found["training"]), MODES)
    said = f"In training mode afterwards: {found['training']}."
    expect(found["training"] == training, said, mistake=named)


def expect_pairs(given, numbers, names, chances, misses, what):
    """Compare names and the numbers beside them; a mistake is one that gives both."""
    plain = all(type(number) is float for number in numbers)
    tensors = any(isinstance(number, torch.Tensor) for number in numbers)
    expect(plain, "A probability is no float.", mistake=TENSORS if tensors else None, evidence="value")
    actual = torch.tensor(numbers, dtype=torch.float64)
    mistakes = {}
    for words, (other, values) in misses.items():
        if given == other and values.shape == actual.shape:
            mistakes[words] = values.double()
    if given != names:
        near = [
            words for words, values in mistakes.items() if torch.allclose(values, actual, atol=1e-4)
        ]  # fmt: skip
        raise_for(f"The {what}s are {given}, expected {names}.", near)
    # Relative alone: of several tokens the last may have a millionth of the first one's chance.
    expect_close(actual, chances.double(), atol=0.0, rtol=CHANCES, misses=mistakes, what="the list of probabilities")


def raise_for(message, near):
    """Fail with the only mistake that is near, if there is one."""
    expect(False, message[:500], mistake=near[0] if len(near) == 1 else None, evidence="value")


def ask_elsewhere(pipeline: Any, *args: Any) -> None:
    """Ask a pipeline whose model is on a device that holds no numbers; that none can be read there is no matter."""
    try:
        pipeline(*args)
    except StudentError as error:
        if unfinished(error):
            raise
