"""The worked examples of m19_library, in its guide and its docstrings, are true; and what it says of its checks."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import torch

from grader.suites.m19_library import oracle, oracle_runs
from solutions.m19_library import plan_shards, read_tensors, write_tensors

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m19_library.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


def compact():
    """Return the file of *By hand*, with a header that has no space between its words."""
    tensors = {"a": torch.tensor([1.0, -2.0]), "n": torch.tensor(7, dtype=torch.int16)}
    header, rest = oracle.parse(write_tensors(tensors))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return tensors, len(text).to_bytes(8, "little") + text + rest


def test_the_table_of_the_guide_is_right():
    """Every row has the bytes that stand at its place in the file, and together they are the file."""
    tensors, data = compact()
    rows = re.findall(r"(?m)^\| (\d+) to (\d+) \| (.+?) \| (.+) \|$", GUIDE)

    assert [int(first) for first, *_ in rows] == [0, *(int(last) + 1 for _, last, *_ in rows[:-1])]
    assert int(rows[-1][1]) == len(data) - 1 and f"make a file of {len(data)} bytes" in WORDS
    for first, last, shown, _ in rows:
        part = data[int(first) : int(last) + 1]
        if shown.startswith("`"):
            text, more = re.fullmatch(r"`(.+)`(?: and (\d+) spaces)?", shown).groups()
            assert part.decode() == text + " " * int(more or 0)
        else:
            assert part.hex(" ") == shown
    size = int.from_bytes(data[:8], "little")
    assert f"the header has {size} bytes: hexadecimal {size:x}, the smallest part first" in WORDS
    assert all(torch.equal(read_tensors(data)[0][name], value) for name, value in tensors.items())


def test_the_formulas_of_the_guide_are_right():
    """Ends are begins and sizes, the next begins there; and the loss of a step is the mean of those that are there."""
    tensors, data = compact()
    header, _ = oracle.parse(data)
    begin = 0
    for name, value in tensors.items():
        end = begin + value.itemsize * value.numel()
        assert header[name]["data_offsets"] == [begin, end]
        begin = end
    batches = [(torch.randn(4, 3).double(), torch.randn(4).double()) for _ in range(3)]
    weight = torch.zeros(3).double()

    _, losses = oracle_runs.run(weight, [batches], 2)

    costs = [float((y**2).mean()) for _, y in batches]
    assert losses[0] == sum(costs[:2]) / 2


def hub_plan(sizes, most):
    """Return huggingface_hub's plan for tensors of these sizes, as lists of names."""
    from huggingface_hub import split_torch_state_dict_into_shards

    tensors = {name: torch.zeros(size, dtype=torch.uint8) for name, size in sizes.items()}
    return list(split_torch_state_dict_into_shards(tensors, max_shard_size=most).filename_to_tensors.values())


def test_what_the_guide_computes_in_passing_is_right():
    """The chance of a class that is ahead by three, and the three files of huggingface_hub's plan."""
    theirs = hub_plan({"a": 3, "b": 4, "c": 2, "d": 9, "e": 1}, 7)

    assert f"1 / (1 + exp(-3)) is {1 / (1 + math.exp(-3)):.3f}" in WORDS
    assert theirs == [["a", "b"], ["d"], ["c", "e"]] and "[a, b], [d] and [c, e]" in WORDS


def test_the_examples_of_the_docstrings_are_right():
    """What the docstrings of the stub show is what the solution gives."""
    header, rest = oracle.parse(write_tensors({"a": torch.tensor([1.0])}))

    assert header == {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    assert rest.hex(" ") == "00 00 80 3f"
    sizes = {"a": 3, "b": 4, "c": 2, "d": 9, "e": 1}
    assert plan_shards(sizes, 7) == [["a", "b"], ["c"], ["d"], ["e"]]
