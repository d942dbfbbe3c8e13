"""A command run from a notebook, and its page as the notebook shows it: shut in, without scripts."""

from __future__ import annotations

import html
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from grader.syllabus import REPOSITORY

# What a kernel has set for itself, and what makes a Python drop docstrings or start elsewhere.
UNWANTED = ("MPLBACKEND", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "PYTHONOPTIMIZE", "PYTHONSAFEPATH")
WIDTH = 100  # columns of the report as text


@dataclass(frozen=True)
class Said:
    """What a command has printed, and its page where it wrote one."""

    text: str
    page: str = ""


def run(words: Sequence[str]) -> Said:
    """Run a command of the grader's, as if it stood at a prompt in the repository."""
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    environment |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(WIDTH), "PYTHONIOENCODING": "utf-8"}
    if not environment.get("CI"):
        environment.setdefault("SCRATCHWORK_WARM", "1")  # whoever works in a notebook grades again and again
    done = subprocess.run(
        [sys.executable, "-m", "grader", *words],
        cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    return Said(done.stdout.decode("utf-8", "replace"))


def graded(words: Sequence[str], cells: bytes | None) -> Said:
    """Grade, with these cells in the place of the milestone's own file where there are any; return report and page."""
    with TemporaryDirectory(prefix="scratchwork-notebook-") as folder:
        page, notebook = Path(folder) / "page.html", Path(folder) / "cells.ipynb"
        more = ["--html", str(page)]
        if cells is not None:
            notebook.write_bytes(cells)
            more += ["--cells", str(notebook)]
        said = run(["grade", *words, *more])
        return Said(said.text, page.read_text(encoding="utf-8") if page.is_file() else "")


def framed(page: str, title: str) -> str:
    """Return a page as a part of a notebook: in a frame without scripts, forms, or a way to what is around it."""
    style = "width: 100%; height: 36rem; border: 1px solid #8886; resize: vertical"
    return (
        f'<iframe sandbox="" referrerpolicy="no-referrer" style="{style}" title="{html.escape(title)}" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )
