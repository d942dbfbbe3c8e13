"""Many modules of one milestone, graded in one session of pytest: its suite is read and collected once for all of them.

What is left of `grader.judge.grading.grade` is all that a check's outcome comes from: a run of its own for each module,
its preflight, a fresh worker for each check, the judge's own hooks around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
import support

from grader import record
from grader.judge.crew import Crew
from grader.judge.given import CHECK, RUN
from grader.judge.grading import run_suites
from grader.judge.planned import Options
from grader.judge.plugin import Judge
from grader.judge.run import Run
from grader.submission import Submission


@dataclass(frozen=True)
class Trial:
    """A module, and groups of names of checks that it is tried with."""

    source: str
    groups: tuple[frozenset[str], ...]
    until_rejected: bool = False  # of a group, the checks after the first that does not pass prove nothing more


def tried(milestone: str, trials: list[Trial]) -> list[list[list[record.Check]]]:
    """Grade each trial's module; return the checks that ran, in the suite's order, for each trial and group."""
    wanted = {name for trial in trials for group in trial.groups for name in group}
    judge = Proof(milestone, wanted, trials)
    code = run_suites(judge.run, judge)
    assert len(judge.found) == len(trials), f"pytest ended with {code!r}: {judge.run.fault}"
    return judge.found


class Proof(Judge):
    """A judge of many modules: each has a run of its own, and all have what was collected."""

    def __init__(self, milestone: str, wanted: set[str], trials: list[Trial]) -> None:
        self.milestone, self.wanted, self.trials = milestone, wanted, trials
        self.found: list[list[list[record.Check]]] = []
        super().__init__(self._a_run(""))

    def _a_run(self, source: str) -> Run:
        sources = support.with_needs(self.milestone, source)
        submission = Submission("submission", {name: text.encode() for name, text in sources.items()})
        options = Options([self.milestone], self.wanted)
        return Run(options, support.COURSE, submission, support.sandbox(), support.weights())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Grade one module after another, instead of one with all checks."""
        for trial in self.trials:
            self.run = session.config.stash[RUN] = self._a_run(trial.source)
            self.crew = Crew(self.run.planned, self.run.workers, judges=1)
            try:
                self.found.append([self._group(session, group, trial.until_rejected) for group in trial.groups])
            finally:
                self.run.supply.close()
        return True

    def _group(self, session: pytest.Session, names: Iterable[str], until_rejected: bool) -> list[record.Check]:
        """Run the checks of these names; what is planned is no more than what is sure to run, for nothing to wait."""
        items = [item for item in session.items if item.name.partition("[")[0] in names]
        ended: list[record.Check] = []
        for batch in [[item] for item in items] if until_rejected else [items]:
            for item in batch:
                self._plan_again(item)
            for item in batch:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                ended += item.stash[CHECK].results
            if until_rejected and ended[-1].outcome != record.PASSED:
                break
        return ended

    def _plan_again(self, item: pytest.Item) -> None:
        check = self._plan(item)
        assert check is not None
        check.position = len(self.run.planned)
        self.run.planned.append(check)
        item.stash[CHECK] = check
