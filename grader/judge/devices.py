"""Whether the student's code stays on the device of what it is given."""

from __future__ import annotations

from typing import Any

from grader.sandbox.conversation import read_frames

from . import mistakes
from .outcomes import CheckFailed


def expect_one_device(student: Any, function: Any, args: list[Any], *, mistake: str) -> None:
    """Fail when a function or layer mixes the device of its arguments with another; the device need not exist."""
    report = student.probe.fake_device(function, args)
    mistakes.check(mistake)
    if report["verdict"] == "mismatch":
        raise CheckFailed(f"On another device: {report['message']}", mistake, read_frames(report.get("frames")))
