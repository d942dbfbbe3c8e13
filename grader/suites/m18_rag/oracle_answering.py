"""The references for m18_rag's answers: a plain pipeline, what mistakes make of it, a search and a quoting writer."""

import re
from collections.abc import Sequence
from typing import Any

from .oracle import REFUSAL, Count, prompt
from .oracle_citing import citations, cited
from .oracle_measures import words

Said = tuple[str, list[int]]


def answered(question: str, found: Sequence[str], written: str, budget: int, count: Count) -> Said:
    """Return the text and the sources of a right answer."""
    used = prompt(question, found, budget, count)[1] if found else []
    numbers = citations(written.strip(), len(used))
    return (written.strip(), [used[number - 1] for number in numbers]) if numbers else (REFUSAL, [])


def cites_beyond(question: str, found: Sequence[str], written: str, budget: int, count: Count) -> bool:
    """Whether a text cites a number that no passage of its prompt has."""
    used = prompt(question, found, budget, count)[1] if found else []
    return any(not 1 <= number <= len(used) for number in cited(written))


def answer_misses(question: str, found: Sequence[str], written: str, budget: int, count: Count) -> dict[str, Any]:
    """Return what the classic mistakes make of the same search and the same text."""
    used = prompt(question, found, budget, count)[1] if found else []
    text, numbers = written.strip(), citations(written, len(used))
    every, everything = citations(written, len(found)), list(range(len(found)))
    among_all = "numbers are counted among all that was found: only those in the prompt can be cited"
    if not numbers:
        return {
            "a text that cites nothing is believed: it gives way to REFUSAL": (text, []),
            "the sources stay beside REFUSAL": (REFUSAL, used),
            "what was found is listed beside REFUSAL": (REFUSAL, everything),
            "the refusal is a text of its own: it is REFUSAL": ("", []),
            among_all: (text, [number - 1 for number in every]) if every else (REFUSAL, []),
        }
    sources = [used[number - 1] for number in numbers]
    line = text.partition("\n")[0]
    return {
        "the sources are the numbers in the prompt: places among what was found are asked for": (text, numbers),
        "the sources forget the passages that were left out: number 1 is the first in the prompt": (
            text,
            [number - 1 for number in numbers],
        ),
        among_all: (text, [number - 1 for number in every]),
        "all passages of the prompt are sources: only those that the text cites are": (text, used),
        "all passages that were found are sources: only those that the text cites are": (text, everything),
        "the sources are sorted: they stand in the order of their citations": (text, sorted(sources)),
        "white space around the text stays": (written, sources),
        "only the first line of the text is kept": (line, [used[number - 1] for number in citations(line, len(used))]),
        "there are no sources": (text, []),
        "the text is refused though it cites a passage": (REFUSAL, []),
    }


# ── a search and a writer ──


def search(passages: Sequence[str], question: str, k: int) -> list[int]:
    """Return the places of the passages that share most words with a question, rare ones first among equals."""
    held = [set(words(passage)) for passage in passages]
    asked = set(words(question))
    weight = {word: 1 / (1 + sum(word in one for one in held)) for word in sorted(asked)}
    scores = [sum(value for word, value in weight.items() if word in one) for one in held]
    order = sorted(range(len(passages)), key=lambda place: (-scores[place], place))
    return [place for place in order if scores[place] > 0][:k]


def quote(given: str) -> str:
    """Write, in a model's stead, the sentence of a prompt's passages that shares most words with its question."""
    passages = re.findall(r"(?m)^\[([0-9]+)\] (.*)$", given)
    asked = set(words(given.rpartition("Question: ")[2].removesuffix("Answer:")))
    best, found = -1, ""
    for number, passage in passages:
        for sentence in re.split(r"(?<=[.?!]) ", passage.replace('"', "'")):
            shared = len(asked & set(words(sentence)))
            if shared > best:
                best, found = shared, f'"{sentence}" [{number}]'
    return found
