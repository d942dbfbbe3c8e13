"""A capstone as small as it goes, for tests of what comes before, of and after it."""

from __future__ import annotations

import contextlib
import io

import pytest
import support

from grader import cli
from grader.capstone import performance, screen, sizes, texts

SOLUTIONS = support.REPOSITORY / "solutions"


def small(monkeypatch):
    """Make everything as small as it goes, in the warm sandbox, on a machine that has nothing else to do."""
    monkeypatch.setenv("COLUMNS", "100")
    support.lend_sandbox(monkeypatch)
    tiny = {"vocab_size": 300, "context_length": 16, "d_model": 16, "n_layers": 1, "n_heads": 2}
    for name, size in tiny.items():
        monkeypatch.setitem(sizes.DEFAULTS, name, size)
    monkeypatch.setattr(performance, "CHECKS", 4)
    monkeypatch.setattr(performance, "KEEP_SECONDS", 1e9)
    monkeypatch.setattr(performance, "LONGEST", 12)
    monkeypatch.setattr(texts, "TOKENIZER_TEXT", 20_000)
    monkeypatch.setattr(screen, "load", lambda: 0.0)
    monkeypatch.setattr(screen, "cores", lambda: 1)
    everything = texts.stories()
    some = texts.Corpus(everything.name, everything.train[:40], everything.heldout[:20], everything.prompts)
    monkeypatch.setattr(texts, "stories", lambda: some)


def trained(folders, steps, prepare=small):
    """Run one capstone of the solutions; return its exit code, what it printed, and its folder."""
    out, shown = folders.mktemp("learned") / "kept", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown):
        prepare(patch)
        code = cli.main(["capstone", "--submission", str(SOLUTIONS), "--steps", str(steps), "--out", str(out)])
    return code, shown.getvalue(), out


def add(folder, milestone, text):
    """Write some lines below a module of a submission."""
    path = folder / f"{milestone}.py"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def told_at(step, act):
    """Return a `progress` that does something when so many steps are told of."""
    count = 0

    def progress(self, share, what, left=None, tail=""):
        nonlocal count
        count += what.startswith("step")
        if count == step:
            act()

    return progress
