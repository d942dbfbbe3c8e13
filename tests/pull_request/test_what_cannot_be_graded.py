"""What cannot be graded is said in one sentence, with the right exit code."""

from __future__ import annotations

import subprocess

import hostile_git
import systems
import warm
from attacks.pull_requests import ATTENTION, WARMUP
from course_modules import RIGHT
from hostile_git import LINK

from grader.judge import grading
from grader.judge.errors import GradingError
from grader.sandbox import levels


def test_a_commit_that_is_not_there_is_named(store, run):
    """An unknown commit: one sentence, exit code 2."""
    code, _, err, _, _ = run("1" * 40)

    assert code == 2 and f"has no commit {'1' * 40}" in err and err.count("\n") == 1


def test_a_shallow_clone_is_told_to_fetch_the_rest(store, run, tmp_path):
    """Where the commit is missing at which the head left the base, the sentence says how to get it."""
    tip = store.commit({**store.tree, WARMUP: RIGHT}, store.commit(store.tree, store.base, message="between"))
    store.git("update-ref", "refs/heads/tip", tip)
    moved = store.commit({**store.tree, "README.md": "x"}, store.base)
    store.git("update-ref", "refs/heads/moved", moved)
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{store.folder}", clone], check=True
    )

    code, _, err, _, _ = run(tip, base=moved, repository=clone)
    missing, _, gone, _, _ = run(tip, base=store.commit(store.tree, moved, message="later"), repository=clone)

    assert code == 2 and "no commit in common in this shallow clone" in err and "--unshallow" in err
    assert missing == 2 and "has no commit" in gone and "--unshallow" in gone


def test_a_head_of_another_history_is_no_pull_request(store, run):
    """Two histories without a common commit are not compared."""
    code, _, err, _, _ = run(store.commit(store.tree, message="from nowhere"))

    assert code == 2 and "no commit in common in this repository" in err


def test_objects_that_are_missing_are_named(store, run, tmp_path):
    """A head whose blob or tree is not in the store is refused or fails, in a sentence, and nothing is fetched."""
    copy = hostile_git.Repository(tmp_path / "copy")
    base = copy.commit(store.tree)
    head = copy.commit({**store.tree, WARMUP: RIGHT}, base)
    broken = copy.commit({**store.tree, WARMUP: RIGHT, "exercises/x/y": "z"}, base)
    blob, tree = copy.blob(RIGHT.encode()), copy.git("rev-parse", f"{broken}:exercises")
    for name in (blob, tree):
        path = copy.folder / ".git" / "objects" / name[:2] / name[2:]
        path.chmod(0o600)
        path.unlink()

    code, _, _, result, _ = run(head, base=base, repository=copy.folder)
    refused, _, err, _, _ = run(broken, base=base, repository=copy.folder)

    assert code == 1 and "content is not in the repository" in result.milestones[0].problem
    assert refused == 2 and err.count("\n") == 1 and "cannot read" in err


def test_a_folder_without_git_is_none(run, tmp_path):
    """A folder that is no repository: one sentence, exit code 2."""
    code, _, err, _, _ = run("main", repository=tmp_path)

    assert code == 2 and "is no git repository" in err


def test_a_stranger_is_not_graded_at_a_level_for_ones_own_code(store, run, monkeypatch):
    """Without bubblewrap and without root nothing is run: the fault is the machine's, exit code 3."""
    monkeypatch.setattr(levels, "unavailable", lambda level: "not today" if level in levels.OFFICIAL else None)

    code, _, err, result, _ = run(store.commit({**store.tree, WARMUP: RIGHT}, store.base))

    assert code == 3 and result is None and "graded at the level bubblewrap or user only" in err


def test_a_fault_of_the_grader_is_not_the_students(store, run, monkeypatch):
    """When the suites cannot be run: one sentence that is no command, no report, exit code 3."""

    def fail(*_):
        raise GradingError("pytest ended\n::error::oddly")

    monkeypatch.setattr(grading, "grade", fail)

    code, out, err, result, _ = run(store.commit({**store.tree, WARMUP: RIGHT}, store.base), "--annotations")

    assert code == 3 and result is None
    assert "this is a fault of the grader" in err and "::error" not in out + err


def test_a_report_that_cannot_be_written_is_known_before_grading(store, run, tmp_path):
    """A summary in a folder that is not there: one sentence, exit code 2."""
    code, _, err, _, _ = run(store.base, "--summary", str(tmp_path / "no" / "summary.md"))

    assert code == 2 and "there is no folder" in err


def test_a_seed_drawn_at_random_is_told(store, run):
    """With --seed random the record holds the seed, and the report says how to repeat the run at home."""
    head = store.commit({**store.tree, ATTENTION: (LINK, "/etc/passwd")}, store.base)

    _, out, _, result, _ = run(head, "--seed", "random")

    assert result.seed.isdecimal() and result.seed != "0" and not result.secret_seed
    assert f"nox -s grade -- m04 --seed {result.seed}" in " ".join(out.split())


def test_a_course_says_what_is_graded_and_what_it_counts(store, run, tmp_path, monkeypatch):
    """With --course only its milestones are graded, with its points; a module it leaves out is named and not taken."""
    monkeypatch.setenv("COLUMNS", "400")  # a path that is longer than a line would be broken
    course = tmp_path / "our course.toml"
    course.write_text('[course]\nname = "Short"\nmilestones = ["m04"]\n[[milestone]]\nid = "m04"\npoints = 90\n')
    head = store.commit({**store.tree, WARMUP: RIGHT, ATTENTION: (LINK, "/etc/passwd")}, store.base)

    code, out, _, result, summary = run(head, "--course", str(course))

    assert code == 1
    assert [(part.id, part.possible) for part in result.milestones] == [("m04_attention", 90.0)]
    assert "of 90 points" in out and "90" in summary
    assert f"Not taken, since only the course's modules are: {WARMUP}." in result.notes
    assert f"nox -s grade -- m04 --course '{course}'" in " ".join(out.split())

    code, out, err, _, _ = run(head, "--course", str(tmp_path / "none.toml"))
    assert (code, out) == (2, "") and "none.toml cannot be read" in err and err.count("\n") == 1


@systems.strangers
def test_the_command_line_works_in_a_process_of_its_own(store):
    """As a workflow calls it, from the folder of the base: exit code 0 where nothing is to be graded."""
    done = warm.run("grader", "pull-request", "--repo", store.folder, "--base", "main", "--head", "main")

    assert done.returncode == 0 and "changes no module of the course" in " ".join(done.stdout.split())
