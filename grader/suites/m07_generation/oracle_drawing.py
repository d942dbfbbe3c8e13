"""The distributions of m07_generation in float64, with a switch for every mistake, and how often tokens may come up."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.judge import expect_bound

Misses = dict[str, Callable[[], Tensor]]
ROOM = 8.0  # standard deviations


def distribution(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, **switches: Any
) -> Tensor:
    """Return the probabilities, row by row in float64, as float32; the switches make the mistakes."""
    rows = [_row(row, temperature, top_k, top_p, **switches) for row in logits.double()]
    return torch.stack(rows).float()


def _row(
    scores: Tensor,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    *,
    order: str = "tkp",
    scale: str = "divide",
    crossing: str = "stays",
    sort_back: bool = True,
    by: str = "size",
    fill: float = -math.inf,
    renormalise: bool = True,
    shares_for_p: str = "renormalised",
    ties: str = "stay",
) -> Tensor:
    if temperature == 0:
        return F.one_hot(scores.argmax(), len(scores)).double()
    plain = torch.softmax(scores, 0)
    for step in order:
        if step == "t":
            scores = scores * temperature if scale == "multiply" else scores / temperature
        elif step == "k" and top_k is not None:
            ranked = scores.argsort(descending=True, stable=True)
            last = scores[ranked[min(top_k, len(scores)) - 1]]
            out = scores < last if ties == "stay" else scores <= last
            if ties == "cut":
                out = torch.ones_like(out).index_fill(0, ranked[:top_k], False)
            plain = torch.softmax(scores, 0)
            scores = torch.where(out, fill, scores)
        elif step == "p" and top_p is not None:
            shares = plain if shares_for_p == "plain" else torch.softmax(scores, 0)
            ranked = {
                "size": shares.argsort(descending=True, stable=True),
                "upward": shares.argsort(stable=True),
                "id": torch.arange(len(shares)),
            }[by]
            sums = shares[ranked].cumsum(0)
            late = sums > top_p if crossing == "goes" else sums - shares[ranked] >= top_p
            if crossing == "goes" and bool(late.all()):
                late[0] = False
            if crossing == "one more":
                late = torch.cat([torch.tensor([False]), late[:-1]])
            out = torch.zeros_like(late).index_copy(0, ranked, late) if sort_back else late
            plain = torch.softmax(scores, 0)
            scores = torch.where(out, -math.inf, scores)
    if not renormalise:
        return torch.where(scores > -math.inf, plain, 0.0)
    return torch.softmax(scores, 0)


def distribution_misses(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Misses:
    """Compute what the classic mistakes give for the same arguments."""

    def wrong(
        temperature: float = temperature, top_k: int | None = top_k, top_p: float | None = top_p, **switches: Any
    ) -> Callable[[], Tensor]:
        return lambda: distribution(logits, temperature, top_k, top_p, **switches)

    misses: Misses = {}
    if top_k is not None and top_p is not None:
        misses |= {
            "top_p sums up the shares from before top_k: renormalise in between": wrong(shares_for_p="plain"),
            "top_p comes before top_k": wrong(order="tpk"),
        }
    misses |= {
        "the temperature multiplies the logits instead of dividing them": wrong(scale="multiply"),
        "the temperature is not applied": wrong(temperature=1.0),
        "the logits are returned, not probabilities: the softmax is missing": lambda: logits / (temperature or 1.0),
    }
    if top_k is not None:
        misses |= {
            "top_k is not applied": wrong(top_k=None),
            "top_k keeps one token too many": wrong(top_k=top_k + 1),
            "what top_k leaves does not sum to 1: hide scores before the softmax, or divide by the new sum": wrong(
                renormalise=False
            ),
            "top_k sets the hidden scores to 0, which is a score like any other: use minus infinity": wrong(fill=0.0),
        }
        if top_k > 1:
            misses["top_k keeps one token too few"] = wrong(top_k=top_k - 1)
        misses["the first row's threshold is every row's: each row has its own last score"] = lambda: hidden_below(
            logits / (temperature or 1.0), top_k
        )
        misses["of scores equal to the last of the top_k all stay: only some did"] = wrong(ties="cut")
        misses["of scores equal to the last of the top_k all stay: none did (<= instead of <)"] = wrong(ties="go")
    if top_p is not None:
        misses |= {
            "top_p is not applied": wrong(top_p=None),
            "top_p drops the token that crosses it: it belongs to the kept ones": wrong(crossing="goes"),
            "top_p keeps one token too many": wrong(crossing="one more"),
            "1 - top_p stands where top_p belongs: the likeliest tokens sum to top_p": wrong(
                top_p=1 - top_p if top_p < 1 else 1.0
            ),
            "top_p hides tokens by their rank instead of their id: bring the mask back from the sorted order": wrong(
                sort_back=False
            ),
            "the running sum begins with the least likely token: sort downwards": wrong(by="upward"),
            "the running sum goes by ids: sort the probabilities first": wrong(by="id"),
            "what is kept is brought back by gather, which sorts it once more: scatter undoes a sort": lambda: gathered(
                logits, temperature, top_k, top_p
            ),
            "where the first row is cut, all rows are cut: each row has its own": lambda: cut_like_the_first(
                logits, temperature, top_k, top_p
            ),
            "remove[0] is the first row, which is then not cut at all; the first token of each row is remove[..., 0]": (
                lambda: first_row_free(logits, temperature, top_k, top_p)
            ),
            "what top_p leaves does not sum to 1: divide by the new sum": wrong(renormalise=False),
            "top_p looks at the probabilities before the temperature": wrong(order="ptk"),
        }
    return misses


def hidden_below(scores: Tensor, top_k: int) -> Tensor:
    """Hide what is below the last of the top_k of the first row, in every row."""
    last = scores[0].topk(min(top_k, scores.shape[-1])).values[-1]
    return torch.softmax(scores.double().masked_fill(scores < last, -math.inf), -1).float()


def cut_like_the_first(logits: Tensor, temperature: float, top_k: int | None, top_p: float) -> Tensor:
    """Keep as many tokens of each row as the first row keeps."""
    kept = int((distribution(logits, temperature, top_k, top_p)[0] > 0).sum())
    shares, order = distribution(logits, temperature, top_k).double().sort(-1, descending=True)
    found = torch.zeros_like(shares).scatter(-1, order[:, :kept], shares[:, :kept])
    return (found / found.sum(-1, keepdim=True)).float()


def first_row_free(logits: Tensor, temperature: float, top_k: int | None, top_p: float) -> Tensor:
    """Cut every row but the first, and lose all of a row whose first token is above top_p."""
    whole = distribution(logits, temperature, top_k)
    found = distribution(logits, temperature, top_k, top_p)
    found[0] = whole[0]
    found[1:][whole[1:].amax(-1) > top_p] = math.nan
    return found


def gathered(logits: Tensor, temperature: float, top_k: int | None, top_p: float) -> Tensor:
    """Cut the sorted rows, and sort them once more instead of back."""
    order = distribution(logits, temperature, top_k).sort(-1, descending=True).indices
    kept = distribution(logits, temperature, top_k, top_p).gather(-1, order)
    return kept.gather(-1, order)


def clear_top_p(logits: Tensor, temperature: float, top_k: int | None, lowest: float, highest: float) -> float:
    """Return a top_p as far as can be from every running sum of every row, so that rounding decides nothing."""
    shares = distribution(logits, temperature, top_k).double().sort(dim=-1, descending=True).values
    sums = shares.cumsum(-1).flatten()
    edges = torch.cat([torch.tensor([lowest, highest]), sums[(sums > lowest) & (sums < highest)]]).sort().values
    widest = int(edges.diff().argmax())
    return float(edges[widest] + edges[widest + 1]) / 2


def expect_frequencies(ids: Tensor, probs: Tensor, what: str, misses: dict[str, Tensor] | None = None) -> None:
    """Fail unless draws of one distribution have its frequencies.

    The room is Bernstein's bound: chance exceeds it less than once in 10^13 for each outcome, whatever the
    distribution.
    """
    strange = ids[(ids < 0) | (ids >= len(probs))]  # however large: what is counted has a place in a table
    counts = torch.stack([(ids == token).sum() for token in range(len(probs))]).double()
    away = math.inf if len(strange) else _away(counts, probs)
    mistake = None
    if away >= ROOM:
        mistake = next((words for words, other in (misses or {}).items() if _away(counts, other) < ROOM), None)
    worst = int(strange.max()) if len(strange) else int((counts / ids.numel() - probs).abs().argmax())
    wanted = "none" if len(strange) else f"{float(probs[worst]):.1%}"
    share = float((ids == worst).double().mean())
    message = f"Of {ids.numel()} {what} {share:.1%} are {worst}, expected {wanted}."
    expect_bound(away, message, below=ROOM, mistake=mistake)


def _away(counts: Tensor, probs: Tensor) -> float:
    """Return how many standard deviations the count that is furthest off is away, beyond what rare ones may be off."""
    draws, probs = counts.sum(), probs.double()
    if bool((counts[probs <= 0] > 0).any()):
        return math.inf
    room = (draws * probs * (1 - probs)).sqrt().clamp(min=1e-9)
    return float((((counts - draws * probs).abs() - 13.0).clamp(min=0.0) / room).max())
