"""What `.scratchwork/progress.json` keeps between runs: milestones as last graded, and how many hints were shown."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from . import files, record, schema
from .submission import Submission

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = "SCRATCHWORK_STATE"  # the environment variable that names another folder for it
SCHEMA = "scratchwork-progress/1"
LARGEST = 256 * 2**20  # bytes: every milestone of many folders, with all that they printed
MOST_HINTS = 1000  # that may have been shown for a task


class Progress:
    """The kept state. It is a convenience of practice runs; nothing official rests on it."""

    lasting = True  # whether anything is kept, also of what failed

    def __init__(self, path: Path | None = None) -> None:
        self.path = path = path or Path(os.environ.get(FOLDER) or REPOSITORY / ".scratchwork") / "progress.json"
        self.trouble: str | None = None  # one sentence, when the file could not be read or written
        self._spoiled = False  # whether what lies there now is no progress file, and is kept aside in writing
        self._state: dict[str, Any] = {"schema": SCHEMA, "submissions": {}, "hints": {}}
        try:
            self._state, lost = readable(files.read_json(path, LARGEST))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._spoiled = True
            self.trouble = (
                f"{path} could not be read, so earlier progress is not known ({files.reason(error)}); "
                "it is written anew, and the old one kept beside it."
            )
            return
        if lost:
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            self.trouble = (
                f"{path} has entries that could not be read ({', '.join(lost[:3])}{more}); they are forgotten, "
                "and all others still known."
            )

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
        return record.milestone_from_json(kept["record"]) if kept else None

    def remember(self, folder: Path, results: list[record.Milestone], keys: dict[str, str]) -> None:
        """Keep the results of this run."""
        plain = record.to_json(record.Record("", "", "", "", "", milestones=results))["milestones"]
        for milestone in plain:
            self._milestones(folder)[milestone["id"]] = {"key": keys[milestone["id"]], "record": milestone}
        self._save()

    def next_hint(self, task: str, rungs: int) -> int:
        """Return which rung of the ladder comes next, counted from 0, and remember that it was shown."""
        shown: int = min(self._state["hints"].get(task, 0), rungs - 1)
        self._state["hints"][task] = shown + 1
        self._save()
        return shown

    def _milestones(self, folder: Path) -> dict[str, Any]:
        return self._state["submissions"].setdefault(str(folder.resolve()), {})

    def _save(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix="progress-")
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    json.dump(self._state, file)
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


def readable(plain: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what is sound in a state as it was read, and the name of each entry that is not: it is lost alone.

    Raises ValueError for what is no state of this schema at all.
    """
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise ValueError(f"it is no progress of schema {SCHEMA}")
    state: dict[str, Any] = {"schema": SCHEMA, "submissions": {}, "hints": {}}
    lost: list[str] = []
    for folder, milestones in _entries(plain, "submissions", lost):
        for name, kept in _entries({folder: milestones}, folder, lost):
            if _is_result(name, kept):
                state["submissions"].setdefault(folder, {})[name] = {"key": kept["key"], "record": kept["record"]}
            else:
                lost.append(schema.shown(name))
    for task, shown in _entries(plain, "hints", lost):
        if type(shown) is int and 0 <= shown <= MOST_HINTS:
            state["hints"][task] = shown
        else:
            lost.append(f"hints of {schema.shown(task)}")
    return state, lost


def _entries(plain: dict[str, Any], name: str, lost: list[str]) -> list[tuple[str, Any]]:
    part = plain.get(name)
    if isinstance(part, dict):
        return list(part.items())
    lost.append(schema.shown(name))
    return []


def _is_result(name: str, kept: Any) -> bool:
    try:
        return isinstance(kept["key"], str) and record.milestone_from_json(kept["record"]).id == name
    except (ValueError, KeyError, TypeError):
        return False


def spoiled(path: Path) -> Path:
    """Return a name for a file that can't be read, beside it, that nothing has: progress.spoiled.json."""
    return files.unused(path.with_name(f"{path.stem}.spoiled{path.suffix}"), path.suffix)


def key(submission: Submission, modules: list[str], grader: str, *settings: str) -> str:
    """Return what a milestone's result depends on, as one hash."""
    parts = "\0".join((submission.digest(modules), grader, *settings))
    return hashlib.sha256(parts.encode()).hexdigest()
