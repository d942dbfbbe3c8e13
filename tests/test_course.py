"""A course's file: what it chooses, counts and takes off, and what it says about a key that is wrong."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
import support

from grader import course

SAMPLE = support.REPOSITORY / "docs" / "course.toml"
ONE = '[course]\nname = "One"\nmilestones = ["m00"]\n'


def written(folder, text):
    """Write a course's file and return its path."""
    path = folder / "course.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_is_a_course():
    """The course that the docs show loads, in the order of the syllabus and with its own points."""
    sample = course.load(SAMPLE)
    own = sample.syllabus(support.COURSE)

    assert [milestone.number for milestone in own.milestones] == ["m00", "m04", "m05", "m11"]
    assert own.name == "Language models from nothing, autumn 2026"
    assert own.milestone("m04").points == pytest.approx(20)
    assert [task.points for task in own.milestone("m05").tasks] == [5, 2, 3, 7]
    assert own.milestone("m11") == support.COURSE.milestone("m11")


@pytest.mark.parametrize(("weeks", "most"), [(10, 8), (14, 9)])
def test_a_ready_course_fits_into_its_weeks(weeks, most):
    """A milestone is due after all that it is made of, each week has one due date and hours enough for what it asks."""
    path = support.REPOSITORY / "docs" / f"course-{weeks}-weeks.toml"
    ready, text = course.load(path), path.read_text(encoding="utf-8")
    own = ready.syllabus(support.COURSE)
    guide = (support.REPOSITORY / "exercises" / "README.md").read_text(encoding="utf-8")
    hours = {id: int(plan) for id, plan in re.findall(r"(?m)^\| \[(m\d\d)\].*\| (\d+) \| \d+ \|$", guide)}
    dues = {milestone.id: ready.due(milestone.id) for milestone in own.milestones}
    dates = sorted(set(dues.values()))

    assert len(own.milestones) == {10: 14, 14: len(support.COURSE.milestones)}[weeks]
    assert len(dates) == weeks
    assert {(later.date() - earlier.date()).days for earlier, later in itertools.pairwise(dates)} == {7}
    for milestone in own.milestones:
        for needed in (*milestone.needs, *milestone.uses):
            assert dues[needed] <= dues[milestone.id]
    for number, due in enumerate(dates, 1):
        asked = sum(hours[milestone.number] for milestone in own.milestones if dues[milestone.id] == due)
        assert 3 <= asked <= most
        assert re.search(rf"(?m)^# ── week {number}: .* \({asked} hours\) ──$", text)


def test_points_scale_with_each_other():
    """A milestone scaled to a sum keeps the proportions of its tasks."""
    own = course.load(SAMPLE).syllabus(support.COURSE).milestone("m04")
    before = support.COURSE.milestone("m04")

    for task, old in zip(own.tasks, before.tasks, strict=True):
        assert task.points == pytest.approx(old.points * 20 / before.points)


def test_a_due_date_takes_the_time_zone_of_the_course_or_its_own():
    """A date without an offset is one of the course's time zone, in summer and in winter."""
    sample = course.load(SAMPLE)

    assert sample.due("m00_warmup").astimezone(UTC) == datetime(2026, 10, 12, 21, 59, tzinfo=UTC)  # summer time
    assert sample.due("m05_block").astimezone(UTC) == datetime(2026, 11, 9, 22, 59, tzinfo=UTC)
    assert sample.due("m04_attention").utcoffset() == timedelta(hours=1)
    assert sample.due("m11_lora") is None


@pytest.mark.parametrize(
    ("minutes", "lost"),
    [(-5, 0), (0, 0), (15, 0), (16, 1), (24 * 60, 1), (24 * 60 + 1, 2), (4 * 24 * 60, 4), (30 * 24 * 60, 5)],
)
def test_lateness_costs_a_share_for_each_day_begun(minutes, lost):
    """Nothing within the grace, then a tenth for every day that has begun since the due date, and half at most."""
    sample = course.load(SAMPLE)
    handed_in = sample.due("m00_warmup").astimezone(UTC) + timedelta(minutes=minutes)

    assert sample.penalty("m00_warmup", 10.0, handed_in) == pytest.approx(lost)


def test_a_day_has_24_hours_when_the_clocks_change(tmp_path):
    """In the night that has 25 hours, a day late is still 24 of them."""
    text = ONE + 'time_zone = "Europe/Berlin"\n[late]\nper_day = 0.1\n[[milestone]]\nid = "m00"\n'
    plain = course.load(written(tmp_path, text + "due = 2026-10-24T12:00:00\n"))  # the clocks go back that night
    due = plain.due("m00_warmup")
    same_clock_time = due.replace(day=25)  # 25 hours later

    assert plain.penalty("m00_warmup", 10.0, due.astimezone(UTC) + timedelta(hours=24)) == 1.0
    assert plain.penalty("m00_warmup", 10.0, same_clock_time) == 2.0


def test_a_milestone_has_its_own_price():
    """What a milestone says of lateness replaces the course's, key by key."""
    sample = course.load(SAMPLE)
    late = sample.due("m05_block") + timedelta(days=20)

    assert sample.penalty("m05_block", 10.0, sample.due("m05_block") + timedelta(hours=20)) == 0.5
    assert sample.penalty("m05_block", 10.0, late) == 5.0  # the course's cap


def test_an_unknown_time_costs_nothing():
    """Where nobody knows when something was handed in, or no date is set, nothing is taken off."""
    sample = course.load(SAMPLE)

    assert sample.penalty("m00_warmup", 10.0, None) == 0
    assert sample.penalty("m11_lora", 14.0, datetime(2030, 1, 1, tzinfo=UTC)) == 0


def test_a_time_without_a_zone_is_refused():
    """Nobody is called late by a time that has no time zone."""
    with pytest.raises(course.CourseError, match="no time zone"):
        course.load(SAMPLE).penalty("m00_warmup", 10.0, datetime(2026, 10, 13))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "course.name is missing"),
        ("[course]\nname = 'x'", "course.milestones is missing"),
        ("[course]\nname = 'x\n", "is no TOML"),
        ("[course]\nname = 'x'\nmilestones = ['m05']", "m05_block is made of m04_attention, which the course"),
        ("[course]\nname = 'x'\nmilestones = ['m99']", "There is no milestone 'm99'"),
        ("[course]\nname = 'x'\nmilestones = 'm00'", "course.milestones is a list"),
        ("[course]\nname = 'x'\nmilstones = ['m00']", r"no key course.milstones; did you mean milestones\?"),
        (ONE + "time_zone = 'Europe/Nowhere'", "course.time_zone is the name of a time zone"),
        (ONE + "[late]\nper_day = 10", "late.per_day is a share from 0 to 1"),
        (ONE + "[late]\ncap = true", "late.cap is a share"),
        (ONE + "[late]\ngrace_minutes = -1", "late.grace_minutes is a number of minutes"),
        (ONE + "[[milestone]]\nid = 'm00'\ndue = 2026-10-12T23:59:00", r"m00: due has no time zone: write 2026-10-12"),
        (ONE + "[[milestone]]\nid = 'm00'\ndue = 2026-10-12", "m00: due is a date with a time"),
        (ONE + "[[milestone]]\nid = 'm00'\ndue = 'tomorrow'", "m00: due is a date with a time"),
        (ONE + "[[milestone]]\nid = 'm00'\npoints = 0", "m00: points is a number of points above 0"),
        (ONE + "[[milestone]]\nid = 'm00'\npoints = nan", "m00: points is a number of points above 0"),
        (ONE + "[[milestone]]\nid = 'm00'\ntasks = {'m00.9' = 1}", "there is no task 'm00.9' in m00_warmup"),
        (ONE + "[[milestone]]\nid = 'm00'\n[[milestone]]\nid = '0'", "milestone.id names m00_warmup twice"),
        (ONE + "[[milestone]]\nid = 'm04'", "course.milestones leaves out m04_attention"),
        (ONE + "[[milestone]]\npoints = 3", "milestone.id is missing"),
        (ONE + "[milestone]\nid = 'm00'", r"milestone is written as \[\[milestone\]\]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, text, says):
    """A course that cannot be used is refused with one line that names the file and the key."""
    with pytest.raises(course.CourseError) as refused:
        course.load(written(tmp_path, text))

    assert re.search(says, str(refused.value)), refused.value
    assert "course.toml" in str(refused.value) and "\n" not in str(refused.value)


def test_a_time_that_the_clocks_skip_is_refused(tmp_path):
    """A due date in the hour that does not exist in spring is refused instead of moved."""
    text = ONE + 'time_zone = "Europe/Berlin"\n[[milestone]]\nid = "m00"\ndue = 2026-03-29T02:30:00\n'

    with pytest.raises(course.CourseError, match="skip"):
        course.load(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    """A course that is not there is refused with its name."""
    with pytest.raises(course.CourseError, match=r"nothing\.toml cannot be read \(no such file"):
        course.load(tmp_path / "nothing.toml")
