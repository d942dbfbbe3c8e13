"""The gradebook: one SQLite file with every result that was ever graded, and which of them counts.

A result is written in one transaction, with the standing that it changes; so a run that is killed at any moment loses
what was being graded and nothing else. The file is in SQLite's rollback mode: it is one file whenever nobody writes.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.files import not_regular, reason
from grader.schema import shown

from .results import GradebookError, moment
from .schema import APPLICATION, SCRIPTS, VERSION
from .standing import Student

BUSY_SECONDS = 30  # that a reader waits while a result is written, and the other way round


@dataclass(frozen=True)
class Key:
    """What a result depends on: as long as all of it is the same, the milestone is not graded again."""

    student: str
    milestone: str
    sources: str  # SHA-256 of exactly the sources graded
    problem: str  # what is wrong with files that could not be taken, and so have no bytes to be told apart by
    grader: str
    conditions: str


class Gradebook:
    """An open gradebook. Reading needs no lock; whoever runs a batch holds a `RunLock` beside it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False) -> Gradebook:
        """Open a gradebook and bring its tables up to date. Raises GradebookError.

        Without `create` a file that is not there is an error.
        """
        path = Path(path)
        if not path.exists():
            if not create:
                raise GradebookError(f"There is no gradebook {path}; `classroom` makes one when it grades.")
            if not path.parent.is_dir():
                raise GradebookError(f"The gradebook cannot be {path}: there is no folder {path.parent}.")
        _check_regular(path)
        try:
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise GradebookError(f"The gradebook {path} cannot be opened ({error}).") from None
        try:
            _prepare(connection, path)
        except sqlite3.Error as error:
            connection.close()
            raise GradebookError(f"{path} is no gradebook that can be used ({error}).") from None
        except GradebookError:
            connection.close()
            raise
        return cls(connection, path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin_run(self, grader: str, conditions: str, *, official: bool, isolation: str) -> int:
        """Note that a batch starts; return its number."""
        with self.transaction():
            row = grader, conditions, official, isolation, now()
            return self.insert(
                "INSERT INTO run (grader, conditions, official, isolation, started) VALUES (?, ?, ?, ?, ?)", row
            )

    def end_run(self, run: int) -> None:
        """Note that a batch has come to its end."""
        with self.transaction():
            self._execute("UPDATE run SET ended = ? WHERE id = ?", (now(), run))

    def enrol(self, students: Iterable[Student]) -> None:
        """Take over a roster: its students in its order. Whoever was on an earlier one keeps their results."""
        with self.transaction():
            self._execute("UPDATE student SET position = NULL")
            for position, student in enumerate(students):
                self._know(student)
                self._execute(
                    "UPDATE student SET name = iif(?1 = '', name, ?1), email = iif(?2 = '', email, ?2) WHERE id = ?3",
                    (student.name, student.email, student.id),
                )
                self._execute("UPDATE student SET position = ? WHERE id = ?", (position, student.id))

    def hand_in(
        self, run: int, student: Student, *, origin: str, handed_in: str, problem: str, notes: list[str]
    ) -> int:
        """Note what somebody handed in, unless it is what they had handed in last; return its number."""
        row = origin, handed_in, problem, json.dumps(notes)
        with self.transaction():
            self._know(student)
            last = self._row(
                "SELECT id, origin, handed_in, problem, notes FROM handin WHERE student = ? ORDER BY id DESC",
                (student.id,),
            )
            if last is not None and last[1:] == row:
                return int(last[0])
            return self.insert(
                "INSERT INTO handin (run, student, origin, handed_in, problem, notes) VALUES (?, ?, ?, ?, ?, ?)",
                (run, student.id, *row),
            )

    def find(self, key: Key) -> int | None:
        """Return the number of the last result with this key, or None."""
        found = self._row(
            "SELECT id FROM result WHERE student = ? AND milestone = ? AND sources = ? AND problem = ? AND grader = ? "
            "AND conditions = ? ORDER BY attempt DESC",
            _columns(key),
        )
        return int(found[0]) if found else None

    def store(
        self, run: int, handin: int, key: Key, milestone: dict[str, Any], seconds: float, handed_in: str | None = None
    ) -> int:
        """Keep a graded milestone (as JSON data of a record) and let it count; return its number.

        `handed_in` is when its module was first handed in; without it, when the whole hand-in was.
        """
        text = json.dumps(milestone, ensure_ascii=False, separators=(",", ":"))
        with self.transaction():
            before = self._row(
                "SELECT MAX(attempt) FROM result WHERE student = ? AND milestone = ? AND sources = ? AND problem = ? "
                "AND grader = ? AND conditions = ?",
                _columns(key),
            )
            attempt = (before[0] or 0) + 1 if before else 1
            result = self.insert(
                "INSERT INTO result (student, milestone, sources, problem, grader, conditions, attempt, run, graded, "
                "seconds, earned, possible, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*_columns(key), attempt, run, now(), seconds, milestone["earned"], milestone["possible"], text),
            )
            self._stand(run, handin, key, result, handed_in)
            return result

    def settle(self, run: int, handin: int, key: Key, result: int, handed_in: str | None = None) -> None:
        """Let a result that is in the book already count; `handed_in` is as for `store`."""
        with self.transaction():
            self._stand(run, handin, key, result, handed_in)

    def fail(self, run: int, handin: int, key: Key, fault: str) -> None:
        """Note in one sentence why a milestone has no result; the next run tries again."""
        with self.transaction():
            handed_in = self._handed_in(handin)
            self.insert(
                "INSERT INTO standing (run, handin, student, milestone, handed_in, fault) VALUES (?, ?, ?, ?, ?, ?)",
                (run, handin, key.student, key.milestone, handed_in, fault),
            )

    def students(self) -> list[Student]:
        """Return everybody who is known, in the order of their ids."""
        return [Student(*row) for row in self.rows("SELECT id, name, email FROM student ORDER BY id")]

    def mean_seconds(self) -> dict[str, float]:
        """Return how long each milestone took on average: its id → seconds."""
        return dict(self.rows("SELECT milestone, AVG(seconds) FROM result GROUP BY milestone"))

    # ── underneath ────────────────────────────────────────────────────────────────────────────────────────────────

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        try:
            return self._execute(query, values).fetchall()
        except sqlite3.Error as error:  # a damaged page shows itself only when it is read
            raise GradebookError(f"The gradebook {self.path} cannot be read ({error}).") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of it or nothing; one inside another belongs to the outer one. Raises GradebookError."""
        if self._connection.in_transaction:
            yield
            return
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:  # an interrupt as well: all or nothing; it is raised again
            with contextlib.suppress(sqlite3.Error):  # where SQLite has done it itself, as for a full disk
                self._connection.execute("ROLLBACK")
            raise

    def _stand(self, run: int, handin: int, key: Key, result: int, handed_in: str | None) -> None:
        """Append a row when something else counts from now on.

        A milestone was handed in when exactly its own module was first handed in: another module that is handed in
        later does not make it late.
        """
        before = self.rows(
            "SELECT standing.result, standing.handed_in, result.sources FROM standing "
            "LEFT JOIN result ON result.id = standing.result "
            "WHERE standing.student = ? AND standing.milestone = ? ORDER BY standing.id",
            (key.student, key.milestone),
        )
        times = [time for _, time, sources in before if time and sources == key.sources]
        if own := self._handed_in(handin) if handed_in is None else handed_in:
            times.append(own)
        first = min(times, key=moment, default="")
        if not before or before[-1][:2] != (result, first):
            self.insert(
                "INSERT INTO standing (run, handin, student, milestone, handed_in, result, fault) "
                "VALUES (?, ?, ?, ?, ?, ?, '')",
                (run, handin, key.student, key.milestone, first, result),
            )

    def _handed_in(self, handin: int) -> str:
        row = self._row("SELECT handed_in FROM handin WHERE id = ?", (handin,))
        return str(row[0]) if row else ""

    def _know(self, student: Student) -> None:
        """See to it that somebody has a row. Only a roster changes a name or an address that is there."""
        self._execute(
            "INSERT INTO student (id, name, email) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "name = iif(name = '', excluded.name, name), email = iif(email = '', excluded.email, email)",
            (student.id, student.name, student.email),
        )

    def insert(self, statement: str, values: tuple[Any, ...]) -> int:
        """Add a row and return its number."""
        number = self._execute(statement, values).lastrowid
        assert number is not None
        return number

    def _row(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return self._execute(f"{query} LIMIT 1", values).fetchone()  # type: ignore[no-any-return]

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, tuple(map(_storable, values)))
        except sqlite3.Error as error:
            raise GradebookError(f"The gradebook {self.path} cannot be used ({error}).") from error


def now() -> str:
    """Return the time as the book keeps it: ISO 8601 with its offset."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _storable(value: Any) -> Any:
    """Return a value as a database holds it: half of a surrogate pair, in the name of a file say, becomes its code."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def _columns(key: Key) -> tuple[str, ...]:
    return key.student, key.milestone, key.sources, key.problem, key.grader, key.conditions


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set the connection up, and add to the tables what later versions have."""
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # so that a result also outlives the machine losing its power
    connection.execute("PRAGMA trusted_schema = OFF")  # what a file defines calls no function that reaches out of it
    if _pragma(connection, "user_version") == VERSION and _pragma(connection, "application_id") == APPLICATION:
        _check_tables(connection, path)
        return
    connection.execute("BEGIN EXCLUSIVE")
    with contextlib.ExitStack() as undo:
        undo.callback(connection.execute, "ROLLBACK")
        version = _pragma(connection, "user_version")
        tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if tables and _pragma(connection, "application_id") != APPLICATION:
            raise GradebookError(f"{path} is a database of another program, and is left as it is.")
        if version > VERSION:
            raise GradebookError(
                f"The gradebook {path} was written by a newer version of the grader (its tables are of version "
                f"{version}, and this one knows {VERSION}); update the grader."
            )
        for script in SCRIPTS[version:]:
            for statement in statements(script):
                connection.execute(statement)
        _check_tables(connection, path)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        undo.pop_all()
    connection.execute("COMMIT")


def _check_regular(path: Path) -> None:
    """Raise GradebookError where SQLite would open and wait for something that is no file: a pipe never answers."""
    for place in (path, *(path.with_name(path.name + ending) for ending in ("-journal", "-wal", "-shm"))):
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise GradebookError(f"The gradebook {path} cannot be opened ({reason(error)}).") from None
        if not stat.S_ISREG(mode):
            what = "" if place == path else f"{place.name} lies beside it, and "
            raise GradebookError(f"The gradebook {path} cannot be opened: {what}{not_regular(mode)}.")


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raise GradebookError unless the tables are the grader's own.

    Columns of other kinds would bring values that nobody expects; views and triggers change what is read and written.
    """
    there = set(connection.execute("SELECT type, name, sql FROM sqlite_master"))
    strange = [f"a {kind}, {shown(name)}" for kind, name, _ in there if kind in ("view", "trigger")]
    strange += [f"no {kind} {name} like the grader's" for kind, name, _ in sorted(tables(SCRIPTS) - there)]
    if strange:
        raise GradebookError(f"{path} is no gradebook that can be used (it has {strange[0]}).")


@functools.cache
def tables(scripts: tuple[str, ...]) -> frozenset[tuple[str, str, str]]:
    """Return what these scripts make of an empty gradebook: kind, name and definition of each table and index."""
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        for script in scripts:
            empty.executescript(script)
        rows = empty.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return frozenset(rows)


def statements(script: str) -> Iterator[str]:
    """Yield a script's statements one by one, so that all of them stand in one transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
