"""What `.scratchwork/stretch.json` keeps: the figures that stretch goals came to, so that one runs against oneself."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import files
from .progress import FOLDER, REPOSITORY, spoiled
from .syllabus import STRETCH, Milestone

SCHEMA = "scratchwork-stretch/1"
LARGEST = 16 * 2**20  # bytes
MOST = 2_000  # runs, the newest


@dataclass(frozen=True)
class Run:
    """One measure of a stretch goal: some rounds on one day."""

    folder: str
    milestone: str
    goal: str  # what was measured, and where: other goals' figures are never compared with these
    day: str  # "2026-11-29"
    figures: list[float]


class Stretches:
    """The kept runs."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(os.environ.get(FOLDER) or REPOSITORY / ".scratchwork") / "stretch.json"
        self.trouble: str | None = None
        self._spoiled = False
        self._runs: list[Run] = []
        try:
            self._runs = readable(files.read_json(self.path, LARGEST))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._spoiled = True
            self.trouble = (
                f"{self.path} could not be read, so earlier figures are not known ({files.reason(error)}); "
                "it is written anew, and the old one kept beside it."
            )

    def earlier(self, folder: Path, milestone: str, goal: str) -> list[Run]:
        """Return the runs of the same goal in the same folder, the oldest first."""
        wanted = (str(folder.resolve()), milestone, goal)
        return [run for run in self._runs if (run.folder, run.milestone, run.goal) == wanted]

    def remember(self, folder: Path, milestone: str, goal: str, day: str, figures: list[float]) -> None:
        """Keep a run."""
        self._runs = [*self._runs, Run(str(folder.resolve()), milestone, goal, day, figures)][-MOST:]
        plain = {"schema": SCHEMA, "runs": [asdict(run) for run in self._runs]}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix="stretch-")
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    json.dump(plain, file)
                if self._spoiled:
                    os.replace(self.path, spoiled(self.path))
                    self._spoiled = False
                os.replace(name, self.path)
            except BaseException:  # an interrupt as well: no half a file stays; it is raised again
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            self.trouble = f"{self.path} could not be written ({error.strerror}), so this run is not remembered."


def goal_of(milestone: Milestone, device: str, level: str, environment: str) -> str:
    """Return what figures depend on besides the student's code, as one hash: the measure and the machine's software."""
    assert milestone.stretch is not None
    measure = (milestone.room / STRETCH).read_bytes()
    parts = (milestone.stretch.figure, milestone.stretch.unit, device, level, environment)
    return hashlib.sha256(b"\0".join([measure, *(part.encode() for part in parts)])).hexdigest()


def readable(plain: Any) -> list[Run]:
    """Return the runs of a state as it was read; those that are none are lost alone. Raises ValueError for no state."""
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA or not isinstance(plain.get("runs"), list):
        raise ValueError(f"it holds no runs of schema {SCHEMA}")
    found = []
    for run in plain["runs"]:
        match run:
            case {"folder": str(), "milestone": str(), "goal": str(), "day": str(), "figures": [_, *_] as figures}:
                if len(run) == 5 and all(type(value) is float and 0 < value < math.inf for value in figures):
                    found.append(Run(**run))
    return found
