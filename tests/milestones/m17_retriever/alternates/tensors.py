"""Unusual: torch throughout: all postings in one flat tensor, index_add, recall by broadcasting, float32 scores."""

from typing import NamedTuple

import regex
import torch
from torch import Tensor
from torch.nn.functional import normalize


class Chunk(NamedTuple):
    start: int
    end: int
    text: str


def chunk(text: str, size: int, overlap: int) -> list:
    if overlap not in range(size):
        raise ValueError(f"overlap {overlap} is not in range({size})")
    head = Chunk(0, min(size, len(text)), text[:size])
    if not text:
        return []
    if len(text) <= size:
        return [head]
    step = size - overlap
    return [head] + [Chunk(a + step, b + step, t) for a, b, t in chunk(text[step:], size, overlap)]


def tokenize(text: str) -> list:
    return regex.findall(r"[\p{L}\p{N}]+", text.lower())


class _Vocabulary(dict):
    """Numbers words in the order in which they come."""

    def __missing__(self, word: str) -> int:
        self[word] = len(self)
        return self[word]


def _triples(documents, vocabulary):
    """Return words, documents and counts of all postings, sorted by word and then by document."""
    words, numbers = [], []
    for number, text in enumerate(documents):
        ids = [vocabulary[word] for word in tokenize(text)]
        words += ids
        numbers += [number] * len(ids)
    pairs = torch.tensor([words, numbers], dtype=torch.int64)
    unique, counts = pairs.unique(dim=1, return_counts=True) if words else (pairs, pairs[0])
    return unique[0], unique[1], counts.double()


class TfIdf:
    def __init__(self, documents) -> None:
        self.vocabulary = _Vocabulary()
        word, document, tf = _triples(documents, self.vocabulary)
        df = torch.bincount(word, minlength=len(self.vocabulary))
        self.idf = torch.log((1.0 + len(documents)) / (1.0 + df.double())) + 1
        table = torch.zeros(len(documents), len(self.vocabulary), dtype=torch.float64)
        table[document, word] = tf
        self.rows = normalize(table * self.idf, dim=1)

    def scores(self, query: str) -> Tensor:
        counts = torch.zeros(len(self.vocabulary), dtype=torch.float64)
        for word in tokenize(query):
            if word in self.vocabulary:
                counts[self.vocabulary[word]] += 1
        return (self.rows @ normalize(counts * self.idf, dim=0)).float()


class BM25:
    def __init__(self, documents, k1: float = 1.2, b: float = 0.75) -> None:
        self.vocabulary = _Vocabulary()
        word, self.document, tf = _triples(documents, self.vocabulary)
        n = len(documents)
        lengths = torch.zeros(n, dtype=torch.float64).index_add(0, self.document, tf)
        df = torch.bincount(word, minlength=len(self.vocabulary))
        self.ends = [0, *df.cumsum(0).tolist()]
        relative = lengths / lengths.mean()
        idf = torch.log1p((n - df + 0.5) / (df + 0.5))
        norm = k1 * (1 - b + b * relative[self.document])
        self.share = (idf[word] * tf * (k1 + 1) / (tf + norm)).float()

    def search(self, query: str, k: int) -> list:
        if not k > 0:
            raise ValueError(f"k = {k}")
        parts = [slice(0, 0)]
        for word in tokenize(query):
            if word in self.vocabulary:
                i = self.vocabulary[word]
                parts.append(slice(self.ends[i], self.ends[i + 1]))
        documents = torch.cat([self.document[part] for part in parts])
        shares = torch.cat([self.share[part] for part in parts])
        ids, places = documents.unique(return_inverse=True)
        scores = torch.zeros(len(ids)).index_add(0, places, shares)
        order = scores.argsort(descending=True, stable=True)[:k]
        return list(zip(ids[order].tolist(), scores[order].tolist(), strict=False))


def cosine_search(query: Tensor, vectors: Tensor, k: int) -> list:
    if k < 1 or query.size(0) != vectors.size(1):
        raise ValueError(f"k = {k}, widths {query.size(0)} and {vectors.size(1)}")
    cosines = normalize(vectors, dim=1).mv(normalize(query, dim=0))
    order = torch.argsort(-cosines, stable=True)
    return [(i, cosines[i].item()) for i in order.tolist()][:k]


def reciprocal_rank_fusion(rankings, k: int = 60) -> list:
    if k < 1:
        raise ValueError(k)
    if not any(rankings):
        return []
    flat = torch.tensor([document for ranking in rankings for document in ranking])
    shares = torch.tensor([1 / (k + place) for r in rankings for place in range(1, len(r) + 1)], dtype=torch.float64)
    ids, places = flat.unique(return_inverse=True)
    scores = torch.zeros(len(ids), dtype=torch.float64).index_add(0, places, shares)
    order = scores.argsort(descending=True, stable=True)
    return list(zip(ids[order].tolist(), scores[order].tolist(), strict=False))


def _hits(rankings, relevant):
    if not len(rankings) == len(relevant) > 0 or not all(len(right) for right in relevant):
        raise ValueError("rankings and judgements do not fit")
    for ranking, right in zip(rankings, relevant, strict=False):
        yield (torch.tensor([*ranking, -1])[:, None] == torch.tensor(sorted(right))[None]).any(1).double()


def recall_at_k(rankings, relevant, k: int) -> float:
    if k < 1:
        raise ValueError(f"k = {k}")
    tuple(_hits(rankings, relevant))  # checks the arguments
    shares = [
        torch.isin(torch.tensor(sorted(right)), torch.tensor(ranking[:k])).double().mean()
        for ranking, right in zip(rankings, relevant, strict=True)
    ]
    return torch.stack(shares).mean().item()


def mean_reciprocal_rank(rankings, relevant) -> float:
    firsts = [(hits / torch.arange(1, len(hits) + 1)).max() for hits in _hits(rankings, relevant)]
    return torch.stack(firsts).mean().item()
