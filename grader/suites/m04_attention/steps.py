"""What several checks of m04_attention do."""

import torch

from grader.judge import FLOAT32_LAYER, expect, expect_answer, expect_close
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


def expect_same_weights_for_wide_values(student, query, key, value):
    """Attend to values of one number, and to the same as wide as a query: the weights may not differ.

    Told apart before near misses are looked at: divided by the root of 1, scores are as if they were not divided.
    """
    wide = value.expand(-1, query.shape[-1]).contiguous()
    attend = student.scaled_dot_product_attention
    found = [
        expect_answer(attend, query, key, each, simpler=(query, key, each), mistake=None) for each in (wide, value)
    ]
    shapes = [(len(query), wide.shape[-1]), (len(query), 1)]
    if all(type(one) is torch.Tensor and one.shape == shape for one, shape in zip(found, shapes, strict=True)):
        same = torch.allclose(found[0][:, :1].double(), found[1].double(), atol=FLOAT32_LAYER, equal_nan=True)
        message = "The same values, given once and given once more beside each other, are mixed by other weights."
        expect(same, message, mistake=oracle.BY_VALUE, evidence="value")


def layer_with(student, state, n_heads, dropout=0.0):
    """Make the student's layer, in eval mode and with these weights."""
    bias = "c_proj.bias" in state
    layer = student.MultiHeadAttention(len(state["c_proj.weight"]), n_heads, dropout=dropout, bias=bias)
    layer.load_state_dict(state)
    layer.eval()
    return layer
