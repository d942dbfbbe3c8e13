"""m19_library's stretch goal: to read a file of tensors as fast as it goes."""

import torch

from grader.judge import expect_equal
from grader.suites.shared import stretching as shared

from . import oracle, probes

SIZE = 200_000  # numbers of each large tensor


def measure(student, draw, data, weights):
    """Return how many megabytes of tensors are read in a second of processor time."""
    tensors = {f"h.{number}.weight": draw.normal(2, SIZE // 2) for number in range(6)}
    tensors |= {f"h.{number}.bias": draw.normal(7).double() for number in range(6)}
    file = oracle.assemble(tensors, {"format": "pt"}, pad=b" ")
    path, planted = student.file("model.safetensors", file), student.plant(probes)
    amount = sum(len(oracle.numbers(value)) for value in tensors.values()) / 1e6
    found, sums = shared.per_second(
        student, lambda count: planted.read_often(student.read_tensors, path, count), amount
    )
    right = {name: int(value.view(torch.int32).long().sum()) for name, value in tensors.items()}
    expect_equal(sums, right, what="the sum of each tensor's bits")
    small = oracle.assemble({name: tensors[name][:1] for name in tensors})
    sizes, _ = planted.storages(student.read_tensors, small)
    own = {name: [len(oracle.numbers(tensors[name][:1])), True] for name in tensors}
    expect_equal(sizes, own, what="each tensor's memory: how many bytes it keeps, and whether it is contiguous")
    return found
