"""What several checks of m04_attention do."""

import torch

from grader.judge import FLOAT32_LAYER, expect_answer, expect_close
from grader.suites.shared import attention as shared

from . import oracle


def expect_attention(student, *args, atol=FLOAT32_LAYER, expected=None, simpler=(), mistake=None):
    """Compare the student's attention with the reference, or with what is expected, and with the near misses.

    `mistake` is what it means when this raises and the simpler arguments do not.
    """
    attend = student.scaled_dot_product_attention
    actual = expect_answer(attend, *args, simpler=simpler or args, mistake=mistake)
    expected = shared.attention(*args) if expected is None else expected
    rtol = torch.finfo(expected.dtype).eps  # the last digit of a coarse dtype
    expect_close(actual, expected, atol=atol, rtol=rtol, misses=oracle.attention_misses(*args))


def layer_with(student, state, n_heads, dropout=0.0):
    """Make the student's layer, in eval mode and with these weights."""
    bias = "c_proj.bias" in state
    layer = student.MultiHeadAttention(len(state["c_proj.weight"]), n_heads, dropout=dropout, bias=bias)
    layer.load_state_dict(state)
    layer.eval()
    return layer
