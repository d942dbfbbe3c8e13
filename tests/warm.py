"""Command lines without the seconds that a new Python takes to import torch: forks of one that is kept warm.

What a command says, writes and ends with is what it is in a Python of its own; tests/test_warm.py compares the two.
Where it might not be, since an environment asks for something that Python or a library reads at its start, and where
nothing can be forked, it gets a Python of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from grader.warm import becoming

REPOSITORY = Path(__file__).resolve().parents[1]
SERVER = Path(__file__).with_name("kept_warm.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # before any test has changed it
_server: list[KeptWarm] = []


class KeptWarm:
    """The process that is kept warm, and the channel on which it is asked for forks."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno())], cwd=REPOSITORY, env=ENVIRONMENT,
                stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),),
            )  # fmt: skip

    def start(self, command: dict[str, Any], descriptors: list[int]) -> Started:
        """Start a command."""
        told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._channel, [json.dumps(command).encode()], [theirs.fileno(), *descriptors])
        return Started(command["arguments"], told)

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()


class Started:
    """A command that runs: as much of `subprocess.Popen` as tests need."""

    def __init__(self, arguments: list[str], told: socket.socket) -> None:
        self._arguments, self._told = arguments, told
        self.pid, self.returncode = int(told.recv(100)), None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(100))
            except TimeoutError:
                raise subprocess.TimeoutExpired(self._arguments, timeout or 0) from None
            self._told.close()
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def run(
    module: str, *arguments: object, cwd: Path = REPOSITORY, env: dict[str, str] | None = None, stdin: str = "",
    timeout: float = 240, sandbox: Any = None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run `python -m MODULE ARGUMENTS` in a folder and an environment (else the tests' own); return what it said.

    A running sandbox can be lent to it, in the place of the one that it would boot.
    """
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        streams[0].write(stdin.encode())
        streams[0].seek(0)
        started = start(module, *arguments, streams=streams, cwd=cwd, env=env, sandbox=sandbox)
        try:
            code = started.wait(timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
            raise
        return subprocess.CompletedProcess([module, *map(str, arguments)], code, *map(_text, streams[1:]))


def start(
    module: str, *arguments: object, streams: list[Any], cwd: Path = REPOSITORY, env: dict[str, str] | None = None,
    sandbox: Any = None, new_session: bool = False,
) -> Started | subprocess.Popen[bytes]:  # fmt: skip
    """Start `python -m MODULE ARGUMENTS` with these three streams, and do not wait for its end."""
    command = [module, *map(str, arguments)]
    environment = dict(os.environ if env is None else env)
    if not can_fork(environment):
        return subprocess.Popen(
            [sys.executable, "-m", *command], cwd=cwd, env=environment, stdin=streams[0], stdout=streams[1],
            stderr=streams[2], start_new_session=new_session,
        )  # fmt: skip
    if not _server:
        _server.append(KeptWarm())
    descriptors, server = [stream if isinstance(stream, int) else stream.fileno() for stream in streams], 0
    asked = {"arguments": command, "folder": str(cwd), "environment": environment, "new_session": new_session}
    with contextlib.ExitStack() as stack:
        if sandbox is not None and sandbox.level == "bubblewrap":
            hold = sandbox.for_another_judge()
            stack.callback(hold.hang_up)
            descriptors, server = [*descriptors, hold._control.fileno()], hold._pid
        return _server[0].start(asked | {"server": server}, descriptors)


def can_fork(environment: dict[str, str]) -> bool:
    """Whether a fork of what is kept warm would be what a new Python with this environment is."""
    same = becoming.fits(ENVIRONMENT, {"OMP_NUM_THREADS": "1", **environment})
    return sys.platform.startswith("linux") and same


def close() -> None:
    """End what is kept warm, if it was started."""
    while _server:
        _server.pop().close()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
