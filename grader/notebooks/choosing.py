"""Which of two files is meant, where a milestone's module and its notebook lie side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import reading
from .reading import Module


@dataclass
class Chosen:
    """What of the two was taken."""

    taken: bytes | str  # the source, or the sentence that says why there is none
    module: Module | None = None  # of a notebook that it was taken from
    notes: list[str] = field(default_factory=list)


def chosen(file: tuple[str, bytes | str | None], notebook: tuple[str, bytes | str], number: str, limit: int) -> Chosen:
    """Return what counts of a module's file and of its notebook, which is there.

    Each is given with its name as it is shown: its bytes, or a sentence that says what is wrong with it, or for the
    file None where it is not there. Where both hold work, or may, neither is guessed.
    """
    name, source = file
    shown, data = notebook
    module, wrong = _read(shown, data, number, limit)
    found = Chosen(source if source is not None else wrong, notes=[f"Of {shown}, {said}." for said in module.said])
    theirs = isinstance(source, str) or (source is not None and reading.holds_work(source))
    ours = bool(wrong) or reading.holds_work(module.source)
    if source is None or (ours and not theirs):
        found.taken, found.module = wrong or module.source, module
        if not found.taken:
            found.taken = f"{shown} holds nothing that counts: no code cell begins with a line like # {number}.1."
    elif isinstance(source, str) or wrong:
        if ours and theirs:
            trouble, other = (source, shown) if isinstance(source, str) else (wrong, name)
            found.taken = f"{trouble[:-1]}, and {other} lies beside it; keep one of the two."
    elif source.split() != module.source.split() and (theirs or _differ(source, module.source)) and ours == theirs:
        mended = f"keep one of the two, or put the stub back into the first (python -m grader reset {number})"
        found.taken = f"{name} and {shown} both hold work, and neither is guessed: {mended}."
    return found


def _read(shown: str, data: bytes | str, number: str, limit: int) -> tuple[Module, str]:
    """Return the module that a notebook makes, and the sentence that says why it makes none."""
    if isinstance(data, str):
        return Module(), data
    try:
        return reading.read(data, number, limit), ""
    except ValueError as error:
        return Module(), f"{shown} cannot be taken: {error}."


def _differ(source: bytes, other: bytes) -> bool:
    """Tell of two modules in which nothing seems to be written whether one has fewer functions to write."""
    return bool(other) and reading.unwritten(source) != reading.unwritten(other)
