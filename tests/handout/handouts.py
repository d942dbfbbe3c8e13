"""Handouts to be tried: built from a course, and lying in a folder with the grader and git at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import support
import warm

from grader import course
from grader.handout import contents, withholding
from grader.judge.grading import count_checks

SMALL = '[course]\nname = "A small course"\nmilestones = ["m00", "m04"]\n'
LARGER = '[course]\nname = "A small course"\nmilestones = ["m00", "m03", "m04"]\n'


def built(
    text: str = "", withheld: list[str] | None = None, where: Path | None = None, **more: bool
) -> contents.Handout:
    """Return a handout of the course that a text describes, of the whole syllabus for no text."""
    own = None
    if text:
        path = where / "course.toml"
        path.write_text(text, encoding="utf-8")
        own = course.load(path)
    counts = {}
    if withheld:
        tasks = withholding.tasks_named(withheld, support.COURSE)
        known = count_checks(support.COURSE, sorted({support.COURSE.task(task)[0].id for task in tasks}))
        counts = {task: known[task] for task in tasks}
    return contents.build(support.COURSE, own, counts, **more)


def command(place, *arguments, sandbox=None, **environment):
    """Run the grader that lies in a folder, in the sandbox of its own that it starts unless one is lent to it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCRATCHWORK")}
    return warm.run("grader", *arguments, cwd=place, env=env | {"COLUMNS": "100"} | environment, sandbox=sandbox)


def git(place, *arguments):
    """Run git as somebody whom no machine knows."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main"]
    env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *who, *arguments], cwd=place, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def nox(place, *arguments):
    """Run nox as a student would, but with the packages of this Python and no network."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SCRATCHWORK", "NOX"))}
    return subprocess.run(
        [sys.executable, "-m", "nox", "--no-venv", *arguments],
        cwd=place, capture_output=True, text=True, check=False, timeout=200,
        env=env | {"COLUMNS": "100", "OMP_NUM_THREADS": "1", "PIP_NO_INDEX": "1"},
    )  # fmt: skip
