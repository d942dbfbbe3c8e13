"""A submission is compiled once, before anything of it has run, and imported from that."""

from __future__ import annotations

import subprocess
import sys

import pytest
import support
from opened import here

from grader.sandbox.conversation import Conversation
from grader.sandbox.inside import compiled

SOURCE = b'''"""A module."""
import inspect


def where():
    return where.__code__.co_filename, inspect.getsource(where).splitlines()[0]


def wrong():
    return 1 / 0
'''


def test_what_is_imported_is_what_was_compiled(tmp_path):
    """Python takes the compiled file without looking at the source, and traces back to where the source stands."""
    code = compiled.compile_files({"trial.py": SOURCE}, "/elsewhere")
    compiled.write_package(str(tmp_path), {"trial.py": SOURCE.replace(b"1 / 0", b"2 / 0")}, code)

    said = subprocess.run(
        [sys.executable, "-c", "import trial; print(trial.where(), trial.wrong.__code__.co_consts)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert "def where():" in said and str(tmp_path / "trial.py") in said
    assert said.rstrip().endswith("(None, 1, 0)")


def test_nothing_is_written_outside_of_the_folder(tmp_path, monkeypatch):
    """Where Python is told to keep compiled files elsewhere, a submission is compiled where it is imported."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "elsewhere"))
    sources = {"trial.py": SOURCE}

    compiled.write_package(str(tmp_path / "in"), sources, compiled.compile_files(sources, "/elsewhere"))

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["trial.py"]
    assert support.grade_one("m03_embedding", support.source("solutions", "m03_embedding"), level="inline").passed


@pytest.mark.parametrize("source", [b"def f(:", b"return 1", b"\x00", b"f(" * 3000, b"'\xff'"])
def test_what_cannot_be_compiled_is_left_out(source):
    """A file with an error is none of the compiled ones: importing it says what is wrong."""
    assert list(compiled.compile_files({"good.py": b"x = 1", "bad.py": source}, "/x")) == ["good.py"]


def test_very_large_modules_are_compiled_where_they_are_imported(monkeypatch):
    """Nothing is handed on where it would be larger than what the judge takes."""
    monkeypatch.setattr(compiled, "MOST_BYTES", 100)

    assert compiled.compile_files({"good.py": SOURCE}, "/x") == {}


@here
def test_a_check_gets_the_compiled_submission(level, monkeypatch):
    """Every worker but the first is handed what the first has compiled; the first has run nothing by then."""
    asked, raw = [], Conversation.raw
    monkeypatch.setattr(
        Conversation, "raw", lambda self, op, **fields: asked.append((op, fields)) or raw(self, op, **fields)
    )

    result = support.grade({"m04_attention": support.source("solutions", "m04_attention")}, level=level)

    assert result.passed
    assert [op for op, _ in asked[:3]] == ["inspect", "compile", "load"]
    loads = [fields for op, fields in asked if op == "load"]
    assert len(loads) > 40
    assert all(list(fields["compiled"]) == ["m04_attention.py"] for fields in loads)
