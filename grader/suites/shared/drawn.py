"""What a table of fresh weights was drawn from, as far as its shape tells."""

from torch import Tensor

ALIKE = "every number is the same: draw them from a normal distribution"
UNIFORM = "the numbers are drawn from a uniform distribution, not from a normal one"
TRUNCATED = "the normal distribution is truncated: nothing is to be cut off"


def shape_mistake(values: Tensor) -> str | None:
    """Say what is not normal in the shape of some 100,000 numbers, whatever their width and mean.

    The furthest of as many normal numbers is more than 3.8 standard deviations away (all but once in a million tables),
    of uniform ones 1.73, and of normal ones that are cut off at two or three standard deviations at most 3.05.
    """
    values = values.double().flatten()
    width = float(values.std())
    if width == 0:
        return ALIKE
    furthest = float((values - values.mean()).abs().max()) / width
    return UNIFORM if furthest < 1.9 else TRUNCATED if furthest < 3.5 else None
