"""Values in words: short, with types, shapes and a small excerpt, for messages that a student reads."""

from __future__ import annotations

import reprlib
from typing import Any

from grader.sandbox.conversation import Handle

LONGEST = 160


def describe(value: Any) -> str:
    """Say what a value is: "a float32 tensor of shape [2, 3]", "the list [1, 2]", "None"."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, Handle):
        return f"an object of type {value._type}"
    module = type(value).__module__
    if module.startswith("torch") and hasattr(value, "shape"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{'an' if dtype[0] == 'i' else 'a'} {dtype} tensor of shape {list(value.shape)}"
    if module.startswith("numpy") and hasattr(value, "shape"):
        return f"a NumPy {value.dtype} array of shape {list(value.shape)}"
    if isinstance(value, list | tuple | dict | set | frozenset):
        return f"a {type(value).__name__} of {len(value)} items, {excerpt(value)}"
    return f"the {type(value).__name__} {excerpt(value)}"


def excerpt(value: Any) -> str:
    """Return the beginning of a value as text."""
    if type(value).__module__.startswith("torch") and hasattr(value, "shape"):
        flat = value.reshape(-1)
        shown = [f"{item:.5g}" if isinstance(item, float) else str(item) for item in flat[:6].tolist()]
        more = ", …" if flat.numel() > 6 else ""
        return f"[{', '.join(shown)}{more}]"
    text = _SHORT.repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class _Short(reprlib.Repr):
    """A repr whose cost does not grow with the value: what is described may be hostile."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 40
        self.maxstring = self.maxother = self.maxlong = LONGEST
        self.maxlevel, self.fillvalue = 4, "…"

    def repr_bytes(self, value: bytes, level: int) -> str:
        """Return the beginning of a byte string."""
        return repr(value) if len(value) <= LONGEST else repr(value[:LONGEST])


_SHORT = _Short()


def difference(actual: Any, expected: Any, where: str = "") -> str | None:
    """Return how `actual` differs from `expected`, as the end of a sentence, or None when they are the same.

    Types count: True is not 1, a list is not a tuple, and a float32 tensor is no float64 one.
    """
    at = f" at {where}" if where else ""
    if isinstance(actual, Handle) or type(actual) is not type(expected):
        return f"is {describe(actual)}{at}, expected {describe(expected)}."
    if type(expected).__module__.startswith("torch") and hasattr(expected, "shape"):
        return _tensor_difference(actual, expected, at)
    if isinstance(expected, list | tuple):
        for index, (left, right) in enumerate(zip(actual, expected, strict=False)):
            found = difference(left, right, f"{where}[{index}]")
            if found is not None:
                around = f"\ngot:      {_window(actual, index)}\nexpected: {_window(expected, index)}"
                return found if "\n" in found else found + around
        if len(actual) != len(expected):
            shorter = min(len(actual), len(expected))
            return (
                f"has {len(actual)} items{at}, expected {len(expected)}; they agree up to there.\n"
                f"got:      {_window(actual, shorter)}\nexpected: {_window(expected, shorter)}"
            )
        return None
    if isinstance(expected, dict):
        return _dict_difference(actual, expected, where)
    if actual != expected:
        return f"is {excerpt(actual)}{at}, expected {excerpt(expected)}."
    return None


def _tensor_difference(actual: Any, expected: Any, at: str) -> str | None:
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return f"is {describe(actual)}{at}, expected {describe(expected)}."
    wrong = actual != expected
    if not bool(wrong.any()):
        return None
    where = wrong.nonzero()[0].tolist()
    return (
        f"differs{at} in {int(wrong.sum())} of {wrong.numel()} values, first at {where}: "
        f"got {actual[tuple(where)].item()}, expected {expected[tuple(where)].item()}.\n"
        f"got:      {_rows(actual)}\nexpected: {_rows(expected)}"
    )


def _rows(tensor: Any) -> str:
    text = str(tensor.tolist())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _dict_difference(actual: dict[Any, Any], expected: dict[Any, Any], where: str) -> str | None:
    at = f" at {where}" if where else ""
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if missing or extra:
        parts = [f"lacks the key {excerpt(missing[0])}"] if missing else []
        parts += [f"has the key {excerpt(extra[0])} too many"] if extra else []
        return f"{' and '.join(parts)}{at} ({len(actual)} items, expected {len(expected)})."
    for key, value in expected.items():
        found = difference(actual[key], value, f"{where}[{excerpt(key)}]")
        if found is not None:
            return found
    return None


def _window(items: Any, index: int) -> str:
    """Return the items around an index, so that a difference deep in a long list can be seen."""
    start = max(0, index - 4)
    text = excerpt(list(items[start : index + 8]))
    return f"… {text}" if start else text
