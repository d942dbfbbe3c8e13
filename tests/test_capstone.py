"""The capstone: what is missing is named, a run leaves model and keepsakes, and nothing that was learned is lost."""

from __future__ import annotations

import csv
import shutil
import signal
import sys

import pytest
import support
from small_capstone import SOLUTIONS, add, small, told_at, trained

from grader import cli
from grader.capstone import keepsake, kept, parts, performance, screen, stage
from grader.submission import Submission, collect

COURSE = support.COURSE
FILES = {*kept.NAMES, *keepsake.Run().names}


@pytest.fixture
def submission(tmp_path):
    """A folder with all solutions."""
    folder = tmp_path / "mine"
    shutil.copytree(SOLUTIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """One capstone of the solutions: its exit code, what it printed, and its folder."""
    return trained(tmp_path_factory, 12)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a short capstone; return its exit code, what it printed, and its folder."""
    small(monkeypatch)

    def call(folder, *options):
        out = tmp_path / "kept"
        code = cli.main(["capstone", "--submission", str(folder), "--steps", "12", "--out", str(out), *options])
        return code, capsys.readouterr().out, out

    return call


# ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_short_run_trains_and_leaves_its_keepsakes(learned):
    """The loss falls, samples and stories are printed, and model, table, picture and stories are in the folder."""
    code, shown, out = learned

    with (out / "loss.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    model = kept.read(out)
    assert code == 0
    assert len(rows) == 12
    assert float(rows[-1]["heldout_loss"]) < float(rows[2]["heldout_loss"])
    assert shown.count("│ There once was a") == 4  # three samples and a story
    assert (out / "stories.txt").read_text(encoding="utf-8").startswith("There once was a")
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in out.iterdir()} == FILES
    assert f"Kept in {out}" in shown
    assert (model.step, model.corpus) == (12, "the course's stories")
    assert "left" in shown and "Traceback" not in shown


def test_what_an_earlier_run_left_is_set_aside(run, learned, tmp_path):
    """A second run moves the first one's files into a folder beside its own; a prompt takes the place of ours."""
    shutil.copytree(learned[2], tmp_path / "kept")
    first = (learned[2] / "stories.txt").read_bytes()

    code, shown, out = run(SOLUTIONS, "--prompt", "A fox")

    assert code == 0 and "│ A fox" in shown and "There once" not in shown
    assert (out / "before" / "stories.txt").read_bytes() == first
    assert {path.name for path in (out / "before").iterdir()} == FILES


def test_a_text_of_ones_own_is_learned_from(run, submission, tmp_path):
    """--corpus takes any text: some of it is held out, and stories begin as its parts do; a model has chosen sizes."""
    lines = [f"The lighthouse number {n} looks at the sea, and the sea looks back at it.\n\n" for n in range(1500)]
    (tmp_path / "sea.txt").write_text("".join(lines), encoding="utf-8")

    named = ("--d-model", "8", "--n-layers", "2", "--vocab-size", "280")
    code, shown, out = run(submission, "--corpus", str(tmp_path / "sea.txt"), *named)

    assert code == 0
    assert "│ The lighthouse number" in shown
    model = kept.read(out)
    assert model.corpus == "sea.txt"
    assert model.sizes == {"vocab_size": 280, "context_length": 16, "d_model": 8, "n_layers": 2, "n_heads": 2}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (no such file or directory)"),
        (b"\xff\xfe\x00", "cannot be read (it is not UTF-8 text)"),
        (b"too short", "has 9 characters in 1 part; to learn from it takes 20,000 characters, and 20 parts"),
    ],
)
def test_a_corpus_that_is_none_is_said(tmp_path, capsys, content, said):
    """A corpus that cannot be used is wrong usage, in one sentence before anything is trained."""
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)

    code = cli.main(["capstone", "--submission", str(SOLUTIONS), "--corpus", str(path), "--out", str(tmp_path / "k")])

    assert code == 2
    assert said in capsys.readouterr().err


# ── what goes wrong loses nothing ─────────────────────────────────────────────────────────────────────────────────────

DIES = """

def train(model, optimizer, next_batch, *, steps, on_step, **more):
    for step in range(1, steps + 1):
        on_step(step, train_step(model, optimizer, [next_batch()]))
        if step == 7:
            {dies}
"""


@pytest.mark.parametrize(
    ("dies", "said"),
    [
        ("raise KeyError('oops')", "your code raised KeyError: 'oops'"),
        ("import os; os._exit(3)", "Your code ended the process (exit code 3)"),
        ("import ctypes; ctypes.string_at(0)", "It ended early (m08 trained the model)."),
    ],
)
def test_a_training_that_ends_early_is_kept_and_writes(run, submission, dies, said):
    """Whatever ends the training, the last weights that were kept write their stories, and the curve is there."""
    add(submission, "m08_training", DIES.format(dies=dies))

    code, shown, out = run(submission)

    assert code == 1
    assert said in shown
    assert kept.read(out).step == 6
    assert "Done in" in shown and "6 steps" in shown
    assert (out / "stories.txt").read_text(encoding="utf-8").count("\n\n") == 2
    assert {path.name for path in out.iterdir()} == FILES


@pytest.mark.parametrize("busy", [False, True])
def test_a_story_that_never_ends_is_nobodys_loss(run, submission, monkeypatch, busy):
    """When writing takes too long, model and curve are kept all the same, and a busy machine is not the student's."""
    monkeypatch.setattr(stage, "STORY_SECONDS", 0.2)
    monkeypatch.setattr(stage, "GRACE", 0.5)
    monkeypatch.setattr(screen, "load", lambda: 99.0 if busy else 0.0)
    add(
        submission,
        "m07_generation",
        "\n\ndef generate(*_, max_new=[0], **__):\n    while True:\n        pass\n",
    )
    monkeypatch.setattr(performance, "CHECKS", 1)  # so that no sample is asked for in training

    code, shown, out = run(submission)

    assert code == 1
    assert "This took longer than it may: m07 wrote a story." in shown
    assert ("This machine is busy" in shown) == busy
    assert "no fault of your code" in " ".join(shown.split())
    assert {path.name for path in out.iterdir()} == FILES
    assert kept.read(out).step == 12


def test_a_time_that_is_over_ends_the_training_alone(run, submission, monkeypatch):
    """When the minutes are over, training stops, and what was learned is kept and writes."""
    monkeypatch.setattr(performance, "MINUTE", 0.0)

    code, shown, out = run(submission)

    assert code == 0
    assert "The 15 minutes are over at step 1." in shown
    assert kept.read(out).step == 1
    assert "│ One morning," in shown


def test_the_first_interrupt_ends_the_training_in_good_order(run, submission, monkeypatch):
    """Ctrl-C in training ends it after a step; the model of that step is kept, and writes its stories."""
    monkeypatch.setattr(screen.Screen, "progress", told_at(5, lambda: signal.raise_signal(signal.SIGINT)))

    code, shown, out = run(submission)

    assert code == 0
    assert "It stops after this step; Ctrl-C again ends at once." in shown
    assert kept.read(out).step == 5
    assert "You have stopped it at step 5" in shown and "│ One morning," in shown


def test_the_second_interrupt_keeps_what_there_is(run, submission, monkeypatch):
    """Ctrl-C twice ends at once with the code of an interrupt, and says what is kept."""

    def twice():
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(screen.Screen, "progress", told_at(5, twice))

    code, shown, out = run(submission)

    assert code == 130
    assert "Interrupted." in shown and f"Kept in {out}" in shown
    assert kept.read(out).step == 3
    assert (out / "loss.png").is_file()


def test_what_takes_long_is_kept_now_and_then(run, submission, monkeypatch):
    """Weights are kept after the first step, and whenever so much time has gone by since they were last."""
    add(submission, "m08_training", DIES.format(dies="raise KeyError('oops')").replace("== 7", "== 2"))
    _, _, out = run(submission)
    assert kept.read(out).step == 1

    monkeypatch.setattr(performance, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(performance, "KEEPS", 1e9)
    run(submission)
    assert kept.read(out).step == 2


def test_an_interrupt_before_anything_is_learned_says_so(run, submission, monkeypatch):
    """Ctrl-C while the tokenizer learns ends at once; there is nothing yet that could be kept."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(performance, "_tokenizer", interrupted)

    code, shown, out = run(submission)

    assert code == 130
    assert "It had not begun to learn, so there is nothing to keep." in shown
    assert not list(out.iterdir())


# ── what is missing or wrong ──────────────────────────────────────────────────────────────────────────────────────────


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


@pytest.mark.parametrize("answer", ["({0: 'a'}, [])", "({0: b'a'}, [('a', 'b')])", "({0: b'a'}, [(b'a',)])"])
def test_a_vocabulary_that_is_none_is_said(run, submission, answer):
    """What train_bpe returned is looked at before it is kept."""
    learned = f"\n\ntokens, merges_ = train_bpe('a b', 260, [])\n\ndef train_bpe(*_):\n    return {answer}\n"
    add(submission, "m01_tokenizer", learned)
    add(
        submission,
        "m01_tokenizer",
        "\n\nclass Tokenizer:\n    __init__ = lambda *_: None\n    encode = lambda *_: [0]\n",
    )

    code, shown, _ = run(submission)

    assert code == 1
    assert "What train_bpe (m01.2) returned is not what its docstring says" in shown


def test_a_missing_module_is_named(run, submission):
    """A module that is not there is named with the sentence that grading has for it."""
    (submission / "m06_gpt.py").unlink()

    code, shown, _ = run(submission)

    assert code == 1
    assert "m06_gpt.py is missing" in shown.replace("\n", "")


def test_an_exception_names_the_students_line(run, submission):
    """What the student's code raises is shown with file, line and source, and the exit code is 1."""
    add(submission, "m02_data", "\n\ndef get_batch(*_, **__):\n    raise KeyError('oops')\n")

    code, shown, _ = run(submission)

    assert code == 1
    assert "your code raised KeyError: 'oops'" in shown
    assert "m02_data.py:" in shown and "raise KeyError('oops')" in shown
    assert "nothing to keep" in shown


def test_training_that_tells_nonsense_is_no_crash_of_ours(run, submission):
    """Losses that are no numbers, and steps that are never counted, end in a sentence or in an empty curve."""
    add(
        submission,
        "m08_training",
        "\n\ndef train(model, *_, steps, on_step, **__):\n    on_step(1, float('nan'))\n",
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


def test_an_empty_curve_can_be_kept(tmp_path):
    """A run that told of no step still leaves its files."""
    (tmp_path / "kept").mkdir()
    keepsake.keep(keepsake.Run(), tmp_path / "kept")

    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"loss.csv", "loss.png", "stories.txt"}


# ── chat ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Typed:
    """What somebody types, line by line."""

    def __init__(self, *lines):
        self._lines = list(lines)

    def isatty(self):
        """It comes through a pipe."""
        return False

    def readline(self):
        """Return the next line, or nothing more."""
        return self._lines.pop(0) if self._lines else ""


def test_a_kept_model_goes_on_from_what_is_typed(run, learned, capsys, monkeypatch):
    """Chat answers each line with the kept model, until there are no more or somebody quits."""
    chat = ["chat", "--submission", str(SOLUTIONS), "--model", str(learned[2])]
    monkeypatch.setattr(sys, "stdin", Typed("A fox\n", "\n", "q\n", "never\n"))

    code = cli.main(chat)
    shown = capsys.readouterr().out

    assert code == 0
    assert "│ A fox" in shown and "never" not in shown
    assert len(shown.splitlines()) >= 2 and len(shown) > 30
    assert cli.main([*chat, "--prompt", "An owl"]) == 0
    assert "│ An owl" in capsys.readouterr().out


def test_a_model_that_cannot_be_used_is_said(run, learned, submission, tmp_path, capsys):
    """No model, a damaged one, and one that the code does not fit any more are one sentence each."""
    chat = ["chat", "--submission", str(submission), "--prompt", "A fox", "--model"]
    assert cli.main([*chat, str(tmp_path / "nothing")]) == 2
    assert "There is no trained model in" in capsys.readouterr().err
    out = shutil.copytree(learned[2], tmp_path / "kept")
    add(
        submission,
        "m06_gpt",
        "\n\nclass GPT(GPT):\n    def __init__(self, config):\n        super().__init__(config)\n",
    )
    add(submission, "m06_gpt", "        self.more = nn.Linear(2, 2)\n")
    assert cli.main([*chat, str(out)]) == 1
    shown = capsys.readouterr().out
    assert "your code raised RuntimeError" in shown and "If your code has changed since" in shown
    for name, data in ((kept.WEIGHTS, b"no tensors"), (kept.FACTS, b'{"schema": "scratchwork-model/1"}')):
        (out / name).write_bytes(data)
        assert cli.main([*chat, str(out)]) == 2
        assert f"The model in {out} cannot be used" in capsys.readouterr().err
