"""The fork server: it has torch imported, runs no student code, computes nothing, and forks a worker for each check.

The server reads requests from a control socket. Each request brings two descriptors: the worker's channel and the pipe
for what it prints. The worker is forked into namespaces of its own; where that can't be done at once, a *keeper* is
forked first, which forks the worker, waits for it and ends with it. The server reports how each ended. Further judges
of the same run join through the first one; what workers they leave behind the server ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import landlock, linux, shortcuts
from .confine import NAMESPACES, Limits, become_keeper, confinement, own_namespaces
from .rehearsal import rehearse
from .session import Session
from .wire import GREETING, JOIN, Channel, WireError

MAX_REQUEST = 65536
MOST_PLANS = 64


def main(config: dict[str, Any]) -> None:
    """Import what is heavy, become an ordinary user, and serve until the judge closes the control socket."""
    control = socket.socket(fileno=config["control"])
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # what outlives its keeper comes here, where the judge finds it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_heavy()
    for name in config["warm"]:
        importlib.import_module(name)
    open_streams()
    rehearse()
    shortcuts.prepare(config["shortcuts"])  # after the rehearsal, which is a worker too, and gives its notes
    if config["uid"]:
        become_user(config["uid"], keep_switching=config["level"] == "user")
    if config["level"] != "bubblewrap":
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        landlock.keep_from_devices()
    # Neither a fork nor another process of the same user may trace the server or read its memory.
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    # At this level the kernel itself ends what a worker leaves behind, with the first process of its namespace.
    config["thread_id"] = linux.find_thread_id() if config["level"] == "bubblewrap" else None
    control.send(json.dumps({"ready": os.getuid()}).encode())
    settle()  # after the greeting: the judge has its own imports to do meanwhile
    serve(control, config)


def import_heavy() -> None:
    """Import what submissions use, once, before any fork. No thread starts: OpenBLAS and OpenMP are told not to."""
    import collections  # noqa: F401
    import dataclasses  # noqa: F401
    import heapq  # noqa: F401
    import statistics  # noqa: F401

    import jaxtyping  # noqa: F401
    import numpy
    import numpy.random  # noqa: F401  numpy loads it when it is first used: in every fork, for its seed
    import regex  # noqa: F401
    import torch
    import torch.nn.functional  # noqa: F401


def open_streams() -> None:
    """Give all forks the streams that Python programs expect; what is behind their numbers is each fork's own."""
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 it stays open as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115


def settle() -> None:
    """Make what was imported cheap to fork: no fork's garbage collector looks at it, and it lies in huge pages."""
    gc.collect()
    gc.freeze()
    linux.gather_pages()


def become_user(uid: int, keep_switching: bool) -> None:
    """Leave root for good; with `keep_switching`, keep just the right to take on another user id."""
    if keep_switching:
        linux.prctl(linux.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if keep_switching:
        linux.perform([linux.capability_step((linux.CAP_SETUID, linux.CAP_SETGID))])


@dataclass(frozen=True)
class Plan:
    """How a worker is made: what it gives up before it reads a line of the submission, where it works, and how."""

    steps: tuple[linux.Step, ...]
    folder: str
    threads: int
    rules: int | None  # a descriptor, for the one worker that this is for


def serve(control: socket.socket, config: dict[str, Any]) -> None:
    """Fork on request and report every end.

    After a fork both processes share all memory, and what this one writes to is copied: a huge page of it falls apart
    into 512 small ones, which every further fork copies one by one. So as little as can be is done here, with objects
    that are made once.
    """
    fork, plans = _forks(config), dict[bytes, Plan]()
    judges = {control.fileno(): control}  # the first one, for as long as this process lives, and those that join it
    workers: dict[int, tuple[int, bytes, socket.socket]] = {}  # descriptor readable at its end -> pid, order, for whom
    poll = select.poll()
    poll.register(control, select.POLLIN)
    first, descriptors = control.fileno(), struct.Struct("2i")
    room = socket.CMSG_SPACE(descriptors.size)
    while True:
        for fd, _ in poll.poll():
            if (judge := judges.get(fd)) is not None:
                try:
                    data, ancillary, _, _ = judge.recvmsg(MAX_REQUEST, room)
                except ConnectionResetError:  # it has left without reading all reports
                    data = b""
                if not data and fd == first:
                    return
                if not data:
                    poll.unregister(fd)
                    judges.pop(fd).close()
                    for pid, _, whose in workers.values():
                        if whose is judge:
                            os.kill(pid, signal.SIGKILL)  # it would have been its judge's to end
                    continue
                if data == JOIN:
                    (joined,) = struct.unpack("i", ancillary[0][2])
                    judges[joined] = socket.socket(fileno=joined)
                    poll.register(joined, select.POLLIN)
                    with contextlib.suppress(OSError):  # that judge may have ended
                        judges[joined].send(GREETING)
                    continue
                number, _, asked = data.partition(b"\n")
                if (plan := plans.get(asked)) is None:
                    if len(plans) == MOST_PLANS:  # at the levels user and process each worker has a folder of its own
                        plans.clear()
                    plan = plans[asked] = make_plan(config, json.loads(asked))
                if config["thread_id"] is None and not workers:
                    collect_orphans()
                channel, output = descriptors.unpack(ancillary[0][2])
                pid = fork()
                if pid == 0:
                    be_worker(list(judges.values()), config, plan, channel, output)
                os.close(channel)
                os.close(output)
                if plan.rules is not None:
                    os.close(plan.rules)
                    del plans[asked]
                end = os.pidfd_open(pid)
                workers[end] = pid, number, judge
                poll.register(end, select.POLLIN)
            else:
                poll.unregister(fd)
                pid, number, judge = workers.pop(fd)
                os.close(fd)
                report = b'{"id": %b, "ended": %d}' % (number, exit_code(wait_for_end(pid)))
                with contextlib.suppress(OSError):  # that judge may have ended, and its workers with it
                    judge.send(report)


def _forks(config: dict[str, Any]) -> Callable[[], int]:
    """Return what forks a worker into namespaces of its own or, where that takes a process in between, a keeper."""
    return os.fork if config["thread_id"] is None else linux.forking_into(NAMESPACES, config["thread_id"])


def make_plan(config: dict[str, Any], asked: dict[str, Any]) -> Plan:
    """Work out what is asked for, and import what shall be there: here, once, instead of in every fork."""
    if any(name not in sys.modules for name in asked["warm"]):
        for name in asked["warm"]:
            importlib.import_module(name)
        settle()
    limits = Limits(**asked["limits"])
    rules = landlock.keeping_to(asked["folder"]) if config["level"] != "bubblewrap" else None
    steps = confinement(config["level"], limits, asked["uid"], rules)
    if config["thread_id"] is not None:
        steps = own_namespaces(os.getuid(), os.getgid()) + steps
    return Plan(steps, asked["folder"], limits.threads, rules)


def collect_orphans() -> None:
    """Collect the dead that earlier workers left behind: they would be counted as the next one's processes."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def be_worker(judges: list[socket.socket], config: dict[str, Any], plan: Plan, channel: int, output: int) -> None:
    """Go on, in a fork, as a worker or as its keeper. Never returns."""
    code = 70
    try:
        for judge in judges:
            judge.close()
        if config["thread_id"] is not None:
            run_worker(plan, channel, output)
        code = keep(config["level"], plan, channel, output)
    except BaseException as error:  # this is a copy of the server: whatever happens, it must not go on as one
        with contextlib.suppress(OSError):
            os.write(output, f"the sandbox could not confine a fork: {error}\n".encode())
        code = 71
    finally:
        os._exit(code)


def keep(level: str, plan: Plan, channel: int, output: int) -> int:
    """Fork the worker and wait for its end; return its exit code."""
    become_keeper(level)
    worker = os.fork()
    if worker == 0:
        run_worker(plan, channel, output)
    os.close(channel)
    os.close(output)
    return exit_code(wait_for_end(worker))


def wait_for_end(pid: int) -> int:
    """Wait until a process has ended and return its status; one that has itself traced has its stops told as well."""
    while True:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return status


def exit_code(status: int) -> int:
    """Return how a process ended, as a shell says it: 128 and the signal's number, where there was one."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def run_worker(plan: Plan, channel_fd: int, output_fd: int) -> None:
    """Give up what the plan says, then serve the judge over the channel until it closes. Never returns."""
    linux.perform(plan.steps)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    channel_fd = os.dup2(channel_fd, 3)
    os.closerange(4, 256)
    os.chdir(plan.folder)
    if plan.folder != tempfile.tempdir:  # where files go for which nobody names a place: nothing else may be written to
        os.environ["TMPDIR"] = os.environ["HOME"] = tempfile.tempdir = plan.folder
    channel = Channel(channel_fd, channel_fd)
    serve_judge(channel, Session(plan.folder, "cpu", channel.sending), plan.threads)


def serve_judge(channel: Channel, session: Session, threads: int) -> None:
    """Answer the judge's requests one by one; ends the process when the judge hangs up."""
    import torch

    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)

    def ask(node: Any, buffers: list[Any]) -> tuple[Any, list[bytearray]]:
        channel.send(node, buffers)
        return channel.receive()

    try:
        channel.send({"ready": True}, [])
        while True:
            node, buffers = channel.receive()
            reply, reply_buffers = session.handle(node, buffers, ask)
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):  # the student's code may have put anything in their place
                    stream.flush()
            try:
                channel.send(reply, reply_buffers)
            except WireError as error:
                channel.send({"error": {"kind": "WireError", "bases": [], "text": str(error), "frames": []}}, [])
    except (EOFError, OSError):
        os._exit(0)
    except BaseException:  # SystemExit too: a fork that the student's code has led out of here must not go on
        os._exit(72)  # the judge sees an end without a reply, which is a crash of this check


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
