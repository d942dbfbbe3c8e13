"""The worked examples of m06_gpt, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from solutions import m06_gpt
from solutions.m06_gpt import GPT, GPTConfig, count_parameters, next_token_loss

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m06_gpt.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
TABLE = GUIDE.partition("## By hand")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("| ")]


@pytest.fixture(scope="module")
def small():
    """Return GPT-2 small without data."""
    with torch.device("meta"):
        return GPT(GPTConfig())


def number(text):
    """Read a number with commas in it."""
    return int(text.replace(",", ""))


def test_the_table_of_the_guide_is_right(small):
    """Each row's shape gives its number, the model's parts have just that many, and the rows add up."""
    rows = {name: (shape, number(count)) for name, shape, count in ROWS[1:]}
    block = small.h[0]
    parts = {
        "`wte`": [small.wte],
        "`wpe`": [small.wpe],
        "one block: norms": [block.ln_1, block.ln_2],
        "one block: attention": [block.attn],
        "one block: MLP": [block.mlp],
        "all 12 blocks": [small.h],
        "`ln_f`": [small.ln_f],
    }

    assert set(rows) == {*parts, "`lm_head`", "together"}
    for name, modules in parts.items():
        shape, count = rows[name]
        assert eval(shape.replace(",", "").replace("×", "*")) == count, name
        assert sum(count_parameters(module) for module in modules) == count, name
    whole = [rows[name][1] for name in ("`wte`", "`wpe`", "all 12 blocks", "`ln_f`", "`lm_head`")]
    assert sum(whole) == rows["together"][1] == count_parameters(small) == 124_439_808


def test_the_counts_of_wrong_models_are_right(small):
    """An untied GPT-2 small has the number that the guide gives, and so has one whose blocks torch does not see."""
    assert count_parameters(small) + small.wte.weight.numel() == 163_037_184
    assert count_parameters(small) - count_parameters(small.h) == 39_385_344
    assert "163,037,184" in PROSE and "39,385,344" in PROSE


def test_the_numbers_of_the_text_are_right():
    """The root of 24 and the loss of even guesses are what the guide says."""
    assert round(math.sqrt(24), 1) == 4.9
    assert round(math.log(50257), 2) == 10.82


def test_the_example_of_init_weights_is_right():
    """The docstring's spread for 12 layers."""
    assert "0.02 / sqrt(24) = 0.00408" in m06_gpt.init_weights.__doc__
    assert round(0.02 / math.sqrt(24), 5) == 0.00408


def test_the_example_of_the_loss_is_right():
    """The docstring's two tokens lose ln 2 and ln(4/3)."""
    logits, targets = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)]]]), torch.tensor([[0, 1]])

    assert "0.4904" in m06_gpt.next_token_loss.__doc__
    assert next_token_loss(logits, targets).item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert round((math.log(2) + math.log(4 / 3)) / 2, 4) == 0.4904


def test_the_example_of_load_gpt2_is_right(small):
    """The docstring's c_attn is (out, in) in nn.Linear, and the other way round in the file."""
    assert tuple(small.h[0].attn.c_attn.weight.shape) == (2304, 768)
    assert "(768, 2304) in GPT-2 small's file, and (2304, 768)" in m06_gpt.load_gpt2.__doc__


def test_the_formulas_of_the_guide_are_right():
    """Rows, blocks, the norm, the turned table and the mean of -ln p, done one by one, are the model and its loss."""
    torch.manual_seed(0)
    model, ids = GPT(GPTConfig(50, 8, 12, 2, 3)), torch.tensor([[3, 1, 4, 1, 5]])
    x = model.wte.weight[ids] + model.wpe.weight[:5]
    for block in model.h:
        x = block(x)
    logits = model.ln_f(x) @ model.wte.weight.T

    chances = torch.softmax(logits[:, :-1], dim=-1)[0, torch.arange(4), ids[0, 1:]]

    assert torch.allclose(model(ids), logits, atol=1e-6)
    assert next_token_loss(model(ids[:, :-1]), ids[:, 1:]).item() == pytest.approx(-chances.log().mean().item())


def test_the_answers_of_the_guide_are_right(small):
    """Sharing saves 38.6 million numbers, and even guesses lose 10.82."""
    assert "sharing saves 38.6 million numbers" in PROSE
    assert round(small.wte.weight.numel() / 1e6, 1) == 38.6
    assert "ln 50257 ≈ 10.82" in PROSE and round(math.log(50257), 2) == 10.82
