"""What passed is not graded again until something changes."""

from __future__ import annotations

import json

from begun_attention import MASK_ONLY
from command_lines import flat

from grader import practice
from grader.judge import grading


def test_what_passed_is_not_graded_again_until_something_changes(run, gradings, submission, monkeypatch):
    """What passed is taken over the next time; --all, another seed or an edit has it graded again."""
    monkeypatch.setattr(grading.Options, "all_pass", True)
    file, arguments = submission / "m04_attention.py", ["grade", "m04", "--submission", submission]

    def count(*more):
        before = len(gradings)
        code, shown, _ = run(*arguments, *more)
        assert code == 0
        assert ("unchanged since it passed" in shown) == (len(gradings) == before)
        return len(gradings) - before

    assert [count(), count(), count("--all"), count("--seed", "5"), count("--seed", "5")] == [1, 0, 1, 1, 0]
    file.write_text(MASK_ONLY + "\n# edited\n", encoding="utf-8")
    assert [count(), count()] == [1, 0]


def test_only_what_did_not_pass_is_graded_again(run, gradings, submission):
    """An unfinished milestone is graded each time."""
    for _ in range(2):
        assert run("grade", "m04", "--submission", submission)[0] == 1

    assert len(gradings) == 2


def test_a_secret_seed_takes_over_nothing(run, gradings, submission, monkeypatch):
    """A run with a secret seed grades everything, whatever passed before."""
    monkeypatch.setattr(grading.Options, "all_pass", True)
    run("grade", "m04", "--submission", submission)
    monkeypatch.setenv(practice.SECRET_SEED, "42")
    run("grade", "m04", "--submission", submission)
    run("grade", "m04", "--submission", submission)

    assert len(gradings) == 3


def test_a_damaged_progress_file_is_mentioned_and_replaced(run, gradings, submission, tmp_path):
    """A progress file that can't be read costs one sentence in the report, and works again after the run."""
    path = tmp_path / "state" / "progress.json"
    path.parent.mkdir()
    path.write_text("{half a fi")

    code, shown, said = run("grade", "m04", "--submission", submission)

    assert (code, said) == (1, "")
    assert "could not be read, so earlier progress is not known" in flat(shown)
    assert json.loads(path.read_text(encoding="utf-8"))["submissions"]
