"""What a fork gives up before it reads a line of the submission, at each isolation level."""

from __future__ import annotations

import functools
import os
import signal
from dataclasses import dataclass
from typing import Any

from . import linux


@dataclass(frozen=True)
class Limits:
    """What one check may use; the judge watches memory, time and output from outside as well."""

    memory_mb: int = 2048
    processes: int = 64
    file_mb: int = 64
    threads: int = 1


NAMESPACES = linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET


def become_keeper(level: str) -> None:
    """Prepare the process that waits for the student's: it dies with the server and, at best, owns new namespaces."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # daemons that the student's code leaves behind stay below the keeper
    if level == "bubblewrap":
        uid, gid = os.getuid(), os.getgid()
        linux.unshare(NAMESPACES)
        own_namespaces(uid, gid)


def own_namespaces(uid: int, gid: int) -> None:
    """Be in new namespaces who this process was outside."""
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # or /proc/self/uid_map belongs to root
    linux.map_own_ids(uid, gid)


def confine(level: str, limits: Limits, uid: int | None) -> None:
    """Give up every privilege that the student's code must not have; OSError if that fails, and nothing runs."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if level == "bubblewrap":
        _private_file_systems(limits)
        _limit_processes(limits)  # of this namespace and, made just now, of the one below it
        # A user namespace without any id mapped: no further namespace can be made in it, so no capability comes back.
        linux.unshare(linux.CLONE_NEWUSER)
    elif uid is not None:
        _limit_processes(limits)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    linux.drop_bounding_set()
    linux.set_capabilities(())
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    # A change of identity clears the parent-death signal.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    limit_resources(limits)
    linux.refuse_calls()


def limit_resources(limits: Limits) -> None:
    """Set the limits that the system itself enforces, where it has them."""
    try:
        import resource
    except ImportError:
        return  # Windows: the judge's watch alone
    megabyte = 2**20

    def lower(name: str, value: int) -> None:
        number = getattr(resource, name, None)
        if number is None:
            return
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):
            return  # macOS refuses some of them

    lower("RLIMIT_CORE", 0)
    lower("RLIMIT_FSIZE", limits.file_mb * megabyte)
    lower("RLIMIT_NOFILE", 256)
    # The judge measures memory from outside; this one stops what outruns its watch, between two looks.
    lower("RLIMIT_DATA", data_in_use() + 2 * limits.memory_mb * megabyte)


@functools.cache
def data_in_use() -> int:
    """Return how many bytes of memory of its own this process has, before it does anything for a check."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**30


def _limit_processes(limits: Limits) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))


def _private_file_systems(limits: Limits) -> None:
    """Give this fork a /tmp and /dev/shm of its own, and a /proc with cpuinfo alone."""
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    room = f"mode=0700,size={2 * limits.file_mb}m,nr_inodes=4096"
    for folder in ("/tmp", "/dev/shm"):
        linux.mount("tmpfs", folder, "tmpfs", flags, room)
    # Shared mappings of it are memory that no process has to hold, as anonymous ones are, which are refused.
    linux.mount("/dev/null", "/dev/zero", None, linux.MS_BIND)
    # torch reads cpuinfo when it is first used, and nothing else of /proc is anybody's business here.
    text = processors()
    linux.mount("tmpfs", "/proc", "tmpfs", flags | linux.MS_NOEXEC, "mode=0555,size=4m,nr_inodes=16")
    linux.write("/proc/cpuinfo", text)


@functools.cache
def processors() -> bytes:
    """Return what the system says of its processors; the server asks once, for all of its forks."""
    with open("/proc/cpuinfo", "rb") as file:
        return file.read()


def prepare() -> None:
    """Do once, before any fork, what would be the same in each."""
    import resource  # noqa: F401  it takes every fork a millisecond

    processors()
    data_in_use()
    if linux.can_refuse_calls():
        linux.filter_program(os.uname().machine)


def settings(request: dict[str, Any]) -> Limits:
    """Read the limits out of a request."""
    return Limits(**request["limits"])
