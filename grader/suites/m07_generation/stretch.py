"""m07_generation's stretch goal: to write more tokens in a second, with a cache."""

import torch

from grader.judge import expect, expect_equal, expect_tensor
from grader.judge.probes import stretch
from grader.suites.shared.stretching import per_second

from . import oracle
from .steps import trusted

SIZES = {"vocab_size": 300, "context_length": 400, "d_model": 64, "n_layers": 4, "n_heads": 4}
PROMPT, NEW = 256, 128


def measure(student, draw, data, weights):
    """Return how many new tokens a second of processor time writes after a prompt of 256."""
    state, prompt = oracle.random_state(draw, SIZES), draw.integers(0, SIZES["vocab_size"], 1, PROMPT)
    model, again = trusted(student, SIZES, state), student.plant(stretch).again

    def work(count):
        return again(count, student.generate_cached, model, prompt, NEW, temperature=0)

    found, text = per_second(student, work, NEW)
    expect_tensor(text, shape=(1, PROMPT + NEW), dtype=torch.int64, what="the text")
    expect_equal(text[:, :PROMPT], prompt, what="the beginning of the text")
    with torch.no_grad():
        scores = oracle.trusted(SIZES, state)(text[:, :-1])[:, -NEW:]
    chosen = scores.gather(-1, text[:, -NEW:, None].clamp(0, SIZES["vocab_size"] - 1))[..., 0]
    lacking = float((scores.amax(-1) - chosen).max())
    expect(lacking < 1e-3, f"A new token's logit is {lacking:.3g} below the largest at its place.", evidence="value")
    return found
