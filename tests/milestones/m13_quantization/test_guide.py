"""The worked examples of m13_quantization, in its guide and its docstrings, are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import support
import torch

from solutions import m13_quantization as m13

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m13_quantization.md").read_text(encoding="utf-8")
PROSE = " ".join(GUIDE.split())


def int8(*values):
    """Return a tensor of int8."""
    return torch.tensor(values, dtype=torch.int8)


def test_the_table_of_the_guide_is_right():
    """Each column of the guide's table follows from the one before it, and no error exceeds half a step."""
    rows = [line.strip("| ").split(" | ") for line in GUIDE.splitlines() if re.match(r"\| -?\d", line)]
    numbers = [[float(cell) for cell in row] for row in rows]

    assert [row[0] for row in numbers] == [6.35, -1.03, 0.12, 0.01]
    for weight, quotient, rounded, back, error in numbers:
        assert quotient == pytest.approx(weight / (6.35 / 127))
        assert rounded == round(quotient)
        assert back == pytest.approx(rounded * 0.05)
        assert error == pytest.approx(abs(weight - back))
        assert error <= 0.025
    assert "1.03 / 127 ≈ 0.0081" in PROSE and round(1.03 / 127, 4) == 0.0081
    assert "no error above 0.0041" in PROSE and round(1.03 / 127 / 2, 4) == 0.0041


def test_the_sums_of_the_guide_are_right():
    """Bits a weight, the largest sum of products and the bytes of a layer are what the guide says."""
    assert "4 + 32 / 32 = 5 bits" in PROSE and 4 + 32 / 32 == 5
    assert "128 · 127 · 127 is 2,064,512" in PROSE and 128 * 127 * 127 == 2064512
    assert "4 · (512 · 64 + 64) = 131,328" in PROSE and 4 * (512 * 64 + 64) == 131328
    assert "512 · 64 + 2 · 4 · 64 = 33,280" in PROSE and 512 * 64 + 2 * 4 * 64 == 33280


def test_the_bytes_of_gpt2_nano_are_right():
    """The matrices of gpt2-nano's blocks take as many bytes as the guide says, before and after."""
    state = support.weights().linear_state()
    matrices = [value for name, value in state.items() if name.startswith("h.") and value.ndim == 2]
    assert len({name.split(".")[1] for name in state if name.startswith("h.")}) == 4

    before = sum(4 * value.numel() for value in matrices)
    after = sum(q.numel() + 4 * scale.numel() for q, scale in (m13.quantize_absmax(value, 0) for value in matrices))

    assert f"from {before:,} bytes to {after:,}" in PROSE


def test_the_example_of_absmax_is_right():
    """The docstring's two rows have the integers and scales that it says, with one scale and with two."""
    x = torch.tensor([[127, -2.5], [0, 0]])
    assert "[[127, -2.5], [0, 0]] gives [[127, -2], [0, 0]]" in m13.quantize_absmax.__doc__

    (q, scale), (by_row, scales) = m13.quantize_absmax(x), m13.quantize_absmax(x, axis=0)

    assert q.tolist() == by_row.tolist() == [[127, -2], [0, 0]]
    assert (scale.item(), scales.tolist()) == (1, [[1], [1]])


def test_the_example_of_zero_point_is_right():
    """The docstring's four values have the integers, scale and zero point that it says."""
    assert "[-55, 0, 2.5, 200] gives [-128, -73, -71, 127]" in m13.quantize_zero_point.__doc__

    q, scale, zero_point = m13.quantize_zero_point(torch.tensor([-55, 0, 2.5, 200]))

    assert (q.tolist(), scale.item(), zero_point.item()) == ([-128, -73, -71, 127], 1, -73)


def test_the_example_of_dequantize_is_right():
    """The docstring's two integers are the two numbers that it says."""
    assert "q [127, -128] with the scale 0.5 and the zero point -100 is [113.5, -14]" in m13.dequantize.__doc__
    assert m13.dequantize(int8(127, -128), torch.tensor(0.5), int8(-100)).tolist() == [113.5, -14]


def test_the_examples_of_four_bits_are_right():
    """The docstrings' bytes and scales are what comes out."""
    assert "[1, -1, 7] is [0xF1, 0x07]" in m13.pack_int4.__doc__
    assert m13.pack_int4(int8(1, -1, 7)).tolist() == [0xF1, 0x07]
    assert "[7, -2.5, 3.5, 1] in groups of 2 gives [0xE7, 0x27] and the scales [1, 0.5]" in m13.quantize_int4.__doc__

    packed, scales = m13.quantize_int4(torch.tensor([7, -2.5, 3.5, 1]), 2)

    assert (packed.tolist(), scales.tolist()) == ([0xE7, 0x27], [1, 0.5])


def test_the_example_of_int8_linear_is_right():
    """The docstring's product is what comes out."""
    x, weight, scale = torch.tensor([[127, -2.5]]), int8(100, 3)[None], torch.tensor([[0.5]])

    assert "give (12700 - 6) * 1 * 0.5, so [[6347]]" in m13.int8_linear.__doc__
    assert m13.int8_linear(x, weight, scale).tolist() == [[(12700 - 6) * 1 * 0.5]] == [[6347]]


def test_the_formulas_of_the_guide_are_right():
    """Scale and integers, computed as the formulas say, are what the solution gives, with a zero point and without."""
    x = torch.tensor([-55, 0, 2.5, 200])

    q, scale = m13.quantize_absmax(x)
    assert scale.item() == pytest.approx(200 / 127)
    assert q.tolist() == [round(value / (200 / 127)) for value in x.tolist()]
    q, scale, zero_point = m13.quantize_zero_point(x)
    assert scale.item() == (200 + 55) / 255
    assert q.tolist() == [round(value / scale.item()) + zero_point.item() for value in x.tolist()]


def test_the_answers_of_the_guide_are_right():
    """A step is 314 / 127, int8's products need 16 bits each and 32 for a sum, and groups of 8 cost 8 bits a weight."""
    assert "314 / 127 ≈ 2.47" in PROSE and round(314 / 127, 2) == 2.47
    assert "127 · 127 = 16,129" in PROSE and 127 * 127 == 16_129
    assert "Even 16 bits hold only two such products" in PROSE
    assert 2 * 16_129 <= torch.iinfo(torch.int16).max < 3 * 16_129
    assert "they cost 8 bits a weight" in PROSE and 4 + 32 / 8 == 8
