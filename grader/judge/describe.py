"""Values in words: short, with types, shapes and a small excerpt, for messages that a student reads."""

from __future__ import annotations

import heapq
import reprlib
import unicodedata
from collections.abc import Callable
from itertools import islice
from typing import Any

from grader.counting import counted
from grader.sandbox.conversation import Handle

LONGEST = 160
SHORT_TEXT = 60  # a text of so many characters is shown whole
MOST_DIGITS = 17  # which tell every two numbers apart
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
        return f"a {type(value).__name__} of {counted(len(value), 'item')}, {excerpt(value)}"
    return f"the {type(value).__name__} {excerpt(value)}"


def excerpt(value: Any, digits: int = 5) -> str:
    """Return the beginning of a value as text, a tensor's numbers with so many digits."""
    if type(value).__module__.startswith("torch") and hasattr(value, "shape"):
        flat = value.reshape(-1)
        shown = [f"{item:.{digits}g}" if isinstance(item, float) else str(item) for item in flat[:6].tolist()]
        more = ", …" if flat.numel() > 6 else ""
        return f"[{', '.join(shown)}{more}]"
    text = _Short().repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def apart(left: Any, right: Any, digits: int = 5) -> tuple[str, str]:
    """Return the beginnings of two tensors, with as many more digits as it takes to see that they are not the same."""
    shown = excerpt(left, digits), excerpt(right, digits)
    return shown if shown[0] != shown[1] or digits >= MOST_DIGITS else apart(left, right, digits + 1)


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
                return found if "\n" in found else found + _windows(actual, expected, index)
        if len(actual) != len(expected):
            shorter = min(len(actual), len(expected))
            items = counted(len(actual), "item")
            return (
                f"has {items}{_at(where)}, expected {len(expected)}; they agree up to there."
                f"{_windows(actual, expected, shorter)}"
            )
        return None
    if isinstance(expected, dict):
        return _dict_difference(actual, expected, where)
    if actual != expected:
        if isinstance(expected, str | bytes):
            return _text_difference(actual, expected, where)
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
        f"differs{_at(where)} in {int(wrong.sum()):,} of {counted(wrong.numel(), 'value')}, first at {first}: "
        f"got {actual[tuple(first)].item()}, expected {expected[tuple(first)].item()}.\n"
        f"{around(actual, expected, first)}"
    )


def around(actual: Any, expected: Any, where: list[int]) -> str:
    """Show two tensors that differ at a place: whole where they are small, else of the last axis what is around it."""
    if not actual.is_floating_point() and actual.numel() <= LONGEST:
        whole = [str(tensor.tolist()) for tensor in (actual, expected)]
        if max(map(len, whole)) <= LONGEST:
            return f"got:      {whole[0]}\nexpected: {whole[1]}"
    row = ""
    if where:
        first = max(0, min(where[-1] - 3, actual.shape[-1] - 6))
        row = f"[{', '.join([*map(str, where[:-1]), f'{first}:' if first else ':'])}] = " if actual.dim() > 1 else ""
        actual, expected = (value[tuple(where[:-1])][first:] for value in (actual, expected))
    got, wanted = apart(actual, expected)
    return f"got:      {row}{got}\nexpected: {row}{wanted}"


def _text_difference(actual: Any, expected: Any, where: Place) -> str:
    """Say how two texts differ: short ones are shown whole, of longer ones what is around the first difference."""
    show: Callable[[Any], str] = repr
    if isinstance(actual, str) and _look_alike(actual, expected):
        show = ascii
    if max(len(actual), len(expected)) <= SHORT_TEXT:
        return f"is {show(actual)}{_at(where)}, expected {show(expected)}."
    place = _first_difference(actual, expected)
    start = max(0, place - 20)
    got, wanted = (
        f"{'…' if start else ''}{show(text[start : place + 40])}{'…' if len(text) > place + 40 else ''}"
        for text in (actual, expected)
    )
    unit = "character" if isinstance(actual, str) else "byte"
    return f"differs{_at(where)} from {unit} {place:,} on: got {got}, expected {wanted}."


def _look_alike(actual: str, expected: str) -> bool:
    """Whether two texts, of a size that is looked through, look the same on a screen."""
    same = [unicodedata.normalize("NFKC", text[:LARGE]) for text in (actual, expected)]
    return same[0] == same[1]


def _first_difference(left: Any, right: Any) -> int:
    """Return the first index at which two texts differ, or the length of the shorter one; in linear time."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _dict_difference(actual: dict[Any, Any], expected: dict[Any, Any], where: Place) -> str | None:
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if missing or extra:
        too_many = f"the key {excerpt(extra[0])} too many" if extra else ""
        said = f"has {too_many}"
        if missing:
            said = f"lacks the key {excerpt(missing[0])}{', with ' if extra else ''}{too_many}"
        return f"{said}{_at(where)} ({counted(len(actual), 'item')}, expected {len(expected)})."
    for key, value in expected.items():
        found = difference(actual[key], value, (where, key))
        if found is not None:
            return found
    return None


def _windows(actual: Any, expected: Any, index: int) -> str:
    """Show the items around an index that differ there; nothing where what is shown would not."""
    for start in range(max(0, index - 4), index + 1):
        got, wanted = (excerpt(list(items[start : index + 8])) for items in (actual, expected))
        if got != wanted:
            dots = "… " if start else ""
            return f"\ngot:      {dots}{got}\nexpected: {dots}{wanted}"
    return ""
