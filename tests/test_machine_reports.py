"""Reports for machines (JUnit, a step summary, annotations, GitHub Classroom, Gradescope): approved, and read back.

The files in tests/golden_exports/ are compared exactly; SCRATCHWORK_UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import lms_readers
import made_class
import made_record
import pytest
import support
from approved import approved

from grader.record import FAILED, GRADER_ERROR, PASSED, Frame
from grader.reports.machines import annotations, github_classroom, gradescope, junit, markdown
from grader.reports.machines.places import definitions
from grader.reports.marks import canvas
from grader.reports.pages import record as record_page
from grader.reports.student_view import student_view

GOLDEN = Path(__file__).parent / "golden_exports"


def record_with(**facts: object):
    """Return the official near miss, with a hostile submission's words wherever they can stand."""
    record = dataclasses.replace(made_record.hostile(), official=True, seed="8f3a-very-secret", secret_seed=True)
    return dataclasses.replace(record, **facts)


RENDERED = {
    "junit.xml": junit.render,
    "summary.md": markdown.render,
    "annotations.txt": annotations.render,
    "github_classroom.json": lambda record: json.dumps(github_classroom.payload(record), indent=1) + "\n",
}


@pytest.mark.parametrize("name", RENDERED)
def test_a_rendered_record_is_the_file_that_was_approved(name):
    """JUnit, step summary, annotations and GitHub Classroom's payload are, byte for byte, as they were approved."""
    text = RENDERED[name](made_record.near_miss())

    assert text == approved(GOLDEN / name, text)


def test_gradescopes_results_are_as_specified():
    """results.json has Gradescope's fields and values and no others, its scores add up, and a task is a test."""
    plain = json.loads(gradescope.render(made_record.near_miss(), visibility="after_due_date"))

    assert set(plain) == {
        *("score", "output", "output_format", "test_output_format", "test_name_format", "visibility"),
        *("stdout_visibility", "tests", "extra_data", "execution_time"),
    }
    assert plain["visibility"] == "after_due_date" and plain["stdout_visibility"] == "hidden"
    assert plain["score"] == sum(test["score"] for test in plain["tests"]) == made_record.near_miss().earned
    for test in plain["tests"]:
        assert set(test) == {"score", "max_score", "status", "number", "name", "output", "tags"}
        assert test["status"] in ("passed", "failed") and 0 <= test["score"] <= test["max_score"]
    failed = next(test for test in plain["tests"] if test["number"] == "m04.2")
    assert "Likely mistake: the scores are not divided by sqrt(d_head)." in failed["output"]
    assert gradescope.render(made_record.near_miss()) == approved(
        GOLDEN / "gradescope.json", gradescope.render(made_record.near_miss())
    )


def test_gradescope_refuses_a_visibility_it_does_not_know():
    """A visibility that Gradescope does not have is an error before anything is written."""
    with pytest.raises(ValueError, match="knows no visibility 'never'"):
        gradescope.render(made_record.near_miss(), visibility="never")


def test_what_is_judged_elsewhere_neither_passes_nor_fails():
    """A task whose checks are withheld is no test and no remark anywhere, and no mark is written without it."""
    record = made_record.make_record(PASSED, PASSED)
    last = record.milestones[1].tasks[-1]
    last.checks, last.withheld, last.earned = [], 9, 0
    read = lms_readers.classroom(github_classroom.render(record))

    assert not read["failed"] and read["notice"] == {"totalPoints": 39, "maxPoints": 39}
    plain = json.loads(gradescope.render(record))
    assert "m04.4" not in [test["number"] for test in plain["tests"]]
    assert "9 checks for 2 points are still to come (m04.4)" in plain["output"]
    assert "9 checks for 2 points are still to come" in record_page.render(record)
    assert annotations.render(record) == ""
    record.milestones[1].tasks[0].checks[0].outcome = FAILED
    record.milestones[1].tasks.reverse()
    assert "m04.1" in annotations.render(record), "a withheld task hides no failure behind it"

    result = made_class.hostile_class()
    result.standings[6].milestones["m04_attention"].tasks[2].checks = []
    result.standings[6].milestones["m04_attention"].tasks[2].withheld = 9
    assert "Eve,,s007,s007@uni.example,,10,\n" in canvas.render(result).text


RENDERERS = {
    "gradescope": gradescope.render,
    "github-classroom": lambda record: json.dumps(github_classroom.payload(record)),
    "annotations": annotations.render,
    "html": record_page.render,
}


@pytest.mark.parametrize("name", RENDERERS)
def test_an_official_run_shows_the_students_view_and_nothing_else(name):
    """Seed, values, output, traceback and times of an official run are in no format that a student sees."""
    text = RENDERERS[name](made_record.official())

    for hidden in ("8f3a", "0.812", "torch.Size", "Half but found", "84 of 90", "execution_time", '"duration": 1'):
        assert hidden not in text
    assert "not divided by sqrt" in text or name == "github-classroom"
    assert RENDERERS[name](student_view(made_record.official())) == text, "the view may be taken twice"


def test_github_classroom_reads_the_points_of_the_record():
    """Notice and table of the reporter say what the record says, and the job fails when not everything passed."""
    read = lms_readers.classroom(github_classroom.render(made_record.near_miss()))

    assert read["notice"] == {"totalPoints": 28, "maxPoints": 41} and read["table"] == 28 and read["failed"]
    test = next(test for test in read["results"]["tests"] if test["name"].startswith("m04.2"))
    assert (test["status"], test["score"]) == ("fail", 0)
    assert set(test) == {"name", "status", "score", "message", "test_code", "filename", "line_no", "duration"}
    assert test["filename"] == "exercises/m04_attention.py"
    passed = made_record.make_record(PASSED, PASSED)
    assert not lms_readers.classroom(github_classroom.render(passed))["failed"]
    faulty = made_record.make_record(PASSED, GRADER_ERROR)
    assert lms_readers.classroom(github_classroom.render(faulty))["results"]["status"] == "error"


def test_a_classroom_payload_fits_into_an_environment_variable():
    """However much a submission says, the payload fits into one variable of Linux, and no point is lost."""
    record = dataclasses.replace(record_with(), official=False)
    record.milestones = [dataclasses.replace(record.milestones[1], id=f"m{n:02}_attention") for n in range(99)]

    text = github_classroom.render(record)

    assert len(text) < 131_072
    assert lms_readers.classroom(text)["notice"]["maxPoints"] == record.possible


def test_annotations_stand_at_the_students_lines():
    """A failure is remarked at the line of the traceback, else at the definition, else at the file."""
    record = made_record.near_miss()
    record.milestones[1].tasks[1].checks[1].traceback = []
    places = definitions(
        {"m04_attention": b"import torch\n\n\ndef scaled_dot_product_attention(q):\n    pass\n"}, support.COURSE
    )

    remarks = [
        lms_readers.workflow_commands(annotations.render(record, places=places))[0],
        lms_readers.workflow_commands(annotations.render(record))[0],
    ]
    record.milestones[1].tasks[1].checks[1].traceback = [Frame("m04_attention.py", 41, "f", "x")]
    remarks += lms_readers.workflow_commands(annotations.render(record, prefix="work/"))

    assert [(r["command"], r["file"], r.get("line")) for r in remarks] == [
        ("error", "exercises/m04_attention.py", "4"),
        ("error", "exercises/m04_attention.py", None),
        ("error", "work/m04_attention.py", "41"),
    ]
    assert remarks[0]["title"] == "m04.2 Scaled dot-product attention: failed"
    assert "Likely mistake: the scores are not divided by sqrt(d_head)." in remarks[0]["message"]


def test_annotations_keep_to_githubs_limits():
    """Ten of a kind and no more, the first failure of each milestone, and the last one says how many are left out."""
    record = made_record.make_record(PASSED, FAILED)
    record.milestones = [dataclasses.replace(record.milestones[1], id=f"m{n:02}_attention") for n in range(34)]

    remarks = lms_readers.workflow_commands(annotations.render(record))

    assert [r["command"] for r in remarks] == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    assert remarks[-1]["message"] == "5 more milestones are in the summary."
    assert annotations.render(made_record.make_record(PASSED, PASSED)) == ""
    assert annotations.render(made_record.fresh_stubs()) == ""


def test_a_hostile_record_gives_one_command_a_line_and_no_other():
    """Nothing that a submission says becomes a command, a property or another line of the log."""
    record = dataclasses.replace(record_with(), official=False)
    record.milestones[1].tasks[1].checks[1].mistake = made_record.HOSTILE

    remarks = lms_readers.workflow_commands(annotations.render(record))

    assert [r["command"] for r in remarks] == ["error", "error"]
    assert all(set(r) <= {"command", "message", "file", "line", "title"} for r in remarks)
    assert all(r["file"].startswith("exercises/m0") for r in remarks)


@pytest.mark.parametrize("made", [made_record.near_miss, made_record.every_outcome, made_record.hostile])
def test_a_strict_reader_of_junit_finds_every_check(made):
    """JUnit has nothing where its formats have no place for it, counts what it holds, and each check is a case."""
    record = made()
    found = lms_readers.junit(junit.render(record))

    cases = {
        f"{task.id.replace('.', '_')} {check.id}": "passed" if check.outcome == PASSED
        else "error" if check.outcome == GRADER_ERROR else "failure"
        for milestone in record.milestones for task in milestone.tasks for check in task.checks
    }  # fmt: skip
    if made is made_record.hostile:  # whose names are cleaned first
        assert len(found) >= len(cases)
    else:
        assert cases.items() <= found.items()


def test_a_step_summary_is_shown_however_long_the_report_is():
    """A summary is never above 1 MiB, beyond which GitHub shows none of it, and says what it left out."""
    record = made_record.hostile()
    record.milestones *= 200

    text = markdown.render(record)

    assert 2**20 - 50_000 < len(text.encode()) <= 2**20
    assert "explanations are left out" in text


@pytest.mark.parametrize("name", RENDERERS)
def test_a_hostile_record_is_inert_everywhere(name):
    """No format keeps an escape sequence, an unseen character or live markup of a submission's."""
    text = RENDERERS[name](dataclasses.replace(record_with(), official=False))

    made_record.assert_inert(text)
    if name == "html":
        assert "<script" not in text.lower() and 'src="' not in text and "evil.example/i.png)" in text
