"""What the tests of the command line share beside fixtures: a submission's text, and processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import support

REPOSITORY, COURSE = support.REPOSITORY, support.COURSE
ATTENTION = COURSE.milestone("m04")
TOKENIZER = (support.TESTS / "golden" / "half_started" / "m01_tokenizer.py").read_text(encoding="utf-8")


def in_process_of_its_own(*arguments, module="grader", stdin="", **environment):
    """Run `python -m …` as a person would and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )


def flat(text):
    """Return a text on one line, so that a sentence is found however it was wrapped."""
    return " ".join(text.split())
