"""A course without solutions in reach grades pull requests on its handout, and says what is checked elsewhere."""

from __future__ import annotations

import pytest
import support
import systems
from handouts import SMALL, built, command, git
from test_workflows import target_faults

from grader import cli, exits
from grader.handout import folder, leaks

WORKFLOW = ".github/workflows/pull-requests.yml"


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    """A handout of two milestones with pull requests, of which a part of m04 is withheld, as a repository."""
    where = tmp_path_factory.mktemp("pulls")
    handout = built(SMALL, ["m04.2"], where, pull_requests=True)
    place = where / "course"
    folder.write(handout, place)
    git(place, "init")
    git(place, "add", "--all")
    git(place, "commit", "-m", "The course")
    return handout, place


def head(place, name, changes):
    """Commit changes on a branch of the handout, go back to the base, and return the head's id."""
    git(place, "checkout", "-b", name, "main")
    for path, text in changes.items():
        (place / path).write_text(text, encoding="utf-8")
    git(place, "add", "--all")
    git(place, "commit", "-m", name)
    found = git(place, "rev-parse", "HEAD").strip()
    git(place, "checkout", "main")
    return found


def test_the_handout_has_the_command_and_the_workflow_and_nothing_that_answers(handed_out, tmp_path):
    """What reads git comes along and no more of the class's side; the workflow keeps every rule of the base's own."""
    handout, _ = handed_out

    assert leaks.scan(handout.files, tmp_path / "new").found == []
    classroom = {path for path in handout.files if path.startswith("grader/classroom/")}
    assert {path.rpartition("/")[2] for path in classroom} == {
        *("__init__.py", "git_objects.py", "git_process.py", "git_trees.py"),
    }
    workflow = handout.files[WORKFLOW].decode()
    assert target_faults(workflow) == [] and "docs/" not in workflow and "tests/" not in workflow
    assert "## Handing in by pull request" in handout.files["README.md"].decode()
    assert "<<" not in handout.files["README.md"].decode()


def test_a_handout_has_neither_unless_it_is_asked_for(small):
    """Without --with-pull-requests there is no such command, workflow or page."""
    assert WORKFLOW not in small.files and "grader/commands/pull_request.py" not in small.files
    assert "pull request" not in small.files["README.md"].decode()


@pytest.mark.skipif(not systems.STRANGERS, reason=systems.NO_STRANGERS)
def test_a_handout_grades_a_pull_request_without_what_is_withheld(handed_out, tmp_path):
    """A right module passes with what is withheld still to come; a wrong one fails, and the summary links the guide."""
    _, place = handed_out
    base = git(place, "rev-parse", "main").strip()
    right = support.source("solutions", "m04_attention")
    wrong = right.replace("return ", "return 0 * ", 1)
    found = {}
    for name, source in {"right": right, "wrong": wrong}.items():
        commit = head(place, name, {"exercises/m04_attention.py": source})
        summary = tmp_path / f"{name}.md"
        done = command(
            place, "pull-request", "--base", base, "--head", commit, "--summary", str(summary),
            sandbox=support.sandbox(), GITHUB_SERVER_URL="https://github.com", GITHUB_REPOSITORY="course/autumn",
        )  # fmt: skip
        found[name] = (done.returncode, done.stdout + done.stderr, summary.read_text(encoding="utf-8"))

    assert found["right"][0] == exits.PASSED, found["right"][1]
    assert "are still to come (m04.2)" in found["right"][2]
    assert found["wrong"][0] == exits.NOT_PASSED, found["wrong"][1]
    guide = f"[`m04_attention.md`](https://github.com/course/autumn/blob/{base}/exercises/m04_attention.md)"
    assert guide in found["wrong"][2]


def test_a_pull_request_that_changes_a_page_has_nothing_to_grade(handed_out, capsys, monkeypatch):
    """Exit code 0 and one sentence, also where no sandbox for strangers works: nothing of it is run."""
    from grader.sandbox import levels
    from grader.sandbox.errors import SandboxError

    def none_works():
        raise SandboxError("No sandbox works here.")

    monkeypatch.setattr(levels, "strongest_for_strangers", none_works)
    _, place = handed_out
    commit = head(place, "page", {"README.md": "Another page.\n"})

    code = cli.main(["pull-request", "--repo", str(place), "--base", "main", "--head", commit])

    assert code == exits.PASSED
    assert "There is nothing to grade: it changes no module of the course." in capsys.readouterr().out
