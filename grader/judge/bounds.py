"""Bounds on what varies from run to run: shares of what is drawn, losses of what was learned, ratios of costs.

A bound that right code may miss by chance is a flake. So whoever measures the suites (`nox -s strength`) listens to how
far from its bounds each value stays; a run itself has no listener, and nothing is kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from grader.pictures import Bound
from grader.record import MEASURED, VALUE

from .compare import expect
from .outcomes import CheckFailed

Listener = Callable[[str, float, float, float], None]  # message, above, value, below
listener: Listener | None = None


def expect_bound(
    value: float,
    message: str,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    mistake: str | None = None,
    evidence: str = VALUE,
) -> None:
    """Fail with this message unless `above < value < below`: for what varies by chance, or by how busy a machine is."""
    if listener:
        listener(message, above, value, below)
    try:
        expect(above < value < below, message, mistake=mistake, evidence=evidence)
    except CheckFailed as failed:
        failed.picture = functools.partial(Bound, value, above, below)
        raise


def expect_ratio(measure: Callable[[], float], *, below: float, message: str, mistake: str | None = None) -> None:
    """Fail unless a ratio of costs that the judge measures is below a bound; `message` may hold `{ratio}`.

    One above it is measured a second time, which takes new inputs, since a busy machine may have stretched the first.
    """
    ratio = measure()
    if below <= ratio < 3 * below:
        ratio = min(ratio, measure())
    expect_bound(ratio, message.format(ratio=ratio), below=below, mistake=mistake, evidence=MEASURED)
