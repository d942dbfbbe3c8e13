"""The page's tab that answers from the course's guides, by the student's own m17 and m18."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from grader.asking import driver
from grader.asking.guides import Section
from grader.asking.needed import PASSAGES, SIZE, overlap
from grader.asking.session import BUDGET
from grader.asking.writer import Writer
from grader.judge.oracles import Data


class Asker:
    """What `grader ask` has run in the sandbox, run here: the guides are read when it is asked for the first time."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections, self._lock = sections, threading.Lock()
        self._write = Writer(section.text for section in sections)  # makes nothing up: it quotes
        self._pieces: list[tuple[int, int, int]] = []

    def answer(self, question: str) -> str:
        """Answer with a quotation and the sections that it cites, or say that nothing was found."""
        if not question.strip():
            return "Ask something first."
        with self._lock:
            if not self._pieces:
                titled = [(section.title, section.text) for section in self._sections]
                self._pieces = driver.index(titled, SIZE, overlap(SIZE))
            text, cited, _, _ = driver.reply(" ".join(question.split()), PASSAGES, BUDGET, self._write, _tokens)
        sources = [self._sections[self._pieces[number][0]] for number in cited]
        return "\n".join([text, "", *(f"{section.page}, section {section.heading}" for section in sources)]).strip()


def _tokens(text: str) -> int:
    return len(Data().tiktoken().encode_ordinary(text))
