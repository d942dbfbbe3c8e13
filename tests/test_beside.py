"""`python -m grader compare`: one's own code beside the reference solution, once it has passed, in practice only."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import support
from rich.console import Console

from grader import cli, record
from grader.commands import compare
from grader.progress import Progress
from grader.reports.terminal.beside import render_pairs
from grader.submission import collect

COURSE = support.COURSE
MILESTONE = COURSE.milestone("m04")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with m04 in other words, none of which has been graded."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "m04_attention.py").write_text(support.alternates("m04_attention")[0].read_text(encoding="utf-8"))
    return folder


def grade(folder, *open_tasks):
    """Remember a run in which all tasks but some have passed."""
    tasks = []
    for task in MILESTONE.tasks:
        outcome = record.FAILED if task.id in open_tasks else record.PASSED
        earned = 0 if task.id in open_tasks else task.points
        check = record.Check("test_it", "It holds.", outcome, [record.VALUE])
        tasks.append(record.Task(task.id, task.title, task.points, earned, [check]))
    sources = collect(folder, COURSE).digest(COURSE.with_uses(MILESTONE))
    result = record.Milestone(MILESTONE.id, MILESTONE.title, tasks, sources=sources)
    Progress().remember(folder, [result], {MILESTONE.id: "k"})


def run(capsys, folder, *words):
    """Compare; return the exit code, what was shown, and what was complained of."""
    code = cli.main(["compare", *words, "--submission", str(folder)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_what_has_passed_stands_beside_the_reference(mine, capsys):
    """Each task's functions are shown as they are in both files, with their lines and without docstrings."""
    grade(mine)

    code, shown, _ = run(capsys, mine, "m04")

    assert code == 0
    for task in MILESTONE.tasks:
        assert f"{task.id} {task.title}" in shown
    assert "solutions/m04_attention.py:18" in shown and f"{mine}/m04_attention.py:"[-40:] in shown.replace("\n", "")
    assert shown.count("def scaled_dot_product_attention(") == 2
    assert '"""' not in shown


def test_a_task_that_has_passed_is_enough_for_itself(mine, capsys):
    """A task may be compared while others are open, the whole milestone not yet."""
    grade(mine, "m04.4")

    code, shown, _ = run(capsys, mine, "m04.1")
    assert code == 0 and shown.count("def causal_mask(") == 2 and "def split_heads" not in shown
    code, shown, said = run(capsys, mine, "m04")
    assert code == 2 and shown == ""
    assert "m04.4 has not passed yet: first nox -s grade -- m04" in said and "--give-up" in said


def test_giving_up_shows_the_solution(mine, capsys):
    """With --give-up the solution is shown of what has not passed, and stubs are shown as stubs."""
    code, shown, _ = run(capsys, mine, "m04.2", "--give-up")
    assert code == 0 and "weights @ value" in shown

    code, shown, _ = run(capsys, support.REPOSITORY / "exercises", "m04.2", "--give-up")
    assert code == 0 and 'raise NotImplementedError("m04.2")' in shown


def test_what_has_changed_since_is_graded_first(mine, capsys):
    """A file that was changed after it passed has to pass again."""
    grade(mine)
    path = mine / "m04_attention.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n# another idea\n", encoding="utf-8")

    code, _, said = run(capsys, mine, "m04.1")

    assert code == 2 and "m04.1 has changed since it was graded" in said


def test_no_solution_is_shown_where_runs_count_or_there_is_none(mine, capsys, monkeypatch):
    """Beside a secret seed and in a copy without solutions compare says in a sentence why it does not."""
    grade(mine)
    monkeypatch.setenv("SCRATCHWORK_SECRET_SEED", "x" * 20)
    code, shown, said = run(capsys, mine, "m04", "--give-up")
    assert (code, shown) == (2, "") and "compare is for practice" in said
    monkeypatch.delenv("SCRATCHWORK_SECRET_SEED")
    monkeypatch.setattr(type(MILESTONE), "solution", property(lambda self: Path("/nowhere/x.py")))
    code, shown, said = run(capsys, mine, "m04", "--give-up")
    assert (code, shown) == (2, "") and "this copy of the course has no solutions" in said


def test_a_file_that_is_missing_or_no_python_is_said(mine, capsys):
    """What cannot be compared is one sentence."""
    (mine / "m04_attention.py").write_text("def f(:\n", encoding="utf-8")
    code, _, said = run(capsys, mine, "m04", "--give-up")
    assert code == 2 and "cannot be read as Python" in said
    (mine / "m04_attention.py").rename(mine / "m00_warmup.py")
    code, _, said = run(capsys, mine, "m04", "--give-up")
    assert code == 2 and "m04_attention.py is missing" in said


def test_helpers_come_along_and_methods_are_cut_out():
    """A task's piece holds the private helpers that it calls, and of a method's class the method alone."""
    source = b"""
def _unused():
    return 0

def _root(x):
    '''A helper.'''
    return x ** 0.5

class Model:
    '''A model.'''

    def __init__(self):
        '''Nothing else.'''

    @property
    def size(self):
        '''Its size.'''
        return _root(4)
"""
    task = type(MILESTONE.tasks[0])("m99.1", "One", 1, ("Model.size",), ())

    piece = compare.cut_out(source, task, "here.py")

    assert piece.place == "here.py:5"
    assert piece.code == "def _root(x):\n    return x ** 0.5\n\n@property\ndef size(self):\n    return _root(4)"
    whole = compare.cut_out(source, type(task)("m99.1", "One", 1, ("Model",), ()), "here.py").code
    assert "class Model:" in whole and "A model." not in whole and "Nothing else." in whole


@pytest.mark.parametrize("width", [40, 60, 100, 120, 160])
def test_nothing_is_too_wide_and_nothing_lost(width):
    """At every width both pieces stand there whole, cleaned, and no line is wider than the console."""
    code = "def f(x):\n    return some_function_of_a_long_name(x) + another_function_of_a_long_name(x)  # \x1b[2Jwhy"
    pieces = [compare.Piece(f"{name}.py:3", code.replace("f(x)", f"{name}(x)", 1)) for name in ("mine", "ours")]
    out = io.StringIO()

    render_pairs([("m99.1 One", *pieces)], Console(file=out, width=width))

    lines = out.getvalue().splitlines()
    assert all(len(line) <= width for line in lines) and "\x1b" not in out.getvalue()
    assert "mine.py:3" in out.getvalue() and "ours.py:3" in out.getvalue()
    text = "".join("".join(out.getvalue().split()).split("│"))
    assert text.count("some_function_of_a_long_name") == 2 or width < 60
    assert any("def mine(x):" in line and "def ours(x):" in line for line in lines) == (width >= 120)
