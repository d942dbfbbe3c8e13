"""What a call of the student's must raise, and what it must not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from grader.record import CLAIM
from grader.sandbox.errors import StudentError
from grader.sandbox.requests import aside

from . import mistakes
from .compare import note
from .describe import describe
from .outcomes import TASK_ID, CheckFailed
from .sentences import start

NOTHING: Mapping[str, Any] = {}


def expect_raises(
    kind: str,
    function: Callable[..., Any],
    *args: Any,
    mentions: tuple[str, ...] = (),
    what: Any = "the call",
    fine: Any = None,
    mistake: Any = None,
    unsaid: Any = None,
    **kwargs: Any,
) -> None:
    """Fail unless the student's function raises this exception (or one derived from it), mentioning these words.

    `fine` are arguments that must work: only where they do is another exception the one that comes of not looking.
    In the suite's own words, `mistake` says what it means when nothing is raised, and `unsaid` when words are missing.
    """
    note(CLAIM)
    mistakes.check(mistake)
    mistakes.check(unsaid)
    try:
        value = function(*args, **kwargs)
    except StudentError as error:
        if unfinished(error):
            raise
        if kind not in (error.kind, *error.bases):
            careless = fine is not None and _works(function, fine, kwargs)
            unlooked = mistakes.NOT_LOOKED if careless else None
            raise CheckFailed(f"{start(what)} raised {error}; expected {kind}.", unlooked) from None
        missing = [word for word in mentions if word not in error.text]
        if missing:
            message = f"The {kind} says {error.text!r}; expected its text to mention {', '.join(missing)}."
            raise CheckFailed(message, unsaid or mistakes.UNSAID) from None
        return
    message = f"{start(what)} returned {describe(value)}; expected it to raise {kind}."
    raise CheckFailed(message, mistake or mistakes.ACCEPTED)


def expect_answer(function: Callable[..., Any], *args: Any, simpler: tuple[Any, ...], mistake: str | None) -> Any:
    """Return the student's answer; where it raises, and with simpler arguments does not, `mistake` says why."""
    mistakes.check(mistake)
    try:
        return function(*args)
    except StudentError as error:
        if mistake and not unfinished(error) and _works(function, simpler):
            error.mistake = mistake
        raise


def unfinished(error: StudentError) -> bool:
    """Whether an exception is that of a stub which nobody has begun."""
    return error.kind == "NotImplementedError" and bool(TASK_ID.fullmatch(error.text.strip()))


def _works(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] = NOTHING) -> bool:
    try:
        with aside():  # the call that is shown is the one that fails
            function(*args, **kwargs)
    except StudentError:
        return False
    return True
