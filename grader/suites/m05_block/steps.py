"""What several checks of m05_block do."""

import torch

from grader.judge import (
    FLOAT32_LAYER,
    expect,
    expect_close,
    expect_equal,
    expect_unchanged,
)

from . import oracle

EPS = 0.1  # large enough to show where it stands


def expect_state(student, layer, expected, *, keys=None, width=None):
    """Compare the keys of state_dict() and the shapes of the parameters; `width` is what another inner width means."""
    found = sorted(layer.state_dict())
    learnt = {name: tuple(value.shape) for name, value in student.probe.parameters(layer).items()}
    renamed = sorted(learnt.values()) == sorted(expected.values()) and not set(learnt) & set(expected)
    misses = {**(keys or {}), **({oracle.OTHER_NAMES: found} if renamed else {})}
    expect_equal(found, sorted(expected), misses=misses, what="the list of keys of state_dict()")
    mistake = oracle.NOT_A_PARAMETER if set(learnt) < set(expected) else None
    expect(set(learnt) == set(expected), f"The parameters are {sorted(learnt)}.", mistake=mistake)
    misses = {width: learnt} if width and _widened(expected, learnt) == learnt else {}
    expect_equal(learnt, expected, misses=misses, what="the shape of each parameter")


def _widened(shapes, like):
    """Return the shapes with the inner width of other ones."""
    (name,) = [name for name in shapes if name.endswith("c_fc.bias")]
    inner = like[name]
    widened = {}
    for name, shape in shapes.items():
        narrowing = name in ("c_proj.weight", "mlp.c_proj.weight")
        widened[name] = inner + shape[1:] if "c_fc" in name else shape[:1] + inner if narrowing else shape
    return widened


def expect_gradients(student, layer, reference, x, state, weights, wrong=None):
    """Compare the gradients of the input and of every parameter with those of the reference in float64."""
    found, names = student.probe.gradients(layer, [x], weights), list(state)

    def of(function):
        return oracle.gradients(
            lambda x, *parts: function(x, dict(zip(names, parts, strict=True))), (x, *state.values()), weights
        )

    expected = of(reference)
    actual = [found["args"][0], *(found["parameters"].get(name) for name in names)]
    for place, (name, mine, right) in enumerate(zip(["the input", *names], actual, expected, strict=True)):
        others = {words: lambda function=f, place=place: of(function)[place] for words, f in (wrong or {}).items()}
        misses = {oracle.CUT: torch.zeros_like(right), **others}
        atol = max(FLOAT32_LAYER, oracle.thousandth(right))  # sums over tokens: rounding grows with what is summed
        expect_close(mine, right, atol=atol, rtol=1e-4, misses=misses, what=f"the gradient of {name}")


def expect_untouched(student, function, x):
    """Compare an argument after the call with what it was before."""
    after = student.probe.mutated(function, x)
    expect_unchanged(after["args"][0], x, what="the input after the call")
