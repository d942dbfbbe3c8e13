"""Report files, seeds, official runs, and what a run with solutions as prerequisites shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import support
from begun_attention import MASK_ONLY
from command_lines import ATTENTION, flat

from grader import practice, record
from grader.commands import report_paths
from grader.reports.machines import json_report
from grader.sandbox import levels


def test_the_reports_are_written_and_can_be_read(run, sandbox, submission, tmp_path):
    """One run writes JSON, JUnit and Markdown; each can be read by a program and says the same."""
    paths = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "markdown")}
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]

    code, shown, _ = run("grade", "m04", "--submission", submission, "--seed", "12", *options)

    result = json_report.read(paths["json"])
    suites = ET.fromstring(paths["junit"].read_text(encoding="utf-8"))
    checks = [check for task in result.milestones[0].tasks for check in task.checks]
    assert code == 1
    assert (result.earned, result.possible) == (ATTENTION.tasks[0].points, ATTENTION.points)
    assert (result.seed, result.secret_seed, result.isolation) == ("12", False, sandbox.level)
    assert result.submission == str(submission)
    assert suites.get("tests") == str(len(checks))
    assert suites.get("failures") == str(sum(check.outcome != record.PASSED for check in checks))
    assert f"{result.earned:g} of {result.possible:g} points" in paths["markdown"].read_text(encoding="utf-8")
    assert "seed 12 (public)" in shown


def test_a_report_that_cannot_be_written_after_all_is_said_last(run, gradings, submission, tmp_path, monkeypatch):
    """Where writing fails in spite of the look beforehand, the report on the screen stands, and the exit code is 2."""
    monkeypatch.setattr(report_paths, "check_writable", lambda _paths: None)

    code, shown, _ = run("grade", "m04", "--submission", submission, "--json", tmp_path / "gone" / "record.json")

    assert code == 2
    assert "points" in shown
    assert f"there is no folder {tmp_path}/gone." in flat(shown)


def test_a_random_seed_is_another_each_time_and_is_said(run, gradings, submission, tmp_path):
    """--seed random draws a new seed, which the report shows and the command to run again repeats."""
    seeds = []
    for number in (1, 2):
        path = tmp_path / f"{number}.json"
        _, shown, _ = run("grade", "m04", "--submission", submission, "--seed", "random", "--json", path)
        seeds.append(json_report.read(path).seed)
        assert f"seed {seeds[-1]} (public)" in flat(shown)
        assert f"--seed {seeds[-1]}" in flat(shown)

    assert len(set(seeds)) == 2


def test_a_secret_seed_is_recorded_and_never_shown(run, sandbox, submission, tmp_path, monkeypatch):
    """The JSON record has the secret seed for the instructor; terminal, Markdown and JUnit do not."""
    secret = "7315008246"
    monkeypatch.setenv(practice.SECRET_SEED, secret)
    paths = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "markdown")}
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]

    _, shown, said = run("grade", "m04", "--submission", submission, *options)

    result = json_report.read(paths["json"])
    assert (result.seed, result.secret_seed) == (secret, True)
    for text in (shown, said, *(paths[name].read_text(encoding="utf-8") for name in ("junit", "markdown"))):
        assert secret not in text
    assert "seed secret" in shown


def test_a_secret_seed_and_a_seed_exclude_each_other(run, sandbox, submission, monkeypatch):
    """--seed beside a secret seed is wrong usage."""
    monkeypatch.setenv(practice.SECRET_SEED, "42")

    code, _, said = run("grade", "m04", "--submission", submission, "--seed", "1")

    assert code == 2
    assert "cannot be combined with a secret seed" in said
    assert "42" not in said


def official(run, submission, *options):
    """Run an official grading of m04."""
    return run("grade", "m04", "--official", "--submission", submission, *options)


def test_an_official_run_says_so_and_shows_no_values(run, sandbox, submission, tmp_path, monkeypatch):
    """The record is official and complete; what is printed names checks and mistakes, and no value, line or seed."""
    secret = "a secret of some length"
    (tmp_path / "seed").write_text(secret + "\n", encoding="utf-8")
    monkeypatch.setenv(practice.SECRET_SEED_FILE, str(tmp_path / "seed"))
    text = support.source("solutions", "m04_attention").replace(".tril()", ".triu()")
    (submission / "m04_attention.py").write_text(text, encoding="utf-8")
    paths = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "markdown")}
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]

    code, shown, said = official(run, submission, *options)

    result = json_report.read(paths["json"])
    assert code == 1, said
    assert (result.official, result.seed, result.secret_seed) == (True, secret, True)
    assert any("got:" in check.message for check in support.checks(result))
    assert "official run" in shown and "rows and columns are swapped" in shown
    for report in (shown, paths["junit"].read_text(encoding="utf-8"), paths["markdown"].read_text(encoding="utf-8")):
        assert secret not in report and "got:" not in report and "expected" not in report.replace("is expected", "")
    assert not (tmp_path / "state" / "progress.json").exists()


@pytest.mark.parametrize(
    ("seed", "options", "sentence"),
    [
        (None, [], "An official run draws its inputs from a secret seed"),
        ("short", [], "has at least 16 characters"),
        ("a secret of some length", ["--debug"], "An official run has no --debug"),
        ("a secret of some length", ["--isolation", "process"], "takes no isolation level but bubblewrap and user"),
        ("a secret of some length", ["--isolation", "inline"], "takes no isolation level but bubblewrap and user"),
        ("a secret of some length", ["--seed", "1"], "cannot be combined with a secret seed"),
    ],
)
def test_what_is_not_official_is_refused(run, sandbox, submission, monkeypatch, seed, options, sentence):
    """Without a good secret seed, with a debugger or at a weaker level an official run is wrong usage."""
    if seed is not None:
        monkeypatch.setenv(practice.SECRET_SEED, seed)

    code, shown, said = official(run, submission, *options)

    assert (code, shown) == (2, "")
    assert sentence in said


def test_an_official_run_does_not_fall_back(run, submission, monkeypatch):
    """Where bubblewrap does not work, an official run is refused in one sentence instead of taking the next level."""
    monkeypatch.setenv(practice.SECRET_SEED, "a secret of some length")
    monkeypatch.setattr(levels, "unavailable", lambda level: "it is not there" if level == "bubblewrap" else None)

    code, shown, said = official(run, submission)

    assert (code, shown) == (3, "")
    assert "the isolation level bubblewrap does not work here: it is not there" in said


@pytest.mark.parametrize(("text", "sentence"), [(None, "which cannot be read"), ("\n", "which is empty")])
def test_a_seed_file_that_is_no_use_is_refused(run, submission, tmp_path, monkeypatch, text, sentence):
    """A seed file that is missing or empty is wrong usage."""
    path = tmp_path / "seed"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv(practice.SECRET_SEED_FILE, str(path))

    code, _, said = official(run, submission)

    assert code == 2
    assert sentence in said


SECRET = '"-".join(["what", "it", "read"])'
PRINTS = f"def split_heads(x, n_heads):\n    print({SECRET})\n"
TALES = {
    "printed": f"def gelu(x):\n    print({SECRET})\n",
    "raised": f"def gelu(x):\n    raise RuntimeError({SECRET})\n",
    "raised without a line": f"import functools\n\ngelu = functools.partial(int, {SECRET})\n",
    "raised at import": f"raise RuntimeError({SECRET})\n",
    "named a function and a file": f"""
def gelu(x):
    place = {{}}
    for file in (__file__, __file__.replace("m05_block", {SECRET})):
        code = compile("def made():\\n    1 / 0", file, "exec").co_consts[0].replace(co_name={SECRET})
        try:
            exec(code)
        except ZeroDivisionError:
            place[file] = code
    exec(place[__file__])
""",
    "returned": f"def gelu(x):\n    return {SECRET}\n",
    "named": f"""
class MLP(nn.Module):
    def __init__(self, d_model, d_ff=None, dropout=0.0):
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)
        self.register_buffer({SECRET}, torch.ones(3))
""",
}


@pytest.mark.parametrize("tale", TALES)
def test_with_solutions_as_prerequisites_code_cannot_tell_what_it_read(run, sandbox, submission, tmp_path, tale):
    """With --prerequisites solutions nothing that the code printed, raised, returned or named reaches a report."""
    text = f"{support.source('solutions', 'm05_block')}\n\n{TALES[tale]}"
    (submission / "m05_block.py").write_text(text, encoding="utf-8")
    path = tmp_path / "record.json"
    arguments = ["--submission", submission, "--json", path, "--prerequisites", "solutions"]

    code, shown, _ = run("grade", "m05.2", "m05.3", *arguments)

    assert code == 1
    assert "m05" in shown
    assert "what-it-read" not in shown
    assert "what-it-read" not in path.read_text(encoding="utf-8")


def test_with_solutions_as_prerequisites_each_milestone_stands_on_them(run, sandbox, submission, tmp_path):
    """A milestone that is graded beside a broken one it is made of stands on the solution, and the broken one fails."""
    wrong = support.source("solutions", "m04_attention").replace(".tril()", ".triu()")
    (submission / "m04_attention.py").write_text(wrong, encoding="utf-8")
    (submission / "m05_block.py").write_text(support.source("solutions", "m05_block"), encoding="utf-8")
    path = tmp_path / "record.json"

    tasks = ("m04.1", "m05.4")  # what is broken, and what is made of it
    run("grade", *tasks, "--submission", submission, "--json", path, "--prerequisites", "solutions")

    first, second = json_report.read(path).milestones
    assert sum(task.earned for task in second.tasks) == sum(task.points for task in second.tasks) > 0
    assert sum(task.earned for task in first.tasks) < sum(task.points for task in first.tasks)


def test_where_no_solution_lies_beside_it_a_milestone_is_told_all(run, sandbox, submission):
    """With --prerequisites solutions a milestone that needs no other has its messages and its output in full."""
    (submission / "m04_attention.py").write_text(f"{MASK_ONLY}\n\n{PRINTS}", encoding="utf-8")

    _, shown, _ = run("grade", "m04", "--submission", submission, "--prerequisites", "solutions")

    assert "what-it-read" in shown


def test_output_of_the_students_code_is_shown_in_a_practice_run(run, sandbox, submission):
    """In a practice run what the code printed stands in the report."""
    (submission / "m04_attention.py").write_text(f"{MASK_ONLY}\n\n{PRINTS}", encoding="utf-8")

    _, shown, _ = run("grade", "m04", "--submission", submission)

    assert "what-it-read" in shown


def test_with_solutions_as_prerequisites_a_syntax_error_is_still_explained(run, sandbox, submission):
    """What the grader itself says of a file, such as the line of a syntax error, is said in full."""
    (submission / "m04_attention.py").write_text("def causal_mask(:\n", encoding="utf-8")

    _, shown, _ = run("grade", "m04", "--submission", submission, "--prerequisites", "solutions")

    assert "m04_attention.py, line 1: a syntax error:" in flat(shown)
    assert "Your code raised m04_attention.py" not in flat(shown)


def test_a_file_that_fails_at_import_is_shown_with_its_line(run, sandbox, submission):
    """The report on a module that raises while it is imported shows the student's own file, line and source."""
    (submission / "m04_attention.py").write_text(MASK_ONLY + '\nTABLE = {}["missing"]\n', encoding="utf-8")

    _, shown, _ = run("grade", "m04", "--submission", submission)

    line = len(MASK_ONLY.splitlines()) + 2
    assert "m04_attention.py cannot be imported: KeyError: 'missing'" in flat(shown)
    assert f"m04_attention.py:{line}" in flat(shown)
    assert 'TABLE = {}["missing"]' in shown
