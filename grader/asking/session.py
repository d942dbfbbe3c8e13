"""One asking: a student's retriever reads the guides, their prompts and citations answer, and all of it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grader.capstone.stage import Cast
from grader.judge import asked
from grader.judge.oracles import Data, Weights
from grader.judge.outcomes import CheckFailed
from grader.judge.probes import model as nano

from .guides import Section
from .judged import Judged
from .writer import Writer

BUDGET = 2_000  # tokens of a prompt that is quoted from; the whole of what was found
NEW = 40  # tokens that the model writes
SECONDS = 120.0  # for any one thing that the student's code does
MOST_CHUNKS = 50_000
MOST_TEXT = 200_000  # characters that the judge is asked to count or to read at once


@dataclass(frozen=True)
class Passage:
    """A chunk of a guide, as it stands there."""

    section: Section
    text: str


@dataclass(frozen=True)
class Reply:
    """What was answered: a text, the passages that it cites, those of the prompt, and whether its quotes are true.

    `written` is the quotation that the student's code was given for it, if any.
    """

    text: str
    written: str
    cited: list[Passage]
    shown: list[Passage]
    quotes: list[bool]


@dataclass(frozen=True)
class Figures:
    """What judged questions have shown."""

    questions: int
    recall: float
    answered: int
    quotes: int
    true: int
    elsewhere: int
    refused: int


class Asking:
    """A student's m17, m18 and m07 in one worker, and the guides that are read to them."""

    def __init__(self, cast: Cast, sections: Sequence[Section]) -> None:
        self._cast, self._sections, self._parts = cast, sections, cast.parts
        self._passages: list[Passage] = []
        self._encoding = Data().tiktoken()
        self._writer, self._written = Writer(section.text for section in sections), ""
        self._write = cast.student.callback(self.write, asked.of(str, MOST_TEXT))
        self._count = cast.student.callback(self.tokens, asked.of(str, MOST_TEXT))

    def write(self, prompt: str) -> str:
        """Return a quotation out of a prompt, or nothing."""
        self._written = self._writer(prompt)
        return self._written

    def tokens(self, text: str) -> int:
        """Return a text's number of GPT-2's tokens."""
        return len(self._encoding.encode_ordinary(text))

    def read(self, size: int, overlap: int) -> int:
        """Have the guides cut and indexed; return how many chunks there are."""
        titled = [(section.title, section.text) for section in self._sections]
        self._cast.allow(SECONDS)
        for piece in _list(self._parts.index(titled, size, overlap), "chunk (m17.1)", MOST_CHUNKS):
            if not _is_piece(piece, self._sections):
                raise CheckFailed("What chunk (m17.1) returned is not what its docstring says: places in the text.")
            section = self._sections[piece[0]]
            self._passages.append(Passage(section, section.text[piece[1] : piece[2]]))
        return len(self._passages)

    def ask(self, question: str, k: int) -> Reply:
        """Answer a question from the guides."""
        self._cast.allow(SECONDS)
        self._written = ""
        answer = self._parts.reply(question, k, BUDGET, self._write, self._count)
        if type(answer) is not tuple or len(answer) != 4 or type(answer[0]) is not str:
            raise CheckFailed("What answer (m18.3) returned is not what its docstring says: an Answer.")
        text, cited, shown, quotes = answer
        return Reply(
            text[:MOST_TEXT],
            self._written,
            self._found(cited, "answer (m18.3)"),
            self._found(shown, "search (m17.3)"),
            [quote is True for quote in _list(quotes, "check_quotes (m18.2)", MOST_TEXT)],
        )

    def measure(self, answered: Sequence[Judged], elsewhere: Sequence[Judged], k: int) -> Figures:
        """Put the judged questions, and count."""
        self._cast.allow(SECONDS)
        relevant = [sorted(one.sections) for one in answered]
        recall = self._parts.recall([one.question for one in answered], relevant, k) if answered else 0.0
        if not isinstance(recall, float) or not 0 <= recall <= 1:
            raise CheckFailed("What recall_at_k (m17.5) returned is not what its docstring says: a share.")
        replies = [self.ask(one.question, k) for one in answered]
        refused = sum(not self.ask(one.question, k).cited for one in elsewhere)
        quotes = [quote for reply in replies for quote in reply.quotes]
        said = sum(bool(reply.cited) for reply in replies)
        return Figures(len(answered), float(recall), said, len(quotes), sum(quotes), len(elsewhere), refused)

    def make_up(self, question: str, k: int, seed: int) -> str:
        """Have gpt2-nano go on from a prompt within its context, by the student's m07; return what it writes."""
        weights = Weights("gpt2-nano")
        context, stop = weights.sizes["context_length"], self._encoding.eot_token
        self._cast.allow(SECONDS)
        prompt = self._parts.prompt(question, k, context - NEW, self._count)
        if type(prompt) is not str or len(prompt) > MOST_TEXT:
            raise CheckFailed("What build_prompt (m18.1) returned is not what its docstring says: a prompt.")
        ids = self._encoding.encode_ordinary(prompt)
        model = self._cast.student.plant(nano).build(weights.sizes, weights.linear_state())
        new = _list(self._parts.go_on(model, ids, NEW, context, stop, seed), "generate (m07.3)", 10 * NEW)
        if not all(type(token) is int and 0 <= token < self._encoding.n_vocab for token in new):
            raise CheckFailed("What generate (m07.3) returned is not what its docstring says: ids.")
        return str(self._encoding.decode(new))

    def _found(self, numbers: Any, what: str) -> list[Passage]:
        known = range(len(self._passages))
        if not all(type(number) is int and number in known for number in _list(numbers, what, len(known))):
            raise CheckFailed(f"What {what} returned is not what its docstring says: places of what was found.")
        return [self._passages[number] for number in numbers]


def _is_piece(piece: Any, sections: Sequence[Section]) -> bool:
    if type(piece) is not tuple or [type(part) for part in piece] != [int, int, int]:
        return False
    number, start, end = piece
    return 0 <= number < len(sections) and 0 <= start <= end <= len(sections[number].text)


def _list(value: Any, what: str, most: int) -> list[Any]:
    if type(value) is not list or len(value) > most:
        raise CheckFailed(f"What {what} returned is not what its docstring says: a list.")
    return value
