"""The worked examples of m14_pruning, in its guide and its docstrings, are true; and what it says of gpt2-nano."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from benchmarks import pruning
from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m14_pruning.oracle_learning import Stories
from solutions import m14_pruning as m14

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m14_pruning.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())
NEAR = 0.02  # nats, between machines


def table(first):
    """Return the cells of the table whose head begins so, row by row, without the head."""
    lines = GUIDE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.fixture(scope="module")
def stories():
    """Return gpt2-nano and the stories that the benchmark measures with."""
    return Stories(Draw("0", "guide"), Data())


def test_the_table_by_hand_is_right():
    """Magnitudes, fours and scores let stay what the table says."""
    rows = table("weight")
    row = torch.tensor([[float(cells[0]) for cells in rows]])
    x = torch.diag(torch.tensor([float(cells[3]) for cells in rows]))
    masks = m14.magnitude_mask(row, 0.5), m14.mask_2_4(row), m14.wanda_mask(row, x, 0.5)

    assert row.shape == (1, 8)
    for column, mask in zip((1, 2, 5), masks, strict=True):
        assert [cells[column] == "yes" for cells in rows] == mask[0].tolist()
    scores = [float(cells[4]) for cells in rows]
    assert scores == pytest.approx(m14.wanda_scores(row, x)[0].tolist())
    assert max(scores) == scores[1]


def test_the_formulas_of_the_guide_are_right():
    """round(s n) go, scores are magnitudes times lengths, and the rise is the cubic one."""
    weight, x = torch.randn(3, 7), torch.randn(5, 7)

    assert int((~m14.magnitude_mask(weight, 0.3)).sum()) == round(0.3 * 21)
    for i in range(3):
        for j in range(7):
            expected = abs(float(weight[i, j])) * float(sum(x[t, j] ** 2 for t in range(5))) ** 0.5
            assert float(m14.wanda_scores(weight, x)[i, j]) == pytest.approx(expected, rel=1e-5)
    for step in range(9):
        t = step / 8
        assert m14.cubic_sparsity(step, 0, 8, 0.9, 0.1) == pytest.approx(0.9 + (0.1 - 0.9) * (1 - t) ** 3)


def test_the_numbers_in_the_prose_are_right():
    """Products in floating point, bytes a weight, and the places of the row by hand are as the guide says."""
    assert "`int(0.29 * 100)` is 28" in WORDS and int(0.29 * 100) == 28
    assert "28.999999999999996" in WORDS and str(0.29 * 100) == "28.999999999999996"
    assert "2 + 1/8 bytes on average, 53 %" in WORDS and round((2 + 1 / 8) / 4, 2) == 0.53
    row = torch.tensor([[0.9, -0.1, 0.5, -0.4, 0.3, 0.2, -0.8, 0.05]])
    _, places = m14.compress_2_4(row, m14.mask_2_4(row))
    assert "last two digits are the first place, 0; the two before them are the second, 2" in WORDS
    assert (int(places) & 3, int(places) >> 2 & 3) == (0, 2)


def test_the_curve_of_the_guide_is_right(stories):
    """gpt2-nano's loss with all its weights, and without some by each way, is what the table says."""
    rows = table("gone")
    columns = {
        1: "by magnitude, each matrix by itself",
        2: "by magnitude, all matrices together",
        3: "by Wanda's scores",
        4: "two of each four",
        5: "by lot",
    }
    found = pruning.curve(stories)
    shown = {
        (name, float(cells[0].rstrip(" %")) / 100): float(cells[column])
        for cells in rows
        for column, name in columns.items()
        if cells[column]
    }

    assert f"a loss of {stories.loss(stories.start):.2f} nats" in WORDS
    words = stories.sizes["vocab_size"]
    assert f"the {words} tokens of these texts costs their logarithm, {math.log(words):.2f}" in WORDS
    assert set(shown) == {(name, share) for name, states in found.items() for share in states}
    for (name, share), loss in shown.items():
        assert loss == pytest.approx(stories.loss(found[name][share]), abs=NEAR), (name, share)
    ahead = {share: shown[columns[3], share] < shown[columns[1], share] for share in (0.4, 0.5, 0.6, 0.8)}
    assert "ahead at 50 and 60 %, and not at 40 or 80 %" in WORDS
    assert ahead == {0.4: False, 0.5: True, 0.6: True, 0.8: False}


def test_the_table_of_what_is_saved_is_right(stories):
    """Bytes, shares and losses are those of the models that the benchmark makes."""
    rows = {re.sub(r" \(m\d\d(\.\d)?\)", "", cells[0]): cells[1:] for cells in table("what is left")}
    made = pruning.gpt.build(stories.sizes, stories.start)
    ways = {name.removesuffix(" (m13)"): model for name, model in pruning.made_smaller(made).items()}
    whole = pruning.stored(made)

    assert rows.keys() == ways.keys() | {"two of each four, compressed"}
    for name, (size, share, loss, *_) in rows.items():
        if name in ways:
            state = ways[name]
            wanted = pruning.stored(state)
            with torch.no_grad():
                logits = state(stories.heldout[:, :-1]).flatten(0, 1)
            found = float(torch.nn.functional.cross_entropy(logits, stories.heldout[:, 1:].flatten()))
        else:
            wanted = pruning.compressed(made)
            found = stories.loss(pruning.curve(stories)["two of each four"][0.5])
        assert size == f"{wanted:,}"
        assert share == f"{wanted / whole:.0%}".replace("%", " %")
        assert float(loss) == pytest.approx(found, abs=NEAR)
    assert {cells[3] for name, cells in rows.items() if name == "as it is"} == {"1.00"}


def test_what_the_guide_says_of_the_last_check_is_right(stories):
    """Three fifths go within half of thirty steps, the bound is the suite's, and untrained the loss is about 3."""
    masks = m14.global_masks(stories.matrices(), Stories.MOST)

    assert "three fifths of its weights go within fifteen steps, and after thirty" in WORDS
    assert (Stories.MOST, Stories.STEPS) == (0.6, 30)
    assert f"cost less than {Stories.LEARNED} nats" in WORDS
    assert "Without training it costs about 3" in WORDS and round(stories.loss(stories.without(masks))) == 3


def test_the_last_matrices_of_attention_lose_most_when_all_compete(stories):
    """Of the smaller weights of attn.c_proj 57 to 71 % go, of all other matrices 44 to 55 %, as the guide answers."""
    weights = stories.matrices()
    masks = m14.global_masks(weights, 0.5)
    gone, size = {}, {}
    for name, weight in weights.items():
        ends = name.endswith("attn.c_proj.weight")
        gone.setdefault(ends, []).append(round(100 * float((~masks[name]).float().mean())))
        size.setdefault(ends, []).append(float(weight.square().mean().sqrt()))

    assert f"lose {min(gone[True])} to {max(gone[True])} % of their weights" in WORDS
    assert f"others {min(gone[False])} to {max(gone[False])} %" in WORDS
    assert max(size[True]) < min(size[False])


def test_the_examples_of_the_docstrings_are_right():
    """What the docstrings of the stub show is what the solution gives."""
    weight = torch.tensor([[3, -1], [0.5, -4]])
    four = torch.tensor([[1.0, -4.0, 3.0, 2.0]])
    values, places = m14.compress_2_4(four, m14.mask_2_4(four))
    masks = m14.global_masks({"a": torch.tensor([4.0, 3.0]), "b": torch.tensor([1.0, -2.0])}, 0.5)

    assert m14.magnitude_mask(weight, 0.5).tolist() == [[True, False], [False, True]]
    assert {name: mask.tolist() for name, mask in masks.items()} == {"a": [True, True], "b": [False, False]}
    assert m14.mask_2_4(four).tolist() == [[False, True, True, False]]
    assert (values.tolist(), places.tolist()) == ([[-4, 3]], [[0b1001]])
    assert torch.equal(m14.decompress_2_4(values, places), four * m14.mask_2_4(four))
    assert m14.wanda_scores(torch.tensor([[1.0, -3.0]]), torch.tensor([[3.0, 0.0], [4.0, 1.0]])).tolist() == [[5, 3]]
    assert [m14.cubic_sparsity(step, 0, 4, 0.8) for step in (0, 2, 4)] == pytest.approx([0, 0.7, 0.8])
