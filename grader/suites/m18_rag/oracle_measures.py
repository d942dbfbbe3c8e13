"""The references for m18_rag's measures: closed formulas in plain loops, with a switch for every classic mistake."""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .oracle_citing import marks

Gains = Mapping[int, float]


def _numbers(misses: Mapping[str, float]) -> dict[str, Tensor]:
    return {words: torch.tensor(value, dtype=torch.float64) for words, value in misses.items()}


# ── nDCG ──


def discounted(gains: Sequence[float], *, log: Callable[[float], float] = math.log2, first: int = 1) -> float:
    """Sum gains, each divided by the logarithm of its place and one."""
    return math.fsum(gain / log(place + 1) for place, gain in enumerate(gains, start=first) if place > 0)


def one_ndcg(
    ranking: Sequence[int],
    gains: Gains,
    k: int,
    *,
    value: Callable[[float], float] = float,
    ideal: str = "cut",
    twice: bool = False,
    moved: bool = False,
    cut: int | None = None,
    discount: Callable[[Sequence[float]], float] = discounted,
) -> float:
    """Return one question's nDCG; the switches make the mistakes."""
    shown = list(ranking)[: k if cut is None else cut]
    shown = list(dict.fromkeys(shown)) if moved else shown
    found = [
        value(gains.get(document, 0.0)) if twice or document not in shown[:place] else 0.0
        for place, document in enumerate(shown)
    ]
    all_gains = sorted((value(gain) for gain in gains.values()), reverse=True)
    best = {
        "cut": all_gains[:k],
        "whole": all_gains,
        "worst": all_gains[::-1][:k],
        "found": sorted(found, reverse=True),
        "table": [value(gain) for gain in gains.values()][:k],
        "ones": [1.0] * k,
        "none": [],
    }[ideal]
    return discount(found) / (discount(best) or 1.0)


def ndcg(rankings: Sequence[Sequence[int]], gains: Sequence[Gains], k: int, **options: Any) -> float:
    """Average nDCG over the questions."""
    return sum(one_ndcg(*pair, k, **options) for pair in zip(rankings, gains, strict=True)) / len(rankings)


NDCG_MISTAKES: dict[str, dict[str, Any]] = {
    "the best order is not cut at k": {"ideal": "whole"},
    "the best order is made of the documents that were found: it is that of all the gains": {"ideal": "found"},
    "the best order is not sorted": {"ideal": "table"},
    "the best order is sorted upwards: the highest gain comes first": {"ideal": "worst"},
    "the sum is not divided by the best one: that is DCG": {"ideal": "none"},
    "the best gain is taken for 1 everywhere": {"ideal": "ones"},
    "the gain is 2 to its power less 1: here it is the gain itself": {"value": lambda gain: 2.0**gain - 1},
    "every gain counts as 1": {"value": lambda gain: float(gain > 0)},
    "a document that stands twice counts twice": {"twice": True},
    "what stands again is taken out before places are counted: it keeps its place, and adds nothing": {"moved": True},
    "k is ignored": {"cut": 10**6, "ideal": "whole"},
    "the ranking is not cut at k": {"cut": 10**6},
    "gains are not discounted": {"discount": sum},
    "a gain is divided by its place, without a logarithm": {
        "discount": lambda gains: sum(gain / place for place, gain in enumerate(gains, start=1))
    },
    "the gain in place i is divided by log2(i), the first two by 1": {
        "discount": lambda gains: sum(gain / math.log2(max(place, 2)) for place, gain in enumerate(gains, start=1))
    },
    "places are counted one too high: the first is divided by log2(2)": {
        "discount": lambda gains: sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=2))
    },
}


def ndcg_misses(rankings: Sequence[Sequence[int]], gains: Sequence[Gains], k: int) -> dict[str, Tensor]:
    """Measure nDCG as the classic mistakes do."""
    each = [one_ndcg(*pair, k) for pair in zip(rankings, gains, strict=True)]
    shown = [one_ndcg(*pair, k, ideal="none") for pair in zip(rankings, gains, strict=True)]
    best = [discounted(sorted(table.values(), reverse=True)[:k]) for table in gains]
    return _numbers(
        {words: ndcg(rankings, gains, k, **how) for words, how in NDCG_MISTAKES.items()}
        | {
            "the ratios are not averaged over the questions": sum(each),
            "all questions' sums are added up before they are divided": sum(shown) / sum(best),
            "questions without a hit are left out of the mean": sum(each) / max(sum(value > 0 for value in each), 1),
            "the cut is off by one": ndcg(rankings, gains, k, cut=k - 1),
        }
    )


# ── words ──


def without_citations(text: str, gap: str = " ", several: str = "all") -> str:
    """Put a space in the place of every citation."""
    for start, end, _ in reversed(marks(text, several=several)):
        text = f"{text[:start]}{gap}{text[end:]}"
    return text


def words(
    text: str,
    *,
    lower: bool = True,
    signs: str = "deleted",
    articles: bool = True,
    citing: bool = True,
    several: str = "all",
    order: str = "right",
    gap: str = " ",
) -> list[str]:
    """Return the words by which texts are compared; the switches make the mistakes."""
    text = without_citations(text, gap, several) if citing else text
    text = text.lower() if lower else text
    if order == "articles first":
        text = " ".join(word for word in text.split() if word not in ("a", "an", "the"))
    if signs == "spaces":
        text = "".join(" " if letter in string.punctuation else letter for letter in text)
    elif signs == "deleted":
        text = "".join(letter for letter in text if letter not in string.punctuation)
    elif signs == "ends":
        text = " ".join(word.strip(string.punctuation) for word in text.split())
    elif signs == "word characters":
        text = re.sub(r"[^\w\s]", "", text)
    elif signs == "letters":
        text = "".join(letter for letter in text if letter.isalnum() or letter.isspace())
    drop = ("a", "an", "the") if articles and order == "right" else ()
    return [word for word in text.split() if word not in drop]


WORD_MISTAKES: dict[str, dict[str, Any]] = {
    "case is kept": {"lower": False},
    "punctuation is kept": {"signs": "kept"},
    "a space takes the place of each mark: marks are deleted, and cat's is cats": {"signs": "spaces"},
    "marks are taken from the ends of words alone": {"signs": "ends"},
    "whatever is no letter and no digit is deleted: it is the characters of string.punctuation": {"signs": "letters"},
    r"what \w and \s leave is deleted: it is the characters of string.punctuation": {"signs": "word characters"},
    "the words a, an and the are kept": {"articles": False},
    "the words a, an and the are left out before the marks, which may hide them": {"order": "articles first"},
    "citations are kept as words: they go out first": {"citing": False},
    "citations with several numbers, such as [1, 22], are kept as words": {"several": "single"},
    "what stands on both sides of a citation runs together: a space takes its place": {"gap": ""},
    "nothing is done but to cut at white space": {
        "lower": False,
        "signs": "kept",
        "articles": False,
        "citing": False,
    },
    "words are cut at white space and made small, and that is all": {
        "signs": "kept",
        "articles": False,
        "citing": False,
    },
}


def word_misses(text: str) -> dict[str, list[str]]:
    """Find words as the classic mistakes do."""
    right = words(text)
    return {said: words(text, **how) for said, how in WORD_MISTAKES.items()} | {
        "each word is given only once": list(dict.fromkeys(right)),
        "the words are sorted": sorted(right),
        "all that is in square brackets goes out, citation or not": words(re.sub(r"\[[^\]]*\]", " ", text)),
        "the letters a, n and the are taken out of words, too": re.sub(r"(a|an|the)", "", " ".join(right)).split(),
    }


# ── F1 and faithfulness ──


NOT_NORMALISED: dict[str, dict[str, Any]] = {
    "case is kept: find words with normalize": {"lower": False},
    "punctuation is kept: find words with normalize": {"signs": "kept"},
    "the words a, an and the are kept: find words with normalize": {"articles": False},
    "citations are kept as words: find words with normalize": {"citing": False},
    "words are cut at white space alone: find them with normalize": {
        "lower": False,
        "signs": "kept",
        "articles": False,
        "citing": False,
    },
    "words are cut at white space and made small alone: find them with normalize": {
        "signs": "kept",
        "articles": False,
        "citing": False,
    },
}


def token_f1(said: Sequence[str], wanted: Sequence[str], *, sets: bool = False) -> float:
    """Return the harmonic mean of precision and recall, for words that were found already."""
    if sets:
        said, wanted = sorted(set(said)), sorted(set(wanted))
    if not said and not wanted:
        return 1.0
    common = sum(min(said.count(word), wanted.count(word)) for word in set(said))
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def f1_misses(answer: str, reference: str) -> dict[str, Tensor]:
    """Measure F1 as the classic mistakes do."""
    said, wanted = words(answer), words(reference)
    if not said and not wanted:
        return _numbers({"two texts without words have 0, and 1 is asked for": 0.0})
    if not said or not wanted:
        return _numbers({"a text without words has 1, whatever the other one holds": 1.0})
    common = sum((Counter(said) & Counter(wanted)).values())
    precision, recall = common / max(len(said), 1), common / max(len(wanted), 1)
    held = sum(word in wanted for word in said)
    return _numbers(
        {
            "words are sets: one counts as often as both texts hold it": token_f1(said, wanted, sets=True),
            "a word that both texts hold several times is common once: it counts as often as both hold it": 2
            * len(set(said) & set(wanted))
            / (len(said) + len(wanted)),
            "only the share of the answer's words counts: that is precision": precision,
            "only the share of the reference's words counts: that is recall": recall,
            "the two shares are averaged: it is their harmonic mean": (precision + recall) / 2,
            "the factor 2 is missing": token_f1(said, wanted) / 2,
            "common words are divided by all of both: that is Jaccard's measure": common
            / max(len(said) + len(wanted) - common, 1),
            "a word of the answer counts each time, though the reference holds it once": 2
            * held
            / max(len(said) + len(wanted), 1),
            "only equal texts count: that is exact match": float(said == wanted),
        }
        | {
            how: token_f1(words(answer, **options), words(reference, **options))
            for how, options in NOT_NORMALISED.items()
        }
    )


def faithfulness(answer: str, passages: Sequence[str], **options: Any) -> float:
    """Return the share of the answer's words that some passage holds."""
    said = words(answer, **options)
    read = {word for passage in passages for word in words(passage, **options)}
    return sum(word in read for word in said) / len(said) if said else 0.0


def faithfulness_misses(answer: str, passages: Sequence[str]) -> dict[str, Tensor]:
    """Measure faithfulness as the classic mistakes do."""
    said, read = words(answer), [words(passage) for passage in passages]
    if not said:
        return _numbers({"an answer without words has 1, and 0 is asked for": 1.0})
    every = [word for one in read for word in one]
    common = sum((Counter(said) & Counter(every)).values())
    n = max(len(said), 1)
    text = " ".join(every)
    small = {word for passage in passages for word in passage.lower().split()}
    first = set(read[0]) if read else set()
    return _numbers(
        {
            "it is turned round: the share of the passages' words that the answer holds": sum(
                word in said for word in every
            )
            / max(len(every), 1),
            "it is turned round: the share of the passages' different words that the answer holds": len(
                set(said) & set(every)
            )
            / max(len(set(every)), 1),
            "words are sets: one that the answer says twice counts twice": len(set(said) & set(every))
            / max(len(set(said)), 1),
            "a word counts only as often as the passages hold it": common / n,
            "that is F1: only the answer's words are asked about": token_f1(said, every),
            "words are looked for inside other words": sum(word in text for word in said) / n,
            "only the first passage is read": sum(word in first for word in said) / n,
            "only the passage that holds most is read: a word may stand in any of them": max(
                (sum(word in one for word in said) / n for one in read), default=0.0
            ),
            "a word must stand in every passage": sum(all(word in one for one in read) for word in said) / n
            if read
            else 0.0,
            "the share is averaged over the passages": sum(sum(word in one for word in said) / n for one in read)
            / max(len(read), 1),
            "the passages are cut at white space and made small alone: find their words with normalize, too": sum(
                word in small for word in said
            )
            / n,
            "the share of what is not in the passages is given": 1 - faithfulness(answer, passages),
        }
        | {how: faithfulness(answer, passages, **options) for how, options in NOT_NORMALISED.items()}
    )
