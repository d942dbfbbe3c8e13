"""The worked examples of m01_tokenizer, in its guide and its docstrings, are true."""

from __future__ import annotations

import ast
import doctest
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

from fixtures import ENCODER_JSON, VOCAB_BPE
from solutions import m01_tokenizer
from solutions.m01_tokenizer import load_gpt2, pretokenize, train_bpe

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m01_tokenizer.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
STUB = (REPOSITORY / "exercises" / "m01_tokenizer.py").read_text(encoding="utf-8")


def run(session: str, names: dict[str, object]) -> doctest.TestResults:
    """Run a session as doctest does, and return how many examples it tried and how many failed."""
    test = doctest.DocTestParser().get_doctest(session, names, "m01_tokenizer", None, 0)
    return doctest.DocTestRunner(verbose=False).run(test)


def rows() -> list[tuple[str, str, list[list[str]]]]:
    """Return the rows of the guide's first table: merge, count, and the tokens of each pre-token."""
    cells = [line.strip("| ").split("|") for line in GUIDE.splitlines() if "· b" in line and line.startswith("|")]
    texts = [[part.split() for part in re.findall("`([^`]*)`", row[-1])] for row in cells]
    heads = [[cell.strip() for cell in row[:-1]] for row in cells]
    return [(head[0] if head else "", head[1] if head else "", text) for head, text in zip(heads, texts, strict=True)]


def test_the_examples_of_the_stub_give_what_they_show():
    """Every example in the stub's docstrings, run on the solution, prints what stands there."""
    documented = [node for node in ast.walk(ast.parse(STUB)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]

    results = [run(ast.get_docstring(node) or "", vars(m01_tokenizer).copy()) for node in documented]

    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 5


def test_the_table_of_the_guide_is_right():
    """Each row's merge is the most frequent pair of the row before, ties by bytes, and gives the tokens shown."""
    (_, _, first), *later = rows()

    assert [["·" if letter == " " else letter for letter in word] for word in pretokenize("banana bandana")] == first
    assert len(later) == 3
    before = first
    for merge, count, after in later:
        counts = Counter(pair for word in before for pair in pairwise(word))
        best = max(counts, key=lambda pair: (counts[pair], pair))
        assert (" + ".join(best), str(counts[best])) == (merge, count)
        whole = re.compile(rf"(?<!\S){re.escape(' '.join(best))}(?!\S)")
        assert [whole.sub("".join(best), " ".join(word)).split() for word in before] == after
        before = after


def test_the_tie_of_the_guide_is_one():
    """After the first merge, (b, an) and (an, a) both occur twice, and no pair occurs more often."""
    counts = Counter(pair for word in rows()[1][2] for pair in pairwise(word))

    assert [pair for pair, count in counts.items() if count == max(counts.values())] == [("b", "an"), ("an", "a")]


def test_overlapping_pairs_count_as_the_docstring_says():
    """In "aaa" the pair (a, a) stands twice: it beats a pair that occurs once and ties with one that occurs twice."""
    assert train_bpe("aaa1bc", 257, [])[1] == [(b"a", b"a")]
    assert train_bpe("aaa1bc2bc", 257, [])[1] == [(b"b", b"c")]


def test_the_printable_characters_of_the_guide_are_gpt2s():
    """The ranges 33–126, 161–172 and 174–255 leave 68 bytes, and the space is written as Ġ."""
    kept = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in kept]

    assert "33–126, 161–172 and 174–255" in PROSE
    assert len(hidden) == 68 and "the other 68" in PROSE
    assert chr(0x100 + hidden.index(ord(" "))) == "Ġ"
    assert load_gpt2(VOCAB_BPE, ENCODER_JSON).encode(" ") == [220]


def test_the_pattern_is_left_to_the_student():
    """Neither the stub nor the guide holds the expression that m01.1 asks for."""
    for text in (STUB, GUIDE):
        assert r"\p{L}+" not in text and r"(?!" not in text and r"|ll|" not in text


def test_the_sums_of_the_guide_are_right():
    """14 bytes and merges at 4, 2 and 2 places leave 6 tokens, as many as the last row of the table shows."""
    joined = [int(count) for _, count, _ in rows()[1:]]

    assert r"14 - (4 + 2 + 2) = 6" in PROSE and joined == [4, 2, 2]
    assert len(b"banana bandana") - sum(joined) == sum(map(len, rows()[-1][2])) == 6


def test_the_answers_of_the_guide_are_right():
    """There are more than 100,000 characters; " strawberry" is one id; the table of tokens is 31 % of GPT-2 small."""
    named = sum(unicodedata.category(chr(point)) not in {"Cn", "Co", "Cs"} for point in range(0x30000))

    assert "more than 100,000" in PROSE and named > 100_000
    assert "reads ` strawberry`" in PROSE and len(load_gpt2(VOCAB_BPE, ENCODER_JSON).encode(" strawberry")) == 1
    assert "124 million numbers, 31 % are these rows" in PROSE
    assert round(100 * 50257 * 768 / 124_439_808) == 31
