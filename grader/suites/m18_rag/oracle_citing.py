"""The references for m18_rag's citations and quotations: read character by character, with the classic mistakes."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from .oracle import flat

Quotes = list[tuple[str, int, bool]]


def groups(answer: str) -> list[tuple[str, str, int]]:
    """Return everything in square brackets: what stands straight before it, what is inside, and where it begins."""
    found, start = [], answer.find("[")
    while start >= 0:
        end = answer.find("]", start)
        if end < 0:
            break
        again = answer.rfind("[", start, end)  # of "[[1]" the inner one counts
        found.append((answer[again - 1 : again], answer[again + 1 : end], again))
        start = answer.find("[", end)
    return found


def numbers(inside: str, between: str = ",") -> list[int]:
    """Return the numbers that brackets hold, or none where something else is in them or between them."""
    parts = [part.strip() for part in re.split(between, inside.strip())]
    return [int(part) for part in parts] if all(re.fullmatch("[0-9]+", part) for part in parts) else []


def marks(
    answer: str,
    *,
    index: str = "none",
    several: str = "all",
    word: str = r"\w",
    read: Callable[[str], list[int]] = numbers,
) -> list[tuple[int, int, list[int]]]:
    """Return where each citation begins and ends, and its numbers; the switches make the mistakes."""
    found: list[tuple[int, int, list[int]]] = []
    last_end, last_good = -1, False
    for before, inside, start in groups(answer):
        follows, end, held = start == last_end, start + len(inside) + 2, read(inside)
        good = last_good if follows else not re.match(word, before)
        if index == "all" or (index == "straight" and follows):  # the latter looks at the character before alone
            good = True
        elif index == "alone" and follows:
            good = False
        if (several == "single" and len(held) > 1) or (several == "tight" and " " in inside):
            held = []
        if good and held:
            found.append((start, end, held[:1] if several == "first" else held))
        last_end, last_good = end, good and bool(held)
    return found


def cited(answer: str, **options: Any) -> list[int]:
    """Return all numbers that an answer cites, as they come, with repetitions."""
    return [number for _, _, held in marks(answer, **options) for number in held]


def citations(answer: str, n: int) -> list[int]:
    """Return the passages from 1 to n that an answer cites, each where it first comes."""
    return list(dict.fromkeys(number for number in cited(answer) if 1 <= number <= n))


INDEX_MISTAKES = {  # by what is taken to make an index of the brackets that it stands straight before
    "brackets straight after an underscore are taken for a citation": r"[^\W_]",
    "brackets straight after a digit are taken for a citation": r"[^\W\d]",
    "brackets straight after a letter such as é are taken for a citation": "[a-zA-Z0-9_]",
    "nothing but a to z and digits makes an index: other letters and underscores do, too": "[a-zA-Z0-9]",
    "only letters make an index: digits and underscores do, too": r"[^\W\d_]",
    "brackets straight after a mark such as ) are taken for an index": r"[\w)]",
}
LOOSE: dict[str, Callable[[str], list[int]]] = {  # by what brackets with something else in them are read as
    "[8 7] is taken for a citation: commas stand between numbers": lambda inside: numbers(inside, r"[\s,]+"),
    "[7;8] is taken for a citation: commas stand between numbers": lambda inside: numbers(inside, "[,;]"),
    "[7-10] is taken for a citation of its two numbers": lambda inside: numbers(inside, "[,-]"),
    "[7-10] is taken for a citation of all from 7 to 10": lambda inside: (
        list(range(ends[0], ends[-1] + 1)) if len(ends := numbers(inside, "-")) == 2 else numbers(inside)
    ),
    "any number in brackets cites, whatever stands beside it there": lambda inside: (
        [int(digits) for digits in re.findall("[0-9]+", inside)]
    ),
    "brackets with a number of two digits are passed over": lambda inside: (
        held if max(held := numbers(inside), default=0) < 10 else []
    ),
}


def citation_misses(answer: str, n: int) -> dict[str, Any]:
    """Read the same citations as the classic mistakes do."""

    def kept(found: Sequence[int], low: int = 1, high: int = n) -> list[int]:
        return list(dict.fromkeys(number for number in found if low <= number <= high))

    def whole(inside: str) -> list[int]:
        held = numbers(inside)
        return held if all(1 <= number <= n for number in held) else []

    right = citations(answer, n)
    return {
        "brackets with several numbers, such as [1, 2], are passed over": kept(cited(answer, several="single")),
        "of brackets with several numbers, such as [1, 2], only the first counts": kept(cited(answer, several="first")),
        "spaces inside brackets are not allowed for": kept(cited(answer, several="tight")),
        "any bracket with one number cites, also array[1], and [1, 2] is passed over": kept(
            cited(answer, index="all", several="single")
        ),
        "any bracket with one number is listed, as often as it comes and whatever it is": cited(
            answer, index="all", several="single"
        ),
        "a number above n is kept: there is no such passage": kept(cited(answer), high=10**9),
        "0 is kept: the first passage is number 1": kept(cited(answer), low=0),
        "every number is kept, whether there is such a passage or not": kept(cited(answer), 0, 10**9),
        "n itself is left out: the last passage is number n": kept(cited(answer), high=n - 1),
        "an index such as array[1] is taken for a citation": kept(cited(answer, index="all")),
        "the second index of m[1][2] is taken for a citation": kept(cited(answer, index="straight")),
        "of [1][2] only the first is taken for a citation": kept(cited(answer, index="alone")),
        "a passage that is cited twice is listed twice": [number for number in cited(answer) if 1 <= number <= n],
        "the numbers are sorted: they stand in the order in which they come first": sorted(right),
        "a number stands where it comes last: its place is where it comes first": kept(cited(answer)[::-1])[::-1],
        "places are given that begin at 0: the first passage is number 1": [number - 1 for number in right],
        "every number in the text counts, with brackets or without": kept(
            [int(digits) for digits in re.findall("[0-9]+", answer)]
        ),
        "only numbers of one digit are read": kept([number for number in cited(answer) if number < 10]),
        "only brackets after a space are read": kept(cited(answer, index="alone", word=r"\S")),
        "brackets are passed over whole where one of their numbers is no passage's": kept(cited(answer, read=whole)),
        **{words: kept(cited(answer, word=word)) for words, word in INDEX_MISTAKES.items()},
        **{words: kept(cited(answer, read=read)) for words, read in LOOSE.items()},
    }


NUMBER = r"\[\s*([0-9]+)\s*\]"


def quotes(
    answer: str,
    passages: Sequence[str],
    *,
    shift: int = 1,
    low: int = 1,
    anywhere: str = "",
    spaced: Callable[[str], str] = flat,
    held: Callable[[str], str] = flat,
    empty: bool = False,
    inside: str = '[^"]*',
    gap: str = r"\s*",
    behind: str = NUMBER,
    mark: str = '"',
    stands: Callable[[str, str], bool] = operator.contains,
    given: Callable[[str], str] = str,
) -> Quotes:
    """Look up every quotation that is cited; the switches make the mistakes."""
    found = []
    for match in re.finditer(f"{mark}({inside}){mark}{gap}{behind}", answer):
        text, number = match[1], int(match[2])
        own = passages[number - shift : number - shift + 1] if number >= shift else []
        if low < 1 and number == 0 and passages:
            own = [passages[-1]]
        read = passages if anywhere == "always" or (anywhere and own) else own
        there = any(stands(held(passage), spaced(text)) for passage in read)
        found.append((given(text), number, there and (empty or flat(text) != "")))
    return found


def _matches(passage: str, text: str) -> bool:
    """Whether a quotation is found by who takes it for a regular expression."""
    try:
        return re.search(text, passage) is not None
    except re.error:
        return False


QUOTE_MISTAKES: dict[str, dict[str, Any]] = {
    "a quotation may stand in any passage: it must stand in the one that it cites": {"anywhere": "where there is one"},
    "a quotation may stand in any passage, whatever its number: it must stand in the one that it cites": {
        "anywhere": "always"
    },
    "passages are counted from 0: number 1 is the first": {"shift": 0},
    "[0] is looked up in the last passage: there is no passage 0": {"low": 0},
    "white space is compared as it stands": {"spaced": str, "held": str},
    "the quotation's white space is compared as it stands": {"spaced": str},
    "the passage's white space is compared as it stands": {"held": str},
    "the white space at the quotation's ends counts": {
        "spaced": lambda text: re.sub(r"\s+", " ", text),
        "held": lambda text: re.sub(r"\s+", " ", text),
    },
    "all white space is dropped, so that words run together": {
        "spaced": lambda text: "".join(text.split()),
        "held": lambda text: "".join(text.split()),
    },
    "case does not count: red is not Red": {"spaced": lambda t: flat(t).lower(), "held": lambda t: flat(t).lower()},
    "a quotation of nothing is found everywhere": {"empty": True},
    "the text comes back with other white space than it has in the answer": {"given": flat},
    "a space between quotation and brackets is not allowed for": {"gap": ""},
    "a space between quotation and brackets is asked for": {"gap": r"\s+"},
    "a quotation of nothing is passed over": {"inside": '[^"]+'},
    "a quotation reaches over the next one, to the last mark there is": {"inside": ".*"},
    "a quotation must be on one line": {"inside": r'[^"\n]*'},
    "a quotation reaches over its closing mark, to the first one with a number behind it": {"inside": ".*?"},
    "anything may stand between a quotation and its number: nothing but spaces may": {"gap": r'[^"\[]*'},
    "a quotation with several numbers behind it is listed: one number is asked for": {
        "behind": r"\[\s*([0-9]+)[\s,0-9]*\]"
    },
    "spaces inside the brackets behind a quotation are not allowed for": {"behind": r"\[([0-9]+)\]"},
    "other marks than straight double quotes are read, too": {"mark": '["“”]', "inside": '[^"“”]*'},
    "the quotation must be the whole passage: it is to stand in it": {"stands": operator.eq},
    "a quotation is taken for a regular expression: its marks are to be found as they stand": {"stands": _matches},
}


def quote_misses(answer: str, passages: Sequence[str]) -> dict[str, Any]:
    """Look up the same quotations as the classic mistakes do."""
    right = quotes(answer, passages)
    return {words: quotes(answer, passages, **how) for words, how in QUOTE_MISTAKES.items()} | {
        "quotations that do not stand in their passage are left out: they are listed as False": [
            found for found in right if found[2]
        ],
        "quotations of a passage that is not there are left out: they are listed as False": [
            found for found in right if 1 <= found[1] <= len(passages)
        ],
        "every quotation is believed": [(text, number, True) for text, number, _ in right],
    }
