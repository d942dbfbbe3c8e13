"""What a test needs of the system that it runs on, each need once and by its name; where it is missing tests skip.

CI runs the tests on Linux, macOS and Windows. A test without any of these marks runs on all three.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

import pytest

from grader.sandbox import levels

ON_LINUX = sys.platform.startswith("linux")
POSIX = os.name == "posix" and sys.platform != "win32"
ROOT = POSIX and os.geteuid() == 0


def can_link() -> bool:
    """Whether this user may make symbolic links: Windows has a right for it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.symlink(folder, os.path.join(folder, "link"))
        except OSError:
            return False
    return True


linux = pytest.mark.skipif(not ON_LINUX, reason="it uses what only Linux has: namespaces, /proc, its tools")
as_root = pytest.mark.skipif(not (ON_LINUX and ROOT), reason="the user level and other users need a judge that is root")
not_root = pytest.mark.skipif(not POSIX or ROOT, reason="it needs a user whom modes of files bind, and root is none")
posix = pytest.mark.skipif(
    not POSIX, reason="it uses what POSIX systems have: shell scripts, modes of files, terminals"
)
bash = pytest.mark.skipif(not POSIX or shutil.which("bash") is None, reason="it runs a script of bash")
pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
links = pytest.mark.skipif(not can_link(), reason="this user may make no symbolic links here")
bubblewrap = pytest.mark.skipif(
    levels.unavailable("bubblewrap") is not None, reason="it needs the level bubblewrap, which does not work here"
)
STRANGERS = any(levels.unavailable(level) is None for level in levels.OFFICIAL)  # pull requests, official runs
NO_STRANGERS = "it needs a level at which other people's code is graded, and none works here"
strangers = pytest.mark.skipif(not STRANGERS, reason=NO_STRANGERS)
