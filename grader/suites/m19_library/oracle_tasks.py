"""The reference for m19_library's pipelines: what small models answer, by formulas, and what mistakes make of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Rows = list[list[int]]
Ranked = tuple[list[str], Tensor]  # names, and the probability of each, float64


def padded(rows: Rows, pad_id: int, left: bool = False) -> tuple[list[list[int]], list[list[bool]]]:
    """Return rows of one length, and where they are no padding."""
    longest = max(map(len, rows))
    fill = [[pad_id] * (longest - len(row)) for row in rows]
    seen = [[True] * len(row) for row in rows]
    empty = [[False] * len(part) for part in fill]
    if left:
        return [a + b for a, b in zip(fill, rows, strict=True)], [a + b for a, b in zip(empty, seen, strict=True)]
    return [a + b for a, b in zip(rows, fill, strict=True)], [a + b for a, b in zip(seen, empty, strict=True)]


def class_scores(table: Tensor, row: list[int], shift: int = 0) -> Tensor:
    """Return the scores that a Sorter gives a row of ids that begins at a place."""
    places = torch.arange(1 + shift, len(row) + 1 + shift, dtype=torch.float64)[:, None] ** 0.5
    return (table.double()[row] / places).sum(dim=0)


def ranked(chances: Tensor, names: list[str], top_k: int) -> Ranked:
    """Return the largest numbers with their names, of equal ones the first."""
    order = sorted(range(len(chances)), key=lambda place: (-float(chances[place]), place))[:top_k]
    return [names[place] for place in order], chances[order]


def class_misses(table: Tensor, row: list[int], names: list[str], top_k: int, longest: int, pad: int) -> dict[str, Any]:
    """Return what mistakes make of a row's classes; `longest` is its batch's longest row."""
    scores = class_scores(table, row)
    behind = class_scores(table, row + [pad] * (longest - len(row)))
    shifted = class_scores(table, row, longest - len(row))
    least = ranked(-scores.softmax(0), names, top_k)
    hidden = class_scores(table, [pad] * (longest - len(row)), len(row))
    unseen = table.clone()
    unseen[pad] = 0
    return {
        "mask is made of the ids: a text may hold the one of padding": ranked(
            class_scores(unseen, row).softmax(0), names, top_k
        ),
        "mask is True for padding, and False for text": ranked(hidden.softmax(0), names, top_k),
        "probabilities are missing: these are scores": ranked(scores, names, top_k),
        "each class has a probability of its own (a sigmoid): one of them is right, so it takes a softmax": ranked(
            scores.sigmoid(), names, top_k
        ),
        "the unlikeliest classes come first": (least[0], -least[1]),
        "classes come in their own order, not the likeliest first": (names[:top_k], scores.softmax(0)[:top_k]),
        "padding is read as if it were text: mask is False there": ranked(behind.softmax(0), names, top_k),
        "padding stands on the left: it stands on the right": ranked(shifted.softmax(0), names, top_k),
        "probabilities are logarithms": ranked(scores.log_softmax(0), names, top_k),
    }


def token_scores(table: Tensor, ids: list[int], place: int) -> Tensor:
    """Return the scores that a Reader gives at one place."""
    rows = table.double()[ids]
    return rows[place - 1] + 2 * rows[(place + 1) % len(ids)] - rows[place]


def filled(left: str, piece: str, right: str) -> str:
    """Return a text with a piece in its gap."""
    return left + (piece[2:] if piece.startswith("##") else piece) + right


def fill_misses(table: Tensor, left: list[int], right: list[int], special: tuple[int, int, int]) -> dict[str, Tensor]:
    """Return the chances that mistakes give the tokens in a gap between some ids; `special` is [CLS], [SEP], [MASK]."""
    cls_id, sep_id, mask_id = special
    ids, place = [cls_id, *left, mask_id, *right, sep_id], 1 + len(left)
    scores = token_scores(table, ids, place)
    every = torch.stack([token_scores(table, ids, other) for other in range(len(ids))])
    return {
        "probabilities are missing: these are scores": scores,
        "probabilities are logarithms": scores.log_softmax(0),
        "the place before the gap is read: cls_id stands before all": every[place - 1].softmax(0),
        "the place behind the gap is read": every[place + 1].softmax(0),
        "the softmax goes along the text, not over the vocabulary": every.softmax(0)[place],
    }


def hits(documents: dict[str, str], answer: list[tuple[int, float]], k: int) -> list[tuple[Any, ...]]:
    """Return the best chunk of each of the k best documents, cut at full stops."""
    best: dict[str, tuple[Any, ...]] = {}
    parts = chunks(documents)
    for place, score in answer:
        name = parts[place][0]
        if name not in best:
            best[name] = (*parts[place], score)
    return list(best.values())[:k]


def chunks(documents: dict[str, str]) -> list[tuple[str, int, int, str]]:
    """Return all chunks: the document's name, begin, end and text."""
    found = []
    for name, text in documents.items():
        start = 0
        while (end := text.find(".", start) + 1) > 0:
            found.append((name, start, end, text[start:end]))
            start = end
    return found


def hit_misses(documents: dict[str, str], answer: list[tuple[int, float]], k: int) -> dict[str, Any]:
    """Return what mistakes find."""
    parts = chunks(documents)
    every = [(*parts[place], score) for place, score in answer]
    last: dict[str, tuple[Any, ...]] = {hit[0]: hit for hit in every}
    order = list(dict.fromkeys(hit[0] for hit in every))
    return {
        "a document is found several times: its best chunk alone is asked for": every[:k],
        "among the k best chunks, or a few times as many, are fewer than k documents: look further down": hits(
            documents, answer[:k], k
        ),
        "a document's worst chunk is taken, not its best": [last[name] for name in order][:k],
        "all documents are returned, whatever k says": hits(documents, answer, len(documents)),
        "documents come in their own order, not the best first": sorted(
            hits(documents, answer, k), key=lambda hit: list(documents).index(hit[0])
        ),
        "the worst comes first": hits(documents, answer, k)[::-1],
        "the chunks' texts are missing": [(*hit[:3], documents[hit[0]], hit[4]) for hit in hits(documents, answer, k)],
    }
