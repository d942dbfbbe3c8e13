"""m18_rag: how good a ranking is, and how good and how true an answer."""

from typing import Any

import pytest

from grader.judge import FLOAT64_CONSTANT, expect_answer, expect_close, expect_equal, expect_raises

from . import oracle_measures as oracle
from .steps import sentences

NO_K = "a k below 1 is accepted"
NO_GAIN = "a document that has no gain is looked up all the same: it adds 0"
NOTHING_COMMON = "texts without common words, or without any, are divided by 0"
NOTHING_SAID = "an answer without words is divided by 0"
TEXT = "The cat's GPT-2, a [1]!"


def expect_ndcg(student, rankings, gains, k):
    """Compare the mean with a plain formula's, and with what the classic mistakes give."""
    misses = oracle.ndcg_misses(rankings, gains, k)
    every = [dict.fromkeys(ranking, 0) | table for ranking, table in zip(rankings, gains, strict=True)]
    known = (rankings, every, k)  # the same, but for documents without a gain
    actual = expect_answer(student.ndcg_at_k, rankings, gains, k, simpler=known, mistake=NO_GAIN)
    expected = oracle.ndcg(rankings, gains, k)
    expect_close(actual, expected, atol=FLOAT64_CONSTANT, misses=misses, what=f"the nDCG at {k}")


def judgements(draw):
    """Draw rankings of unequal length, and gains of documents, some of which no ranking holds."""
    rankings = [draw.random.sample(range(20), k=draw.random.randint(2, 15)) for _ in range(7)]
    gains = []
    for ranking in rankings:
        judged = {document: draw.random.choice([0, 0.5, 1, 2, 3]) for document in draw.random.sample(range(24), k=8)}
        gains.append({ranking[-1]: 1.5, **judged, ranking[0]: 1, 30: 2.5})
    return rankings, gains


@pytest.mark.task("m18.4")
@pytest.mark.holds(
    "Example: [[4, 2]] with gains [{2: 3, 5: 1}] and k=2 is (3 / log2(3)) / (3 + 1 / log2(3)) = 0.521.",
    "The document in place i, counted from 1, adds its gain / log2(i + 1) (Järvelin and Kekäläinen 2002), at the "
    "first place where it stands; one that has no gain adds 0.",
)
def test_a_place_further_down_is_worth_less(student):
    """A gain is divided by the logarithm of its place and one, and the sum by that of the best order."""
    expect_ndcg(student, [[4, 2]], [{2: 3, 5: 1}], 2)
    expect_ndcg(student, [[9, 8, 7, 6]], [{9: 1, 8: 3, 7: 2, 6: 5}], 4)
    expect_ndcg(student, [[6, 8, 7, 9]], [{9: 1, 8: 3, 7: 2, 6: 5}], 4)


@pytest.mark.task("m18.4")
@pytest.mark.holds("The best is the same sum for the k highest of all the gains.")
def test_the_best_order_is_that_of_all_gains_cut_at_k(student):
    """The best order takes the highest gains of all documents that were judged, found or not, and k of them."""
    gains = [{1: 1.0, 2: 3.0, 3: 2.0, 4: 1.0, 5: 2.0, 6: 3.0}]
    for k in (1, 2, 3, 5, 9):
        expect_ndcg(student, [[9, 4, 2, 8, 7]], gains, k)


@pytest.mark.task("m18.4")
@pytest.mark.holds(
    "Average over questions the discounted gain of the first k documents, divided by the best that k could have.",
)
def test_ndcg_agrees_on_drawn_judgements(student, draw):
    """On drawn rankings and gains the mean over the questions is the plain formula's, whatever k is."""
    rankings, gains = judgements(draw)
    for k in (1, 3, 6, 40):
        expect_ndcg(student, rankings, gains, k)
    expect_ndcg(student, [[1, 2], [3]], [{1: 1, 2: 1}, {4: 2}], 2)
    expect_ndcg(student, [[8, 6, 7]], [{7: 0.25, 6: 0.5}], 3)


@pytest.mark.task("m18.4")
@pytest.mark.holds(
    "The document in place i, counted from 1, adds its gain / log2(i + 1) (Järvelin and Kekäläinen 2002), at the "
    "first place where it stands; one that has no gain adds 0.",
)
def test_what_stands_twice_counts_once(student, draw):
    """A document that is ranked again further down adds nothing there, and keeps its place."""
    expect_ndcg(student, [[4, 4, 2]], [{4: 2, 2: 1, 5: 1}], 3)
    rankings, gains = judgements(draw)
    expect_ndcg(student, [[*one[:2], *one, *one[::-1]] for one in rankings], gains, 8)


@pytest.mark.task("m18.4")
@pytest.mark.holds(
    "Raises ValueError for a k below 1, without questions, for unequal numbers, and where a question has no gain above "
    "0.",
)
def test_what_has_no_best_order_is_refused(student):
    """A k below 1, no questions, unequal numbers, and a question without a gain above 0 are ValueErrors."""
    fine = ([[1]], [{1: 1}], 3)
    cases: dict[str, list[Any]] = {
        "no questions at all are accepted": [([], [])],
        "unequal numbers of rankings and of gains are accepted": [([[1], [2]], [{1: 1}]), ([[1]], [{1: 1}, {2: 1}])],
        "a question without a gain above 0 is accepted": [([[1], [2]], [{1: 1}, {}]), ([[1], [2]], [{1: 1}, {2: 0}])],
    }
    for mistake, given in cases.items():
        for rankings, gains in given:
            expect_raises("ValueError", student.ndcg_at_k, rankings, gains, 3, fine=fine, mistake=mistake)
    for k in (0, -1):
        expect_raises("ValueError", student.ndcg_at_k, [[1, 2, 3]], [{1: 1, 2: 1, 3: 2}], k, fine=fine, mistake=NO_K)


def expect_words(student, text):
    """Compare the words of a text with a plain reader's, and with what the classic mistakes give."""
    what = f"the list of words of {text!r:.70}"
    expect_equal(student.normalize(text), oracle.words(text), misses=oracle.word_misses(text), what=what)


@pytest.mark.task("m18.5")
@pytest.mark.holds(
    'Example: "The cat\'s GPT-2, a [1]!" is ["cats", "gpt2"].',
    "Citations of any number give way to a space each, then all is lower case, then the characters of "
    "string.punctuation are deleted, then it is cut at white space, and the words a, an and the are left out.",
)
def test_words_are_compared_without_what_says_nothing(student):
    """Citations, case, punctuation and articles say nothing; marks leave no gap, and what is no citation stays."""
    for text in (
        TEXT,
        "A man, an ant: then the Theory... (the) \"an\"? x_1[2] 'A'",
        "Red [1, 22], m[3] and [4][5]; [a] naïve–façade – €5",
        "so[1] [999]so [2]. Red,[1]red",
        " \n",
        "the a an",
    ):
        expect_words(student, text)


@pytest.mark.task("m18.5")
@pytest.mark.holds(
    "Return the words by which texts are compared, as SQuAD does (Rajpurkar et al. 2016), without citations.",
)
def test_words_of_drawn_sentences(student, draw, data):
    """Drawn sentences with articles, capitals, marks and citations have the words of a plain reader."""
    for sentence in draw.random.sample(sentences(data), k=12):
        ending = draw.random.choice([" [3].", ", the end!", " [1][2]", "[4]", " a [0]"])
        expect_words(student, sentence.title() + ending)


def expect_f1(student, answer, reference):
    """Compare F1 with the plain formula's, and with what the classic mistakes give."""
    apart = set(oracle.words(answer)).isdisjoint(oracle.words(reference))
    mistake = NOTHING_COMMON if apart else None
    actual = expect_answer(student.token_f1, answer, reference, simpler=("red", "red"), mistake=mistake)
    expected = oracle.token_f1(oracle.words(answer), oracle.words(reference))
    misses = oracle.f1_misses(answer, reference)
    expect_close(actual, expected, atol=FLOAT64_CONSTANT, misses=misses, what=f"F1 of {answer!r:.60}")


@pytest.mark.task("m18.5")
@pytest.mark.holds(
    'Example: "red red fish" and "The red fish." share 2 words, so 2/3 and 2/2 give 0.8.',
    "Return the harmonic mean of two shares: of the answer's words in the reference, and the other way round.",
    "Words are normalize's, and one counts as often as both texts hold it.",
    "Without common words it is 0; of two texts without any words it is 1.",
)
def test_f1_is_the_harmonic_mean_of_two_shares(student):
    """A word counts as often as both texts hold it; nothing in common is 0, and two texts of no words are alike."""
    for answer, reference in (
        ("so red red red", "red red sea so far and wide"),
        ("The Red, red sea [1] and red fish swim", "red fish swim in a red sea, so far and wide. It is"),
        ("red red fish", "The red fish."),
        ("The Red fish, [2] swim!", "a red fish swim far away"),
        ("sea", "red"),
        ("", "the"),
        ("", "red"),
        ("The!", "red"),
        ("red", "a"),
    ):
        expect_f1(student, answer, reference)


@pytest.mark.task("m18.5")
@pytest.mark.holds("Words are normalize's, and one counts as often as both texts hold it.")
def test_f1_agrees_on_drawn_answers(student, draw, data):
    """Drawn answers and references have the plain formula's F1, from either side."""
    pool = " ".join(sentences(data)).split()
    for _ in range(8):
        shared = draw.random.sample(pool, k=9)
        answer = " ".join([*shared, *draw.random.choices(shared, k=4), *draw.random.sample(pool, k=5), "The Sea [1]."])
        reference = " ".join([*shared[:6], *draw.random.choices(shared, k=2), "a sea,", *draw.random.sample(pool, k=4)])
        expect_f1(student, answer, reference)
        expect_f1(student, reference, answer)


def expect_faithfulness(student, answer, passages):
    """Compare the share with the plain formula's, and with what the classic mistakes give."""
    mistake = None if oracle.words(answer) else NOTHING_SAID
    actual = expect_answer(student.faithfulness, answer, passages, simpler=("red", passages), mistake=mistake)
    expected = oracle.faithfulness(answer, passages)
    misses = oracle.faithfulness_misses(answer, passages)
    expect_close(actual, expected, atol=FLOAT64_CONSTANT, misses=misses, what=f"the share for {answer!r:.60}")


@pytest.mark.task("m18.5")
@pytest.mark.holds(
    'Example: "red red fish swim" has 3/4 for ["The red fish.", "sea"].',
    "Return which share of the answer's words stands in the passages, in any of them (Adlakha et al. 2024).",
    "Words are normalize's; one that the answer says twice counts twice, however often the passages hold it.",
    "An answer without words has 0.",
)
def test_faithful_is_what_was_read(student):
    """The share of the answer's words that some passage holds, each as often as it is said, and 0 without words."""
    expect_faithfulness(student, "red red sea sun is sand here", ["red fish swim", "sea sand sea is a sunny wet sand"])
    read = ["Red fish swim red", "a sea and sand, sand", "the sun-fish is redder in it, red"]
    expect_faithfulness(student, "The red Red sea [1], a sun and fish in it", read)
    read = ["The red fish.", "sea"]
    for answer in (
        "red red fish swim",
        "Sea, red sea [2] and THE sun",
        "fishes see",
        "sun",
        "",
        "the [1]",
        "A red sea",
    ):
        expect_faithfulness(student, answer, read)
    expect_faithfulness(student, "red fish", [])
    expect_faithfulness(student, "red fish in the sea", ["red red red fish", "red fish, fish", "sea sand sea"])


@pytest.mark.task("m18.5")
@pytest.mark.holds(
    "Words are normalize's; one that the answer says twice counts twice, however often the passages hold it."
)
def test_faithfulness_agrees_on_drawn_answers(student, draw, data):
    """Drawn answers, some of whose words the passages hold, have the plain formula's share."""
    for _ in range(6):
        passages = draw.random.sample(sentences(data), k=4)
        read = " ".join(passages).split()
        said = [*draw.random.choices(read, k=9), *draw.random.sample(" ".join(sentences(data)).split(), k=5)]
        draw.random.shuffle(said)
        expect_faithfulness(student, " ".join([*said, "The Sea [1]."]).title(), passages)
