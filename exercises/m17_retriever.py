"""m17_retriever: find the passages that answer a question.

A model knows nothing of your notes. Cut them into chunks, score these by words or by vectors, join rankings, measure.
Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, wherever it comes.
Both measures raise ValueError without questions, with unequal numbers of both, and where nothing is relevant.
Left out: a prompt's budget (m18), learned embeddings, stemming. Not allowed: F.cosine_similarity, nn.CosineSimilarity.
"""

from collections.abc import Sequence
from typing import NamedTuple

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
    # TODO(m17.1): step through the text, and stop at the first chunk that reaches its end.
    raise NotImplementedError("m17.1")


def tokenize(text: str) -> list[str]:
    """Return the lower-cased text's longest runs of letters and digits: "A cat's 2." is ["a", "cat", "s", "2"]."""
    # TODO(m17.2): lower case first, then the runs (str.isalnum says what belongs to one).
    raise NotImplementedError("m17.2")


class TfIdf:
    """Score texts by the cosine between weighted word counts (Manning et al. 2008, 6.2-6.3; as scikit-learn smooths).
    A word's weight is how often it stands in the text, times idf = ln((1 + N) / (1 + df)) + 1, where df of the N
    documents hold the word; others are left out. Each vector is divided by its length; one without words scores 0.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        # TODO(m17.2): count words, compute idf, keep the documents' vectors.
        raise NotImplementedError("m17.2")

    def scores(self, query: str) -> Float[Tensor, "n_documents"]:
        """Return each document's cosine, float32: of "red fish" and "blue fish", "red fish" scores [1.0, 0.336]."""
        # TODO(m17.2): weigh the query as the documents were weighed; dot products.
        raise NotImplementedError("m17.2")


class BM25:
    """Rank documents by BM25 (Robertson and Zaragoza 2009, section 3; idf as in Lucene), from an inverted index.
    score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), where a word
    that stands twice in the query counts twice; tf counts the word in the document, length is the document's number of
    words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + 0.5)), which is above 0.
    """

    def __init__(self, documents: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        # TODO(m17.3): for each word, list the documents that hold it.
        raise NotImplementedError("m17.3")

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """Return the k best as (index, score); documents without a word of the query are left out, and cost nothing.
        Of "red fish" and "blue fish", "red" finds [(0, 0.693)] and "fish" [(0, 0.182), (1, 0.182)].
        """
        # TODO(m17.3): visit only the lists of the query's words; add up; take the best.
        raise NotImplementedError("m17.3")


def cosine_search(query: Float[Tensor, "d"], vectors: Float[Tensor, "n d"], k: int) -> list[tuple[int, float]]:
    """Return the k vectors with the highest cosine as (index, cosine), or all if there are fewer; a zero vector has 0.
    Example: [1, 0] among [0, 1], [3, 4], [6, 8] finds [(1, 0.6), (2, 0.6), (0, 0.0)]. ValueError names unequal widths.
    """
    # TODO(m17.4): dot products divided by lengths, sorted.
    raise NotImplementedError("m17.4")


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = 60) -> list[tuple[int, float]]:
    """Join rankings of ids into one of (id, score): the sum of 1 / (k + place), places from 1 (Cormack et al. 2009).
    Example: [[7, 3], [3]] with k=1 is [(3, 1/3 + 1/2), (7, 1/2)]. ValueError names a k below 1.
    """
    # TODO(m17.4): add up over the rankings that hold an id, then sort.
    raise NotImplementedError("m17.4")


def recall_at_k(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]], k: int) -> float:
    """Average over questions the share of what is relevant that stands among the first k: [4, 2] for {2, 5} has 1/2.
    A document that stands there twice counts once.
    """
    # TODO(m17.5): a share for each question, then the mean.
    raise NotImplementedError("m17.5")


def mean_reciprocal_rank(rankings: Sequence[Sequence[int]], relevant: Sequence[set[int]]) -> float:
    """Average over questions 1 / (place of the first relevant id), 0 without one: [4, 2, 9] for {2, 9} has 1/2.
    However far down it stands, its place counts.
    """
    # TODO(m17.5): a reciprocal for each question, then the mean.
    raise NotImplementedError("m17.5")
