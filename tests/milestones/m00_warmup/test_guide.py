"""The worked examples of m00_warmup, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from solutions import m00_warmup as solution

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m00_warmup.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
LN3 = math.log(3)


def stated(function, *words):
    """Whether a docstring says these words, whatever its line breaks."""
    text = " ".join(function.__doc__.split())
    return all(word in text for word in words)


def test_the_table_of_the_guide_is_right():
    """Each column of the guide's table follows from the powers 1, 2 and 5, to the digits shown."""
    rows = [line.strip("|").split("|")[1:] for line in GUIDE.splitlines() if re.match(r"\| [abc] ", line)]

    assert len(rows) == 3
    for row, power, right in zip(rows, (1, 2, 5), (0, 0, 1), strict=True):
        logit, shown, chance, cost, gradient = (float(cell.strip().replace("−", "-")) for cell in row)
        assert logit == pytest.approx(math.log(power), abs=0.005)
        assert shown == power
        assert chance == power / 8
        assert cost == pytest.approx(-math.log(power / 8), abs=0.005)
        assert gradient == power / 8 - right


def test_the_facts_of_the_guide_are_right():
    """In float32 e to the 89 is infinite and e to the 88 is not, and ln 50257 is 10.82."""
    assert torch.tensor([88.0, 89.0]).exp().isinf().tolist() == [False, True]
    assert round(math.log(50257), 2) == 10.82
    assert "sums to 0" in PROSE and 0.125 + 0.25 - 0.375 == 0


def test_a_pair_that_never_occurs_fades_as_one_over_the_steps():
    """As the guide says: twice the steps leave about half of the probability of a pair that never occurs."""
    ids = torch.tensor([0, 1] * 10)

    left = [solution.softmax(solution.bigram_by_training(ids, 2, steps, 2.0))[0, 0].item() for steps in (400, 800)]

    assert left[0] / left[1] == pytest.approx(2, rel=0.02)


def test_the_examples_of_softmax_are_right():
    """The docstrings' scores give 1/4 and 3/4, and -1000 and 0."""
    assert stated(solution.softmax, "[0, ln 3] and [1000, 1000 + ln 3] both give [1/4, 3/4]")
    for offset in (0, 1000):
        scores = torch.tensor([0, LN3], dtype=torch.float64) + offset
        assert solution.softmax(scores).tolist() == pytest.approx([1 / 4, 3 / 4])
    assert stated(solution.log_softmax, "[0, 1000] is [-1000, 0]")
    assert solution.log_softmax(torch.tensor([0.0, 1000])).tolist() == [-1000, 0]


def test_the_example_of_cross_entropy_is_right():
    """The docstring's two rows cost ln(4/3) and ln 4."""
    assert stated(solution.cross_entropy, "logits [[0, ln 3], [0, ln 3]], targets [1, 0]: (ln(4/3) + ln 4) / 2")
    loss = solution.cross_entropy(torch.tensor([[0.0, LN3]] * 2), torch.tensor([1, 0]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_the_example_of_a_step_is_right():
    """The docstring's step has the loss ln 2, the gradient [[1], [-1]] and the new weight [[-0.5], [0.5]]."""
    assert stated(solution.gradient_step, "loss ln 2", "gradient [[1], [-1]]", "new weight [[-0.5], [0.5]]")
    loss, weight = solution.gradient_step(torch.zeros(2, 1), torch.tensor([[2.0]]), torch.tensor([1]), 0.5)
    assert loss.item() == pytest.approx(math.log(2))
    assert (weight / -0.5).tolist() == [[1], [-1]]
    assert weight.tolist() == [[-0.5], [0.5]]


def test_the_examples_of_bigrams_are_right():
    """The docstrings' texts give the counts, the shares and the logits that stand there."""
    ids = torch.tensor([0, 1, 1, 1, 0])
    assert stated(solution.count_bigrams, "[0, 1, 1, 1, 0] and 3 tokens: [[0, 1, 0], [1, 2, 0], [0, 0, 0]]")
    assert solution.count_bigrams(ids, 3).tolist() == [[0, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert stated(solution.bigram_by_counting, "[[0, 1, 0], [1/3, 2/3, 0], [1/3, 1/3, 1/3]]")
    shares = solution.bigram_by_counting(ids, 3).flatten().tolist()
    assert shares == pytest.approx([0, 1, 0, 1 / 3, 2 / 3, 0, 1 / 3, 1 / 3, 1 / 3])
    assert stated(solution.bigram_by_training, "[0, 1, 0], 2 tokens, 1 step, learning_rate 4: [[-1, 1], [1, -1]]")
    assert solution.bigram_by_training(torch.tensor([0, 1, 0]), 2, 1, 4.0).tolist() == [[-1, 1], [1, -1]]


def test_the_example_of_the_stopwatch_is_right():
    """The docstring's clock measures 1, 7 and 3 seconds, and their median is 3.0."""
    assert stated(solution.time_call, "a clock of 0, 1, 2, 9, 10, 13 and 3 repeats: 1, 7 and 3 seconds, so 3.0")
    ticks = iter([0.0, 1.0, 2.0, 9.0, 10.0, 13.0])
    assert solution.time_call(lambda: None, repeats=3, clock=lambda: next(ticks)) == 3.0


def test_the_answers_of_the_guide_are_right():
    """The third column sums to 8; eight equal chances cost 2.08 nats; twelve letters cost 2.48."""
    assert "the third column's sum, which is 8" in PROSE and 1 + 2 + 5 == 8
    assert "Between 8:" in PROSE and round(-math.log(1 / 8), 2) == 2.08
    assert "ln 12 ≈ 2.48" in PROSE and round(math.log(12), 2) == 2.48


def test_the_formulas_of_the_guide_are_right():
    """The softmax, the loss and its gradient, computed as the formulas say, are what the solution and autograd give."""
    logits, target = torch.tensor([0.0, math.log(2), math.log(5)], dtype=torch.float64, requires_grad=True), 2

    shares = logits.exp() / logits.exp().sum()
    loss = -shares[target].log()
    loss.backward()

    assert torch.allclose(shares, solution.softmax(logits))
    assert loss.item() == pytest.approx(solution.cross_entropy(logits[None], torch.tensor([target])).item())
    assert torch.allclose(logits.grad, shares - torch.eye(3, dtype=torch.float64)[target])
