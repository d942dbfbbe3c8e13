"""Fixtures of the command line's tests: calls in this process, a warm sandbox, progress in a folder of the test."""

from __future__ import annotations

import pytest
import support
from begun_attention import MASK_ONLY

import grader.progress
from grader import cli, practice, record
from grader.judge import grading


@pytest.fixture
def sandbox(monkeypatch):
    """Lend the warm sandbox to whatever the command line would boot."""
    return support.lend_sandbox(monkeypatch)


@pytest.fixture(autouse=True)
def _own_progress(monkeypatch, tmp_path):
    """Keep progress in a folder of the test, never in the developer's."""
    path = tmp_path / "state" / "progress.json"
    monkeypatch.setattr(grader.progress, "FILE", path, raising=False)
    monkeypatch.setattr(grader.progress.Progress.__init__, "__defaults__", (path,))
    monkeypatch.setenv("SCRATCHWORK_STATE", str(path.parent))
    monkeypatch.delenv(practice.SECRET_SEED, raising=False)
    monkeypatch.delenv(practice.SECRET_SEED_FILE, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def gradings(sandbox, monkeypatch):
    """Replace the grading itself: the first task passes, with all others if the test says so; every call is counted."""
    calls = []

    def grade(options, course, submission, workers, weights, _listener=None, _planned=None):
        calls.append(options)
        milestones = []
        for name in options.milestones:
            milestone, parts = course.milestone(name), []
            for task in milestone.tasks:
                outcome = record.PASSED if task is milestone.tasks[0] or options.all_pass else record.NOT_STARTED
                checks = [record.Check("test_it", "It holds.", outcome, [record.VALUE])]
                earned = task.points if outcome == record.PASSED else 0.0
                parts.append(record.Task(task.id, task.title, task.points, earned, checks))
            sources = submission.digest(course.with_needs(milestone))
            milestones.append(record.Milestone(milestone.id, milestone.title, parts, sources=sources))
        return record.Record(
            *("test", submission.folder, options.seed, options.device, workers.level, weights.name),
            secret_seed=options.secret_seed,
            milestones=milestones,
        )

    monkeypatch.setattr(grading.Options, "all_pass", False, raising=False)
    monkeypatch.setattr(grading, "grade", grade)
    return calls


@pytest.fixture
def run(capsys):
    """Run a command in this process; return its exit code, what it printed, and what it said on standard error."""

    def call(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def submission(tmp_path):
    """A submission whose m04 has the mask and nothing else."""
    folder = tmp_path / "handed in"
    folder.mkdir()
    (folder / "m04_attention.py").write_text(MASK_ONLY, encoding="utf-8")
    return folder
