"""What failed last, as Python that can be run: `.scratchwork/failures/m04.2.py`, and the first of a run once more.

Written by practice runs with a public seed, and by no others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .judge.calls import Calls

REPOSITORY = Path(__file__).resolve().parents[1]
CALL = "# The last call:"  # before it, its inputs are made
LAST = "last_failure"  # the first of the last run's failures


def path_of(state: Path, task: str) -> Path:
    """Return where the lines of a task's failure lie."""
    return state / "failures" / f"{task}.py"


def keep(state: Path, submission: Path, found: Mapping[str, tuple[str, Calls]], graded: Iterable[str]) -> None:
    """Write each failure, by its task, and forget those of the other tasks that were graded. Raises OSError.

    `found` gives for a task the module that it is in, and its calls, the first to be mended first.
    """
    for task in graded:
        if task not in found:
            _remove(path_of(state, task))
    last = state / f"{LAST}.py"
    if any(_is_of(last, task) for task in graded):
        _remove(last)
    for place, (task, (module, calls)) in enumerate(found.items()):
        _write(path_of(state, task), submission, module, calls)
        if place == 0:
            _write(last, submission, module, calls)


def _write(path: Path, submission: Path, module: str, calls: Calls) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = path.with_suffix(".pt")
    if calls.data:
        data.write_bytes(calls.data)
    else:
        data.unlink(missing_ok=True)
    given = [repr(str(submission.resolve())), repr(module), f"dice={calls.dice}"]
    given += [f"device={calls.device!r}"] if calls.device != "cpu" else []
    given += [f"data={str(data.resolve())!r}"] if calls.data else []
    text = [
        f"# {calls.task}: {calls.title}",
        "# What this check called, without the sandbox. It is written anew by each run in which it fails.",
        "import sys",
        "",
        f"sys.path.insert(0, {str(REPOSITORY)!r})",
        "from grader.trying import begin",
        "",
        f"globals().update(begin({', '.join(given)}))",
        "",
        *calls.lines[:-1],
        CALL,
        calls.lines[-1],
        "print(result)",
    ]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def _is_of(path: Path, task: str) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().startswith(f"# {task}:")
    except (OSError, UnicodeError):
        return False


def _remove(path: Path) -> None:
    for part in (path, path.with_suffix(".pt")):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
