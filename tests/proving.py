"""Many modules of one milestone, graded in one session of pytest: its suite is read and collected once for all of them.

What is left of `grader.judge.grading.grade` is all that a check's outcome comes from: a run of its own for each module,
its preflight, a fresh worker for each check, the judge's own hooks around it.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import FrameType

import pytest
import support

from grader import record
from grader.judge import bounds
from grader.judge.crew import Crew
from grader.judge.given import CHECK, RUN
from grader.judge.grading import run_suites
from grader.judge.planned import Options, Planned
from grader.judge.plugin import Judge
from grader.judge.run import Run
from grader.submission import Submission

REJECTED, NAMED = "rejected", "named"
PATIENCE = 5.0  # processor seconds for a check inside the judge, where no limit holds; nearly all take less than one
MARKERS = pytest.StashKey[list[pytest.Mark]]()  # that a check has by its suite
Until = str | Callable[[record.Check], bool]
Kept = tuple[str, str, float, float, float]  # the check, its message, the bound above which, the value, the bound below


@dataclass(frozen=True)
class Trial:
    """A module, and groups of names of checks that it is tried with.

    A set of names runs in the suite's order, a tuple in its own. Of a group, the checks after the first that does not
    pass may prove nothing more (`until=REJECTED`), or those after the first that names a mistake (`until=NAMED`), or
    that is what somebody waits for.
    """

    source: str
    groups: tuple[frozenset[str] | tuple[str, ...], ...]
    until: Until = ""
    seed: str = "0"
    level: str = "auto"


def tried(
    milestone: str, trials: list[Trial], heard: Callable[[int, Kept], None] | None = None
) -> list[list[list[record.Check]]]:
    """Grade each trial's module; return the checks that ran, in their order, for each trial and group.

    `heard` is told of every bound that was asked about, with the number of the trial.
    """
    return Proof(milestone, trials, heard).whole_run()


def tried_inside(
    milestone: str, trials: list[Trial], enough: Callable[[int, list[list[record.Check]]], bool]
) -> list[list[list[record.Check]]]:
    """Grade each trial's module inside the judge, a third of the work, and in the sandbox where that is not `enough`.

    It is asked of the number of a trial and its checks, and not of one that was cut short, or where a check that was
    not passed rests on what the judge measures: there is no sandbox, and that may be why.
    """
    if not hasattr(signal, "setitimer"):
        return tried(milestone, trials)
    judge = Inside(milestone, [dataclasses.replace(trial, level="inline") for trial in trials])
    found = judge.whole_run()
    again = [n for n, groups in enumerate(found) if n in judge.unsure or not enough(n, groups)]
    if again:
        for number, groups in zip(again, tried(milestone, [trials[n] for n in again]), strict=True):
            found[number] = groups
    return found


class Again(Judge):
    """A judge that can grade further submissions with the checks that it has collected."""

    def grade_next(self, session: pytest.Session, run: Run) -> None:
        """Go on with the checks of another run."""
        self.run = session.config.stash[RUN] = run
        self.crew = Crew(run.planned, run.workers, judges=1)

    def group(self, session: pytest.Session, names: Collection[str], until: Until = "") -> list[record.Check]:
        """Run the checks of these names; what is planned is no more than what is sure to run, for nothing to wait."""
        items = [item for item in session.items if function(item.name) in names]
        if isinstance(names, tuple):
            items.sort(key=lambda item: names.index(function(item.name)))
        ended: list[record.Check] = []
        for batch in [[item] for item in items] if until else [items]:
            for item in batch:
                self._plan_again(item)
            for item in batch:
                self.begin(function(item.name))
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                ended += item.stash[CHECK].results
            rejected = bool(ended) and ended[-1].outcome != record.PASSED
            named = until == NAMED and ended and ended[-1].mistake
            if rejected and (until == REJECTED or named or (callable(until) and until(ended[-1]))):
                break
        return ended

    def begin(self, check: str) -> None:
        """Get to know that a check begins."""

    def _plan(self, item: pytest.Item) -> Planned | None:
        """Plan a check as if no run before had given it its limits, which stand as a marker on it."""
        item.own_markers[:] = item.stash.setdefault(MARKERS, [*item.own_markers])
        return super()._plan(item)

    def _plan_again(self, item: pytest.Item) -> None:
        check = self._plan(item)
        assert check is not None
        check.position = len(self.run.planned)
        self.run.planned.append(check)
        item.stash[CHECK] = check


class Proof(Again):
    """A judge of many modules: each has a run of its own, and all have what was collected."""

    def __init__(self, milestone: str, trials: list[Trial], heard: Callable[[int, Kept], None] | None = None) -> None:
        self.milestone, self.trials, self.heard = milestone, trials, heard
        self.wanted = {name for trial in trials for group in trial.groups for name in group}
        self.found: list[list[list[record.Check]]] = []
        super().__init__(self._a_run(Trial("", ())))

    def whole_run(self) -> list[list[list[record.Check]]]:
        """Grade all trials; return the checks that ran, in their order, for each trial and group."""
        code = run_suites(self.run, self)
        assert len(self.found) == len(self.trials), f"pytest ended with {code!r}: {self.run.fault}"
        return self.found

    def _a_run(self, trial: Trial) -> Run:
        sources = support.with_needs(self.milestone, trial.source)
        submission = Submission("submission", {name: text.encode() for name, text in sources.items()})
        options = Options([self.milestone], self.wanted, seed=trial.seed)
        return Run(options, support.COURSE, submission, support.sandbox(trial.level), support.weights())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Grade one module after another, instead of one with all checks."""
        for trial in self.trials:
            self.grade_next(session, self._a_run(trial))
            try:
                self.found.append(self.groups(session, trial))
            finally:
                bounds.listener = None
                self.run.supply.close()
        return True

    def groups(self, session: pytest.Session, trial: Trial) -> list[list[record.Check]]:
        """Run a trial's checks."""
        return [self.group(session, group, trial.until) for group in trial.groups]

    def begin(self, check: str) -> None:
        """Have every bound that this check asks about told on."""
        if heard := self.heard:
            trial = len(self.found)
            bounds.listener = lambda message, above, value, below: heard(trial, (check, message, above, value, below))


class Endless(BaseException):
    """A module that runs inside the judge did not come to an end."""


class Inside(Proof):
    """A judge of many modules that run inside it, which knows of what it cannot be sure: there is no sandbox."""

    def __init__(self, milestone: str, trials: list[Trial]) -> None:
        super().__init__(milestone, trials)
        self.unsure: set[int] = set()  # trials that did not end, or failed a check by what the judge measures
        self.measuring: set[str] = set()  # checks that somebody has failed so
        self._interrupted = False

    def groups(self, session: pytest.Session, trial: Trial) -> list[list[record.Check]]:
        """Run a trial's checks, each until patience is at its end, and all unless they will say nothing."""
        found: list[list[record.Check]] = []
        self._interrupted = False
        if not self.measuring.issuperset(name for group in trial.groups for name in group):
            kept = signal.signal(signal.SIGVTALRM, self._interrupt)
            try:
                found = super().groups(session, trial)
            except Endless:
                pass
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.signal(signal.SIGVTALRM, kept)
        failed = [check for checks in found for check in checks if check.outcome != record.PASSED]
        measured = {function(check.id) for check in failed if record.MEASURED in check.evidence}
        self.measuring |= measured
        if measured or self._interrupted or not found:
            self.unsure.add(len(self.found))
        return found

    def begin(self, check: str) -> None:
        """Give it some time; what does not end then is interrupted as often as it takes."""
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE, 1)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        raise Endless


def function(check: str) -> str:
    """Return the name of a check without its parameters."""
    return check.partition("[")[0]
