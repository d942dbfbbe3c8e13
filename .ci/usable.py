"""Exit code 0 when this Python is one of the course's, can make virtual environments, and every user can read it."""

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from grader.sandbox.users import readable_by_others

wanted = [Path(os.path.realpath(sys.executable)), Path(sysconfig.get_path("stdlib"))]
sys.exit(
    not (
        (3, 11) <= sys.version_info[:2] <= (3, 14)
        and importlib.util.find_spec("ensurepip")
        and all(readable_by_others(path) for path in wanted)
    )
)
