"""m17_retriever: find the passages that answer a question.

A model knows nothing of your notes. Cut them into chunks, score these by words or by vectors, join rankings, measure.
Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, wherever it comes.
Both measures raise ValueError without questions, with unequal numbers of both, and where nothing is relevant.
Left out: a prompt's budget (m18), learned embeddings, stemming. Not allowed: F.cosine_similarity, nn.CosineSimilarity.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Chunk(NamedTuple):
    """A piece of a document and where it stands there, counted in characters: `text` is the document's [start:end]."""

    start: int
    end: int
    text: str


def chunk(text: str, size: int, overlap: int) -> list[Chunk]:
    """Cut a text into chunks of `size` characters, each beginning `size - overlap` characters after the one before.
    The first chunk that reaches the end is the last one, and may be shorter; the empty text has none.
    Example: chunk("abcdefghi", 4, 1) is [Chunk(0, 4, "abcd"), Chunk(3, 7, "defg"), Chunk(6, 9, "ghi")].
    Raises ValueError, naming both numbers, unless 0 <= overlap < size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"chunks of {size} characters cannot overlap by {overlap}")
    # A chunk is needed while the one before it stopped short of the end: it stopped at start + overlap.
    last = max(len(text) - overlap, min(len(text), 1))
    starts = range(0, last, size - overlap)
    return [Chunk(start, min(start + size, len(text)), text[start : start + size]) for start in starts]


def tokenize(text: str) -> list[str]:
    """Return the lower-cased text's longest runs of letters and digits: "A cat's 2." is ["a", "cat", "s", "2"]."""
    return re.findall(r"[^\W_]+", text.lower())  # \w is letters, digits and the underscore, of every script


class TfIdf:
    """Score texts by the cosine between weighted word counts (Manning et al. 2008, 6.2-6.3; as scikit-learn smooths).
    A word's weight is how often it stands in the text, times idf = ln((1 + N) / (1 + df)) + 1, where df of the N
    documents hold the word; others are left out. Each vector is divided by its length; one without words scores 0.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        counts = [Counter(tokenize(document)) for document in documents]
        # A document adds one to a word's df, however often it holds the word: a Counter's keys are its distinct words.
        df = Counter(word for count in counts for word in count)
        self.idf = {word: math.log((1 + len(counts)) / (1 + n)) + 1 for word, n in df.items()}
        self.vectors = [self._vector(count) for count in counts]

    def scores(self, query: str) -> Float[Tensor, "n_documents"]:
        """Return each document's cosine, float32: of "red fish" and "blue fish", "red fish" scores [1.0, 0.336]."""
        query_vector = self._vector(Counter(tokenize(query)))
        scores = [
            sum(weight * vector.get(word, 0.0) for word, weight in query_vector.items()) for vector in self.vectors
        ]
        return torch.tensor(scores, dtype=torch.float32)  # said aloud: the sum over no words is the integer 0

    def _vector(self, counts: Counter[str]) -> dict[str, float]:
        """Weigh counts and scale them to length 1; a text without known words is the empty vector."""
        weights = {word: tf * self.idf[word] for word, tf in counts.items() if word in self.idf}
        length = math.sqrt(sum(weight**2 for weight in weights.values()))
        return {word: weight / length for word, weight in weights.items()}


class BM25:
    """Rank documents by BM25 (Robertson and Zaragoza 2009, section 3; idf as in Lucene), from an inverted index.
    score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), where a word
    that stands twice in the query counts twice; tf counts the word in the document, length is the document's number of
    words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + 0.5)), which is above 0.
    """

    def __init__(self, documents: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        counts = [Counter(tokenize(document)) for document in documents]
        lengths = [count.total() for count in counts]
        average = sum(lengths) / max(len(lengths), 1)
        df = Counter(word for count in counts for word in count)
        # Pitfall: without the "1 +" a word that more than half of the documents hold would count against them.
        idf = {word: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for word, n in df.items()}
        # The index: for each word the documents that hold it, and all that it adds to their scores.
        self.postings: dict[str, list[tuple[int, float]]] = {word: [] for word in df}
        for document, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for word, tf in count.items():
                saturated = tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average))
                self.postings[word].append((document, idf[word] * saturated))

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """Return the k best as (index, score); documents without a word of the query are left out, and cost nothing.
        Of "red fish" and "blue fish", "red" finds [(0, 0.693)] and "fish" [(0, 0.182), (1, 0.182)].
        """
        _check_k(k)
        scores: defaultdict[int, float] = defaultdict(float)
        for word in tokenize(query):  # with repetitions: a word that is asked twice counts twice
            for document, weight in self.postings.get(word, []):
                scores[document] += weight
        return _best(scores)[:k]


def cosine_search(query: Float[Tensor, "d"], vectors: Float[Tensor, "n d"], k: int) -> list[tuple[int, float]]:
    """Return the k vectors with the highest cosine as (index, cosine), or all if there are fewer; a zero vector has 0.
    Example: [1, 0] among [0, 1], [3, 4], [6, 8] finds [(1, 0.6), (2, 0.6), (0, 0.0)]. ValueError names unequal widths.
    """
    if query.shape[-1] != vectors.shape[-1]:
        raise ValueError(f"the query has width {query.shape[-1]}, the vectors have {vectors.shape[-1]}")
    _check_k(k)
    lengths = vectors.norm(dim=-1) * query.norm()  # (n_vectors,)
    # Only a zero vector has no length; its dot product is 0 as well, so any divisor but 0 gives the cosine 0.
    cosines = vectors @ query / lengths.where(lengths > 0, 1.0)
    # Pitfall: topk and a plain sort leave the order of equal scores open, and it then changes from run to run.
    values, indices = cosines.sort(descending=True, stable=True)
    return list(zip(indices[:k].tolist(), values[:k].tolist(), strict=True))


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = 60) -> list[tuple[int, float]]:
    """Join rankings of ids into one of (id, score): the sum of 1 / (k + place), places from 1 (Cormack et al. 2009).
    Example: [[7, 3], [3]] with k=1 is [(3, 1/3 + 1/2), (7, 1/2)]. ValueError names a k below 1.
    """
    _check_k(k)
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for place, document in enumerate(ranking, start=1):
            scores[document] += 1 / (k + place)
    return _best(scores)


def recall_at_k(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]], k: int) -> float:
    """Average over questions the share of what is relevant that stands among the first k: [4, 2] for {2, 5} has 1/2.
    A document that stands there twice counts once.
    """
    _check_k(k)
    _check_judgements(rankings, relevant)
    shares = [len(right & set(ranking[:k])) / len(right) for ranking, right in zip(rankings, relevant, strict=True)]
    return sum(shares) / len(shares)


def mean_reciprocal_rank(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]]) -> float:
    """Average over questions 1 / (place of the first relevant id), 0 without one: [4, 2, 9] for {2, 9} has 1/2.
    However far down it stands, its place counts.
    """
    _check_judgements(rankings, relevant)
    total = 0.0
    for ranking, right in zip(rankings, relevant, strict=True):
        places = (place for place, document in enumerate(ranking, start=1) if document in right)
        total += 1 / next(places, math.inf)  # the first relevant one alone; none is infinitely far down
    return total / len(rankings)


def _best(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    """Sort by score, highest first, and where scores are equal by id, lowest first."""
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}, and must be at least 1")


def _check_judgements(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]]) -> None:
    if not rankings or len(rankings) != len(relevant):
        raise ValueError(f"{len(rankings)} rankings cannot be measured with {len(relevant)} sets of relevant documents")
    if not all(relevant):
        raise ValueError(f"question {[not right for right in relevant].index(True)} has nothing relevant to find")
