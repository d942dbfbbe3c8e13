"""The worked examples of m03_embedding, in its guide and its docstrings, are true."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
import torch

from solutions import m03_embedding
from solutions.m03_embedding import LearnedPositions, TokenEmbedding, embed, sinusoidal_positions

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m03_embedding.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)
TABLE = torch.tensor([[1.0, 2], [3, 4], [5, 6]])


def cells(first: str) -> list[list[str]]:
    """Return the cells of the guide's rows that begin with these words."""
    rows = [line.strip("|").split("|") for line in GUIDE.splitlines() if line.startswith(f"| {first}")]
    return [[cell.strip() for cell in row] for row in rows]


def numbers(cell: str) -> list[float]:
    """Return the vector that a cell shows."""
    return [float(number) for number in re.findall(r"-?\d+", cell)]


def test_the_sessions_of_the_guide_give_what_it_shows():
    """Every session in the guide, run in order on the solution, prints what stands there."""
    session = "\n".join(BLOCKS).replace("from exercises.", "from solutions.")
    test = doctest.DocTestParser().get_doctest(session, {}, "m03_embedding.md", None, 0)

    result = doctest.DocTestRunner(verbose=False).run(test)

    assert result.failed == 0
    assert result.attempted >= 20


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

    assert "by 1 radian a token, the second by 1/100" in GUIDE
    assert angle.tolist() == pytest.approx([1, 0.01], rel=1e-4)


def test_the_vocabulary_of_the_guide_is_that_of_gpt2():
    """GPT-2 has 50,257 tokens."""
    from fixtures.nano import gpt2_encoding

    assert f"{gpt2_encoding().n_vocab:,} rows" in GUIDE


def test_the_guide_has_a_heading_for_every_task():
    """Reports point to a heading that starts with the task's id."""
    source = (REPOSITORY / "exercises" / "m03_embedding.py").read_text(encoding="utf-8")

    assert re.findall(r"^## (m03\.\d)", GUIDE, flags=re.MULTILINE) == sorted(set(re.findall(r"m03\.\d", source)))


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
