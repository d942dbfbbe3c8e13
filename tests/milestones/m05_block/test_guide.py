"""The worked examples of m05_block, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from solutions import m05_block
from solutions.m05_block import MLP, Block, LayerNorm, gelu

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m05_block.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())


def table() -> list[list[float]]:
    """Return the numbers of the guide's table, a list for each feature."""
    rows = [line.strip("|").split("|") for line in GUIDE.splitlines() if re.match(r"\| \d ", line)]
    return [[float(cell) for cell in row] for row in rows]


def test_the_table_of_the_guide_is_right():
    """Each column of the guide's table follows from the one before it."""
    rows = table()
    features = [row[0] for row in rows]
    mean = sum(features) / 4
    divisor = math.sqrt(sum(row[2] for row in rows) / 4 + 0.5)

    assert features == [1, 2, 3, 6]
    assert (mean, divisor) == (3, 2)
    for feature, centred, squared, divided, scaled, shifted in rows:
        assert centred == feature - mean
        assert squared == centred**2
        assert divided == centred / divisor
        assert scaled == divided * 2
        assert shifted == scaled + 1


def test_the_wrong_divisors_of_the_guide_are_right():
    """The guide's numbers for an unbiased variance, eps outside the root and a width of 768 are what they give."""
    token = torch.tensor([1.0, 2, 3, 6], dtype=torch.float64)

    assert "the variance is 4.67 and the divisor 2.27" in PROSE
    assert round(token.var().item(), 2) == 4.67
    assert round(math.sqrt(token.var().item() + 0.5), 2) == 2.27
    assert "√3.5 + 0.5 = 2.37" in PROSE
    assert round(token.std(correction=0).item() + 0.5, 2) == 2.37
    assert "off by 0.07 %" in PROSE
    assert round(100 * (math.sqrt(768 / 767) - 1), 2) == 0.07


def test_what_the_guide_says_of_float32_is_right():
    """Around the square of 4096, neighbours in float32 are 1 apart below and 2 above."""
    square = torch.tensor(4096.0) ** 2

    assert "near 4096² is known to the nearest 1 or 2" in PROSE
    assert (square - torch.nextafter(square, torch.tensor(0.0))).item() == 1
    assert (torch.nextafter(square, torch.tensor(torch.inf)) - square).item() == 2


def test_the_two_forms_of_gelu_differ_as_the_guide_says():
    """The largest difference is 0.00047 and lies near 2.7; there the exact form gives 2.69064."""
    x = torch.linspace(0, 6, 60_001, dtype=torch.float64)
    gap = (gelu(x) - torch.nn.functional.gelu(x)).abs()

    assert "no more than 0.00047, near ±2.7" in PROSE
    assert round(gap.max().item(), 5) == 0.00047
    assert x[gap.argmax()].item() == pytest.approx(2.7, abs=0.05)
    assert "The exact form gives 2.69064 there" in PROSE
    assert round(torch.nn.functional.gelu(torch.tensor(2.7, dtype=torch.float64)).item(), 5) == 2.69064


def test_the_mlp_holds_two_thirds_of_the_weights():
    """Of a block's weights about two thirds are the MLP's, as the guide says."""
    block = Block(192, 3)
    share = sum(p.numel() for p in block.mlp.parameters()) / sum(p.numel() for p in block.parameters())

    assert "two thirds of a block's weights" in PROSE
    assert share == pytest.approx(2 / 3, abs=0.003)


def test_an_unbiased_variance_is_off_by_an_eighth_at_width_4():
    """The guide's list says by how much: the root of 3/4 is 0.87."""
    assert "Off by 13 % at width 4" in PROSE
    assert math.sqrt(3 / 4) - 1 == pytest.approx(-0.13, abs=0.005)


def test_the_example_of_layer_norm_is_right():
    """The docstring's four numbers have mean 3 and variance 3.5, and come out as it says."""
    x = torch.tensor([1.0, 2, 3, 6])

    assert "makes [-1, -0.5, 0, 1.5] of [1, 2, 3, 6]: mean 3, variance 3.5, and sqrt(4) is 2" in LayerNorm.__doc__
    assert (x.mean().item(), x.var(correction=0).item()) == (3, 3.5)
    assert LayerNorm(4, eps=0.5)(x).tolist() == [-1, -0.5, 0, 1.5]
    assert "4096 + x gives what x gives" in LayerNorm.forward.__doc__
    assert LayerNorm(4, eps=0.5)(4096 + x).tolist() == [-1, -0.5, 0, 1.5]


def test_the_example_of_gelu_is_right():
    """The docstring's five numbers, and the exact form's at 2, are right to the digits shown."""
    x = torch.tensor([-2.0, -1, 0, 1, 2])
    text = " ".join(m05_block.gelu.__doc__.split())

    assert "-2, -1, 0, 1 and 2 become -0.0454, -0.1588, 0, 0.8412 and 1.9546" in text
    assert [round(y, 4) for y in gelu(x).tolist()] == [-0.0454, -0.1588, 0, 0.8412, 1.9546]
    assert "The exact form has 1.9545 at 2" in text
    assert round(torch.nn.functional.gelu(x[4]).item(), 4) == 1.9545


def test_the_example_of_the_mlp_is_right():
    """The docstring counts an MLP's parameters."""
    assert "148 parameters: 4 * 16 + 16 in c_fc, 16 * 4 + 4 in c_proj" in MLP.__doc__
    assert sum(p.numel() for p in MLP(4).c_fc.parameters()) == 4 * 16 + 16
    assert sum(p.numel() for p in MLP(4).c_proj.parameters()) == 16 * 4 + 4
    assert 4 * 16 + 16 + 16 * 4 + 4 == 148


def test_the_formulas_of_the_guide_are_right():
    """Norm, GELU and block, computed as the formulas say, are what the solution gives."""
    torch.manual_seed(0)
    block, x = Block(12, 3).double(), torch.randn(2, 5, 12, dtype=torch.float64)
    norm = block.ln_1
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    mean = x.sum(-1, keepdim=True) / 12
    variance = ((x - mean) ** 2).sum(-1, keepdim=True) / 12

    assert torch.allclose(norm(x), norm.weight * (x - mean) / (variance + norm.eps).sqrt() + norm.bias, atol=1e-6)
    assert r"x + 0.044715 \cdot x^3" in PROSE
    assert torch.allclose(gelu(x), x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    h = x + block.attn(block.ln_1(x))
    assert torch.allclose(block(x), h + block.mlp(block.ln_2(h)))
