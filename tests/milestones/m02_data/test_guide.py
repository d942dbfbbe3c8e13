"""The worked examples of m02_data, in its guide and its docstrings, are true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from solutions import m02_data
from solutions.m02_data import NextTokenDataset, ShufflingLoader, collate, split

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m02_data.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())


def test_the_table_of_the_guide_is_right():
    """The rows of the table are the windows of four of the ids 11 to 16, each with its start."""
    rows = [[cell.split() for cell in line.strip("| ").split("|")] for line in GUIDE.splitlines() if line[:3] == "| 0"]
    rows += [[cell.split() for cell in line.strip("| ").split("|")] for line in GUIDE.splitlines() if line[:3] == "| 1"]
    windows = NextTokenDataset(range(11, 17), 4)

    assert len(rows) == len(windows) == 2
    for start, inputs, targets in rows:
        expected = windows[int(start[0])]
        assert [list(map(int, inputs)), list(map(int, targets))] == [part.tolist() for part in expected]


def test_the_counts_of_the_guide_are_right():
    """A window asks 4 questions and takes 5 tokens; n tokens have n - 4 starts, the last of them n - 5."""
    assert "asks 4 questions and takes 5 tokens" in PROSE
    assert "n - 4 starts leave room for it, the last of them n - 5. Here that is 2 starts, the last 1" in PROSE
    for n in range(5, 20):
        windows = NextTokenDataset(range(n), 4)
        assert len(windows) == n - 4
        assert windows[-1][0][0] == n - 5
        assert windows[-1][1][-1] == n - 1
        assert len(windows[0][1]) == 4


def test_the_cuts_of_the_guide_are_right():
    """Of 7 texts the cuts are at 4.9 and 6.3, rounded 5 and 6."""
    assert "round(4.9) = 5 and round(6.3) = 6" in PROSE
    assert round(0.7 * 7, 9) == 4.9 and round(0.9 * 7, 9) == 6.3
    assert (round(0.7 * 7), round((0.7 + 0.2) * 7)) == (5, 6)


def test_the_numbers_of_a_large_file_are_right():
    """Two bytes hold GPT-2's 50257 ids; 10 GB of them are 5 billion, and 40 GB as int64."""
    assert "below 50257, so two bytes hold one, and a file of 10 GB holds 5 billion" in PROSE
    assert np.iinfo(np.uint16).max >= 50257
    assert 10e9 / np.dtype(np.uint16).itemsize == 5e9
    assert 5e9 * np.dtype(np.int64).itemsize == 40e9


def test_the_pitfalls_of_the_guide_are_right():
    """The sum that is not quite 1, and the id that becomes negative."""
    assert "0.7 + 0.2 + 0.1 is 0.9999999999999999" in PROSE
    assert repr(sum((0.7, 0.2, 0.1))) == "0.9999999999999999" == repr(0.7 + 0.2 + 0.1)
    assert "40000 in two bytes is -25536" in PROSE
    assert np.array([40000], dtype=np.uint16).view(np.int16)[0] == -25536


def test_the_example_of_the_dataset_is_right():
    """The docstring's five ids in windows of two."""
    items = [(inputs.tolist(), targets.tolist()) for inputs, targets in NextTokenDataset([1, 2, 3, 4, 5], 2)]

    assert items == [([1, 2], [2, 3]), ([2, 3], [3, 4]), ([3, 4], [4, 5])]
    assert "([1, 2], [2, 3]), ([2, 3], [3, 4]) and ([3, 4], [4, 5])" in NextTokenDataset.__doc__


def test_the_example_of_collate_is_right():
    """The docstring's two texts."""
    inputs, targets = collate([torch.tensor([7, 8, 9]), torch.tensor([5, 6])], 0)

    assert f"gives inputs {inputs.tolist()} and targets {targets.tolist()}." in collate.__doc__


def test_the_example_of_split_is_right():
    """Over a few seeds, the docstring's three documents fall as it says, both ways."""
    found = {str(split(["a", "b", "a"], (0.5, 0.0, 0.5), seed)) for seed in range(30)}

    assert '["a", "b", "a"] with (0.5, 0.0, 0.5) gives ["a", "a"], [], ["b"] or the reverse' in split.__doc__
    assert found == {str((["a", "a"], [], ["b"])), str((["b"], [], ["a", "a"]))}


def test_the_counts_in_the_stub_are_right():
    """10 items in fours are 3 batches, or 2 with drop_last, as the stub's comment says."""
    stub = (REPOSITORY / "exercises" / "m02_data.py").read_text(encoding="utf-8")
    items = [(torch.tensor([n]), torch.tensor([n])) for n in range(10)]

    assert "10 items in fours are 3 batches, or 2 with drop_last" in stub
    assert len(ShufflingLoader(items, 4)) == 3
    assert len(ShufflingLoader(items, 4, drop_last=True)) == 2


def test_the_hints_count_right():
    """The first hint's six ids in windows of three have their last start at 2, which is 6 - 3 - 1."""
    windows = NextTokenDataset(range(6), 3)

    assert windows[-1][0].tolist() == [2, 3, 4]
    assert m02_data.NextTokenDataset(range(3), 3).__len__() == 0


def test_the_formula_of_the_guide_counts_windows():
    """(n - T - 1) / d, rounded down, and 1 more is the number of windows, for the guide's numbers and others."""
    assert "for $n = 6$, $T = 4$ that is 2 with a stride of 1, and 1 with a stride of 2" in PROSE
    assert [len(NextTokenDataset(range(6), 4, stride)) for stride in (1, 2)] == [2, 1]
    assert "11 − 4 = 7 starts" in PROSE and len(NextTokenDataset(range(11), 4)) == 7
    for n in range(5, 20):
        for stride in range(1, 6):
            assert len(NextTokenDataset(range(n), 4, stride)) == (n - 4 - 1) // stride + 1
