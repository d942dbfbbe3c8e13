"""Comparisons that say what is wrong: type, dtype, shape, finiteness, then the numbers, then the near misses."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from grader.counting import counted, form
from grader.record import CLAIM, VALUE
from grader.sandbox.conversation import Handle

from . import cutting, mistakes
from .describe import apart, around, describe, difference
from .outcomes import CheckFailed, GraderError
from .sentences import sentence
from .tolerances import LARGEST_SHARE

AS_NEAR = 0.1  # of the tolerance: two mistakes whose distances from an answer differ by less are as near
evidence: set[str] = set()  # of the check that runs now; the plugin empties it before each

Misses = Mapping[str, Any]


def expect(condition: bool, message: str, *, mistake: str | None = None, evidence: str = CLAIM) -> None:
    """Fail with this message unless the condition holds; `evidence` says what the condition rests on."""
    note(evidence)
    mistakes.check(mistake)
    if not condition:
        raise CheckFailed(message, mistake)


def expect_tensor(actual: Any, *, shape: tuple[int, ...], dtype: Any, what: str = "the result") -> None:
    """Fail unless `actual` is a plain tensor of this dtype and shape."""
    import torch

    note(CLAIM)
    wanted = f"a {_dtype(dtype)} tensor of shape {list(shape)}"
    if type(actual) is not torch.Tensor:
        raise CheckFailed(sentence(what, f"is {describe(actual)}, expected {wanted}."))
    if tuple(actual.shape) != tuple(shape):
        raise CheckFailed(sentence(what, f"has shape {list(actual.shape)}, expected {list(shape)}."))
    if actual.dtype != dtype:
        raise CheckFailed(sentence(what, f"has dtype {_dtype(actual.dtype)}, expected {_dtype(dtype)}."))


def expect_close(
    actual: Any,
    expected: Any,
    *,
    atol: float,
    rtol: float = 0.0,
    misses: Misses | None = None,
    what: str = "the result",
    follows: bool = False,
) -> None:
    """Fail unless `actual` is a tensor (or float) like `expected`, within `atol + rtol * |expected|` everywhere.

    `misses` maps a mistake in words to the value it gives, or to a function that computes it. Raises GraderError when
    the tolerance is too wide to tell right from wrong, or when an expected value is not finite; where `expected`
    follows from what the student's code gave before, that is no fault of the grader's, and fails.
    """
    import torch

    note(VALUE)
    mistakes.check(None, misses)
    if isinstance(expected, float):
        if not isinstance(actual, float):  # NumPy's is one
            raise CheckFailed(sentence(what, f"is {describe(actual)}, expected a float."))
        actual, expected = torch.tensor(float(actual), dtype=torch.float64), torch.tensor(expected, dtype=torch.float64)
    expected = expected.detach()  # of a number with a gradient torch warns, to whoever reads the report
    try:
        _check_tolerance(expected, atol, rtol)
    except GraderError as error:
        if not follows:
            raise
        raise CheckFailed(sentence(what, f"follows from what your code gave before, and {error}.")) from None
    try:
        expect_tensor(actual, shape=tuple(expected.shape), dtype=expected.dtype, what=what)
    except CheckFailed as failed:
        failed.mistake = _matching_miss(actual, expected, atol, rtol, misses) or _other_dtype(actual, expected)
        raise
    if actual.is_floating_point() and not bool(torch.isfinite(actual).all()):
        where = (~torch.isfinite(actual)).nonzero()[0].tolist()
        at = f" at {where}" if where else ""
        raise CheckFailed(
            sentence(what, f"is not finite: {actual[tuple(where)].item()}{at}.\n{around(actual, expected, where)}"),
            _matching_miss(actual, expected, atol, rtol, misses),
            picture=functools.partial(cutting.of_numbers, actual, expected, where, what),
        )
    if _close(actual, expected, atol, rtol):
        return
    gap, allowed = (actual.double() - expected.double()).abs(), atol + rtol * expected.double().abs()
    off = gap > allowed
    wrong, gap = int(off.sum()), gap * off  # beside large numbers a larger difference may be none
    flat = int(gap.argmax()) if gap.dim() else 0
    where = [int(part) for part in torch.unravel_index(torch.tensor(flat), gap.shape)] if gap.dim() else []
    got, wanted = apart(actual[tuple(where)].reshape(1), expected[tuple(where)].reshape(1), digits=6)
    at = f" at {where}" if where else ""
    said = (
        f"differs from what is expected by up to {float(gap.max()):.3g}{at}: "
        f"got {got[1:-1]}, expected {wanted[1:-1]} (allowed: {float(allowed[tuple(where)]):.2g}).\n"
        f"{wrong:,} of {counted(gap.numel(), 'value')} {form(wrong, 'is', 'are')} off.\n"
    )
    raise CheckFailed(
        sentence(what, f"{said}{around(actual, expected, where)}"),
        _matching_miss(actual, expected, atol, rtol, misses),
        picture=functools.partial(cutting.of_numbers, actual, expected, where, what),
    )


def expect_unchanged(after: Any, before: Any, *, what: str, misses: Misses | None = None) -> None:
    """Fail unless an argument is after a call what it was before it."""
    try:
        if hasattr(before, "is_floating_point") and before.is_floating_point():
            expect_close(after, before, atol=0.0, misses=misses, what=what)
        else:
            expect_equal(after, before, misses=misses, what=what)
    except CheckFailed as failed:
        failed.mistake = failed.mistake or mistakes.CHANGED
        raise


def expect_equal(actual: Any, expected: Any, *, misses: Misses | None = None, what: str = "the result") -> None:
    """Fail unless `actual` equals `expected` exactly, types included."""
    note(VALUE)
    mistakes.check(None, misses)
    found = difference(actual, expected)
    if found is None:
        return
    named = []
    for words, candidate in (misses or {}).items():
        value = _value_of(words, candidate)
        if difference(actual, value) is None and difference(value, expected) is not None:
            named.append(words)
    mistake = mistakes.either(named) if named else _other_dtype(actual, expected)
    raise CheckFailed(
        sentence(what, found), mistake, picture=functools.partial(cutting.of_difference, actual, expected, what)
    )


def _value_of(words: str, candidate: Any) -> Any:
    """Compute a near miss. What goes wrong there is the grader's own mistake, and never the student's.

    An answer of the student's may stand for a mistake too, and is not called.
    """
    try:
        return candidate() if callable(candidate) and not isinstance(candidate, Handle) else candidate
    except Exception as error:
        raise GraderError(f"the near miss {words!r} cannot be computed ({type(error).__name__}: {error})") from error


def note(kind: str) -> None:
    """Note what a check rests on."""
    evidence.add(kind)


def _dtype(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _close(actual: Any, expected: Any, atol: float, rtol: float) -> bool:
    import torch

    return bool(torch.allclose(actual.double(), expected.double(), atol=atol, rtol=rtol))


def _check_tolerance(expected: Any, atol: float, rtol: float) -> None:
    import torch

    if not bool(torch.isfinite(expected).all()):
        raise GraderError("an expected value is not finite")
    magnitudes = expected.double().abs()
    magnitudes = magnitudes[magnitudes > 0]
    median = float(magnitudes.median()) if magnitudes.numel() else 1e-2
    if not math.isfinite(atol) or atol > LARGEST_SHARE * median or rtol > LARGEST_SHARE:
        raise GraderError(
            f"the tolerance {atol:g} is more than {LARGEST_SHARE:.0%} of the median expected magnitude {median:.3g}"
        )


def _largest(expected: Any) -> float:
    return float(expected.double().abs().max()) if expected.numel() else 0.0


def _other_dtype(actual: Any, expected: Any) -> str | None:
    """Say so when the numbers are those that are expected, as exact as their dtype is, and the dtype is another."""
    import torch

    if isinstance(expected, list | tuple):
        if type(actual) is not type(expected) or len(actual) != len(expected):
            return None
        parts = [_other_dtype(*pair) for pair in zip(actual, expected, strict=True)]
        return mistakes.DTYPE if mistakes.DTYPE in parts else None
    if type(actual) is not torch.Tensor or type(expected) is not torch.Tensor or actual.shape != expected.shape:
        return None
    if actual.dtype == expected.dtype or actual.is_complex():
        return None
    same = torch.allclose(actual.double(), expected.double(), rtol=LARGEST_SHARE, atol=LARGEST_SHARE)
    return mistakes.DTYPE if same else None


def _matching_miss(actual: Any, expected: Any, atol: float, rtol: float, misses: Misses | None) -> str | None:
    """Return the words of the near miss that the student's code gave, at the tolerance that it was rejected at.

    The nearest one wins; several that are as near can't be told apart, and it says so.
    """
    import torch

    if type(actual) is tuple and actual and type(actual[0]) is torch.Tensor:
        same = actual[0].shape == expected.shape and _close(actual[0], expected, atol, rtol)
        return mistakes.TUPLE if same else None
    if type(actual) is not torch.Tensor:
        return None
    found: dict[str, float] = {}
    for words, candidate in (misses or {}).items():
        value = _value_of(words, candidate)
        if type(value) is not torch.Tensor or value.shape != actual.shape:
            continue
        if value.shape == expected.shape and _close(value, expected, atol, rtol):
            continue  # this mistake makes no difference here
        given, near = actual.double(), value.double()
        if not torch.allclose(given, near, atol=atol, rtol=rtol, equal_nan=True):
            continue
        gap = (given - near).abs().nan_to_num(nan=0.0)  # both are NaN there, or both infinite
        found[words] = float(gap.max()) if gap.numel() else 0.0
    as_near = min(found.values(), default=0.0) + AS_NEAR * (atol + rtol * _largest(expected))
    return mistakes.either([words for words, furthest in found.items() if furthest <= as_near])
