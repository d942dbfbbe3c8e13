"""m13_quantization's stretch goal: more tokens a second through a quantized GPT."""

import torch

from grader.judge import expect, expect_tensor
from grader.judge.probes import model as gpt
from grader.judge.probes import stretch
from grader.suites.shared.stretching import per_second

from . import oracle_gpt


def measure(student, draw, data, weights):
    """Return how many tokens a second of processor time pass through a GPT that quantize_model made."""
    tokens, windows = oracle_gpt.stories(data, draw)
    state, sizes = oracle_gpt.first_layers(weights, tokens)
    model, inside = student.plant(gpt).build(sizes, state), student.plant(stretch)
    student.quantize_model(model, skip=("lm_head",))
    ids = windows[:, :-1]

    found, logits = per_second(student, lambda count: inside.watched(count, model, ids), ids.numel())

    expect_tensor(logits, shape=(*ids.shape, len(tokens)), dtype=torch.float32, what="the tensor of logits")
    with torch.no_grad():
        before = gpt.build(sizes, state)(ids)
    rise = oracle_gpt.loss(logits, windows) - oracle_gpt.loss(before, windows)
    expect(rise < oracle_gpt.MARGIN, f"The loss rises by {rise:.3f}.", evidence="value")
    moved = float((logits - before).abs().median() / before.abs().median())
    expect(moved > 1e-4, "The logits are those of the float model.", evidence="value")
    return found
