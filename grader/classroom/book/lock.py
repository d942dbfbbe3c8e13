"""One run at a time on a gradebook: a lock that the system takes back when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


class LockError(Exception):
    """Somebody else has it, or this file system has no locks; the text is one sentence."""


class RunLock:
    """Held from the constructor to `release`.

    It lies beside the gradebook and not in it: readers of the book do not wait for a run, and closing a second handle
    of the book's own file would drop SQLite's locks with it.
    """

    def __init__(self, book: Path) -> None:
        self._path = Path(f"{os.path.realpath(book)}.lock")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise LockError(f"The gradebook {book} cannot be locked: {self._path} {_reason(error)}.") from None
        try:
            _lock(self._file)
        except BlockingIOError:
            holder = self._holder()
            os.close(self._file)
            raise LockError(f"The gradebook {book} is in use by {holder}; wait until that run has ended.") from None
        except OSError as error:
            os.close(self._file)
            raise LockError(f"The gradebook {book} cannot be locked on this file system ({_reason(error)}).") from None
        self._sign()

    def release(self) -> None:
        """Let the next run in. The file stays: removing it could take it away from a run that has just locked it."""
        os.close(self._file)

    def _sign(self) -> None:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        text = json.dumps({"process": os.getpid(), "machine": socket.gethostname(), "since": now})
        with contextlib.suppress(OSError):  # what is written here is for people; the lock itself holds without it
            os.ftruncate(self._file, 0)
            os.lseek(self._file, SIGNED, os.SEEK_SET)
            os.write(self._file, text.encode())

    def _holder(self) -> str:
        try:
            os.lseek(self._file, SIGNED, os.SEEK_SET)
            plain: dict[str, Any] = json.loads(os.read(self._file, 4096).strip(b"\0"))
            return f"process {plain['process']} on {plain['machine']} since {plain['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


SIGNED = 16  # where the holder's name begins: Windows lets nobody read the bytes that are locked

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
