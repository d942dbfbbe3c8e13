"""A submission compiled once, in a worker in which nothing of it has run, for all the workers that import it later."""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
import traceback
import warnings
from typing import Any

from .facts import PACKAGE

MOST_BYTES = 8 * 2**20  # of all files; a submission that needs more is compiled where it is imported
UNCHECKED = 1  # flags of PEP 552: by the source's hash, which nobody compares


def compile_files(sources: dict[str, bytes], folder: str) -> dict[str, bytes]:
    """Return, for each source that compiles, what Python would keep of it in `__pycache__` (PEP 552)."""
    compiled: dict[str, bytes] = {}
    for name, data in sources.items():
        try:
            with warnings.catch_warnings(action="ignore"):
                code = compile(data, os.path.join(folder, name), "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue  # the same is said where it is imported, and to whom it concerns
        header = importlib.util.MAGIC_NUMBER + UNCHECKED.to_bytes(4, "little") + importlib.util.source_hash(data)
        compiled[name] = header + marshal.dumps(code)
    return compiled if sum(map(len, compiled.values())) <= MOST_BYTES else {}


def write_package(folder: str, sources: dict[str, bytes], compiled: dict[str, bytes]) -> None:
    """Write a package's files, and beside them what they were compiled to."""
    os.makedirs(os.path.join(folder, "__pycache__"), exist_ok=True)
    for name, data in sources.items():
        path = os.path.join(folder, name)
        write(path, data)
        if name in compiled and not sys.pycache_prefix:  # there it would lie outside of the folder, and outlive it
            write(importlib.util.cache_from_source(path), compiled[name])


def write(path: str, data: bytes) -> None:
    """Write a file."""
    with open(path, "wb") as file:
        file.write(data)


def frames_of(error: BaseException) -> list[list[Any]]:
    """Return where in a submission's files an exception arose: [file, line, function], the innermost last."""
    return [
        [os.path.basename(frame.f_code.co_filename), line, frame.f_code.co_name]
        for frame, line in traceback.walk_tb(error.__traceback__)
        if os.path.basename(os.path.dirname(frame.f_code.co_filename)) == PACKAGE
    ]
