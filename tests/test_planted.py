"""Trusted code planted in a worker, the trusted model, and checkpoints that are read instead of sent."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
import support
import torch

import fixtures
from grader import record
from grader.judge import asked
from grader.judge.grading import grade
from grader.judge.oracles import Weights
from grader.judge.outcomes import verdict
from grader.judge.planned import Options
from grader.judge.probes import checkpoint, model
from grader.judge.student import Student
from grader.sandbox import levels
from grader.sandbox.errors import StudentError
from grader.sandbox.limits import Limits
from grader.submission import Submission

LEVELS = [level for level in ("bubblewrap", "user", "process", "inline") if levels.unavailable(level) is None]


@pytest.fixture
def student():
    """A worker with nothing loaded."""
    worker = support.sandbox().worker(Limits())
    worker.set_deadline(60)
    yield Student(worker, "nothing")
    worker.end()


def test_the_trusted_model_is_gpt2():
    """With gpt2-nano's weights the trusted model gives transformers' logits."""
    weights = support.weights()
    ids = torch.randint(0, 50257, (2, 9), generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        actual = model.build(weights.sizes, weights.linear_state())(ids)
        expected = weights.model()(ids).logits

    assert torch.allclose(actual, expected, atol=1e-4)


def test_a_cut_vocabulary_keeps_the_rows_asked_for():
    """With three tokens chosen, id i has the embedding of the i-th of them."""
    tokens = torch.tensor([50256, 7, 1000])

    state = support.weights().linear_state(tokens)

    assert torch.equal(state["wte.weight"], support.weights().state["wte.weight"][tokens])


def test_a_planted_model_runs_in_the_worker_and_is_watched(student):
    """The worker's model computes what the judge's does, and the judge is told the shape of each forward pass."""
    sizes = {"vocab_size": 11, "context_length": 7, "d_model": 8, "n_layers": 2, "n_heads": 2}
    state = dict(model.LanguageModel(**sizes).state_dict())
    seen = []

    there = student.plant(model).build(sizes, state, watch=student.callback(seen.append, asked.list_of(asked.of(int))))
    ids = torch.tensor([[1, 2, 3], [4, 5, 10]])

    with torch.no_grad():
        assert torch.allclose(there(ids), model.build(sizes, state)(ids), atol=1e-6)
    assert seen == [[2, 3]]


def test_a_fault_of_planted_code_is_blamed_on_nobody(student):
    """What the judge's own function raises in the worker, without a line of the student's, fails and accuses nobody."""
    with pytest.raises(StudentError) as raised:
        student.plant(model).build({}, {})

    given = verdict(raised.value, "m08.5", Limits(), answered=True)
    assert given.outcome == record.FAILED
    assert "Your code raised" not in given.message and "the check's own helper (build)" in given.message


def test_planted_code_is_gone_with_its_worker(student):
    """What one check plants no other worker has."""
    student.plant(model)
    other = support.sandbox().worker(Limits())
    other.set_deadline(60)
    try:
        with pytest.raises(StudentError):
            other.conversation.request("probe", name="build", args=[], kwargs={}, planted=model.__name__)
    finally:
        other.end()


SPOIL = b"""
import os

def spoil(path):
    acts = {
        "opened": lambda: open(path, "r+b").close(),
        "made writable": lambda: os.chmod(path, 0o666),
        "renamed": lambda: os.replace(path, path + ".old"),
        "removed": lambda: os.unlink(path),
    }
    done = []
    for name, act in acts.items():
        try:
            act()
            done.append(name)
        except OSError:
            pass
    return done
"""


@contextlib.contextmanager
def mounted(level, folder):
    """Workers that may read a copy of the course's checkpoint."""
    shutil.copytree(fixtures.GPT2_NANO, folder)
    workers = levels.workers(level, "cpu")
    workers.checkpoints = {"gpt2": folder / "model.safetensors"}
    above = (parent for parent in folder.parents if Path(tempfile.gettempdir()) in parent.parents)
    for path in (*folder.iterdir(), folder, *above):
        path.chmod(path.stat().st_mode | 0o055)  # the user level's workers pass through
    try:
        workers.wait()
        yield workers
    finally:
        workers.close()


@pytest.mark.parametrize("level", LEVELS)
def test_a_large_checkpoint_is_read_by_the_worker_itself(level, tmp_path):
    """A checkpoint that is not the course's own is mounted, and its tensors are those of the file."""
    with mounted(level, tmp_path / "own") as workers:
        worker = workers.worker(Limits())
        worker.set_deadline(60)
        student = Student(worker, "nothing")
        state = student.plant(checkpoint).read(student.large_file(workers.checkpoints["gpt2"]))

        assert torch.equal(state["transformer.wpe.weight"], Weights(str(tmp_path / "own")).state["wpe.weight"])
        assert len(state) == 52
        worker.end()


def test_the_solution_loads_a_checkpoint_of_ones_own(tmp_path):
    """With --weights the checks of m06 read the mounted file, and the solution passes them."""
    names = {"test_gpt2s_weights_in_place_give_its_logits", "test_a_loaded_checkpoint_gives_hugging_faces_logits"}
    sources = support.with_needs("m06_gpt", support.source("solutions", "m06_gpt"))
    submission = Submission("solutions", {name: text.encode() for name, text in sources.items()})
    with mounted(LEVELS[0], tmp_path / "own") as workers:
        weights = Weights(str(tmp_path / "own"))
        result = grade(Options(["m06_gpt"], names), support.COURSE, submission, workers, weights)

    assert len(support.checks(result)) == len(names)
    assert support.complaints(result) == []


@pytest.mark.parametrize("level", [level for level in LEVELS if level in levels.OFFICIAL])
def test_a_mounted_checkpoint_cannot_be_changed(level, tmp_path):
    """A submission can neither write to the file that all workers read, nor rename or remove it."""
    with mounted(level, tmp_path / "own") as workers:
        before = workers.checkpoints["gpt2"].read_bytes()
        worker = workers.worker(Limits())
        worker.set_deadline(60)
        worker.conversation.request("load", sources={"m99.py": SPOIL}, module="m99", trace=[], blocked=[])
        path = Student(worker, "m99").large_file(workers.checkpoints["gpt2"])

        assert worker.conversation.get(None, "spoil")(path) == []
        assert workers.checkpoints["gpt2"].read_bytes() == before
        worker.end()
