"""Points add up, tasks to their milestone and milestones to the total, whatever was decided; no mark is impossible."""

from __future__ import annotations

import csv
import io
import itertools
import os
import time
from datetime import UTC, datetime

import made_book
import pytest
from test_marks import ANNA, BEN, CEM, course, marks, run, standings

from grader import course as courses
from grader import when
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.decisions import Decision, decide
from grader.classroom.book.gradebook import Gradebook
from grader.reports.marks import tasks_csv
from grader.reports.pages import feedback as page

OWN = {task.id: task.points for name in ("m00", "m04") for task in made_book.COURSE.milestone(name).tasks}
FIRST, SECOND = list(OWN)[:2]
ADJUST = [
    {},
    {FIRST: "1"},
    {FIRST: "+1", SECOND: "0"},
    {SECOND: str(OWN[SECOND]), "": "+0.5"},
    {FIRST: "-0.5", "": "7"},
]
PRICED = ["", "points = 30", f'points = 7\ntasks = {{ "{FIRST}" = 9 }}']


@pytest.fixture
def book(tmp_path):
    """A gradebook of three."""
    return made_book.make(tmp_path / "book.sqlite")


@pytest.mark.parametrize("excluded", [(), (FIRST,), (SECOND,)])
@pytest.mark.parametrize("priced", PRICED, ids=["own points", "scaled", "scaled, with a task of another price"])
def test_tasks_add_up_to_their_milestone_and_milestones_to_the_total(book, tmp_path, excluded, priced):
    """Adjusted, excluded, weighed, late or excused, in every combination, on every page and in every table."""
    file = course(tmp_path, m00=priced)
    for adjusted, weight, days, excused in itertools.product(ADJUST, ["", "40"], ["", "2", "9"], [False, True]):
        made = [Decision("exclude", "yes" if task in excluded else "", "", "m00_warmup", task) for task in OWN]
        for task in ("", FIRST, SECOND):
            made.append(Decision("adjust", adjusted.get(task, ""), BEN, "m00_warmup", task))
        made += [Decision("weight", weight, "", "m00_warmup"), Decision("excuse", "yes" * excused, BEN, "m00_warmup")]
        made.append(Decision("extend", days and f"+{days}", BEN, "m00_warmup"))
        with Gradebook.open(book) as opened:
            decide(opened, "Kim", made)
            result = class_result(opened, made_book.COURSE, courses.load(file), datetime(2026, 4, 1, tzinfo=UTC))
        column = result.columns[0]
        one = next(each for each in result.standings if each.student.id == BEN)
        tasks = one.tasks("m00_warmup")

        assert sum(task.points for task in tasks) == pytest.approx(column.possible)
        assert one.raw("m00_warmup") == pytest.approx(sum(task.earned for task in tasks))
        for task in tasks:
            before = 0.0 if task.id == FIRST else OWN[task.id]  # in the syllabus's points, in which a task is adjusted
            value = adjusted.get(task.id, "+0")
            share = (max(0, before + float(value)) if value[0] in "+-" else float(value)) / OWN[task.id]
            assert task.earned == pytest.approx(share * task.points) and (task.id not in excluded or not task.earned)
        late = {"": 0.3, "2": 0.1, "9": 0}[days] * one.raw("m00_warmup")
        mark = one.raw("m00_warmup") - late
        if whole := adjusted.get(""):
            mark = mark + float(whole) if whole[0] in "+-" else float(whole)
        assert one.mark("m00_warmup") == (None if excused else pytest.approx(mark, abs=0.0051))
        shown = [row for row in csv.DictReader(io.StringIO(tasks_csv.render(result).text)) if row["student_id"] == BEN]
        shown = [row for row in shown if row["milestone"] == "m00_warmup"]
        assert sum(float(row["earned"]) for row in shown) == pytest.approx(
            float(shown[0]["milestone_earned"]), abs=1e-5
        )
        (row,) = page.shown(result, one, ["m00_warmup"])
        assert row.milestone is not None and row.milestone.earned == pytest.approx(one.raw("m00_warmup"))
        worth = 0 if excused else (one.mark("m00_warmup") or 0) * (float(weight) / column.possible if weight else 1)
        assert result.total(one) == pytest.approx(15 + worth, abs=0.0051)


def test_what_a_task_was_given_says_in_whose_points(book, tmp_path):
    """A task's points are the syllabus's, scaled with it: each sentence says out of what, and what that counts."""
    file = course(tmp_path, m00="points = 100")
    said = marks(
        "adjust", book, "--student", BEN, "--task", FIRST, "--points", "1", "--reason", "half", "--course", file
    )
    counts = f"{FIRST} was set to 1 of {OWN[FIRST]:g} by hand"
    scaled = f"{counts[:-8]}, so that it counts 10 / {10 * OWN[FIRST]:g}, by hand. Reason: half."

    assert f"ben  {FIRST}  adjust 1 of {OWN[FIRST]:g}: half" in said
    assert f"adjust 1 of {OWN[FIRST]:g}: half" in marks("history", book)
    assert scaled in run("export", book, "--format", "html", "--course", file)[1]
    assert counts in run("export", book, "--format", "html")[1]
    marks("exclude", book, "--task", FIRST)
    assert (
        "which is excluded and counts nothing, by hand" in run("export", book, "--format", "html", "--course", file)[1]
    )
    assert standings(book)[BEN]["adjustments"][0]["out_of"] == OWN[FIRST]


def test_no_late_day_is_spent_on_who_is_excused_or_was_given_a_mark(book, tmp_path):
    """A task's new points are what lateness is taken from; of a mark that was set it takes nothing."""
    file = course(tmp_path)
    marks("adjust", book, "--student", BEN, "--task", FIRST, "--points", str(OWN[FIRST]), "--reason", "x")
    assert standings(book, "--course", file)[BEN]["penalties"] == {"m00_warmup": pytest.approx(3)}
    marks("extend", book, "--student", BEN, "--late-days", "3", "--course", file)
    marks("adjust", book, "--student", BEN, "--milestone", "m00", "--points", "4", "--reason", "x")
    found = standings(book, "--course", file)[BEN]
    assert found["penalties"] == {} and found["lateness"]["m00_warmup"] == {"days": 3, "free": 0, "lost": 0}
    marks("excuse", book, "--student", BEN, "--milestone", "m00")
    assert "lateness" not in standings(book, "--course", file)[BEN]


@pytest.mark.parametrize(
    ("place", "points", "said"),
    [
        (["--milestone", "m04"], "999", "m04 has 15 points, and this makes 999; --bonus"),
        (["--milestone", "m04"], "+0.5", "m04 has 15 points, and this makes 15.5; --bonus"),
        (["--milestone", "m04"], "-16", "m04 has 15 points, of which 15 are earned: -16 takes off more; 0 sets none."),
        (["--task", FIRST], "999", f"{FIRST} has {OWN[FIRST]:g} points, and this makes 999; --bonus"),
        (["--task", SECOND], "-999", f"of which {OWN[SECOND]:g} are earned: -999 takes off more"),
    ],
)
def test_a_mark_is_not_above_everything_and_not_below_nothing(book, tmp_path, place, points, said):
    """By milestone or task, set or changed, alone or in a table: refused with how much there is, and nothing kept."""
    words = ["adjust", book, "--student", ANNA, *place, "--points", points, "--reason", "x"]
    assert said in marks(*words, code=2)
    table = tmp_path / "t.csv"
    table.write_text(f"student,{place[0][2:]},points,reason\ncem,{place[1]},1,x\nanna,{place[1]},{points},x\n")
    assert f"t.csv, row 3: {place[1]} has" in marks("adjust", book, "--from", table, code=2)
    assert marks("history", book) == "Nothing was decided.\n"

    above = "--bonus" in said
    assert (points in marks(*words, "--bonus")) if above else said in marks(*words, "--bonus", code=2)
    if above and place[0] == "--milestone":
        assert "Marks above what can be earned: Anna Apt m04" in run("export", book, "--format", "html")[1]


def test_a_mark_is_held_to_what_the_course_makes_of_a_milestone(book, tmp_path):
    """The course's points, excluded tasks and an earlier adjustment of the same place are taken into account."""
    file = course(tmp_path, m00="points = 100")
    decide_ = ("adjust", book, "--student", CEM, "--milestone", "m00", "--reason", "x")
    assert "m00 has 10 points, and this makes 80" in marks(*decide_, "--points", "80", code=2)
    assert "(80 now)" in marks(*decide_, "--points", "80", "--course", file)
    assert "(90 now)" in marks(*decide_, "--points", "-10", "--course", file)
    assert "-100 takes off more" not in marks(*decide_, "--points", "-100", "--course", file)
    marks("exclude", book, "--task", FIRST)
    assert f"m00 has {10 - OWN[FIRST]:g} points" in marks(*decide_, "--points", "10", code=2)
    nothing = ("adjust", book, "--student", CEM, "--milestone", "m04", "--points", "+99", "--reason", "x")
    assert "m04 has 15 points, and +99 is more" in marks(*nothing, code=2)


@pytest.fixture
def _in_new_york(monkeypatch):
    """Let this machine's clock be New York's."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system has no tzset")
    monkeypatch.setitem(os.environ, "TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_new_york")
@pytest.mark.parametrize(
    ("typed", "zone", "meant"),
    [
        ("2026-03-02", None, "2026-03-02T23:59:59-05:00"),
        ("2026-07-02", None, "2026-07-02T23:59:59-04:00"),
        ("2026-03-02 18:00", None, "2026-03-02T18:00:00-05:00"),
        ("2026-03-02", "Europe/Berlin", "2026-03-02T23:59:59+01:00"),
        ("2026-07-02T18:00:00", "Europe/Berlin", "2026-07-02T18:00:00+02:00"),
        ("2026-07-02T18:00:00Z", "Europe/Berlin", "2026-07-02T18:00:00+00:00"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T02:30:00+02:00"),
    ],
)
def test_more_time_needs_no_offset(book, tmp_path, typed, zone, meant):
    """A time is the course's, or else this machine's, and it is said whose; a day alone is the end of it."""
    file = course(tmp_path, more=f'time_zone = "{zone}"' if zone else "")
    table = tmp_path / "t.csv"
    table.write_text(f"student,milestone,until\nben,m00,{typed}\n")
    said = marks("extend", book, "--from", table, "--course", file)

    assert f"extend {meant}" in said
    own = "" if typed.endswith("Z") else f"the course's time zone, {zone}" if zone else "this machine's time zone"
    assert (f"Times without an offset were read in {own}." in said) == bool(own)


@pytest.mark.usefixtures("_in_new_york")
def test_a_time_that_there_is_not_is_refused():
    """The hour that clocks skip, and years in which nothing is due, are half a sentence each."""
    for typed, said in [
        ("2026-03-08T02:30", "this machine skip"),
        ("0001-01-01", "in the year 1"),
        ("soon", "no date"),
    ]:
        with pytest.raises(ValueError, match=said):
            when.read(typed, None)
