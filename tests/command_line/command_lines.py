"""What the tests of the command line share beside fixtures: a submission's text, and processes of their own."""

from __future__ import annotations

import os

import support
import warm

REPOSITORY, COURSE = support.REPOSITORY, support.COURSE
ATTENTION = COURSE.milestone("m04")
TOKENIZER = (support.TESTS / "golden" / "half_started" / "m01_tokenizer.py").read_text(encoding="utf-8")


def in_process_of_its_own(*arguments, module="grader", stdin="", **environment):
    """Run `python -m …` as a person would, in the tests' sandbox, and return the finished process."""
    return warm.run(module, *arguments, env=os.environ | environment, stdin=stdin, sandbox=support.sandbox())


def flat(text):
    """Return a text on one line, so that a sentence is found however it was wrapped."""
    return " ".join(text.split())
