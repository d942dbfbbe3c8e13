"""What several checks of m13_quantization do."""

import torch

from grader.judge import counted, expect, expect_close, expect_equal, expect_tensor, sentence

from . import oracle

IN_PLACE = "an argument is changed in place (an operation whose name ends in _, or /=)"
PARTS = ("the integers", "the scale", "the zero point")


def expect_parts(actual, expected, misses=None, of=""):
    """Compare integers and zero points exactly, and scales to the last digits."""
    count = len(expected)
    found = counted(len(actual), "value") if isinstance(actual, tuple) else f"a {type(actual).__name__}"
    expect(
        isinstance(actual, tuple) and len(actual) == count, f"The call returned {found}, expected {count} in a tuple."
    )
    misses = oracle.likeliest_first(misses or {}, actual)
    for index in (0, *range(2, count), 1):
        what = PARTS[index] + of
        own = oracle.parts(misses, index)
        if index == 1:
            expect_close(actual[1], expected[1], atol=0.0, rtol=1e-6, misses=own, what=what)
        else:
            expect_equal(actual[index], expected[index], misses=own, what=what)


def expect_near(x, values, scale, what="a value"):
    """Fail unless the values are within half a step of x, and are not x itself."""
    expect_tensor(values, shape=tuple(x.shape), dtype=torch.float32, what=what)
    expect(scale.numel() <= x.numel(), "There are more scales than values.")
    gap = (values.double() - x.double()).abs() / scale.double()
    said = f"comes back {float(gap.max()):.3g} steps away; rounding moves it by at most 0.5."
    expect(bool((gap <= 0.5 + 1e-3).all()), sentence(what, said), evidence="value")
    expect(bool((gap > 1e-3).any()), "Everything comes back exactly: nothing was rounded.", evidence="value")


def expect_unchanged(student, function, *args, **settings):
    """Fail when a call changes one of its tensors."""
    given = student.probe.mutated(function, *args, **settings)["args"]
    for number, (value, wanted) in enumerate(zip(given, args, strict=True), start=1):
        if isinstance(wanted, torch.Tensor):
            what = f"argument {number} after the call"
            after, before = value.view(torch.uint8), wanted.view(torch.uint8)
            expect_equal(after, before, misses={IN_PLACE: after}, what=f"{what}, byte by byte,")
