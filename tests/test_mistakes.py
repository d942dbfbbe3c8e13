"""Which sentences count as mistakes: those that stood in a suite before any answer was read."""

from __future__ import annotations

import functools
import types

import pytest

from grader.judge import mistakes
from grader.judge.compare import expect, expect_equal
from grader.judge.outcomes import CheckFailed, GraderError

SUITE = '''
"""A suite."""
import functools

CONSTANT = {"a key of a table": lambda x: x}
MADE = [f"made at import for {name}" for name in ("query", "key")]
PARTIAL = functools.partial(print, "an argument of a partial")


class Held:
    def method(self):
        return "a constant of a method"


@functools.cache
def outer(found):
    def inner():
        return {"a constant of an inner function": found}

    return inner() | {f"made at run time of {found}": found}
'''


@pytest.fixture
def suite():
    """Return a module, gathered as a run's only suite; strictness is as in all tests."""
    module = types.ModuleType("a_suite")
    exec(compile(SUITE, "a_suite.py", "exec"), vars(module))
    mistakes.seal([module], ["torch.softmax"])
    yield module
    mistakes.forget()


@pytest.mark.parametrize(
    "words",
    [
        *("a key of a table", "made at import for key", "an argument of a partial", "a constant of a method"),
        *("a constant of an inner function", "a library does the work", "a library does the work (torch.softmax)"),
    ],
)
@pytest.mark.usefixtures("suite")
def test_what_stands_in_a_suite_is_a_mistake(words):
    """Constants of code at any depth, of tables and partials, what is made at import, and the syllabus's shortcuts."""
    assert mistakes.named(words) == words


def test_what_is_made_at_run_time_is_none(suite):
    """A sentence with something of an answer in it is no mistake; in our tests naming it is a fault of the grader."""
    made = [words for words in suite.outer("a secret") if "secret" in words]

    assert made and mistakes.named(made[0]) is None
    with pytest.raises(GraderError, match="stands in no suite"):
        expect(False, "No.", mistake=made[0])
    with pytest.raises(GraderError, match="stands in no suite"):
        expect_equal(1, 1, misses={made[0]: 2})


def test_a_suite_in_use_takes_no_notice(suite, monkeypatch):
    """Outside of our tests such a check fails as any other, and no student makes a fault of the grader by it."""
    monkeypatch.setattr(mistakes, "strict", False)

    with pytest.raises(CheckFailed, match="No"):
        expect(False, "No.", mistake="made at run time of a secret")
    assert mistakes.named(None) is None and functools.partial(mistakes.named, "A suite.")() == "A suite."


@pytest.mark.usefixtures("suite")
def test_after_a_run_there_are_none():
    """What one run has gathered is none of the next one's."""
    mistakes.forget()

    assert mistakes.named("a key of a table") is None
