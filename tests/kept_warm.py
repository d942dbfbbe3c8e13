"""A Python that has imported what is slow to import, and becomes `python -m …` in a fork for each command it is sent.

Nothing of this project is imported here: a command reads the tree that it is started in. A fork takes over the streams,
the folder and the environment that come with a command, and does what `python -m` does, to its very end.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import types
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
                become(json.loads(data), descriptors[1:])
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


def become(command: dict[str, Any], descriptors: list[int]) -> None:
    """Take over a command's streams, folder, environment and arguments, as they are when Python starts."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kinds = [(stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr)]
    sys.stdin = sys.__stdin__ = os.fdopen(0, "r", -1, *kinds[0])
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", -1, *kinds[1])
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, *kinds[2])
    if command["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    sys.path[0] = os.getcwd()
    sys.argv = command["arguments"]
    importlib.invalidate_caches()
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


def main() -> None:
    """Run the module that is the command, and end as Python ends, but for taking apart what was imported."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    code = 0
    try:
        runpy._run_module_as_main(sys.argv[0], alter_argv=True)
    except SystemExit as end:
        code = exit_code(end.code)
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next  # without this function
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = 120
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def exit_code(said: object) -> int:
    """Return the code that Python ends with for what was raised as SystemExit; a text is printed."""
    if said is None or isinstance(said, int):
        return (said or 0) & 0xFF
    print(said, file=sys.stderr)
    return 1


if __name__ == "__main__":
    for name in SLOW:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests
    gc.freeze()  # all this will stay: no fork need look through it
    serve(socket.socket(fileno=int(sys.argv[1])))
    main()
