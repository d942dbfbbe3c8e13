"""Submissions that no repository can hold: links, pipes, devices and odd names, built where they are needed.

Each function fills an empty folder; `good` is the source of a right solution, which nobody may get at this way.
"""

import os
import py_compile
import shutil
import socket
from pathlib import Path

HOSTILE = "def causal_mask(*args, **kwargs):\n    return None\n"


def a44_bytecode_of_a_solution(folder: Path, good: str) -> None:
    """Has the bytecode of a right solution beside a source that does nothing, marked as not to be checked against it."""
    source = folder / "m04_attention.py"
    source.write_text(good)
    compiled = py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    shutil.copy(str(compiled), folder / "m04_attention.pyc")
    source.write_text(HOSTILE)


def a97_link_to_a_solution(folder: Path, good: str) -> None:
    """Has a symbolic link to a right solution in place of the module."""
    (folder / "elsewhere.py").write_text(good)
    (folder / "m04_attention.py").symlink_to(folder / "elsewhere.py")


def a97_link_to_a_secret(folder: Path, good: str) -> None:
    """Has a symbolic link to a file of the machine, whose first line would stand in the report as a syntax error."""
    (folder / "m04_attention.py").symlink_to("/etc/passwd")


def a97_link_to_itself(folder: Path, good: str) -> None:
    """Has a symbolic link that leads to itself."""
    (folder / "m04_attention.py").symlink_to("m04_attention.py")


def a98_hard_link(folder: Path, good: str) -> None:
    """Has a hard link to a right solution that belongs to somebody else."""
    secret = folder.parent / "secret.py"
    secret.write_text(good)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(secret, 61_199, 61_199)
        secret.chmod(0o600)
    os.link(secret, folder / "m04_attention.py")


def a101_named_pipe(folder: Path, good: str) -> None:
    """Has a named pipe that nobody ever writes to."""
    os.mkfifo(folder / "m04_attention.py")


def a101_link_to_a_device(folder: Path, good: str) -> None:
    """Has a link to a device that never ends."""
    (folder / "m04_attention.py").symlink_to("/dev/zero")


def a101_socket(folder: Path, good: str) -> None:
    """Has a socket."""
    here = os.getcwd()
    os.chdir(folder)  # the name of a socket may be 107 bytes long, and pytest's folders are deep
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind("m04_attention.py")
    finally:
        os.chdir(here)


def a101_folder(folder: Path, good: str) -> None:
    """Has a folder of the module's name, a package with a right solution in it."""
    (folder / "m04_attention.py").mkdir()
    (folder / "m04_attention.py" / "__init__.py").write_text(good)
    (folder / "m04_attention").mkdir()
    (folder / "m04_attention" / "__init__.py").write_text(good)


def a102_names_alike(folder: Path, good: str) -> None:
    """Has a right solution under names that look like the module's: other case, full-width letters, spaces."""
    for name in ("M04_attention.py", "m04_Attention.py", "m04_attention.py ", "ｍ04_attention.py", "m04_аttention.py"):
        (folder / name).write_text(good)


def a100_huge_file(folder: Path, good: str) -> None:
    """Has a module of a gigabyte, most of it a hole."""
    with open(folder / "m04_attention.py", "w") as file:
        file.write(good)
        file.truncate(2**30)


ALL = [thing for name, thing in sorted(globals().items()) if name[:1] == "a" and name[1:3].isdigit()]
