"""Standard input, output and error as a command finds them: closed, full, or as they should be.

What is closed is opened, so that no file that is opened later takes its number. What cannot be written ends no command,
since the work is worth something without its report: it is said at the end, and in the exit code.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable

from .exits import USAGE


class _Writing(io.FileIO):
    """Standard output, which keeps why it takes nothing more, and from then on goes nowhere."""

    lost = ""  # half a sentence

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:  # whoever read it, as `head` does, has had enough
            self._go_nowhere()
        except OSError as error:
            self.lost = f"cannot be written ({(error.strerror or str(error)).lower()})"
            self._go_nowhere()
        return memoryview(data).nbytes  # type: ignore[arg-type]

    def _go_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def run(command: Callable[[], int]) -> int:
    """Run a command with sound streams and return its exit code."""
    lost = _open_closed()
    writing = _watched(lost)
    try:
        code = command()
    except SystemExit as end:  # argparse: --help, and wrong usage
        code = end.code if isinstance(end.code, int) else USAGE
    sys.stdout.flush()
    if writing is not None and writing.lost:
        print(f"scratchwork: there is no report, since standard output {writing.lost}.", file=sys.stderr)
        code = max(code, USAGE)
    with contextlib.suppress(OSError):  # there is nobody else to tell
        sys.stderr.flush()
    return code


def _open_closed() -> str:
    """Open what is closed: nothing is read, and what is for standard error goes to standard output.

    Returns what is to be said of standard output, if it was closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, and that is this one
            os.set_inheritable(number, True)
    lost = "is closed" if sys.stdout is None else ""
    if sys.stderr is None and not lost:
        os.dup2(1, 2)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    return lost


def _watched(lost: str) -> _Writing | None:
    """Put in the place of standard output, unless it is Windows' console, what knows when it could not be written."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper):
        return None
    buffered = isinstance(stdout.buffer, io.BufferedWriter)  # not with PYTHONUNBUFFERED
    if type(stdout.buffer.raw if buffered else stdout.buffer) is not io.FileIO:
        return None
    writing = _Writing(stdout.fileno(), "w", closefd=False)
    writing.lost = lost
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(writing) if buffered else writing,  # type: ignore[type-var]
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=stdout.line_buffering,
        write_through=stdout.write_through,
    )
    return writing
