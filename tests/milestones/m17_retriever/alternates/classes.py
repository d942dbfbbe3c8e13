"""Unusual: a dataclass for chunks, recursion, a heap, scores computed at search time, and loops over characters."""

import heapq
import math
from dataclasses import dataclass
from itertools import groupby

import torch


@dataclass(frozen=True)
class Chunk:
    start: int
    end: int
    text: str


def chunk(text, size, overlap):
    if not (size > overlap >= 0):
        raise ValueError("%d characters with an overlap of %d" % (size, overlap))
    pieces = []
    start = 0
    while start < len(text):
        end = start + size
        if end >= len(text):
            pieces.append(Chunk(start, len(text), text[start:]))
            break
        pieces.append(Chunk(start, end, text[start:end]))
        start = end - overlap
    return pieces


def tokenize(text):
    return ["".join(group) for good, group in groupby(text.lower(), key=str.isalnum) if good]


class Statistics:
    """What both scorers know about a collection."""

    def __init__(self, documents):
        self.texts = [tokenize(document) for document in documents]
        self.n = len(self.texts)
        self.places = {}
        for number, text in enumerate(self.texts):
            for word in text:
                row = self.places.setdefault(word, {})
                row[number] = row.get(number, 0) + 1

    def df(self, word):
        return len(self.places.get(word, ()))


class TfIdf(Statistics):
    def __init__(self, documents):
        super().__init__(documents)
        self.lengths = [0.0] * self.n
        for word, row in self.places.items():
            for number, tf in row.items():
                self.lengths[number] += (tf * self.idf(word)) ** 2

    def idf(self, word):
        return math.log(1 + self.n) - math.log(1 + self.df(word)) + 1

    def scores(self, query):
        result = torch.zeros(self.n, dtype=torch.float64)
        words = [word for word in tokenize(query) if word in self.places]
        own = sum((words.count(word) * self.idf(word)) ** 2 for word in set(words))
        for word in words:  # a word that stands twice comes twice, and so counts twice
            for number, tf in self.places[word].items():
                result[number] += self.idf(word) ** 2 * tf / math.sqrt(own * self.lengths[number])
        return result.to(torch.float32)


class BM25(Statistics):
    def __init__(self, documents, k1=1.2, b=0.75):
        super().__init__(documents)
        self.k1 = k1
        self.b = b
        self.total = sum(map(len, self.texts))

    def part(self, word, number, tf):
        df = self.df(word)
        idf = math.log((self.n + 1) / (df + 0.5))
        relative = len(self.texts[number]) * self.n / self.total
        return idf * (self.k1 + 1) / (1 + self.k1 * ((1 - self.b) + self.b * relative) / tf)

    def search(self, query, k):
        if k < 1:
            raise ValueError("k=%d" % k)
        asked = tokenize(query)
        scores = {}
        for word in sorted(set(asked)):
            for number, tf in self.places.get(word, {}).items():
                scores[number] = scores.get(number, 0.0) + asked.count(word) * self.part(word, number, tf)
        heap = [(-score, number) for number, score in scores.items()]
        heapq.heapify(heap)
        return [(number, -score) for score, number in (heapq.heappop(heap) for _ in range(min(k, len(heap))))]


def cosine_search(query, vectors, k):
    if query.numel() != vectors.size(1):
        raise ValueError("widths %d and %d" % (query.numel(), vectors.size(1)))
    if k < 1:
        raise ValueError("k=%d" % k)
    scored = []
    for number in range(vectors.size(0)):
        a, b = query.double(), vectors[number].double()
        product = float(a.norm()) * float(b.norm())
        scored.append((-(float(a @ b) / product) if product else 0.0, number))
    scored.sort()
    return [(number, 0.0 - score) for score, number in scored[:k]]


def reciprocal_rank_fusion(rankings, k=60):
    if k < 1:
        raise ValueError("k=%d" % k)
    sums = {}
    for ranking in rankings:
        for below, document in enumerate(ranking):
            sums[document] = sums.get(document, 0) + 1 / (k + below + 1)
    in_order = sorted(sums)
    in_order.sort(key=sums.get, reverse=True)  # reverse keeps equal ones in their order
    return [(document, sums[document]) for document in in_order]


def recall_at_k(rankings, relevant, k):
    if k < 1 or not rankings or len(relevant) != len(rankings):
        raise ValueError("k=%d, %d rankings, %d judgements" % (k, len(rankings), len(relevant)))
    total = 0.0
    for ranking, right in zip(rankings, relevant, strict=False):
        if not right:
            raise ValueError("nothing is relevant")
        total += sum(1 for document in right if document in ranking[:k]) / len(right)
    return total / len(rankings)


def mean_reciprocal_rank(rankings, relevant):
    recall_at_k(rankings, relevant, 1)  # checks the arguments
    firsts = []
    for ranking, right in zip(rankings, relevant, strict=False):
        firsts.append(0.0)
        for place, document in enumerate(ranking):
            if document in right:
                firsts[-1] = 1 / (place + 1)
                break
    return math.fsum(firsts) / len(firsts)
