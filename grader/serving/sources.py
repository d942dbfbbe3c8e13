"""The page's tab that answers from the course's guides, by the student's own m17 and m18."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from grader.asking.guides import Section
from grader.asking.writer import Writer

SIZE, OVERLAP = 600, 120  # characters of a chunk
PASSAGES = 3
BUDGET = 2_000  # tokens of a prompt


class Asker:
    """A retriever that reads the guides when it is asked for the first time."""

    def __init__(self, retriever: ModuleType, rag: ModuleType, sections: Sequence[Section]) -> None:
        self._retriever, self._rag, self._sections = retriever, rag, sections
        self._lock = threading.Lock()
        self._chunks: list[tuple[Section, str]] = []
        self._index: Any = None

    def answer(self, question: str) -> str:
        """Answer with a quotation and the sections that it cites, or say that nothing was found."""
        from grader.judge.oracles import Data

        if not question.strip():
            return "Ask something first."
        with self._lock:
            if self._index is None:
                self._read()
        found: list[int] = []

        def retrieve(asked: str, most: int) -> list[str]:
            found[:] = [number for number, _ in self._index.search(asked, most)]
            return [self._passage(number) for number in found]

        def count(text: str) -> int:
            return len(Data().tiktoken().encode_ordinary(text))

        said = self._rag.answer(" ".join(question.split()), retrieve, self._write, PASSAGES, BUDGET, count)
        cited = [self._chunks[found[place]][0] for place in said.sources]
        return "\n".join([said.text, "", *(f"{section.page}, section {section.heading}" for section in cited)]).strip()

    def _read(self) -> None:
        pieces = ((one, self._retriever.chunk(one.text, SIZE, OVERLAP)) for one in self._sections)
        self._chunks = [(section, piece.text) for section, cut in pieces for piece in cut]
        self._write = Writer(section.text for section in self._sections)  # makes nothing up: it quotes
        self._index = self._retriever.BM25([self._passage(number) for number in range(len(self._chunks))])

    def _passage(self, number: int) -> str:
        section, text = self._chunks[number]
        return f"{section.milestone} {section.heading}. {text}"
