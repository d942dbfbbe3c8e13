"""The references for m18_rag's prompts: a plain builder that tries one passage after another, with the mistakes."""

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

INSTRUCTION = "Answer from these passages alone. Quote them, and cite each by its number, like [1]."
REFUSAL = "Nothing that was found answers this."
Count = Callable[[str], int]
Prompt = tuple[str, list[int]]


def flat(text: str) -> str:
    """Make all white space single spaces."""
    return re.sub(r"\s+", " ", text).strip()


def unstripped(text: str) -> str:
    """Make all white space single spaces, and let those at the ends stay."""
    return re.sub(r"\s+", " ", text)


def without_line_ends(text: str) -> str:
    """Put spaces in the place of line ends alone."""
    return text.replace("\n", " ")


SQUEEZED: dict[str, Callable[[str], str]] = {  # by what is done to white space
    "flat": flat,
    "ends": unstripped,
    "line ends": without_line_ends,
    "line ends, and ends": lambda text: without_line_ends(text).strip(),
}


def laid(
    question: str,
    lines: Sequence[str],
    *,
    between: str = "\n",
    parts: str = "\n\n",
    end: str = "\nAnswer:",
    empty: bool = False,
    first: bool = False,
) -> str:
    """Join the parts of a prompt; the switches make the layouts that are not asked for."""
    asked = f"Question: {question}{end}"
    middle = [between.join(lines)] if lines or empty else []
    return parts.join([INSTRUCTION, asked, *middle] if first else [INSTRUCTION, *middle, asked])


def prompt(
    question: str,
    passages: Sequence[str],
    budget: int,
    count: Count,
    *,
    fits: Callable[[Sequence[str], str, str], bool] | None = None,
    strict: bool = False,
    after: str = "skip",
    numbered: str = "as they stand",
    places: int = 0,
    white: str = "flat",
    cut: bool = False,
    backwards: bool = False,
    alike: str = "",
    **layout: Any,
) -> Prompt:
    """Build a prompt and say which passages it holds; the switches make the mistakes."""
    squeeze = SQUEEZED.get(white, flat)
    asked = question if white in ("question", "kept") else squeeze(question)
    lines: list[str] = []
    used: list[int] = []
    best = laid(asked, [], **layout)
    for place, passage in list(enumerate(passages))[:: -1 if backwards else 1]:
        if alike == "once" and passage in passages[:place]:
            continue
        number = {"as they stand": len(lines) + 1, "as given": place + 1, "from 0": len(lines)}[numbered]
        text = passage if white in ("passages", "kept") else squeeze(passage)
        while True:
            line = f"[{number}] {text}"
            whole = laid(asked, [*lines, line], **layout)
            good = fits([*lines, line], asked, whole) if fits else count(whole) + strict <= budget
            if good or not cut or " " not in text:
                break
            text = text.rpartition(" ")[0]
        if good:
            best = whole
            lines.append(line)
            used.append((passages.index(passage) if alike == "first" else place) + places)
        elif after == "shown":
            best = whole
        elif after == "end":
            break
    return best, used


def measures(budget: int, count: Count) -> dict[str, Callable[[Sequence[str], str, str], bool]]:
    """Return how the classic mistakes measure whether a prompt is within its budget."""

    def pieces(lines: Sequence[str], asked: str, ends: str = "", tail: str = "\n\n") -> int:
        total = sum(count(line + ends) for line in lines)
        return count(INSTRUCTION + tail * bool(ends)) + total + count(f"{tail * bool(ends)}Question: {asked}\nAnswer:")

    return {
        "the tokens of the pieces are added up: count the whole prompt": lambda lines, asked, _: (
            pieces(lines, asked) <= budget
        ),
        "the tokens of each passage are added to those of the prompt without any: count the whole prompt": (
            lambda lines, asked, _: count(laid(asked, [])) + sum(map(count, lines)) <= budget
        ),
        "only the passages are counted: the instruction and the question take tokens too": lambda lines, *_: (
            count("\n".join(lines)) <= budget
        ),
        "the tokens of the passages alone are added up: the instruction and the question take tokens too": (
            lambda lines, *_: sum(map(count, lines)) <= budget
        ),
        "the passages are counted without their numbers": lambda lines, asked, _: (
            count(laid(asked, [line.partition(" ")[2] for line in lines])) <= budget
        ),
        "the instruction is not counted": lambda _, __, whole: count(whole[len(INSTRUCTION) + 2 :]) <= budget,
        "words are counted instead of tokens: count says how many tokens a text has": lambda _, __, whole: (
            len(whole.split()) <= budget
        ),
        "characters are counted instead of tokens: count says how many tokens a text has": lambda _, __, whole: (
            len(whole) <= budget
        ),
        "a token is taken for four characters: count says how many tokens a text has": lambda _, __, whole: (
            math.ceil(len(whole) / 4) <= budget
        ),
        "a token is taken for four characters, rounded down: count says how many tokens a text has": (
            lambda _, __, whole: len(whole) // 4 <= budget
        ),
        "the budget is not looked at": lambda *_: True,
    }


WAYS: dict[str, dict[str, Any]] = {
    "the budget may be used up to its last token: it is < where <= is asked for": {"strict": True},
    "a passage that does not fit ends the list: leave it out, and try those after it": {"after": "end"},
    "a passage that does not fit is cut short: leave it out whole": {"cut": True},
    "the prompt with a passage that does not fit is given all the same, as the last that was tried": {"after": "shown"},
    "the worst passages come first": {"backwards": True},
    "a passage's place is looked up by its text: of two that are alike it is the first one's": {"alike": "first"},
    "a passage that is found twice is laid in once: nothing says that it should be": {"alike": "once"},
    "passages keep the number of their place in the list: number those in the prompt from 1": {"numbered": "as given"},
    "passages are numbered from 0": {"numbered": "from 0"},
    "the places count from 1: the first passage's place is 0": {"places": 1},
    "the question's white space is kept as it is": {"white": "question"},
    "the passages' white space is kept as it is": {"white": "passages"},
    "the white space of question and passages is kept as it is": {"white": "kept"},
    "a space stays at the ends of question and passages": {"white": "ends"},
    "line ends become spaces, and tabs and rows of spaces stay as they are": {"white": "line ends, and ends"},
    "line ends become spaces, and all other white space stays, also at the ends": {"white": "line ends"},
    "there is an empty line between passages, and a line's end alone is asked for": {"between": "\n\n"},
    "the parts follow each other without an empty line": {"parts": "\n"},
    "a space follows Answer:": {"end": "\nAnswer: "},
    "a line's end follows Answer:": {"end": "\nAnswer:\n"},
    "Answer: is missing": {"end": ""},
    "the part for the passages stays, though there are none": {"empty": True},
    "the question stands before the passages": {"first": True},
}


def prompt_misses(question: str, passages: Sequence[str], budget: int, count: Count) -> dict[str, Callable[[], Prompt]]:
    """Build the same prompt as the classic mistakes do."""
    ways = {words: {"fits": fits} for words, fits in measures(budget, count).items()} | WAYS
    return {words: functools.partial(prompt, question, passages, budget, count, **how) for words, how in ways.items()}
