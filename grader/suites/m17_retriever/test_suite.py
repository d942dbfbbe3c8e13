"""m17_retriever: word scores from an inverted index, cosines, fused rankings, and what they are worth."""

import time
from collections import Counter
from typing import Any

import pytest
import torch

from grader.judge import (
    FLOAT64_CONSTANT,
    achieve,
    each,
    expect,
    expect_answer,
    expect_close,
    expect_raises,
    expect_ratio,
)

from . import oracle
from . import oracle_ranking as ranking

UNEQUAL = "vectors of another width than the query's are accepted"
NO_K = "a k below 1 is accepted"
FISH = ["red fish", "blue fish"]
PETS = ["the cat sat on the mat", "The dog chased the CAT, and the cat ran.", "a bird", "", "the the the the bird sang"]


def expect_search(student, documents, query, k1=1.2, b=0.75, k=None, index=None, defaults=False):
    """Compare what search finds with a plain BM25, and with what the classic mistakes give."""
    index = student.BM25(documents, k1, b) if index is None else index
    actual = index.search(query, k or len(documents) + 3)
    misses = oracle.bm25_misses(documents, query, k1, b, defaults)
    ranking.expect_hits(actual, oracle.bm25(documents, query, k1, b), k, spill=False, misses=misses)


@pytest.mark.task("m17.3")
@pytest.mark.holds('Of "red fish" and "blue fish", "red" finds [(0, 0.693)] and "fish" [(0, 0.182), (1, 0.182)].')
def test_two_fish_have_the_scores_of_the_docstring(student):
    """Of "red fish" and "blue fish", "red" finds the first with ln 2 and "fish" both with ln 1.2."""
    for query in ["red", "fish", "blue fish"]:
        expect_search(student, FISH, query)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), "
    "where a word that stands twice in the query counts twice; tf counts the word in the document, length is "
    "the document's number of words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + "
    "0.5)), which is above 0.",
)
def test_a_word_in_every_document_still_counts(student):
    """With the 1 inside its logarithm, idf is above 0 even for a word that most documents hold."""
    documents = ["all red sea", "all blue", "all red red red sky at night", "all"]
    for query in ["all", "red all", "blue all"]:
        expect_search(student, documents, query)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), "
    "where a word that stands twice in the query counts twice; tf counts the word in the document, length is "
    "the document's number of words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + "
    "0.5)), which is above 0.",
)
@pytest.mark.parametrize("k1", [0.0, 0.4, 1.2, 100.0])
def test_k1_says_how_soon_repetitions_stop_counting(student, k1):
    """With k1 = 0 one occurrence is as good as eight; the larger k1, the more do repetitions count."""
    documents = ["sea " * times + "sky" * (times < 8) for times in (1, 2, 3, 8)] + ["sky", "sun moon"]
    expect_search(student, documents, "sea", k1=k1, b=0.3)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), "
    "where a word that stands twice in the query counts twice; tf counts the word in the document, length is "
    "the document's number of words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + "
    "0.5)), which is above 0.",
)
@pytest.mark.parametrize("b", [0.0, 0.3, 1.0])
def test_b_says_how_much_length_counts(student, b):
    """With b = 0 the length of a document doesn't matter; the larger b, the more do long ones lose."""
    documents = ["sea", "sea " + "sand " * 3, "sea sea " + "a b c d " * 5, "sand", "sand sun moon"]
    expect_search(student, documents, "sea sun", b=b)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), "
    "where a word that stands twice in the query counts twice; tf counts the word in the document, length is "
    "the document's number of words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + "
    "0.5)), which is above 0.",
)
def test_a_word_asked_twice_counts_twice(student):
    """A query's words count as often as they stand in it, and are found as the documents' words are."""
    for query in ["cat bird", "cat cat bird", "CAT cat, Bird!"]:
        expect_search(student, PETS, query)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "Return the k best as (index, score); documents without a word of the query are left out, and cost nothing.",
)
def test_what_shares_no_word_is_not_found(student):
    """Only documents with a word of the query are found; unknown words, an empty query, no or one document are fine."""
    for query in ["dog zebra", "zebra", "", "?!"]:
        expect_search(student, PETS, query)
    ranking.expect_hits(student.BM25([]).search("cat", 3), [], spill=False)
    expect_search(student, PETS[:1], "the cat")


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, "
    "wherever it comes.",
    "Return the k best as (index, score); documents without a word of the query are left out, and cost nothing.",
)
def test_equal_scores_stand_in_the_order_of_their_indices(student, draw):
    """Of equal documents the lower index comes first, also where k cuts between them."""
    documents = [draw.random.choice(["sea sun", "sea sea", "sky"]) for _ in range(60)] + ["sea sun", "sea sea", "sky"]
    index = student.BM25(documents)
    for k in (1, 7, len(documents)):
        expect_search(student, documents, "sea", k=k, index=index, defaults=True)
    expect_raises("ValueError", index.search, "sea", 0, mentions=("0",), mistake=NO_K)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, "
    "wherever it comes.",
)
def test_equal_scores_of_several_words_stand_in_the_order_of_their_indices(student, draw):
    """Documents whose scores are equal by different words stand by their indices, whatever was met first."""
    documents = ["sea sand"] * 20 + ["sun sand"] * 20
    draw.random.shuffle(documents)
    scores, index = oracle.bm25(documents, "sun sea"), student.BM25(documents)
    for query in ("sun sea", "sea sun"):
        met = [n for word in query.split() for n, document in enumerate(documents) if word in document]
        for k in (9, 50):
            ranking.expect_hits(index.search(query, k), scores, k, spill=False, met=met)


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "Rank documents by BM25 (Robertson and Zaragoza 2009, section 3; idf as in Lucene), from an inverted index.",
    "score = sum over the query's words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), "
    "where a word that stands twice in the query counts twice; tf counts the word in the document, length is "
    "the document's number of words, average the mean of all lengths, and idf = ln(1 + (N - df + 0.5) / (df + "
    "0.5)), which is above 0.",
)
def test_bm25_agrees_on_drawn_documents(student, draw):
    """On drawn documents, with drawn k1 and b, the best k and their scores are those of a plain BM25."""
    for _ in range(6):
        k1, b = draw.random.uniform(0.5, 2.5), draw.random.uniform(0.2, 0.9)
        scores: list[float] = []
        while not ranking.settled(scores):
            documents, query = oracle.random_documents(draw.random, 25), oracle.random_documents(draw.random, 1)[0]
            scores = oracle.bm25(documents, query, k1, b)
        index = student.BM25(documents, k1=k1, b=b)
        for k in (4, None):
            expect_search(student, documents, query, k1, b, k, index)


@pytest.mark.task("m17.3")
def test_bm25_finds_the_passages_that_answer(student, data):
    """On questions about language models, recall at 3 is at least 0.9 and the mean reciprocal rank at least 0.875."""
    passages, questions, relevant = ranking.corpus(data)
    index = student.BM25(passages)

    def found(question):
        hits = index.search(question, len(passages))
        return (
            [hit[0] for hit in hits] if type(hits) is list and all(type(hit) is tuple and hit for hit in hits) else []
        )

    recall, reciprocal = ranking.measured(found, questions, relevant)
    message = f"Recall at 3 is {recall:.3f} (at least 0.9), the mean reciprocal rank {reciprocal:.3f} (at least 0.875)."
    good = recall >= 0.9 and reciprocal >= 0.875
    mistake = None if good else ranking.quality_mistake(passages, questions, relevant, (recall, reciprocal))
    expect(good, message, mistake=mistake, evidence="value")
    achieve(
        f"Of {len(questions)} questions on language models your BM25 answers {recall:.1%} in its first 3 passages of "
        f"{len(passages)} (recall at 3); the mean reciprocal rank is {reciprocal:.3f}."
    )


@pytest.mark.task("m17.3")
@pytest.mark.holds(
    "Rank documents by BM25 (Robertson and Zaragoza 2009, section 3; idf as in Lucene), from an inverted index.",
    "Return the k best as (index, score); documents without a word of the query are left out, and cost nothing.",
)
@pytest.mark.timeout(30)  # a slow search is told what makes it slow
def test_a_rare_word_costs_the_same_among_more_documents(student, draw):
    """A query of rare words costs about as much among 10,000 documents as among 1,250, thanks to the inverted index."""
    common, rare = [f"word{i}" for i in range(60)], [f"rare{i}" for i in range(400)]
    lines = [draw.random.choices(common, k=10) for _ in range(10_000)]
    for place, word in zip(draw.random.choices(range(1250), k=800), rare * 2, strict=True):
        lines[place].append(word)
    documents = [" ".join(line) for line in lines]

    def queries(count):
        return [" ".join(draw.random.sample(rare, k=20)) for _ in range(count)]

    def cost(size):
        search, spent, asked = student.BM25(documents[:size]).search, 0.0, 0
        search(queries(1)[0], 5)  # whatever is left to the first one
        began = student.cpu_seconds()
        while asked < 600 and spent < 0.3:
            batch = queries(20)
            found = each(search, [(query, 5) for query in batch])
            spent, asked = student.cpu_seconds() - began, asked + len(batch)
            for query, hits in zip(batch, found, strict=True):
                ranking.expect_pairs(hits)
                right = [place for place, _ in hits if place in range(size) and set(query.split()) & set(lines[place])]
                message = f"Of 5 documents asked for, {len(right)} hold one of the 20 words that 40 documents hold."
                expect(len(right) == 5, message)
        return max(spent, 0.01) / asked

    counts = [Counter(line) for line in lines[:1250]]

    def ratio():
        # A plain scan of ours bounds the measure of the small collection, which a submission could stretch.
        started = time.process_time()
        for query in queries(20):
            [sum(count[word] for word in query.split()) for count in counts]
        scan = (time.process_time() - started) / 20
        return cost(10_000) / min(cost(1_250), scan)

    message = "Among 8 times as many documents a rare query took {ratio:.1f} times the processor time (allowed: 5)."
    expect_ratio(ratio, below=5, message=message, mistake=oracle.SCAN)


def expect_nearest(student, query, vectors, k=None):
    """Compare what cosine_search finds with cosines in float64, and with what the classic mistakes give."""
    mistake = "topk is asked for more than there are: a k above the number of vectors finds all of them"
    args, simpler = (query, vectors, k or len(vectors) + 2), (query, vectors, len(vectors))
    actual = expect_answer(student.cosine_search, *args, simpler=simpler, mistake=None if k else mistake)
    ranking.expect_hits(actual, oracle.cosines(query, vectors), k, misses=oracle.cosine_misses(query, vectors))


@pytest.mark.task("m17.4")
@pytest.mark.holds("Example: [1, 0] among [0, 1], [3, 4], [6, 8] finds [(1, 0.6), (2, 0.6), (0, 0.0)].")
def test_three_vectors_as_in_the_docstring(student):
    """[1, 0] has the cosines 0, 0.6 and 0.6 with [0, 1], [3, 4] and [6, 8], and of the equal two the first leads."""
    expect_nearest(student, torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [3.0, 4.0], [6.0, 8.0]]))


@pytest.mark.task("m17.4")
@pytest.mark.holds(
    "Return the k vectors with the highest cosine as (index, cosine), or all if there are fewer; a zero vector has 0.",
)
def test_cosines_agree_with_float64(student, draw):
    """The k nearest of drawn vectors, long and short, are those of float64, negative cosines included."""
    cosines: list[float] = []
    while not ranking.settled(cosines):
        query, vectors = draw.normal(7, scale=3.0), draw.normal(13, 7) * draw.normal(13, 1).exp()
        cosines = oracle.cosines(query, vectors)
    for k in (1, 5, None):
        expect_nearest(student, query, vectors, k)
    expect_nearest(student, query * 2**-4, vectors)  # a power of two: to the last digit the same cosines


@pytest.mark.task("m17.4")
@pytest.mark.holds(
    "Return the k vectors with the highest cosine as (index, cosine), or all if there are fewer; a zero vector has 0.",
)
def test_a_zero_vector_has_the_cosine_zero(student):
    """A vector of zeros is neither near nor far, never NaN, among the vectors or as the query."""
    vectors = torch.tensor([[-3.0, 4.0], [0.0, 0.0], [4.0, 3.0], [0.0, 0.0]])
    expect_nearest(student, torch.tensor([2.0, 0.0]), vectors)
    expect_nearest(student, torch.zeros(2), vectors)


@pytest.mark.task("m17.4")
@pytest.mark.holds(
    "Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, "
    "wherever it comes.",
    "Return the k vectors with the highest cosine as (index, cosine), or all if there are fewer; a zero vector has 0.",
)
def test_equal_cosines_stand_in_the_order_of_their_indices(student, draw):
    """Of vectors with equal cosines the lower index comes first, also where k cuts between them."""
    kinds = torch.tensor([[3.0, 4.0, 0.0], [0.0, 8.0, 6.0], [-4.0, 0.0, 3.0]])
    vectors = kinds[draw.integers(0, 3, 90)] * 2.0 ** draw.integers(-2, 3, 90, 1)
    for k in (1, 11, 70, None):
        expect_nearest(student, torch.tensor([4.0, 0.0, 0.0]), vectors, k)


@pytest.mark.task("m17.4")
@pytest.mark.holds(
    "Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, "
    "wherever it comes.",
    "ValueError names unequal widths.",
)
def test_widths_that_differ_and_no_k_are_refused(student):
    """Vectors of another width than the query's, and a k below 1, are ValueErrors that name the numbers."""
    expect_raises(
        "ValueError",
        student.cosine_search,
        torch.ones(17),
        torch.ones(5, 19),
        2,
        mentions=("17", "19"),
        mistake=UNEQUAL,
    )
    query, wide, narrow, search = torch.ones(17), torch.ones(5, 19), torch.ones(5, 17), student.cosine_search
    expect_raises("ValueError", search, query, wide, 2, mentions=("17", "19"), mistake=UNEQUAL)
    expect_raises("ValueError", search, query, narrow, -3, mentions=("-3",), mistake=NO_K)


def expect_fusion(student, rankings, k=60, given=True):
    """Compare joined rankings with a plain sum, and with what the classic mistakes give."""
    actual = student.reciprocal_rank_fusion(rankings, k) if given else student.reciprocal_rank_fusion(rankings)
    ranking.expect_hits(actual, ranking.fusion(rankings, k), misses=ranking.fusion_misses(rankings, k))


@pytest.mark.task("m17.4")
@pytest.mark.holds(
    "Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, "
    "wherever it comes.",
    "Join rankings of ids into one of (id, score): the sum of 1 / (k + place), places from 1 (Cormack et al. 2009).",
    "Example: [[7, 3], [3]] with k=1 is [(3, 1/3 + 1/2), (7, 1/2)].",
    "ValueError names a k below 1.",
)
def test_two_rankings_are_joined_by_their_places(student):
    """With k = 1 the rankings [7, 3] and [3] give 3 the score 1/3 + 1/2, and 7 the score 1/2; k is 60 unless given."""
    expect_fusion(student, [[7, 3], [3]], 1)
    expect_fusion(student, [[7, 3], [3]], given=False)
    expect_fusion(student, [[5, 2], [2, 5], [11, 9], [9, 11]], 4)
    expect_raises("ValueError", student.reciprocal_rank_fusion, [[7, 3], [3]], 0, mentions=("0",), mistake=NO_K)


@pytest.mark.task("m17.4")
@pytest.mark.holds(
    "Join rankings of ids into one of (id, score): the sum of 1 / (k + place), places from 1 (Cormack et al. 2009).",
)
def test_fusion_agrees_on_drawn_rankings(student, draw):
    """Rankings of different lengths, with gaps between them, are joined as by a plain sum; none give none."""
    expect_fusion(student, [])
    for k in (1, 9, 60):
        scores: dict[int, float] = {}
        while not ranking.settled(scores.values(), 1e-6):
            rankings = [draw.random.sample(range(100, 112), k=draw.random.randint(3, 9)) for _ in range(3)]
            scores = ranking.fusion(rankings, k)
        expect_fusion(student, rankings, k)


def judgements(draw):
    """Draw rankings of unequal length and relevant documents, some of which no ranking holds."""
    rankings = [draw.random.sample(range(20), k=draw.random.randint(2, 15)) for _ in range(9)]
    return rankings, [set(draw.random.sample(range(22), k=draw.random.randint(2, 6))) for _ in rankings]


@pytest.mark.task("m17.5")
@pytest.mark.holds(
    "A document that stands there twice counts once.",
    "Average over questions the share of what is relevant that stands among the first k: [4, 2] for {2, 5} has 1/2.",
)
def test_recall_is_a_share_of_what_is_relevant(student, draw):
    """Recall at k divides by the number of relevant documents, whatever k is, and averages over the questions."""
    rankings, relevant = judgements(draw)
    for k, ranked, right in [
        (1, [[4, 2, 9]], [{2, 5}]),
        (3, [[4, 2, 9]], [{2, 5}]),
        (4, rankings, relevant),
        (30, rankings, relevant),
        (3, [[4, 4, 2]], [{4, 5, 7}]),  # what stands twice is found once
        (7, [[*one, *one, *one[::-1]] for one in rankings], relevant),
    ]:
        misses = ranking.recall_misses(ranked, right, k)
        actual = student.recall_at_k(ranked, right, k)
        expect_close(
            actual, ranking.recall(ranked, right, k), atol=FLOAT64_CONSTANT, misses=misses, what=f"recall at {k}"
        )


@pytest.mark.task("m17.5")
@pytest.mark.holds(
    "However far down it stands, its place counts.",
    "Average over questions 1 / (place of the first relevant id), 0 without one: [4, 2, 9] for {2, 9} has 1/2.",
)
def test_the_reciprocal_rank_looks_at_the_first_hit(student, draw):
    """The mean reciprocal rank takes the first relevant document's place, counted from 1, and 0 where none is found."""
    long, far = draw.random.sample(range(2000), k=1500), draw.random.randrange(1001, 1500)
    deep = [long, long[::-1]], [{long[far], long[far + 1 - 1500]}, {long[1500 - 11]}]  # beyond 1,000, and place 11
    for rankings, relevant in [([[4, 2, 9]], [{2, 9}]), ([[4, 2, 9], [1]], [{2, 9}, {3}]), judgements(draw), deep]:
        misses = ranking.reciprocal_rank_misses(rankings, relevant)
        actual, expected = student.mean_reciprocal_rank(rankings, relevant), ranking.reciprocal_rank(rankings, relevant)
        expect_close(actual, expected, atol=FLOAT64_CONSTANT, misses=misses, what="the mean reciprocal rank")


@pytest.mark.task("m17.5")
@pytest.mark.holds(
    "Every ranking has the best first and of equal scores the lower index; ValueError names a k below 1, "
    "wherever it comes.",
    "Both measures raise ValueError without questions, with unequal numbers of both, and where nothing is relevant.",
)
def test_what_cannot_be_measured_is_refused(student):
    """No questions, unequal numbers of rankings and judgements, and questions with nothing relevant are ValueErrors."""
    cases: dict[str, list[Any]] = {
        "no questions at all are accepted": [([], [])],
        "unequal numbers of rankings and of judgements are accepted": [([[1], [2]], [{1}]), ([[1]], [{1}, {2}])],
        "a question that nothing is relevant for is accepted": [([[1], [2]], [{1}, set()])],
    }
    for mistake, given in cases.items():
        for rankings, relevant in given:
            recall = student.recall_at_k, rankings, relevant, 3
            expect_raises("ValueError", *recall, fine=([[1]], [{1}], 3), mistake=mistake)
            rank = student.mean_reciprocal_rank, rankings, relevant
            expect_raises("ValueError", *rank, fine=([[1]], [{1}]), mistake=mistake)
    expect_raises("ValueError", student.recall_at_k, [[1]], [{1}], 0, mentions=("0",), mistake=NO_K)
