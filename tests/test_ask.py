"""Questions about the guides: answered from a section or refused, and measured; what goes wrong there is said."""

from __future__ import annotations

import shutil

import pytest
import support

from grader import cli
from grader.asking import driver, guides, judged, session
from grader.asking.needed import LAST, NEEDED
from grader.asking.writer import Writer, sentences
from grader.capstone import screen
from grader.capstone.stage import Stage
from grader.judge.errors import UsageProblem
from grader.submission import collect

COURSE = support.COURSE
SOLUTIONS = support.REPOSITORY / "solutions"
NORMS = "How does RMSNorm differ from LayerNorm?"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """A machine that has nothing else to do, a page of one width, and the warm sandbox."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(screen, "load", lambda: 0.0)
    monkeypatch.setattr(screen, "cores", lambda: 1)
    support.lend_sandbox(monkeypatch)


@pytest.fixture
def submission(tmp_path):
    """A folder with the solutions that are needed."""
    for name in NEEDED:
        shutil.copy(SOLUTIONS / f"{name}.py", tmp_path)
    return tmp_path


@pytest.fixture
def ask(capsys):
    """Ask on the command line; return the exit code and what was printed, each text on one line."""

    def call(question, folder, *options):
        code = cli.main(["ask", question, "--submission", str(folder), *options])
        shown = capsys.readouterr()
        return code, " ".join(shown.out.replace("│", " ").split()), " ".join(shown.err.split())

    return call


def test_a_question_is_answered_from_its_section(ask):
    """The answer is a quotation with its section; what the model writes is told apart; the figures come last."""
    code, shown, _ = ask(NORMS, SOLUTIONS)

    assert code == 0
    assert "exercises/m15_llama.md, section m15.1 A norm and a gate" in shown
    assert "Looked up word for word in the passage that is cited: 1 of 1 found." in shown
    assert "Nothing of this is an answer, and no source stands behind it:" in shown
    assert shown.index("Nothing of this is an answer") > shown.index("m15.1 A norm")
    assert "judged questions about these guides: recall at 3 0." in shown


def test_what_no_guide_holds_is_refused(ask):
    """A question about something else is refused, no passage is shown, and no model is asked."""
    code, shown, _ = ask("Who was the first president of France?", SOLUTIONS)

    assert code == 0
    assert "Nothing that was found answers this." in shown
    assert "exercises/" not in shown and "gpt2-nano" not in shown


def test_the_solutions_figures_are_good():
    """With the solutions recall at 3 is above 0.85, most questions are answered, and no quotation is false."""
    sections = guides.read(COURSE.milestones)
    answered, elsewhere = judged.read(sections)
    parts = collect(SOLUTIONS, COURSE)
    with Stage(support.sandbox(), parts, NEEDED, LAST, driver).cast() as cast:
        asking = session.Asking(cast, sections)
        asking.read(600, 120)
        figures = asking.measure(answered, elsewhere, 3)

    assert figures.questions >= 50 and figures.elsewhere >= 6
    readme = (support.REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"On {figures.questions} judged questions" in readme
    assert figures.recall > 0.85
    assert figures.answered >= 0.85 * figures.questions
    assert figures.quotes == figures.true >= figures.answered
    assert figures.refused == figures.elsewhere


def test_every_judgement_names_a_section_that_is_there():
    """No judged question is left out in the whole course, no two are the same, and each milestone is asked about."""
    sections = guides.read(COURSE.milestones)
    answered, elsewhere = judged.read(sections)
    written = judged.FILE.read_text(encoding="utf-8")

    assert len(answered) == written.count("[[question]]")
    questions = [one.question for one in [*answered, *elsewhere]]
    assert len(set(questions)) == len(questions)
    every = {milestone.number for milestone in COURSE.milestones}
    assert {section.milestone for section in sections} == every
    assert {sections[place].milestone for one in answered for place in one.sections} == every


def test_a_guide_is_cut_into_prose():
    """Sections hold what is said: no code, no formula on lines of its own, no table and no tag."""
    guide = (
        "# m99 X\n\n**Goal.** No.\n\n## Shapes\n\n```text\na\n```\n\n## m99.1 One\n\n"
        "A sentence that is long enough to stay here.\n\n"
        "```python\n>>> 1\n```\n\n$$\nx\n$$\n\n| a |\n|---|\n\n"
        "<details>\n<summary>Answer</summary>\n\nMore.\n\n</details>\n"
    )

    (found,) = guides.cut(guide, "m99", "exercises/m99_x.md")

    assert (found.name, found.heading) == ("m99.1", "m99.1 One")
    assert found.text == "A sentence that is long enough to stay here.\n\nMore."


def test_the_writer_quotes_or_is_silent():
    """It quotes the sentence that holds most of what was asked, where a passage holds half of it, or says nothing."""
    writer = Writer(["Red fish swim in the sea all day."] + ["Nothing of it is here, and much else."] * 20)
    prompt = "Do.\n\n[1] Birds sing in the tree. Red fish swim in the sea all day.\n\nQuestion: {}\nAnswer:"

    assert writer(prompt.format("Where do red fish swim?")) == '"Red fish swim in the sea all day." [1]'
    assert writer(prompt.format("Where does the president of France swim?")) == ""
    assert sentences('He said "so it is, and so it was". Why is it all so?') == []
    assert sentences("of which half is cut away. All of this one is here. But of this one not") == [
        "All of this one is here."
    ]


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        (" \n", [], "The question is empty"),
        ("why " * 101, [], "longer than 100 tokens"),
        ("why \udcff?", [], "not UTF-8"),
        ("Why?", ["--k", "21"], "20 passages are the most"),
        ("Why?", ["--size", "50"], "100 to 5,000 characters"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(ask, question, options, said):
    """An empty or endless question and numbers out of range are wrong usage, before any code runs."""
    code, shown, error = ask(question, SOLUTIONS, *options)

    assert (code, shown) == (2, "")
    assert error.startswith("scratchwork: ") and said in error


def test_what_is_missing_is_named(ask, submission):
    """Unwritten tasks and missing modules get a line each, and the first is the next thing to do."""
    code, shown, _ = ask(NORMS, support.REPOSITORY / "exercises")
    assert code == 1 and "m17.1 Chunks is not written yet" in shown and "m18.4" not in shown
    assert "Next: m07.1." in shown

    (submission / "m18_rag.py").unlink()
    code, shown, _ = ask(NORMS, submission)
    assert code == 1 and "m18_rag.py is missing" in shown


@pytest.mark.parametrize(
    ("milestone", "text", "said"),
    [
        ("m17_retriever", "def chunk(*_):\n    return [Chunk(0, 10**9, 'x')]", "chunk (m17.1) returned is not"),
        ("m17_retriever", "recall_at_k = lambda *_: 7.0", "recall_at_k (m17.5) returned is not"),
        ("m18_rag", "answer = lambda *_: Answer(3, [])", "answer (m18.3) returned is not"),
        (
            "m18_rag",
            "def answer(*_):\n    raise KeyError('oops')",
            "Asking stops here: your code raised KeyError: 'oops'",
        ),
        ("m18_rag", "citations = lambda text, n: [n + 1]", "Asking stops here: your code raised IndexError"),
        (
            "m18_rag",
            "def build_prompt(*args, own=build_prompt):\n    return own(*args) if args[2] > 999 else (3, [0])",
            "build_prompt (m18.1) returned is not",
        ),
    ],
    ids=["places", "a share", "a number", "an exception", "a number too high", "no prompt"],
)
def test_what_goes_wrong_is_said(ask, submission, milestone, text, said):
    """What a student's code returns is looked at, what it raises is shown, and the exit code is 1."""
    path = submission / f"{milestone}.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{text}\n", encoding="utf-8")

    code, shown, _ = ask(NORMS, submission)

    assert code == 1 and said in shown


def test_an_answer_without_a_source_is_not_put_down_to_the_guides(ask, submission):
    """Where a passage was quoted and the student's answer cites none, that is said, with the quotation."""
    path = submission / "m18_rag.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n\ncitations = lambda text, n: []\n", encoding="utf-8")

    code, shown, _ = ask(NORMS, submission)

    assert code == 0
    assert "Your answer (m18.3) has no source, though a passage was quoted for it:" in shown
    assert "LayerNorm subtracts the mean" in shown and "No passage of the guides" not in shown


def test_no_guides_are_one_sentence():
    """Where no guide can be read there is nothing to ask about."""
    with pytest.raises(UsageProblem, match="There are no guides here"):
        guides.read([])
