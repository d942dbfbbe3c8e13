"""Hostile submissions: where they are, how one is graded without harm, and what it must not have left behind."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import proving
import pytest
import support
from attacks import archives, claims, files, notebooks, on_disk, pull_requests
from left_behind import (
    MARK,
    clear_up,
    left_files,
    left_processes,
    living_below,
    lying,
    private_temporary_folder,
    state_of_the_machine,
    torchs_own,
)

from grader import record
from grader.judge import crew, grading
from grader.judge.errors import GradingError
from grader.judge.given import RUN
from grader.judge.planned import Options
from grader.judge.plugin import Judge
from grader.judge.run import Run
from grader.sandbox import cores
from grader.submission import Submission
from grader.syllabus import Syllabus

FOLDER = support.TESTS / "attacks"
LEVELS = "bubblewrap user process"  # where an attack is graded that names no levels
# By functions, where it is needed.
BUILT: list[Callable[..., Any]] = [
    *on_disk.ALL,
    *archives.ALL,
    *claims.ALL,
    *pull_requests.ALL,
    *files.ALL,
    *notebooks.ALL,
]
PLANTED = ".planted"  # what stands behind the name of a file that no tool of this repository may take for its own
LOOT = "LOOT"  # what an attack prints when it got somewhere
WRITTEN_MARK = "sw-attack"  # what an attack's processes and files are called where it is written, for MARK
WRITTEN_COURSE = b"/the/course"  # what stands in an attack for the folder of this repository
PATIENCE = 25.0  # seconds of an idle machine after which a busy judge counts as hung; the longest attack takes ten
RIGHT = "m04_attention"  # whose solution is graded after an attack
DEFAULT_CHECKS = {
    RIGHT: ("test_three_tokens_see_themselves_and_what_came_before", "test_true_in_the_mask_means_may_look"),
    "m01_tokenizer": ("test_a_sentence_falls_into_words_numbers_and_punctuation",),
}


@dataclass(frozen=True)
class Attack:
    """One hostile submission, with what its docstring says about how to grade it."""

    path: Path  # a module, or a folder with one and with planted files
    preambles: tuple[str, ...]  # what several attacks begin with, put before this one's text
    title: str
    milestone: str
    checks: tuple[str, ...]
    levels: tuple[str, ...]
    outcomes: tuple[str, ...]  # how a check may end
    limits: dict[str, float] = field(hash=False)
    again: str = ""  # what else it is graded with, once more
    also: tuple[str, ...] = ()  # modules that the same source is handed in as, beside the milestone's own
    seed: str = "0"
    judges: int = 1  # that grade it side by side, from its first check on
    elsewhere: dict[str, str] = field(default_factory=dict, hash=False)  # what another level promises instead
    variant: str = ""  # what is different where it is graded once more
    gap: str = ""  # why this one is not stopped yet, where it is not

    @property
    def name(self) -> str:
        """The name of its file or folder, and of what is different."""
        return f"{self.path.stem}{self.variant}"

    @property
    def source(self) -> bytes:
        """The module itself, behind its preambles."""
        own = self.path / f"{self.milestone}.py" if self.path.is_dir() else self.path
        paths = [*(FOLDER / "preambles" / f"{name}.py" for name in self.preambles), own]
        return marked(b"\n\n".join(path.read_bytes() for path in paths))

    @property
    def sources(self) -> dict[str, bytes]:
        """All that is handed in: the other modules a milestone is made of are right, so that they hide nothing."""
        needed = support.COURSE.with_needs(support.COURSE.milestone(self.milestone))
        right = {name: support.source("solutions", name).encode() for name in needed}
        return right | dict.fromkeys((self.milestone, *self.also), self.source)


def marked(text: bytes) -> bytes:
    """Return an attack's text with the mark of this run, and with the place of the course that it is graded by."""
    return text.replace(WRITTEN_MARK.encode(), MARK.encode()).replace(WRITTEN_COURSE, bytes(support.REPOSITORY))


@functools.cache
def attacks() -> list[Attack]:
    """Return every attack in the folder; one that says `again: loopback` a second time, with one."""
    modules = [path for path in FOLDER.glob("[ab][0-9]*") if path.is_dir() or path.suffix == ".py"]
    found = []
    for attack in map(_read, sorted(modules)):
        found.append(attack)
        if attack.again:
            limits = attack.limits | {attack.again: 1}
            found.append(dataclasses.replace(attack, limits=limits, variant=f"-{attack.again}", levels=("bubblewrap",)))
    return found


def _read(path: Path) -> Attack:
    module = path / "m04_attention.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(module.read_bytes())) or ""
    title, _, rest = text.partition("\n")
    said = dict(line.split(": ", 1) for line in rest.splitlines() if ": " in line)
    milestone = said.pop("milestone", "m04_attention")
    return Attack(
        path=path,
        title=title,
        preambles=tuple(said.pop("preamble", "").split()),
        milestone=milestone,
        checks=tuple(said.pop("checks", "").split()) or DEFAULT_CHECKS[milestone],
        levels=tuple(said.pop("levels", LEVELS).split()),
        outcomes=tuple(said.pop("outcomes").split()),
        again=said.pop("again", ""),
        also=tuple(said.pop("also", "").split()),
        seed=said.pop("seed", "0"),
        judges=int(said.pop("judges", "1")),
        elsewhere={level: said.pop(level) for level in ("user", "process") if level in said},
        gap=said.pop("gap", ""),
        limits={name: float(value) if name == "seconds" else int(value) for name, value in said.items()},
    )


def security_table() -> str:
    """Return the table of docs/security.md: what each level promises against each attack."""
    rows = ["| attack | what it tries | bubblewrap | user | process |", "|---|---|---|---|---|"]
    for attack in (attack for attack in attacks() if not attack.variant):
        words = " | ".join(promise(attack, level) for level in ("bubblewrap", "user", "process"))
        rows.append(f"| {attack.name.partition('_')[0]} | {attack.title} | {words} |")
    for build in BUILT:
        number, title = build.__name__.partition("_")[0], (build.__doc__ or "").splitlines()[0]
        graded = build in pull_requests.GRADED
        words = "stopped | stopped | never graded there" if graded else "refused | refused | refused"
        rows.append(f"| {number} | {title} | {words} |")
    return "\n".join(rows)


def promise(attack: Attack, level: str) -> str:
    """Return in a few words what a level promises against an attack."""
    if attack.gap:
        return f"not stopped: {attack.gap}"
    if level in attack.elsewhere:
        return attack.elsewhere[level]
    if level not in attack.levels:
        raise ValueError(f"{attack.name} is not graded at the level {level} and does not say why")
    return "detected" if attack.name.startswith("a59") else "stopped"


def course(limits: dict[str, float]) -> Syllabus:
    """Return the syllabus with other limits."""
    milestones = tuple(
        dataclasses.replace(milestone, limits=milestone.limits.changed(**limits))
        for milestone in support.COURSE.milestones
    )
    return dataclasses.replace(support.COURSE, milestones=milestones)


@dataclass
class Battle:
    """What became of an attack, and what it has left behind."""

    record: record.Record | None  # None: there is none, since the judge had to be interrupted
    limit: float  # seconds of one check
    slowness: float  # by how much everything took longer than on an idle machine
    interrupted: list[str]  # where the judge was when it had to be interrupted
    judge_mb: float  # by how much the judge grew at its largest
    processes: list[str]
    files: list[str]
    machine_changed: bool
    complaints_afterwards: list[str]  # about a right submission that was graded next


@functools.cache
def fight(attack: Attack, level: str) -> Battle:
    """Grade an attack with the limits and checks that it asks for, then a right submission, and look around."""
    machine, before, slow = state_of_the_machine(), lying(), slowness()
    limits = course(attack.limits)
    with private_temporary_folder() as folder:
        try:
            result, afterwards, judge_mb, interrupted = _grade(attack, level, limits)
            return Battle(
                record=result,
                limit=limits.milestone(attack.milestone).limits.seconds,
                slowness=max(slow, slowness()),
                interrupted=interrupted,
                judge_mb=judge_mb,
                processes=left_processes(afterwards.suspects),
                files=sorted(left_files(before) | {name for name in os.listdir(folder) if not torchs_own(name)}),
                machine_changed=state_of_the_machine() != machine,
                complaints_afterwards=afterwards.complaints,
            )
        finally:
            clear_up(before)


@dataclass
class Afterwards:
    """What was there when an attack had been graded, and what became of the right submission after it."""

    suspects: dict[int, bytes]
    complaints: list[str]


class Followed(proving.Again):
    """A judge that grades an attack as every judge does, and then, with the same checks, a right submission."""

    def __init__(self, run: Run, level: str, told: list[Afterwards]) -> None:
        super().__init__(run)
        self.level, self.told = level, told

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        """Run the checks for the attack, and once more for the solution."""
        attacked = self.run
        done = yield from super().pytest_runtestloop(session)
        attacked.supply.close()
        suspects = living_below(_server(self.level))
        options = dataclasses.replace(attacked.options, seed="0", judges=1)
        right = Run(options, support.COURSE, _right(), attacked.workers, attacked.weights)
        self.grade_next(session, right)
        try:
            complaints = support.complaints_of(self.group(session, options.only))
        finally:
            right.supply.close()
            self.run = session.config.stash[RUN] = attacked
        self.told.append(Afterwards(suspects, complaints))
        return done


def _grade(attack: Attack, level: str, syllabus: Syllabus) -> tuple[record.Record | None, Afterwards, float, list[str]]:
    workers = support.sandbox(level)
    workers.wait()
    options = Options([attack.milestone], set(attack.checks), seed=attack.seed, judges=attack.judges)
    submission = Submission("submission", attack.sources)
    weights = support.weights()
    result, told = None, []
    judge = functools.partial(Followed, level=level, told=told) if attack.milestone == RIGHT else Judge
    slow, judge = mock.patch.object(crew, "LONG_SECONDS", 0), mock.patch.object(grading, "Judge", judge)
    with own_memory() as grown, watchdog() as interrupted, slow, judge:
        try:
            result = grading.grade(options, syllabus, submission, workers, weights)
        except GradingError:
            if not interrupted:
                raise
    if interrupted:
        support.close_all()  # whatever state they are in
    if interrupted or not told:
        suspects = living_below(_server(level))
        told = [Afterwards(suspects, _grade_right(level))]
    return result, told[0], grown[0], interrupted


def _grade_right(level: str) -> list[str]:
    """Grade a right submission in a session of its own: the checks of some milestones take too long for that."""
    options, workers = Options([RIGHT], set(DEFAULT_CHECKS[RIGHT])), support.sandbox(level)
    return support.complaints(grading.grade(options, support.COURSE, _right(), workers, support.weights()))


def _right() -> Submission:
    return Submission("submission", {RIGHT: support.source("solutions", RIGHT).encode()})


def _server(level: str) -> int:
    return getattr(support.sandbox(level), "_pid", 0)


def plant(attack: Attack, folder: Path) -> None:
    """Lay a folder's files out as a student would have handed them in."""
    for path in attack.path.rglob("*"):
        if path.is_file():
            target = folder / str(path.relative_to(attack.path)).removesuffix(PLANTED)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(marked(path.read_bytes()))


# ── what the judge itself must keep ───────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def own_memory() -> Iterator[list[float]]:
    """Give a list whose one item is, afterwards, by how many MB this process grew at its largest."""
    grown = [0.0]
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # start the peak anew
    before = _own_megabytes("VmHWM")
    yield grown
    grown[0] = _own_megabytes("VmHWM") - before


def _own_megabytes(name: str) -> float:
    with open("/proc/self/status", "rb") as file:
        line = next(line for line in file if line.startswith(name.encode()))
    return int(line.split()[1]) / 1024


def slowness() -> float:
    """Return by how much all takes longer here than on an idle machine: who wants to run, for each processor."""
    return max(1.0, os.getloadavg()[0] / cores.count())


class JudgeHung(BaseException):
    """The judge was still busy long after every limit."""


@contextlib.contextmanager
def watchdog(seconds: float = PATIENCE) -> Iterator[list[str]]:
    """Interrupt a judge that hangs, as often as it takes; what it was doing is in the list."""
    interrupted: list[str] = []

    def bark(number: int, frame: FrameType | None) -> None:
        interrupted.append("" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}")
        raise JudgeHung

    kept = signal.signal(signal.SIGALRM, bark)
    left, every = signal.setitimer(
        signal.ITIMER_REAL, seconds * slowness(), 10
    )  # pytest-timeout may use the same timer
    started = time.monotonic()
    try:
        yield interrupted
    except JudgeHung:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.1, left - (time.monotonic() - started)), every)
