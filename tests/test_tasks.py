"""Grading single tasks, with the debugger and without it, and the prompt that has a student's modules."""

from __future__ import annotations

import gc
import io
import os
import pdb
import pty
import select
import subprocess
import sys
import termios
import time

import pytest
import support
import systems

from grader import cli, debugging
from grader.commands.grade import select_tasks
from grader.exits import INTERRUPTED, NOT_PASSED, PASSED, USAGE
from grader.reports.machines import json_report
from grader.syllabus import SyllabusError

SOLUTION = support.source("solutions", "m04_attention")
STOPS = SOLUTION.replace("    d_head = query.shape[-1]\n", "    breakpoint()\n    d_head = query.shape[-1]\n")


@pytest.fixture
def submission(tmp_path, monkeypatch):
    """Return a folder with a solved m04, which is graded in the warm sandbox."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "m04_attention.py").write_text(SOLUTION, encoding="utf-8")
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    support.lend_sandbox(monkeypatch)
    return folder


def grade(folder, *arguments):
    """Grade with the command line, in this process; return the exit code."""
    return cli.main(["grade", *arguments, "--submission", str(folder)])


# ── which tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_task_is_graded_alone(submission, tmp_path, capsys):
    """`grade m04.1` runs the checks of that task and no others, and is not remembered as the milestone's result."""
    assert grade(submission, "m04.1", "--json", str(tmp_path / "r.json")) == PASSED
    (milestone,) = json_report.read(str(tmp_path / "r.json")).milestones
    assert [task.id for task in milestone.tasks] == ["m04.1"] and milestone.possible == 2
    assert "2 of 2 points" in capsys.readouterr().out
    assert cli.main(["list", "--submission", str(submission)]) == PASSED
    assert "m04       Attention" in (listed := capsys.readouterr().out) or "m04" in listed
    assert "passed" not in listed


def test_a_milestone_and_a_task_of_another_go_together():
    """Of a milestone that is named all tasks are wanted, of another one those that are named."""
    chosen, tasks = select_tasks(support.COURSE, ["m04.2", "m03", "attention.1"])

    assert [milestone.number for milestone in chosen] == ["m03", "m04"]
    assert tasks == {"m04.1", "m04.2", *(task.id for task in support.COURSE.milestone("m03").tasks)}
    assert select_tasks(support.COURSE, ["m04"])[1] is None
    assert select_tasks(support.COURSE, [])[0] == list(support.COURSE.milestones)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m4", "There is no milestone 'm4'; did you mean m04?"),
        ("m4.2", "There is no task 'm4.2'; did you mean m04.2?"),
        ("m0", "There is no milestone 'm0'; did you mean m00?"),
        ("m0.1", "There is no task 'm0.1'; did you mean m00.1?"),
        ("m044", "There is no milestone 'm044'; did you mean m04?"),
        ("attenton.2", "There is no task 'attenton.2'; did you mean attention.2?"),
        ("m04.9", "There is no task 'm04.9'; m04_attention has m04.1, m04.2, m04.3, m04.4."),
    ],
)
def test_a_name_that_is_nearly_one_is_guessed(name, said):
    """A milestone without its nought, and a task of one, get the name that was meant."""
    with pytest.raises(SyllabusError) as caught:
        support.COURSE.named(name)

    assert str(caught.value) == said


def test_an_official_run_grades_whole_milestones(submission, monkeypatch, capsys):
    """A run that counts refuses the name of a task in one sentence."""
    monkeypatch.setenv("SCRATCHWORK_SECRET_SEED", "a secret that nobody guesses")

    assert grade(submission, "m04.1", "--official") == USAGE
    assert capsys.readouterr().err.count("\n") == 1


# ── the debugger ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stopping(submission, tmp_path):
    """Return the command that debugs a submission which stops in every check, and its environment."""
    (submission / "m04_attention.py").write_text(STOPS, encoding="utf-8")
    command = [sys.executable, "-m", "grader", "grade", "m04.2", "--debug", "--submission", str(submission)]
    return command, os.environ | {"TERM": "xterm", "SCRATCHWORK_STATE": str(tmp_path / "state")}


def test_the_debugger_says_which_check_it_stops_in_and_q_ends_the_run(stopping):
    """Before each prompt stands the title of its check; after q no further check begins, and nothing else prompts."""
    command, environment = stopping
    typed = "c\nc\nn\nq\n"
    done = subprocess.run(
        command, cwd=support.REPOSITORY, env=environment, input=typed, capture_output=True, text=True, check=False
    )
    titles = [line for line in done.stdout.splitlines() if line.startswith("m04.2  ")]

    assert done.returncode == INTERRUPTED
    assert len(titles) == 3 and titles[0].endswith("gives 7, and 4 once the second key is masked.")
    assert done.stdout.count("(Pdb)") == 4
    assert "interrupted" in done.stderr


class Interrupted(io.StringIO):
    """Somebody who presses Ctrl-C at the prompt."""

    def readline(self, *_):
        """Interrupt."""
        raise KeyboardInterrupt


@pytest.mark.parametrize("typed", [io.StringIO("q\n"), io.StringIO(""), Interrupted()], ids=["q", "the end", "Ctrl-C"])
def test_whoever_leaves_the_debugger_ends_the_run(typed):
    """q, the end of what is typed and Ctrl-C at the prompt are an interrupt, and not one more prompt."""
    debugger = debugging.Debugger(stdin=typed, stdout=io.StringIO(), readrc=False)
    debugger.use_rawinput = False

    gc.disable()  # whoever listens to it, as hypothesis does, would be stopped instead
    try:
        with pytest.raises(KeyboardInterrupt):
            stop_with(debugger)
    finally:
        gc.enable()


def stop_with(debugger):
    """Stop here."""
    debugger.set_trace(sys._getframe())
    raise AssertionError("the debugger stops before this line")


def test_only_a_debugged_run_has_another_debugger():
    """After the run Python's own debugger is what it was."""
    kept = pdb.Pdb
    with debugging.debugger():
        assert pdb.Pdb is debugging.Debugger
    assert pdb.Pdb is kept


@systems.posix
def test_ctrl_c_leaves_the_terminal_as_it_was(stopping):
    """A debugged run that is interrupted at its prompt ends, with the terminal echoing and reading lines as before."""
    command, environment = stopping
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    # A session of its own, whose terminal this is: Ctrl-C there is a signal, as at a person's keyboard.
    lead = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", lead, *command]
    running = subprocess.Popen(command, cwd=support.REPOSITORY, env=environment, stdin=theirs)
    shown, until, pressed = b"", time.monotonic() + 120, 0.0
    while running.poll() is None and time.monotonic() < until:
        if select.select([ours], [], [], 0.2)[0]:
            shown += os.read(ours, 65536)
        elif b"(Pdb) " in shown and b"interrupted" not in shown and time.monotonic() > pressed + 5:
            os.write(ours, b"\x03")  # readline may miss one that comes before it waits; so again, as a person would
            pressed = time.monotonic()
    running.kill()
    code = running.wait()

    assert code == INTERRUPTED, shown
    assert termios.tcgetattr(theirs)[:4] == before[:4]
    os.close(ours)
    os.close(theirs)


# ── the prompt ────────────────────────────────────────────────────────────────────────────────────────────────────────


def prompt(monkeypatch, folder, typed, name="m04"):
    """Open the prompt and type some lines; return the exit code."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return cli.main(["shell", name, "--submission", str(folder)])


def test_the_prompt_has_the_students_modules(submission, monkeypatch, capsys):
    """Public names stand there by themselves, the module under its number; reload() takes what was saved since."""
    typed = "print('first', causal_mask(1).tolist(), m04.causal_mask is causal_mask)\n"
    typed += f"_ = open({str(submission / 'm04_attention.py')!r}, 'a').write('\\ndef causal_mask(n): return n\\n')\n"
    typed += "reload()\nprint('then', causal_mask(5))\n"

    assert prompt(monkeypatch, submission, typed) == PASSED

    shown = capsys.readouterr().out
    assert "first [[True]] True" in shown and "then 5" in shown
    assert "'Imported" not in shown, "what was imported is a sentence, not a value"


def test_the_prompt_of_a_failure_has_its_inputs(submission, monkeypatch, capsys):
    """After a failed run the last call is shown, its inputs are there, and again() makes it anew."""
    module = submission / "m04_attention.py"
    module.write_text(SOLUTION.replace(" / d_head**0.5", ""), encoding="utf-8")
    assert grade(submission, "m04.2") == NOT_PASSED
    assert "nox -s python -- m04.2 --submission" in capsys.readouterr().out

    module.write_text(SOLUTION, encoding="utf-8")
    assert prompt(monkeypatch, submission, "again()\n", "m04.2") == PASSED

    shown = capsys.readouterr().out
    assert "m04.2: The docstring's example gives 7" in shown
    assert "result = scaled_dot_product_attention(torch.tensor([[2.0" in shown
    assert "tensor([[7." in shown


def test_a_module_that_cannot_be_imported_is_said_at_the_prompt(submission, monkeypatch, capsys):
    """The prompt opens all the same, and says in a line which module cannot be imported, why and where."""
    (submission / "m03_embedding.py").write_text("import torch\nx = 1 / 0\n", encoding="utf-8")
    (submission / "m04_attention.py").write_text("def causal_mask(:\n", encoding="utf-8")

    assert prompt(monkeypatch, submission, "print(1 + 1)\n", "m03") == PASSED
    assert "m03_embedding.py cannot be imported: ZeroDivisionError: division by zero (m03_embedding.py, line 2)" in (
        capsys.readouterr().out
    )
    assert prompt(monkeypatch, submission, "print(1 + 1)\n") == PASSED
    assert "m04_attention.py cannot be imported: invalid syntax (line 1)" in capsys.readouterr().out.replace(
        "SyntaxError: ", ""
    )
