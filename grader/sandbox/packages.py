"""What a worker may see of this Python: the interpreter, its standard library, and the allowed packages."""

from __future__ import annotations

import csv
import functools
import os
import re
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .errors import SandboxError

ALLOWED = ("torch", "numpy", "regex", "jaxtyping")
# What a milestone's answer could be imported from: absent at the bubblewrap level, closed to others at the user level.
REFUSED = ("transformers", "tiktoken", "tiktoken_ext", "tokenizers", "safetensors", "huggingface_hub")
INSIDE = Path(__file__).parent / "inside"


@dataclass(frozen=True)
class Own:
    """What a milestone may import beyond what all may: for its workers alone, from a server of their own."""

    names: tuple[str, ...] = ()  # of packages, by which they are installed and imported
    warm: tuple[str, ...] = ()  # modules of theirs that the server imports once

    def lacking(self) -> list[str]:
        """Return which of them are not installed in this environment."""
        return [name for name in self.names if not _is_installed(name)]


NOTHING = Own()


def interpreter() -> Path:
    """Return the real interpreter binary behind a virtual environment."""
    return Path(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))


def standard_library() -> list[str]:
    """Return the folders of the standard library, in the order of `sys.path`."""
    library = sysconfig.get_path("stdlib")
    return [library, os.path.join(library, "lib-dynload")]


def interpreter_files() -> list[str]:
    """Return files and folders outside the standard library that the interpreter itself needs."""
    files = [str(interpreter())]
    folder = sysconfig.get_config_var("LIBDIR")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and folder and os.path.isdir(folder):
        files += [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("libpython")]
    return files


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


@functools.cache
def allowed_packages(own: Own = NOTHING) -> dict[str, Path]:
    """Return what the allowed packages and their dependencies put into site-packages: name there → path.

    Raises RuntimeError when one of the allowed packages is not installed, SandboxError for one of a milestone's own.
    """
    if lacking := own.lacking():
        raise SandboxError(f"this Python lacks {' and '.join(lacking)}")
    found: dict[str, Path] = {}
    waiting, seen = [*ALLOWED, *own.names], set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name in ALLOWED:
                raise RuntimeError(f"the package {name} is not installed in this environment") from None
            continue  # a dependency for another platform
        for top in _top_level(distribution):
            found[top] = Path(str(distribution.locate_file(top)))
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[ ;<>=!~\[(]", requirement, maxsplit=1)[0])
    return {name: path for name, path in found.items() if path.exists()}


def _top_level(distribution: metadata.Distribution) -> set[str]:
    """Return the packages and modules of a distribution, as names in site-packages."""
    # torch's record has over ten thousand lines, and `Distribution.files` would make a path out of each.
    record = distribution.read_text("RECORD")
    paths = (
        (line[0] for line in csv.reader(record.splitlines()) if line) if record else map(str, distribution.files or ())
    )
    found = set()
    for path in paths:
        top, below, _ = path.partition("/")
        if top not in ("..", "bin", "__pycache__") and (below or top.endswith((".py", ".so"))):
            found.add(top)
    return found


def site_folders() -> list[str]:
    """Return the site-packages folders that hold the allowed packages."""
    return sorted({str(path.parent) for path in allowed_packages().values()})


def refused_packages() -> list[Path]:
    """Return the folders of the refused packages that lie where a worker outside of bubblewrap could import them."""
    return [path for folder in site_folders() for name in REFUSED if (path := Path(folder, name)).is_dir()]
