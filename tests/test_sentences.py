"""The sentences of a comparison: names keep their spelling, and numbers, nouns and verbs agree, in all suites."""

from __future__ import annotations

import ast
import re

import pytest
import support
import torch

from grader.counting import counted, form
from grader.judge.describe import difference
from grader.judge.sentences import ENGLISH, is_plural, sentence, start

SUITES = sorted((support.REPOSITORY / "grader" / "suites").rglob("*.py"))
PARTS = ("grader/judge", "grader/suites", "grader/reports/terminal", "grader/sandbox", "grader/capstone")
# What stands before a noun in the plural and is never 1, or is no number that the noun is counted by.
NEVER_ONE = re.compile(
    r"(\w+\.)?[A-Z_]+|RARE \* 9 // 10|len\(task\.checks\)|len\(expected\)|sizes?\[.*\]|\w+\.exit_code"
    r"|silent|share|lost|longest|growth|little|first|float\(gap\.max\(\)\)|possible|ids\.shape\[1\]|len\(milestones\)"
    r"|len\(text\)|batch|count|number - 1|\w*name|kind|'ten' if .*"
    r"|len\((actual|tokens|questions)\)|size|index \+ 1|numbers|loss|small|after|ratio"  # of what is achieved
    r"|have|wanted|where|ending|corpus\.left_out"
)
NOUNS = {
    *("argument", "block", "byte", "call", "character", "check", "chunk", "document", "epoch", "file", "head", "id"),
    *("item", "layer", "letter", "milestone", "minute", "number", "outcome", "parameter", "part", "point", "question"),
    *("round", "row", "run", "second", "step", "text", "time", "token", "value", "vector", "word", "passe", "processe"),
}


def strings_of(node):
    """Return what a string in a suite may say, with a letter in the place of what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "N" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return strings_of(node.body) + strings_of(node.orelse)
    return []


def compared():
    """Return all that any suite calls what it compares."""
    found = set()
    for path in SUITES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "what":
                found |= set(strings_of(node.value))
    return sorted(found)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("lora_A", "lora_A is X"),
        ("base.weight", "base.weight is X"),
        ("n_heads", "n_heads is X"),
        ("merged after eval()", "merged after eval() is X"),
        ("the ids", "The ids are X"),
        ("the ids of 'a b'", "The ids of 'a b' are X"),
        ("the list of ids", "The list of ids is X"),
        ("the second call's list", "The second call's list is X"),
        ("the loss", "The loss is X"),
        ("the norm and what is left for 2 parameters", "The norm and what is left for 2 parameters are X"),
        ("what is left of gradients", "What is left of gradients is X"),
        ("the list special_tokens after the call", "The list special_tokens after the call is X"),
        ("item 2, fetched once more,", "Item 2, fetched once more, is X"),
    ],
)
def test_a_sentence_begins_with_a_name_or_a_capital_and_its_verb_agrees(what, said):
    """A name of the student's code stays as it is, English begins with a capital, and several things `are`."""
    assert sentence(what, "is X") == said


@pytest.mark.parametrize("what", compared())
def test_whatever_a_suite_compares_makes_a_sentence(what):
    """What begins with a small letter is a name of the code, and what looks like several things is called so."""
    first = re.split(r"[\s,:]", what, maxsplit=1)[0]
    stubs = "".join(milestone.stub.read_text(encoding="utf-8") for milestone in support.COURSE.milestones)

    if first not in ENGLISH:
        name = re.match(r"\w+", first.lstrip("("))
        assert name is None or re.search(rf"\b{re.sub('N$', '', name[0])}", stubs), f"{what!r} begins with no name"
        assert start(what) == what
    assert not re.match(r"the (?:ids|keys|bytes|names|targets|integers|logits|weights)\b", what) or is_plural(what)


def test_a_number_has_its_noun():
    """One is a step, and any other number are steps; large numbers are set apart."""
    assert [counted(n, "step") for n in (0, 1, 2, 1000)] == ["0 steps", "1 step", "2 steps", "1,000 steps"]
    assert counted(2, "pass", "passes") == "2 passes"
    assert (form(1, "is", "are"), form(3, "is", "are")) == ("is", "are")


@pytest.mark.parametrize("part", PARTS)
def test_no_sentence_can_count_one_thing_as_several(part):
    """A number before a noun in the plural is made by `counted`, unless it can't be 1."""
    wrong: list[str] = []
    for path in sorted((support.REPOSITORY / part).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            for before, after in zip(node.values, node.values[1:], strict=False):
                if not (isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant)):
                    continue
                noun = re.match(r" (?:(?:further|more|other|distinct) )?(\w+s)\b", after.value)
                number = ast.unparse(before.value)
                plain = "counted(" in number or "in_points(" in number or NEVER_ONE.fullmatch(number)
                if noun and noun[1].removesuffix("s") in NOUNS and not plain:
                    wrong.append(f"{path.name}:{node.lineno}: {{{number}}}{noun[0]}")

    assert not wrong, "; ".join(wrong)


# ── one difference instead of two dumps ───────────────────────────────────────────────────────────────────────────────


LONG = "the same words again and again, " * 20


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (f"{LONG}a", f"{LONG}b"),
        (LONG.encode() + b"a", LONG.encode() + b"b"),
        ([LONG, LONG + "a"], [LONG, LONG + "b"]),
        ([LONG] * 5 + ["a"], [LONG] * 5 + ["b"]),
        ({"k": LONG + "a"}, {"k": LONG + "b"}),
        (LONG, LONG + "b"),
        ("e\u0301", "\u00e9"),
        (torch.arange(500), torch.arange(500).index_fill(0, torch.tensor([400]), 7)),
        (torch.tensor([1.00001]), torch.tensor([1.000011])),
    ],
    ids=["text", "bytes", "deep in a list", "late in a list", "in a dict", "longer", "look alike", "ids", "digits"],
)
def test_what_came_and_what_was_expected_never_look_the_same(actual, expected):
    """However late two values begin to differ, and in whichever digit, what is shown of them differs."""
    said = difference(actual, expected)
    shown = re.search(r"(?:got:? +|is )(?P<got>.*?),?\n? *expected:? (?P<expected>.*)", said, re.DOTALL)

    assert len(said) < 600
    assert shown is not None, said
    assert shown["got"].split("\n")[0].rstrip(".") != shown["expected"].split("\n")[0].rstrip(".")
