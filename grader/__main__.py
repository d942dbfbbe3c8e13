"""`python -m grader …`, in the shared environment: from any other Python it starts that one's."""

import importlib.util
import os
import subprocess
import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit(f"scratchwork: needs Python 3.11 to 3.14, and this is {sys.version.split()[0]}.")

NEEDED = ("torch", "pytest", "pytest_timeout", "rich", "psutil", "safetensors")


def environment() -> str:
    """Return the Python of the environment that nox has installed; leaves with one sentence when there is none."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    python = os.path.join(root, ".nox", "env", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    missing = next(name for name in NEEDED if importlib.util.find_spec(name) is None)
    if not os.path.isfile(python) or os.path.samefile(os.path.dirname(python), os.path.dirname(sys.executable)):
        sys.exit(f"scratchwork: this Python lacks {missing}; run nox once, which installs what is needed.")
    return python


if any(importlib.util.find_spec(name) is None for name in NEEDED):
    sys.exit(subprocess.call([environment(), "-m", "grader", *sys.argv[1:]]))

from grader.cli import main  # noqa: E402 the check of the interpreter comes first

sys.exit(main())
