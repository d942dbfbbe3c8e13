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

REPOSITORY = Path(__file__).resolve().parents[1]
SERVER = Path(__file__).with_name("kept_warm.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # before any test has changed it
READ_AT_THE_START = (
    *("PYTHON", "LC_", "LANG", "LD_", "TZ", "HOME", "XDG_", "OMP_", "MKL_", "OPENBLAS_"),
    *("HF_", "TRANSFORMERS_", "TORCH", "CUDA_"),
)
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

    def run(self, command: dict[str, Any], descriptors: list[int], timeout: float) -> int:
        """Run a command to its end and return its exit code. Raises subprocess.TimeoutExpired."""
        socket.send_fds(self._channel, [json.dumps(command).encode()], descriptors)
        fork = int(self._channel.recv(100))
        self._channel.settimeout(timeout)
        try:
            return int(self._channel.recv(100))
        except TimeoutError:
            self._channel.settimeout(None)
            os.kill(fork, signal.SIGKILL)
            self._channel.recv(100)
            raise subprocess.TimeoutExpired(command["arguments"], timeout) from None
        finally:
            self._channel.settimeout(None)

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()


def run(
    module: str,
    *arguments: object,
    cwd: Path = REPOSITORY,
    env: dict[str, str] | None = None,
    stdin: str = "",
    timeout: float = 240,
    sandbox: Any = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENTS` in a folder and an environment (else the tests' own); return what it said.

    A running sandbox can be lent to it, in the place of the one that it would boot.
    """
    command = [module, *map(str, arguments)]
    environment = dict(os.environ if env is None else env)
    if not can_fork(environment):
        return subprocess.run(
            [sys.executable, "-m", *command], cwd=cwd, env=environment, input=stdin, capture_output=True,
            encoding="utf-8", timeout=timeout, check=False,
        )  # fmt: skip
    if not _server:
        _server.append(KeptWarm())
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        streams[0].write(stdin.encode())
        streams[0].seek(0)
        descriptors, server = [stream.fileno() for stream in streams], 0
        if sandbox is not None and sandbox.level == "bubblewrap":
            hold = sandbox.for_another_judge()
            stack.callback(hold.hang_up)
            descriptors, server = [*descriptors, hold._control.fileno()], hold._pid
        asked = {"arguments": command, "folder": str(cwd), "environment": environment, "server": server}
        code = _server[0].run(asked, descriptors, timeout)
        return subprocess.CompletedProcess(command, code, *map(_text, streams[1:]))


def can_fork(environment: dict[str, str]) -> bool:
    """Whether a fork of what is kept warm would be what a new Python with this environment is."""
    kept, asked = (
        {name: value for name, value in variables.items() if name.startswith(READ_AT_THE_START)}
        for variables in (ENVIRONMENT, {"OMP_NUM_THREADS": "1", **environment})
    )
    return sys.platform.startswith("linux") and kept == asked


def close() -> None:
    """End what is kept warm, if it was started."""
    while _server:
        _server.pop().close()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
