"""The mistakes that a report may name: sentences that stood in the suites before any answer was read, and no others.

A mistake is shown in official reports too, also beside solutions. So it must hold nothing that a worker sent: no key,
no type's name, no number. When the checks are collected, and no code of a student's has run, every sentence that stands
in a suite or an oracle is gathered; what is none of them is no mistake. A suite names its mistakes as plain strings, in
its code or in a constant, and puts what it learns later into the message, which practice alone shows.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Mapping
from typing import Any

from .outcomes import GraderError

LIBRARY = "a library does the work"
DTYPE = "the numbers are right, and their dtype is not"
ACCEPTED = "what must be refused is accepted: nothing is raised"
UNSAID = "the right error is raised, and its text leaves out what it must name"
NOT_LOOKED = (
    "another error is raised than the contract names, or one comes from further down: look at what is given first, and "
    "raise the one that is asked for"
)
CHANGED = "an argument is changed in place: work on a copy"
TUPLE = "more than the result is returned: it is the first of a tuple"
VIEW = "view() cannot join what a transpose has set apart in memory: reshape(), or contiguous() first"
BY_ERROR = {  # what torch says, word for word, and what it means; that it was said is the worker's claim
    "view size is not compatible with input tensor's size and stride": VIEW,
}
MOST_ALIKE = 3  # of more it would help nobody to read
strict = False  # in our own tests: a sentence that was not gathered is a fault of the grader, and is not just dropped
_known: dict[str, str] | None = None  # while a run lasts


def seal(modules: Iterable[types.ModuleType], shortcuts: Iterable[str]) -> None:
    """Gather the sentences of the suites and oracles of a run; from here on there are no others."""
    global _known
    found = {LIBRARY, TUPLE, DTYPE, ACCEPTED, UNSAID, NOT_LOOKED, CHANGED, *BY_ERROR.values()}
    found |= {by_library(name) for name in shortcuts}
    seen: set[int] = set()
    for module in modules:
        for value in list(vars(module).values()):
            _gather(value, module.__name__, found, seen)
    _known = {words: words for words in found}


def forget() -> None:
    """End a run."""
    global _known
    _known = None


def named(words: str | None) -> str | None:
    """Return the mistake of these words, or None where there is none."""
    return None if words is None or _known is None else _known.get(words.strip())


def either(alike: list[str]) -> str | None:
    """Return the mistake that several sentences make, each as likely as the others; None for none or too many."""
    found = list(dict.fromkeys(words.strip() for words in alike))
    if len(found) < 2:
        return found[0] if found else None
    if len(found) > MOST_ALIKE or (_known is not None and not _known.keys() >= set(found)):
        return None
    words = f"either {', or '.join(found)}"
    if _known is not None:
        _known[words] = words
    return words


def of_error(text: str) -> str | None:
    """Return the mistake that torch's own words stand for, if they are among those that mean one thing only."""
    return next((mistake for words, mistake in BY_ERROR.items() if words in text), None)


def by_library(shortcut: str) -> str:
    """Return the mistake of taking one of the shortcuts that the syllabus lists."""
    return f"{LIBRARY} ({shortcut})"


def check(mistake: str | None, misses: Mapping[str, Any] | None = None) -> None:
    """Raise GraderError, in our own tests alone, for a mistake that was not gathered."""
    if not strict or _known is None:
        return
    for words in (*(misses or ()), *([mistake] if mistake is not None else ())):
        if named(words) is None:
            raise GraderError(f"the mistake {words[:200]!r} stands in no suite")


def _gather(value: Any, module: str, found: set[str], seen: set[int]) -> None:
    """Add the sentences in a module's value, in the code of its functions and in what they are made of."""
    if type(value) is str:
        if " " in value:  # one word is a name, and no mistake
            found.add(value.strip())
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, types.CodeType):
        parts: Iterable[Any] = value.co_consts
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif isinstance(value, dict):
        parts = (*value, *value.values())
    elif isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
    elif getattr(value, "__module__", None) != module:
        return  # of a library, or gathered where it was made
    elif isinstance(value, type):
        parts = list(vars(value).values())
    else:  # a function, also one that something is wrapped around, and its defaults
        function = getattr(value, "__wrapped__", value)
        parts = (getattr(function, "__code__", None), getattr(function, "__defaults__", None))
    for part in parts:
        _gather(part, module, found, seen)
