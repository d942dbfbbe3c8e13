"""What several checks of m06_gpt do."""

import pytest

from . import oracle

SIZES = oracle.SIZES


LARGE = pytest.mark.checkpoint(copies=8)  # the file, the state, the model, and what a solution makes on the way


def ids_and_state(draw, sizes=SIZES, seq=7):
    """Draw ids and weights for a model."""
    return draw.integers(0, sizes["vocab_size"], 4, seq), oracle.random_state(draw, sizes)
