"""Erasing a student and all that is theirs: the only thing that takes rows out of a gradebook."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from .decisions import ERASE
from .gradebook import Gradebook, now
from .results import sentences
from .standing import Student

TABLES = ("standing", "result", "module", "handin")  # in the order in which they refer to each other


def erase(book: Gradebook, students: Sequence[Student], author: str) -> None:
    """Take students out: rows, sources that are nobody else's, and sentences of others that name them.

    What stays is that so many were erased, when and by whom. The file's free pages are overwritten, so that nothing
    of it can be read in there. Raises GradebookError.
    """
    book.rows("PRAGMA secure_delete = ON")
    with book.transaction():
        for student in students:
            for table in TABLES:
                book.rows(f"DELETE FROM {table} WHERE student = ?", (student.id,))
            book.rows("DELETE FROM doubt WHERE student = ?", (student.id,))
            book.rows("DELETE FROM decision WHERE student = ?", (student.id,))
            book.rows("DELETE FROM student WHERE id = ?", (student.id,))
            _forget_in_notes(book, student)
        book.rows("DELETE FROM source WHERE sha256 NOT IN (SELECT source FROM module WHERE source IS NOT NULL)")
        book.insert(
            "INSERT INTO decision (made, author, kind, student, milestone, task, value, reason) "
            "VALUES (?, ?, ?, '', '', '', ?, '')",
            (now(), author, ERASE, str(len(students))),
        )
    book.rows("VACUUM")


def _forget_in_notes(book: Gradebook, student: Student) -> None:
    """Leave out of others' notes the sentences that name somebody: "Handed in together with Anna"."""
    names = [re.escape(name) for name in (student.id, student.name, student.email) if name]
    named = re.compile(rf"(?<![^\W_])({'|'.join(names)})(?![^\W_])", re.IGNORECASE)
    for number, text in book.rows("SELECT id, notes FROM handin WHERE notes <> '[]'"):
        kept = [note for note in sentences(text) if not named.search(note)]
        if len(kept) < len(sentences(text)):
            book.rows("UPDATE handin SET notes = ? WHERE id = ?", (json.dumps(kept), number))
    for number, origin in book.rows("SELECT id, origin FROM doubt"):  # of what may be another's of the same name
        if named.search(origin):
            book.rows("UPDATE doubt SET origin = ? WHERE id = ?", (f"doubt {number}", number))
