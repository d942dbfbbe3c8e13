"""Every guide has the shape that docs/writing-a-milestone.md gives, and its sessions print what stands there."""

from __future__ import annotations

import doctest
import itertools
import re
import shlex

import pytest
import support
import torch

from grader import cli

REPOSITORY, COURSE = support.REPOSITORY, support.COURSE
MILESTONES = [milestone.id for milestone in COURSE.milestones]
GUIDES = {name: (REPOSITORY / "exercises" / f"{name}.md").read_text(encoding="utf-8") for name in MILESTONES}
each_guide = pytest.mark.parametrize("milestone", MILESTONES)

BEFORE = ["By hand", "In symbols", "Shapes"]
AFTER = ["Try it", "Explain", "What usually goes wrong", "A stretch", "Reading", "Out of scope"]
MARKS = {"●○○", "●●○", "●●●"}
FOLDED = re.compile(r"^<details>\n<summary>([^<>\n]+)</summary>\n\n(.+?)\n\n</details>$", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DISPLAY = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<![\w$\\])\$(?! )([^$\n]+?)(?<! )\$(?![\w$])")
# What GitHub knows how to draw, and any other renderer too; a macro that a guide needs is tried there, and added.
KNOWN = (
    "alpha approx bar beta cdot cos epsilon eta exp frac ge hat in lambda ldots le left leftarrow lfloor ln lt "
    "max min mu partial pi qquad quad rfloor right sigma sin sqrt sum tanh tau text theta times to top vert"
)


def part(guide: str, heading: str) -> str:
    """Return what stands below a heading of a guide, up to the next one."""
    found = re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", guide)
    assert found is not None, f"there is no part {heading!r}"
    return found[1]


def prose(guide: str) -> str:
    """Return a guide without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", guide))


def sentences(text: str) -> list[str]:
    """Cut a paragraph into sentences."""
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", text.strip())


@each_guide
def test_the_sessions_of_a_guide_give_what_it_shows(milestone, monkeypatch):
    """Every session in a guide, folded ones too, run in order on the solution, prints what stands there."""
    monkeypatch.chdir(REPOSITORY)
    blocks = [code for kind, code in FENCE.findall(GUIDES[milestone]) if kind == "python"]
    session = "\n".join(blocks).replace("from exercises.", "from solutions.")
    test = doctest.DocTestParser().get_doctest(session, {}, f"{milestone}.md", None, 0)

    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.set_num_threads(1)  # what a guide computes is tiny: several threads would mostly wait for each other
        result = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(test)
    torch.set_num_threads(threads)

    assert result.failed == 0
    assert result.attempted == len(re.findall(r"(?m)^>>> ", session)) >= 20
    assert all(code.startswith(">>> ") for code in blocks)


@each_guide
def test_a_guide_has_its_parts_in_their_order(milestone):
    """Goal, why, needs, the table of tasks, then the parts, the tasks among them, each under its heading."""
    guide = GUIDES[milestone]
    title = f"# {milestone[:3]} {COURSE.milestone(milestone).title}\n"
    tasks = [f"{task.id} {task.title}" for task in COURSE.milestone(milestone).tasks]
    wanted = [*BEFORE, *tasks, *AFTER]

    headings = [heading for heading in re.findall(r"(?m)^## (.+)$", guide) if heading in wanted]
    places = [guide.find(word) for word in ("**Goal.** ", "**Why it matters.** ", "**You need** ", "| task |", "\n## ")]

    assert headings == wanted
    assert guide.startswith(title)
    assert -1 not in places and places == sorted(places)


@each_guide
def test_a_guide_says_in_two_sentences_why_it_matters(milestone):
    """Two sentences, of no more than sixty words together, tell a beginner why this is worth the hours."""
    said = re.search(r"(?ms)^\*\*Why it matters\.\*\* (.*?)\n\n", GUIDES[milestone])

    assert said is not None
    assert len(sentences(" ".join(said[1].split()))) == 2
    assert len(said[1].split()) <= 60


@each_guide
def test_a_guide_weighs_its_tasks(milestone):
    """Each task has minutes, a difficulty and an importance; the minutes leave time for the guide within the hours."""
    rows = re.findall(r"(?m)^\| (m\d\d\.\d+ .*?) \| (\d+) \| (\S+) \| (\S+) \|$", GUIDES[milestone])
    page = (REPOSITORY / "exercises" / "README.md").read_text(encoding="utf-8")
    hours = re.search(rf"(?m)^\| \[{milestone[:3]}\].* \| (\d+) \| [\d.]+ \|$", page)

    assert [name for name, *_ in rows] == [f"{task.id} {task.title}" for task in COURSE.milestone(milestone).tasks]
    assert {mark for _, _, *marks in rows for mark in marks} <= MARKS
    assert all(int(minutes) % 5 == 0 for _, minutes, *_ in rows)
    assert hours is not None
    assert 0.5 <= sum(int(minutes) for _, minutes, *_ in rows) / (60 * int(hours[1])) <= 0.9


@each_guide
def test_a_guide_computes_draws_and_writes_it_down(milestone):
    """The example by hand has a table, the formula stands alone on its lines, and the shapes are drawn."""
    guide = GUIDES[milestone]

    assert len(re.findall(r"(?m)^\|", part(guide, "By hand"))) >= 4
    assert DISPLAY.search(part(guide, "In symbols"))
    drawings = [code for kind, code in FENCE.findall(part(guide, "Shapes")) if kind == "text"]
    assert drawings
    assert max(len(line) for code in drawings for line in code.splitlines()) <= 100


@each_guide
def test_the_formulas_of_a_guide_can_be_drawn(milestone):
    """Dollars stand in pairs, macros are known everywhere, and Markdown finds nothing in a formula to change."""
    text = prose(GUIDES[milestone])
    formulas = [*DISPLAY.findall(text), *INLINE.findall(DISPLAY.sub("", text))]

    assert "$" not in INLINE.sub("", DISPLAY.sub("", text))
    assert {macro for formula in formulas for macro in re.findall(r"\\([A-Za-z]+)", formula)} <= set(KNOWN.split())
    for formula in formulas:
        assert re.findall(r"\\[^A-Za-z]|[*<>|~]|(?<![A-Za-z0-9])_", formula) == [], formula
        assert formula.count("{") == formula.count("}"), formula


@each_guide
def test_a_guide_lets_its_reader_predict(milestone):
    """What is to be tried has sessions, begins with values of the reader's own, and folds what a prediction is for."""
    text = part(GUIDES[milestone], "Try it")
    folded = "".join(body for _, body in FOLDED.findall(text))

    assert len(re.findall("(?m)^>>> ", text)) >= 4
    assert "your own" in text
    assert ">>> " in folded and "redict" in FOLDED.sub("", text)


@each_guide
def test_a_guide_asks_what_was_understood(milestone):
    """Two or three questions, each with an answer that is folded away."""
    text = part(GUIDES[milestone], "Explain")
    questions = [" ".join(words.split()) for words in re.split(FOLDED, text)[::3] if words.strip()]

    assert 2 <= len(questions) <= 3
    assert [question for question in questions if not question.endswith("?")] == []
    assert len(FOLDED.findall(text)) == len(questions)


@each_guide
def test_what_is_folded_unfolds_everywhere(milestone):
    """Every fold has a summary and empty lines around what it hides, without which GitHub would not draw it."""
    guide = GUIDES[milestone]

    assert len(FOLDED.findall(guide)) == guide.count("<details>") == guide.count("</details>") >= 3


@each_guide
def test_the_commands_of_a_guide_are_taken(milestone):
    """Each command in a guide is one that nox or the grader takes, with just these arguments."""
    sessions = set(re.findall(r"^def (\w+)\(session", (REPOSITORY / "noxfile.py").read_text(), flags=re.M))
    text = " ".join(FENCE.sub("", GUIDES[milestone]).split())
    commands = set(re.findall(r"`((?:nox -s|python -m grader) [^`]+)`", text))

    assert {f"nox -s grade -- {milestone[:3]}", f"nox -s python -- {milestone[:3]}"} <= commands
    for words in map(shlex.split, commands):
        if words[0] == "nox":
            assert words[2] in sessions
            words = ["", "", "", "shell" if words[2] == "python" else words[2], *words[4:]]
        cli.parser().parse_args(words[3:])


@each_guide
def test_a_stretch_is_measured_where_the_guide_says_so(milestone):
    """A guide names the measure of its stretch exactly where the room brings one."""
    command = f"`nox -s grade -- {milestone[:3]} --stretch`"

    assert (command in part(GUIDES[milestone], "A stretch")) == (COURSE.milestone(milestone).stretch is not None)


def test_no_answer_is_given_twice():
    """No question and no fold of one guide stands in another: each was written for its milestone."""
    folds = {name: {body for _, body in FOLDED.findall(guide)} for name, guide in GUIDES.items()}

    assert [pair for pair in itertools.combinations(folds, 2) if folds[pair[0]] & folds[pair[1]]] == []
