"""A student's modules: every version that was handed in, and of each module the latest, on which later ones stand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .gradebook import Gradebook
from .results import moment

LATEST = """
    SELECT milestone, origin, content, problem
    FROM module LEFT JOIN source ON sha256 = module.source
    WHERE module.id IN (SELECT MAX(id) FROM module WHERE student = ? GROUP BY milestone)
"""
TIMES = "SELECT milestone, source, problem, handed_in FROM module WHERE student = ? AND handed_in <> ''"
SEEN = """
    SELECT milestone, origin, source, problem FROM module
    WHERE id IN (SELECT MAX(id) FROM module WHERE student = ? GROUP BY milestone, origin)
"""


@dataclass(frozen=True)
class Module:
    """One version of one module, as it was handed in."""

    milestone: str
    source: bytes | None  # None where the file could not be taken
    problem: str  # why not
    origin: str
    first: str = ""  # when exactly this was first handed in, and when last: ISO 8601, empty where it is not known
    last: str = ""

    @property
    def content(self) -> tuple[str | None, str]:
        """What tells one version from another: the SHA-256 of the source, and what is wrong with the file."""
        return (None if self.source is None else hashlib.sha256(self.source).hexdigest()), self.problem


class Modules:
    """What a gradebook has of one student."""

    def __init__(self, book: Gradebook, student: str) -> None:
        self._book, self._student = book, student
        self._times: dict[tuple[str, str | None, str], list[str]] = {}
        for milestone, source, problem, handed_in in book.rows(TIMES, (student,)):
            self._times.setdefault((milestone, source, problem), []).append(handed_in)
        self._seen = {
            (milestone, origin): (source, problem) for milestone, origin, source, problem in book.rows(SEEN, (student,))
        }
        self.latest: dict[str, Module] = {}
        for milestone, origin, source, problem in book.rows(LATEST, (student,)):
            self.latest[milestone] = self._timed(Module(milestone, source, problem, origin))

    def outdates(self, new: Module) -> str:
        """Return why what the book has of a module is later than what is named now, in words; empty: it is not.

        Times of receipt say so where both are known. Where they are not, a place that still holds what it held when it
        was last looked at has brought nothing new, and what came from elsewhere since then stays.
        """
        old = self.latest.get(new.milestone)
        if old is None or old.content == new.content:
            return ""
        if old.last and new.last:
            return f"came in later, {old.last}" if moment(new.last) < moment(old.last) else ""
        unchanged = self._seen.get((new.milestone, new.origin)) == new.content
        return f"was taken from {old.origin} since" if unchanged and old.origin != new.origin else ""

    def enter(self, run: int, handin: int, new: Module) -> None:
        """Let a module be the latest; `new.last` is when it was handed in. Nothing is written where nothing is new."""
        old = self.latest.get(new.milestone)
        known = self._seen.get((new.milestone, new.origin)) == new.content
        if known and old is not None and old.content == new.content and not _widens(new.last, old):
            return
        digest, problem = new.content
        with self._book.transaction():
            if digest is not None:
                self._book.rows("INSERT OR IGNORE INTO source (sha256, content) VALUES (?, ?)", (digest, new.source))
            self._book.insert(
                "INSERT INTO module (run, handin, student, milestone, origin, handed_in, source, problem) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run, handin, self._student, new.milestone, new.origin, new.last, digest, problem),
            )
        self._seen[new.milestone, new.origin] = new.content
        if new.last:
            self._times.setdefault((new.milestone, digest, problem), []).append(new.last)
        self.latest[new.milestone] = self._timed(new)

    def _timed(self, module: Module) -> Module:
        """Return a module with the first and the last time at which exactly it was handed in."""
        times = sorted(self._times.get((module.milestone, *module.content), []), key=moment)
        first, last = (times[0], times[-1]) if times else ("", "")
        return Module(module.milestone, module.source, module.problem, module.origin, first, last)


def _widens(time: str, module: Module) -> bool:
    """Tell whether a time is outside of those at which the very same module is known to have been handed in."""
    if not time:
        return False
    return not module.first or moment(time) < moment(module.first) or moment(time) > moment(module.last)
