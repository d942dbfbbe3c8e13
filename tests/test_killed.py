"""kill -9 at any moment of a term: what was kept stays, whole and once, and the same commands end in the same marks."""

from __future__ import annotations

import os
import signal

import made_book
import pytest
import systems

from grader.classroom.book.class_standing import class_result
from grader.classroom.book.decisions import ADJUST, EXCUSE, Decision, decide
from grader.classroom.book.erasing import erase
from grader.classroom.book.gradebook import Gradebook
from grader.classroom.book.standing_json import to_json

MOMENTS = 20
COURSE = made_book.COURSE
M00, M03, M04, M05 = (milestone.id for milestone in made_book.CHOSEN)
WEEKS = [  # who hands in what, one assignment at a time, some of it twice
    {"anna": {M00: b"a0"}, "ben": {M00: b"b0"}, "cem": {M00: b"c0", M04: b"c4"}},
    {"anna": {M04: b"a4"}, "ben": {M04: b"b4", M05: b"b5"}},
    {"anna": {M05: b"a5"}, "ben": {M04: b"b4, mended"}, "cem": {M03: b"c3"}},
]
DECISIONS = [
    Decision(ADJUST, "+1", "anna", M05, reason="talk"),
    Decision(EXCUSE, "yes", "ben", M03, reason="ill"),
]


def play(path, tell):
    """Play the term: take in and grade each week, decide, erase Cem; `tell` hears of each result that is kept."""
    with Gradebook.open(path, create=True) as book:
        known = {student.id for student in book.students()}
        erased = book.rows("SELECT 1 FROM decision WHERE kind = 'erase'")
        for number, handed in enumerate(WEEKS):
            present = {who: modules for who, modules in handed.items() if who != "cem" or not erased}
            made_book.week(book, present, f"week{number}", f"2026-03-{number + 1:02}T10:00:00+00:00", tell=tell)
        decide(book, "Kim", DECISIONS)
        if not erased and "cem" in known | set(WEEKS[0]):
            erase(book, [made_book.PEOPLE["cem"]], "Kim")


def state(path):
    """Return what the gradebook says: the class, each result once, every decision, and that no page is damaged."""
    with Gradebook.open(path) as book:
        assert book.rows("PRAGMA integrity_check") == [("ok",)] and book.rows("PRAGMA foreign_key_check") == []
        results = book.rows("SELECT student, milestone, sources, attempt FROM result ORDER BY 1, 2, 3")
        modules = book.rows("SELECT student, milestone, source, handed_in FROM module ORDER BY id")
        decided = book.rows("SELECT kind, student, milestone, value, reason, author FROM decision ORDER BY id")
        plain = to_json(class_result(book, COURSE))
    for standing in plain["standings"]:  # when it was decided, and what a module stood on that was graded meanwhile
        for adjustment in standing.get("adjustments", ()):
            adjustment["made"] = ""
        for milestone in standing["milestones"]:
            milestone["notes"] = []
    return plain, results, modules, decided


def killed_at(moment, path):
    """Play in another process that kills itself before its statement of this number; return what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        execute, count = Gradebook._execute, [0]

        def counted(book, statement, values=()):
            count[0] += 1
            if count[0] == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(book, statement, values)

        try:
            Gradebook._execute = counted
            play(path, lambda line: os.write(writing, f"{line}\n".encode()))
            os.write(writing, f"{count[0]} statements\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()
    os.waitpid(child, 0)
    return lines


@systems.linux
@pytest.mark.parametrize("half", [0.25, 0.75])
def test_nothing_is_lost_at_any_of_twenty_moments(tmp_path, half):
    """Ten moments each, spread over all that a term writes: every result that was told of is there, and no other."""
    whole = tmp_path / "whole.sqlite"
    *told, last = killed_at(0, whole)
    statements, wanted = int(last.split()[0]), state(whole)
    assert statements > 100 and len(told) == 11

    for part in range(MOMENTS // 2):
        path = tmp_path / f"{part}.sqlite"
        before = killed_at(1 + int(statements * (part + half) / (MOMENTS // 2)), path)
        assert before == told[: len(before)] and not any("statements" in line for line in before)
        if path.exists():
            with Gradebook.open(path, create=True) as book:
                kept = book.rows("SELECT student, milestone FROM result")
                erased = book.rows("SELECT 1 FROM decision WHERE kind = 'erase'")
            assert len(before) <= len(kept) + (3 if erased else 0) <= len(before) + 1
        play(path, lambda line: None)
        assert state(path) == wanted, part
