"""The process that reads what was handed in: one submission that it does not survive is that one's problem alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import systems
from handing_in import COURSE, WARMUP, folder, zipped

from grader.classroom.book.standing import Student
from grader.classroom.intake import inert, reader
from grader.classroom.intake.candidates import Taken
from grader.classroom.intake.collecting import CollectingError, collect_class
from grader.classroom.intake.roster import Roster
from grader.submission import Submission

CLASS = Roster((Student("a1"), Student("b2"), Student("c3")))
# What becomes of whoever hands in a folder a1; everybody else is read as ever.
ODD = """
from grader.classroom.intake import candidates
take = candidates.take_tree

def odd(tree, *rest):
    if tree.shown.endswith("a1"):
        import os, time
        {0}
    return take(tree, *rest)

candidates.take_tree = odd
"""
GOOD = {f"a1/{WARMUP}": "anna", f"b2/{WARMUP}": "bob", "c3.zip": zipped({WARMUP: "carl"})}


def prepared(monkeypatch, does: str) -> None:
    """Have the process that reads do something else with a1's submission."""
    before, _, after = reader.PROGRAM.rpartition("; serve()")
    monkeypatch.setattr(reader, "PROGRAM", f"{before}\nexec({ODD.format(does)!r})\nserve(){after}")


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("time.sleep(600)", "s/a1 cannot be read: it took longer than 8 seconds."),
        ("os._exit(0)", "s/a1 cannot be read: it takes too much memory or time."),
        ("os.abort()", "s/a1 cannot be read: it takes too much memory or time."),
        ("return 1 / 0", "s/a1 cannot be read (ZeroDivisionError: division by zero)."),
        ("return odd(tree, *rest)", "s/a1 cannot be read (RecursionError: "),
        ("print('hello')", ""),
        ("os.write(1, b'{}')", ""),
    ],
    ids=["sleeps", "ends", "is killed", "fails", "recurses", "prints", "writes"],
)
def test_a_submission_that_is_not_survived_is_one_students_problem(tmp_path, monkeypatch, does, said):
    """Whatever happens while one is read, by the clock that the caller holds or before, the others are taken."""
    folder(tmp_path / "s", GOOD)
    prepared(monkeypatch, does)
    monkeypatch.setattr(reader, "TAKING_SECONDS", 8.0)

    anna, bob, carl = collect_class([tmp_path / "s"], COURSE, CLASS).handed_in

    assert anna.problem.startswith(said) and bool(anna.problem) == bool(said)
    assert bob.submission.sources == {"m00_warmup": b"bob"} and not bob.problem
    assert carl.submission.sources == {"m00_warmup": b"carl"} and not carl.problem


@systems.linux
def test_memory_is_limited(tmp_path, monkeypatch):
    """What takes more memory than a submission may is told so; nothing of the machine's is taken for it."""
    folder(tmp_path / "s", GOOD)
    prepared(monkeypatch, "return bytearray(900 * 2**20)")

    anna, bob, _ = collect_class([tmp_path / "s"], COURSE, CLASS).handed_in

    assert anna.problem == "s/a1 cannot be read (it takes too much memory)."
    assert bob.submission.sources == {"m00_warmup": b"bob"}


def test_a_source_that_takes_too_long_leaves_the_others(tmp_path, monkeypatch):
    """The names of a source are read against the clock too; one source that hangs is a note beside others."""
    folder(tmp_path / "s", GOOD)
    folder(tmp_path / "t", {f"d4/{WARMUP}": "dora"})
    hangs = "from grader.classroom.intake import reading; import time; of = reading.candidates_of\n"
    hangs += (
        "reading.candidates_of = lambda source, *rest: time.sleep(600) if source.name == 's' else of(source, *rest)\n"
    )
    monkeypatch.setattr(reader, "PROGRAM", reader.PROGRAM.replace("; serve()", f"\nexec({hangs!r})\nserve()"))
    monkeypatch.setattr(reader, "seconds_for", lambda path: 6.0 if path.name == "s" else 600.0)

    collected = collect_class([tmp_path / "s", tmp_path / "t"], COURSE)

    assert [each.student.id for each in collected.handed_in] == ["d4"]
    assert any(said.endswith("cannot be read: it took longer than 6 seconds.") for said in collected.unclear)


def test_a_process_that_cannot_be_started_is_said(tmp_path, monkeypatch):
    """Without the process nothing is read in another way."""
    monkeypatch.setattr(reader.sys, "executable", str(tmp_path / "none"))

    with pytest.raises(CollectingError, match="What reads submissions cannot be started"):
        collect_class([folder(tmp_path / "s", GOOD)], COURSE)


def test_nothing_is_left_running(tmp_path):
    """The process ends with the class, and with an error in the middle of it."""
    source = folder(tmp_path / "s", GOOD)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():
        pytest.skip("this system does not list a process's children")
    before = set(children.read_text().split())

    collect_class([source], COURSE)
    with pytest.raises(CollectingError):
        collect_class([source], COURSE, students={"nobody"})

    assert set(children.read_text().split()) <= before


def test_what_is_taken_crosses_as_plain_data():
    """A submission comes out of JSON as it went in, bytes and lone surrogates included."""
    sources, problems = {"m00_warmup": bytes(range(256))}, {"m04_attention": "it is \udcff."}
    taken = Taken(Submission("s/a1", sources, problems, ["A note."]), "s/a1", ["Another."])

    assert inert.taken(json.loads(json.dumps(inert.of_taken(taken))), COURSE) == taken


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plain: plain[:-1],
        lambda plain: {"a": plain},
        lambda plain: [7, *plain[1:]],
        lambda plain: [plain[0], [["m00_warmup", "no base64!"]], *plain[2:]],
        lambda plain: [plain[0], [["../etc", "YQ=="]], *plain[2:]],
        lambda plain: [plain[0], [["m00_warmup", "YWFh" * 40_000]], *plain[2:]],
        lambda plain: [*plain[:2], [["m99_none", "x"]], *plain[3:]],
        lambda plain: [*plain[:3], [None], *plain[4:]],
    ],
)
def test_an_answer_that_is_something_else_is_refused(spoil):
    """Names that are no module's, too many bytes and other kinds are no answer."""
    plain = inert.of_taken(Taken(Submission("s", {"m00_warmup": b"a"}), "s"))

    with pytest.raises(inert.NotInert):
        inert.taken(spoil(plain), COURSE)
