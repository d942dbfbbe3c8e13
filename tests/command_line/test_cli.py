"""The command line: exit codes, names, consoles of every kind, and other doors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from command_lines import ATTENTION, COURSE, REPOSITORY, TOKENIZER, flat, in_process_of_its_own

from grader import commands, syllabus
from grader.commands import grade
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

ESCAPE = "\x1b["


# ── exit codes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_exit_code_0_means_that_all_selected_passed(run, sandbox):
    """The solution passes: exit code 0, full marks, and what comes next."""
    code, shown, said = run("grade", "m04", "--submission", REPOSITORY / "solutions")

    assert (code, said) == (0, "")
    assert f"{ATTENTION.points:g} of {ATTENTION.points:g} points" in shown
    assert "Everything that was graded passes." in shown


def test_exit_code_1_means_that_not_all_passed(run, sandbox, submission):
    """A half-done submission: exit code 1, its points, and the one next thing to do with the command for it."""
    code, shown, said = run("grade", "m04", "--submission", submission)

    task = ATTENTION.tasks[1]
    assert (code, said) == (1, "")
    assert f"{ATTENTION.tasks[0].points:g} of {ATTENTION.points:g} points" in shown
    assert f"implement {task.id} ({task.title})" in flat(shown)
    assert f"nox -s grade -- m04 --submission '{submission}'" in flat(shown)
    assert f"python -m grader hint {task.id}" in shown


@pytest.mark.parametrize("arguments", [[], ["mark"], ["grade", "--isolation", "none"], ["hint"], ["hint", "m77"]])
def test_exit_code_2_means_wrong_usage(run, arguments):
    """Wrong usage is one sentence on standard error and exit code 2."""
    code, shown, said = run(*arguments)

    assert (code, shown) == (2, "")
    assert said.startswith("scratchwork: ")
    assert said.count("\n") == 1


def test_exit_code_3_means_that_the_grader_is_at_fault(run, sandbox, submission, monkeypatch):
    """Where the sandbox fails in the middle of a run nobody's code is blamed: exit code 3, and the report says so."""

    def broken(*_):
        raise SandboxError("no room left")

    monkeypatch.setattr(sandbox, "worker", broken)

    code, shown, _ = run("grade", "m04", "--submission", submission)

    assert code == 3
    assert "The grader made a mistake, not you." in shown
    assert "no room left" in shown


def test_a_suite_that_cannot_be_read_is_named(run, sandbox, submission, monkeypatch, tmp_path):
    """A fault in a suite itself ends with exit code 3 and one sentence that names the file and the error."""
    room = tmp_path / "m04_attention"
    room.mkdir()
    (room / "test_broken.py").write_text("import a_module_that_nobody_has\n")
    course = syllabus.load()
    rooms = [replace(entry, room=room) if entry.id == room.name else entry for entry in course.milestones]
    monkeypatch.setattr(syllabus, "load", lambda: replace(course, milestones=tuple(rooms)))

    code, _, said = run("grade", "m04", "--submission", submission)

    assert code == 3
    assert said.startswith("scratchwork: ") and said.count("\n") == 1
    assert "test_broken.py" in said and "a_module_that_nobody_has" in said


@pytest.mark.parametrize(("level", "code"), [("auto", 3), ("bubblewrap", 2)])
def test_a_missing_isolation_level_is_the_callers_only_if_asked_for(run, submission, monkeypatch, level, code):
    """No level at all is the grader's fault, a level named and not there is wrong usage; either is one sentence."""

    def nothing(*_):
        raise SandboxError("no isolation level works here")

    monkeypatch.setattr(levels, "choose", nothing)

    assert run("grade", "m04", "--submission", submission, "--isolation", level) == (
        code,
        "",
        "scratchwork: no isolation level works here\n",
    )


def test_an_interrupted_run_ends_with_130(run, monkeypatch):
    """Ctrl-C ends with one sentence and exit code 130."""

    def interrupted(_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.grade, "run", interrupted)

    code, _, said = run("grade", "m04")

    assert code == 130
    assert said.strip() == "scratchwork: interrupted; nothing was saved."


def test_help_names_the_commands(run):
    """--help lists grade, list and hint, and ends with exit code 0."""
    code, shown, _ = run("--help")

    assert code == 0
    assert all(word in shown for word in ("grade", "list", "hint"))


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["m04", "4", "attention", "m04_attention"])
def test_a_milestone_is_named_as_one_likes(run, name):
    """Every spelling of a milestone finds it."""
    code, shown, _ = run("hint", name)

    assert code == 0
    assert shown.startswith("m04.1 ")
    assert grade.select(COURSE, [name]) == [ATTENTION]


def test_milestones_are_graded_once_and_in_order():
    """Names in any order, twice or in two spellings, select each milestone once, in the syllabus's order."""
    tokenizer = COURSE.milestone("m01")

    assert grade.select(COURSE, ["attention", "tokenizer", "m04", "1"]) == [tokenizer, ATTENTION]
    assert grade.select(COURSE, []) == list(COURSE.milestones)


@pytest.mark.parametrize("command", ["grade", "hint"])
def test_a_typo_is_answered_with_a_guess(run, command):
    """A misspelt milestone gets "did you mean" and exit code 2."""
    code, _, said = run(command, "m04_atention")

    assert code == 2
    assert said == "scratchwork: There is no milestone 'm04_atention'; did you mean m04_attention?\n"


# ── consoles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_ascii_console_forty_columns_wide_gets_a_whole_report(submission):
    """With PYTHONIOENCODING=ascii and 40 columns everything is said, in ASCII, and no line is wider."""
    text = TOKENIZER.replace("    return PATTERN", '    print("größer ✓ 🙂")\n    return ["ö"] or PATTERN', 1)
    (submission / "m01_tokenizer.py").write_text(text, encoding="utf-8")

    done = in_process_of_its_own(
        *("grade", "m01", "--submission", submission), PYTHONIOENCODING="ascii", COLUMNS="40", NO_COLOR="1"
    )

    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert ESCAPE not in done.stdout
    assert f"0 of {COURSE.milestone('m01').points:g} points" in done.stdout
    report = done.stdout[done.stdout.index("Scratchwork") :]
    too_wide = [line for line in report.splitlines() if len(line) > 40 and " " in line.strip()]
    assert too_wide == []  # a path may be longer than a line, and is not broken


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["colours", "no_color", "dumb"])
def test_colours_are_for_terminals_that_want_them(variables, submission):
    """A terminal gets bold and dim text, no colours where NO_COLOR is set, and plain text where it knows no more."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "grader", "list", "--submission", str(submission)],
        cwd=REPOSITORY,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "40", **variables},
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # the other end is closed
    os.close(ours)

    assert process.returncode == 0
    assert b"points" in shown
    assert bool(re.search(rb"\x1b\[", shown)) == ("TERM" not in variables)
    assert not variables or not re.search(rb"\x1b\[[\d;]*[349]\d[\d;]*m", shown)


# ── by other doors ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pytest_grades_a_solution():
    """`pytest grader/suites --submission DIR` passes for solutions, and says their score."""
    done = in_process_of_its_own(
        "grader/suites/m03_embedding/test_suite.py", "--submission", REPOSITORY / "solutions", "-q", module="pytest"
    )

    assert done.returncode == 0, done.stdout
    assert f"{COURSE.milestone('m03').points:g} of " in done.stdout


def test_pytest_fails_for_a_stub():
    """`pytest grader/suites --submission DIR` fails for stubs, and says their score."""
    done = in_process_of_its_own("grader/suites", "--submission", "exercises", "-q", "--tb=no", module="pytest")

    possible = sum(milestone.points for milestone in COURSE.milestones)
    assert done.returncode == 1, done.stdout
    assert f"0 of {possible:g} points" in done.stdout


def test_pytest_refuses_a_folder_that_is_none(tmp_path):
    """A submission that isn't there is wrong usage there as well: one sentence and pytest's exit code 4."""
    done = in_process_of_its_own("grader/suites", "--submission", tmp_path / "nothing", module="pytest")

    assert done.returncode == 4
    assert "There is no folder" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_a_debugger_works(submission):
    """With --debug a breakpoint() in the student's code opens pdb on the terminal, and the run goes on afterwards."""
    text = TOKENIZER.replace("    return PATTERN", '    here = "in my code"\n    breakpoint()\n    return PATTERN', 1)
    (submission / "m01_tokenizer.py").write_text(text, encoding="utf-8")

    done = in_process_of_its_own("grade", "m01", "--debug", "--submission", submission, stdin="p here\n" + "c\n" * 99)

    tokenizer = COURSE.milestone("m01")
    assert done.returncode == 1, done.stderr
    assert "(Pdb) 'in my code'" in done.stdout
    assert f"{tokenizer.tasks[0].points:g} of {tokenizer.points:g} points" in done.stdout
    assert "isolation inline" in done.stdout
    assert "Traceback" not in done.stderr


def test_debugging_excludes_a_sandbox(run, submission):
    """--debug beside another isolation level is wrong usage."""
    code, _, said = run("grade", "m04", "--submission", submission, "--debug", "--isolation", "process")

    assert code == 2
    assert said.startswith("scratchwork: --debug runs inline")
