"""`python -m grader …`, in the shared environment: from any other Python it starts that one's."""

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


def command() -> Callable[[], int]:
    """Return what runs the command line, here or in the Python that it needs; that of nox's environment, mostly."""
    version = sys.version_info[:2]
    if not (3, 11) <= version <= (3, 14):
        return lambda: refuse(f"needs Python 3.11 to 3.14, and this is {sys.version.split()[0]}")
    missing = next((name for name in NEEDED if importlib.util.find_spec(name) is None), None)
    if missing:
        python = os.path.join(
            ROOT, ".nox", "env", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
        )
        if not os.path.isfile(python) or os.path.samefile(os.path.dirname(python), os.path.dirname(sys.executable)):
            return lambda: refuse(f"this Python lacks {missing}; run nox once, which installs what is needed")
        return lambda: instead(python)
    if sys.flags.optimize:
        return lambda: instead(sys.executable)
    from grader.cli import main

    return main


def refuse(why: str) -> int:
    """Say in one sentence why nothing can run."""
    print(f"scratchwork: {why}.", file=sys.stderr)
    return USAGE


def instead(python: str) -> int:
    """Run the same command line with another Python, or with this one as it is needed; return its exit code."""
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, environment.get("PYTHONPATH"))))
    arguments = [python, "-m", "grader", *sys.argv[1:]]
    if os.name != "nt":  # there a process cannot become another one, as its caller would see it
        os.execve(python, arguments, environment)
    return subprocess.call(arguments, env=environment)


if __name__ == "__main__":
    from grader import streams

    sys.exit(streams.run(command()))
