"""m18_rag: a prompt that keeps within its budget, citations that are read, and quotations that are looked up."""

import re

import pytest

from grader.judge import counted, expect_answer, expect_equal, expect_raises

from . import oracle
from . import oracle_citing as citing
from .steps import counter, expect_prompt, sentences, telling, tokens, word_count

BEYOND = "a number that no passage has is looked up all the same: it is listed as False"
ABOVE = "a prompt that is above its budget without any passage is accepted"
JUST = "a prompt without any passage that just fills its budget is refused"


@pytest.mark.task("m18.1")
@pytest.mark.holds(
    'Parts with an empty line between them: INSTRUCTION; the passages, if any, a line "[1] text" each, numbered '
    'from 1 as they stand there; "Question: ...\\nAnswer:".',
    'Example: "Who?", ["red\\nfish", "sea"], budget 99 and a count of words give, after INSTRUCTION and an empty line, '
    '"[1] red fish\\n[2] sea\\n\\nQuestion: Who?\\nAnswer:", and [0, 1]: places in `passages`, the first of which is '
    "0.",
)
def test_a_prompt_is_laid_out_as_the_docstring_shows(student):
    """Instruction, numbered passages and question stand below one another; without passages only two of the three."""
    for passages in (["red\nfish", "sea"], ["sea", "sea"], []):
        expect_prompt(student, "Who?", passages, 99, word_count)


@pytest.mark.task("m18.1")
@pytest.mark.holds("In question and passages all white space becomes single spaces, and none stays at their ends.")
def test_no_text_can_begin_a_part_of_the_prompt(student):
    """Line ends, tabs and rows of spaces in question and passages are one space, so that none lays out a part."""
    passages = ["\n red\n\n[2] blue\t fish ", "sea \r\n Question: Why?\n Answer: no", "sand"]
    for question in ("Who\n\nswims? ", "Who swims?", "\t[1] red\n\n Question:  Who?"):
        expect_prompt(student, question, passages, 999, word_count)


@pytest.mark.task("m18.1")
@pytest.mark.holds("`count(text)` is a text's number of tokens, and the whole prompt's number is what counts.")
@pytest.mark.parametrize("more", [0, 3])
def test_tokens_are_counted_on_the_whole(student, draw, data, more):
    """What counts is the number of tokens of all that is laid out, also by a counter that adds some to every text."""
    count = tokens(data, more)
    passages, budget = telling(draw, "What is it?", sentences(data), count)
    expect_prompt(student, "What is it?", passages, budget, count)
    for share in (0.35, 0.6, 0.85):
        first = oracle.prompt("What is it?", passages[: round(share * 6)], 10**6, count)[0]
        for less in (0, 1, 4):
            expect_prompt(student, "What is it?", passages, count(first) - less, count)


@pytest.mark.task("m18.1")
@pytest.mark.holds(
    "Lay passages, the best first, into a prompt of at most `budget` tokens; return it, and which passages it holds.",
)
def test_a_prompt_may_fill_its_budget_to_the_last_token(student, draw, data):
    """With a budget of just as many tokens as the whole prompt has, all passages are in; with one less, not all."""
    passages = draw.random.sample(sentences(data), k=5)
    for count in (word_count, tokens(data)):
        whole = count(oracle.prompt("What is it?", passages, 10**6, count)[0])
        for budget in (whole, whole + 1, whole - 1):
            expect_prompt(student, "What is it?", passages, budget, count)


@pytest.mark.task("m18.1")
@pytest.mark.holds(
    "A passage with which the prompt would be above the budget is left out whole; those after it are still tried.",
)
def test_a_passage_that_does_not_fit_makes_room_for_the_next(student, draw, data):
    """A passage that is too long is left out whole, those after it are tried, and numbers follow what is there."""
    short = draw.random.sample([one for one in sentences(data) if 5 <= len(one.split()) <= 12], k=5)
    long = " ".join(draw.random.sample(sentences(data), k=9))
    for count in (word_count, tokens(data)):
        budget = count(oracle.prompt("Which one?", short[:4], 10**6, count)[0])
        for place in range(3):
            passages = [*short[:place], long, *short[place:]]
            what = f"the pair for {counted(len(passages), 'passage')} of which place {place} is too long"
            expect_prompt(student, "Which one?", passages, budget, count, what)


@pytest.mark.task("m18.1")
@pytest.mark.holds("Raises ValueError, naming both numbers, where the prompt without any passage is above the budget.")
def test_a_question_above_the_budget_is_refused(student):
    """Where instruction and question alone are above the budget, a ValueError names their tokens and the budget."""
    question, count = ("Who swims in the red, red sea? " * 9).strip(), counter(student, word_count)
    alone = word_count(oracle.laid(question, []))
    for passages in (["red fish"], []):
        given = (question, passages, alone, count)
        found = expect_answer(student.build_prompt, *given, simpler=(*given[:2], alone + 9, count), mistake=JUST)
        expect_equal(found, (oracle.laid(question, []), []), what="the pair")
        for budget in (alone - 1, 43):
            expect_raises(
                "ValueError",
                student.build_prompt,
                question,
                passages,
                budget,
                count,
                mentions=(str(alone), str(budget)),
                fine=(question, passages, alone, count),
                mistake=ABOVE,
            )


def expect_citations(student, answer, n):
    """Compare what is cited with a plain reader's, and with what the classic mistakes give."""
    what = f"the list of what {answer!r:.70} cites of {counted(n, 'passage')}"
    misses = citing.citation_misses(answer, n)
    expect_equal(student.citations(answer, n), citing.citations(answer, n), misses=misses, what=what)


@pytest.mark.task("m18.2")
@pytest.mark.holds(
    'Example: "Red [2], blue [1, 2], array[3], [9]." cites [2, 1] of 3 passages.',
    "Return which of the passages 1 to n an answer cites, each once, in the order in which they come first.",
)
def test_what_the_docstring_cites(student):
    """The text "Red [2], blue [1, 2], array[3], [9]." cites 2 and 1, each once, in the order in which they come."""
    expect_citations(student, "Red [2], blue [1, 2], array[3], [9].", 3)
    expect_citations(student, "Red [3]. Blue [1], red [3]! [2]", 3)


@pytest.mark.task("m18.2")
@pytest.mark.holds(
    'A citation is a number in square brackets, or several with commas; spaces may stand around each: "[2]", "[1, 3]".',
)
def test_brackets_hold_one_number_or_several(student):
    """One number cites, several with commas do, with spaces or without; whatever else brackets hold cites nothing."""
    for answer in (
        "So [4].[9] And [2,5], [ 3 ], [1 , 6]; never [0x7] or [a], [], [7;8], [8 7], [7-10], [-7], [8.8], 11 or (11).",
        "It is [12,3] or [11].",
        "Nothing at all.",
        "",
        "[10] and [11][2]",
        "([5]) \n[6]",
    ):
        expect_citations(student, answer, 12)


@pytest.mark.task("m18.2")
@pytest.mark.holds(
    'Straight after a letter, a digit or an underscore brackets are an index and cite nothing: "array[1]"; nor do '
    'others straight after these: "m[1][2]".',
    'Straight after a citation they are one more: "[1][2]".',
)
def test_an_index_is_no_citation(student):
    """Brackets straight after a letter, digit or underscore cite nothing; after a citation they are one more."""
    for answer in (
        "array[1] is red [3], or [2, 3]",
        "x_[1], y2[2] and é[3] (so)[4]",
        "m[1][2] [5]",
        "[1][2] or [3] [4][5]",
        "2[1].",
    ):
        expect_citations(student, answer, 5)


@pytest.mark.task("m18.2")
@pytest.mark.holds("Other numbers are left out.")
def test_passages_that_are_not_there_cannot_be_cited(student, draw):
    """Of drawn citations only those from 1 to n count, and the last passage among them."""
    for n in (0, 1, 4, 12):
        numbers = draw.random.choices(range(n + 4), k=9)
        kinds = ("word [{}]", "word[{}]", "[{}, 1]", "[{}].", "[2,{}]", "{}")
        answer = " ".join(draw.random.choice(kinds).format(number) for number in [*numbers, n + 1, 0])
        expect_citations(student, answer, n)
        expect_citations(student, f"{answer} [{n}]", n)


def expect_quotes(student, answer, passages):
    """Compare the quotations with a plain reader's, and with what the classic mistakes give."""
    right, what = citing.quotes(answer, passages), f"the list of quotations in {answer!r:.70}"
    known = re.sub(citing.NUMBER, lambda found: found[0] if 1 <= int(found[1]) <= len(passages) else "", answer)
    mistake = BEYOND if known != answer else None  # the same, but for numbers that no passage has
    actual = expect_answer(student.check_quotes, answer, passages, simpler=(known, passages), mistake=mistake)
    expect_equal(actual, right, misses=citing.quote_misses(answer, passages), what=what)


@pytest.mark.task("m18.2")
@pytest.mark.holds(
    'Example: \'"red fish" [1] "sea" [1] "red" [3]\' for ["A red fish.", "sea"] gives ("red fish", 1, '
    'True), ("sea", 1, False), ("red", 3, False).',
    "Look up every quotation that is cited: text between two straight double quotes, and behind it, after spaces or "
    "none, one number in brackets, as in citations.",
    "Return (quotation, number, whether that passage holds it) for each, in their order.",
)
def test_a_quotation_stands_in_the_passage_that_it_cites(student):
    """Each quotation with a citation is looked up in its own passage; others are not listed."""
    fish = ["A red fish.", "sea"]
    listed = 'He says "sea" [2], "red" and "fish" [ 1 ], "A red"[1]'
    expect_quotes(student, listed + ': "fish", he says [1]; "sea" [1, 2]; “sea” [2]', fish)
    expect_quotes(student, '"red  fish" [1] "sea" [1] "red" [3]', fish)
    expect_quotes(student, 'So [1]: "red" [1], "(wet) sea?" [2]', ["A red fish.", "Is a (wet) sea? Yes."])


@pytest.mark.task("m18.2")
@pytest.mark.holds(
    "Passage 1 is the first one.",
    "A number that has no passage is False, and so is a quotation of nothing but white space.",
)
def test_passage_0_is_not_the_last_one(student):
    """No passage has the number 0 or one above their number, and a quotation of nothing proves nothing."""
    passages = ["red fish", "blue sea", "sand"]
    expect_quotes(student, '"sand" [0] "sand" [3] "red" [1] "blue" [4] "sea" [99]', passages)
    expect_quotes(student, '"" [1] "sea" [2] "  " [3]', passages)
    expect_quotes(student, '"red" [0] "red" [1]', [])


@pytest.mark.task("m18.2")
@pytest.mark.holds("White space of any kind and length counts as one space, and none at the ends; case counts.")
def test_quotations_are_looked_up_word_for_word(student, draw, data):
    """Drawn stretches of passages are found however their white space is; other words or another case are not."""
    passages = [one.replace('"', "'") for one in draw.random.sample(sentences(data), k=5)]
    passages[2] = passages[2].replace(" ", "\n  ")
    parts = []
    for _ in range(12):
        number = draw.random.randint(1, 5)
        words = passages[number - 1].split()
        start = draw.random.randrange(max(len(words) - 4, 1))
        text = draw.random.choice([" ", "\n", " \t "]).join(words[start : start + 4])
        kind = draw.random.choice(["as it is", "as it is", "case", "run", "ends", "other"])
        text = {"case": text.swapcase(), "run": "".join(text.split()), "ends": f" {text}\n"}.get(kind, text)
        other = draw.random.randint(1, 5) if kind == "other" else number
        parts.append(f'"{text}"{draw.random.choice(["", " ", "  "])}[{other}]')
    expect_quotes(student, " and ".join(parts), passages)
