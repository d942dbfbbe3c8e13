"""`list` and `hint`: progress in a word or two, and hints that climb."""

from __future__ import annotations

import pytest
from begun_attention import MASK_ONLY
from command_lines import ATTENTION, COURSE, flat

import grader.progress
from grader import record
from grader.commands import listing


def test_the_list_shows_every_milestone_and_where_to_begin(run, submission):
    """Before anything is graded, list shows the syllabus, and the first task as the next one."""
    code, shown, _ = run("list", "--submission", submission)

    first = COURSE.milestones[0].tasks[0]
    assert code == 0
    for milestone in COURSE.milestones:
        assert milestone.title in shown
    assert shown.count("not graded") == len(COURSE.milestones)
    assert shown.count("next: ") == 1
    assert f"next: {first.id} {first.title}" in flat(shown)


def test_the_list_follows_the_students_progress(run, gradings, submission):
    """After a run list shows its points and what comes next; after an edit, that the file has changed since."""
    run("grade", "m04", "--submission", submission)
    _, begun, _ = run("list", "--submission", submission)
    (submission / "m04_attention.py").write_text(MASK_ONLY + "\n# edited\n", encoding="utf-8")
    _, changed, _ = run("list", "--submission", submission)

    assert "begun" in begun
    assert f"{ATTENTION.tasks[0].points:g} / {ATTENTION.points:g}" in begun
    assert f"next: m04.2 {ATTENTION.tasks[1].title}" in flat(begun)
    assert "changed since" in changed


def test_due_dates_of_a_course_are_shown(run, submission, tmp_path):
    """With a course's file the list says when each milestone is due, and a report does so of what has not passed."""
    (tmp_path / "course.toml").write_text(
        '[course]\nname = "A course"\nmilestones = ["m00", "m04"]\ntime_zone = "Europe/Berlin"\n'
        '[[milestone]]\nid = "m04"\ndue = 2026-10-12T23:59:00\n'
    )
    course = ("--course", tmp_path / "course.toml", "--submission", submission)

    _, listed, _ = run("list", *course)
    _, graded, _ = run("grade", "m04", *course)

    assert flat(listed).count("due 2026-10-12 23:59 UTC+02:00") == 1
    assert "Due 2026-10-12 23:59 UTC+02:00." in flat(graded)


@pytest.mark.parametrize(
    ("outcome", "unchanged", "said"),
    [
        (record.PASSED, True, "passed"),
        (record.PASSED, False, "changed since"),
        (record.FAILED, True, "begun"),
        (record.NOT_STARTED, True, "not started"),
        (record.BLOCKED, True, "begun"),
        (record.GRADER_ERROR, True, "begun"),
    ],
)
def test_a_milestone_is_listed_in_a_word_or_two(outcome, unchanged, said):
    """Each way in which a milestone can stand has its word."""
    checks = [record.Check("test_it", "It holds.", outcome)]
    last = record.Milestone("m04_attention", "Attention", [record.Task("m04.1", "The mask", 2, checks=checks)])

    assert listing.state(last, unchanged) == said


def test_hints_climb_and_stay_at_the_last(run):
    """Each call shows the next of three hints, then the third again, with the way to the guide."""
    task = ATTENTION.tasks[1]

    shown = [flat(run("hint", "m04.2")[1]) for _ in range(4)]

    for number in range(3):
        assert f"{task.id} {task.title}: hint {number + 1} of 3" in shown[number]
        assert flat(task.hints[number]) in shown[number]
    assert shown[3] == shown[2]
    assert "exercises/m04_attention.md, section m04.2" in shown[2]
    assert "python -m grader hint m04.2" in shown[0]


def test_a_hint_for_a_milestone_is_for_its_first_unfinished_task(run, gradings, submission):
    """Once the mask has passed, a hint for m04 is one for m04.2."""
    before = run("hint", "m04", "--submission", submission)[1]
    run("grade", "m04", "--submission", submission)
    after = run("hint", "m04", "--submission", submission)[1]

    assert before.startswith("m04.1 ")
    assert after.startswith("m04.2 ")


@pytest.mark.parametrize("name", ["m04.9", "m04.", "m04.x", "m77.1"])
def test_a_task_that_is_not_there_is_named(run, name):
    """A task that doesn't exist is one sentence and exit code 2, with those that do."""
    code, shown, said = run("hint", name)

    assert (code, shown) == (2, "")
    assert said.startswith("scratchwork: There is no ")


def test_progress_can_be_kept_elsewhere(tmp_path, monkeypatch):
    """SCRATCHWORK_STATE names the folder of progress.json, for tests and for copies that must not be written to."""
    monkeypatch.setattr(grader.progress.Progress.__init__, "__defaults__", (None,))
    monkeypatch.setattr(grader.progress, "FILE", tmp_path / "not here" / "progress.json", raising=False)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "a" / "b"))

    grader.progress.Progress().next_hint("m04.1", 3)

    assert (tmp_path / "a" / "b" / "progress.json").is_file()
