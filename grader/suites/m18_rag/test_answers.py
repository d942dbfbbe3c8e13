"""m18_rag: one search, one prompt, one text, and a refusal where there is nothing to go by."""

import pytest

from grader.counting import counted
from grader.judge import achieve, expect_answer, expect_equal, expect_raises

from . import oracle
from . import oracle_answering as answering
from .steps import Heard, corpus, said, sentences, tokens, word_count

NO_K = "a k below 1 is accepted"
CALLED = "something is called before k is looked at"
FROM_MEMORY = "a text is generated though no passage is there: nothing found, nothing said"
AGAIN = "the search is done more than once"
SECOND = "a second text is generated"
EACH = "a text is generated for each passage: all of them go into one prompt"
BARE = "the model is given the question alone: it is build_prompt's prompt that it reads"
BEYOND = "a number that the prompt has no passage for is taken for a source: count the passages in the prompt"
UNCITED = "a text that cites none of the prompt's passages raises an error: it gives way to REFUSAL"
ASKED = "Who swims in it?"


def expect_said(student, found, written, budget=10**6, count=word_count, k=3):
    """Compare an answer with the plain pipeline's, and with what the classic mistakes give; return what was asked."""
    heard = Heard(found, written, count)
    simpler = Heard(found, "It is [1].", count)

    def answer(asked):
        return asked.answer(student, ASKED, k, budget)

    wanted = answering.answered(ASKED, found, written, budget, count)
    uncited = UNCITED if wanted[0] == oracle.REFUSAL else None
    mistake = BEYOND if answering.cites_beyond(ASKED, found, written, budget, count) else uncited
    actual = said(expect_answer(answer, heard, simpler=(simpler,), mistake=mistake))
    misses = answering.answer_misses(ASKED, found, written, budget, count)
    expect_equal(actual, wanted, misses=misses, what="the pair of text and sources")
    return heard


@pytest.mark.task("m18.3")
@pytest.mark.holds(
    'Example: if ["a very long one", "sea"] are found, of which "sea" alone fits, the text "Wet [1]." has sources [1].',
    "A text, and the passages that it cites: their places among those that were found, in the order of citation.",
)
def test_the_source_is_the_passage_that_the_number_stands_for(student):
    """Numbers are those of the prompt, sources are places among what was found, whatever was left out between."""
    budget = word_count(oracle.laid(ASKED, ["[1] sea"]))
    expect_said(student, ["a very long one", "sea"], "Wet [1].", budget)
    found = ["red fish", "a stretch of words that is too long to be laid in", "sea", "more words than fit here", "sand"]
    lines = ["[1] red fish", "[2] sea", "[3] sand"]
    for written in ('"Sand" [3], red [1].', "Wet [2], [3] and [2].", "[3][2]"):
        expect_said(student, found, written, word_count(oracle.laid(ASKED, lines)), k=5)


@pytest.mark.task("m18.3")
@pytest.mark.holds(
    "`retrieve(question, k)` is called once; it returns up to k passages, the best first.",
    "`generate(prompt)` is called once with build_prompt's prompt, or not at all; white space around its text goes.",
)
@pytest.mark.parametrize("k", [1, 4, 7])
def test_one_search_and_one_text(student, draw, data, k):
    """The judge's retriever is asked once, with the question and k, and its model once, with the whole prompt."""
    found = draw.random.sample(sentences(data), k=k)
    heard = expect_said(student, found, f"\n  So it is [{k}],\nor so. \n", k=k)
    one = ["retrieve", "generate"]
    misses = {AGAIN: ["retrieve", *one], SECOND: [*one, "generate"], EACH: ["retrieve", *["generate"] * k]}
    expect_equal([call[0] for call in heard.calls], one, misses=misses, what="the list of calls")
    others = {"one passage more than k is asked for": (ASKED, k + 1), "k is not passed on": (ASKED, 3)}
    expect_equal(heard.calls[0][1:], (ASKED, k), misses=others, what="the pair of question and k")
    prompt, _ = oracle.prompt(ASKED, found, 10**6, word_count)
    expect_equal(heard.calls[1][1], prompt, misses={BARE: ASKED}, what="the prompt that the model is given")


@pytest.mark.task("m18.3")
@pytest.mark.holds(
    "Where nothing is found, or none of it fits into the budget, nothing is generated: the text is REFUSAL.",
    "Answer a question from what is found, or say that nothing was.",
)
def test_nothing_is_said_where_nothing_was_found(student):
    """Without a passage, or without one that fits, the answer is REFUSAL, has no sources, and no text is generated."""
    alone = word_count(oracle.laid(ASKED, []))
    for found, budget in (([], alone + 9), (["far too long a passage"], alone + 2)):
        heard = Heard(found, "It is so [1].")
        actual = said(heard.answer(student, ASKED, 3, budget))
        names = [call[0] for call in heard.calls]
        expect_equal(names, ["retrieve"], misses={FROM_MEMORY: ["retrieve", "generate"]}, what="the list of calls")
        misses = answering.answer_misses(ASKED, found, "It is so [1].", budget, word_count)
        expect_equal(actual, (oracle.REFUSAL, []), misses=misses, what="the pair of text and sources")


@pytest.mark.task("m18.3")
@pytest.mark.holds("A text that cites none of the prompt's passages gives way to REFUSAL; REFUSAL has no sources.")
def test_what_cites_nothing_is_not_said(student):
    """A text without a citation, or with one that no passage of the prompt has, gives way to REFUSAL."""
    found, budget = (
        ["red fish", "far too long a passage to be laid in", "sea"],
        word_count(oracle.laid(ASKED, ["[1] red fish", "[2] sea"])),
    )
    for written in ("It is red.", "", "It is red [3].", "red[1] [0] [1.5]", "It is red [4]."):
        expect_said(student, found, written, budget)
    expect_said(student, found, "It is red [3], or [2].", budget)


@pytest.mark.task("m18.3")
@pytest.mark.holds("Raises ValueError, naming k, for a k below 1; then nothing is called.")
def test_no_k_is_refused_before_anything_is_called(student):
    """A k below 1 is a ValueError that names it, and neither retriever nor model is called."""
    for k in (0, -3):
        heard = Heard(["red fish"], "It is [1].")
        given = ("ValueError", heard.answer, student, ASKED, k, 99)
        expect_raises(*given, mentions=(str(k),), fine=(student, ASKED, 3, 99), mistake=NO_K)
        expect_equal(heard.calls, [], misses={CALLED: [("retrieve", ASKED, k)]}, what="the list of calls")


@pytest.mark.task("m18.3")
@pytest.mark.holds("Answer a question from what is found, or say that nothing was.")
def test_questions_are_answered_from_what_is_found(student, draw, data):
    """On questions about language models, a writer that quotes is brought together with a search, in a budget."""
    passages, questions, relevant = corpus(data)
    count, budget, right, spent, total = tokens(data), 200, 0, 0, 0
    order = [int(place) for place in draw.permutation(len(questions))][:24]
    for number in order:
        places = answering.search(passages, questions[number], 4)
        found = [passages[place] for place in places]
        heard = Heard(found, answering.quote, count)
        text, sources = said(heard.answer(student, questions[number], 4, budget))
        prompt, _ = oracle.prompt(questions[number], found, budget, count)
        wanted = answering.answered(questions[number], found, answering.quote(prompt), budget, count)
        misses = answering.answer_misses(questions[number], found, answering.quote(prompt), budget, count)
        expect_equal((text, sources), wanted, misses=misses, what="the pair of text and sources")
        total += len(heard.calls)
        spent += count(prompt)
        right += any(places[source] in relevant[number] for source in sources)
    expect_equal(total, 2 * len(order), what="the number of calls")
    asked, calls, most = counted(len(order), "question"), counted(total, "call"), counted(budget, "token")
    achieve(
        f"Your pipeline answered {asked} on language models with {calls}, one search and one text each, in prompts of "
        f"{spent / len(order):.0f} of at most {most}; {right} answers quote a passage that was judged right."
    )
