"""The reference for m17_retriever: plain scorers that read every document, with a switch for every classic mistake."""

import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Misses = dict[str, Callable[[], Any]]
ALPHABET = "abc é世🙂\n"
SCAN = "search reads or sorts all documents; look only at the lists of the query's words"


# ── chunks and words ──


def spans(text: str, size: int, overlap: int) -> list[tuple[int, int, str]]:
    """Cut a text step by step, and stop at the first chunk that reaches its end."""
    found: list[tuple[int, int, str]] = []
    start = 0
    while text and (not found or found[-1][1] < len(text)):
        piece = text[start:][:size]
        found.append((start, start + len(piece), piece))
        start += size - overlap
    return found


def span_misses(text: str, size: int, overlap: int) -> Misses:
    """Cut the same text as the classic mistakes do."""

    def cut(
        starts: Sequence[int], end: Callable[[int], int] = lambda start: start + size
    ) -> list[tuple[int, int, str]]:
        return [(start, min(end(start), len(text)), text[start : start + size]) for start in starts]

    right = spans(text, size, overlap)
    step, encoded = size - overlap, text.encode()
    return {
        "the end of the text is lost: the last chunk may be shorter than size": lambda: cut(
            range(0, len(text) - size + 1, step)
        ),
        "a last chunk lies wholly inside the one before it": lambda: cut(range(0, len(text), step)),
        "the overlap is ignored: each chunk begins size - overlap after the one before": lambda: spans(text, size, 0),
        "chunks are size - overlap apart and size + overlap long": lambda: [
            (start, min(start + size + overlap, len(text)), text[start : start + size + overlap])
            for start in range(0, len(text), size)
        ],
        "chunks begin overlap characters apart instead of size - overlap": lambda: cut(
            range(0, len(text), overlap or 1)
        ),
        "end is the place of the last character instead of the one behind it": lambda: [
            (a, b - 1, c) for a, b, c in right
        ],
        "end is start + size, though the last chunk is shorter": lambda: [(a, a + size, c) for a, _, c in right],
        "the offsets count the chunk's number instead of characters": lambda: [
            (i, i + len(c), c) for i, (_, _, c) in enumerate(right)
        ],
        "start does not count the overlap: it is the sum of the lengths before": lambda: [
            (i * size, i * size + len(c), c) for i, (_, _, c) in enumerate(right)
        ],
        "size and offsets count bytes, not characters": lambda: [
            (a, b, c.decode(errors="ignore"))
            for a, b, c in (
                (s, min(s + size, len(encoded)), encoded[s : s + size]) for s in range(0, len(encoded), step)
            )
        ],
        "the chunks are stripped of whitespace, and no longer fit their offsets": lambda: [
            (a, b, c.strip()) for a, b, c in right
        ],
        "the empty text gives an empty chunk instead of none": lambda: [(0, 0, "")],
    }


def words(text: str) -> tuple[str, ...]:
    """Return the lower-cased text's runs of letters and digits, character by character."""
    return tuple("".join(char if char.isalnum() else " " for char in text.lower()).split())


def word_misses(text: str) -> dict[str, list[str]]:
    """Find words as the classic mistakes do."""
    right = list(words(text))
    return {
        "case is kept: lower the text first": "".join(char if char.isalnum() else " " for char in text).split(),
        "the text is cut at whitespace alone, so punctuation sticks to words": text.lower().split(),
        r"the underscore is taken for a letter, as \w takes it": re.findall(r"\w+", text.lower()),
        "words are scikit-learn's: letters, digits and the underscore, two at least": re.findall(
            r"\b\w\w+\b", text.lower()
        ),
        "casefold is not lower: it takes some letters apart": list(words(text.casefold())),
        "only the letters a to z count": re.findall(r"[a-z0-9]+", text.lower()),
        "digits are lost": "".join(char if char.isalpha() else " " for char in text.lower()).split(),
        "words of one letter are lost": [word for word in right if len(word) > 1],
        "apostrophes are taken for letters": re.findall(r"(?:[^\W_]|['’])+", text.lower()),
        "each word is given only once": list(dict.fromkeys(right)),
        "the words are sorted": sorted(right),
    }


# ── scores ──


def tf_idf(
    documents: Sequence[str],
    query: str,
    *,
    idf: str = "right",
    normal: str = "both",
    tf: str = "count",
    query_idf: bool = True,
    split: Callable[[str], Sequence[str]] = words,
    query_split: Callable[[str], list[str]] | None = None,
) -> Tensor:
    """Compute every document's cosine with the query in float64; the switches make the mistakes."""
    counts, n = _counted(tuple(documents), split)[1], len(documents)
    asked = Counter((query_split or split)(query))
    held = Counter(word for count in counts for word in (count.elements() if idf == "occurrences" else count))

    def weight(word: str) -> float:
        df = held[word]
        return {
            "right": math.log((1 + n) / (1 + df)) + 1,
            "occurrences": math.log((1 + n) / (1 + df)) + 1,
            "none": 1.0,
            "no one": math.log((1 + n) / (1 + df)),
            "plain": math.log(n / max(df, 1)),
            "plain plus one": math.log(n / max(df, 1)) + 1,
            "no log": (1 + n) / (1 + df) + 1,
            "log10": math.log10((1 + n) / (1 + df)) + 1,
        }[idf]

    def vector(count: Counter[str], weighted: bool, scaled: bool) -> dict[str, float]:
        known = {word: times for word, times in count.items() if word in held}
        total = sum(known.values())
        size = {
            "count": lambda t: t,
            "binary": lambda t: 1,
            "log": lambda t: 1 + math.log(t),
            "share": lambda t: t / total,
        }
        found = {word: size[tf](times) * (weight(word) if weighted else 1.0) for word, times in known.items()}
        length = math.sqrt(sum(x * x for x in found.values())) if scaled else 1.0
        return {word: x / length for word, x in found.items()}

    left = vector(asked, query_idf, normal in ("both", "query"))
    right = [vector(count, True, normal in ("both", "documents")) for count in counts]
    scores = [float(sum(x * other.get(word, 0.0) for word, x in left.items())) for other in right]
    return torch.tensor(scores, dtype=torch.float64)


def tf_idf_misses(documents: Sequence[str], query: str) -> Misses:
    """Compute what the classic mistakes give, as float32."""

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: tf_idf(documents, query, **options).float()

    return {
        "idf is left out": wrong(idf="none"),
        "the query is not weighed by idf": wrong(query_idf=False),
        "df counts every occurrence of a word instead of the documents that hold it": wrong(idf="occurrences"),
        "idf lacks the 1 that is added to the logarithm": wrong(idf="no one"),
        "idf is the plain ln(N / df)": wrong(idf="plain"),
        "idf is ln(N / df) + 1, without the ones inside the logarithm": wrong(idf="plain plus one"),
        "idf lacks its logarithm": wrong(idf="no log"),
        "the logarithm has base 10": wrong(idf="log10"),
        "no vector is divided by its length: that is a dot product, not a cosine": wrong(normal="none"),
        "only the query is divided by its length": wrong(normal="query"),
        "only the documents are divided by their lengths": wrong(normal="documents"),
        "a word counts once, however often it stands in a text": wrong(tf="binary"),
        "counts are replaced by 1 + their logarithm": wrong(tf="log"),
        "the query's case is kept: find its words with tokenize": wrong(query_split=case_kept),
        "the query is cut at whitespace: find its words with tokenize": wrong(query_split=str.split),
    }


def case_kept(text: str) -> list[str]:
    """Find words without lowering the text."""
    return re.findall(r"[^\W_]+", text)


@functools.lru_cache(maxsize=16)
def _counted(
    documents: tuple[str, ...], split: Callable[[str], list[str]]
) -> tuple[list[list[str]], list[Counter[str]]]:
    texts = [split(document) for document in documents]
    return texts, [Counter(text) for text in texts]


def bm25(
    documents: Sequence[str],
    query: str,
    k1: float = 1.2,
    b: float = 0.75,
    *,
    idf: str = "right",
    tf: str = "right",
    length: str = "right",
    once: bool = False,
    split: Callable[[str], Sequence[str]] = words,
    query_split: Callable[[str], Sequence[str]] | None = None,
) -> list[float]:
    """Compute every document's BM25 score, reading all of them; the switches make the mistakes."""
    texts, counts = _counted(tuple(documents), split)
    asked, n = (query_split or split)(query), len(texts)
    lengths = [len(set(text)) if length == "distinct" else len(text) for text in texts]
    if length == "characters":
        lengths = [len(document) for document in documents]
    average = sum(lengths) / max(n, 1)
    if length == "whole average":
        average = float(sum(lengths) // max(n, 1))

    floor = 0.0
    if idf == "floor":
        held = Counter(word for count in counts for word in count)
        floor = 0.25 * sum(math.log((n - df + 0.5) / (df + 0.5)) for df in held.values()) / max(len(held), 1)

    def weight(word: str) -> float:
        df = sum(word in count for count in counts)
        if idf == "occurrences":
            df = sum(count[word] for count in counts)
        odds = (n - df + 0.5) / (df + 0.5)
        if idf == "negative":
            return math.log(odds)
        if idf == "floor":
            return math.log(odds) if odds >= 1 else floor
        if idf == "clipped":
            return max(math.log(odds), 0.0)
        return {"none": 1.0, "no log": 1 + odds, "plain": math.log(n / df) if df else 0.0}.get(
            idf, math.log(1 + max(odds, 0.0))
        )

    scores = []
    for count, own in zip(counts, lengths, strict=True):
        score = 0.0
        for word in dict.fromkeys(asked) if once else asked:
            if not (times := count[word]):
                continue
            share = {"swapped": average / max(own, 1), "ignored": 1.0}.get(length, own / max(average, 1e-9))
            norm = b + (1 - b) * share if length == "b turned round" else 1 - b + b * share
            score += weight(word) * {
                "raw": float(times),
                "linear": times / (k1 * norm) if k1 else float(times),
                "no k1 + 1": times / (times + k1 * norm),
                "k1 outside": times * (k1 + 1) / (times + k1) / norm,
                "binary": (k1 + 1) / (1 + k1 * norm),
            }.get(tf, times * (k1 + 1) / (times + k1 * norm))
        scores.append(score)
    return scores


BM25_MISTAKES: dict[str, dict[str, Any]] = {
    "idf is left out": {"idf": "none"},
    "idf lacks the 1 inside the logarithm, so a word in most documents counts against them": {"idf": "negative"},
    "a negative idf is cut to 0 instead of adding 1 inside the logarithm": {"idf": "clipped"},
    "a negative idf gives way to a quarter of the average one (rank_bm25's): add 1 inside the logarithm": {
        "idf": "floor"
    },
    "idf lacks its logarithm": {"idf": "no log"},
    "idf is the plain ln(N / df)": {"idf": "plain"},
    "df counts every occurrence of a word instead of the documents that hold it": {"idf": "occurrences"},
    "tf is not saturated: ten occurrences count ten times as much as one": {"tf": "raw"},
    "tf is missing in the denominator": {"tf": "linear"},
    "the factor k1 + 1 is missing": {"tf": "no k1 + 1"},
    "length is applied outside the fraction instead of to k1": {"tf": "k1 outside"},
    "a word counts once, however often it stands in the document": {"tf": "binary"},
    "length and average are swapped: long documents are preferred": {"length": "swapped"},
    "b and 1 - b are swapped": {"length": "b turned round"},
    "the length of documents is ignored": {"length": "ignored"},
    "the average length is made a whole number by //": {"length": "whole average"},
    "length counts characters instead of words": {"length": "characters"},
    "length counts distinct words instead of all": {"length": "distinct"},
    "a word that stands twice in the query counts once": {"once": True},
    "the documents' case is kept: find their words with tokenize": {"split": case_kept, "query_split": words},
    "the query's case is kept: find its words with tokenize": {"query_split": case_kept},
    "the query is cut at whitespace: find its words with tokenize": {"query_split": str.split},
}


OTHER_DEFAULTS: dict[str, dict[str, Any]] = {
    "k1 is 1.5 by default, and 1.2 is asked for": {"k1": 1.5},
    "k1 is 2.0 by default, and 1.2 is asked for": {"k1": 2.0},
    "k1 is 0.9 by default, and 1.2 is asked for": {"k1": 0.9, "b": 0.4},
    "b is 0.5 by default, and 0.75 is asked for": {"b": 0.5},
    "b is 1.0 by default, and 0.75 is asked for": {"b": 1.0},
}


def bm25_misses(
    documents: Sequence[str], query: str, k1: float, b: float, defaults: bool = False
) -> dict[str, Callable[[], list[float]]]:
    """Compute what the classic mistakes give for the same documents and query, and with other defaults."""
    misses: dict[str, Callable[[], list[float]]] = {
        words: (lambda options=options: bm25(documents, query, k1, b, **options))  # type: ignore[misc]
        for words, options in BM25_MISTAKES.items()
    }
    if defaults:
        for words, numbers in OTHER_DEFAULTS.items():
            misses[words] = functools.partial(bm25, documents, query, **numbers)
    if (k1, b) != (1.2, 0.75):
        misses["k1 and b are ignored"] = lambda: bm25(documents, query)
        misses["k1 and b are swapped"] = lambda: bm25(documents, query, b, k1)
    return misses


def cosines(
    query: Tensor, vectors: Tensor, *, query_length: bool = True, lengths: bool = True, nan: bool = False
) -> Any:
    """Compute all cosines in float64, 0 (or NaN) for a zero vector."""
    left, right = query.double(), vectors.double()
    divisor = (left.norm() if query_length else 1.0) * (right.norm(dim=-1) if lengths else torch.ones(len(right)))
    found = right @ left / divisor
    return (found if nan else found.nan_to_num(0.0)).tolist()


def cosine_misses(query: Tensor, vectors: Tensor) -> dict[str, Callable[[], list[float]]]:
    """Compute what the classic mistakes give for the same vectors."""
    left, right = query.double(), vectors.double()
    return {
        "nothing is divided by its length: that is a dot product, not a cosine": lambda: (right @ left).tolist(),
        "the vectors are not divided by their lengths": lambda: cosines(query, vectors, lengths=False),
        "the query is not divided by its length": lambda: cosines(query, vectors, query_length=False),
        "short vectors are not brought to length 1: only a length of 0 needs another divisor": lambda: (
            right @ left / (right.norm(dim=-1) * left.norm()).clamp(min=1.0)
        ).tolist(),
        "a zero vector gives 0 / 0; its cosine is 0": lambda: cosines(query, vectors, nan=True),
        "the sign of a cosine is lost": lambda: [abs(x) for x in cosines(query, vectors)],
        "the distance is given instead of the cosine": lambda: [1 - x for x in cosines(query, vectors)],
        "the products are divided by the squared lengths": lambda: (
            right @ left / (left.square().sum() * right.square().sum(-1))
        ).tolist(),
    }


def random_documents(random: Any, count: int) -> list[str]:
    """Draw documents of 2 to 30 words, a few of which stand in most documents and many in few."""
    known = ["The", "of", *(f"Word{i}" for i in range(12))]
    return [
        " ".join(random.choices(known, weights=[12, 8, *range(12, 0, -1)], k=random.randint(2, 30)))
        for _ in range(count)
    ]
