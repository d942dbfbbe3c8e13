"""The worked examples of m09_scaling, in its guide and its docstrings, are true."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import nn

from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m09_scaling import oracle_matrices as oracle
from grader.suites.m09_scaling.oracle_learning import Stories
from grader.suites.shared import ranks
from solutions import m09_scaling as m09

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m09_scaling.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


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


def step(group, rows):
    """Return by how much a weight moves whose gradient is the mean of all rows."""
    model = nn.Linear(1, 1, bias=False)
    m09.share_start(model, group)
    before, optimizer = model.weight.item(), torch.optim.SGD(model.parameters(), lr=1.0)
    own = rows[list(m09.shard(len(rows), group.rank, group.world))]
    m09.data_parallel_step(model, lambda model, x, _: model(x).mean(), own, own, optimizer, group, 1e9)
    return before - model.weight.item()


def test_the_table_by_hand_is_right():
    """Own means, shares and parts of the whole are as the table says, and the step is their sum."""
    *parts, total = table("rank")
    gradients = [[int(number) for number in row[1].split(", ")] for row in parts]
    every = [number for own in gradients for number in own]

    assert [len(own) for own in gradients] == [len(m09.shard(7, rank, 3)) for rank in range(3)]
    for row, own in zip(parts, gradients, strict=True):
        mean, share = Fraction(sum(own), len(own)), Fraction(len(own), len(every))
        assert (float(row[2]), Fraction(row[3])) == (float(mean), share)
        assert float(row[4]) == pytest.approx(float(mean * share), abs=5e-4)
    assert total[1] == ", ".join(map(str, every))
    whole = sum(every) / len(every)
    assert (float(total[2]), total[3], float(total[4])) == (whole, "1", whole)
    assert "The mean of the three means is 5.5" in WORDS
    assert sum(float(row[2]) for row in parts) / 3 == 5.5
    rows = torch.tensor(every, dtype=torch.float32)[:, None]
    assert ranks.ranks(3, step, rows) == pytest.approx([whole] * 3, abs=1e-5)


def test_the_formulas_of_the_guide_are_right():
    """Weighted gradients add up to the whole, a scale leaves a gradient as it was, and a ring sends what is said."""
    w, x = torch.randn(4, requires_grad=True), torch.randn(7, 4)
    parts = [x[list(m09.shard(7, rank, 3))] for rank in range(3)]
    whole = torch.autograd.grad((x @ w).square().mean(), w)[0]
    each = [torch.autograd.grad((part @ w).square().mean(), w)[0] for part in parts]

    assert torch.allclose(sum(len(part) / 7 * grad for part, grad in zip(parts, each, strict=True)), whole, atol=1e-6)
    scaled = torch.autograd.grad((x @ w).square().mean() * 1024, w)[0] / 1024
    assert torch.allclose(scaled, whole, atol=1e-6)
    for world, n in ((2, 8), (4, 20), (5, 35)):
        sent = [sum(map(len, out)) for out in oracle.messages([torch.zeros(n)] * world)]
        assert sent == [2 * (world - 1) * n // world] * world


def test_what_half_precision_holds_is_as_the_guide_says():
    """The ends of float16, bfloat16's last number below 1, and what becomes of a hundred small steps."""
    assert "ends at 65,504 above and at 0.00000006 below" in WORDS
    assert torch.finfo(torch.float16).max == 65504
    assert torch.tensor(6e-8).half() > 0 and torch.tensor(2.9e-8).half() == 0
    assert "the next number below 1 is 0.996" in WORDS
    below = torch.nextafter(torch.ones((), dtype=torch.bfloat16), torch.zeros((), dtype=torch.bfloat16))
    assert round(below.item(), 3) == 0.996
    assert torch.ones((), dtype=torch.bfloat16) - 0.001 == 1


def test_the_table_of_the_ring_is_right():
    """With pieces A, B and C every rank sends in each round what the table says."""
    n = 3
    marks = [[(rank, piece) for piece in range(n)] for rank in range(n)]
    pieces = [[{mark} for mark in own] for own in marks]
    for turn, row in enumerate(table("round")):
        places = [(rank - turn) % n if turn < n - 1 else (rank + 1 - (turn - n + 1)) % n for rank in range(n)]
        out = [pieces[rank][place] for rank, place in enumerate(places)]
        for rank, place in enumerate(places):
            letter, held = "ABC"[place], len(out[rank])
            said = {1: letter, 2: f"{letter} + {letter}", 3: f"{letter}, whole"}[held]
            assert row[1 + rank] == said
        for rank in range(n):
            place = places[rank - 1]
            pieces[rank][place] = pieces[rank][place] | out[rank - 1]
    assert "rank 0 sends 10 numbers, and the others 9" in WORDS and "it would be 14 for each" in WORDS
    assert [sum(map(len, out)) for out in oracle.messages([torch.zeros(7)] * 3)] == [10, 9, 9]
    assert 2 * 7 == 14


def test_the_first_step_of_adamw_is_as_large_as_the_guide_says():
    """A first step is lr in size whatever the gradient, and decay takes lr times 0.5 of the weight."""
    assert "A first step of AdamW is lr in size" in WORDS
    for gradient in (0.001, 5.0):
        param = nn.Parameter(torch.tensor([2.0]))
        optimizer = m09.ShardedAdamW([param], ranks.alone(0, 1), lr=0.1, weight_decay=0.5)
        param.grad = torch.tensor([gradient])
        optimizer.step()
        assert param.item() == pytest.approx(2 - 0.1 * 0.5 * 2 - 0.1, abs=1e-4)


def test_what_does_not_come_is_waited_for_as_long_as_the_guide_says():
    """The patience of the course's ranks is ten seconds, and torch's own is half an hour."""
    assert "Here that is ten seconds, in torch's own groups half an hour" in WORDS
    assert ranks.PATIENCE == 10
    assert torch.distributed.distributed_c10d.default_pg_timeout.total_seconds() == 30 * 60


def test_what_two_ranks_learn_is_as_the_guide_says():
    """Trained on all numbers, half of gpt2-nano's layers come to about the loss that the guide names."""
    assert "the last check of m09.6 comes to about 2.6" in WORDS
    stories = Stories(Draw("0", "guide"), Data())
    assert stories.loss(stories.trained()) == pytest.approx(2.6, abs=0.3)


def test_the_examples_of_the_docstrings_are_right():
    """Buckets, shares and a hundred small steps are as the docstrings say."""
    assert m09.make_buckets([40, 80, 20, 1200], 100, 200) == [[0, 1], [2, 3]]
    assert [m09.shard(7, rank, 3) for rank in range(3)] == [range(3), range(3, 5), range(5, 7)]
    master = [torch.ones(1)]
    for _ in range(100):
        m09.master_step(master, [torch.ones(1, dtype=torch.bfloat16)], 0.001)
    assert master[0].item() == pytest.approx(0.9, abs=1e-5)
