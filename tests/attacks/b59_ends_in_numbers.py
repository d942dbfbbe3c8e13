"""Tells what it has read by how it ends while it is imported: by one of two hundred and fifty-five exit codes.

outcomes: crashed
"""

import os
import sys

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

os._exit(173)
