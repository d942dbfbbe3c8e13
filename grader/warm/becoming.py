"""How a fork becomes `python -m …`: it takes over streams, folder, environment and arguments, and ends as Python ends.

Nothing of this project is imported here: the grader's tests load this file by itself, for commands in other trees.
"""

from __future__ import annotations

import atexit
import importlib
import os
import runpy
import signal
import sys
import threading
import types
from collections.abc import Mapping, Sequence

# What Python or a library reads once, when it starts: a fork of what runs already would not obey it.
READ_AT_THE_START = (
    *("PYTHON", "LC_", "LANG", "LD_", "TZ", "HOME", "XDG_", "OMP_", "MKL_", "OPENBLAS_"),
    *("HF_", "TRANSFORMERS_", "TORCH", "CUDA_"),
)


def fits(ours: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether a fork of a Python with our environment is what a new one would be with the environment asked for."""
    ours, asked = (
        {name: value for name, value in variables.items() if name.startswith(READ_AT_THE_START)}
        for variables in (ours, asked)
    )
    return ours == asked


def become(arguments: list[str], folder: str, environment: Mapping[str, str], streams: Sequence[int]) -> None:
    """Take over a command's streams, folder, environment and arguments, as they are when Python starts."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kinds = [(stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr)]
    sys.stdin = sys.__stdin__ = os.fdopen(0, "r", -1, *kinds[0])  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", 1 if os.isatty(1) else -1, *kinds[1])  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, *kinds[2])  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = os.getcwd()
    sys.argv = list(arguments)
    importlib.invalidate_caches()


def run() -> None:
    """Run the module that is the command, and end as Python ends, but for taking apart what was imported."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    code = 0
    try:
        runpy._run_module_as_main(sys.argv[0], alter_argv=True)  # type: ignore[attr-defined]
    except SystemExit as end:
        code = exit_code(end.code)
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this function
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
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
