"""What several checks of m18_rag do: hand in the judge's functions, draw passages, and read an answer."""

import json
import re
from typing import Any

import torch

from grader.judge import asked, expect, expect_equal

from . import oracle

PROMPT = asked.of(str, 20_000)  # a text of so many characters at most, as the judge is asked about
NOT_AN_ANSWER = list | tuple | dict | str | int | float | torch.Tensor | None


def word_count(text: str) -> int:
    """Count what white space parts: a counter that can be checked by hand."""
    return len(text.split())


def tokens(data: Any, more: int = 0) -> oracle.Count:
    """Return tiktoken's count of GPT-2's tokens, with so many more in every text, as for its beginning and its end."""
    encode = data.tiktoken().encode_ordinary
    return lambda text: len(encode(text)) + more


def counter(student: Any, count: oracle.Count) -> Any:
    """Return a counter of the judge's as an argument."""
    return student.callback(count, PROMPT)


def corpus(data: Any) -> tuple[list[str], list[str], list[set[int]]]:
    """Return passages on language models, questions, and for each question the places of those that answer it."""
    passages, questions = (
        [json.loads(line) for line in data.text(f"retrieval_{name}.jsonl").splitlines()]
        for name in ("passages", "questions")
    )
    places = {passage["id"]: place for place, passage in enumerate(passages)}
    relevant = [{places[name] for name in question["relevant"]} for question in questions]
    return [one["text"] for one in passages], [one["question"] for one in questions], relevant


def sentences(data: Any) -> list[str]:
    """Return the sentences of all those passages."""
    return [part for one in corpus(data)[0] for part in re.split(r"(?<=[.?!])\s+", one)]


def telling(draw: Any, question: str, pool: list[str], count: oracle.Count) -> tuple[list[str], int]:
    """Draw passages and a budget with which each wrong way of counting gives a wrong prompt, at most three the same.

    Of more than three none would be named.
    """
    while True:
        passages, budget = draw.random.sample(pool, k=6), draw.random.randint(60, 180)
        right, wrong = oracle.prompt(question, passages, budget, count), []
        for fits in oracle.measures(budget, count).values():
            wrong.append(oracle.prompt(question, passages, budget, count, fits=fits))
            if wrong[-1] == right or wrong.count(wrong[-1]) > 3:
                break
        else:
            return passages, budget


def expect_prompt(
    student: Any, question: str, passages: list[str], budget: int, count: oracle.Count, what: str = "the pair"
) -> None:
    """Compare prompt and places with the plain builder's, and with what the classic mistakes give."""
    actual = student.build_prompt(question, passages, budget, counter(student, count))
    misses = oracle.prompt_misses(question, passages, budget, count)
    expect_equal(actual, oracle.prompt(question, passages, budget, count), misses=misses, what=what)


def said(answer: Any) -> tuple[Any, Any]:
    """Return an Answer's text and sources; fail for anything that is none."""
    message = f"answer gives {answer!r:.60}, expected Answer(text, sources)."
    expect(not isinstance(answer, NOT_AN_ANSWER), message, evidence="value")
    return answer.text, answer.sources


class Heard:
    """Retriever, model and counter of the judge's, and what was asked of them, in order."""

    def __init__(self, found: Any, written: Any, count: oracle.Count = word_count) -> None:
        self._found, self._written, self._count = found, written, count
        self.calls: list[tuple[Any, ...]] = []

    def retrieve(self, question: str, k: int) -> Any:
        """Give what was laid ready."""
        self.calls.append(("retrieve", question, k))
        return self._found(question, k) if callable(self._found) else self._found

    def generate(self, prompt: str) -> Any:
        """Write what was laid ready."""
        self.calls.append(("generate", prompt))
        return self._written(prompt) if callable(self._written) else self._written

    def answer(self, student: Any, question: str, k: int, budget: int) -> Any:
        """Let the student's code answer with all three."""
        retrieve = student.callback(self.retrieve, asked.of(str), asked.of(int))
        generate = student.callback(self.generate, PROMPT)
        return student.answer(question, retrieve, generate, k, budget, counter(student, self._count))
