"""Crafted notebooks: read as data, in one way, in bounded time, whoever collects them and by whichever door."""

from __future__ import annotations

import shutil

import attacks_support as arena
import pytest
import support
from attacks import notebooks
from handing_in import collect as collect_class
from handing_in import zipped

from grader.submission import collect

BUILDS = pytest.mark.parametrize("build", notebooks.ALL, ids=lambda build: build.__name__)


@BUILDS
def test_a_crafted_notebook_is_read_in_one_way(build, tmp_path, monkeypatch):
    """Its counted cells are the module, or one sentence says why there is none; in the folder nothing has run."""
    monkeypatch.chdir(tmp_path)
    files, expected = build()
    folder = tmp_path / "exercises"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)

    with arena.watchdog() as barked:
        taken = collect(folder, support.COURSE)

    assert barked == []
    source, problem = taken.sources.get(notebooks.NAME), taken.problems.get(notebooks.NAME)
    assert source == expected.encode() if source is not None else problem.startswith(expected)
    for said in [*taken.notes, *taken.problems.values()]:
        assert len(said) < 600 and said.isprintable() and "script" not in said
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    assert not list(tmp_path.rglob("*sw-attack*"))


@BUILDS
def test_a_crafted_notebook_is_the_same_in_a_classs_archive(build, tmp_path):
    """A class's archive gives what the folder gives."""
    files, expected = build()
    (tmp_path / "class.zip").write_bytes(zipped({f"a1/exercises/{name}": data for name, data in files.items()}))

    (handed,) = [each for each in collect_class(tmp_path / "class.zip").handed_in if each.student.id == "a1"]

    source = handed.submission.sources.get(notebooks.NAME)
    problem = handed.submission.problems.get(notebooks.NAME, "")
    assert (
        source == expected.encode()
        if source is not None
        else expected.partition("exercises/")[2] in problem.replace("class.zip!a1/exercises/", "exercises/")
    )
    shutil.rmtree(tmp_path)
