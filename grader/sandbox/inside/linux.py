"""The Linux system calls that Python 3.11 lacks, through ctypes: namespaces, mounts, process controls, capabilities."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x00200000, 0x01000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 1, 4, 8, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAP_SETGID, CAP_SETUID = 6, 7
_CAPABILITY_VERSION_3 = 0x20080522

CLONE_NUMBERS = (56, 220)  # on x86-64 and on ARM64
_CLONE = dict(zip(("x86_64", "aarch64"), CLONE_NUMBERS, strict=True))
_MADV_COLLAPSE = 25
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

_libc: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None  # Windows has none, and needs none here
_python: Any = ctypes.PyDLL(None, use_errno=True) if os.name == "posix" else None  # it keeps the lock, as a fork must


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


# Something to do; where it is the C library that does it, what to call it if it fails (Python's own raises by itself).
Step = tuple[Callable[..., Any], tuple[Any, ...], str]


def step(name: str, *arguments: Any) -> Step:
    """Return a call of the C library as a step, worked out as far as it can be."""
    return getattr(_libc, name), arguments, f"{name} {arguments[0]}"


def perform(steps: Iterable[Step]) -> None:
    """Take these steps in order; OSError at the first that fails."""
    for function, arguments, what in steps:
        if function(*arguments) and what:
            _check(-1, what)


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def find_thread_id() -> int | None:
    """Return the address where the C library keeps this thread's id, or None if it can't be told; forks once for it.

    glibc's fork writes the child's id there, so it is what holds the right id in a parent and in its child.
    """
    _libc.pthread_self.restype = ctypes.c_void_p
    place = _libc.pthread_self()
    words = (ctypes.c_int32 * 256).from_address(place)  # of a structure that is twice as large
    found = [index for index, word in enumerate(words) if word == os.getpid()]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, bytes(index for index in found if words[index] == os.getpid()))
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as pipe:
        same = pipe.read()
    return place + 4 * same[0] if len(same) == 1 else None


def forking_into(flags: int, thread_id: int) -> Callable[[], int]:
    """Return what forks a process that has but one thread, with the child in new namespaces, for process ids included.

    `unshare` would need a process in between, since it moves only the children of its caller to a new one for process
    ids, and a process with torch in it is dear to fork. `thread_id`: what `find_thread_id` has found. What Python does
    after `os.fork` is left out: it mends what other threads could have left half done, and copies much memory for it.
    """
    flags |= signal.SIGCHLD | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    # The order of the last two differs between architectures; the other one is not looked at.
    arguments = tuple(ctypes.c_void_p(value) for value in (flags, 0, 0, thread_id, thread_id))
    clone, call = _CLONE[os.uname().machine], _python.syscall

    def fork() -> int:
        pid = call(clone, *arguments)
        if pid < 0:
            _check(-1, "clone")
        return int(pid)

    return fork


def mount_step(source: str, target: str, kind: str | None, flags: int, options: str = "") -> Step:
    """Return how to mount a file system in this process's mount namespace."""
    encoded = kind.encode() if kind else None
    return _libc.mount, (source.encode(), target.encode(), encoded, flags, options.encode()), f"mount {target}"


def prctl(option: int, value: int) -> None:
    """Set one of this process's controls."""
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def prctl_value(option: int) -> int:
    """Return what one of this process's controls is; below zero: this kernel has none such."""
    return int(_libc.prctl(option, 0, 0, 0, 0))


def system_call(number: int, *arguments: Any) -> int:
    """Make a system call that the C library has no function for; below zero: it failed."""
    return int(_libc.syscall(ctypes.c_long(number), *map(_word, arguments)))


def checked(number: int, *arguments: Any) -> int:
    """Make a system call and return its result. Raises OSError."""
    result = system_call(number, *arguments)
    if result < 0:
        _check(-1, f"system call {number}")
    return result


def _word(argument: Any) -> Any:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument  # a bare one would be half as long


def gather_pages() -> None:
    """Gather this process's memory in huge pages: a fork then copies hundreds of entries, not tens of thousands.

    Needs Linux 6.1; where the kernel refuses, all stays as it is. Pages that are asked for later are of the usual size.
    """
    size = 2 * 2**20
    with open("/proc/self/maps") as file:
        mappings = [line.split() for line in file]
    for extent, rights, _, _, inode, *name in mappings:
        if rights != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in extent.split("-"))
        start, end = -(-start // size) * size, end // size * size
        if start < end:
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)


def trim() -> None:
    """Give the system back what the C library keeps of freed memory, where it is one that does (glibc)."""
    give_back = getattr(_libc, "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def capability_step(keep: tuple[int, ...]) -> Step:
    """Return how to keep only these capabilities (effective and permitted), none of them inheritable."""
    low = sum(1 << number for number in keep if number < 32)
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    return _libc.capset, (header, struct.pack("<6I", low, low, 0, 0, 0, 0)), "capset"


def drop_bounding_set() -> None:
    """Give up every capability for all that is ever executed from here."""
    for number in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            return  # past the last capability that this kernel knows


def raise_loopback() -> None:
    """Bring up the loopback of this process's own network: 127.0.0.1 and ::1, where nobody else is. Raises OSError."""
    import fcntl  # which Windows does not have

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        fcntl.ioctl(end, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))


def write(path: str, data: bytes) -> None:
    """Write a file by as little of Python as will do: what a fork looks at for the first time is copied."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)
