"""Whether a computation is in float64 throughout, where a constant of it may have been made in float32."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from grader.judge import FLOAT64_CONSTANT, expect_close

STEP = 2.0**-30  # float32 has 24 bits: what it holds and this much more are the same to it
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
    expect_close(first, right, atol=FLOAT64_CONSTANT, rtol=FLOAT64_CONSTANT, misses=misses, what=what)
    second, moved = function(near), (reference(near) - right) / STEP
    expect_close(second, reference(near), atol=FLOAT64_CONSTANT, rtol=FLOAT64_CONSTANT, what=what)
    atol = 0.009 * float(moved[moved != 0].abs().median())
    lost = {ON_THE_WAY: moved * 0.0}
    change = f"what a change of x in its tenth digit makes of {what}, times 2**30,"
    expect_close((second - first) / STEP, moved, atol=atol, rtol=1e-3, misses=lost, what=change)
