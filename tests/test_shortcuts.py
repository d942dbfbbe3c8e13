"""The detectors of shortcuts: what a worker tells of is taken at once, and only if it was asked for."""

from __future__ import annotations

import ast

import pytest
import support

from grader import record
from grader.judge.preflight import notes_on_reaches
from grader.sandbox.inside import reaches

CHECK = "test_true_in_the_mask_means_may_look"
FORGED = """
import json, os, struct

def _tell(name):
    text = json.dumps({"seen": name}).encode()
    os.write(3, b"SCR1" + struct.pack("!II", len(text), 0) + text)

def tell():
    NAMES

tell()
"""
REACHES = {
    "private": [
        "import torch\ntorch._C._nn.gelu(1)",
        "from torch._C import _nn",
        "import torch as t\nops = t.ops\nops._private",
        "import torch._refs",
    ],
    "names": [
        "import torch\ngetattr(torch, name + 'max')",
        "import torch\nname = ''.join(parts)\ngetattr(torch.ops.aten, name)",
        "name = 'soft' + 'max'",
        "name = '_'.join(['scaled', 'dot'])",
        "import torch\nvars(torch)[name]",
        "import torch\ntorch.__dict__[name]",
    ],
    "code": [
        "__import__('torch')",
        "exec(text)",
        "import importlib",
        "import torch\ntorch.jit.CompilationUnit(text)",
    ],
    "interpreter": [
        "import sys\nsys.modules",
        "import gc",
        "f.__closure__[0].cell_contents",
        "object.__subclasses__()",
        "import sys\nsys._getframe(1)",
    ],
    "system": ["import ctypes", "import os\nos.dup2(1, 3)", "from os import dup"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REACHES.items() for text in texts])
def test_what_a_source_reaches_for_is_told(kind, text):
    """Each way of reaching around the detector is found by reading, with its line, and told in one sentence."""
    found = reaches.read(ast.parse(text))

    assert found.get(kind) == [len(text.splitlines())] or found.get(kind) == [1, 2]
    assert any(reaches.KINDS[kind] in note for note in notes_on_reaches("m04_attention", found))


def test_notes_on_a_source_are_few_and_the_judge_s_own_words():
    """However often and by whatever names a source reaches, there is one note of each kind, with three lines."""
    text = "import torch, gc, ctypes, importlib\n" + "torch._<script>_.x\n".replace("<script>", "z" * 500) * 500
    notes = notes_on_reaches("m04_attention", reaches.read(ast.parse(text + "getattr(torch, 'a' + b)\n" * 500)))

    assert len(notes) == len(reaches.KINDS)
    assert all(len(note) < 200 and "zz" not in note for note in notes)


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        ("[_tell(f'torch.forged_{number}') for number in range(3000)]", record.PASSED),
        ("_tell(['torch.nn.MultiheadAttention'])", record.PASSED),
        ("_tell('torch.nn.MultiheadAttention')", record.FAILED),
    ],
)
def test_only_a_shortcut_that_was_asked_for_is_believed(names, outcome):
    """A worker that tells of other things, however many, is not heard; one that blames itself loses its points."""
    source = support.source("solutions", "m04_attention")
    source = source.replace("\nimport torch\n", FORGED.replace("NAMES", names) + "import torch\n", 1)
    result = support.grade({"m04_attention": source}, only={CHECK})

    assert set(support.outcomes(result).values()) == {outcome}, support.complaints(result)


@pytest.mark.parametrize("start", ["fork", "fresh"])
def test_a_shortcut_taken_before_an_error_is_known(start):
    """What was seen is told when it is taken, so that a later call that never ends or fails takes nothing back."""
    source = """
import torch

def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    answer = getattr(torch.ops.aten, "scaled_dot_product_attention")(query, key, value, mask, dropout)
    import sys
    for name in ("shortcuts", "operators"):
        for module in ("inside", "grader.sandbox.inside"):
            sys.modules.pop(f"{module}.{name}", None)
    return answer
"""
    result = support.grade({"m04_attention": source}, only={CHECK}, start=start)

    assert [check.mistake for check in support.checks(result)] == [
        "a library does the work (torch.nn.functional.scaled_dot_product_attention)"
    ]
