"""One key at a time from a terminal, on POSIX and on Windows; none where there is no terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

ReadKey = Callable[[float], str | None]


@contextlib.contextmanager
def keyboard() -> Iterator[ReadKey]:
    """Give a function that waits this many seconds for a key, and put the terminal back afterwards."""
    if not sys.stdin.isatty():
        yield _no_keys
    elif sys.platform == "win32":
        yield _windows_key
    else:
        with _one_by_one():
            yield _posix_key


def _no_keys(seconds: float) -> None:
    time.sleep(seconds)


@contextlib.contextmanager
def _one_by_one() -> Iterator[None]:
    """Have the terminal hand over keys at once and without showing them; Ctrl-C still interrupts."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin.fileno())
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _posix_key(seconds: float) -> str | None:
    import os
    import select

    if not select.select([sys.stdin], [], [], seconds)[0]:
        return None
    data = os.read(sys.stdin.fileno(), 32)
    # Nothing to read from a terminal that said there was: it has been closed.
    return data[:1].decode("ascii", "ignore").lower() if data else "q"


def _windows_key(seconds: float) -> str | None:
    import msvcrt  # type: ignore[import-not-found, unused-ignore]

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
            return str(msvcrt.getwch()).lower()  # type: ignore[attr-defined, unused-ignore]
        time.sleep(0.02)
    return None
