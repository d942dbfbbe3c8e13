"""`watch --page`: the report beside the terminal's, as a page that follows."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from grader import record
from grader.commands.grade import page
from grader.judge.errors import UsageProblem
from grader.practice import Practice

if TYPE_CHECKING:
    from grader.watching.live_page import LivePage


class Following:
    """What a watch tells a page; without one it tells nobody."""

    def __init__(self, shown: LivePage | None, practice: Practice) -> None:
        self._page, self._practice = shown, practice

    @property
    def address(self) -> str:
        """Where the page is, if there is one."""
        return self._page.address if self._page else ""

    def begins(self, milestones: list[str]) -> None:
        """Say that these are being graded."""
        if self._page:
            self._page.say(f"Grading {', '.join(name[:3] for name in milestones)} …")

    def shows(self, result: record.Record) -> None:
        """Show what has come of it."""
        if self._page:
            self._page.show(page(result, self._practice, live=True))

    def stopped(self, why: str) -> None:
        """Say why nothing has come of it."""
        if self._page:
            self._page.say(why)


@contextlib.contextmanager
def following(options: argparse.Namespace, practice: Practice) -> Iterator[Following]:
    """Serve a page while a watch lasts, if one is asked for. Raises UsageProblem where that is not possible."""
    if not options.page:
        yield Following(None, practice)
        return
    try:
        from grader.watching.live_page import LivePage
    except ImportError as error:
        raise UsageProblem(
            f"watch --page needs {error.name}, which is not installed: `nox -s watch -- --page` installs it."
        ) from None
    try:
        shown = LivePage(page(_remembered(practice), practice, live=True))
    except OSError as error:
        raise UsageProblem(f"The page cannot be served at 127.0.0.1: {error.strerror or error}.") from None
    try:
        yield Following(shown, practice)
    finally:
        shown.close()


def _remembered(practice: Practice) -> record.Record:
    """Return what is known of earlier runs, to begin with."""
    result = practice.nothing_graded(str(practice.folder))
    known = [practice.progress.last(practice.folder, milestone.id) for milestone in practice.chosen]
    result.milestones = [milestone for milestone in known if milestone]
    return result
