"""The formulas of m12_preference agree with trl's numbers, which are kept, and what the guide says of trl is so."""

from __future__ import annotations

import json
import re

import pytest
import torch

import fixtures
from grader.suites.m12_preference import oracle, oracle_rewards

from .test_guide import WORDS

CLOSE = 1e-6  # trl computes in float32, and its numbers are kept in nine digits


@pytest.fixture(scope="module")
def kept():
    """Return what trl gave, with what went in."""
    return tensors(json.loads(fixtures.PREFERENCE_TRL.read_text(encoding="utf-8")))


def tensors(value):
    """Return lists as tensors, numbers and texts as they are."""
    if isinstance(value, dict):
        return {key: tensors(part) for key, part in value.items()}
    return torch.tensor(value) if isinstance(value, list) else value


def likelihoods(batch):
    """Return the log-probabilities of the chosen and the rejected, by the policy and by the reference."""
    sums = [
        oracle.sequence_logprobs(batch[f"{name}_logits"], batch["ids"], batch["mask"]).chunk(2)
        for name in ("policy", "reference")
    ]
    return [*sums[0], *sums[1]]


def test_completions_are_as_likely_as_trl_says(kept):
    """The means over chosen and rejected log-probabilities, and over implicit rewards, are trl's."""
    batch = kept["sigmoid"]
    four = likelihoods(batch)

    for place, name in enumerate(("chosen", "rejected")):
        assert batch[f"logps/{name}"] == pytest.approx(float(four[place].mean()), abs=1e-5)
        moved = kept["beta"] * (four[place] - four[place + 2]).mean()
        assert batch[f"rewards/{name}"] == pytest.approx(float(moved), abs=1e-5)


def test_losses_over_pairs_are_trls(kept):
    """DPO's, IPO's and the reward model's loss, margins and all, and the rewards themselves are the formulas'."""
    dpo, ipo, reward = kept["sigmoid"], kept["ipo"], kept["reward"]
    lengths = list(ipo["mask"].sum(dim=1).chunk(2))
    pairs = reward["chosen"], reward["rejected"]

    assert dpo["loss"] == pytest.approx(float(oracle.dpo_loss(likelihoods(dpo), kept["beta"])), abs=CLOSE)
    assert ipo["loss"] == pytest.approx(float(oracle.ipo_loss(likelihoods(ipo), lengths, kept["beta"])), abs=1e-5)
    assert reward["loss"] == pytest.approx(float(oracle.reward_loss(*pairs, reward["margin"])), abs=CLOSE)
    found = oracle.text_rewards(reward["hidden"], reward["mask"], reward["weight"])
    assert torch.allclose(found, torch.cat(pairs), atol=CLOSE)


def test_losses_over_tokens_are_trls(kept):
    """Advantages within groups and the clipped loss over all tokens are the formulas'; GRPO's paper has other means."""
    batch = kept["grpo"]
    gains = oracle_rewards.advantages(batch["rewards"]).float()
    given = batch["logp"], batch["old_logp"], batch["advantages"].reshape(-1, 1), batch["mask"]
    loss = float(oracle_rewards.clipped_loss(*given, kept["clip"]))
    misses = oracle_rewards.clip_misses(*given, kept["clip"])
    rows = misses["rows are averaged first: a short completion's tokens then weigh more"]

    assert torch.allclose(gains, batch["advantages"], atol=CLOSE)
    assert batch["losses"]["dapo"] == batch["losses"]["bnpo"] == pytest.approx(loss, abs=CLOSE)
    assert batch["losses"]["grpo"] == pytest.approx(float(rows()), abs=CLOSE)
    assert abs(loss - batch["losses"]["grpo"]) > 0.1


def test_the_kept_batches_tell_right_from_wrong(kept):
    """No near miss gives trl's loss: prompts, padding, ratios on both sides of the clip are all in the kept batches."""
    dpo, ipo, reward, grpo = (kept[name] for name in ("sigmoid", "ipo", "reward", "grpo"))
    given = grpo["logp"], grpo["old_logp"], grpo["advantages"].reshape(-1, 1), grpo["mask"]
    lengths = list(ipo["mask"].sum(dim=1).chunk(2))
    tried = [
        (dpo["loss"], oracle.dpo_misses(likelihoods(dpo), kept["beta"])),
        (ipo["loss"], oracle.ipo_misses(likelihoods(ipo), lengths, kept["beta"])),
        (reward["loss"], oracle.reward_misses(reward["chosen"], reward["rejected"], reward["margin"])),
        (grpo["losses"]["dapo"], oracle_rewards.clip_misses(*given, kept["clip"])),
    ]

    same = {words for loss, misses in tried for words, give in misses.items() if near(give(), loss)}

    # One shows far apart alone; trl's batch has the usual eps, and an advantage for each row.
    for_rows = {oracle_rewards.ONE_A_ROW, oracle_rewards.ROW_MEAN, oracle_rewards.COUNTED_MEAN}
    assert same == {oracle.UNDERFLOW, oracle_rewards.OWN_EPS, *for_rows}


def near(value, loss):
    """Return whether a near miss is one number, and that one."""
    return value.dim() == 0 and abs(float(value) - loss) < 1e-5


def test_the_guide_names_the_version_that_was_asked(kept):
    """What the guide says of trl was seen with the version whose numbers are kept."""
    version = ".".join(kept["versions"]["trl"].split(".")[:2])

    assert set(re.findall(r"trl (\d+\.\d+)", WORDS)) == {version}
