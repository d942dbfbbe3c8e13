"""Writing a report to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path


class ReportError(Exception):
    """A report that can't be written or read; its text is one sentence for the user."""


def write_text_report(path: str | Path, text: str) -> None:
    """Write the text as UTF-8, as `write_report` does."""
    write_report(path, text.encode("utf-8", errors="backslashreplace"))


def write_report(path: str | Path, data: bytes) -> None:
    """Write a report; a reader sees the old one or the new one, never half of one.

    Raises ReportError if it can't be written.
    """
    path = Path(path)
    try:
        if _is_stream(path):
            _pour(path, data)
        else:
            _replace(path, data)
    except (OSError, ValueError) as error:
        raise ReportError(_sentence(path, error)) from error


def unwritable(path: Path) -> str | None:
    """Return why no report can be written to a path, as the second half of a sentence, or None."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None  # most likely it is not there yet
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        return f"it is a {'socket' if stat.S_ISSOCK(mode) else 'disk'}, and no file"
    return None


def _is_stream(path: Path) -> bool:
    """Say whether the path is a device or a pipe (/dev/stdout), which can't be replaced."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if wrong := unwritable(path):
        raise ValueError(wrong)
    return path.parts[:2] == ("/", "dev") or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _pour(path: Path, data: bytes) -> None:
    """Write into a device or a pipe. One that nobody reads from is not waited for."""
    flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise ValueError("nobody reads from this pipe") from None
        raise
    with open(descriptor, "wb") as file:
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)  # a slow reader is waited for
        file.write(data)


def _replace(path: Path, data: bytes) -> None:
    if path.is_dir():
        raise IsADirectoryError
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("xb") as file:
            file.write(data)
        beside.replace(path)
    except BaseException:  # an interrupt as well: no half a file stays; it is raised again
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _sentence(path: Path, error: Exception) -> str:
    if isinstance(error, IsADirectoryError):
        return f"The report can't be written to {path}: it is a folder, not a file."
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not path.parent.is_dir():
        return f"The report can't be written to {path}: there is no folder {path.parent}."
    if isinstance(error, PermissionError):
        return f"The report can't be written to {path}: writing there is not permitted."
    reason = getattr(error, "strerror", None) or str(error)
    return f"The report can't be written to {path}: {reason.lower()}."
