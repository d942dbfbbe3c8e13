"""The capstone: what is missing is named, a short run leaves its keepsakes, and errors point at the student's lines."""

from __future__ import annotations

import csv
import shutil

import pytest
import support

from grader import cli
from grader.capstone import keepsake, parts
from grader.commands import capstone
from grader.submission import Submission, collect

COURSE = support.COURSE
SOLUTIONS = support.REPOSITORY / "solutions"


@pytest.fixture
def submission(tmp_path):
    """A folder with all solutions."""
    folder = tmp_path / "mine"
    shutil.copytree(SOLUTIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a short capstone; return its exit code, what it printed, and its folder."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(capstone, "SIZES", {"context_length": 16, "d_model": 16, "n_layers": 1, "n_heads": 2})
    monkeypatch.setattr(capstone, "VOCABULARY", 300)
    monkeypatch.setattr(capstone, "TOKENIZER_TEXT", 20_000)
    monkeypatch.setattr(capstone, "STORIES", 30_000)

    def call(folder, *options):
        out = tmp_path / "kept"
        code = cli.main(["capstone", "--submission", str(folder), "--steps", "12", "--out", str(out), *options])
        return code, capsys.readouterr().out, out

    return call


def test_a_short_run_trains_and_leaves_its_keepsakes(run, submission):
    """The loss falls, a story is printed, and table, picture and stories are in the folder."""
    code, shown, out = run(submission)

    with (out / "loss.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert code == 0
    assert len(rows) == 12
    assert float(rows[-1]["heldout_loss"]) < float(rows[0]["heldout_loss"])
    assert "There once was a" in shown and "There once was a" in (out / "stories.txt").read_text(encoding="utf-8")
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert f"Kept in {out}" in shown


def test_stubs_are_told_what_is_missing(run):
    """Fresh stubs get a line for each task that the capstone needs, and the first of them as the next thing to do."""
    code, shown, out = run(support.REPOSITORY / "exercises")

    assert code == 1
    for milestone, numbers in parts.NEEDED.items():
        for number in numbers:
            assert f"{milestone[:3]}.{number} " in shown
    assert "m07.5" not in shown
    assert "Next: m01.1. Then run nox -s grade -- m01" in shown
    assert not list(out.glob("*"))


def test_a_tokenizer_without_special_tokens_is_told_so(run, submission):
    """Special tokens are written inside other tasks' functions; that they are missing is seen by what comes back."""
    source = support.source("solutions", "m01_tokenizer")
    cut = "finditer(text) if allow_special else ()"
    assert cut in source
    (submission / "m01_tokenizer.py").write_text(source.replace(cut, 'finditer("")'), encoding="utf-8")

    code, shown, _ = run(submission)

    assert code == 1
    assert "The capstone stops here: m01.4 is not written yet." in shown


def test_a_missing_module_is_named(run, submission):
    """A module that is not there is named with the sentence that grading has for it."""
    (submission / "m06_gpt.py").unlink()

    code, shown, _ = run(submission)

    assert code == 1
    assert "m06_gpt.py is missing" in shown.replace("\n", "")


def test_an_exception_names_the_students_line(run, submission):
    """What the student's code raises is shown with file, line and source, and the exit code is 1."""
    path = submission / "m02_data.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n\ndef get_batch(*_, **__):\n    raise KeyError('oops')\n", encoding="utf-8")

    code, shown, _ = run(submission)

    assert code == 1
    assert "your code raised KeyError: 'oops'" in shown
    assert "m02_data.py:" in shown and "raise KeyError('oops')" in shown


def test_training_that_tells_nonsense_is_no_crash_of_ours(run, submission):
    """Losses that are no numbers, and steps that are never counted, end in a sentence or in an empty curve."""
    path = submission / "m08_training.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text + "\n\ndef train(model, *_, steps, on_step, **__):\n    on_step(1, float('nan'))\n", encoding="utf-8"
    )

    code, shown, out = run(submission)

    assert code == 0
    assert "nan" in (out / "loss.csv").read_text(encoding="utf-8")
    assert "Traceback" not in shown


def test_a_folder_that_cannot_be_written_is_said(run, submission, tmp_path):
    """Where the keepsakes cannot go is wrong usage, said in one sentence before anything is trained."""
    (tmp_path / "kept").write_text("in the way", encoding="utf-8")

    code, shown, _ = run(submission)

    assert code == 2
    assert "step" not in shown


def test_tasks_that_are_unwritten_are_found_without_running_anything():
    """Unwritten tasks are read from the source; a module that Python cannot read lacks nothing here."""
    assert parts.unwritten(b"def f():\n    raise NotImplementedError('m04.2')\n") == {"m04.2"}
    assert parts.unwritten(b"def f(:") == set()
    assert parts.lacking(collect(SOLUTIONS, COURSE), COURSE) == []
    assert len(parts.lacking(Submission("none", {}, dict.fromkeys(parts.NEEDED, "gone")), COURSE)) == len(parts.NEEDED)


def test_a_line_of_little_bars_shows_the_fall():
    """The sparkline goes from the highest bar to the lowest, and survives values that are no numbers."""
    assert capstone.sparkline([4.0, 3.0, 2.0, 1.0])[0] == "█"
    assert capstone.sparkline([4.0, 3.0, 2.0, 1.0])[-1] == "▁"
    assert capstone.sparkline([float("nan")]) == ""


def test_an_empty_curve_can_be_kept(tmp_path):
    """A run that told of no step still leaves its files."""
    keepsake.keep(keepsake.Run(), tmp_path / "kept")

    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"loss.csv", "loss.png", "stories.txt"}
