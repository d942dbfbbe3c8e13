"""The worked examples of m04_attention, in its guide and its docstrings, are true."""

from __future__ import annotations

import doctest
import math
import re
from pathlib import Path

import pytest
import torch

from solutions import m04_attention
from solutions.m04_attention import causal_mask, merge_heads, scaled_dot_product_attention, split_heads

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m04_attention.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)


def table() -> list[list[str]]:
    """Return the cells of the guide's table, a list for each token."""
    rows = [line.strip("|").split("|") for line in GUIDE.splitlines() if re.match(r"\| (the|cat|sat) ", line)]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_sessions_of_the_guide_give_what_it_shows():
    """Every session in the guide, run in order on the solution, prints what stands there."""
    session = "\n".join(BLOCKS).replace("from exercises.", "from solutions.")
    test = doctest.DocTestParser().get_doctest(session, {}, "m04_attention.md", None, 0)

    result = doctest.DocTestRunner(verbose=False).run(test)

    assert result.failed == 0
    assert result.attempted >= 15


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


def test_the_guide_has_a_heading_for_every_task():
    """Reports point to a heading that starts with the task's id."""
    source = (REPOSITORY / "exercises" / "m04_attention.py").read_text(encoding="utf-8")

    assert re.findall(r"^## (m04\.\d)", GUIDE, flags=re.MULTILINE) == sorted(set(re.findall(r"m04\.\d", source)))


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
