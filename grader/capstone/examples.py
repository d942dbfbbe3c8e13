"""What a trained model learns by example: instructions with their answers, or pairs of which one is liked better."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fixtures
from grader import files
from grader.counting import counted
from grader.judge.errors import UsageProblem

LARGEST = 8 * 2**20  # bytes of a file of the student's own, all of which goes to the worker at once
LEAST, MOST = 20, 20_000  # examples of it
LONGEST = 20_000  # characters of any text in it
COURSE = "the course's instructions"

Example = dict[str, str]


@dataclass(frozen=True)
class Examples:
    """Examples, those that are learned from and those that are held out; `named` is how a sentence names them."""

    name: str
    named: str
    train: tuple[Example, ...]
    heldout: tuple[Example, ...]


def instructions(path: str) -> Examples:
    """Return instructions with answers: a file's, each tenth held out, or the course's. Raises UsageProblem."""
    if not path:
        sides = (fixtures.INSTRUCTIONS_TRAIN, fixtures.INSTRUCTIONS_HELDOUT)
        train, heldout = (tuple(map(json.loads, side.read_text("utf-8").splitlines())) for side in sides)
        return Examples(COURSE, "--instructions", train, heldout)
    return _own(path, "--instructions", {"instruction", "output"}, {"input"})


def preferences(path: str, answers: bool) -> Examples:
    """Return pairs of which one is liked better: a file's, or the course's. Raises UsageProblem.

    Of the course's instructions the right answer is the better one, and that to another input the worse. For a model
    that `answers` a prompt is an instruction.
    """
    if not path:
        course = instructions("")
        return Examples("the course's pairs", "--preferences", _paired(course.train), _paired(course.heldout))
    own = _own(path, "--preferences", {"prompt", "chosen", "rejected"}, {"input"})
    train, heldout = (tuple(_told(pair, answers) for pair in side) for side in (own.train, own.heldout))
    return Examples(own.name, own.named, train, heldout)


def _paired(side: tuple[Example, ...]) -> tuple[Example, ...]:
    found = []
    for place, example in enumerate(side):
        others = (other["output"] for other in side[place + 1 :] + side[:place])
        worse = next(other for other in others if other != example["output"])
        asks = {name: example[name] for name in ("instruction", "input")}
        found.append({**asks, "chosen": example["output"], "rejected": worse})
    return tuple(found)


def _told(pair: Example, answers: bool) -> Example:
    """Return a pair with what is asked as an instruction with its input, or as one prompt."""
    both = {name: pair[name] for name in ("chosen", "rejected")}
    if answers:
        return {"instruction": pair["prompt"], "input": pair.get("input", ""), **both}
    return {"prompt": "\n".join(pair[name] for name in ("prompt", "input") if pair.get(name)), **both}


def _own(path: str, option: str, needed: set[str], more: set[str]) -> Examples:
    named = f"{option} {path}"
    try:
        text = files.read_text(Path(path), LARGEST)
        found = [_texts(value, needed, more, where) for where, value in _values(text)]
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{named} cannot be used ({files.reason(error)}).") from None
    if not LEAST <= len(found) <= MOST:
        raise UsageProblem(
            f"{named} holds {counted(len(found), 'example')}; to learn from it takes {LEAST} to {MOST:,}."
        )
    train = tuple(example for place, example in enumerate(found) if place % 10 != 9)
    return Examples(Path(path).name, named, train, tuple(found[9::10]))


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """Yield what each line holds as JSON, or each entry of the one list that the text may be, and where it stands."""
    if text.lstrip().startswith("["):
        try:
            entries = files.parse_json(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno} is not JSON: {error.msg.lower()}") from None
        yield from ((f"entry {number}", entry) for number, entry in enumerate(entries, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"line {number}", files.parse_json(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is not JSON: {error.msg.lower()}") from None
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON that can be read: {error}") from None


def _texts(value: Any, needed: set[str], more: set[str], where: str) -> Example:
    """Return the texts of one example. Raises ValueError, naming the place, for anything else."""
    named = " and ".join(f'"{name}"' for name in sorted(needed))
    if type(value) is not dict or not needed <= value.keys():
        raise ValueError(f"{where} is not an object with {named}")
    found = {name: value[name] for name in sorted(needed | more) if name in value}
    for name, text in found.items():
        if type(text) is not str or (name in needed and not text.strip()):
            raise ValueError(f'{where} has no text as its "{name}"')
        if len(text) > LONGEST:
            raise ValueError(f'{where} has a "{name}" of more than {LONGEST:,} characters')
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f'{where} has half a character in its "{name}"')
    if "chosen" in found and found["chosen"] == found["rejected"]:
        raise ValueError(f"{where} has the same text as chosen and rejected")
    return found
