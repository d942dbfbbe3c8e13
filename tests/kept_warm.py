"""A Python that has imported what is slow to import, and becomes `python -m …` in a fork for each command it is sent.

Nothing of this project is imported here but the one file that says how: a command reads the tree that it is started in.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

SLOW = (
    "torch", "numpy", "pytest", "pytest_timeout", "safetensors.torch", "psutil", "regex", "tiktoken", "jinja2", "yaml",
    "rich.console", "rich.live", "rich.table", "transformers.models.gpt2.modeling_gpt2",
)  # fmt: skip
MOST_BYTES = 1 << 20  # of one command with its environment


def serve(channel: socket.socket) -> None:
    """Become one command after another, each in a fork, beside which another waits to tell how it ends.

    Returns in the forks alone.
    """
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, MOST_BYTES, 5)
        if not data:
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            channel.close()
            told = socket.socket(fileno=descriptors[0])
            fork = os.fork()
            if fork == 0:
                told.close()
                begin(json.loads(data), descriptors[1:])
                return
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            with contextlib.suppress(OSError):  # where nobody waits for it any more
                told.send(str(fork).encode())
                _, status = os.waitpid(fork, 0)
                told.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def begin(command: dict[str, Any], descriptors: list[int]) -> None:
    """Become a command, which has a sandbox if one was lent to it."""
    if command["new_session"]:
        os.setsid()
    becoming.become(command["arguments"], command["folder"], command["environment"], descriptors[:3])
    if command["server"]:
        lend(descriptors[3], command["server"])


def lend(descriptor: int, server: int) -> None:
    """Have the sandbox that the command boots be the judges' side of one that runs already."""
    from grader.sandbox.forking import BOOT_SECONDS, ForkServer

    control, boot = socket.socket(fileno=descriptor), ForkServer.boot
    control.settimeout(BOOT_SECONDS)
    lent = [control]

    def take(self: ForkServer) -> None:
        if lent and self._control is None and self.level == "bubblewrap" and not self.checkpoints:
            self._control, self._pid = lent.pop(), server
        else:
            boot(self)

    ForkServer.boot = take  # type: ignore[method-assign]


def alone(path: Path) -> Any:
    """Return a file as a module, without the package around it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


becoming = alone(Path(__file__).resolve().parents[1] / "grader" / "warm" / "becoming.py")

if __name__ == "__main__":
    for name in SLOW:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests
    gc.freeze()  # all this will stay: no fork need look through it
    serve(socket.socket(fileno=int(sys.argv[1])))
    becoming.run()
