"""Bad input, as a person types it: one clear sentence, the right exit code, no traceback, and the rest is graded."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import shutil
import subprocess
import time

import pytest
import support
import systems
import torch
import warm
from begun_attention import MASK, STUB

from grader import cli, syllabus
from grader.reports.machines import json_report
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

REPOSITORY, COURSE = support.REPOSITORY, support.COURSE
GOOD = support.TESTS / "golden" / "half_started" / "m01_tokenizer.py"  # its first task is done


def grade(folder, *arguments, **environment):
    """Run `python -m grader grade` as a person would and return the finished process."""
    variables = os.environ | {"SCRATCHWORK_STATE": str(folder), "COLUMNS": "100"} | environment
    done = warm.run("grader", "grade", *arguments, env=variables, sandbox=support.sandbox())
    assert "Traceback (most recent" not in done.stdout + done.stderr
    return done


@pytest.fixture
def grade_here(monkeypatch):
    """Run a command line as `grade` does, but in this process and its warm sandbox, where torch is imported already."""

    def run(folder, *arguments):
        monkeypatch.setenv("SCRATCHWORK_STATE", str(folder))
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.chdir(REPOSITORY)
        support.lend_sandbox(monkeypatch)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(["grade", *map(str, arguments)])
        assert "Traceback (most recent" not in out.getvalue() + err.getvalue()
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    return run


def times(sentence, text):
    """Return how often a sentence stands in a text, however it is wrapped."""
    return "".join(text.split()).count("".join(sentence.split()))


def assert_one_sentence(done, sentence):
    """Wrong usage: exit code 2, nothing on standard output, and one line that ends like a sentence and says this."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("scratchwork: ")
    assert done.stderr.rstrip()[-1] in ".?"
    assert sentence in done.stderr


# ── a module that cannot be used ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path):
    """A submission whose m01 has its first task done."""
    made = tmp_path / "submission"
    made.mkdir()
    shutil.copy(GOOD, made)
    return made


def missing(_path):
    """Leave the module out."""


def syntax_error(path):
    """Write half a line."""
    path.write_text(f"{STUB}\nmerge_heads = (\n")


def forbidden_import(path):
    """Import what does the work."""
    path.write_text(f"from transformers import GPT2Model\n{STUB}")


def not_utf8(path):
    """Write the text in an encoding of the last century."""
    path.write_bytes(f"# größer\n{STUB}".encode("latin-1"))


def link(path):
    """Put a symbolic link to the solution in the module's place."""
    path.symlink_to(REPOSITORY / "solutions" / path.name)


def pipe(path):
    """Put a named pipe in the module's place."""
    os.mkfifo(path)


UNUSABLE = [
    (missing, "m04_attention.py is missing; put the stub back to start from."),
    (syntax_error, "m04_attention.py, line 27: a syntax error: '(' was never closed."),
    (forbidden_import, "m04_attention.py, line 1: transformers may not be imported (allowed: "),
    (not_utf8, "m04_attention.py, line 1: the file is not UTF-8 text; save it with the encoding UTF-8."),
    (link, "m04_attention.py cannot be taken: it is a symbolic link, not a regular file."),
    (pipe, "m04_attention.py cannot be taken: it is a named pipe, not a regular file."),
]
NEEDS = {link: [systems.links], pipe: [systems.pipes]}
EACH = [pytest.param(*each, marks=NEEDS.get(each[0], []), id=each[0].__name__) for each in UNUSABLE]


def assert_only_m04_failed(done, folder):
    """Return the record of a run in which m01 earned its first task's points and m04 nothing; exit code 1."""
    assert (done.returncode, done.stderr) == (1, "")
    tokenizer, attention = json_report.read(folder / "record.json").milestones
    assert tokenizer.earned == tokenizer.tasks[0].points == COURSE.milestone("m01").tasks[0].points
    assert attention.earned == 0
    assert attention.possible == COURSE.milestone("m04").points
    return attention


@pytest.mark.parametrize(("spoil", "sentence"), EACH)
def test_a_module_that_cannot_be_used_fails_alone(folder, grade_here, spoil, sentence):
    """The report says once, in one sentence, why m04 could not be graded; m01 is graded as if nothing were wrong."""
    spoil(folder / "m04_attention.py")

    done = grade_here(folder, "m01.1", "m04", "--submission", folder, "--json", folder / "record.json")

    attention = assert_only_m04_failed(done, folder)
    assert sentence in attention.problem
    assert "\n" not in attention.problem
    assert times(sentence, done.stdout) == 1
    assert "could not be graded" in done.stdout
    assert all(check.outcome == "failed" for task in attention.tasks for check in task.checks)


def test_a_module_that_runs_for_ever_at_import_is_ended(folder, grade_here, monkeypatch):
    """An endless loop at import costs its limit once, and not once for every check."""
    (folder / "m04_attention.py").write_text(f"{STUB}\nwhile True:\n    pass\n")
    limit, began = 2, time.monotonic()
    short = [
        dataclasses.replace(one, limits=one.limits.changed(seconds=limit)) if one.number == "m04" else one
        for one in COURSE.milestones
    ]
    monkeypatch.setattr(syllabus, "load", lambda: dataclasses.replace(COURSE, milestones=tuple(short)))

    done = grade_here(folder, "m01.1", "m04", "--submission", folder, "--json", folder / "record.json")

    attention = assert_only_m04_failed(done, folder)
    seconds = sum(check.seconds for task in attention.tasks for check in task.checks)
    assert attention.problem == (f"m04_attention.py cannot be imported. Your code did not finish within {limit:g} s.")
    assert all(check.outcome == "timed_out" for task in attention.tasks for check in task.checks)
    assert seconds < 5 * limit  # of more than thirty checks
    assert time.monotonic() - began >= limit  # a part of it beside the milestone before


NOISY = """def causal_mask(seq, device=None):
    for _ in range(200_000):
        print("a line of output that nobody will ever want to read, and many more of the same kind")
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()
"""
USELESS = [
    ("def mask(seq):\n    pass\n", "m04_attention.py does not define causal_mask, which this check needs."),
    ("causal_mask = [1, 2]\n", "causal_mask in m04_attention.py is a list of 2 items, [1, 2], and cannot be called."),
    ("def causal_mask():\n    pass\n", "causal_mask() takes 0 positional arguments but 1 was given"),
    (NOISY, f"Your code printed more than {COURSE.milestone('m04').limits.output_kb} kB; remove the prints."),
]


@pytest.mark.parametrize(
    ("definition", "sentence"), USELESS, ids=["missing name", "not callable", "wrong signature", "prints megabytes"]
)
def test_a_name_that_cannot_be_used_fails_its_task_alone(folder, grade_here, definition, sentence):
    """The first check of m04.1 says in one sentence what is wrong; the other tasks are not started, as they are."""
    (folder / "m04_attention.py").write_text(STUB.replace(MASK, definition))
    assert definition in (folder / "m04_attention.py").read_text()

    done = grade_here(folder, "m01.1", "m04", "--submission", folder, "--json", folder / "record.json")

    attention = assert_only_m04_failed(done, folder)
    assert attention.problem is None
    assert [task.outcome for task in attention.tasks] == ["failed", "not_started", "not_started", "not_started"]
    assert sentence in attention.tasks[0].checks[0].message.splitlines()[0]
    assert times(sentence, done.stdout) == 1
    assert len(done.stdout) < 20_000


# ── a folder, a name, a path, a number that is none ───────────────────────────────────────────────────────────────────


def test_an_empty_folder_is_no_submission(tmp_path):
    """A folder without any module is refused as a whole."""
    done = grade(tmp_path, "--submission", tmp_path)

    assert_one_sentence(done, f"The folder {tmp_path} has none of the course's modules (m00_warmup.py and so on).")


def test_a_folder_that_is_not_there_is_no_submission(tmp_path):
    """A missing folder is named."""
    assert_one_sentence(
        grade(tmp_path, "--submission", tmp_path / "nothing"), f"There is no folder {tmp_path}/nothing;"
    )


def checkpoint(folder, **changes):
    """Copy gpt2-nano's files, some of them cut or replaced, and return the folder."""
    source = REPOSITORY / "fixtures" / "gpt2-nano"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        data = (source / name).read_bytes()
        (folder / name).write_bytes(changes.get(name.partition(".")[0], data))
    return folder


def test_weights_without_a_config_are_refused(tmp_path):
    """A --weights folder without config.json is named before anything is graded."""
    done = grade(tmp_path, "m04", "--weights", tmp_path)

    assert_one_sentence(done, f"{tmp_path} has no config.json; --weights wants a folder in Hugging Face's layout.")


def test_weights_cut_in_half_are_refused(tmp_path):
    """Half a weights file is named before anything is graded."""
    half = (REPOSITORY / "fixtures" / "gpt2-nano" / "model.safetensors").read_bytes()[:100_000]

    done = grade(tmp_path, "m04", "--weights", checkpoint(tmp_path / "weights", model=half))

    assert_one_sentence(done, f"{tmp_path}/weights/model.safetensors cannot be read as safetensors")


@systems.as_root
def test_weights_that_the_worker_could_not_read_are_refused(tmp_path):
    """A judge that is root says which file its unprivileged workers cannot read, and the command that mends it."""
    folder = checkpoint(tmp_path / "weights")
    (folder / "model.safetensors").chmod(0o600)

    assert_one_sentence(grade(tmp_path, "m04", "--weights", folder), "cannot read")


def test_weights_of_another_model_are_refused(tmp_path):
    """A config.json that is not GPT-2's is named, with what it lacks."""
    done = grade(tmp_path, "m04", "--weights", checkpoint(tmp_path / "weights", config=json.dumps({"d": 3}).encode()))

    assert_one_sentence(done, "is no GPT-2 configuration: it lacks n_embd, n_head, n_layer, n_positions, vocab_size.")


def test_weights_that_are_not_here_and_cannot_be_fetched_are_refused(tmp_path):
    """Without a network and a cache, --weights gpt2 says so and names the default; an unknown name is refused too."""
    away = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "no hub")}
    assert_one_sentence(grade(tmp_path, "m04", "--weights", "gpt2", **away), "the default gpt2-nano needs neither.")
    assert_one_sentence(grade(tmp_path, "m04", "--weights", tmp_path / "none"), "is neither gpt2-nano nor gpt2 nor")


def test_a_llama_that_is_none_is_refused(tmp_path):
    """A --weights-llama folder that holds a GPT-2 is named before anything is graded."""
    done = grade(tmp_path, "m04", "--weights-llama", checkpoint(tmp_path / "weights"))

    assert_one_sentence(done, 'config.json has model_type = "gpt2", and what is loaded here is a Llama')


@pytest.mark.parametrize("option", ["--json", "--junit", "--markdown", "--html"])
def test_a_report_path_is_tried_before_anything_is_graded(tmp_path, option):
    """A folder in the report's place, or a folder that isn't there, is named at once."""
    assert_one_sentence(
        grade(tmp_path, option, tmp_path), f"The report cannot be written to {tmp_path}: it is a folder."
    )
    path = tmp_path / "nowhere" / "report"
    assert_one_sentence(grade(tmp_path, option, path), f"there is no folder {path.parent}.")


def test_a_read_only_report_path_is_refused(tmp_path, monkeypatch, capsys):
    """A report file or folder that may not be written to is named before anything is graded."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anywhere
    (tmp_path / "old.json").write_text("{}")

    for path in (tmp_path / "old.json", tmp_path / "new.json"):
        assert cli.main(["grade", "m04", "--json", str(path)]) == 2
        assert capsys.readouterr().err == f"scratchwork: The report cannot be written to {path}: it is read-only.\n"


@systems.not_root
def test_a_folder_that_is_really_read_only_is_refused(tmp_path):
    """The same, asked of the system itself."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)

    assert_one_sentence(grade(tmp_path, "m04", "--json", closed / "new.json"), "new.json: it is read-only.")


@pytest.mark.parametrize("name", ["../exercises", "a/b", "/etc", "..", ".", "", "a\\b"])
def test_a_student_is_a_name_and_no_path(name, capsys):
    """--student takes a name of a folder below submissions/, and nothing that leads elsewhere."""
    assert cli.main(["grade", "m04", "--student", name]) == 2

    said = capsys.readouterr().err
    assert said == f"scratchwork: --student {name!r} is no name of a folder below submissions/.\n"


def test_a_student_who_handed_in_nothing_is_named(tmp_path):
    """A student without a folder below submissions/ is named."""
    assert_one_sentence(grade(tmp_path, "m04", "--student", "nobody"), "There is no folder submissions/nobody;")


@pytest.mark.parametrize("seed", ["abc", "1.5", "-3", "", "²", "9" * 31])
def test_a_seed_is_a_whole_number_or_random(tmp_path, seed, monkeypatch, capsys):
    """A seed that is neither is quoted."""
    workers = support.sandbox()
    monkeypatch.setattr(levels, "choose", lambda *_: workers)
    monkeypatch.setattr(workers, "close", lambda: None)

    assert cli.main(["grade", "m04", "--submission", str(REPOSITORY / "exercises"), "--seed", seed]) == 2

    said = capsys.readouterr().err
    assert said == f"scratchwork: --seed {seed!r} is neither a whole number nor the word random.\n"


def test_a_seed_that_is_none_is_refused_by_the_real_command(tmp_path):
    """--seed abc ends with one sentence before anything is graded."""
    done = grade(tmp_path, "m04", "--submission", "exercises", "--seed", "abc")

    assert_one_sentence(done, "--seed 'abc' is neither a whole number nor the word random.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["m4_atention"], "There is no milestone 'm4_atention'; did you mean m04_attention?"),
        (["zzz"], "There is no milestone 'zzz'; there are m00_warmup, "),
        (["--submission", "a", "--student", "b"], "argument --student: not allowed with argument --submission"),
        (["--fast"], "unrecognized arguments: --fast"),
        (["--isolation", "strong"], "argument --isolation: invalid choice: 'strong'"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
        (["--seed"], "argument --seed: expected one argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_said_in_one_sentence(tmp_path, arguments, sentence):
    """A milestone or an option that doesn't exist, or two that exclude each other, is one sentence and exit code 2."""
    assert_one_sentence(grade(tmp_path, *arguments), sentence)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_refused(monkeypatch, capsys):
    """--device cuda without a GPU is wrong usage: no student's code is blamed for it."""

    def reached(*_):
        raise SandboxError("grading began")

    monkeypatch.setattr(levels, "choose", reached)

    assert cli.main(["grade", "m04", "--submission", str(REPOSITORY / "exercises"), "--device", "cuda"]) == 2
    assert "--device cuda" in capsys.readouterr().err


def test_another_drive_is_a_folder_like_any_other(folder, monkeypatch):
    """Where no relative path leads to the submission, as between two drives of Windows, its full path is used."""

    def impossible(*_):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", impossible)

    assert support.collect(folder, COURSE).folder == str(folder)
