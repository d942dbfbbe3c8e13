"""What `.scratchwork/progress.json` keeps between runs: milestones as last graded, and how many hints were shown."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from . import record
from .submission import Submission

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = "SCRATCHWORK_STATE"  # the environment variable that names another folder for it
SCHEMA = "scratchwork-progress/1"


class Progress:
    """The kept state. It is a convenience of practice runs; nothing official rests on it."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path = path or Path(os.environ.get(FOLDER) or REPOSITORY / ".scratchwork") / "progress.json"
        self.trouble: str | None = None  # one sentence, when the file could not be read or written
        self._state: dict[str, Any] = {"schema": SCHEMA, "submissions": {}, "hints": {}}
        try:
            self._state = checked(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.trouble = f"{path} could not be read, so earlier progress is not known; it is written anew."

    def passed(self, folder: Path, milestone: str, key: str) -> record.Milestone | None:
        """Return a milestone's result if it passed and nothing that counts has changed since."""
        kept = self._milestones(folder).get(milestone)
        if not kept or kept.get("key") != key:
            return None
        found = self.last(folder, milestone)
        if found is None or not found.passed:
            return None
        found.reused = True
        return found

    def last(self, folder: Path, milestone: str) -> record.Milestone | None:
        """Return a milestone's last result, whatever it was."""
        kept = self._milestones(folder).get(milestone)
        try:
            return record.milestone_from_json(kept["record"]) if kept else None
        except (ValueError, KeyError, TypeError):
            return None

    def remember(self, folder: Path, results: list[record.Milestone], keys: dict[str, str]) -> None:
        """Keep the results of this run."""
        plain = record.to_json(record.Record("", "", "", "", "", milestones=results))["milestones"]
        for milestone in plain:
            self._milestones(folder)[milestone["id"]] = {"key": keys[milestone["id"]], "record": milestone}
        self._save()

    def next_hint(self, task: str, rungs: int) -> int:
        """Return which rung of the ladder comes next, counted from 0, and remember that it was shown."""
        shown = self._state["hints"].get(task, 0)
        self._state["hints"][task] = min(shown + 1, rungs)
        self._save()
        return min(shown, rungs - 1)

    def _milestones(self, folder: Path) -> dict[str, Any]:
        return self._state["submissions"].setdefault(str(folder.resolve()), {})

    def _save(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix="progress-")
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(self._state, file)
            os.replace(name, self.path)
        except OSError as error:
            self.trouble = f"{self.path} could not be written ({error.strerror}), so this run is not remembered."


def checked(state: Any) -> dict[str, Any]:
    """Return the state as it was read; an exception of any kind if it is not of this shape."""
    if state["schema"] != SCHEMA or not all(type(count) is int for count in state["hints"].values()):
        raise ValueError("another schema")
    for milestones in state["submissions"].values():
        for kept in milestones.values():
            record.milestone_from_json(kept["record"])
            str.encode(kept["key"])
    return state


def key(submission: Submission, modules: list[str], grader: str, *settings: str) -> str:
    """Return what a milestone's result depends on, as one hash."""
    parts = "\0".join((submission.digest(modules), grader, *settings))
    return hashlib.sha256(parts.encode()).hexdigest()
