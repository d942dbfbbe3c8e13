"""The worked examples of m16_bert, in its guide and its docstrings, are true; and what it says of its checks."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

import fixtures
from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m16_bert.oracle_learning import Logbook, cut, nano
from solutions.m16_bert import Bert, EncoderBlock, build_pair, pretraining_loss, split_words, wordpiece

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m16_bert.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


def test_the_table_of_the_guide_is_right():
    """What the two numbers of each token make of it, what it costs, and their mean, are those of the table."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in GUIDE.splitlines() if " | " in line]
    rows = [row for row in rows if len(row) == 8][1:]
    costs = []
    for token, first, chosen, second, reads, label, chance, cost in rows:
        if first == "–":
            assert (chosen, reads, label) == ("no, special", token, "–")
            continue
        picked = float(first) < 0.15
        assert chosen == ("yes" if picked else "no")
        hidden = picked and float(second) < 0.8
        assert not picked or hidden or float(second) >= 0.9  # no token of the table is replaced by another
        assert (reads, label) == ("[MASK]" if hidden else token, token if picked else "–")
        if picked:
            top, bottom = map(int, chance.split("/"))
            costs.append(math.log(bottom / top))
            assert cost.endswith(f"= {costs[-1]:.2f}")

    assert [row[0] for row in rows] == ["[CLS]", "the", "hat", "flew", "up", "[SEP]"]
    assert f"(0.69 + 0.29) / 2 = {sum(costs) / 2:.2f}" in WORDS
    assert "Of 1,000 tokens 150 are chosen: 120 become [MASK], 15 any token, and 15 stay." in WORDS
    assert [round(1000 * 0.15 * share) for share in (1, 0.8, 0.1, 0.1)] == [150, 120, 15, 15]


def test_the_formulas_of_the_guide_are_right():
    """The two means written out are the loss, and norms around sums are the block."""
    torch.manual_seed(0)
    tokens, pairs = torch.randn(2, 4, 5), torch.randn(2, 2)
    labels, follows = torch.tensor([[-100, 3, -100, 0], [2, -100, -100, -100]]), torch.tensor([1, 0])
    places = [(row, i) for row in range(2) for i in range(4) if labels[row, i] != -100]
    one = -sum(float(tokens[row, i].log_softmax(0)[labels[row, i]]) for row, i in places) / len(places)
    two = -sum(float(pairs[row].log_softmax(0)[follows[row]]) for row in range(2)) / 2
    block, x = EncoderBlock(12, 3, 20, 0.0, 1e-12), torch.randn(1, 5, 12)

    y = block.norm_1(x + block._attend(x, None))
    z = block.norm_2(y + block.down(torch.nn.functional.gelu(block.up(y))))

    assert pretraining_loss((tokens, pairs), labels, follows).item() == pytest.approx(one + two, abs=1e-5)
    assert torch.allclose(block(x), z, atol=1e-6)


def test_the_drawing_of_the_guide_is_right():
    """Its types are those that build_pair gives for two tokens and two, and its mask ends with them."""
    rows = {name: re.search(rf"(?m)^{name} +(.+)$", GUIDE)[1].split() for name in ("types", "mask")}
    ids = re.search(r"(?m)^ids    (.+)$", GUIDE)[1].split()

    built, types = build_pair(["the", "hat"], ["it", "flew"], "[CLS]", "[SEP]")

    assert [*built, "[PAD]"] == ids
    assert [*map(str, types), "0"] == rows["types"]
    assert rows["mask"] == ["1"] * len(built) + ["0"]


def stories():
    """Return the stories that bert-nano has read."""
    return Data().text("stories_train.txt").split(fixtures.END_OF_TEXT)


def entries():
    """Return all entries of the log."""
    return "".join(Data().text(f"logbook_{part}.txt") for part in ("train", "heldout")).split(fixtures.END_OF_TEXT)


def test_what_the_guide_says_of_the_log_is_right():
    """The number of steps, what a hole costs before, and the two bounds are those of the check."""
    logbook = Logbook(Draw(7, "guide"), Data())
    before = logbook.cost(logbook.start)

    vocab, _, _ = nano(Data())
    known = {piece for text in stories() for piece in cut(text, vocab)}
    pieces = [piece for entry in entries() for piece in cut(entry, vocab)]

    assert f"costs about {before:.0f} nats at first" in WORDS
    assert f"how common each piece is it would cost about {logbook.common:.0f}." in WORDS
    assert f"it must cost {Logbook.LEARNED} nats less than that" in WORDS
    assert f"it must not gain as much as {Logbook.NOTHING}." in WORDS
    assert "two of three of its pieces" in WORDS
    assert sum(piece in known for piece in pieces) / len(pieces) == pytest.approx(2 / 3, abs=0.02)
    assert "sixty steps" in WORDS and Logbook.STEPS == 60 and "pairs" in WORDS and Logbook.BATCH == 16
    assert f"0.15, 0.8, 0.1 and {Logbook.RATE}." in WORDS


def test_the_vocabulary_is_what_the_guide_says():
    """bert-nano has 2,000 pieces, the five special ones first."""
    pieces = (fixtures.BERT_NANO / "vocab.txt").read_text(encoding="utf-8").splitlines()

    assert len(pieces) == len(set(pieces)) == 2000 and "2,000 pieces" in WORDS
    assert pieces[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert json.loads((fixtures.BERT_NANO / "config.json").read_text())["vocab_size"] == 2000


def test_the_examples_of_the_docstrings_are_right():
    """What the docstrings of the stub show is what the solution gives."""
    vocab = {"un", "##aff", "##able"}
    tokens, pairs = torch.tensor([[[0.0, math.log(3)], [9.0, 9.0]]]), torch.zeros(1, 2)
    with torch.device("meta"):
        base = Bert()

    assert split_words("Où est-il?") == ["ou", "est", "-", "il", "?"]
    assert wordpiece("unaffable", vocab) == ["un", "##aff", "##able"] and wordpiece("unaffably", vocab) == ["[UNK]"]
    assert build_pair([7, 8], [9], 1, 2) == ([1, 7, 8, 2, 9, 2], [0, 0, 0, 0, 1, 1])
    loss = pretraining_loss((tokens, pairs), torch.tensor([[1, -100]]), torch.tensor([0])).item()
    assert loss == pytest.approx(math.log(4 / 3) + math.log(2)) and f"{loss:.4f}" == "0.9808"
    assert sum(parameter.numel() for parameter in base.parameters()) == 110_106_428
