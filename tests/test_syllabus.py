"""The syllabus is read from its files, refused when it contradicts itself, and answers to the names people use."""

from __future__ import annotations

import pytest
import support

from grader import syllabus
from grader.syllabus import SyllabusError

COURSE = support.COURSE

# ── the files ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = {
    "syllabus": """
[course]
name = "Small"
allowed_imports = []
max_source_bytes = 10
limits = { seconds = 1 }
""",
    "m01_first": """
title = "First"
summary = "The first."
task = [{ id = "m01.1", title = "One", points = 1, implements = ["one"], hints = ["a", "b", "c"] }]
""",
    "m02_second": """
title = "Second"
summary = "The second."
needs = ["m01_first"]
limits = { seconds = 2 }
imports = ["fastapi"]
warm = ["fastapi.responses"]
[[task]]
id = "m02.1"
title = "Two"
points = 2.5
implements = ["two"]
rests_on = ["m01.1"]
hints = ["a", "b", "c"]
""",
}
THIRD = """
title = "Third"
summary = "The third."
uses = ["m02_second", "m09_later"]
task = [{ id = "m03.1", title = "Three", points = 1, implements = ["three"], hints = ["a", "b", "c"] }]
"""


def load(tmp_path, texts):
    """Load a syllabus from the texts of its own file and of its rooms."""
    for name, text in texts.items():
        path = tmp_path / "syllabus.toml" if name == "syllabus" else tmp_path / name / "milestone.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return syllabus.load(tmp_path / "syllabus.toml", tmp_path)


def test_a_syllabus_is_read(tmp_path):
    """Milestones, points, needs and limits are read, a milestone's limits on top of the course's."""
    course = load(tmp_path, SMALL)

    first, second = course.milestones
    assert (first.number, first.points, first.limits.seconds, first.room) == (
        "m01",
        1.0,
        1,
        tmp_path / "m01_first",
    )
    assert (second.number, second.points, second.limits.seconds) == ("m02", 2.5, 2)
    assert (second.imports, second.warm, second.tasks[0].rests_on) == (("fastapi",), ("fastapi.responses",), ("m01.1",))
    assert course.with_needs(second) == ["m01_first", "m02_second"]


def test_a_loopback_is_for_whoever_asks(tmp_path):
    """A room's loopback is a part of its limits, also of those of its checks, and of no other room's."""
    asking = SMALL["m02_second"].replace("needs =", "loopback = true\nneeds =")
    first, second = load(tmp_path, SMALL | {"m02_second": asking}).milestones

    assert (first.limits.loopback, second.limits.loopback) == (False, True)
    assert second.limits.changed(seconds=9).for_worker()["loopback"] is True


def test_what_a_milestone_uses_comes_along_with_its_own_needs(tmp_path):
    """A used module and what that is made of lie beside a milestone, after it; one that is unknown is no obstacle."""
    course = load(tmp_path, {**SMALL, "m03_third": THIRD})

    assert course.with_needs(course.milestone("m03")) == ["m03_third"]
    assert course.with_uses(course.milestone("m03")) == ["m03_third", "m01_first", "m02_second", "m09_later"]
    assert course.with_uses(course.milestone("m02")) == ["m01_first", "m02_second"]


@pytest.mark.parametrize(
    ("find", "replace", "said"),
    [
        ('needs = ["m01_first"]', 'needs = ["m03_third"]', "does not come before it"),
        ('needs = ["m01_first"]', 'needs = ["m02_second"]', "does not come before it"),
        ('needs = ["m01_first"]', 'uses = ["first"]', "uses 'first', which is no other milestone"),
        ('needs = ["m01_first"]', 'uses = ["m02_second"]', "uses 'm02_second', which is no other milestone"),
        ('imports = ["fastapi"]', 'imports = "fastapi"', "imports is a list of names"),
        ('imports = ["fastapi"]', "imports = [1]", "imports is a list of names"),
        ('imports = ["fastapi"]', 'imports = ["../fastapi"]', "imports is a list of names"),
        ('imports = ["fastapi"]', 'imports = ["fastapi", "fastapi"]', "has fastapi twice in imports"),
        (
            'imports = ["fastapi"]',
            'imports = ["fastapi.responses"]',
            "imports fastapi.responses, which no milestone can have",
        ),
        ('imports = ["fastapi"]', 'imports = ["torch"]', "imports torch, which every milestone may"),
        ('imports = ["fastapi"]', 'imports = ["json"]', "imports json, which every milestone may"),
        ('imports = ["fastapi"]', 'imports = ["transformers"]', "imports transformers, which no milestone can have"),
        ('imports = ["fastapi"]', 'imports = ["grader"]', "imports grader, which no milestone can have"),
        ('imports = ["fastapi"]', "imports = []", "keeps fastapi.responses warm, which belongs to none of its imports"),
        ('warm = ["fastapi.responses"]', 'warm = "fastapi"', "warm is a list of names"),
        ('id = "m02.1"', 'id = "m02.2"', "should be m02.1"),
        ("points = 2.5", "points = 0", "has no points"),
        ('implements = ["two"]', "implements = []", "implements nothing"),
        ('hints = ["a", "b", "c"]', 'hints = ["a", "b"]', "needs three hints"),
        ('hints = ["a", "b", "c"]', 'hints = ["a", " ", "c"]', "needs three hints"),
        ('imports = ["fastapi"]', "loopback = 1", "m02_second: loopback is true or false"),
        ("limits = { seconds = 2 }", "limits = { loopback = true }", "m02_second: loopback is true or false"),
        ('rests_on = ["m01.1"]', 'rests_on = ["m02.1"]', "rests on m02.1, which does not come before it"),
    ],
)
def test_a_room_that_contradicts_the_others_is_refused(tmp_path, find, replace, said):
    """Wrong orders, points or hints in a room are named in one sentence."""
    assert SMALL["m02_second"].count(find) == 1

    with pytest.raises(SyllabusError, match=said):
        load(tmp_path, SMALL | {"m02_second": SMALL["m02_second"].replace(find, replace)})


def test_a_room_whose_folder_is_no_milestones_name_is_refused(tmp_path):
    """The folder's name is the milestone's."""
    with pytest.raises(SyllabusError, match="'first' is no name for a milestone"):
        load(tmp_path, {"syllabus": SMALL["syllabus"], "first": SMALL["m01_first"]})


def test_the_numbers_of_the_milestones_rise():
    """Milestones stand in the order of their numbers, no number stands twice, and points are whole or halves."""
    numbers = [milestone.number for milestone in COURSE.milestones]

    assert numbers == sorted(set(numbers))
    assert all(task.points * 2 == int(task.points * 2) for m in COURSE.milestones for task in m.tasks)


# ── the syllabus's names ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    ["m04", "4", "04", "attention", "m04_attention", "M04", " m04 ", "m04_attention.py", "exercises/m04_attention.py"],
)
def test_a_milestone_answers_to_its_short_names(name):
    """Number, word, full id and file name all mean the same milestone."""
    assert support.COURSE.milestone(name).id == "m04_attention"


@pytest.mark.parametrize("name", ["m04.2", "04.2", "4.2", "attention.2", "m04_attention.2"])
def test_a_task_answers_to_its_short_names(name):
    """A task is its milestone's name and its number."""
    assert support.COURSE.task(name)[1].id == "m04.2"


@pytest.mark.parametrize(("name", "meant"), [("m04_atention", "m04_attention"), ("tokeniser", "tokenizer")])
def test_a_typo_is_guessed(name, meant):
    """A misspelt milestone gets the likeliest one named, and no traceback."""
    with pytest.raises(syllabus.SyllabusError, match=f"did you mean {meant}"):
        support.COURSE.milestone(name)
