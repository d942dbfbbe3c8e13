"""m15_llama's stretch goal: more tokens a second through the model."""

import torch

from grader.judge import expect_close
from grader.judge.probes import stretch
from grader.suites.shared.stretching import per_second

from . import oracle, oracle_model
from .steps import student_model

SIZES = {
    "vocab_size": 512,
    "d_model": 96,
    "n_layers": 3,
    "n_heads": 8,
    "n_kv_heads": 2,
    "d_ff": 256,
    "theta": 10000.0,
}
BATCH, SEQ = 2, 256


def measure(student, draw, data, weights):
    """Return how many tokens a second of processor time pass through the model, without gradients."""
    state, ids = oracle_model.random_state(draw, SIZES, 0.1), draw.integers(0, SIZES["vocab_size"], BATCH, SEQ)
    model, watched = student_model(student, SIZES, state), student.plant(stretch).watched
    found, actual = per_second(student, lambda count: watched(count, model, ids), ids.numel())
    with torch.no_grad():
        expected = oracle_model.logits(ids, state, SIZES)
    expect_close(actual, expected, atol=oracle.thousandth(expected), rtol=1e-3, what="the result")
    return found
