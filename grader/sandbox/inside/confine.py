"""What a fork gives up before it reads a line of the submission, at each isolation level."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from dataclasses import dataclass

from . import landlock, linux, refusals

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # Windows: the judge's watch alone


@dataclass(frozen=True)
class Limits:
    """What one check may use; the judge watches memory, time and output from outside as well."""

    memory_mb: int = 2048
    processes: int = 64
    file_mb: int = 64
    threads: int = 1
    loopback: bool = False


THREAD_MB = 80  # of addresses: its stack, and what the C library sets aside for what it allocates
MAPPED_MB = 4096  # of addresses, for files that are mapped
NAMESPACES = linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET


def become_keeper(level: str) -> None:
    """Prepare the process that waits for the student's: it dies with the server and, at best, owns new namespaces."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # daemons that the student's code leaves behind stay below the keeper
    if level == "bubblewrap":
        ids = os.getuid(), os.getgid()
        linux.unshare(NAMESPACES)
        linux.perform(own_namespaces(*ids))


def own_namespaces(uid: int, gid: int) -> tuple[linux.Step, ...]:
    """Return how to be in new namespaces who this process was outside."""
    return (
        linux.step("prctl", linux.PR_SET_DUMPABLE, 1, 0, 0, 0),  # or /proc/self/uid_map belongs to root
        (linux.write, ("/proc/self/setgroups", b"deny"), ""),
        (linux.write, ("/proc/self/uid_map", b"%d %d 1" % (uid, uid)), ""),
        (linux.write, ("/proc/self/gid_map", b"%d %d 1" % (gid, gid)), ""),
    )


def confinement(level: str, limits: Limits, uid: int | None, rules: int | None) -> tuple[linux.Step, ...]:
    """Return how to give up every privilege that the student's code must not have.

    The steps are worked out before the fork, in the server: what a fork looks at for the first time is copied, and to
    work them out takes it longer than to take them. `rules`: Landlock's, where the level has no file system of its own.
    """
    die_with_parent = linux.step("prctl", linux.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    steps = [die_with_parent]
    processes = (resource.setrlimit, (resource.RLIMIT_NPROC, (limits.processes, limits.processes)), "")
    if level == "bubblewrap":
        steps += _private_file_systems(limits)
        steps.append(processes)  # of this namespace and, made just now, of the one below it
        if limits.loopback:  # while this process still rules over its own network
            steps.append((linux.raise_loopback, (), ""))
        # A user namespace without any id mapped: no further namespace can be made in it, so no capability comes back.
        steps.append(linux.step("unshare", linux.CLONE_NEWUSER))
    elif uid is not None:
        steps.append(processes)
        steps += [(os.setgroups, ([],), ""), (os.setresgid, (uid, uid, uid), ""), (os.setresuid, (uid, uid, uid), "")]
    steps.append((linux.drop_bounding_set, (), ""))
    steps.append(linux.capability_step(()))
    steps.append(linux.step("prctl", linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    steps.append(die_with_parent)  # a change of identity clears that signal
    steps.append((os.setsid, (), ""))
    steps += [(resource.setrlimit, limit, "") for limit in resource_limits(limits)]
    if rules is not None:
        steps.append(landlock.entering(rules))
    return (*steps, *refusals.refusal_steps())


def resource_limits(limits: Limits) -> list[tuple[int, tuple[int, int]]]:
    """Return the limits that the system itself enforces, where it has them: which, and how much."""
    megabyte, found = 2**20, []
    addresses, data = in_use()
    for name, value in {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits.file_mb * megabyte,
        "RLIMIT_NOFILE": 256,
        # The judge measures memory from outside; this one stops what outruns its watch, between two looks.
        "RLIMIT_DATA": data + 2 * limits.memory_mb * megabyte,
        # Page tables take a byte for each 512 of addresses that are looked at, also where nothing is.
        "RLIMIT_AS": addresses + (2 * limits.memory_mb + limits.processes * THREAD_MB + MAPPED_MB) * megabyte,
        # Of what the kernel keeps for a process: pages held in place, timers and signals, messages.
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_SIGPENDING": 1024,
        "RLIMIT_MSGQUEUE": 0,
    }.items():
        if (number := getattr(resource, name, None)) is not None:
            hard = resource.getrlimit(number)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            found.append((number, (value, value)))
    return found


def limit_resources(limits: Limits) -> None:
    """Set these limits for this process, as far as the system lets it."""
    for limit in resource_limits(limits) if resource else ():
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(*limit)


@functools.cache
def in_use() -> tuple[int, int]:
    """Return how many bytes of addresses, and of memory of its own, this process has before it does anything."""
    try:
        with open("/proc/self/statm") as file:
            sizes = file.read().split()
    except OSError:
        return 2**40, 2**30
    page = os.sysconf("SC_PAGE_SIZE")
    return int(sizes[0]) * page, int(sizes[5]) * page


def _private_file_systems(limits: Limits) -> list[linux.Step]:
    """Return how to give this fork a /tmp and /dev/shm of its own, and a /proc with cpuinfo alone."""
    flags = linux.MS_NOSUID | linux.MS_NODEV
    room = f"mode=0700,size={2 * limits.file_mb}m,nr_inodes=4096"
    return [
        linux.mount_step("none", "/", None, linux.MS_REC | linux.MS_PRIVATE),
        linux.mount_step("tmpfs", "/tmp", "tmpfs", flags, room),
        linux.mount_step("tmpfs", "/dev/shm", "tmpfs", flags, room),
        # Shared mappings of it are memory that no process has to hold, as anonymous ones are, which are refused.
        linux.mount_step("/dev/null", "/dev/zero", None, linux.MS_BIND),
        # torch reads cpuinfo when it is first used, and nothing else of /proc is anybody's business here.
        linux.mount_step("tmpfs", "/proc", "tmpfs", flags | linux.MS_NOEXEC, "mode=0555,size=4m,nr_inodes=16"),
        (linux.write, ("/proc/cpuinfo", processors()), ""),
    ]


def processors() -> bytes:
    """Return what the system says of its processors."""
    with open("/proc/cpuinfo", "rb") as file:
        return file.read()
