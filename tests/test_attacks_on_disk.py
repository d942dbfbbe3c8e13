"""What lies in the folder that is handed in, beside a module and in its place, changes nothing and earns nothing."""

from __future__ import annotations

import itertools
import sys
import threading

import attacks_support as arena
import left_behind
import pytest
import support
import warm
from attacks import on_disk
from readable_reports import CONTROLS, expect_readable

from grader import record
from grader.reports.machines import json_report
from grader.submission import collect

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the levels under attack need Linux")
FOLDERS = [attack for attack in arena.attacks() if attack.path.is_dir() and not attack.gap]
SMALL = arena.DEFAULT_CHECKS["m04_attention"]


@pytest.mark.parametrize("attack", FOLDERS, ids=lambda attack: attack.name)
def test_files_beside_the_module_change_nothing(attack, tmp_path):
    """Whatever lies beside the module in the folder is not taken, not read and not run."""
    arena.plant(attack, tmp_path)
    lying_about = left_behind.left_files()
    assert len(list(tmp_path.iterdir())) > 1

    submission = collect(tmp_path, support.COURSE)
    result = support.grade_submission(submission, [attack.milestone], set(attack.checks), "auto", "fork", "0")

    assert list(submission.sources) == [attack.milestone]
    assert result.earned == 0
    assert all(check.outcome == record.FAILED for check in support.checks(result)), support.complaints(result)
    assert not any(arena.LOOT in check.output for check in support.checks(result))
    assert left_behind.left_files() <= lying_about


@pytest.mark.parametrize("build", on_disk.ALL, ids=lambda build: build.__name__)
def test_only_a_regular_file_of_the_right_name_is_taken(build, tmp_path):
    """A link, a pipe, a device, a folder or a name that only looks right is refused, and earns nothing."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    build(folder, support.source("solutions", "m04_attention"))
    (folder / "m01_tokenizer.py").write_text(support.source("exercises", "m01_tokenizer"))

    submission = collect(folder, support.COURSE)
    with arena.watchdog() as barked:
        result = support.grade_submission(submission, ["m04_attention"], None, "auto", "fork", "0")

    assert not barked
    assert result.earned == 0
    assert record.PASSED not in support.outcomes(result).values()
    assert "m04_attention" in submission.problems or submission.sources["m04_attention"] == on_disk.HOSTILE.encode()
    assert "root:" not in json_report.render(result)
    expect_readable(result)


def test_a_file_that_never_keeps_still_is_graded_as_it_was_read(tmp_path):
    """A module swapped all the while, for a right one and for links to it, is judged by what was read of it."""
    folder, right = tmp_path / "handed_in", tmp_path / "right.py"
    folder.mkdir()
    right.write_text(support.source("solutions", "m04_attention"))
    versions = {support.source("exercises", "m04_attention"): record.NOT_STARTED, right.read_text(): record.PASSED}
    stop = threading.Event()

    def swap():
        file, new = folder / "m04_attention.py", folder / "new"
        for number in itertools.cycle(range(3)):
            if number == 2:
                new.symlink_to(right)
            else:
                new.write_text(list(versions)[number])
            new.replace(file)
            if stop.wait(0.0003):
                return

    swapping = threading.Thread(target=swap)
    swapping.start()
    taken = []
    try:
        while not (folder / "m04_attention.py").exists():
            pass
        # On a busy machine the one who swaps may have to wait for a turn.
        while len(taken) < 60 or (len(taken) < 3000 and len({repr(each.sources) for each in taken}) < 2):
            taken.append(collect(folder, support.COURSE))
        graded = [
            (submission, support.grade_submission(submission, ["m04_attention"], set(SMALL), "auto", "fork", "0"))
            for submission in taken[-6:]
        ]
    finally:
        stop.set()
        swapping.join()

    read = [submission.sources.get("m04_attention", b"").decode() for submission in taken]
    assert len(set(read)) > 1, "the file kept still"
    assert {text for text in read if text} <= set(versions)
    assert all(
        "symbolic link" in str(submission.problems) for submission, text in zip(taken, read, strict=True) if not text
    )
    for submission, result in graded:
        text = submission.sources.get("m04_attention", b"").decode()
        assert set(support.outcomes(result).values()) == {versions.get(text, record.FAILED)}
        assert result.milestones[0].sources == submission.digest(["m04_attention"])


def grade_by_command(folder, tmp_path):
    """Run `python -m grader grade` on a folder, and return its exit code, its screen and its record."""
    report = tmp_path / "record.json"
    arguments = ("grade", "m04", "--submission", folder, "--json", report)
    done = warm.run("grader", *arguments, sandbox=support.sandbox())
    assert report.is_file(), done.stdout + done.stderr
    return done, json_report.read(report)


def test_the_command_line_ignores_planted_files_and_a_planted_environment(tmp_path, monkeypatch):
    """All planted files together, and variables that would steer pytest and Python, change nothing."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    for attack in FOLDERS:
        arena.plant(attack, folder)
    lying_about = left_behind.left_files()
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only -p sw_attack_plugin")
    monkeypatch.setenv("PYTEST_PLUGINS", "sw_attack_plugin")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")

    done, result = grade_by_command(folder, tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert result.earned == 0 and len(support.checks(result)) > 20
    assert record.FAILED in support.outcomes(result).values()
    assert arena.LOOT not in done.stdout + done.stderr
    assert CONTROLS.search(done.stdout) is None
    assert left_behind.left_files() <= lying_about


@pytest.mark.parametrize(
    "build", [on_disk.a97_link_to_a_solution, on_disk.a101_named_pipe], ids=lambda build: build.__name__
)
def test_the_command_line_names_what_it_does_not_take(build, tmp_path):
    """A link or a pipe in place of the module ends that milestone with one clear sentence and exit code 1."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    build(folder, support.source("solutions", "m04_attention"))
    (folder / "m01_tokenizer.py").write_text(support.source("exercises", "m01_tokenizer"))

    done, result = grade_by_command(folder, tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert result.earned == 0
    assert "not a regular file" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
