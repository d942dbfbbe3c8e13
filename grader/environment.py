"""The Python that everything here needs: nox's own environment, found and started from any other Python.

Nothing but the standard library is imported here: this is what runs where nothing else is installed.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEEDED = ("torch", "pytest", "pytest_timeout", "rich", "psutil", "safetensors")
# Without docstrings and assertions there are no checks; and the grader lies where it is started, and nowhere else.
UNWANTED = ("PYTHONOPTIMIZE", "PYTHONSAFEPATH")
USAGE = 2


def elsewhere(arguments: list[str]) -> Callable[[], int] | None:
    """Return what runs Python with these arguments in nox's environment, or says why not; None where it is this one."""
    missing = next((name for name in NEEDED if importlib.util.find_spec(name) is None), None)
    if missing is None:
        return None
    python = os.path.join(ROOT, ".nox", "env", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    if not os.path.isfile(python) or os.path.samefile(os.path.dirname(python), os.path.dirname(sys.executable)):
        return lambda: refuse(f"this Python lacks {missing}; run nox -s env, which installs what is needed")
    return lambda: instead(python, arguments)


def refuse(why: str) -> int:
    """Say in one sentence why nothing can run."""
    print(f"scratchwork: {why}.", file=sys.stderr)
    return USAGE


def instead(python: str, arguments: list[str]) -> int:
    """Run Python with these arguments, another one or this one as it is needed; return its exit code."""
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, environment.get("PYTHONPATH"))))
    if os.name != "nt":  # there a process cannot become another one, as its caller would see it
        os.execve(python, [python, *arguments], environment)
    return subprocess.call([python, *arguments], env=environment)
