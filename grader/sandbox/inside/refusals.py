"""The system calls that a worker is refused, and the filter of the kernel's that refuses them.

Refused is what makes memory that is in no process's account, what stays when its maker is gone, and what would bring
privileges back. Everything else is allowed: this is no wall of its own (docs/decisions/0022).
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass

from . import linux

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _PR_SET_VMA = 21, 22, 0x53564D41
# The numbers on x86-64 and on ARM64; None: this processor never had the call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # files without a name, and pages that nobody maps any more
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "vmsplice": (278, 75),  # a byte of a huge page that lies in a pipe keeps the page
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_setup": (206, 0),
    # what belongs to the machine, or to the user, and outlives the process
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # lists in the kernel as long as one likes; some on the file itself, by which two workers would meet
    "flock": (73, 32),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "landlock_create_ruleset": (444, 444),
    "seccomp": (317, 277),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    # every kind of namespace; with one for users come capabilities, and file systems without a limit
    "unshare": (272, 97),
    "setns": (308, 268),
}
_ALLOW, _IGNORE, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000, 0x00050000 | 1, 0x00050000 | 38  # the last two: errno
_CLONE3 = 435  # its flags lie in memory, which a filter cannot read; whoever is told that there is none takes clone
_OTHER_NUMBERS = 0x40000000  # from here on x86-64 has the same calls once more
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_MACHINES = tuple(_ARCHITECTURE)
_ANY_NAMESPACE, _SHARED_ANONYMOUS, _SOL_SOCKET = 0x7E020000, 0x21, 1


@dataclass(frozen=True)
class _Case:
    """A call that gets another answer where these arguments (their lower halves) are what they say."""

    numbers: tuple[int, int]
    when: tuple[tuple[int, int, tuple[int, ...]], ...]  # argument, mask, values; without values: anything but 0
    answer: int = _REFUSE


_ALL_BITS = 0xFFFFFFFF
_CASES = (
    _Case(linux.CLONE_NUMBERS, ((0, _ANY_NAMESPACE, ()),)),
    _Case((9, 222), ((3, _SHARED_ANONYMOUS, (_SHARED_ANONYMOUS,)),)),  # mmap
    _Case((41, 198), ((0, _ALL_BITS, (40,)),)),  # socket: virtual machines' belong to no network namespace
    # prctl: more filters, and a name for each part of memory
    _Case((157, 167), ((0, _ALL_BITS, (_PR_SET_SECCOMP, _PR_SET_VMA)),)),
    # setsockopt SO_SNDBUF and SO_RCVBUF: what lies in a socket is in nobody's account; granted in words alone
    _Case((54, 208), ((1, _ALL_BITS, (_SOL_SOCKET,)), (2, _ALL_BITS, (7, 8))), _IGNORE),
    # fcntl: locks, leases and notices are on the file itself, which all see, and each lock is one more entry of a list
    _Case((72, 25), ((1, _ALL_BITS, (6, 7, 37, 38, 1024, 1026)),)),
)


def refusal_steps() -> tuple[linux.Step, ...]:
    """Return how to refuse this process these calls for good; nothing where this machine has no way to.

    Needs PR_SET_NO_NEW_PRIVS.
    """
    if not can_refuse_calls():
        return ()
    code = filter_program(os.uname().machine)
    program = ctypes.create_string_buffer(code)
    header = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(program)))
    header.program = program  # type: ignore[attr-defined]  # which it points to
    return (linux.step("prctl", _PR_SET_SECCOMP, 2, header, 0, 0),)


def can_refuse_calls() -> bool:
    """Return whether this system can refuse a process system calls."""
    return os.uname().machine in _MACHINES and linux.prctl_value(_PR_GET_SECCOMP) >= 0


def filter_program(machine: str) -> bytes:
    """Return a classic BPF program: refused calls fail with EPERM, those of another architecture with ENOSYS."""
    load, equal, at_least, masked, ret = 0x20, 0x15, 0x35, 0x54, 0x06
    column, program = _MACHINES.index(machine), list[tuple[int, int, int, int]]()

    def do(operation: int, value: int, true: int = 0, false: int = 0) -> None:
        program.append((operation, true, false, value))  # after a comparison so many steps are skipped

    do(load, 4)  # the architecture; where the kernel lays things out, in bytes
    do(equal, _ARCHITECTURE[machine], true=1)
    do(ret, _UNKNOWN)
    do(load, 0)  # the call's number
    if machine == "x86_64":
        do(at_least, _OTHER_NUMBERS, false=1)
        do(ret, _UNKNOWN)
    do(equal, _CLONE3, false=1)
    do(ret, _UNKNOWN)
    refused = [number for numbers in _REFUSED.values() if (number := numbers[column]) is not None]
    for left, number in zip(reversed(range(len(refused))), refused, strict=True):
        do(equal, number, true=left, false=left == 0)  # one step each: every fork has them translated anew
    do(ret, _REFUSE)
    for case in _CASES:
        do(equal, case.numbers[column], false=sum(3 + max(1, len(values)) for _, _, values in case.when) + 1)
        for argument, mask, values in case.when:
            do(load, 16 + 8 * argument)
            do(masked, mask)
            for place, value in enumerate(values):
                do(equal, value, true=len(values) - place)
            if not values:
                do(equal, 0, false=1)
            do(ret, _ALLOW)
        do(ret, case.answer)
    do(ret, _ALLOW)
    return b"".join(struct.pack("@HBBI", *instruction) for instruction in program)
