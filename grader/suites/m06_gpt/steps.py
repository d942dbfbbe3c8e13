"""What several checks of m06_gpt do."""

import pytest

from . import oracle

SIZES = oracle.SIZES


LARGE = pytest.mark.limits(memory_mb=4096, seconds=120)  # GPT-2 small fits; gpt2-nano needs a second


def ids_and_state(draw, sizes=SIZES, seq=7):
    """Draw ids and weights for a model."""
    return draw.integers(0, sizes["vocab_size"], 4, seq), oracle.random_state(draw, sizes)
