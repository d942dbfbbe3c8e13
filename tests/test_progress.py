"""Progress: what is remembered of a student's milestones and hints, and what a damaged file costs."""

from __future__ import annotations

import pytest

from grader import record
from grader.progress import Progress, key
from grader.submission import Submission


def finished(milestone="m04_attention", outcome=record.PASSED):
    """Return a milestone as it is remembered."""
    check = record.Check("test_it", "It holds.", outcome, [record.VALUE])
    return record.Milestone(milestone, "A milestone", [record.Task("m04.1", "A task", 4.0, checks=[check])])


def test_a_milestone_that_passed_is_known_as_long_as_its_key_holds(tmp_path):
    """What passed is found again under the same folder and key, and under no other."""
    path, folder = tmp_path / "state" / "progress.json", tmp_path / "exercises"
    Progress(path).remember(folder, [finished()], {"m04_attention": "k"})

    found = Progress(path).passed(folder, "m04_attention", "k")

    assert found is not None
    assert found.reused
    assert Progress(path).passed(folder, "m04_attention", "other") is None
    assert Progress(path).passed(tmp_path / "elsewhere", "m04_attention", "k") is None
    assert Progress(path).passed(folder, "m01_tokenizer", "k") is None


def test_a_milestone_that_failed_is_remembered_but_graded_again(tmp_path):
    """An unfinished milestone is shown by list and never reused."""
    path = tmp_path / "progress.json"
    Progress(path).remember(tmp_path, [finished(outcome=record.FAILED)], {"m04_attention": "k"})

    assert Progress(path).passed(tmp_path, "m04_attention", "k") is None
    assert Progress(path).last(tmp_path, "m04_attention").tasks[0].outcome == record.FAILED


def test_the_key_depends_on_the_sources_the_grader_and_the_settings():
    """Another source, another grader or another setting gives another key."""
    submission = Submission("exercises", {"m04_attention": b"x = 1\n"})
    changed = Submission("exercises", {"m04_attention": b"x = 2\n"})
    one = key(submission, ["m04_attention"], "0.1.0+abc", "0", "cpu")

    assert one == key(submission, ["m04_attention"], "0.1.0+abc", "0", "cpu")
    assert one != key(changed, ["m04_attention"], "0.1.0+abc", "0", "cpu")
    assert one != key(submission, ["m04_attention"], "0.1.0+abd", "0", "cpu")
    assert one != key(submission, ["m04_attention"], "0.1.0+abc", "1", "cpu")


def test_hints_climb_three_rungs_and_stay(tmp_path):
    """Each call shows the next of three rungs, the last one again and again; tasks climb apart."""
    path = tmp_path / "progress.json"

    assert [Progress(path).next_hint("m04.1", 3) for _ in range(5)] == [0, 1, 2, 2, 2]
    assert Progress(path).next_hint("m04.2", 3) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"schema": "other/1"}',
        '{"schema": "scratchwork-progress/1", "submissions": [], "hints": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {}, "hints": []}',
        '{"schema": "scratchwork-progress/1", "submissions": {}, "hints": {"m04.1": "two"}}',
        '{"schema": "scratchwork-progress/1", "submissions": {"FOLDER": []}, "hints": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {"FOLDER": {"m04_attention": 3}}, "hints": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {"FOLDER": {"m04_attention": {"key": "k"}}}, "hints": {}}',
    ],
    ids=lambda text: f"{text[:20]}-{len(text)}",
)
def test_a_damaged_progress_file_costs_only_the_progress(tmp_path, text):
    """Whatever stands in the progress file, nothing is known, nothing is raised, and the next run writes it anew."""
    path = tmp_path / "progress.json"
    path.write_text(text.replace("FOLDER", str(tmp_path.resolve())), encoding="utf-8")

    progress = Progress(path)

    assert progress.passed(tmp_path, "m04_attention", "k") is None
    assert progress.last(tmp_path, "m04_attention") is None
    assert progress.next_hint("m04.1", 3) == 0
    progress.remember(tmp_path, [finished()], {"m04_attention": "k"})
    assert Progress(path).passed(tmp_path, "m04_attention", "k") is not None


def test_progress_that_cannot_be_kept_is_said_in_one_sentence(tmp_path):
    """Where nothing can be written the run goes on, and one sentence says that it is not remembered."""
    (tmp_path / "state").write_text("a file in the folder's place")
    progress = Progress(tmp_path / "state" / "progress.json")

    progress.remember(tmp_path, [finished()], {"m04_attention": "k"})

    assert "could not be written" in progress.trouble
    assert "\n" not in progress.trouble


def test_no_half_written_file_is_left_behind(tmp_path):
    """After many writes the folder holds the one file."""
    for _ in range(5):
        Progress(tmp_path / "progress.json").next_hint("m04.1", 3)

    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
