"""Writing a report to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


class ReportError(Exception):
    """A report that can't be written or read; its text is one sentence for the user."""


def write_text_report(path: str | Path, text: str) -> None:
    """Write the text as UTF-8; a reader sees the old report or the new one, never half of one.

    Raises ReportError if it can't be written.
    """
    path = Path(path)
    data = text.encode("utf-8", errors="backslashreplace")
    try:
        if _is_stream(path):
            path.write_bytes(data)
        else:
            _replace(path, data)
    except (OSError, ValueError) as error:
        raise ReportError(_sentence(path, error)) from error


def _is_stream(path: Path) -> bool:
    """Say whether the path is a device or a pipe (/dev/stdout), which can't be replaced."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return path.parts[:2] == ("/", "dev") or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


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
