"""Whether a computation is in float64 throughout, where a constant of it may have been made in float32."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from grader.judge import FLOAT64_CONSTANT, CheckFailed, expect_close

STEP = 2.0**-30  # float32 has 24 bits: what it holds and this much more are the same to it
AS_FLOAT32 = 1e-5  # as exact as a layer in float32 is
ON_THE_WAY = "float32 stands on the way: what float64 adds to its digits is lost"


def expect_float64(
    function: Callable[[Tensor], Any],
    reference: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    misses: Mapping[str, Any] | None = None,
    what: str = "the result",
) -> None:
    """Compare in float64, and compare what a change of x makes that float32 cannot see.

    A constant that was made in float32, as `torch.sqrt(torch.tensor(2 / pi))` is, moves a result by some 1e-8 and no
    contract forbids it; arithmetic in float32 moves it by hardly more. But to that one a change of x in its tenth
    digit is none at all.
    """
    x = x.float().double()
    near = x * (1 + STEP * torch.arange(x.numel()).double().cos().reshape(x.shape))
    first, right = function(x), reference(x)
    _expect_exact(first, right, misses, what)
    second, moved = function(near), (reference(near) - right) / STEP
    _expect_exact(second, reference(near), misses, what)
    atol = 0.009 * float(moved[moved != 0].abs().median())
    change = f"what a change of x in its tenth digit makes of {what}, times 2**30,"
    try:
        expect_close((second - first) / STEP, moved, atol=atol, rtol=1e-3, what=change)
    except CheckFailed as failed:  # both are right to seven digits and more
        failed.mistake = ON_THE_WAY
        raise


def _expect_exact(actual: Any, right: Tensor, misses: Mapping[str, Any] | None, what: str) -> None:
    try:
        expect_close(actual, right, atol=FLOAT64_CONSTANT, rtol=FLOAT64_CONSTANT, misses=misses, what=what)
    except CheckFailed as failed:
        same = type(actual) is Tensor and actual.shape == right.shape and actual.dtype == right.dtype
        if failed.mistake is None and same and torch.allclose(actual, right, atol=AS_FLOAT32, rtol=AS_FLOAT32):
            failed.mistake = ON_THE_WAY
        raise
