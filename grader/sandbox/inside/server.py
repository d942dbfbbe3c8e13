"""The fork server: it has torch imported, runs no student code, computes nothing, and forks a worker for each check.

The server reads requests from a control socket. Each request brings two descriptors: the worker's channel and the pipe
for what it prints. A *keeper* is forked, which enters namespaces of its own and forks the worker; it waits for the
worker and ends with it, and the server reports how.
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
import sys
from typing import Any

from . import linux, shortcuts
from .confine import NAMESPACES, become_keeper, confinement, own_namespaces, settings
from .rehearsal import rehearse
from .session import Session
from .wire import Channel, WireError

MAX_REQUEST = 65536


def main(config: dict[str, Any]) -> None:
    """Import what is heavy, become an ordinary user, and serve until the judge closes the control socket."""
    control = socket.socket(fileno=config["control"])
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # what outlives its keeper comes here, where the judge finds it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_heavy()
    open_streams()
    shortcuts.prepare()
    rehearse()
    if config["uid"]:
        become_user(config["uid"], keep_switching=config["level"] == "user")
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


def serve(control: socket.socket, config: dict[str, Any]) -> None:
    """Fork on request and report every keeper's end."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    keepers: dict[int, tuple[int, int]] = {}  # descriptor readable at its end -> process id, number of the order
    while True:
        for fd, _ in poll.poll():
            if fd == control.fileno():
                data, fds, _, _ = socket.recv_fds(control, MAX_REQUEST, 2)
                if not data:
                    return
                request = json.loads(data)
                if any(name not in sys.modules for name in request["warm"]):
                    for name in request["warm"]:
                        importlib.import_module(name)  # here, once, instead of in every fork
                    settle()
                if not keepers:
                    collect_orphans()
                pid = fork_worker(control, request, fds, config)
                for received in fds:
                    os.close(received)
                end = os.pidfd_open(pid)
                keepers[end] = pid, request["id"]
                poll.register(end, select.POLLIN)
            else:
                poll.unregister(fd)
                pid, number = keepers.pop(fd)
                status = wait_for_end(pid)
                os.close(fd)
                control.send(json.dumps({"id": number, "ended": exit_code(status)}).encode())


def collect_orphans() -> None:
    """Collect the dead that earlier workers left behind: they would be counted as the next one's processes."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def fork_worker(control: socket.socket, request: dict[str, Any], fds: list[int], config: dict[str, Any]) -> int:
    """Fork a worker into namespaces of its own, or a keeper and in it the worker; return the first one's process id."""
    level, limits = config["level"], settings(request)
    direct = config["thread_id"] is not None
    steps = confinement(level, limits, request["uid"])
    if direct:
        steps = own_namespaces(os.getuid(), os.getgid()) + steps
    pid = linux.fork_into(NAMESPACES, config["thread_id"]) if direct else os.fork()
    if pid:
        return pid
    code = 70
    try:
        control.close()
        if direct:
            linux.perform(steps)
            run_worker(fds[0], fds[1], request["folder"], "cpu", limits.threads)
        code = keep(level, steps, fds, request["folder"], limits.threads)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(fds[1], f"the sandbox could not confine a fork: {error}\n".encode())
        code = 71
    finally:
        os._exit(code)


def keep(level: str, steps: tuple[linux.Step, ...], fds: list[int], folder: str, threads: int) -> int:
    """Fork the worker and wait for its end; return its exit code."""
    become_keeper(level)
    worker = os.fork()
    if worker == 0:
        linux.perform(steps)
        run_worker(fds[0], fds[1], folder, "cpu", threads)
    for fd in fds:
        os.close(fd)
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


def run_worker(channel_fd: int, output_fd: int, folder: str, device: str, threads: int) -> None:
    """Serve the judge over the channel until it closes. Never returns."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    channel_fd = os.dup2(channel_fd, 3)
    os.closerange(4, 256)
    os.chdir(folder)
    serve_judge(Channel(channel_fd, channel_fd), Session(folder, device), threads)


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
    except BaseException:
        os._exit(72)  # the judge sees an end without a reply, which is a crash of this check


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
