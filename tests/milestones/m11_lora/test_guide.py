"""The worked examples of m11_lora, in its guide and its docstrings, are true; and what it says of the logbook."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

import fixtures
from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m11_lora import oracle
from solutions import m11_lora
from solutions.m11_lora import LoRALinear, inject_lora, lora_state_dict

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m11_lora.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())


@pytest.fixture(scope="module")
def logbook():
    """Return the logbook with the ids that one seed draws."""
    return oracle.Logbook(Draw(7, "guide"), Data())


def test_the_table_of_the_guide_is_right():
    """Base, down, up, scale and sum are what the matrices in the table give, and the one matrix gives the same."""
    results = dict(re.findall(r"^\| (\w+) \| .* \| (.*) \|$", GUIDE, flags=re.MULTILINE))
    weight, down, up = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 1]]), torch.tensor([[1], [-1]])
    x = torch.tensor([1, 1])

    assert results["base"] == str(tuple((weight @ x).tolist())) == "(3, 7)"
    assert results["down"] == str((down @ x).item()) == "2"
    assert results["up"] == str(tuple((up @ down @ x).tolist())) == "(2, -2)"
    assert results["scale"] == str(tuple((2 * up @ down @ x).tolist())) == "(4, -4)"
    assert results["sum"] == str(tuple((weight @ x + 2 * up @ down @ x).tolist())) == "(7, 3)"
    assert (up @ down).tolist() == [[1, 1], [-1, -1]]
    assert (weight + 2 * up @ down).tolist() == [[3, 4], [1, 2]]


def test_the_sizes_of_the_guide_are_right():
    """A pair of rank 8 beside 768 × 2304 is 1.4 %; on GPT-2 small's c_attn a quarter of a percent of all weights."""
    assert f"{8 * (768 + 2304):,}" in PROSE and f"{768 * 2304:,}" in PROSE
    assert round(100 * 8 * (768 + 2304) / (768 * 2304), 1) == 1.4
    share = 12 * 8 * (768 + 2304) / 124_439_808
    assert share == pytest.approx(0.0025, abs=0.0002)  # the stub's "quarter of a percent"


def test_the_adapters_of_the_guide_have_that_many_numbers(logbook):
    """Rank 8 on c_attn, mlp.c_fc and both c_proj of gpt2-nano makes the number of weights in the guide's goal."""
    model = oracle.model.build(logbook.sizes, logbook.start)
    inject_lora(model, oracle.TARGETS, oracle.RANK, oracle.ALPHA)
    state = lora_state_dict(model)

    assert {key: tuple(value.shape) for key, value in state.items()} == oracle.adapter_shapes(logbook.start)
    assert f"{sum(value.numel() for value in state.values()):,} new numbers" in PROSE


def test_the_losses_of_the_guide_are_right(logbook):
    """Start, blind guessing, the commonness of tokens, and the bound, in this order, and no loss falls without work."""
    shares = torch.bincount(logbook.heldout[:, 1:].flatten()).double()
    shares = shares[shares > 0] / shares.sum()
    common = float(-(shares * shares.log()).sum())
    untouched = {
        key: torch.zeros(shape) if key.endswith("B") else torch.randn(shape)
        for key, shape in oracle.adapter_shapes(logbook.start).items()
    }
    start = logbook.loss(oracle.merged_state(logbook.start, untouched, oracle.ALPHA / oracle.RANK))

    assert logbook.sizes["vocab_size"] == 270
    assert start == pytest.approx(12.2, abs=0.05) and f"{start:.1f} nats" in PROSE
    assert f"(ln 270 = {math.log(270):.1f})" in PROSE
    assert f"would bring {common:.1f}" in PROSE
    assert f"must come below {oracle.LEARNED * start:.1f}" in PROSE
    assert oracle.LEARNED * start < common < math.log(270) < start


def test_the_log_begins_as_the_guide_says():
    """The sentences quoted are the first of the logbook."""
    quoted = re.search(r"begins:\s+\*(.*?)\*", GUIDE, flags=re.DOTALL)

    assert quoted is not None
    assert fixtures.LOGBOOK_TRAIN.read_text(encoding="utf-8").startswith(" ".join(quoted[1].split()))


def test_the_examples_of_the_docstrings_are_right():
    """The docstring's layer makes [7, 3] of [1, 1], and the names in lora_state_dict's are what it gives."""
    base = torch.nn.Linear(2, 2, bias=False)
    base.load_state_dict({"weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]])})
    layer = LoRALinear(base, 1, 2)
    layer.lora_A.data, layer.lora_B.data = torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0], [-1.0]])
    model = torch.nn.ModuleDict({"h": torch.nn.ModuleList([torch.nn.ModuleDict({"c_fc": layer})])})

    assert layer(torch.ones(2)).tolist() == [7, 3]
    assert "2 * [2, -2] = [7, 3]" in (m11_lora.LoRALinear.__doc__ or "")
    assert list(lora_state_dict(model)) == ["h.0.c_fc.lora_A", "h.0.c_fc.lora_B"]


def test_the_squares_of_the_guide_are_what_each_rank_takes():
    """The squares of 4, 3, 2 and 1 sum to 30, and the best moves of rank 1 to 4 leave 14, 5, 1 and 0 of them."""
    left, _, right = torch.linalg.svd(torch.diag(torch.tensor([4.0, 3, 2, 1])))
    values = torch.tensor([4.0, 3, 2, 1])

    rests = [((left[:, :r] * values[:r]) @ right[:r] - torch.diag(values)).square().sum().item() for r in range(1, 5)]

    assert "16 + 9 + 4 + 1 = 30" in PROSE and values.square().sum() == 30
    assert rests == pytest.approx([14, 5, 1, 0], abs=1e-4)
    assert "leaves 9 + 4 + 1" in PROSE and 9 + 4 + 1 == 14


def test_the_formula_of_the_guide_is_right():
    """W x + alpha / r · B (A x) is what the layer gives, and W + alpha / r · B A does the same."""
    torch.manual_seed(0)
    layer, x = LoRALinear(torch.nn.Linear(6, 5, bias=False), 2, 3), torch.randn(6)
    torch.nn.init.normal_(layer.lora_B)

    assert torch.allclose(layer(x), layer.base.weight @ x + 3 / 2 * layer.lora_B @ (layer.lora_A @ x), atol=1e-6)
    assert torch.allclose(layer(x), (layer.base.weight + 3 / 2 * layer.lora_B @ layer.lora_A) @ x, atol=1e-6)
    assert sum(part.numel() for part in (layer.lora_A, layer.lora_B)) == 2 * (6 + 5)
