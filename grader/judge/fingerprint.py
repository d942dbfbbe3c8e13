"""What the grader is, as one hash: a result is worth keeping only as long as this stays the same."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

import fixtures

GRADER = Path(__file__).resolve().parents[1]
VERSION = "0.1.0"


@functools.cache
def grader_hash() -> str:
    """Return the SHA-256 over the grader's own files and the fixtures' manifest."""
    digest = hashlib.sha256()
    files = [path for kind in ("*.py", "*.toml", "*.ini") for path in GRADER.rglob(kind)]
    for path in sorted(files, key=lambda path: path.relative_to(GRADER).as_posix()):
        digest.update(path.relative_to(GRADER).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    digest.update((fixtures.FOLDER / "manifest.toml").read_bytes())
    return digest.hexdigest()


def grader_version() -> str:
    """Return the version and the beginning of the hash, as records carry it."""
    return f"{VERSION}+{grader_hash()[:12]}"


def environment() -> str:
    """Return on what the judge runs, as records carry it: "Python 3.11.7, torch 2.13.0, Linux x86_64"."""
    try:
        torch = metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        torch = "of its own"
    return f"Python {platform.python_version()}, torch {torch}, {platform.system()} {platform.machine()}"
