"""Unusual: NumPy everywhere, postings as arrays, a dense table of TF-IDF, and scores that are NumPy's floats."""

import re
from typing import NamedTuple

import numpy as np
import torch


class Chunk(NamedTuple):
    start: int
    end: int
    text: str


def chunk(text, size, overlap):
    if overlap < 0 or overlap >= size:
        raise ValueError(f"size={size}, overlap={overlap}")
    if len(text) == 0:
        return []
    count = 1 + max(0, int(np.ceil((len(text) - size) / (size - overlap))))
    starts = np.arange(count) * (size - overlap)
    ends = np.minimum(starts + size, len(text))
    return [Chunk(int(a), int(b), text[a:b]) for a, b in zip(starts, ends, strict=False)]


_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def tokenize(text):
    return [match.group() for match in _WORD.finditer(text.lower())]


def _table(documents):
    """Return the vocabulary and the counts, a row for each document."""
    vocabulary = {}
    rows = [[vocabulary.setdefault(word, len(vocabulary)) for word in tokenize(text)] for text in documents]
    counts = np.zeros((len(rows), len(vocabulary)))
    for row, ids in enumerate(rows):
        np.add.at(counts[row], ids, 1)
    return vocabulary, counts


def _unit(rows):
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


class TfIdf:
    def __init__(self, documents):
        self.vocabulary, counts = _table(documents)
        df = (counts > 0).sum(axis=0)
        self.idf = np.log((1 + len(documents)) / (1 + df)) + 1
        self.table = _unit(counts * self.idf)

    def scores(self, query):
        row = np.zeros((1, len(self.vocabulary)))
        for word in tokenize(query):
            if word in self.vocabulary:
                row[0, self.vocabulary[word]] += 1
        return torch.from_numpy((self.table @ _unit(row * self.idf)[0]).astype(np.float32))


class BM25:
    def __init__(self, documents, k1=1.2, b=0.75):
        self.k1, self.b = k1, b
        texts = [tokenize(text) for text in documents]
        self.lengths = np.array([len(text) for text in texts], dtype=np.float64)
        found = {}
        for number, text in enumerate(texts):
            for word in text:
                found.setdefault(word, []).append(number)
        self.postings = {word: np.unique(numbers, return_counts=True) for word, numbers in found.items()}
        self.mean = self.lengths.mean() if len(texts) else 1.0

    def search(self, query, k):
        if k <= 0:
            raise ValueError(f"cannot return {k} documents")
        numbers, shares = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
        for word in tokenize(query):
            if word in self.postings:
                ids, tf = self.postings[word]
                idf = np.log1p((len(self.lengths) - len(ids) + 0.5) / (len(ids) + 0.5))
                norm = self.k1 * (1 - self.b + self.b * self.lengths[ids] / self.mean)
                numbers.append(ids)
                shares.append(idf * tf * (self.k1 + 1) / (tf + norm))
        ids, where = np.unique(np.concatenate(numbers), return_inverse=True)
        scores = np.zeros(len(ids))
        np.add.at(scores, where, np.concatenate(shares))
        order = np.lexsort((ids, -scores))[:k]
        return [(int(ids[i]), scores[i]) for i in order]


def cosine_search(query, vectors, k):
    if k <= 0:
        raise ValueError(f"cannot return {k} vectors")
    if vectors.shape[1] != len(query):
        raise ValueError(f"{tuple(query.shape)} and {tuple(vectors.shape)} do not fit")
    rows = _unit(vectors.numpy().astype(np.float64))
    cosines = rows @ _unit(query.numpy().astype(np.float64)[None])[0]
    order = np.argsort(-cosines, kind="stable")[:k]
    return [(int(i), float(cosines[i])) for i in order]


def reciprocal_rank_fusion(rankings, k=60):
    if k < 1:
        raise ValueError(f"no k of {k}")
    ids = sorted({document for ranking in rankings for document in ranking})
    places = np.full((len(rankings), len(ids)), np.inf)
    for row, ranking in enumerate(rankings):
        for place, document in enumerate(ranking):
            places[row, ids.index(document)] = place + 1
    scores = (1 / (k + places)).sum(axis=0) if len(rankings) else np.zeros(0)
    return [(ids[i], scores[i]) for i in np.argsort(-scores, kind="stable")]


def _matched(rankings, relevant):
    if len(rankings) == 0 or len(rankings) != len(relevant) or min(map(len, relevant)) == 0:
        raise ValueError("nothing to measure")
    return [np.isin(ranking, list(right)) for ranking, right in zip(rankings, relevant, strict=False)]


def recall_at_k(rankings, relevant, k):
    if k < 1:
        raise ValueError(f"k={k}")
    _matched(rankings, relevant)
    found = zip(rankings, relevant, strict=True)
    return np.mean([np.isin(list(right), ranking[:k]).mean() for ranking, right in found])


def mean_reciprocal_rank(rankings, relevant):
    return np.mean([1 / (1 + hits.argmax()) if hits.any() else 0 for hits in _matched(rankings, relevant)])
