"""How long a student waits: from `python -m grader grade m04` to the first result, and what nox adds."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROUNDS = 5
GRADE = ["-m", "grader", "grade", "m04", "--submission", "solutions", "--all"]


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    firsts, wholes, through_nox = [], [], []
    nox = shutil.which("nox") or str(REPOSITORY / ".venv" / "bin" / "nox")
    for _ in range(ROUNDS):
        first, whole = timed([sys.executable, *GRADE])
        firsts.append(first)
        wholes.append(whole)
        if Path(nox).exists():
            _, whole = timed([nox, "-s", "grade", "--", *GRADE[3:]])
            through_nox.append(whole)
    yield f"first result on the screen, median of {ROUNDS}", f"{statistics.median(firsts):.2f} s"
    yield f"whole run of m04, median of {ROUNDS}", f"{statistics.median(wholes):.2f} s"
    if through_nox:
        pairs = [there - here for there, here in zip(through_nox, wholes, strict=True)]
        yield "added by nox, median of the differences", f"{statistics.median(pairs):.2f} s"
    for name in ("torch", "pytest", "transformers.models.gpt2.modeling_gpt2", "rich.console"):
        yield f"import of {name} in a fresh process", f"{statistics.median(imports(name)):.2f} s"


def timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds until the first check's result was printed, and until the end."""
    start, first = time.perf_counter(), 0.0
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not first and line.startswith("m04."):
                first = time.perf_counter() - start
    return first, time.perf_counter() - start


def imports(name: str) -> list[float]:
    """Return the seconds that importing a module takes, Python's own start taken off."""
    empty = min(timed([sys.executable, "-c", "pass"])[1] for _ in range(3))
    return [timed([sys.executable, "-c", f"import {name}"])[1] - empty for _ in range(3)]
