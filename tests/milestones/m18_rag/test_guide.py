"""The worked examples of m18_rag, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from grader.judge.oracles import Data
from grader.suites.m18_rag import oracle
from solutions import m18_rag
from solutions.m18_rag import INSTRUCTION, REFUSAL, build_prompt, check_quotes, citations, ndcg_at_k

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m18_rag.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
FOUND = ["red fish swim", "all blue fish swim and sleep in the sea", "sea"]


def words(text):
    """Count words."""
    return len(text.split())


def test_the_table_of_the_guide_is_right():
    """Each row of the table has the tokens of the prompt with that passage, and the line that it gets."""
    rows = [
        line.strip("| ").split(" | ") for line in GUIDE.splitlines() if line.startswith(("| red", "| all", "| sea"))
    ]
    assert [row[0] for row in rows] == FOUND
    assert (words(INSTRUCTION), words("Question: Who swims?\nAnswer:")) == (15, 4)
    assert "The instruction has 15 words, `Question: Who swims?` and `Answer:` have 4, so 19 are spent" in PROSE

    kept: list[str] = []
    for passage, tokens, fits, line in rows:
        whole, _ = build_prompt("Who swims?", [*kept, passage], 99, words)
        assert words(whole) == int(tokens)
        assert (fits == "yes") == (int(tokens) <= 26)
        if fits == "yes":
            kept.append(passage)
            assert f"[{len(kept)}]" == line
    assert build_prompt("Who swims?", FOUND, 26, words)[1] == [0, 2]


def test_the_pieces_do_not_add_up_to_the_whole():
    """GPT-2's tokens of the pieces and of the whole are as many as the guide says."""
    said = re.search(r"are (\d+) if they are counted one by one, and (\d+) as a whole", PROSE)
    prompt, _ = build_prompt("Who swims?", FOUND, 26, words)
    count = lambda text: len(Data().tiktoken().encode_ordinary(text))  # noqa: E731
    pieces = [INSTRUCTION, "[1] red fish swim", "[2] sea", "Question: Who swims?\nAnswer:"]

    assert said is not None
    assert [sum(map(count, pieces)), count(prompt)] == [int(said[1]), int(said[2])]


def test_the_formulas_of_the_guide_are_right():
    """DCG by its best, and twice the product of both shares by their sum, are what the functions give."""
    gains, ranking = {1: 3.0, 2: 1.0, 5: 2.0}, [2, 9, 1]
    dcg = sum(gains.get(document, 0) / math.log2(i + 1) for i, document in enumerate(ranking, start=1))
    best = sum(gain / math.log2(i + 1) for i, gain in enumerate([3.0, 2.0, 1.0], start=1))
    p, r = 2 / 3, 2 / 2

    assert ndcg_at_k([ranking], [gains], 3) == pytest.approx(dcg / best)
    assert m18_rag.token_f1("red red fish", "The red fish.") == pytest.approx(2 * p * r / (p + r)) == pytest.approx(0.8)


def test_the_examples_of_the_docstrings_are_right():
    """The prompts, citations, quotations, answers and measures in the docstrings are what the functions give."""
    prompt, places = build_prompt("Who?", ["red\nfish", "sea"], 99, words)
    assert prompt == f"{INSTRUCTION}\n\n[1] red fish\n[2] sea\n\nQuestion: Who?\nAnswer:" and places == [0, 1]
    assert citations("Red [2], blue [1, 2], array[3], [9].", 3) == [2, 1]
    found = check_quotes('"red  fish" [1] "sea" [1] "red" [3]', ["A red fish.", "sea"])
    assert found == [("red  fish", 1, True), ("sea", 1, False), ("red", 3, False)]
    asked = (lambda question, k: ["a very long one", "sea"], lambda prompt: "Wet [1].", 2, 20, words)
    assert m18_rag.answer("Who?", *asked) == ("Wet [1].", [1])
    assert ndcg_at_k([[4, 2]], [{2: 3, 5: 1}], 2) == pytest.approx(0.521, abs=5e-4)
    assert (3 / math.log2(3)) / (3 + 1 / math.log2(3)) == pytest.approx(0.521, abs=5e-4)
    assert m18_rag.normalize("The cat's GPT-2, a [1]!") == ["cats", "gpt2"]
    assert m18_rag.faithfulness("red red fish swim", ["The red fish.", "sea"]) == 3 / 4


def test_the_stub_and_the_suite_say_the_same():
    """The texts that stand in the stub are the suite's own."""
    assert (INSTRUCTION, REFUSAL) == (oracle.INSTRUCTION, oracle.REFUSAL)
    stub = (REPOSITORY / "exercises" / "m18_rag.py").read_text(encoding="utf-8")
    assert f'INSTRUCTION = "{INSTRUCTION}"' in stub and f'REFUSAL = "{REFUSAL}"' in stub
