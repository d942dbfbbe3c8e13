"""`python -m grader watch`: grade again what a save touched, until q is pressed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from grader import record, syllabus
from grader.arguments import conditions, submission_folder, syllabus_of
from grader.commands import hint, listing
from grader.commands.grade import rerun, select_tasks, tries
from grader.commands.onward import onward
from grader.commands.watch_page import Following, following
from grader.exits import FAULT, PASSED
from grader.judge import fingerprint
from grader.practice import REPOSITORY, Practice, check_device
from grader.submission import SubmissionError, collect
from grader.watching.files import Touched, Watched, affected
from grader.watching.keys import ReadKey, keyboard

PAUSE = 0.1  # seconds between two looks at the files
MOST_GIVEN_UP = 2  # gradings in a row that newer saves may stop
KEYS = "f failures · h hint · n next · l list · a all again · q quit"


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    conditions(command)
    command.add_argument("--page", action="store_true", help="show the report as a page that follows, too")
    command.set_defaults(all=False, debug=False, official=False)


def run(options: argparse.Namespace) -> int:
    """Watch until the student has had enough; return the exit code."""
    course = syllabus_of(options)
    chosen, tasks = select_tasks(course, options.milestones)
    folder = submission_folder(options).resolve()
    check_device(options.device)
    collect(folder, course)
    practice = Practice(options, course, chosen, folder, tasks)
    try:
        practice.boot()
        with following(options, practice) as page, keyboard() as read_key:
            return Watch(practice, options, chosen, page).run(read_key)
    finally:
        practice.close()


class Watch:
    """One watch: what is looked at, and what was said last."""

    def __init__(
        self, practice: Practice, options: argparse.Namespace, chosen: list[syllabus.Milestone], page: Following
    ) -> None:
        from rich.console import Console

        self._page = page
        self._practice, self._options, self._chosen = practice, options, chosen
        self._course, self._folder = practice.course, practice.folder
        self._console = Console(highlight=False, markup=False)
        self._watched = Watched(self._folder, REPOSITORY / "exercises", self._course)
        self._last: record.Record | None = None
        self._given_up = 0  # gradings in a row that a newer save has stopped

    def run(self, read_key: ReadKey) -> int:
        """Grade what was named, then whatever is saved."""
        self._warm_up()
        if self._options.milestones:
            self._grade(self._chosen)
        else:
            self._list()
        self._wait()
        while True:
            key = read_key(PAUSE)
            if key == "q":
                return PASSED
            if key in self._actions():
                self._actions()[key]()
                self._wait()
            if touched := self._watched.touched():
                if touched.grader:
                    self._start_again()
                    return FAULT  # only where a process cannot become another program
                self._regrade(touched)
                self._wait()

    def _warm_up(self) -> None:
        """Import what the first grading would wait for."""
        import grader.judge.grading  # noqa: F401

        self._practice.prepare()
        self._practice.weights.model()

    def _actions(self) -> dict[str, Any]:
        return {
            "h": self._hint,
            "n": self._next,
            "l": self._list,
            "f": self._failures,
            "a": lambda: self._grade(self._chosen, again=True),
        }

    # ── grading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _regrade(self, touched: Touched) -> None:
        if touched.suites:
            forget_suites(self._course)
        names = {milestone.id for milestone in self._chosen}
        passed = {name for name in names if (last := self._practice.progress.last(self._folder, name)) and last.passed}
        wanted = affected(self._course, (touched.modules | touched.suites) & names, passed)
        if touched.modules - names:
            wanted += [m for m in affected(self._course, touched.modules, passed) if m.id in names and m not in wanted]
        if wanted:
            self._grade(wanted)
        elif touched.guides:
            said = f"The guide {', '.join(sorted(touched.guides))} changed."
            if self._last is not None:
                self._show(self._last, said)
            else:
                self._console.print(said, style="dim")
        else:
            what = ", ".join(sorted(touched.modules | touched.guides))
            self._console.print(f"{what} changed; it is not among what is watched here.", style="dim")

    def _grade(self, milestones: list[syllabus.Milestone], again: bool = False) -> None:
        from grader.judge.errors import GradingError
        from grader.reports.terminal.live import Progress as Live

        live = Live(self._console)
        # Something that touches the files all the time shall not keep every grading from its end.
        listener = Interruptible(live, self._watched) if self._given_up < MOST_GIVEN_UP else live
        self._clear()
        self._practice.chosen = milestones
        started = time.perf_counter()
        self._page.begins([milestone.id for milestone in milestones])
        try:
            self._last = self._practice.grade(collect(self._folder, self._course), listener, again=again)
        except GradingError as error:
            live.stop()
            self._console.print(f"scratchwork: {error}; this is a fault of the grader.")
            self._page.stopped(f"{error}; this is a fault of the grader.")
            return
        except SubmissionError as error:  # the folder is gone, for the moment at least
            live.stop()
            self._console.print(f"scratchwork: {error}")
            self._page.stopped(str(error))
            return
        except KeyboardInterrupt:
            if not getattr(listener, "interrupted", False):
                raise
            self._given_up += 1
            return  # a newer save is what counts
        finally:
            live.stop()
        self._given_up = 0
        self._last.seconds = round(time.perf_counter() - started, 2)
        self._page.shows(self._last)
        self._show(self._last)

    def _start_again(self) -> None:
        """Run anew, since the grader that runs is no longer the one on disk."""
        self._practice.close()
        if sys.platform == "win32":
            self._console.print("The grader itself has changed; run the same command again.")
            return
        self._console.print("The grader itself has changed; starting again.", style="dim")
        os.execv(sys.executable, [sys.executable, "-m", "grader", *sys.argv[1:]])

    # ── the screen ────────────────────────────────────────────────────────────────────────────────────────────────

    def _show(self, result: record.Record, note: str = "", whole: bool = False) -> None:
        from grader.reports.terminal import report as terminal

        self._clear()
        if note:
            self._console.print(note, style="dim")

        def again(name: str) -> str:
            return rerun(name, self._options, result)

        terminal.render(
            result,
            self._console,
            guide_root="exercises",
            rerun=again,
            onward=onward(
                result, self._course, self._options, lambda name: rerun(name, self._options, result, whole=True)
            ),
            tries=tries(self._practice, self._options),
            notebooks=self._practice.notebooks,
            # On a screen, what is to be mended first stays in view.
            brief="" if whole or not (self._console.is_terminal and sys.stdin.isatty()) else "f shows all",
        )

    def _failures(self) -> None:
        if self._last is None:
            self._console.print("Nothing has been graded yet.")
            return
        self._show(self._last, whole=True)

    def _clear(self) -> None:
        if self._console.is_terminal:
            self._console.clear()

    def _wait(self) -> None:
        keys = f" · {KEYS}" if sys.stdin.isatty() else ""
        self._console.print()
        if self._page.address:
            self._console.print(f"Page: {self._page.address}", style="dim", soft_wrap=True)
        self._console.print(f"Watching {submission_folder(self._options)}{keys}", style="dim", soft_wrap=True)
        self._console.file.flush()

    def _list(self) -> None:
        self._clear()
        try:
            listing.run(self._options)
        except SubmissionError as error:
            self._console.print(f"scratchwork: {error}")

    def _unfinished(self) -> syllabus.Milestone | None:
        """Return the first milestone that has not passed, the one graded last before all others."""
        graded = [m.id for m in self._last.milestones] if self._last else []
        for milestone in sorted(self._chosen, key=lambda m: m.id not in graded):
            last = self._practice.progress.last(self._folder, milestone.id)
            if last is None or not last.passed:
                return milestone
        return None

    def _hint(self) -> None:
        milestone = self._unfinished()
        if milestone is None:
            self._console.print("Everything that is watched here has passed.")
            return
        hint.run(argparse.Namespace(**vars(self._options) | {"name": milestone.id}))

    def _next(self) -> None:
        milestone = self._unfinished()
        if milestone is None:
            self._console.print("Everything that is watched here has passed.")
            return
        last = self._practice.progress.last(self._folder, milestone.id)
        self._console.print(f"{milestone.id} {listing.advice(milestone, last)}")
        self._console.print(f"Guide: {milestone.page}", style="dim")


class Interruptible:
    """Passes on what the judge tells, and stops it when a newer save makes its work useless."""

    def __init__(self, listener: Any, watched: Watched) -> None:
        self._listener, self._watched = listener, watched
        self.interrupted = False

    def start(self, total_checks: int) -> None:
        """The list of checks is fixed."""
        self._listener.start(total_checks)

    def check_started(self, milestone: str, task: str, title: str) -> None:
        """A check begins."""
        self._listener.check_started(milestone, task, title)

    def check_ended(self, check: record.Check) -> None:
        """A check has its outcome."""
        self._listener.check_ended(check)
        if self._watched.changed():
            self.interrupted = True
            raise KeyboardInterrupt

    def ended_beside(self, ended: int, passed: int) -> None:
        """Checks have ended in other judges."""
        self._listener.ended_beside(ended, passed)


def forget_suites(course: syllabus.Syllabus) -> None:
    """Have the suites read from their files again, and results of the old ones no longer taken over."""
    import grader.suites
    from grader.judge.grading import forget_room

    package = grader.suites.__name__ + "."
    for name in [name for name in sys.modules if name.startswith(package) and not name.endswith("conftest")]:
        del sys.modules[name]
        vars(grader.suites).pop(name.removeprefix(package), None)
    for milestone in course.own:
        forget_room(milestone.id)
    fingerprint.grader_hash.cache_clear()
