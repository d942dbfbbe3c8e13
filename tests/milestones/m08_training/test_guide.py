"""The worked examples of m08_training, in its guide and its docstrings, are true; and what it says of the stories."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m08_training import oracle
from solutions import m08_training
from solutions.m00_warmup import bigram_by_counting
from solutions.m08_training import AdamW, clip_gradients, decay_groups, learning_rate

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m08_training.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())


def test_the_table_of_the_guide_is_right():
    """Each row of the guide's table follows from the one before it, to the digits shown."""
    rows = [
        [float(cell) for cell in line.strip("|").split("|")]
        for line in GUIDE.splitlines()
        if re.match(r"\| \d \| ", line)
    ]
    first = second = 0.0
    w, lr, beta1, beta2, decay = 1.0, 0.1, 0.9, 0.95, 0.5

    assert [row[0] for row in rows] == [1, 2, 3]
    for t, gradient, *shown in rows:
        first, second = beta1 * first + (1 - beta1) * gradient, beta2 * second + (1 - beta2) * gradient**2
        up, down = first / (1 - beta1**t), math.sqrt(second / (1 - beta2**t))
        decayed = w * (1 - lr * decay)
        w = decayed - lr * up / down
        assert shown == pytest.approx([first, up, second, down, decayed, w], abs=6e-5 if t < 3 else 6e-4)
    assert up / down == pytest.approx(0.25, abs=0.02)  # "a quarter of that"


def test_the_means_of_the_guide_are_right():
    """One target of 8 nats and three of 4 have the mean 5, and their means the mean 6; ln 4 is 1.3863."""
    assert "(8 + 12) / 4 = 5" in PROSE and (8 + 3 * 4) / 4 == 5
    assert "(8 + 4) / 2 = 6" in PROSE and (8 + 4) / 2 == 6
    assert round(math.log(4), 4) == 1.3863


def bigram_loss(train, heldout):
    """Return what counting pairs costs on held-out stories, at the best of several ways to smooth the counts."""
    size = oracle.SIZES["vocab_size"]
    single = torch.bincount(train[:, 1:].flatten(), minlength=size).double() + 0.1
    single /= single.sum()
    pairs = torch.zeros(size, size).double()
    pairs.view(-1).index_add_(
        0, (train[:, :-1] * size + train[:, 1:]).flatten(), torch.ones(train[:, 1:].numel()).double()
    )
    losses = []
    for weight in (0.01, 0.1, 0.5, 2.0):
        table = (pairs + weight * single) / (pairs.sum(1, keepdim=True) + weight)
        losses.append(float(-table[heldout[:, :-1], heldout[:, 1:]].log().mean()))
    return min(losses)


def test_pairs_of_words_are_worth_what_the_guide_says():
    """Counting pairs costs 1.59 nats a word, far more than the check asks for, and no context at all 4.23."""
    train, heldout = oracle.stories(Data(), Draw("0", "stories").permutation(oracle.SIZES["vocab_size"]))

    pairs = bigram_loss(train, heldout)

    assert f"{pairs:.2f}" == "1.59" and "pairs of words gives 1.59" in PROSE
    assert f"less than {oracle.LEARNED} nats a word" in PROSE and pairs - oracle.LEARNED > 0.25
    assert oracle.entropy(heldout) == pytest.approx(4.234, abs=0.001)


def test_the_example_of_adamw_is_right():
    """The docstring's weight decays to 0.95 and moves to 0.85."""
    w = nn.Parameter(torch.ones(1))
    w.grad = torch.tensor([4.0])

    assert "the decay makes it 0.95, the first step 0.85" in AdamW.step.__doc__
    AdamW([w], lr=0.1, weight_decay=0.5).step()
    assert w.item() == pytest.approx(0.85)


def test_the_example_of_decay_groups_is_right():
    """The docstring's layer has its weight in the first group and its bias in the second."""
    layer = nn.Linear(3, 2)

    found = decay_groups(layer, 0.1)

    assert [group["weight_decay"] for group in found] == [0.1, 0.0]
    assert found[0]["params"][0] is layer.weight and found[1]["params"][0] is layer.bias
    assert [len(group["params"]) for group in found] == [1, 1]


def test_the_example_of_the_schedule_is_right():
    """The docstring's rates are those of steps 1 to 7."""
    shown = re.search(r"steps 1 \(the first\) to 7 have (.*?)\.\n", m08_training.learning_rate.__doc__)[1]

    rates = [learning_rate(step, peak=1.0, floor=0.2, warmup=2, total=6) for step in range(1, 8)]

    assert [float(rate) for rate in shown.split(", ")] == pytest.approx(rates, abs=5e-4)


def test_the_example_of_clip_gradients_is_right():
    """The docstring's gradients become 0.6 and 0.8, and their norm was 5."""
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    for parameter, value in zip(parameters, (3.0, 4.0), strict=True):
        parameter.grad = torch.tensor([value])

    assert clip_gradients(parameters, 1.0) == 5.0
    assert [parameter.grad.item() for parameter in parameters] == pytest.approx([0.6, 0.8])


def test_one_target_and_three_weigh_a_quarter_each():
    """The docstring of train_step says so, and the loss of two pieces shows it."""
    model = nn.Embedding(4, 4)
    first = torch.tensor([[0, 1, 2]]), torch.tensor([[1, -100, -100]])
    second = torch.tensor([[0, 1, 2]]), torch.tensor([[3, 2, 0]])
    costs = nn.functional.cross_entropy(model.weight[[0, 0, 1, 2]], torch.tensor([1, 3, 2, 0]), reduction="none")

    loss = m08_training.train_step(model, AdamW(model.parameters(), lr=0.0), [first, second])

    assert "1 in the first and 3 in the second weigh 1/4 each" in m08_training.train_step.__doc__
    assert loss == pytest.approx(float(costs.detach().sum()) / 4)


def test_the_first_row_is_explained_as_it_is():
    """0.9 · 0 + 0.1 · 4 is 0.4, ten times too small, and the decay takes 0.05 of w."""
    assert "0.9 · 0 + 0.1 · 4 = 0.4: ten times too small" in PROSE
    assert 0.9 * 0 + 0.1 * 4 == 0.4 and pytest.approx(4) == 0.4 / (1 - 0.9)
    assert 1 - 0.1 * 0.5 == 0.95


def test_the_trials_of_the_guide_are_described_as_they_are():
    """The text has 17 letters, after s come e, h, u and a space, and the weights of a layer of 64 begin below 0.13."""
    text = re.search(r'>>> text = "(.*)"', GUIDE)[1]

    assert f"ln 17 ≈ {math.log(len(set(text))):.2f}" in PROSE
    ids = torch.tensor([sorted(set(text)).index(letter) for letter in text])
    table = bigram_by_counting(ids, 17)
    assert "0.9 is what is left" in PROSE and round(-table[ids[:-1], ids[1:]].log().mean().item(), 1) == 0.9
    assert "After *s* came *e*, *h*, a space or *u*" in PROSE
    assert set(re.findall("s(?=(.))", text)) == {"e", "h", "u", " "}
    assert "began below 0.13" in PROSE and 0.125 <= nn.Linear(64, 64).weight.abs().max() + 0.01 < 0.135


def test_the_memory_of_the_guide_is_right():
    """124 million float32 weights are 0.5 GB, and with a gradient and two averages each they are 2 GB."""
    assert "takes 0.5 GB" in PROSE and "2 GB, before the first activation" in PROSE
    assert round(124e6 * 4 / 1e9, 1) == 0.5
    assert round(4 * 124e6 * 4 / 1e9) == 2
