"""The worked examples of m07_generation, in its guide and its docstrings, are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from solutions import m06_gpt, m07_generation
from solutions.m07_generation import generate, next_distribution

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m07_generation.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
SHARES = torch.tensor([[0.5, 0.3, 0.2]])


def rows(pattern: str) -> list[list[str]]:
    """Return the cells of the table rows whose first cell matches."""
    found = [line.strip("|").split("|") for line in GUIDE.splitlines() if re.match(rf"\| ({pattern}) ?", line)]
    return [[cell.strip() for cell in row] for row in found]


def test_the_table_of_settings_is_right():
    """Each row of the guide's table is what its setting makes of the shares, to the digits shown."""
    table = rows("none|temperature|top_k|top_p")

    assert len(table) == 6
    for name, *cells in table:
        kind, _, value = name.partition(" ")
        settings = {} if kind == "none" else {kind: int(value) if kind == "top_k" else float(value)}
        probs = next_distribution(SHARES.double().log(), **settings)[0]
        assert [float(cell) for cell in cells] == pytest.approx(probs.tolist(), abs=0.0005)


def test_the_squares_of_the_guide_are_right():
    """The shares 0.25, 0.09 and 0.04 are squares, and 0.38 is their sum."""
    squares = [share**2 for share in (0.5, 0.3, 0.2)]

    assert squares == pytest.approx([0.25, 0.09, 0.04])
    assert sum(squares) == pytest.approx(0.38)
    assert all(text in PROSE for text in ("(0.25, 0.09, 0.04)", "0.38"))


def test_the_mask_of_the_guide_is_right():
    """The table's mask of 3 new tokens after 2 cached ones is a triangle moved by 2."""
    cells = [[int(cell) for cell in row[1:]] for row in rows("new [234]")]

    assert cells == torch.ones(3, 5).tril(2).int().tolist()


def test_the_counts_of_the_guide_are_right():
    """14,950 positions without a cache and 199 with one follow from 100 tokens that grow by 100."""
    assert sum(range(100, 200)) == 14950
    assert 100 + 99 == 199
    assert "14,950" in PROSE and "100 + 99 = 199" in PROSE


def test_the_examples_of_the_docstrings_are_right():
    """The docstrings' distribution and text are what the functions give."""
    assert "ln 0.5, ln 0.3, ln 0.2 with top_p=0.6 give 0.625, 0.375, 0" in m07_generation.next_distribution.__doc__
    assert next_distribution(SHARES.log(), top_p=0.6)[0].tolist() == pytest.approx([0.625, 0.375, 0.0])

    class Counter(torch.nn.Module):
        def forward(self, ids):
            return torch.nn.functional.one_hot(ids + 1, 4).float()

    assert "generate(model, [[0]], 2, temperature=0) gives [[0, 1, 2]]" in m07_generation.generate.__doc__
    assert generate(Counter(), torch.tensor([[0]]), 2, temperature=0).tolist() == [[0, 1, 2]]


def test_a_temperature_is_a_power_of_the_shares():
    """Dividing the scores by a temperature raises the shares to its inverse and divides by the new sum."""
    for temperature in (0.5, 2.0, 3.0):
        powers = SHARES.double() ** (1 / temperature)
        assert torch.allclose(next_distribution(SHARES.double().log(), temperature), powers / powers.sum())


def test_the_answers_of_the_guide_are_right():
    """A token takes 73,728 bytes of GPT-2 small's cache, a thousand 74 MB; two thirds of the chance are for 50,256."""
    prose = PROSE
    config = m06_gpt.GPTConfig()

    assert "2 · 12 · 768 · 4 = 73,728" in prose and 2 * config.n_layers * config.d_model * 4 == 73_728
    assert "A thousand tokens take 74 MB" in prose and round(1000 * 73_728 / 1e6) == 74
    assert "two thirds of the chance goes to the other 50,256 tokens" in prose
    assert pytest.approx(2 / 3, abs=0.01) == 1 - 0.34 and config.vocab_size - 1 == 50_256
