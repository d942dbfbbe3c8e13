"""The Linux system calls that Python 3.11 lacks, through ctypes: namespaces, mounts, process controls, capabilities."""

from __future__ import annotations

import ctypes
import os
import signal
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
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_GET_SECCOMP = 36, 38, 22, 21
CAP_SETGID, CAP_SETUID = 6, 7
_CAPABILITY_VERSION_3 = 0x20080522

# Calls that make memory which belongs to no process's own pages, or that would do what is refused below by another way;
# and those by which two workers would meet, or leave each other word, in spite of their namespaces: keyrings come from
# whoever started the judge, and a lock or a watch is on the file itself, which all see.
_REFUSED = {
    "x86_64": {"memfd_create": 319, "memfd_secret": 447, "shmget": 29, "io_uring_setup": 425, "userfaultfd": 323}
    | {"unshare": 272, "setns": 308}
    | {"add_key": 248, "request_key": 249, "keyctl": 250}
    | {"flock": 73, "inotify_init": 253, "inotify_init1": 294, "fanotify_init": 300},
    "aarch64": {"memfd_create": 279, "memfd_secret": 447, "shmget": 194, "io_uring_setup": 425, "userfaultfd": 282}
    | {"unshare": 97, "setns": 268}
    | {"add_key": 217, "request_key": 218, "keyctl": 219}
    | {"flock": 32, "inotify_init1": 26, "fanotify_init": 262},
}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435  # its flags lie in memory, which a filter cannot read; whoever is told that there is none takes clone
_NAMESPACES = 0x7E020000  # of every kind: with a user namespace come capabilities, and file systems without a limit
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_MMAP = {"x86_64": 9, "aarch64": 222}
_FCNTL = {"x86_64": 72, "aarch64": 25}
_LOCKS_AND_NOTICES = (6, 7, 37, 38, 1024, 1026)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY
_SOCKET = {"x86_64": 41, "aarch64": 198}
_SETSOCKOPT = {"x86_64": 54, "aarch64": 208}
_SOL_SOCKET, _BUFFER_SIZES = 1, (7, 8)  # SO_SNDBUF, SO_RCVBUF
_SHARED_ANONYMOUS = 0x21
_AF_VSOCK = 40
_MADV_COLLAPSE = 25

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


def write(path: str, data: bytes) -> None:
    """Write a file by as little of Python as will do: what a fork looks at for the first time is copied."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def refusal_steps() -> tuple[Step, ...]:
    """Return how to refuse this process, for good, some system calls; nothing where this machine has no way to.

    They are those whose memory the judge cannot see (memfd, System V segments, anonymous shared mappings), those that
    make or enter namespaces, and sockets that no network namespace holds back. Needs PR_SET_NO_NEW_PRIVS.
    """
    if not can_refuse_calls():
        return ()
    code = filter_program(os.uname().machine)
    program = ctypes.create_string_buffer(code)
    header = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(program)))
    header.program = program  # type: ignore[attr-defined]  # which it points to
    return (step("prctl", PR_SET_SECCOMP, 2, header, 0, 0),)


def can_refuse_calls() -> bool:
    """Return whether this system can refuse a process system calls."""
    return os.uname().machine in _REFUSED and _libc.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def filter_program(machine: str) -> bytes:
    """Return a classic BPF program: refused calls fail with EPERM, those of another architecture with ENOSYS.

    Asking for larger socket buffers succeeds and does nothing: what lies in them is in no process's account either.
    """
    load, equal, at_least, masked, ret = 0x20, 0x15, 0x35, 0x54, 0x06
    # Where the kernel lays them out; of the arguments the lower halves.
    number, architecture, first, second, third, fourth = 0, 4, 16, 24, 32, 40
    allow, ignore, refuse, unknown = 0x7FFF0000, 0x00050000, 0x00050000 | 1, 0x00050000 | 38

    program: list[tuple[int, int, int, int]] = []

    def do(operation: int, value: int, skip: int = 0) -> None:
        program.append((operation, 0, skip, value))  # `skip` so many when the comparison fails

    do(load, architecture)
    program.append((equal, 1, 0, _ARCHITECTURE[machine]))
    do(ret, unknown)
    do(load, number)
    if machine == "x86_64":
        do(at_least, 0x40000000, skip=1)  # the same calls once more, by other numbers
        do(ret, unknown)
    for call in _REFUSED[machine].values():
        do(equal, call, skip=1)
        do(ret, refuse)
    do(equal, _CLONE3, skip=1)
    do(ret, unknown)
    do(equal, _CLONE[machine], skip=5)
    do(load, first)
    do(masked, _NAMESPACES)
    do(equal, 0, skip=1)
    do(ret, allow)
    do(ret, refuse)
    do(equal, _SOCKET[machine], skip=4)
    do(load, first)
    do(equal, _AF_VSOCK, skip=1)
    do(ret, refuse)
    do(ret, allow)
    do(equal, _SETSOCKOPT[machine], skip=8)
    do(load, second)
    do(equal, _SOL_SOCKET, skip=5)
    do(load, third)
    for name in _BUFFER_SIZES:
        do(equal, name, skip=1)
        do(ret, ignore)
    do(ret, allow)
    do(equal, _FCNTL[machine], skip=2 + 2 * len(_LOCKS_AND_NOTICES))
    do(load, second)
    for command in _LOCKS_AND_NOTICES:
        do(equal, command, skip=1)
        do(ret, refuse)
    do(ret, allow)
    do(equal, _MMAP[machine], skip=4)
    do(load, fourth)
    do(masked, _SHARED_ANONYMOUS)
    do(equal, _SHARED_ANONYMOUS, skip=1)
    do(ret, refuse)
    do(ret, allow)
    return b"".join(struct.pack("@HBBI", *step) for step in program)
