"""A course's repository, and pull requests on it as a workflow reads and grades them."""

from __future__ import annotations

import hostile_git
import pytest
import support
import systems
from course_modules import STUBS

from grader import cli, practice
from grader.pull_request import reading as pull_request
from grader.reports.machines import json_report


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A repository whose branch main is the course, checked out as a workflow would have it."""
    repository = hostile_git.Repository(tmp_path_factory.mktemp("pulls") / "course")
    files = {**STUBS, "grader/cli.py": "print('base')\n", ".github/workflows/grade.yml": "on: pull_request_target\n"}
    repository.base = repository.commit(files)
    repository.tree = files
    repository.git("update-ref", "refs/heads/main", repository.base)
    repository.git("reset", "--quiet", "--hard")
    return repository


@pytest.fixture
def read(store):
    """Read a pull request that changes these files of the course."""

    def call(changes, *, base=None):
        head = store.head(store.tree, changes, store.base)
        return pull_request.read(store.folder, base or store.base, head, support.COURSE)

    return call


@pytest.fixture
def run(store, capsys, monkeypatch, tmp_path):
    """Grade a commit with the real command line; return its exit code, output, errors, record and summary."""
    if not systems.STRANGERS:
        pytest.skip(systems.NO_STRANGERS)
    monkeypatch.delenv(practice.SECRET_SEED, raising=False)
    monkeypatch.delenv(practice.SECRET_SEED_FILE, raising=False)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    support.lend_sandbox(monkeypatch)

    def call(head, *more, base=None, repository=None):
        reports = [tmp_path / "record.json", tmp_path / "summary.md"]
        arguments = ["--repo", str(repository or store.folder), "--base", base or store.base, "--head", head]
        written = ["--json", str(reports[0]), "--summary", str(reports[1])]
        code = cli.main(["pull-request", *arguments, *written, *more])
        printed = capsys.readouterr()
        result = json_report.read(reports[0]) if reports[0].exists() else None
        summary = reports[1].read_text(encoding="utf-8") if reports[1].exists() else ""
        return code, printed.out, printed.err, result, summary

    return call
