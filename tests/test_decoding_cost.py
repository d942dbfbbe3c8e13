"""What a worker sends costs the judge time in proportion to its size, whatever it is made of."""

from __future__ import annotations

import pytest

from benchmarks.decoding import SHAPES, ratio

MOST = 200  # times a list of integers of the same size; the worst is 80, lists in lists, and colliding sets were 460


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_costs_much_more_than_plain_numbers(shape):
    """A megabyte of any shape is read, decoded and described in a bounded number of times what a plain list takes."""
    once = ratio(shape, rounds=1)

    assert once < MOST or ratio(shape) < MOST  # a busy machine may have stretched the first
