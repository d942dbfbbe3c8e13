"""Reading files that somebody named or left behind: regular ones alone, opened without waiting, up to a limit."""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

_PIECE = 1024 * 1024
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)  # its end may be missing, so that no text is read twice
SOURCE = 2**20  # bytes of a source file, far more than any submission may have
MOST_VALUES = 5_000_000  # in one JSON text: far more than any record holds, and some hundred megabytes of memory


class TooLarge(ValueError):
    """A file of more bytes than may be read."""


def open_regular(path: Path | str, *, own: bool = False) -> BinaryIO:
    """Open a regular file for reading. Raises ValueError for anything else, OSError if it can't be.

    Of a file that somebody may have planted, its name must be the only one, and no link; of one of the user's `own`
    it does not matter how it is reached.
    """
    status = os.stat(path) if own else os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(not_regular(status.st_mode))
    # Opened without following a link or waiting for a pipe that may have taken the file's place since.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags if own else flags | getattr(os, "O_NOFOLLOW", 0)), "rb")
    opened = os.fstat(file.fileno())
    if stat.S_ISREG(opened.st_mode) and (own or opened.st_nlink <= 1):
        return file
    file.close()
    if not stat.S_ISREG(opened.st_mode):
        raise ValueError("it is not a regular file")
    raise ValueError("it is a hard link, another name of a file that may be somebody else's")


def read(path: Path | str, limit: int, *, own: bool = True) -> bytes:
    """Return the bytes of a regular file. Raises ValueError for anything else, and for more than `limit` bytes."""
    pieces, left = [], limit + 1
    with open_regular(path, own=own) as file:
        if os.fstat(file.fileno()).st_size > limit:
            left = 0
        # A piece at a time: memory is set aside for as much as is asked for, and limits are far above most files.
        while left and (piece := file.read(min(left, _PIECE))):
            pieces.append(piece)
            left -= len(piece)
    if not left:
        size = f"{limit // 2**20} MB" if limit >= 2**20 else f"{limit // 1024} kB"
        raise TooLarge(f"it is larger than {size}, which none of its kind is")
    return b"".join(pieces)


def read_text(path: Path | str, limit: int) -> str:
    """Return the text of one of the user's own files. Raises ValueError and OSError as `read` does."""
    try:
        return read(path, limit).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def read_json(path: Path | str, limit: int) -> Any:
    """Return what one of the user's own files holds as JSON. Raises ValueError and OSError as `read` does."""
    return parse_json(read(path, limit))


def parse_json(text: bytes | str) -> Any:
    """Return plain data out of JSON that anybody may have written. Raises ValueError with the half of a sentence.

    There are no more values than fit into memory. That numbers are in their range, and are numbers, a schema says.
    """
    try:
        data = text.encode("utf-8") if isinstance(text, str) else text
        if len(data) > MOST_VALUES:
            bare = _STRING.sub(b"", data)
            if sum(map(bare.count, (b",", b"[", b"{"))) > MOST_VALUES:
                raise ValueError(f"it holds more than {MOST_VALUES:,} values")
        return json.loads(data.decode("utf-8"), parse_int=_integer)
    except UnicodeError:
        raise ValueError("it is not UTF-8 text") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _integer(digits: str) -> int:
    """Return a number, or one that is as far out of every range for one that Python would not make a float of."""
    return int(digits) if len(digits) <= 40 else 10**40 * (-1 if digits[0] == "-" else 1)


def unused(path: Path, ending: str = "") -> Path:
    """Return a name that nothing has: this one, then with a number before its `ending`.

    Example: p/m04.py.old, then p/m04.py.old2; with ".json" p/progress.spoiled.json, then p/progress.spoiled2.json.
    """
    begin = path.name.removesuffix(ending)
    names = itertools.chain([path.name], (f"{begin}{number}{ending}" for number in itertools.count(2)))
    return next(other for name in names if not os.path.lexists(other := path.with_name(name)))


def not_regular(mode: int) -> str:
    """Return what is wrong with a file of this mode, as the second half of a sentence."""
    kinds = {stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "named pipe", stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket"}
    return f"it is a {kinds.get(stat.S_IFMT(mode), 'device')}, not a regular file"


def reason(error: Exception) -> str:
    """Return what went wrong, as the second half of a sentence."""
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
