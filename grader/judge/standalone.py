"""`pytest grader/suites --submission DIR`: the same run, started by pytest instead of by `python -m grader grade`.

For a room that a course brings: `pytest -p grader.suites.conftest ROOM --course FILE --submission DIR`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grader import course as courses
from grader import syllabus
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError
from grader.submission import SubmissionError, collect
from grader.syllabus import SyllabusError

from .errors import UsageProblem
from .oracles import Weights
from .planned import Options
from .plugin import Judge
from .run import Run


def add_options(parser: pytest.Parser) -> None:
    """Add the options to pytest's own."""
    group = parser.getgroup("scratchwork")
    group.addoption("--submission", default="exercises", help="the folder with the modules to grade")
    group.addoption("--course", default=None, metavar="FILE", help="the file of a course, which may bring rooms")
    group.addoption("--isolation", default="auto", choices=("auto", *levels.LEVELS))
    group.addoption("--device", default="cpu", choices=("cpu", "cuda", "mps"))
    group.addoption("--weights", default="gpt2-nano")
    group.addoption("--weights-llama", default="llama-nano")
    group.addoption("--seed", default="0")


def configure(config: pytest.Config) -> None:
    """Register a judge."""
    if sys.flags.optimize:
        raise pytest.UsageError("PYTHONOPTIMIZE drops docstrings and assertions, and checks have both; unset it.")
    device, file = config.getoption("--device"), config.getoption("--course")
    try:
        course = syllabus.load()
        if file is not None:
            course = courses.load(Path(file), course).syllabus(course)
        submission = collect(Path(config.getoption("--submission")), course)
        workers = levels.choose(config.getoption("--isolation"), device, lambda line: print(line))
        weights = Weights(config.getoption("--weights"), config.getoption("--weights-llama"))
        workers.checkpoints = weights.to_mount(workers.level)
        weights.check()
        workers.wait()
    except (SyllabusError, SubmissionError, SandboxError, UsageProblem) as error:
        raise pytest.UsageError(str(error)) from None
    options = Options([milestone.id for milestone in course.milestones], device=device, seed=config.getoption("--seed"))
    judge = Judge(Run(options, course, submission, workers, weights))
    config.add_cleanup(workers.close)
    config.pluginmanager.register(judge, "scratchwork-judge")
