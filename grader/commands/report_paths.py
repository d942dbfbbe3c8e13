"""Report paths, looked at before anything is graded."""

from __future__ import annotations

import os
from pathlib import Path

from grader.judge.errors import UsageProblem
from grader.reports.text_file import unwritable


def check_another(out: str | None, read: str) -> None:
    """Raise UsageProblem where a command would write over what it reads."""
    if out is not None and os.path.realpath(out) == os.path.realpath(read):
        raise UsageProblem(f"{out} is the record itself; name another file, so that nothing of it is lost.")


def check_writable(paths: list[str | None]) -> None:
    """Raise UsageProblem, with one sentence, for the first path that a report could not be written to."""
    for name in paths:
        if name is None:
            continue
        path = Path(name)
        folder = path.parent
        if wrong := unwritable(path):
            raise UsageProblem(f"The report cannot be written to {name}: {wrong}.")
        if not folder.is_dir():
            raise UsageProblem(f"The report cannot be written to {name}: there is no folder {folder}.")
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise UsageProblem(f"The report cannot be written to {name}: it is read-only.")
