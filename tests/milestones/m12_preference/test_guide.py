"""The worked examples of m12_preference, in its guide and its docstrings, are true; and what it says of its checks."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import pytest
import torch

from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m12_preference import stretch
from grader.suites.m12_preference.oracle_learning import Rounds, Taste
from solutions.m12_preference import (
    RewardHead,
    clipped_loss,
    dpo_loss,
    gae,
    group_advantages,
    implicit_rewards,
    ipo_loss,
    kl_estimates,
    reward_loss,
    sequence_logprobs,
    token_logprobs,
)

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m12_preference.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


def logs(*probabilities):
    """Return the logarithms of probabilities as a tensor."""
    return torch.tensor(probabilities).log()


def test_the_table_of_the_guide_is_right():
    """The rewards in the table are logarithms of ratios; their lead, its sigmoid and the loss follow from them."""
    rows = re.findall(r"(?m)^\| (chosen|rejected) \| 1/(\d) \| 1/(\d) \| (\d) times as much \| ([\d.]+) \|$", GUIDE)
    policy, reference = (logs(*(1 / int(row[place]) for row in rows)) for place in (2, 1))

    rewards = implicit_rewards(policy, reference, 1.0).tolist()

    assert [name for name, *_ in rows] == ["chosen", "rejected"]
    assert [int(then) / int(now) for _, then, now, *_ in rows] == [int(times) for *_, times, _ in rows]
    assert [f"{reward:.2f}" for reward in rewards] == [shown for *_, shown in rows]
    assert 1 / (1 + math.exp(rewards[1] - rewards[0])) == pytest.approx(2 / 3)
    loss = dpo_loss(policy[:1], policy[1:], reference[:1], reference[1:], 1.0).item()
    assert f"-ln 2/3 = {loss:.2f}" in GUIDE
    assert f"ln 2 = {math.log(2):.2f}" in WORDS


def test_the_formulas_of_the_guide_are_right():
    """DPO's loss and PPO's, written out with exponentials, are what the functions give."""
    p, q, beta = logs(0.5, 0.2), logs(0.3, 0.4), 0.7
    x = float(beta * (p[0] - q[0]) - beta * (p[1] - q[1]))
    loss = dpo_loss(p[:1], p[1:], q[:1], q[1:], beta).item()
    assert loss == pytest.approx(-math.log(1 / (1 + math.exp(-x))), abs=1e-6)

    for r in (0.5, 1.1, 2.0):
        for gain in (1.5, -0.5):
            clipped = min(max(r, 0.8), 1.2)
            found = clipped_loss(logs(r)[None], torch.zeros(1, 1), torch.tensor([[gain]]), torch.tensor([[True]]))
            assert found.item() == pytest.approx(-min(r * gain, clipped * gain), abs=1e-6)


def test_what_the_guide_says_of_exact_answers_is_right():
    """The policy that earns most less beta times its KL is the reference's times exp(reward / beta), normed."""
    reference, rewards, beta = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, -0.5]), 0.8
    best = (reference.log() + rewards / beta).softmax(dim=0)
    drawn = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0)).pow(2).double() + 1e-9
    others = drawn / drawn.sum(dim=1, keepdim=True)

    def worth(policy):
        return (policy * rewards).sum(dim=-1) - beta * (policy * (policy / reference).log()).sum(dim=-1)

    assert float(worth(best.double())) > float(worth(others).max())
    leads = implicit_rewards(best.log(), reference.log(), beta)
    assert torch.allclose(leads - leads[0], rewards - rewards[0], atol=1e-6)


def test_what_the_guide_says_of_estimates_is_right():
    """k1 varies nine times as much as what it measures."""
    p, q = torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([[0.4, 0.4, 0.2]])
    k1, _, k3 = kl_estimates(p.log(), q.log())
    mean = (p * k1).sum()

    assert "varies nine times as much" in WORDS
    assert float((p * (k1 - mean) ** 2).sum().sqrt() / mean) == pytest.approx(9, abs=0.5)
    assert bool((k3 >= 0).all())


def test_what_the_guide_says_of_the_checks_is_right():
    """Batches, pairs, heroes, rounds and bounds are those of the suite."""
    heroes = tomllib.loads(Data().text("story_grammar.toml"))["names"]
    taste, recipe = Taste(Draw(7, "guide"), Data()), Rounds.RECIPE

    assert f"{Taste.STEPS} batches of {Taste.BATCH} pairs" in WORDS
    assert f"half of the {sum(map(len, heroes.values()))} heroes" in WORDS
    assert all(abs(len(liked) - len(others)) <= 1 for liked, others in taste.liked)
    assert f"cost less than {Taste.LEARNED} nats" in WORDS
    assert f"further than {Taste.NEAR} nats a token from the reference" in WORDS
    assert "the table of tokens and the last norm" in WORDS and set(Taste.TRAINED) == {"wte", "ln_f", "lm_head"}
    assert f"plays {recipe['rounds']} rounds" in WORDS
    assert f"plays the {recipe['rounds']} rounds of {stretch.COMPLETIONS} completions" in WORDS
    assert f"summed over its {recipe['count']} tokens" in WORDS and stretch.PRICE == 0.1
    assert "Otherwise they are 8, 2, 0.02, 0.2 and 0.2" in WORDS
    assert [recipe[name] for name in stretch.OWN] == [8, 2, 0.02, 0.2, 0.2]
    assert f"{recipe['size']} completions of {recipe['count']} tokens to each of {recipe['groups']} prompts" in WORDS
    assert f"takes {recipe['passes']} steps" in WORDS
    assert f"earn more than {Rounds.LEARNED} of what" in WORDS and f"within {Rounds.NEAR:g} nats a token" in WORDS


def test_the_examples_of_the_docstrings_are_right():
    """What the docstrings of the stub show is what the solution gives."""
    logits = torch.tensor([[[0, 0], [0, math.log(3)], [9, 9]]])
    ids = torch.tensor([[1, 0, 1]])
    assert torch.allclose(token_logprobs(logits, ids), logs(1 / 2, 3 / 4)[None])
    mask = torch.tensor([[True, False, True]])
    assert torch.allclose(sequence_logprobs(logits, ids, mask), logs(3 / 4))

    head = RewardHead(1)
    head.load_state_dict({"score.weight": torch.tensor([[2.0]])})
    hidden = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    assert head(hidden, torch.tensor([[True, True, False], [False, True, True]])).tolist() == [4.0, 12.0]
    pair = torch.tensor([2.0]), torch.tensor([1.0])
    assert reward_loss(*pair).item() == pytest.approx(0.3133, abs=5e-5)
    assert reward_loss(*pair).item() == pytest.approx(math.log(1 + 1 / math.e))
    assert reward_loss(*pair, torch.tensor([1.0])).item() == pytest.approx(math.log(2))

    half, quarter = logs(1 / 2), logs(1 / 4)
    assert implicit_rewards(half, quarter, 0.5).item() == pytest.approx(0.3466, abs=5e-5)
    assert dpo_loss(half, quarter, quarter, quarter, 1.0).item() == pytest.approx(math.log(3 / 2))
    assert math.log(3 / 2) == pytest.approx(0.4055, abs=5e-5)
    lengths = torch.tensor([2]), torch.tensor([1])
    lost = ipo_loss(half, quarter, quarter, quarter, *lengths, 1.0).item()
    assert lost == pytest.approx((math.log(2) / 2 - 1 / 2) ** 2) == pytest.approx(0.0235, abs=5e-5)

    assert group_advantages(torch.tensor([[1.0, 2.0, 3.0]]), 0.0).tolist() == [[-1.0, 0.0, 1.0]]
    for gain, cost in ((1.0, -1.2), (-1.0, 2.0)):
        found = clipped_loss(half[None], quarter[None], torch.tensor([[gain]]), torch.tensor([[True]]), 0.2)
        assert found.item() == pytest.approx(cost)
    assert [round(k.item(), 4) for k in kl_estimates(half[None], quarter[None])] == [0.6931, 0.2402, 0.1931]
    rewards, values = torch.tensor([[0, 0, 1, -0.5]]), torch.tensor([[0.2, 0.4, 0.1, 0.3]])
    credit = gae(rewards, values, values > 0, 0.9, 0.8)
    assert [round(value, 4) for value in credit[0].tolist()] == [0.2447, 0.1177, 0.594, -0.8]
