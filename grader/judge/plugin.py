"""The pytest side of the judge: it collects the checks, gives them their limits, and turns reports into outcomes."""

from __future__ import annotations

import functools
import sys
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from . import given, mistakes
from .crew import Crew, Helper
from .given import CHECK, RUN
from .outcomes import GraderError
from .planned import Planned
from .run import Run

SUITES = "grader.suites."  # the package of what the suites are made of


class Judge:
    """Hooks of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.crew: Crew  # once the checks are known

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the run known to the suites' fixtures."""
        config.stash[RUN] = self.run
        config.pluginmanager.register(given, "scratchwork-given")
        if not config.pluginmanager.has_plugin("terminal"):
            config.option.tbstyle = "native"  # nobody reads pytest's own, and drawing it costs more than the check
        config.addinivalue_line("markers", "task(id): the task of the syllabus that a check belongs to")
        config.addinivalue_line(
            "markers", "warm(*modules): what a probe of this check imports, kept warm for its worker"
        )
        config.addinivalue_line("markers", "holds(*sentences): the sentences of the stub that this check holds")
        config.addinivalue_line("markers", "limits(**changes): limits of this check that differ from its milestone's")
        config.addinivalue_line(
            "markers",
            "checkpoint(copies): how often this check's worker holds the checkpoint, whose size its limits grow with",
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Fix the list of checks, in the suites' order, before any student code runs."""
        dropped = []
        for item in items:
            check = self._plan(item)
            if check is None:
                dropped.append(item)
            else:
                item.stash[CHECK] = check
        # A suite may lie in several files; whatever they are called, its tasks come in the syllabus's order.
        order = {task.id: place for place, task in enumerate(self.run.syllabus.tasks)}
        items[:] = [item for item in items if CHECK in item.stash]
        items.sort(key=lambda item: order[item.stash[CHECK].task.id])
        for position, item in enumerate(items):
            item.stash[CHECK].position = item.stash[CHECK].order = position
            self.run.planned.append(item.stash[CHECK])
        if dropped:
            config.hook.pytest_deselected(items=dropped)
        rooms = (SUITES, *{f"{item.module.__package__}." for item in items})  # type: ignore[attr-defined]
        suites = [module for name, module in sys.modules.items() if name.startswith(rooms)]
        shortcuts = [name for milestone in self.run.syllabus.milestones for name in milestone.shortcuts]
        mistakes.seal({id(one): one for one in [*suites, *(item.module for item in items)]}.values(), shortcuts)  # type: ignore[attr-defined]

    def pytest_collection_finish(self) -> None:
        """Say how many checks there will be."""
        if self.run.tell:
            self.run.tell(self.run.planned)
        if self.run.listener:
            self.run.listener.start(len(self.run.planned))

    def _plan(self, item: pytest.Item) -> Planned | None:
        milestone = self.run.syllabus.milestone(item.path.parent.name)
        if milestone.id not in self.run.options.milestones:
            return None
        marker = item.get_closest_marker("task")
        if marker is None:
            raise pytest.UsageError(f"{item.nodeid} has no task")
        name = item.name
        if self.run.options.only is not None and name.partition("[")[0] not in self.run.options.only:
            return None
        task = next((task for task in milestone.tasks if task.id == marker.args[0]), None)
        if task is None:
            raise pytest.UsageError(f"{item.nodeid} belongs to {marker.args[0]}, which is not in the syllabus")
        if self.run.options.tasks is not None and task.id not in self.run.options.tasks:
            return None
        changes = {key: value for mark in item.iter_markers("limits") for key, value in mark.kwargs.items()}
        limits = milestone.limits.changed(**changes)
        for mark in item.iter_markers("checkpoint"):
            named = self.run.weights.llama if mark.kwargs.get("of") == "llama" else self.run.weights
            limits = named.room_for(limits, mark.kwargs["copies"])
        timeout = item.get_closest_marker("timeout")
        if timeout is None:
            item.add_marker(pytest.mark.timeout(limits.seconds))
        else:
            limits = limits.changed(seconds=float(timeout.args[0]))
        doc = (getattr(item.function, "__doc__", None) or "").strip().splitlines()  # type: ignore[attr-defined]
        if not doc:
            raise pytest.UsageError(f"{item.nodeid} has no docstring, so a report could not say what it checks")
        title = doc[0] if "[" not in name else f"{doc[0]} [{name.partition('[')[2]}"
        warm = tuple(name for mark in item.iter_markers("warm") for name in mark.args)
        return Planned(milestone, task, name, title, limits, warm)

    # ── one check ─────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool:
        """Take over the clock: the check's worker is killed at the deadline, and the judge goes on."""
        check = item.stash[CHECK]
        check.limits = check.limits.changed(seconds=float(settings.timeout))
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool:
        """Nothing of pytest-timeout's own was started."""
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        """Run the checks, with further judges where the run may have them."""
        self.run.supply.boot()  # in this thread, with which a server would end, and before further judges are forked
        self.crew = Crew(self.run.planned, self.run.workers, self.run.options.judges)
        self.run.supply.others = self.crew
        self.crew.enlist(functools.partial(self._help, session))
        try:
            return (yield)
        finally:
            self.crew.dismiss()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Give a check its outcome: the one that another judge has found, or by running it."""
        check = item.stash[CHECK]
        ended = None if self.crew.leaves(check) else self.crew.ended(check, self._tell_beside)
        self._tell_beside()
        if ended:
            self.run.take_over(check, *ended, self.crew.known(check.milestone.id))
        else:
            item.session._setupstate.teardown_exact(item)  # those before may have been another judge's
            self._judge(item, nextitem)
        return True

    def _tell_beside(self) -> None:
        if self.run.listener and self.run.options.judges > 1:
            self.run.listener.ended_beside(*self.crew.beside())

    def _help(self, session: pytest.Session, helper: Helper, workers: Any) -> None:
        """Run one check after another in a fork of the first judge."""
        items, planned = list(session.items), self.run.planned
        self.run.help_out(workers, helper)
        planned.clear()

        def more() -> list[tuple[int, pytest.Item]]:
            found = [(position, items[position]) for position in helper.more()]
            for _, item in found:
                item.stash[CHECK].position = len(planned)  # among those that this judge looks ahead to
                planned.append(item.stash[CHECK])
            return found

        try:
            now = more()
            while now:
                following = more()
                for index, (position, item) in enumerate(now):
                    self._judge(item, now[index + 1][1] if index + 1 < len(now) else None)
                    helper.tell(position, item.stash[CHECK].results[0], item.stash[CHECK].calls)
                now = following
        finally:
            self.run.supply.close()
            workers.close()

    def _judge(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Run one check and give it its outcome, or end it at once when its module cannot be used."""
        check = item.stash[CHECK]
        self.run.begin(check)
        problem = self.run.problem(check)
        if problem is None:
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            runtestprotocol(item, nextitem=nextitem)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        self.run.finish(check, problem)
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            if hasattr(sys, name):  # pytest keeps the last failure there for debuggers, and all that it holds
                delattr(sys, name)
        self.run.clear_away(check)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Keep the first exception of a check, whichever phase it came from."""
        report = yield
        check = item.stash[CHECK]
        if call.excinfo is not None and check.error is None:
            check.error = call.excinfo.value
            if isinstance(check.error, pytest.skip.Exception | pytest.xfail.Exception):
                check.error = GraderError("a check must not be skipped")
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a suite could not be read: pytest itself only says that it was interrupted."""
        if report.failed:
            last = str(report.longrepr).strip().splitlines()[-1]
            self.run.fault = f"{report.nodeid}: {last.removeprefix('E   ')}"

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep what went wrong in the grader itself, so that it can be said."""
        self.run.fault = f"{excinfo.typename}: {excinfo.value}"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End what is still running, and let the exit code say whether everything passed."""
        self.run.supply.close()
        mistakes.forget()
        bad = any(result.outcome != "passed" for check in self.run.planned for result in check.results)
        if bad and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
