"""A writer that makes nothing up: it quotes the sentence of a prompt that holds most of what was asked, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

COMMON = 0.08  # of all sections: a word that more of them hold tells nothing about which one is meant
NEEDED = 0.5  # of a question's telling words, that a passage must hold to be quoted
WHOLE = re.compile(r"[A-Z0-9`*(][^\"]*[.!:]")  # a chunk may begin and end in the midst of a sentence
SHORTEST, LONGEST = 20, 400  # characters of a quotation


def words(text: str) -> set[str]:
    """Return a text's words by which it is found: runs of letters and digits, small, without an s at their end."""
    return {word.rstrip("s") or word for word in re.findall(r"[^\W_]+", text.lower())}


class Writer:
    """Knows how common words are among some texts, and so what a question is about."""

    def __init__(self, texts: Iterable[str]) -> None:
        held = [words(text) for text in texts]
        self._count = len(held)
        self._holding: dict[str, int] = {}
        for one in held:
            for word in one:
                self._holding[word] = self._holding.get(word, 0) + 1

    def telling(self, question: str) -> set[str]:
        """Return the words of a question that few texts hold, or none."""
        return {word for word in words(question) if self._holding.get(word, 0) <= COMMON * self._count}

    def __call__(self, prompt: str) -> str:
        """Return a quotation with its citation, or nothing where no passage holds enough of what was asked."""
        before, _, question = prompt.rpartition("Question: ")
        asked, telling = words(question), self.telling(question.removesuffix("Answer:"))
        best, said = (0, 0, 0), ""
        for number, passage in re.findall(r"(?m)^\[([0-9]+)\] (.*)$", before):
            if not telling or len(telling & words(passage)) < NEEDED * len(telling):
                continue
            for sentence in sentences(passage):
                worth = len(telling & words(sentence)), len(asked & words(sentence)), -int(number)
                if worth > best:
                    best, said = worth, f'"{sentence}" [{number}]'
        return said


def sentences(passage: str) -> list[str]:
    """Return what can be quoted of a passage: whole sentences, without questions and what holds a quotation mark."""
    parts = re.split(r"(?<=[.?!:])\s+(?=[A-Z`*(])", passage)
    return [part for part in parts if WHOLE.fullmatch(part) and SHORTEST <= len(part) <= LONGEST]
