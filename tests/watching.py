"""A watch on a terminal of its own, as a student has it: files are saved, keys pressed, and the screen read."""

from __future__ import annotations

import os
import pty
import select
import time
from pathlib import Path
from typing import Any

import warm

REPOSITORY = Path(__file__).resolve().parents[1]
READY = "Watching"  # the last line of every screen
PATIENCE = 120  # seconds; a busy machine is slow


class Terminal:
    """`python -m grader watch` on a pseudo-terminal."""

    def __init__(self, *arguments: str, state: Path, cwd: Path = REPOSITORY, sandbox: Any = None) -> None:
        self._ours, theirs = pty.openpty()
        environment = os.environ | {"SCRATCHWORK_STATE": str(state), "COLUMNS": "100", "TERM": "xterm-256color"}
        self._process = warm.start(
            "grader", "watch", *arguments, streams=[theirs] * 3, cwd=cwd, env=environment, new_session=True,
            sandbox=sandbox,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def screen(self, until: str = READY) -> str:
        """Return what is printed until a line with these words is complete. Raises TimeoutError."""
        shown, deadline = "", time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([self._ours], [], [], 0.02)[0]:
                try:
                    piece = os.read(self._ours, 65536)
                except OSError:
                    break  # the other end is closed
                shown += piece.decode("utf-8", "replace")
                if until in shown and shown.endswith("\n"):
                    return shown
        raise TimeoutError(f"{until!r} did not appear in: {shown[-2000:]}")

    def comes_to(self, said: str) -> str:
        """Return the first screen that says this, whatever line it is broken at; TimeoutError if none comes.

        Where one file takes another's place, what was seen between the two may have a screen of its own.
        """
        while said not in (shown := " ".join(self.screen().split())):
            pass
        return shown

    def press(self, key: str) -> None:
        """Press one key."""
        os.write(self._ours, key.encode())

    def exit_code(self) -> int:
        """Wait for the end."""
        return self._process.wait(timeout=PATIENCE)
