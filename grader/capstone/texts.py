"""What a capstone learns from: the course's stories, or a text of the student's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fixtures
from fixtures import END_OF_TEXT
from grader import files
from grader.counting import counted
from grader.judge.errors import UsageProblem

MOST = 10_000_000  # characters that are learned from
LARGEST = 256 * 2**20  # bytes of a file of the student's own
LEAST = 20_000  # characters of it
TOKENIZER_TEXT = 500_000  # characters that the tokenizer learns from
DOCUMENT = 1_000  # characters at least, where a text says nothing of where its documents end
PIECE = 20_000  # characters that are encoded at once
PROMPTS = ("There once was a", "Once upon a time, there was a", "One morning,")


@dataclass(frozen=True)
class Corpus:
    """Documents, those that are learned from and those that are held out, and how some of them begin."""

    name: str
    train: tuple[str, ...]
    heldout: tuple[str, ...]
    prompts: tuple[str, ...]
    left_out: int = 0  # characters that are too many

    @property
    def for_tokenizer(self) -> str:
        """The text that the tokenizer learns from."""
        return joined(self.train)[:TOKENIZER_TEXT]

    def pieces(self, side: str) -> list[str]:
        """Return one side, `train` or `heldout`, in pieces of whole documents that are encoded one by one."""
        found, size = [[]], 0  # type: list[list[str]], int
        for document in getattr(self, side):
            if size > PIECE:
                found.append([])
                size = 0
            found[-1].append(document)
            size += len(document)
        return [joined(documents) for documents in found]


def joined(documents: tuple[str, ...] | list[str]) -> str:
    """Return documents as one text, each with its end."""
    return "".join(f"{document}{END_OF_TEXT}" for document in documents)


def stories() -> Corpus:
    """Return the course's stories."""
    sides = [path.read_text("utf-8") for path in (fixtures.STORIES_TRAIN, fixtures.STORIES_HELDOUT)]
    train, heldout = (tuple(documents(side)) for side in sides)
    return Corpus("the course's stories", train, heldout, PROMPTS)


def own(path: Path) -> Corpus:
    """Return a text of the student's own, each tenth document of it held out. Raises UsageProblem."""
    try:
        text = files.read_text(path, LARGEST)
    except (OSError, ValueError) as error:
        raise UsageProblem(f"--corpus {path} cannot be read ({files.reason(error)}).") from None
    found = list(documents(text[:MOST]))
    held = found[9::10]
    if len(text) < LEAST or len(held) < 2:
        raise UsageProblem(
            f"--corpus {path} has {len(text):,} characters in {counted(len(found), 'part')}; to learn from it takes "
            f"{LEAST:,} characters, and 20 parts."
        )
    train = tuple(document for place, document in enumerate(found) if place % 10 != 9)
    prompts = tuple(" ".join(document.split()[:4]) for document in held[:3])
    return Corpus(path.name, train, tuple(held), prompts, max(0, len(text) - MOST))


def documents(text: str) -> list[str]:
    """Return the documents of a text: those whose ends it marks, or else some paragraphs at a time."""
    if END_OF_TEXT in text:
        parts = [part.strip("\n") for part in text.split(END_OF_TEXT)]
        return [part for part in parts if part.strip()]
    found: list[str] = []
    lines: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), 2 * DOCUMENT):  # a text may be a single line
            lines.append(line[start : start + 2 * DOCUMENT])
            size += len(lines[-1])
            if size >= 2 * DOCUMENT or (size >= DOCUMENT and not line.strip()):
                found.append("".join(lines).strip("\n"))
                lines, size = [], 0
    found.append("".join(lines).strip("\n"))
    return [document for document in found if document.strip()]
