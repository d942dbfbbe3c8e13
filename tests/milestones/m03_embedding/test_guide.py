"""The worked examples of m03_embedding, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

import fixtures
from solutions import m03_embedding
from solutions.m03_embedding import LearnedPositions, TokenEmbedding, embed, sinusoidal_positions

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m03_embedding.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())
TABLE = torch.tensor([[1.0, 2], [3, 4], [5, 6]])


def cells(first: str) -> list[list[str]]:
    """Return the cells of the guide's rows that begin with these words."""
    rows = [line.strip("|").split("|") for line in GUIDE.splitlines() if line.startswith(f"| {first}")]
    return [[cell.strip() for cell in row] for row in rows]


def numbers(cell: str) -> list[float]:
    """Return the vector that a cell shows."""
    return [float(number) for number in re.findall(r"-?\d+", cell)]


def test_the_goal_of_the_guide_can_be_reached():
    """With a checkpoint's two tables, the solution gives what transformers' GPT-2 hands to its first block."""
    from fixtures.nano import load

    model, ids = load(), torch.tensor([[7454, 2402, 257, 640], [290, 262, 50256, 0]])
    wte, wpe = (
        TokenEmbedding(*model.transformer.wte.weight.shape),
        LearnedPositions(*model.transformer.wpe.weight.shape),
    )
    wte.load_state_dict(model.transformer.wte.state_dict())
    wpe.load_state_dict(model.transformer.wpe.state_dict())

    with torch.no_grad():
        expected = model.transformer(ids, output_hidden_states=True).hidden_states[0]
        found = embed(wte, wpe, ids)

    assert torch.allclose(found, expected, atol=1e-7)


def test_the_tables_of_the_guide_are_right():
    """The second table's vectors are the sums of the first table's rows, in the order of each sentence."""
    token, position = {}, []
    for name in ("dog", "bites", "man"):
        row = next(row for row in cells(name) if row[0] == name)
        token[name] = numbers(row[1])
        position.append(numbers(row[3]))

    for sentence in ("dog bites man", "man bites dog"):
        (row,) = cells(sentence)
        for place, name in enumerate(sentence.split()):
            assert numbers(row[place + 1]) == [a + b for a, b in zip(token[name], position[place], strict=True)]


def test_the_clocks_of_the_guide_turn_as_it_says():
    """Of width 4, the first pair turns by 1 radian a token and the second by 1/100."""
    angle = torch.atan2(sinusoidal_positions(2, 4)[1, ::2], sinusoidal_positions(2, 4)[1, 1::2])

    assert "by 1 radian a token, the second by 1/100" in PROSE
    assert angle.tolist() == pytest.approx([1, 0.01], rel=1e-4)


def test_the_vocabulary_of_the_guide_is_that_of_gpt2():
    """GPT-2 has 50,257 tokens."""
    from fixtures.nano import gpt2_encoding

    assert f"{gpt2_encoding().n_vocab:,} rows" in PROSE


def test_the_example_of_token_embedding_is_right():
    """The docstring's ids take the rows that it says."""
    assert "[[1, 2], [3, 4], [5, 6]] the ids [[2, 0]] take [[[5, 6], [1, 2]]]" in TokenEmbedding.forward.__doc__
    layer = TokenEmbedding(3, 2)
    layer.load_state_dict({"weight": TABLE})

    assert layer(torch.tensor([[2, 0]])).tolist() == [[[5, 6], [1, 2]]]


def test_the_example_of_learned_positions_is_right():
    """The docstring's slices are what the layer gives."""
    assert "seq 2 takes [[1, 2], [3, 4]], and [[3, 4], [5, 6]] from 1 on" in LearnedPositions.forward.__doc__
    layer = LearnedPositions(3, 2)
    layer.load_state_dict({"weight": TABLE})

    assert layer(2).tolist() == [[1, 2], [3, 4]]
    assert layer(2, start=1).tolist() == [[3, 4], [5, 6]]


def test_the_example_of_sinusoidal_positions_is_right():
    """The docstring's two positions, to the digits shown."""
    doc = m03_embedding.sinusoidal_positions.__doc__
    shown = [numbers_of(found) for found in re.findall(r"position \d is \[(.*?)\]", doc)]

    assert len(shown) == 2
    for found, row in zip(shown, sinusoidal_positions(2, 4).tolist(), strict=True):
        assert row == pytest.approx(found, abs=0.00005)


def numbers_of(text: str) -> list[float]:
    """Return the numbers of a list as text."""
    return [float(number) for number in text.split(",")]


def test_what_embed_gives_is_on_top_of_any_positions():
    """Computed positions serve as well as learned ones, as the guide says."""
    layer, computed = TokenEmbedding(3, 2), sinusoidal_positions(50, 2)

    found = embed(layer, lambda seq, start: computed[start : start + seq], torch.tensor([[0, 1, 2]]), start=40)

    assert torch.equal(found, layer.weight[None] + computed[40:43])


def test_the_formula_of_the_clocks_is_right():
    """Sines and cosines of i / 10000^(2k/d) are the solution's table; the second divisor is 100, a turn takes 6.28."""
    table = sinusoidal_positions(7, 4).double()

    for i in range(7):
        for k in range(2):
            angle = i / 10000 ** (2 * k / 4)
            assert table[i, 2 * k : 2 * k + 2].tolist() == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-6)
    assert "10000 to the power 2/4, which is 100" in PROSE and 10000 ** (2 / 4) == 100
    assert "2π ≈ 6.28" in PROSE and round(2 * math.pi, 2) == 6.28


def test_the_stretch_of_the_guide_can_be_reached():
    """Of the stories' tokens, the five whose rows in gpt2-nano's table are nearest to that of " dog" are animals."""
    from fixtures.nano import load
    from solutions.m01_tokenizer import load_gpt2

    tokenizer = load_gpt2(fixtures.VOCAB_BPE, fixtures.ENCODER_JSON)
    rows = torch.nn.functional.normalize(load().transformer.wte.weight.detach(), dim=-1)
    text = fixtures.STORIES_TRAIN.read_text(encoding="utf-8")
    used = torch.tensor(sorted({id for word in set(re.findall(" ?[A-Za-z]+", text)) for id in tokenizer.encode(word)}))
    [dog] = tokenizer.encode(" dog")

    nearest = [tokenizer.decode([id]) for id in used[(rows[used] @ rows[dog]).topk(6).indices].tolist()]

    assert "the first five are animals" in PROSE
    assert nearest[0] == " dog"
    assert set(nearest[1:]) <= {" bear", " cat", " fox", " goat", " mouse", " pig", " rabbit", " squirrel"}
