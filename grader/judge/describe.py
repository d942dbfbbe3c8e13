"""Values in words: short, with types, shapes and a small excerpt, for messages that a student reads."""

from __future__ import annotations

import heapq
import reprlib
from itertools import islice
from typing import Any

from grader.sandbox.conversation import Handle

LONGEST = 160
MOST_SHOWN = 40  # items of each container
LARGE = 1000  # numbers in a tensor: what torch and NumPy would leave out something of, but not always enough


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
    text = _Short().repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class _Short(reprlib.Repr):
    """The repr of one value, at a cost that does not grow with it: what is described may be hostile.

    Once as much is written as will be shown, even if each container's text is counted again in that of the one around
    it, the rest is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = MOST_SHOWN
        self.maxstring = self.maxother = self.maxlong = LONGEST
        self.maxlevel, self.fillvalue = 4, "…"
        self._room = (1 + self.maxlevel) * LONGEST

    def repr1(self, value: Any, level: int) -> str:
        """Return the repr of a part of the value, or the sign for what is left out."""
        if self._room <= 0:
            return self.fillvalue
        text = super().repr1(value, level)
        self._room -= len(text)
        return text

    def repr_bytes(self, value: bytes, level: int) -> str:
        """Return the beginning of a byte string."""
        return repr(value) if len(value) <= LONGEST else repr(value[:LONGEST])

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        """Return the first items in the order of their keys."""
        return super().repr_dict({key: value[key] for key in _first(value)}, level)

    def repr_set(self, value: set[Any], level: int) -> str:
        """Return the smallest items."""
        return super().repr_set(set(_first(value)), level)

    def repr_frozenset(self, value: frozenset[Any], level: int) -> str:
        """Return the smallest items."""
        return super().repr_frozenset(frozenset(_first(value)), level)

    def repr_instance(self, value: Any, level: int) -> str:
        """Return the repr of anything else; of a large tensor that would take long, and say little."""
        if type(value).__module__.startswith(("torch", "numpy")) and getattr(value, "size", None) is not None:
            count = value.numel() if hasattr(value, "numel") else value.size
            if count > LARGE:
                return describe(value)
        return super().repr_instance(value, level)


def _first(items: Any) -> list[Any]:
    """Return one item more than are shown, the smallest if they can be sorted: in time linear in their number."""
    try:
        return heapq.nsmallest(MOST_SHOWN + 1, items)
    except Exception:  # items of several kinds, or of one that has no order: whatever their comparison raises
        return list(islice(items, MOST_SHOWN + 1))


Place = tuple[Any, Any] | None  # within a value: the place around it, and the index or key there


def difference(actual: Any, expected: Any, where: Place = None) -> str | None:
    """Return how `actual` differs from `expected`, as the end of a sentence, or None when they are the same.

    Types count: True is not 1, a list is not a tuple, and a float32 tensor is no float64 one. What is looked at is
    what is expected; the other may be as large as it likes.
    """
    if isinstance(actual, Handle) or type(actual) is not type(expected):
        return f"is {describe(actual)}{_at(where)}, expected {describe(expected)}."
    if type(expected).__module__.startswith("torch") and hasattr(expected, "shape"):
        return _tensor_difference(actual, expected, where)
    if isinstance(expected, list | tuple):
        for index, (left, right) in enumerate(zip(actual, expected, strict=False)):
            found = difference(left, right, (where, index))
            if found is not None:
                around = f"\ngot:      {_window(actual, index)}\nexpected: {_window(expected, index)}"
                return found if "\n" in found else found + around
        if len(actual) != len(expected):
            shorter = min(len(actual), len(expected))
            return (
                f"has {len(actual)} items{_at(where)}, expected {len(expected)}; they agree up to there.\n"
                f"got:      {_window(actual, shorter)}\nexpected: {_window(expected, shorter)}"
            )
        return None
    if isinstance(expected, dict):
        return _dict_difference(actual, expected, where)
    if actual != expected:
        return f"is {excerpt(actual)}{_at(where)}, expected {excerpt(expected)}."
    return None


def _at(where: Place) -> str:
    """Say where in a value something is, if it is not the value itself."""
    parts: list[str] = []
    while where is not None:
        where, index = where
        parts.append(f"[{excerpt(index)}]")
    return f" at {''.join(reversed(parts))}" if parts else ""


def _tensor_difference(actual: Any, expected: Any, where: Place) -> str | None:
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return f"is {describe(actual)}{_at(where)}, expected {describe(expected)}."
    wrong = actual != expected
    if not bool(wrong.any()):
        return None
    first = wrong.nonzero()[0].tolist()
    return (
        f"differs{_at(where)} in {int(wrong.sum())} of {wrong.numel()} values, first at {first}: "
        f"got {actual[tuple(first)].item()}, expected {expected[tuple(first)].item()}.\n"
        f"got:      {_rows(actual)}\nexpected: {_rows(expected)}"
    )


def _rows(tensor: Any) -> str:
    text = str(tensor.tolist())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _dict_difference(actual: dict[Any, Any], expected: dict[Any, Any], where: Place) -> str | None:
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if missing or extra:
        parts = [f"lacks the key {excerpt(missing[0])}"] if missing else []
        parts += [f"has the key {excerpt(extra[0])} too many"] if extra else []
        return f"{' and '.join(parts)}{_at(where)} ({len(actual)} items, expected {len(expected)})."
    for key, value in expected.items():
        found = difference(actual[key], value, (where, key))
        if found is not None:
            return found
    return None


def _window(items: Any, index: int) -> str:
    """Return the items around an index, so that a difference deep in a long list can be seen."""
    start = max(0, index - 4)
    text = excerpt(list(items[start : index + 8]))
    return f"… {text}" if start else text
