"""m17_retriever: chunks, words, and TF-IDF."""

import pytest
import torch

from grader.judge import FLOAT32_OP, expect, expect_close, expect_equal, expect_raises

from . import oracle
from . import oracle_ranking as ranking

FISH = ["red fish", "blue fish"]
PETS = ["the cat sat on the mat", "The dog chased the CAT, and the cat ran.", "a bird", "", "the the the the bird sang"]


def expect_chunks(student, text, size, overlap):
    """Compare the chunks, each as (start, end, text), with a plain cutter's and with what the mistakes give."""
    actual = student.chunk(text, size, overlap)
    expect(type(actual) is list, f"chunk gives {actual!r:.60}, expected a list of Chunk.", evidence="value")
    for piece in actual:
        message = f"chunk gives a list that holds {piece!r:.60}, expected Chunk(start, end, text)."
        expect(not isinstance(piece, list | tuple | dict | str | int | float | torch.Tensor | None), message)
    pieces = [(piece.start, piece.end, piece.text) for piece in actual]
    misses = oracle.span_misses(text, size, overlap)
    what = f"the list of (start, end, text) for size {size} and overlap {overlap}"
    expect_equal(pieces, oracle.spans(text, size, overlap), misses=misses, what=what)


@pytest.mark.task("m17.1")
@pytest.mark.holds(
    'Example: chunk("abcdefghi", 4, 1) is [Chunk(0, 4, "abcd"), Chunk(3, 7, "defg"), Chunk(6, 9, "ghi")].',
)
def test_nine_letters_by_hand(student):
    """Nine letters in chunks of 4 that overlap by 1 are abcd, defg and ghi."""
    expect_chunks(student, "abcdefghi", 4, 1)


@pytest.mark.task("m17.1")
@pytest.mark.holds(
    "Cut a text into chunks of `size` characters, each beginning `size - overlap` characters after the one before.",
    "The first chunk that reaches the end is the last one, and may be shorter; the empty text has none.",
)
def test_no_character_is_lost_at_the_end(student):
    """The last chunk is the first one that reaches the end, shorter if need be, and never inside the one before."""
    for length in range(1, 14):
        expect_chunks(student, "abcdefghijklm"[:length], 5, 2)


@pytest.mark.task("m17.1")
@pytest.mark.holds(
    "A piece of a document and where it stands there, counted in characters: `text` is the document's [start:end].",
    "Cut a text into chunks of `size` characters, each beginning `size - overlap` characters after the one before.",
)
def test_a_chunk_is_the_text_between_its_offsets(student, draw):
    """Offsets count characters, so text[start:end] is the chunk in any script, at every size and overlap."""
    for _ in range(12):
        text, size = (
            "".join(draw.random.choices(oracle.ALPHABET, k=draw.random.randint(9, 24))),
            draw.random.randint(1, 9),
        )
        expect_chunks(student, text, size, draw.random.randrange(size))


@pytest.mark.task("m17.1")
@pytest.mark.holds(
    "The first chunk that reaches the end is the last one, and may be shorter; the empty text has none.",
)
def test_short_texts_are_one_chunk_or_none(student):
    """A text that fits is a single chunk, and the empty text has no chunks."""
    for text in ["abc", "a", ""]:
        expect_chunks(student, text, 3, 2)


@pytest.mark.task("m17.1")
@pytest.mark.holds("Raises ValueError, naming both numbers, unless 0 <= overlap < size.")
@pytest.mark.parametrize(("size", "overlap"), [(23, 23), (23, 47), (23, -1), (0, 0)])
def test_an_overlap_that_never_ends_is_refused(student, size, overlap):
    """An overlap below 0, or one that is not smaller than size, is a ValueError that names both numbers."""
    mistake = "such an overlap is accepted: chunks that begin at one place never end, or lose what lies between them"
    numbers = (str(size), str(overlap))
    expect_raises("ValueError", student.chunk, "abc" * 40, size, overlap, mentions=numbers, mistake=mistake)


@pytest.mark.task("m17.2")
@pytest.mark.holds(
    'Return the lower-cased text\'s longest runs of letters and digits: "A cat\'s 2." is ["a", "cat", "s", "2"].',
)
def test_words_are_runs_of_letters_and_digits_in_lower_case(student):
    """Words are lower case, of any script, and end at whatever is no letter and no digit."""
    for text in ["A cat's 2.", "GPT-2 read snake_case: naïve\tÜBER Straße 世界; a e 3.14 the THE", "", " ... "]:
        expect_equal(
            student.tokenize(text), list(oracle.words(text)), misses=oracle.word_misses(text), what="the list of words"
        )


def expect_scores(student, documents, *queries):
    """Compare TF-IDF scores with a plain scorer's in float64, and with what the classic mistakes give."""
    index = student.TfIdf(documents)
    for query in queries:
        expected, misses = oracle.tf_idf(documents, query).float(), oracle.tf_idf_misses(documents, query)
        what = f"the tensor of scores for {query[:40]!r}"
        expect_close(index.scores(query), expected, atol=FLOAT32_OP, misses=misses, what=what)


@pytest.mark.task("m17.2")
@pytest.mark.holds(
    'Return each document\'s cosine, float32: of "red fish" and "blue fish", "red fish" scores [1.0, 0.336].',
)
def test_two_fish_have_the_cosines_of_the_docstring(student):
    """Of "red fish" and "blue fish", the query "red fish" has the cosines 1 and 0.336."""
    expect_scores(student, FISH, "red fish", "red", "fish")


@pytest.mark.task("m17.2")
@pytest.mark.holds(
    "A word's weight is how often it stands in the text, times idf = ln((1 + N) / (1 + df)) + 1, where df of "
    "the N documents hold the word; others are left out.",
)
def test_rare_words_weigh_more_and_common_ones_something(student):
    """A word's idf is ln((1 + N) / (1 + df)) + 1, so a word that all documents hold still has the weight 1."""
    expect_scores(student, ["all red red", "all blue", "all blue red sea"], "all sea", "all red", "all")


@pytest.mark.task("m17.2")
@pytest.mark.holds("Each vector is divided by its length; one without words scores 0.")
def test_a_text_told_twice_has_the_same_cosines(student):
    """Vectors are divided by their lengths: neither a repeated document nor a repeated query changes a score."""
    documents = [*PETS, " ".join([PETS[0]] * 3)]
    expect_scores(student, documents, "the cat sang", "the cat sang the cat sang")


@pytest.mark.task("m17.2")
@pytest.mark.holds(
    "A word's weight is how often it stands in the text, times idf = ln((1 + N) / (1 + df)) + 1, where df of "
    "the N documents hold the word; others are left out.",
    "Each vector is divided by its length; one without words scores 0.",
)
def test_unknown_words_and_empty_texts_score_zero(student):
    """Words that no document holds are left out, in capitals or not; nothing known scores 0, and never NaN."""
    expect_scores(student, PETS, "zebra", "", "a zebra sang, THE CAT! zebra")


@pytest.mark.task("m17.2")
@pytest.mark.holds(
    "Score texts by the cosine between weighted word counts (Manning et al. 2008, 6.2-6.3; as scikit-learn smooths).",
    "A word's weight is how often it stands in the text, times idf = ln((1 + N) / (1 + df)) + 1, where df of "
    "the N documents hold the word; others are left out.",
)
def test_tf_idf_agrees_on_drawn_documents(student, draw):
    """On drawn documents all cosines are those of a plain scorer in float64."""
    documents = oracle.random_documents(draw.random, 23)
    expect_scores(student, documents, *(f"{query} word3" for query in oracle.random_documents(draw.random, 8)))


@pytest.mark.task("m17.2")
def test_tf_idf_agrees_on_the_retrieval_set(student, data):
    """On passages about language models, questions have the cosines of a plain scorer in float64."""
    passages, questions, _ = ranking.corpus(data)
    expect_scores(student, passages, *questions[::9])
