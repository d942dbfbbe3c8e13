"""The Linux system calls that Python 3.11 lacks, through ctypes: namespaces, mounts, process controls, capabilities."""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 1, 4, 8, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAP_SETGID, CAP_SETUID = 6, 7
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount a file system in this process's mount namespace."""
    encoded = kind.encode() if kind else None
    _check(_libc.mount(source.encode(), target.encode(), encoded, flags, options.encode()), f"mount {target}")


def prctl(option: int, value: int) -> None:
    """Set one of this process's controls."""
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def set_capabilities(keep: tuple[int, ...] = ()) -> None:
    """Keep only these capabilities (effective and permitted), none of them inheritable."""
    low = sum(1 << number for number in keep if number < 32)
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    data = struct.pack("<6I", low, low, 0, 0, 0, 0)
    _check(_libc.capset(header, data), "capset")


def drop_bounding_set() -> None:
    """Give up every capability for all that is ever executed from here."""
    for number in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            return  # past the last capability that this kernel knows


def map_own_ids(uid: int, gid: int) -> None:
    """Map this user and group to themselves in a user namespace just entered."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
