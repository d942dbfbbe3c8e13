"""m17_retriever's stretch goal: to answer more queries in a second."""

from grader.judge import each, expect
from grader.suites.shared.stretching import per_second

from . import oracle_ranking

DOCUMENTS, ASKED = 10_000, 20


def measure(student, draw, data, weights):
    """Return how many queries of three words a second of processor time answers among 10,000 documents."""
    words = [f"word{number}" for number in range(2_000)]
    shares = [1 / (place + 5) for place in range(len(words))]
    lines = [draw.random.choices(words, shares, k=30) for _ in range(DOCUMENTS)]
    holders: dict[str, set[int]] = {}
    for place, line in enumerate(lines):
        for word in line:
            holders.setdefault(word, set()).add(place)
    search = student.BM25([" ".join(line) for line in lines]).search

    def work(count):
        queries = [" ".join(draw.random.choices(words, shares, k=3)) for _ in range(count * ASKED)]
        return queries, each(search, [(query, 5) for query in queries])

    found, (queries, answers) = per_second(student, work, ASKED)
    for query, hits in zip(queries, answers, strict=True):
        oracle_ranking.expect_pairs(hits)
        holding = {place for word in query.split() for place in holders.get(word, ())}
        wanted, right = min(5, len(holding)), len(holding & {place for place, _ in hits})
        said = f"Of {wanted} documents that hold a word of the query, {right} were found."
        expect(right == wanted, said, evidence="value")
    return found
