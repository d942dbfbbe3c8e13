"""Many modules of one milestone, graded in one session of pytest: its suite is read and collected once for all of them.

What is left of `grader.judge.grading.grade` is all that a check's outcome comes from: a run of its own for each module,
its preflight, a fresh worker for each check, the judge's own hooks around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

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
MARKERS = pytest.StashKey[list[pytest.Mark]]()  # that a check has by its suite
Kept = tuple[str, str, float, float, float]  # the check, its message, the bound above which, the value, the bound below


@dataclass(frozen=True)
class Trial:
    """A module, and groups of names of checks that it is tried with.

    A set of names runs in the suite's order, a tuple in its own. Of a group, the checks after the first that does not
    pass may prove nothing more (`until=REJECTED`), or those after the first that names a mistake (`until=NAMED`).
    """

    source: str
    groups: tuple[frozenset[str] | tuple[str, ...], ...]
    until: str = ""
    seed: str = "0"
    level: str = "auto"


def tried(
    milestone: str, trials: list[Trial], heard: Callable[[int, Kept], None] | None = None
) -> list[list[list[record.Check]]]:
    """Grade each trial's module; return the checks that ran, in their order, for each trial and group.

    `heard` is told of every bound that was asked about, with the number of the trial.
    """
    wanted = {name for trial in trials for group in trial.groups for name in group}
    judge = Proof(milestone, wanted, trials, heard)
    code = run_suites(judge.run, judge)
    assert len(judge.found) == len(trials), f"pytest ended with {code!r}: {judge.run.fault}"
    return judge.found


class Again(Judge):
    """A judge that can grade further submissions with the checks that it has collected."""

    def grade_next(self, session: pytest.Session, run: Run) -> None:
        """Go on with the checks of another run."""
        self.run = session.config.stash[RUN] = run
        self.crew = Crew(run.planned, run.workers, judges=1)

    def group(self, session: pytest.Session, names: Collection[str], until: str = "") -> list[record.Check]:
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
            if rejected and (until == REJECTED or (until == NAMED and ended[-1].mistake)):
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

    def __init__(
        self, milestone: str, wanted: set[str], trials: list[Trial], heard: Callable[[int, Kept], None] | None
    ) -> None:
        self.milestone, self.wanted, self.trials, self.heard = milestone, wanted, trials, heard
        self.found: list[list[list[record.Check]]] = []
        super().__init__(self._a_run(Trial("", ())))

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
                self.found.append([self.group(session, group, trial.until) for group in trial.groups])
            finally:
                bounds.listener = None
                self.run.supply.close()
        return True

    def begin(self, check: str) -> None:
        """Have every bound that this check asks about told on."""
        if heard := self.heard:
            trial = len(self.found)
            bounds.listener = lambda message, above, value, below: heard(trial, (check, message, above, value, below))


def function(check: str) -> str:
    """Return the name of a check without its parameters."""
    return check.partition("[")[0]
