"""The syllabus: what is the course's own from one small file, and the milestones from their rooms, in order."""

from __future__ import annotations

import difflib
import functools
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader.sandbox import expected
from grader.sandbox.limits import Limits
from grader.sandbox.packages import ALLOWED, REFUSED, Own

REPOSITORY = Path(__file__).resolve().parents[1]
MANIFEST = Path(__file__).parent / "syllabus.toml"
ROOMS = Path(__file__).parent / "suites"
ROOM_FILE = "milestone.toml"  # what makes a folder a milestone's room
LOOPBACK = "loopback"  # in that file: whether the processes of a check may speak with each other over 127.0.0.1
STRETCH = "stretch.py"  # in a room: how its stretch goal is measured
MILESTONE_ID = re.compile(r"[mx]\d\d_[a-z0-9]+")
TASK = re.compile(r"\.\d+$")  # the end of a task's name
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)  # what stands after `import`
OWN_ID = re.compile(r"x\d\d_[a-z0-9]+")  # of a milestone that a course brings
STUB, GUIDE, SOLUTION = "stub.py", "guide.md", "solution.py"  # in the room of such a one; ours have folders for them


class SyllabusError(Exception):
    """The syllabus is wrong, or a name is not in it; the text is one sentence."""


@dataclass(frozen=True)
class Task:
    """One thing to implement."""

    id: str
    title: str
    points: float
    implements: tuple[str, ...]
    hints: tuple[str, ...]
    rests_on: tuple[str, ...] = ()  # earlier tasks whose functions it, or a check of it, calls
    withheld: int = 0  # in a handout: how many checks of this task run on the course's own server and are not here


@dataclass(frozen=True)
class Stretch:
    """What somebody who has passed may go on to: a figure that is measured against their own earlier ones."""

    title: str  # "Encode faster"
    figure: str  # what is measured: "kilobytes of stories encoded in a second of processor time"
    unit: str  # "kB/s"
    less: bool = False  # whether less of it is better
    seeds: bool = False  # whether rounds differ by chance, as what was learned does; else by what disturbs a machine

    def counting(self, rounds: Sequence[float]) -> float:
        """Return what of some rounds counts: the mean of seeds, or the best round, which was disturbed least."""
        if self.seeds:
            return sum(rounds) / len(rounds)
        return min(rounds) if self.less else max(rounds)


@dataclass(frozen=True)
class Milestone:
    """One module of the course."""

    id: str
    title: str
    summary: str
    room: Path  # the folder with its suite
    tasks: tuple[Task, ...]
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()  # brought along when the submission has them; never in the way when it hasn't
    shortcuts: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()  # packages that its module may import besides those that all may
    warm: tuple[str, ...] = ()  # modules of these that its workers find imported
    limits: Limits = field(default_factory=Limits)
    own: bool = False  # brought by a course, in a room outside of this repository
    stretch: Stretch | None = None
    due: str = ""  # as a course has it, for people to read; nothing is decided by it here

    @property
    def number(self) -> str:
        """The short id: "m04"."""
        return self.id[:3]

    @property
    def stub(self) -> Path:
        """The module that students start from."""
        return self.room / STUB if self.own else REPOSITORY / "exercises" / f"{self.id}.py"

    @property
    def guide(self) -> Path:
        """The page about it."""
        return self.room / GUIDE if self.own else REPOSITORY / "exercises" / f"{self.id}.md"

    @property
    def page(self) -> str:
        """The guide as a person is told of it."""
        return str(self.guide) if self.own else f"exercises/{self.id}.md"

    @property
    def solution(self) -> Path:
        """The stub, filled in."""
        return self.room / SOLUTION if self.own else REPOSITORY / "solutions" / f"{self.id}.py"

    @property
    def points(self) -> float:
        """All points of this milestone."""
        return sum(task.points for task in self.tasks)


@dataclass(frozen=True)
class Syllabus:
    """The whole course."""

    name: str
    allowed_imports: tuple[str, ...]
    max_source_bytes: int
    milestones: tuple[Milestone, ...]
    limits: Limits = field(default_factory=Limits)  # of a check, where its milestone has no others
    repository: str = ""  # where students get the course on GitHub, as its file says

    @property
    def own(self) -> tuple[Milestone, ...]:
        """Those that a course brings."""
        return tuple(milestone for milestone in self.milestones if milestone.own)

    def bringing(self, own: Iterable[Milestone]) -> Syllabus:
        """Return the syllabus with a course's own milestones after ours, closed to students' code as ours are.

        Raises SyllabusError where they contradict themselves or ours.
        """
        from grader.sandbox import levels

        brought = tuple(milestone for milestone in own if milestone not in self.milestones)
        if not brought:
            return self
        levels.keep_private(milestone.room for milestone in brought)
        _check((*self.milestones, *brought))
        return replace(self, milestones=(*self.milestones, *brought))

    def milestone(self, name: str) -> Milestone:
        """Return the milestone that a person means by `m04`, `4`, `attention` or `m04_attention`.

        Raises SyllabusError, with a guess at what was meant, when there is none.
        """
        wanted = name.strip().lower().removesuffix(".py").rpartition("/")[2]
        for milestone in self.milestones:
            bare = wanted.isdecimal() and milestone.id.startswith("m") and int(wanted) == int(milestone.id[1:3])
            if bare or wanted in (milestone.id, milestone.number, milestone.id[4:]):
                return milestone
        names = [name for milestone in self.milestones for name in (milestone.id, milestone.id[4:], milestone.number)]
        digits = wanted.lstrip("mx")  # m0 means m00, and resembles m08 as much
        close = [m.number for m in self.milestones if digits.isdecimal() and int(digits) == int(m.id[1:3])]
        close = close or difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
        guess = f"did you mean {close[0]}?" if close else f"there are {', '.join(m.id for m in self.milestones)}."
        raise SyllabusError(f"There is no milestone {name!r}; {guess}")

    @property
    def tasks(self) -> list[Task]:
        """All tasks, in order."""
        return [task for milestone in self.milestones for task in milestone.tasks]

    def named(self, name: str) -> tuple[Milestone, Task | None]:
        """Return the milestone that a person means, and the task of it if they mean one: `m04`, `m04.2`.

        Raises SyllabusError.
        """
        if TASK.search(name.strip()):
            return self.task(name)
        return self.milestone(name), None

    def task(self, name: str) -> tuple[Milestone, Task]:
        """Return a task by its id; `04.2` and `attention.2` do as well."""
        head, _, tail = name.strip().lower().rpartition(".")
        try:
            milestone = self.milestone(head)
        except SyllabusError as error:
            said = str(error).replace(f"milestone {head!r}", f"task {name!r}")
            raise SyllabusError(f"{said[:-1]}.{tail}?" if said.endswith("?") else said) from None
        for task in milestone.tasks:
            if task.id.rpartition(".")[2] == tail:
                return milestone, task
        known = ", ".join(task.id for task in milestone.tasks)
        raise SyllabusError(f"There is no task {name!r}; {milestone.id} has {known}.")

    def with_needs(self, milestone: Milestone) -> list[str]:
        """Return the module names that a milestone is made of: its needs, theirs, and itself last."""
        found: list[str] = []
        for need in milestone.needs:
            for name in self.with_needs(self.milestone(need)):
                if name not in found:
                    found.append(name)
        return [*found, milestone.id]

    def own_packages(self, milestone: Milestone) -> Own:
        """Return what a milestone's workers have beyond what all have: its own, and those of what lies beside."""
        ids = set(self.with_uses(milestone))
        beside = [other for other in self.milestones if other.imports and other.id in ids]
        names = {name: None for other in beside for name in other.imports}
        return Own(tuple(names), tuple({module: None for other in beside for module in other.warm}))

    def with_uses(self, milestone: Milestone) -> list[str]:
        """Return the modules that lie beside a milestone's: what it is made of, and after it what it uses if it can."""
        found = self.with_needs(milestone)
        known = {other.id: other for other in self.milestones}
        for use in milestone.uses:
            for name in self.with_needs(known[use]) if use in known else [use]:
                if name not in found:
                    found.append(name)
        return found


@functools.cache
def load(manifest: Path = MANIFEST, rooms: Path = ROOMS) -> Syllabus:
    """Read the course's own file and every room. Raises SyllabusError when they contradict themselves."""
    course = tomllib.loads(manifest.read_text(encoding="utf-8"))["course"]
    limits = Limits(**course["limits"])
    milestones = [read_room(path.parent, limits) for path in sorted(rooms.glob(f"*/{ROOM_FILE}"))]
    last = course.get("last", [])  # in a handout: what the course brought, in its order
    milestones.sort(key=lambda milestone: last.index(milestone.id) + 1 if milestone.id in last else 0)
    _check(tuple(milestones))
    allowed = tuple(course["allowed_imports"])
    repository = course.get("repository", "")  # in a handout: the address that the course's file has
    return Syllabus(course["name"], allowed, course["max_source_bytes"], tuple(milestones), limits, repository)


def read_room(room: Path, limits: Limits, own: bool = False) -> Milestone:
    """Read a milestone's entry in its room. `limits` are the course's, which it may change."""
    plain = tomllib.loads((room / ROOM_FILE).read_text(encoding="utf-8"))
    expected.shortcuts.update(plain.get("shortcuts", ()))
    return Milestone(
        id=room.name,
        title=plain["title"],
        summary=plain["summary"],
        room=room,
        tasks=tuple(_task(task) for task in plain["task"]),
        needs=tuple(plain.get("needs", ())),
        uses=tuple(plain.get("uses", ())),
        shortcuts=tuple(plain.get("shortcuts", ())),
        imports=_names(plain, "imports", room.name),
        warm=_names(plain, "warm", room.name),
        limits=_limits(plain, room, limits),
        own=own,
        stretch=_stretch(plain["stretch"], room) if "stretch" in plain else None,
        due=plain.get("due", ""),
    )


def _limits(plain: dict[str, Any], room: Path, limits: Limits) -> Limits:
    """Return a room's limits: what it changes of the course's, and whether its workers have a loopback."""
    loopback = plain.get(LOOPBACK, False)
    if type(loopback) is not bool or LOOPBACK in plain.get("limits", {}):
        raise SyllabusError(f"{room.name}: {LOOPBACK} is true or false, and stands above the limits.")
    return limits.changed(loopback=loopback, **plain.get("limits", {}))


def _stretch(plain: dict[str, Any], room: Path) -> Stretch | None:
    """Return a room's stretch goal; None where its measure is not here, as in a copy without the suite."""
    if not (room / STRETCH).is_file():
        return None
    less, seeds = plain.get("better", "more") == "less", plain.get("rounds", "repeats") == "seeds"
    return Stretch(plain["title"], plain["figure"], plain["unit"], less, seeds)


def _names(plain: dict[str, Any], key: str, milestone: str) -> tuple[str, ...]:
    """Return a room's list of names, each of them once. Raises SyllabusError for anything else."""
    found = plain.get(key, [])
    if not isinstance(found, list) or not all(isinstance(name, str) and DOTTED.fullmatch(name) for name in found):
        raise SyllabusError(f"{milestone}: {key} is a list of names as they stand after `import`.")
    if twice := [name for name in found if found.count(name) > 1]:
        raise SyllabusError(f"{milestone} has {twice[0]} twice in {key}.")
    return tuple(found)


def _task(plain: dict[str, Any]) -> Task:
    return Task(
        id=plain["id"],
        title=plain["title"],
        points=float(plain["points"]),
        implements=tuple(plain["implements"]),
        hints=tuple(plain["hints"]),
        rests_on=tuple(plain.get("rests_on", ())),
        withheld=plain.get("withheld", 0),
    )


def _check(milestones: tuple[Milestone, ...]) -> None:
    seen: set[str] = set()
    tasks: set[str] = set()
    for milestone in milestones:
        if not MILESTONE_ID.fullmatch(milestone.id):
            raise SyllabusError(f"{milestone.id!r} is no name for a milestone.")
        if twice := [other for other in seen if other[:3] == milestone.number]:
            raise SyllabusError(f"{milestone.id} has the number of {twice[0]}; give it another.")
        if missing := [need for need in milestone.needs if need not in seen]:
            raise SyllabusError(f"{milestone.id} needs {missing[0]}, which does not come before it.")
        if odd := [use for use in milestone.uses if not MILESTONE_ID.fullmatch(use) or use == milestone.id]:
            raise SyllabusError(f"{milestone.id} uses {odd[0]!r}, which is no other milestone.")
        _check_packages(milestone)
        seen.add(milestone.id)
        for number, task in enumerate(milestone.tasks, start=1):
            if task.id != f"{milestone.number}.{number}":
                raise SyllabusError(f"{milestone.id}: the task {task.id} should be {milestone.number}.{number}.")
            if task.points <= 0 or not task.implements:
                raise SyllabusError(f"{task.id} has no points or implements nothing.")
            if len(task.hints) != 3 or not all(hint.strip() for hint in task.hints):
                raise SyllabusError(f"{task.id} needs three hints.")
            if missing := [other for other in task.rests_on if other not in tasks]:
                raise SyllabusError(f"{task.id} rests on {missing[0]}, which does not come before it.")
            tasks.add(task.id)


def _check_packages(milestone: Milestone) -> None:
    """Refuse as a milestone's own what all may import, what nobody may, and what only looks like a package."""
    for name in milestone.imports:
        if name in ALLOWED or name in sys.stdlib_module_names:
            raise SyllabusError(f"{milestone.id} imports {name}, which every milestone may.")
        if "." in name or name in (*REFUSED, "grader", "solutions", "exercises"):
            raise SyllabusError(f"{milestone.id} imports {name}, which no milestone can have.")
    if odd := [module for module in milestone.warm if module.partition(".")[0] not in milestone.imports]:
        raise SyllabusError(f"{milestone.id} keeps {odd[0]} warm, which belongs to none of its imports.")
