"""Landlock (Linux 5.19 and later): which files a process may read and change; nothing where it is missing.

At the levels without a file system of their own. What is changed outside of the private folder would stay for the next
check; devices, terminals among them, are memory of nobody's.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import struct
from collections.abc import Iterable

from . import linux

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # on every processor
_WRITE_FILE, _READ_FILE, _REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 1, 1 << 2, 1 << 13, 1 << 14, 1 << 15
_REMOVE_AND_MAKE = 0b1_1111_1111_0000  # folders, files, links, pipes, sockets, devices
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE  # the other rights are those of folders
_OTHERS_SOCKETS, _OTHERS_PROCESSES = 1, 2
_VERSION_ONLY, _PATH_BENEATH = 1, 1
READABLE_DEVICES = ("null", "random", "urandom", "full", "shm", "tty")
# Python's own locks for several processes are files there, and so is what torch shares between them.
WRITABLE = ("/dev/null", "/dev/shm")


@functools.cache
def version() -> int:
    """Return which Landlock this kernel has; 0: none, or one that would break moving files within a folder."""
    found = linux.system_call(_CREATE, None, 0, _VERSION_ONLY) if os.name == "posix" else 0
    return found if found >= 2 else 0


def keep_from_devices() -> None:
    """Let this process, and all that it forks, open no device but the harmless ones: for good."""
    if not version():
        return
    folders = [entry.path for entry in os.scandir("/") if entry.name != "dev" and not entry.is_symlink()]
    # Where nothing is said of moving files from folder to folder, it is refused.
    made = _rules(_READ_FILE | _REFER, [*folders, *(f"/dev/{name}" for name in READABLE_DEVICES)])
    linux.perform([entering(made)])
    os.close(made)


def keeping_to(folder: str) -> int | None:
    """Return rules (a descriptor) by which nothing outside a folder can be changed; None where there is no Landlock."""
    found = version()
    if not found:
        return None
    rights = _WRITE_FILE | _REMOVE_AND_MAKE | _REFER
    rights |= (_TRUNCATE if found >= 3 else 0) | (_IOCTL_DEVICE if found >= 5 else 0)
    return _rules(rights, [folder, *WRITABLE], _OTHERS_SOCKETS | _OTHERS_PROCESSES if found >= 6 else 0)


def entering(rules: int) -> linux.Step:
    """Return how to keep a process, and all that it forks, to some rules: for good. Needs PR_SET_NO_NEW_PRIVS."""
    return linux.step("syscall", _RESTRICT, rules, 0)


def _rules(rights: int, paths: Iterable[str], apart: int = 0) -> int:
    """Return a descriptor of rules that leave these rights beneath these paths alone. Raises OSError."""
    made = linux.checked(_CREATE, struct.pack("3Q", rights, 0, apart), 24 if apart else 8, 0)
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            _allow(made, path, rights)
    return made


def _allow(made: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        linux.checked(_ADD, made, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
