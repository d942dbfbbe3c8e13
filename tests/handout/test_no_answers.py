"""Nothing that is handed out, put in the place of a stub's name, is an answer."""

from __future__ import annotations

import os

import dropins
import pytest
import support

SAMPLE = "m04_attention"  # whose helpers the ordinary tests try as answers
EVERYTHING = "SCRATCHWORK_EVERY_DROPIN"  # set, to try all that is handed out in all places: half an hour


def chosen() -> list[str]:
    """Return the milestones whose helpers are tried in this run."""
    if os.environ.get(EVERYTHING) or os.environ.get("SCRATCHWORK_EVERY_ATTACK"):
        return support.MILESTONES
    for milestone in support.MILESTONES:
        if milestone != SAMPLE:
            support.leave_out("milestones' helpers as answers: nox -s attacks tries them", milestone)
    return [SAMPLE]


@pytest.mark.parametrize("milestone", chosen())
def test_nothing_handed_out_is_an_answer(whole, milestone):
    """No function or class of what is handed out, put in the place of a stub's name, earns the task.

    A suite's own helpers and the planted code are tried, of one milestone here and of all by `nox -s attacks`; with
    SCRATCHWORK_EVERY_DROPIN set, everything that is handed out is tried.
    """
    mine = (f"grader.suites.{milestone}.", "grader.judge.probes")

    def tried(module: str) -> bool:
        return bool(os.environ.get(EVERYTHING)) or module.startswith(mine)

    assert dropins.answers(milestone, dropins.sources(whole.files), tried) == []


def test_an_answer_that_is_handed_out_is_found():
    """A solution among the modules of a handout is found as an answer to its tasks: the search does find."""
    text = support.source("solutions", "m03_embedding").encode()
    modules = dropins.sources({"grader/suites/m03_embedding/answers.py": text})

    found = " ".join(map(str, dropins.answers("m03_embedding", modules, lambda module: True)))

    assert "sinusoidal_positions" in found
