"""The ways to make a kept model smaller, and what each is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grader.submission import Submission
from grader.syllabus import Syllabus

from .parts import lacking


@dataclass(frozen=True)
class Way:
    """One way to store a model: a function of the driver, what it is made of, and the folder of its result, if kept."""

    function: str
    says: str
    needs: Mapping[str, tuple[int, ...]]
    folder: str = ""
    trains: bool = False


AS_IT_WAS = Way("whole", "as it was", {})
WAYS = (
    Way("int8", "int8 (m13)", {"m13_quantization": (1, 4, 5)}, "int8"),
    Way("int4", "int4 in groups (m13)", {"m13_quantization": (1, 3, 4, 5)}),
    Way("halved", "half of the weights 0 (m14)", {"m14_pruning": (1,)}),
    Way("fours", "two of four left out (m14)", {"m14_pruning": (1, 2)}),
    Way("trained", "and trained on (m14)", {"m14_pruning": (1, 2, 5)}, "pruned", trains=True),
    Way("neurons", "half of the neurons (m14)", {"m14_pruning": (4,)}),
)


def written(mine: Submission, course: Syllabus) -> list[Way]:
    """Return the ways that somebody has written."""
    return [way for way in WAYS if not lacking(mine, course, way.needs)]
