"""What transformers answered before is what it would answer now, and nothing else is ever taken for it."""

from __future__ import annotations

import argparse
import os

import pytest
import support
import torch

from grader.judge.kept_answers import KeptAnswers, name_of
from grader.judge.oracles import Weights
from grader.practice import Practice

USERS = ["m04", "m05", "m06", "m07", "m15"]
KIN = {f"{name}'s logits" for name in ("llama", "mistral", "gemma", "phi3")}
QUESTIONS = {"attention", "block", "logits", "greedy text", *KIN}
GIVEN = ("digest", (3, torch.arange(6.0).reshape(2, 3)))
ANSWER = torch.tensor([[1.5, -2.0]])


class Recording(KeptAnswers):
    """Keeps all that it is asked, and how each answer is computed."""

    def __init__(self, folder):
        super().__init__(folder)
        self.asked = []

    def of(self, question, given, compute):
        """Note the question."""
        self.asked.append((question, given, compute))
        return super().of(question, given, compute)


def never():
    """Stand for a computation that must not be needed."""
    raise AssertionError("computed again")


@pytest.fixture
def answers(tmp_path):
    """A folder with one answer in it."""
    kept = KeptAnswers(tmp_path / "answers")
    assert torch.equal(kept.of("question", GIVEN, lambda: ANSWER), ANSWER)
    return kept


def test_every_answer_of_transformers_is_kept_as_it_was_computed(tmp_path, monkeypatch):
    """The checks that compare with transformers pass by kept answers alone, which equal the computed ones."""
    weights, kept = support.weights(), Recording(tmp_path)
    monkeypatch.setattr(weights, "answers", kept)
    chosen = [one for one in support.COURSE.milestones if one.number in USERS]
    sources = {name: support.source("solutions", name) for one in chosen for name in support.COURSE.with_needs(one)}
    only = {
        check.name
        for one in chosen
        for check in support.suite(one.id)
        if "weights" in [argument.arg for argument in check.args.args]
    }
    for _ in range(2):
        result = support.grade(sources, only=only, level="inline", milestones=[one.id for one in chosen])
        assert support.complaints(result) == []
        monkeypatch.setattr(Weights, "model", never)
    monkeypatch.undo()
    half = len(kept.asked) // 2
    assert {question for question, _, _ in kept.asked} == QUESTIONS
    assert [question for question, _, _ in kept.asked[:half]] == [question for question, _, _ in kept.asked[half:]]
    for question, given, compute in kept.asked[:half]:
        assert torch.equal(KeptAnswers(tmp_path).of(question, given, never), compute()), question


OTHERS = {
    "question": ("other", GIVEN),
    "digest": ("question", ("other", GIVEN[1])),
    "number": ("question", (GIVEN[0], (4, GIVEN[1][1]))),
    "type": ("question", (GIVEN[0], (3.0, GIVEN[1][1]))),
    "dtype": ("question", (GIVEN[0], (3, GIVEN[1][1].double()))),
    "shape": ("question", (GIVEN[0], (3, GIVEN[1][1].flatten()))),
    "value": ("question", (GIVEN[0], (3, GIVEN[1][1] + 1))),
    "nesting": ("question", (GIVEN[0], 3, GIVEN[1][1])),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_question_is_another_answer(other):
    """Whatever the question or an argument differs in, the answer has another name."""
    assert name_of(*OTHERS[other]) != name_of("question", GIVEN)


def test_equal_arguments_have_one_name():
    """The order of a dict's keys and a tensor's strides change nothing."""
    value = torch.arange(6.0).reshape(2, 3)
    turned = value.T.contiguous().T
    assert name_of("q", ({"a": 1, "b": turned},)) == name_of("q", ({"b": value, "a": 1},))


@pytest.mark.parametrize("harm", ["cut", "changed", "empty", "renamed", "pipe", "folder"])
def test_a_damaged_or_foreign_answer_is_computed_again(answers, harm):
    """What is not the answer as it was written is ignored, and replaced where that can be done."""
    (path,) = answers.folder.iterdir()
    whole = path.read_bytes()
    path.unlink()
    if harm == "pipe":
        os.mkfifo(path)
    elif harm == "folder":
        path.mkdir()
    elif harm == "renamed":
        answers.of("another", GIVEN, lambda: ANSWER + 1)
        (path,) = [one.rename(path) for one in answers.folder.iterdir()]
    else:
        path.write_bytes({"cut": whole[:-1], "changed": whole[:-1] + b"?", "empty": b""}[harm])
    assert torch.equal(answers.of("question", GIVEN, lambda: ANSWER), ANSWER)
    if harm != "folder":
        assert torch.equal(answers.of("question", GIVEN, never), ANSWER)


def test_the_oldest_answers_make_room(tmp_path):
    """No more is kept than there is room for, and what was asked for last stays."""
    kept = KeptAnswers(tmp_path, room=3_000)
    for number in range(4):
        kept.of("question", (number,), lambda: torch.zeros(200))
        for age, path in enumerate(sorted(tmp_path.iterdir(), key=os.path.getmtime, reverse=True)):
            os.utime(path, (1_000_000 - age, 1_000_000 - age))
        if number:
            kept.of("question", (0,), never)
    kept.of("question", (0,), never)
    kept.of("question", (3,), never)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3_000


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    """Where nothing can be kept, everything is computed."""
    (tmp_path / "answers").write_text("in the way")
    kept = KeptAnswers(tmp_path / "answers")
    assert torch.equal(kept.of("question", GIVEN, lambda: ANSWER), ANSWER)


@pytest.mark.parametrize("condition", ["public", "secret", "debug"])
def test_only_public_seeds_use_kept_answers(monkeypatch, tmp_path, condition):
    """A run with a secret seed neither reads nor keeps an answer, nor does one without a sandbox."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path))
    if condition == "secret":
        monkeypatch.setenv("SCRATCHWORK_SECRET_SEED", "forty-two and seven words")
    options = argparse.Namespace(
        official=False, seed=None, weights="gpt2-nano", weights_llama="llama-nano", debug=condition == "debug",
        isolation="inline", device="cpu",
    )  # fmt: skip
    practice = Practice(options, support.COURSE, [], tmp_path)
    practice.close()
    assert (practice.weights.answers is not None) == (condition == "public")
