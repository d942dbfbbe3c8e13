"""m04_attention's stretch goal: more tokens a second, forwards and backwards, in a long text."""

import torch

from grader.judge import FLOAT32_MODEL, expect_close
from grader.judge.probes import stretch
from grader.suites.shared import attention as shared
from grader.suites.shared.stretching import per_second

from .steps import layer_with

BATCH, SEQ, D_MODEL, N_HEADS = 4, 512, 64, 4


def measure(student, draw, data, weights):
    """Return how many tokens a second of processor time passes through the layer, at 512 positions."""
    state, x = shared.random_state(draw, D_MODEL), draw.normal(BATCH, SEQ, D_MODEL)
    layer, learning = layer_with(student, state, N_HEADS), student.plant(stretch).learning

    found, (result, gradient) = per_second(student, lambda count: learning(count, layer, x), BATCH * SEQ)

    own = x.clone().requires_grad_()
    expected = shared.multi_head(own, state, N_HEADS)
    expected.square().mean().backward()
    expect_close(result, expected.detach(), atol=shared.thousandth(expected.detach()), what="the result")
    wanted = own.grad if own.grad is not None else torch.zeros_like(x)
    expect_close(gradient, wanted, atol=min(FLOAT32_MODEL, shared.thousandth(wanted)), what="the gradient")
    return found
