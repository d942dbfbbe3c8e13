"""What a stub promises, sentence by sentence, and which checks hold it; writes docs/contracts.md.

A contract is a set of sentences. Each stands in a docstring of the stub and is quoted word for word by the marker
`holds` of a check of its suite, or in its room's entry: under `watched` if the judge looks for it before any check
(what is not allowed), under `explains` if it promises nothing.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from typing import NamedTuple

from .proofs import support

PAGE = support.REPOSITORY / "docs" / "contracts.md"
ABBREVIATIONS = ("e.g.", "i.e.", "cf.", "al.", "vs.", "etc.")
HEAD = """# What each sentence rests on

Written by `nox -s strength -- --contracts`; do not edit.
A stub's docstrings are its contract. Each sentence is followed by the checks that quote it in their marker `holds` and
fail where it is broken. What the judge watches for before any check (shortcuts, imports) is said to be so; sentences
that promise nothing are left out and stand in `milestone.toml` under `explains`.
"""


class Sentence(NamedTuple):
    """A sentence, and where in the stub it stands: "" for the module, else `function`, `Class` or `Class.method`."""

    place: str
    text: str


class Check(NamedTuple):
    """A check that quotes a sentence."""

    task: str
    name: str


def cut(docstring: str) -> list[str]:
    """Cut a docstring into sentences, white space normalised.

    A sentence ends at a period, question or exclamation mark, perhaps a bracket, and white space, but not after an
    abbreviation; at an empty line; and before an item of a list, whose mark is left out. A doctest is one sentence.
    """
    found = []
    for paragraph in re.split(r"\n\s*\n", docstring.strip()):
        if paragraph.lstrip().startswith(">>>"):
            found.append(" ".join(paragraph.split()))
            continue
        for item in re.split(r"(?m)^\s*(?:-|\d+\.) ", paragraph):
            words: list[str] = []
            for word in item.split():
                words.append(word)
                if re.search(r"(?<!\.\.)[.?!]\)?$", word) and word.lstrip("(") not in ABBREVIATIONS:
                    found.append(" ".join(words))
                    words = []
            if words:
                found.append(" ".join(words))
    return found


@functools.cache
def sentences(milestone: str) -> list[Sentence]:
    """Return what the docstrings of a stub say, in order."""
    return [Sentence(place, text) for place, doc in _docstrings(milestone) for text in cut(doc)]


def _docstrings(milestone: str) -> list[tuple[str, str]]:
    tree = ast.parse(support.source("exercises", milestone))
    found = [("", ast.get_docstring(tree) or "")]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.append((node.name, ast.get_docstring(node) or ""))
        if isinstance(node, ast.ClassDef):
            parts = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found += [(f"{node.name}.{part.name}", ast.get_docstring(part) or "") for part in parts]
    return found


@functools.cache
def quoted(milestone: str) -> dict[str, list[Check]]:
    """Return the checks that quote a sentence, by the sentence, in the order of the suite."""
    found: dict[str, list[Check]] = {}
    for function in sorted(support.suite(milestone), key=lambda node: support.task_of(node) or ""):
        for mark in function.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.holds":
                for text in map(ast.literal_eval, mark.args):
                    found.setdefault(text, []).append(Check(support.task_of(function) or "", function.name))
    return found


@functools.cache
def set_aside(milestone: str) -> dict[str, list[str]]:
    """Return the sentences that no check holds, as a room's entry has them: `watched` and `explains`."""
    text = (support.COURSE.milestone(milestone).room / "milestone.toml").read_text(encoding="utf-8")
    entry = tomllib.loads(text)
    return {key: entry.get(key, []) for key in ("watched", "explains")}


def tasks_of(milestone: str, place: str) -> list[str]:
    """Return the tasks that implement a function, a method, or any part of a class; all for the module."""
    tasks = support.COURSE.milestone(milestone).tasks

    def fits(name: str) -> bool:
        return place in ("", name) or name.startswith(f"{place}.") or place.startswith(f"{name}.")

    return [task.id for task in tasks if any(map(fits, task.implements))]


def holders(milestone: str, sentence: Sentence) -> list[Check]:
    """Return the checks that hold a sentence: where it stands in several places, those of this place's tasks."""
    checks = quoted(milestone).get(sentence.text, [])
    if sum(other.text == sentence.text for other in sentences(milestone)) == 1:
        return checks
    return [check for check in checks if check.task in tasks_of(milestone, sentence.place)]


def render() -> str:
    """Return the page."""
    lines = [HEAD]
    for milestone in support.MILESTONES:
        lines.append(f"## {milestone}\n")
        aside, titles = set_aside(milestone), {t.id: t.title for t in support.COURSE.milestone(milestone).tasks}
        before = None
        for sentence in sentences(milestone):
            if sentence.text in aside["explains"]:
                continue
            if sentence.place != before:
                tasks = [f"{task} {titles[task]}" for task in tasks_of(milestone, sentence.place)]
                heading = f"`{sentence.place}` ({', '.join(tasks)})" if sentence.place else "The whole module"
                lines.append(f"\n### {heading}\n" if before is not None else f"### {heading}\n")
                before = sentence.place
            checks = [f"`{check.name}`" for check in holders(milestone, sentence)]
            held = "the judge, before any check" if sentence.text in aside["watched"] else ", ".join(checks)
            lines.append(f"- {_plain(sentence.text)}  \n  → {held}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _plain(text: str) -> str:
    """Return a sentence so that Markdown takes nothing in it for its own."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)
