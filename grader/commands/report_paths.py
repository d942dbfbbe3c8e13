"""Report paths, looked at before anything is graded."""

from __future__ import annotations

import os
from pathlib import Path

from grader.judge.errors import UsageProblem


def check_writable(paths: list[str | None]) -> None:
    """Raise UsageProblem, with one sentence, for the first path that a report could not be written to."""
    for name in paths:
        if name is None:
            continue
        path = Path(name)
        folder = path.parent
        if path.is_dir():
            raise UsageProblem(f"The report cannot be written to {name}: it is a folder.")
        if not folder.is_dir():
            raise UsageProblem(f"The report cannot be written to {name}: there is no folder {folder}.")
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise UsageProblem(f"The report cannot be written to {name}: it is read-only.")
