"""What several checks of m15_llama do."""

import pytest

from grader.judge import expect, expect_close, expect_equal, expect_unchanged

from . import oracle, oracle_model
from . import probes as m15_probes

SIZES, KIN = oracle_model.SIZES, oracle_model.KIN
LARGE = pytest.mark.checkpoint(copies=4, of="llama")  # the file, the model, and what a solution makes on the way


def loaded(student, module, state):
    """Give a module of the student's these weights."""
    module.load_state_dict(state)
    return module


def student_model(student, sizes, state):
    """Make the student's model of these sizes, in eval mode and with these weights."""
    return student.plant(m15_probes).fill(student.Llama(student.LlamaConfig(**sizes)), state)


def ids_and_state(draw, sizes=SIZES, batch=3, seq=11):
    """Draw ids and weights for a model."""
    return draw.integers(0, sizes["vocab_size"], batch, seq), oracle_model.random_state(draw, sizes)


def expect_logits(actual, ids, state, sizes=SIZES, **options):
    """Compare logits with those of the reference, and with the near misses."""
    expected = oracle_model.logits(ids, state, sizes)
    atol = oracle.thousandth(expected)
    expect_close(actual, expected, atol=atol, rtol=1e-4, misses=oracle_model.misses(ids, state, sizes), **options)


def expect_state(student, layer, shapes, misses=None):
    """Compare the names and shapes of a module's state, which are its parameters'."""
    found = sorted(layer.state_dict())
    expect_equal(found, sorted(shapes), misses=misses and misses(found), what="the list of keys of state_dict()")
    learnt = {name: tuple(value.shape) for name, value in student.probe.parameters(layer).items()}
    expect(learnt.keys() == shapes.keys(), f"The parameters are {sorted(learnt)}.")
    expect_equal(learnt, dict(shapes), what="the shape of each parameter")


def expect_untouched(student, function, *args):
    """Compare all arguments after a call with what they were before."""
    after = student.probe.mutated(function, *args)
    for place, (found, before) in enumerate(zip(after["args"], args, strict=True)):
        expect_unchanged(found, before, what=f"argument {place} after the call")


def expect_gradients(student, function, reference, args, weights):
    """Compare the gradients of all arguments with those of the reference in float64."""
    found = student.probe.gradients(function, list(args), weights)["args"]
    for place, (mine, right) in enumerate(zip(found, oracle.gradients(reference, args, weights), strict=True)):
        misses = {oracle.CUT: right * 0}
        atol = oracle.thousandth(right)
        expect_close(mine, right, atol=atol, rtol=1e-3, misses=misses, what=f"the gradient of argument {place}")


def filled(student, llama_weights):
    """Make the student's model of the checkpoint's sizes, with its weights put in place by the judge, in eval mode."""
    model = student.Llama(student.LlamaConfig(**llama_weights.sizes))
    return student.plant(m15_probes).fill_from_file(model, llama_weights.inside(student))


def expect_their_logits(actual, expected, what):
    """Compare logits with transformers' own: sums of float32 in another order, over hundreds of terms."""
    misses = {"the result is a log-softmax: return the scores as they are": lambda: expected.log_softmax(-1)}
    atol = 1e-3 * float(expected.abs().median())
    expect_close(actual, expected, atol=atol, rtol=1e-3, misses=misses, what=what)
