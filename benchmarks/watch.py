"""How long a student waits from saving a file to the verdict, beyond the checks' own work, while `watch` runs."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROUNDS = 5


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    sys.path.insert(0, str(REPOSITORY / "tests"))
    from watching import Terminal

    with tempfile.TemporaryDirectory() as name:
        folder, state = Path(name) / "mine", Path(name) / "state"
        shutil.copytree(REPOSITORY / "solutions", folder, ignore=shutil.ignore_patterns("__pycache__"))
        module = folder / "m04_attention.py"
        source = module.read_text(encoding="utf-8")
        waits, works = [], []
        with Terminal("m04", "--submission", str(folder), state=state) as terminal:
            terminal.screen()
            for round_ in range(ROUNDS + 1):  # the first is not counted
                start = time.perf_counter()
                module.write_text(f"{source}\n# saved {round_} times\n", encoding="utf-8")
                terminal.screen()
                if round_:
                    waits.append(time.perf_counter() - start)
                    works.append(work(state / "progress.json"))
    beyond = statistics.median(wait - own for wait, own in zip(waits, works, strict=True))
    yield f"m04: from save to verdict, median of {ROUNDS}", f"{statistics.median(waits):.2f} s"
    yield "m04: the checks' own work, isolation included", f"{statistics.median(works):.2f} s"
    yield "m04: beyond the checks' own work (at most 1 s)", f"{beyond:.2f} s"


def work(progress: Path) -> float:
    """Return the seconds that the checks of the last run took."""
    state = json.loads(progress.read_text(encoding="utf-8"))
    (submission,) = state["submissions"].values()
    tasks = submission["m04_attention"]["record"]["tasks"]
    return float(sum(check["seconds"] for task in tasks for check in task["checks"]))
