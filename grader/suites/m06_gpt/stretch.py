"""m06_gpt's stretch goal: more tokens a second through model, loss and gradients."""

import torch.nn.functional as F

from grader.judge import expect_close
from grader.judge.probes import model as gpt
from grader.judge.probes import stretch
from grader.suites.shared.stretching import per_second

from . import oracle

SIZES = {"vocab_size": 512, "context_length": 128, "d_model": 64, "n_layers": 3, "n_heads": 4}
BATCH = 8


def measure(student, draw, data, weights):
    """Return how many tokens a second of processor time a step of training takes through the model."""
    state = oracle.random_state(draw, SIZES)
    ids = draw.integers(0, SIZES["vocab_size"], BATCH, SIZES["context_length"])
    targets = draw.integers(0, SIZES["vocab_size"], BATCH, SIZES["context_length"])
    model, steps = oracle.student_model(student, SIZES, state), student.plant(stretch).steps

    def work(count):
        return steps(count, model, student.next_token_loss, ids, targets)

    found, loss = per_second(student, work, ids.numel())
    scores = gpt.build(SIZES, state)(ids)
    expected = F.cross_entropy(scores.flatten(0, 1), targets.flatten()).detach()
    expect_close(loss, expected, atol=1e-4 * float(expected), what="the loss")
    return found
