"""The worked examples of m17_retriever, in its guide, its docstrings and fixtures/README.md, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from fixtures import retrieval
from grader.suites.m17_retriever import oracle, oracle_ranking
from solutions import m17_retriever
from solutions.m17_retriever import BM25, Chunk, TfIdf, chunk, cosine_search, tokenize

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m17_retriever.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
FIXTURES = (REPOSITORY / "fixtures" / "README.md").read_text(encoding="utf-8")
FISH = ["red fish", "blue fish"]


@pytest.fixture(scope="module")
def corpus():
    """Return passages, questions, and the indices of the passages that answer each."""
    passages, questions = retrieval.read()
    places = {passage["id"]: index for index, passage in enumerate(passages)}
    relevant = [{places[name] for name in question["relevant"]} for question in questions]
    return [p["text"] for p in passages], [q["question"] for q in questions], relevant


def test_the_table_of_the_guide_is_right():
    """Each cell of the guide's table is what BM25's formula gives, to the digits shown."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in GUIDE.splitlines()
        if re.match(r"\| (red|big|fish) ", line)
    ]
    passages = [row[0] for row in rows]
    assert passages == ["red fish", "big blue fish", "fish eat fish fast"]
    idf = {"red": math.log(1 + 2.5 / 1.5), "fish": math.log(1 + 0.5 / 3.5)}
    index = BM25(passages)

    for number, (passage, length, red, fish, *shares, total) in enumerate(rows):
        assert int(length) == len(passage.split())
        assert [float(red), float(fish)] == [round(idf["red"], 2), round(idf["fish"], 2)]
        exact = [dict(index.search(word, 3)).get(number, 0.0) for word in ("red", "fish")]
        assert [float(share) for share in shares] == [round(share, 2) for share in exact]
        assert float(total) == round(sum(exact), 2)


def test_the_question_of_the_guide_finds_its_passages(corpus):
    """Asked for the two norms, BM25 puts the two passages that answer first, out of 68."""
    passages, questions, relevant = corpus
    number = questions.index("How does RMSNorm differ from layer normalisation?")

    assert len(passages) == 68 and len(questions) == 69
    assert {index for index, _ in BM25(passages).search(questions[number], 2)} == relevant[number]


def test_the_figures_of_the_retrieval_set_are_right(corpus):
    """Every row of fixtures/README.md's table is what that scorer reaches, and the guide names the first."""
    rows = dict(re.findall(r"^\| (BM25, .*?|BM25) \| ([\d.]+ \| [\d.]+) \|$", FIXTURES, flags=re.MULTILINE))
    shown = {name: tuple(map(float, figures.split(" | "))) for name, figures in rows.items()}
    options = {
        "BM25": {},
        "BM25, idf left out": {"idf": "none"},
        "BM25, idf without its 1": {"idf": "negative"},
        "BM25, words cut at whitespace": {"split": lambda text: text.lower().split()},
        "BM25, case of documents kept": {"split": oracle.case_kept, "query_split": oracle.words},
        "BM25, tf not saturated": {"tf": "raw"},
        "BM25, length and average swapped": {"length": "swapped"},
    }

    assert {
        name: tuple(round(x, 3) for x in oracle_ranking.quality(*corpus, **kind)) for name, kind in options.items()
    } == shown
    recall, reciprocal = oracle_ranking.quality(*corpus)
    assert "recall 0.92 at 3 and a mean reciprocal rank of 0.90" in PROSE
    assert (round(recall, 2), round(reciprocal, 2)) == (0.92, 0.9)


def test_the_examples_of_the_docstrings_are_right():
    """Chunks, words, cosines and BM25 scores in the docstrings are what the functions give."""
    assert chunk("abcdefghi", 4, 1) == [Chunk(0, 4, "abcd"), Chunk(3, 7, "defg"), Chunk(6, 9, "ghi")]
    assert tokenize("A cat's 2.") == ["a", "cat", "s", "2"]
    assert TfIdf(FISH).scores("red fish").tolist() == pytest.approx([1.0, 0.336], abs=5e-4)
    assert BM25(FISH).search("red", 9) == [(0, pytest.approx(0.693, abs=5e-4))]
    assert BM25(FISH).search("fish", 9) == [(0, pytest.approx(0.182, abs=5e-4)), (1, pytest.approx(0.182, abs=5e-4))]
    found = cosine_search(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [3.0, 4.0], [6.0, 8.0]]), 9)
    assert found == [(1, pytest.approx(0.6)), (2, pytest.approx(0.6)), (0, 0.0)]


def test_the_examples_of_fusion_and_measures_are_right():
    """The docstrings' joined ranking, recall and reciprocal rank are what the functions give."""
    fused = m17_retriever.reciprocal_rank_fusion([[7, 3], [3]], k=1)

    assert fused == [(3, pytest.approx(1 / 3 + 1 / 2)), (7, pytest.approx(1 / 2))]
    assert m17_retriever.recall_at_k([[4, 2]], [{2, 5}], 2) == 1 / 2
    assert m17_retriever.mean_reciprocal_rank([[4, 2, 9]], [{2, 9}]) == 1 / 2


def test_the_formula_of_the_guide_is_right():
    """Idf times the fraction, summed over the query's words, is the score, and fusion adds 1 / (60 + place)."""
    documents = ["red fish", "big blue fish", "fish eat fish fast"]
    words = [document.split() for document in documents]
    average = sum(map(len, words)) / 3

    def score(query, document):
        total = 0.0
        for word in query.split():
            holding, f = sum(word in other for other in words), document.count(word)
            idf = math.log(1 + (3 - holding + 0.5) / (holding + 0.5))
            total += idf * f * (1.2 + 1) / (f + 1.2 * (1 - 0.75 + 0.75 * len(document) / average))
        return total

    found = dict(BM25(documents).search("red fish", 3))

    assert [found[number] for number in range(3)] == pytest.approx([score("red fish", own) for own in words])
    assert "Fusion adds $1 / (60 + \\text{place})$" in PROSE
    assert m17_retriever.reciprocal_rank_fusion([[7, 3]]) == [(7, pytest.approx(1 / 61)), (3, pytest.approx(1 / 62))]
