"""Which files changed: a look at names, times and sizes, which works on every file system and with every editor."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader.submission import NOTEBOOK, SOURCE, module_files
from grader.syllabus import Milestone, Syllabus

GRADER = Path(__file__).resolve().parents[1]
SETTLED = 0.04  # seconds without a change after which an editor has finished writing
RESTLESS = 1.0  # seconds after which what never comes to rest is taken as it is

Stamp = tuple[int, int, int]


@dataclass
class Touched:
    """What a save means: modules and guides of the student's, suites, or the grader itself."""

    modules: set[str] = field(default_factory=set)  # milestone ids
    guides: set[str] = field(default_factory=set)
    suites: set[str] = field(default_factory=set)
    grader: bool = False

    def __bool__(self) -> bool:
        return bool(self.modules or self.guides or self.suites or self.grader)


class Watched:
    """The files that a watch looks at."""

    def __init__(self, folder: Path, guides: Path, course: Syllabus) -> None:
        self._folder, self._guides, self._course = folder, guides, course
        self._rooms = {milestone.room: milestone.id for milestone in course.milestones}
        self._own = {milestone.guide: milestone.id for milestone in course.own}
        self._seen = self._look()

    def touched(self) -> Touched:
        """Return what has changed since the last call, once whoever writes has finished, or after a second."""
        now = self._look()
        if now == self._seen:
            return Touched()
        until = time.monotonic() + RESTLESS
        while True:
            time.sleep(SETTLED)
            before, now = now, self._look()
            if now == before or time.monotonic() > until:
                break
        changed = {path for path in now.keys() | self._seen.keys() if now.get(path) != self._seen.get(path)}
        self._seen = now
        return self._sort(changed)

    def changed(self) -> bool:
        """Whether anything has changed that `touched` would tell of."""
        return self._look() != self._seen

    def _look(self) -> dict[Path, Stamp]:
        paths = [self._folder / file for file in module_files(self._course)]
        paths += [self._guides / f"{milestone.id}.md" for milestone in self._course.milestones]
        for folder in (GRADER, *(milestone.room for milestone in self._course.own)):
            paths += [*folder.rglob("*.py"), *folder.rglob("*.toml")]
        paths += self._own
        return dict(_stamped(paths))

    def _sort(self, changed: set[Path]) -> Touched:
        touched = Touched()
        for path in changed:
            if path.parent == self._folder and path.suffix in (SOURCE, NOTEBOOK):
                touched.modules.add(path.stem)
            elif path in self._own:
                touched.guides.add(self._own[path])
            elif path.parent == self._guides:
                touched.guides.add(path.stem)
            elif owner := self._rooms.get(path.parent):
                touched.suites.add(owner)
            else:
                touched.grader = True
        return touched


def _stamped(paths: Iterable[Path]) -> Iterable[tuple[Path, Stamp]]:
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # not there: seen as a change when it comes
        yield path, (status.st_mtime_ns, status.st_size, status.st_ino)


def affected(course: Syllabus, modules: set[str], passed: set[str]) -> list[Milestone]:
    """Return what to grade when these modules changed: they themselves, and what is made of them and had passed."""
    return [
        milestone
        for milestone in course.milestones
        if milestone.id in modules or (milestone.id in passed and modules & set(course.with_needs(milestone)))
    ]
