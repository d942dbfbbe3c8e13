"""A milestone may use another one's module when it is there: m08_training trains the submission's own GPT."""

from __future__ import annotations

import inspect

import pytest
import support

from grader import record
from grader.judge.probes import model

CHECK = "test_one_batch_is_learned_by_heart"
SAYS = "the submission's own GPT"
CONFIG = """
from dataclasses import dataclass

@dataclass
class GPTConfig:
    vocab_size: int = 50257
    context_length: int = 1024
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_ff: int | None = None
    dropout: float = 0.0
"""
OWN = f"""
{inspect.getsource(model)}
{CONFIG}

class GPT(LanguageModel):
    def __init__(self, config):
        super().__init__(**vars(config))
        self.said = 0

    def forward(self, ids):
        self.said += 1
        if self.said == 20:  # trained, and not only tried
            print({SAYS!r})
        return super().forward(ids)
"""


def graded(own: str | None):
    """Grade the check that trains a GPT, with an m06 beside the solution or without."""
    sources = {"m08_training": support.source("solutions", "m08_training")}
    if own is not None:
        sources["m06_gpt"] = own
    (check,) = support.checks(support.grade(sources, milestones=["m08_training"], only={CHECK}))
    return check


def test_a_finished_model_of_the_submission_is_trained():
    """A GPT with the right names, logits and gradients is the one that learns."""
    check = graded(OWN)

    assert check.outcome == record.PASSED, check.message
    assert SAYS in check.output


@pytest.mark.parametrize(
    "own",
    [
        None,
        CONFIG + "\nclass GPT:\n    def __init__(self, config):\n        raise NotImplementedError('m06.1')\n",
        "raise SystemExit(3)",
        "def broken(:",
        OWN.replace("return super().forward(ids)", "return super().forward(ids) + ids[..., None]"),
        OWN.replace("return super().forward(ids)", "return super().forward(ids).detach()"),
        OWN.replace("return super().forward(ids)", "return [super(GPT, self).forward(ids) for _ in range(9)][0]"),
    ],
    ids=["missing", "stub", "exit", "syntax", "wrong logits", "no gradients", "slow"],
)
def test_any_other_is_no_obstacle(own):
    """Without a GPT that works, the grader's own is trained, and the check passes all the same."""
    check = graded(own)

    assert check.outcome == record.PASSED, check.message
    assert SAYS not in check.output


def test_the_result_depends_on_what_is_used():
    """Another m06 makes another digest, so that a result from before it is not taken for one of today."""
    course, milestone = support.COURSE, support.COURSE.milestone("m08")

    assert "m06_gpt" in course.with_uses(milestone)
    assert "m06_gpt" not in course.with_needs(milestone)
