"""What m17_retriever's rankings are compared with: order, fusion, recall and rank, with a switch for every mistake."""

import functools
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from grader.judge import FLOAT32_LAYER, expect, expect_close, expect_equal

from .oracle import BM25_MISTAKES, bm25

SPILL = "documents that share no word with the query are listed too"
UPWARD = "the worst come first: sort downwards"
LATER = "of equal scores the higher index comes first: sort by score, and where scores are equal by index"
MET = "equal scores stand in the order in which they were met: sort by score, and where scores are equal by index"
TIES = "of equal scores the lower index comes first: sort by score, and where scores are equal by index"
UNSTABLE = "equal scores stand in no fixed order: topk and an unstable sort leave it open"


def fusion(rankings: Sequence[Sequence[int]], k: int = 60, first: int = 1, every: bool = False) -> dict[int, float]:
    """Sum 1 / (k + place) over the rankings."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, document in enumerate(ranking, start=first):
            scores[document] = scores.get(document, 0.0) + (1 / (k + place) if k + place else math.inf)
    return {d: s for d, s in scores.items() if not every or all(d in ranking for ranking in rankings)}


def fusion_misses(rankings: Sequence[Sequence[int]], k: int) -> dict[str, Callable[[], dict[int, float]]]:
    """Join rankings as the classic mistakes do."""
    right = fusion(rankings, k)
    return {
        "places are counted from 0; the first place is 1": lambda: fusion(rankings, k, first=0),
        "only what stands in every ranking is kept": lambda: fusion(rankings, k, every=True),
        "k is ignored": lambda: fusion(rankings),
        "k is 10 by default, and 60 is asked for": lambda: fusion(rankings, 10),
        "k is left out of the sum k + place": lambda: fusion(rankings, 0),
        "the sums are divided by the number of rankings": lambda: {d: s / len(rankings) for d, s in right.items()},
        "only the best place of each document counts": lambda: {
            d: max(1 / (k + r.index(d) + 1) for r in rankings if d in r) for d in right
        },
    }


def recall(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]], k: int) -> float:
    """Average the share of relevant documents among the first k."""
    found = [len(right & set(list(ranking)[:k])) for ranking, right in zip(rankings, relevant, strict=True)]
    return math.fsum(hits / len(right) for hits, right in zip(found, relevant, strict=True)) / len(found)


def reciprocal_rank(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]]) -> float:
    """Average 1 / place of the first relevant document."""
    firsts = [
        next((1 / place for place, d in enumerate(ranking, start=1) if d in right), 0.0)
        for ranking, right in zip(rankings, relevant, strict=True)
    ]
    return sum(firsts) / len(firsts)


def recall_misses(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]], k: int) -> dict[str, Tensor]:
    """Measure recall as the classic mistakes do."""
    hits = [len(set(r[:k]) & s) for r, s in zip(rankings, relevant, strict=True)]
    n = len(hits)
    misses = {
        "the hits are divided by k: that is precision": sum(hits) / k / n,
        "the hits are divided by the smaller of k and the number of what is relevant": sum(
            h / min(k, len(s)) for h, s in zip(hits, relevant, strict=True)
        )
        / n,
        "a question counts in full as soon as one relevant document is found": sum(map(bool, hits)) / n,
        "hits and relevant documents are summed before they are divided": sum(hits) / sum(map(len, relevant)),
        "k is ignored": recall(rankings, relevant, 99),
        "the cut is off by one": recall(rankings, relevant, k - 1),
        "a document that stands twice counts twice": sum(
            sum(d in s for d in r[:k]) / len(s) for r, s in zip(rankings, relevant, strict=True)
        )
        / n,
        "the shares are not averaged over the questions": recall(rankings, relevant, k) * n,
    }
    return {words: torch.tensor(value, dtype=torch.float64) for words, value in misses.items()}


def reciprocal_rank_misses(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]]) -> dict[str, Tensor]:
    """Measure the mean reciprocal rank as the classic mistakes do."""
    places = [[i for i, d in enumerate(r, start=1) if d in s] for r, s in zip(rankings, relevant, strict=True)]
    n, firsts = len(places), [found[0] for found in places if found]
    misses = {
        "questions without a hit are left out of the mean": sum(1 / first for first in firsts) / max(len(firsts), 1),
        "places are counted from 0": sum(1 / max(first - 1, 1e-9) for first in firsts) / n,
        "the rankings are cut at 10: however far down the first relevant document stands, its place counts": sum(
            1 / first for first in firsts if first <= 10
        )
        / n,
        "the rankings are cut at 1,000: however far down the first relevant document stands, its place counts": sum(
            1 / first for first in firsts if first <= 1000
        )
        / n,
        "all relevant documents are added up, not the first alone": sum(1 / i for found in places for i in found) / n,
        "the last relevant document is taken instead of the first": sum(1 / found[-1] for found in places if found) / n,
        "the mean place is inverted, instead of the mean of inverses taken": n / max(sum(firsts), 1),
        "the place itself is averaged, not its inverse": sum(firsts) / n,
    }
    return {words: torch.tensor(value, dtype=torch.float64) for words, value in misses.items()}


def best(
    scores: Sequence[float] | dict[int, float], k: int | None = None, *, spill: bool = True
) -> list[tuple[int, float]]:
    """Return the k best as (index, score), of equal ones the lower index first; without `spill` only those not 0."""
    items = scores.items() if isinstance(scores, dict) else enumerate(scores)
    return sorted((item for item in items if spill or item[1]), key=lambda item: (-item[1], item[0]))[:k]


def expect_pairs(actual: Any) -> None:
    """Fail unless what came back has the shape of a search's result."""
    hits = actual if type(actual) is list else []
    mistake = None
    if hits and all(type(hit) is tuple and [type(part) for part in hit] == [float, int] for hit in hits):
        mistake = "the pairs are the wrong way round: an index, and then its score"
    elif hits and all(type(hit) is int for hit in hits):
        mistake = "the scores are left out: each hit is a pair of an index and its score"
    pairs = type(actual) is list and all(
        type(hit) is tuple
        and len(hit) == 2
        and type(hit[0]) is int
        and isinstance(hit[1], float)  # NumPy's is one
        and abs(hit[0]) < 2**63
        for hit in actual
    )
    shape = "a list of (index, score) pairs, tuples of an int and a float"
    expect(pairs, f"The result is {excerpt(actual)}; expected {shape}.", mistake=mistake, evidence="value")


def expect_hits(
    actual: Any,
    scores: Any,
    k: int | None = None,
    *,
    spill: bool = True,
    misses: Any = None,
    met: list[int] | None = None,
) -> None:
    """Compare (index, score) pairs with the k best of `scores`: first the scores, each by its index, then the order.

    `met` is the order that all indices would stand in if equal scores did in the order in which they were met.
    """
    expect_pairs(actual)
    order, found = [index for index, _ in best(scores, k, spill=spill)], [index for index, _ in actual]
    expect(len(set(found)) == len(found), f"The same index stands twice in {excerpt(actual)}.", evidence="value")
    right = _by_index(scores)
    wrong = {words: functools.cache(lambda miss=miss: _by_index(miss())) for words, miss in (misses or {}).items()}

    def listed(table: dict[int, float]) -> Tensor:
        return torch.tensor([table.get(index, 0.0) for index in found], dtype=torch.float64)

    near = {words: (lambda table=table: listed(table())) for words, table in wrong.items()}
    what = f"the scores of the indices {excerpt(found)}"
    expect_close(listed(dict(actual)), listed(right), atol=FLOAT32_LAYER, misses=near, what=what, follows=True)
    others = {} if found == order else _orders(scores, k, spill, right, found, order)
    if others and met is not None:
        others = {MET: met[:k], **{words: order for words, order in others.items() if words != UNSTABLE}}
    others |= {words: (lambda table=table: _places(best(table(), k, spill=spill))) for words, table in wrong.items()}
    expect_equal(found, order, misses=others, what="the order of the indices")


def _orders(
    scores: Any, k: int | None, spill: bool, right: dict[int, float], found: list[int], order: list[int]
) -> dict[str, Any]:
    """Order the same scores as the classic mistakes do."""
    later = _places(sorted(best(scores, spill=spill), key=lambda item: (-item[1], -item[0])))
    upward = _places(sorted(best(scores, spill=spill), key=lambda item: (item[1], item[0])))
    swapped = [right.get(index) for index in found] == [right[index] for index in order]
    ties = max(Counter(right[index] for index in order).values(), default=0)
    orders = {
        LATER if ties > 2 else TIES: later[:k],  # of two, who knows why they are turned round
        SPILL: _places(best(scores))[:k],
    }
    if not swapped:
        return {UPWARD: order[::-1], "the worst are returned instead of the best": upward[:k], **orders}
    return orders if found in orders.values() else {UNSTABLE: found, **orders}


def _places(items: Sequence[tuple[int, float]]) -> list[int]:
    return [index for index, _ in items]


def _by_index(scores: Any) -> dict[int, float]:
    return dict(scores.items() if isinstance(scores, dict) else enumerate(scores))


def excerpt(value: Any) -> str:
    """Return the beginning of a value's text."""
    text = f"{value!r}"
    return text if len(text) < 80 else f"{text[:77]}..."


def settled(scores: Iterable[float], gap: float = 1e-3) -> bool:
    """Whether all scores but zeros lie so far apart that rounding cannot change their order, and some are not 0."""
    found = sorted(score for score in scores if score)
    return len(found) > 1 and all(b - a > gap for a, b in itertools.pairwise(found))


def corpus(data: Any) -> tuple[list[str], list[str], list[set[int]]]:
    """Return the retrieval set: passages, questions, and for each question the indices of the passages that answer."""
    passages, questions = (
        [json.loads(line) for line in data.text(f"retrieval_{name}.jsonl").splitlines()]
        for name in ("passages", "questions")
    )
    places = {passage["id"]: index for index, passage in enumerate(passages)}
    relevant = [{places[name] for name in question["relevant"]} for question in questions]
    return [p["text"] for p in passages], [q["question"] for q in questions], relevant


def measured(
    rank: Callable[[str], Sequence[int]], questions: Sequence[str], relevant: Sequence[set[int]]
) -> tuple[float, float]:
    """Return recall at 3 and the mean reciprocal rank of what `rank` gives for the questions."""
    rankings = [rank(question) for question in questions]
    return recall(rankings, relevant, 3), reciprocal_rank(rankings, relevant)


def quality(
    passages: Sequence[str], questions: Sequence[str], relevant: Sequence[set[int]], **options: Any
) -> tuple[float, float]:
    """Return what a plain BM25 reaches, with a mistake if one is asked for."""

    def rank(question: str) -> list[int]:
        return [index for index, _ in best(bm25(passages, question, **options), spill=False)]

    return measured(rank, questions, relevant)


def quality_mistake(
    passages: Sequence[str], questions: Sequence[str], relevant: Sequence[set[int]], found: tuple[float, float]
) -> str | None:
    """Name the classic mistake that reaches just these figures."""
    for words, options in BM25_MISTAKES.items():
        if quality(passages, questions, relevant, **options) == found:
            return words
    return None
