"""`reset`: a stub comes back, of a task or of a whole file, and nothing that was written is lost."""

from __future__ import annotations

import ast

import pytest
import support

from grader import cli, stubs
from grader.exits import PASSED, USAGE

STUB, SOLUTION = (support.source(folder, "m04_attention") for folder in ("exercises", "solutions"))


@pytest.fixture
def module(tmp_path):
    """Return a solved module in a folder of its own."""
    path = tmp_path / "m04_attention.py"
    path.write_text(SOLUTION, encoding="utf-8")
    return path


def reset(name, module):
    """Run `reset` for a module's folder; return the exit code."""
    return cli.main(["reset", name, "--submission", str(module.parent)])


def functions(text):
    """Return the source of each function of a module and of its classes, by its names."""
    return {".".join(place): ast.unparse(node) for place, node in stubs.functions(ast.parse(text))}


def test_a_task_gets_its_stub_back_and_the_rest_stays(module, capsys):
    """m04.2's function is the stub's again, all others are as they were, and the old file lies beside it."""
    assert reset("m04.2", module) == PASSED

    now, before, handed_out = (functions(text) for text in (module.read_text(), SOLUTION, STUB))
    name = "scaled_dot_product_attention"
    assert now.pop(name) == handed_out[name]
    assert now == {other: text for other, text in before.items() if other != name}
    assert module.with_name("m04_attention.py.old").read_text() == SOLUTION
    assert "m04_attention.py.old" in capsys.readouterr().out


def test_no_old_file_is_written_over(module):
    """A second reset keeps the file under another name, and one that changes nothing keeps nothing."""
    for name in ("m04.2", "m04.1", "m04.1"):
        assert reset(name, module) == PASSED

    kept = sorted(path.name for path in module.parent.iterdir())
    assert kept == ["m04_attention.py", "m04_attention.py.old", "m04_attention.py.old2"]


def test_a_whole_file_comes_back_whatever_it_holds(module):
    """`reset m04` needs no file that Python can read, nor any file; a task of a broken one is refused in a sentence."""
    module.write_text("def broken(:\n")
    assert reset("m04.2", module) == USAGE
    assert module.read_text() == "def broken(:\n"

    assert reset("m04", module) == PASSED and module.read_text() == STUB
    module.unlink()
    assert reset("m04", module) == PASSED and module.read_text() == STUB


def test_what_is_missing_is_put_where_it_belongs():
    """A function that was deleted comes back, a method into its class, and a method without one brings the class."""
    handed_out, solved = support.source("exercises", "m01_tokenizer"), support.source("solutions", "m01_tokenizer")
    tree = ast.parse(solved)
    tree.body = [node for node in tree.body if getattr(node, "name", "") not in ("train_bpe", "Tokenizer")]

    found = functions(stubs.put_back(stubs.put_back(ast.unparse(tree), handed_out, "m01.2"), handed_out, "m01.3"))

    assert {"train_bpe", "Tokenizer.encode", "Tokenizer.decode"} <= found.keys()
    assert found["Tokenizer.encode"] == functions(handed_out)["Tokenizer.encode"]


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_every_task_of_a_stub_can_be_reset(milestone):
    """Each task that has a function of its own comes back into the solution, and all of them make the stub again."""
    handed_out, text = (support.source(folder, milestone) for folder in ("exercises", "solutions"))
    for task in support.COURSE.milestone(milestone).tasks:
        try:
            text = stubs.put_back(text, handed_out, task.id)
        except stubs.NoStub:
            continue
    now = functions(text)

    for name, source in functions(handed_out).items():
        assert now[name] == source


def test_a_stub_is_found_in_the_history_where_the_file_is_written_over(monkeypatch, tmp_path):
    """In a clone whose exercises are solved, the newest version in git's history that is a stub comes back."""
    milestone = support.COURSE.milestone("m04")
    commits = {"b": SOLUTION, "a": STUB}
    monkeypatch.setattr(stubs, "REPOSITORY", tmp_path)
    monkeypatch.setattr(stubs, "KEPT", tmp_path / "nowhere")
    monkeypatch.setattr(stubs, "_is_stub", lambda text: text == STUB)
    monkeypatch.setattr(
        stubs, "_git", lambda command, *rest: "b\na\n" if command == "log" else commits[rest[0].partition(":")[0]]
    )
    monkeypatch.setattr(type(milestone), "stub", property(lambda _: tmp_path / "solved.py"))

    assert stubs.stub(milestone) == STUB
    commits.clear()
    monkeypatch.setattr(stubs, "_git", lambda *_: "")
    with pytest.raises(stubs.NoStub, match="not in this copy of the course"):
        stubs.stub(milestone)
