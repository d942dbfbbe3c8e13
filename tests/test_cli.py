"""The command line: names, exit codes, reports, seeds, what is kept between runs, and consoles of every kind.

Most calls run in this process, with a sandbox that stays warm and with progress kept in a folder of the test.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
import support

import grader.progress
from grader import cli, commands, practice, record
from grader.commands import grade, listing, report_paths
from grader.judge import grading
from grader.reports import json_report
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

REPOSITORY, COURSE = support.REPOSITORY, support.COURSE
ATTENTION = COURSE.milestone("m04")
ESCAPE = "\x1b["
TOKENIZER = (support.TESTS / "golden" / "half_started" / "m01_tokenizer.py").read_text(encoding="utf-8")

MASK_ONLY = """
import torch
from torch import nn


def causal_mask(seq, device=None):
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    raise NotImplementedError("m04.3")


def merge_heads(x):
    raise NotImplementedError("m04.3")


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        raise NotImplementedError("m04.4")
"""


@pytest.fixture
def sandbox(monkeypatch):
    """Lend the warm sandbox to whatever the command line would boot."""
    return support.lend_sandbox(monkeypatch)


@pytest.fixture(autouse=True)
def _own_progress(monkeypatch, tmp_path):
    """Keep progress in a folder of the test, never in the developer's."""
    path = tmp_path / "state" / "progress.json"
    monkeypatch.setattr(grader.progress, "FILE", path, raising=False)
    monkeypatch.setattr(grader.progress.Progress.__init__, "__defaults__", (path,))
    monkeypatch.setenv("SCRATCHWORK_STATE", str(path.parent))
    monkeypatch.delenv(practice.SECRET_SEED, raising=False)
    monkeypatch.delenv(practice.SECRET_SEED_FILE, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def gradings(sandbox, monkeypatch):
    """Replace the grading itself: the first task passes, with all others if the test says so; every call is counted."""
    calls = []

    def grade(options, course, submission, workers, weights, _listener=None):
        calls.append(options)
        milestones = []
        for name in options.milestones:
            milestone, parts = course.milestone(name), []
            for task in milestone.tasks:
                outcome = record.PASSED if task is milestone.tasks[0] or options.all_pass else record.NOT_STARTED
                checks = [record.Check("test_it", "It holds.", outcome, [record.VALUE])]
                earned = task.points if outcome == record.PASSED else 0.0
                parts.append(record.Task(task.id, task.title, task.points, earned, checks))
            sources = submission.digest(course.with_needs(milestone))
            milestones.append(record.Milestone(milestone.id, milestone.title, parts, sources=sources))
        return record.Record(
            *("test", submission.folder, options.seed, options.device, workers.level, weights.name),
            secret_seed=options.secret_seed,
            milestones=milestones,
        )

    monkeypatch.setattr(grading.Options, "all_pass", False, raising=False)
    monkeypatch.setattr(grading, "grade", grade)
    return calls


@pytest.fixture
def run(capsys):
    """Run a command in this process; return its exit code, what it printed, and what it said on standard error."""

    def call(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def submission(tmp_path):
    """A submission whose m04 has the mask and nothing else."""
    folder = tmp_path / "handed in"
    folder.mkdir()
    (folder / "m04_attention.py").write_text(MASK_ONLY, encoding="utf-8")
    return folder


def in_process_of_its_own(*arguments, module="grader", stdin="", **environment):
    """Run `python -m …` as a person would and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )


def flat(text):
    """Return a text on one line, so that a sentence is found however it was wrapped."""
    return " ".join(text.split())


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
    (tmp_path / "pytest.ini").write_bytes((grading.SUITES / "pytest.ini").read_bytes())
    (tmp_path / "test_m04_attention.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.setattr(grading, "SUITES", tmp_path)

    code, _, said = run("grade", "m04", "--submission", submission)

    assert code == 3
    assert said.startswith("scratchwork: ") and said.count("\n") == 1
    assert "test_m04_attention.py" in said and "a_module_that_nobody_has" in said


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


# ── list and hint ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_shows_every_milestone_and_where_to_begin(run, submission):
    """Before anything is graded, list shows the syllabus, and the first task as the next one."""
    code, shown, _ = run("list", "--submission", submission)

    first = COURSE.milestones[0].tasks[0]
    assert code == 0
    for milestone in COURSE.milestones:
        assert milestone.title in shown
    assert shown.count("not graded") == len(COURSE.milestones)
    assert shown.count("next: ") == 1
    assert f"next: {first.id} {first.title}" in flat(shown)


def test_the_list_follows_the_students_progress(run, gradings, submission):
    """After a run list shows its points and what comes next; after an edit, that the file has changed since."""
    run("grade", "m04", "--submission", submission)
    _, begun, _ = run("list", "--submission", submission)
    (submission / "m04_attention.py").write_text(MASK_ONLY + "\n# edited\n", encoding="utf-8")
    _, changed, _ = run("list", "--submission", submission)

    assert "begun" in begun
    assert f"{ATTENTION.tasks[0].points:g} / {ATTENTION.points:g}" in begun
    assert f"next: m04.2 {ATTENTION.tasks[1].title}" in flat(begun)
    assert "changed since" in changed


@pytest.mark.parametrize(
    ("outcome", "unchanged", "said"),
    [
        (record.PASSED, True, "passed"),
        (record.PASSED, False, "changed since"),
        (record.FAILED, True, "begun"),
        (record.NOT_STARTED, True, "not started"),
        (record.BLOCKED, True, "not started"),
        (record.GRADER_ERROR, True, "begun"),
    ],
)
def test_a_milestone_is_listed_in_a_word_or_two(outcome, unchanged, said):
    """Each way in which a milestone can stand has its word."""
    checks = [record.Check("test_it", "It holds.", outcome)]
    last = record.Milestone("m04_attention", "Attention", [record.Task("m04.1", "The mask", 2, checks=checks)])

    assert listing.state(last, unchanged) == said


def test_hints_climb_and_stay_at_the_last(run):
    """Each call shows the next of three hints, then the third again, with the way to the guide."""
    task = ATTENTION.tasks[1]

    shown = [flat(run("hint", "m04.2")[1]) for _ in range(4)]

    for number in range(3):
        assert f"{task.id} {task.title}: hint {number + 1} of 3" in shown[number]
        assert flat(task.hints[number]) in shown[number]
    assert shown[3] == shown[2]
    assert "exercises/m04_attention.md, section m04.2" in shown[2]
    assert "python -m grader hint m04.2" in shown[0]


def test_a_hint_for_a_milestone_is_for_its_first_unfinished_task(run, gradings, submission):
    """Once the mask has passed, a hint for m04 is one for m04.2."""
    before = run("hint", "m04", "--submission", submission)[1]
    run("grade", "m04", "--submission", submission)
    after = run("hint", "m04", "--submission", submission)[1]

    assert before.startswith("m04.1 ")
    assert after.startswith("m04.2 ")


@pytest.mark.parametrize("name", ["m04.9", "m04.", "m04.x", "m77.1"])
def test_a_task_that_is_not_there_is_named(run, name):
    """A task that doesn't exist is one sentence and exit code 2, with those that do."""
    code, shown, said = run("hint", name)

    assert (code, shown) == (2, "")
    assert said.startswith("scratchwork: There is no ")


def test_progress_can_be_kept_elsewhere(tmp_path, monkeypatch):
    """SCRATCHWORK_STATE names the folder of progress.json, for tests and for copies that must not be written to."""
    monkeypatch.setattr(grader.progress.Progress.__init__, "__defaults__", (None,))
    monkeypatch.setattr(grader.progress, "FILE", tmp_path / "not here" / "progress.json", raising=False)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "a" / "b"))

    grader.progress.Progress().next_hint("m04.1", 3)

    assert (tmp_path / "a" / "b" / "progress.json").is_file()


# ── what is done already ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_passed_is_not_graded_again_until_something_changes(run, gradings, submission, monkeypatch):
    """What passed is taken over the next time; --all, another seed or an edit has it graded again."""
    monkeypatch.setattr(grading.Options, "all_pass", True)
    file, arguments = submission / "m04_attention.py", ["grade", "m04", "--submission", submission]

    def count(*more):
        before = len(gradings)
        code, shown, _ = run(*arguments, *more)
        assert code == 0
        assert ("unchanged since it passed" in shown) == (len(gradings) == before)
        return len(gradings) - before

    assert [count(), count(), count("--all"), count("--seed", "5"), count("--seed", "5")] == [1, 0, 1, 1, 0]
    file.write_text(MASK_ONLY + "\n# edited\n", encoding="utf-8")
    assert [count(), count()] == [1, 0]


def test_only_what_did_not_pass_is_graded_again(run, gradings, submission):
    """An unfinished milestone is graded each time."""
    for _ in range(2):
        assert run("grade", "m04", "--submission", submission)[0] == 1

    assert len(gradings) == 2


def test_a_secret_seed_takes_over_nothing(run, gradings, submission, monkeypatch):
    """A run with a secret seed grades everything, whatever passed before."""
    monkeypatch.setattr(grading.Options, "all_pass", True)
    run("grade", "m04", "--submission", submission)
    monkeypatch.setenv(practice.SECRET_SEED, "42")
    run("grade", "m04", "--submission", submission)
    run("grade", "m04", "--submission", submission)

    assert len(gradings) == 3


def test_a_damaged_progress_file_is_mentioned_and_replaced(run, gradings, submission, tmp_path):
    """A progress file that can't be read costs one sentence in the report, and works again after the run."""
    path = tmp_path / "state" / "progress.json"
    path.parent.mkdir()
    path.write_text("{half a fi")

    code, shown, said = run("grade", "m04", "--submission", submission)

    assert (code, said) == (1, "")
    assert "could not be read, so earlier progress is not known" in flat(shown)
    assert json.loads(path.read_text(encoding="utf-8"))["submissions"]


# ── reports ───────────────────────────────────────────────────────────────────────────────────────────────────────────


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
TALES = {
    "printed": f"def split_heads(x, n_heads):\n    print({SECRET})\n",
    "raised": f"def split_heads(x, n_heads):\n    raise RuntimeError({SECRET})\n",
    "raised without a line": f"import functools\n\nsplit_heads = functools.partial(int, {SECRET})\n",
    "returned": f"def split_heads(x, n_heads):\n    return {SECRET}\n",
    "named": f"""
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.register_buffer({SECRET}, torch.ones(3))
""",
}


@pytest.mark.parametrize("tale", TALES)
def test_with_solutions_as_prerequisites_code_cannot_tell_what_it_read(run, sandbox, submission, tmp_path, tale):
    """With --prerequisites solutions nothing that the code printed, raised, returned or named reaches a report."""
    (submission / "m04_attention.py").write_text(f"{MASK_ONLY}\n\n{TALES[tale]}", encoding="utf-8")
    path = tmp_path / "record.json"
    arguments = ["grade", "m04", "--submission", submission, "--json", path, "--prerequisites", "solutions"]

    code, shown, _ = run(*arguments)

    assert code == 1
    assert "m04.3" in shown
    assert "what-it-read" not in shown
    assert "what-it-read" not in path.read_text(encoding="utf-8")


def test_output_of_the_students_code_is_shown_in_a_practice_run(run, sandbox, submission):
    """In a practice run what the code printed stands in the report."""
    (submission / "m04_attention.py").write_text(f"{MASK_ONLY}\n\n{TALES['printed']}", encoding="utf-8")

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
        "grader/suites/test_m03_embedding.py", "--submission", REPOSITORY / "solutions", "-q", module="pytest"
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
