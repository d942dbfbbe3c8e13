"""The worked examples of m04_attention, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from solutions import m04_attention
from solutions.m04_attention import causal_mask, merge_heads, scaled_dot_product_attention, split_heads

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m04_attention.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())


def table() -> list[list[str]]:
    """Return the cells of the guide's table, a list for each token."""
    rows = [line.strip("|").split("|") for line in GUIDE.splitlines() if re.match(r"\| (the|cat|sat) ", line)]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_table_of_the_guide_is_right():
    """Each column of the guide's table follows from the one before it, to the digits shown."""
    exponents = {"the": 1, "cat": 6, "sat": 3}
    keys = {"the": "(0, 0, 0, 0)", "cat": "(ln 6, 0, 0, 0)", "sat": "(ln 3, 0, 0, 0)"}

    rows = table()

    assert [row[0] for row in rows] == list(exponents)
    for token, key, product, scaled, exponent, weight, _ in rows:
        assert key == keys[token]
        assert float(product) == pytest.approx(2 * math.log(exponents[token]), abs=0.005)
        assert float(scaled) == pytest.approx(2 * math.log(exponents[token]) / math.sqrt(4), abs=0.005)
        assert float(exponent) == exponents[token]
        assert float(weight) == pytest.approx(exponents[token] / sum(exponents.values()))


def test_the_sums_of_the_guide_are_right():
    """The mixtures 22 and 18.57, and the 0.3 that is lost, follow from the table's weights and values."""
    weights, values = ([float(row[column]) for row in table()] for column in (5, 6))

    assert sum(w * v for w, v in zip(weights, values, strict=True)) == pytest.approx(22)
    assert (1 * values[0] + 6 * values[1]) / 7 == pytest.approx(130 / 7)
    assert round(130 / 7, 2) == 18.57
    assert 1 - weights[0] - weights[1] == pytest.approx(0.3)


def test_the_example_of_causal_mask_is_right():
    """The docstring's mask of two tokens is what the function gives."""
    assert "causal_mask(2) is [[True, False], [True, True]]" in m04_attention.causal_mask.__doc__
    assert causal_mask(2).tolist() == [[True, False], [True, True]]


def test_the_example_of_attention_is_right():
    """The docstring's two keys have the weights 1/4 and 3/4, and give 7, or 4 with the mask."""
    query, key = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]])
    value, mask = torch.tensor([[4.0], [8.0]]), torch.tensor([[True, False]])

    weights = scaled_dot_product_attention(query, key, torch.eye(2))

    assert weights.tolist() == [pytest.approx([1 / 4, 3 / 4])]
    assert scaled_dot_product_attention(query, key, value).item() == pytest.approx(7)
    assert scaled_dot_product_attention(query, key, value, mask).item() == pytest.approx(4)


def test_the_example_of_split_heads_is_right():
    """The docstring's three tokens are cut as it says, and merged again."""
    x = torch.tensor([[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]])

    first, second = split_heads(x, 2)[0].tolist()

    assert first == [[1, 2], [5, 6], [9, 10]]
    assert second == [[3, 4], [7, 8], [11, 12]]
    assert merge_heads(split_heads(x, 2)).tolist() == x.tolist()


def test_the_formula_of_the_guide_is_right():
    """The softmax of Q K^T / sqrt(d) + M, times V, is what the solution gives."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(3, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    hidden = torch.zeros(3, 3, dtype=torch.float64).masked_fill(~causal_mask(3), -torch.inf)

    expected = torch.softmax(query @ key.T / math.sqrt(4) + hidden, dim=-1) @ value

    assert torch.allclose(scaled_dot_product_attention(query, key, value, causal_mask(3)), expected)


def test_a_dot_product_spreads_as_the_guide_says():
    """Dot products of random vectors of width d have the spread sqrt(d), and divided by it the spread 1."""
    generator = torch.Generator().manual_seed(0)
    for width in (4, 64):
        products = (torch.randn(2, 20000, width, generator=generator)).prod(0).sum(-1)
        assert products.std().item() / math.sqrt(width) == pytest.approx(1, abs=0.03)


def test_twice_the_text_is_four_times_the_scores():
    """Scores are counted by the square of the length, as the last answer says; a fair share of 32 is 0.03."""
    assert "1/32 ≈ 0.03" in PROSE and round(1 / 32, 2) == 0.03
    assert "Twice the text is four times the scores" in PROSE
    assert causal_mask(2 * 7).numel() == 4 * causal_mask(7).numel()
