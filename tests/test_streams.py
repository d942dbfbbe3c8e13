"""Commands under odd circumstances: streams that are closed or full, and variables that change how Python runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import support
import systems

from grader import cli
from grader.exits import PASSED, USAGE

CLOSED = {"stdin": "<&-", "stderr": "2>&-", "both": "<&- 2>&-"}
WRONG = "scratchwork: There is no milestone 'm4'; did you mean m04?"


def run(arguments, redirected="", **variables):
    """Run `python -m grader` in a shell, with some of its streams redirected; return the finished process."""
    environment = os.environ | {"PYTHONPATH": str(support.REPOSITORY), **variables}
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -m grader {arguments} {redirected}', sys.executable],
        cwd=support.REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@systems.posix
@pytest.mark.parametrize("redirected", CLOSED.values(), ids=CLOSED)
def test_a_closed_stream_changes_nothing(redirected, tmp_path):
    """With standard input or error closed a command ends as ever; what was for standard error is on standard output."""
    wrong = run("grade m4", redirected)
    right = run("hint m04.2", redirected, SCRATCHWORK_STATE=str(tmp_path))

    assert (wrong.returncode, wrong.stdout + wrong.stderr) == (USAGE, f"{WRONG}\n")
    assert right.returncode == PASSED and "m04.2" in right.stdout


@systems.posix
@pytest.mark.parametrize("redirected", ["> /dev/full", ">&-"], ids=["full", "closed"])
@pytest.mark.parametrize("arguments", ["list", "hint m04.2", "--help", "grade --help"])
def test_a_report_that_cannot_be_written_is_said(arguments, redirected, tmp_path):
    """Into a full disk or a closed stream nothing is reported: one sentence says so, and the exit code is 2."""
    if not os.path.exists("/dev/full") and "full" in redirected:
        pytest.skip("there is no /dev/full here")
    done = run(arguments, redirected, SCRATCHWORK_STATE=str(tmp_path))

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (USAGE, "", 1)
    assert done.stderr.startswith("scratchwork: there is no report, since standard output ")


@systems.posix
def test_a_reader_that_has_enough_is_no_fault():
    """Where the reader of a pipe is gone, a command ends with its own exit code and says nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "grader", "list"],
        cwd=support.REPOSITORY,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=200,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (PASSED, b"")


@systems.posix
@pytest.mark.parametrize("variables", [{"PYTHONOPTIMIZE": "2"}, {"PYTHONSAFEPATH": "1"}], ids="".join)
def test_python_without_docstrings_or_its_folder_runs_the_same(variables, tmp_path):
    """With PYTHONOPTIMIZE, which drops docstrings and assertions, and with PYTHONSAFEPATH, checks run as ever."""
    (tmp_path / "m00_warmup.py").write_text(support.source("exercises", "m00_warmup"), encoding="utf-8")

    done = run(f"grade m00.1 --submission {tmp_path}", SCRATCHWORK_STATE=str(tmp_path), **variables)

    assert done.returncode == 1, done.stderr
    assert "m00.1" in done.stdout and "not started" in done.stdout


def test_every_command_runs_between_the_same_streams():
    """No command has an entrance of its own: all of them go through the one that mends the streams."""
    text = (support.REPOSITORY / "grader" / "__main__.py").read_text(encoding="utf-8")

    assert "sys.exit(streams.run(command()))" in text
    assert set(cli.COMMANDS) > {"grade", "shell", "reset", "classroom"}
