"""What the tests know of the suites' proofs, for those who measure with it."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(REPOSITORY / "tests"))

import degenerate  # noqa: E402 (of tests/, like the others)
import proving  # noqa: E402
import support  # noqa: E402
from proving import Trial, function  # noqa: E402

__all__ = ["REPOSITORY", "Trial", "degenerate", "function", "proving", "support"]
