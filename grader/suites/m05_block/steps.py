"""What several checks of m05_block do."""

import torch

from grader.judge import (
    FLOAT32_LAYER,
    expect,
    expect_close,
    expect_equal,
)

from . import oracle

EPS = 0.1  # large enough to show where it stands


def expect_state(student, layer, expected, **misses):
    """Compare the keys of state_dict() and the shapes of the parameters."""
    found = sorted(layer.state_dict())
    learnt = {name: tuple(value.shape) for name, value in student.probe.parameters(layer).items()}
    mistake = oracle.NOT_A_PARAMETER if set(learnt) < set(expected) else None
    expect_equal(found, sorted(expected), misses=misses.get("keys"), what="the list of keys of state_dict()")
    expect(set(learnt) == set(expected), f"The parameters are {sorted(learnt)}.", mistake=mistake)
    expect_equal(learnt, expected, what="the shape of each parameter")


def expect_gradients(student, layer, reference, x, state, weights):
    """Compare the gradients of the input and of every parameter with those of the reference in float64."""
    found, names = student.probe.gradients(layer, [x], weights), list(state)
    expected = oracle.gradients(
        lambda x, *parts: reference(x, dict(zip(names, parts, strict=True))), (x, *state.values()), weights
    )
    actual = [found["args"][0], *(found["parameters"].get(name) for name in names)]
    for name, mine, right in zip(["the input", *names], actual, expected, strict=True):
        misses = {oracle.CUT: torch.zeros_like(right)}
        atol = max(FLOAT32_LAYER, oracle.thousandth(right))  # sums over tokens: rounding grows with what is summed
        expect_close(mine, right, atol=atol, rtol=1e-4, misses=misses, what=f"the gradient of {name}")


def expect_untouched(student, function, x):
    """Compare an argument after the call with what it was before."""
    after = student.probe.mutated(function, x)
    expect_close(after["args"][0], x, atol=0.0, what="the input after the call")
