"""What a check is given as `student`: the submission's module in its sandbox."""

from __future__ import annotations

import contextlib
import functools
import inspect
import marshal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from grader.record import CLAIM
from grader.sandbox.conversation import Callback, Conversation, Handle, Items
from grader.sandbox.errors import StudentError

from . import compare
from .asked import Look, looking
from .describe import describe
from .outcomes import CheckFailed


class Student:
    """The student's module: every public name in it is reached as an attribute."""

    def __init__(self, worker: Any, module: str, names: Any = None, *, losses: bool = False) -> None:
        self._worker, self._module, self._losses = worker, module, losses
        self._conversation: Conversation = worker.conversation
        self._planted: set[str] = set()
        self._names = names if type(names) is dict else {}  # what the worker told when it loaded the module
        self.probe = Probes(self._conversation)

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._names[name] if name in self._names else self._conversation.get(None, name)
        except StudentError as error:
            if error.kind != "AttributeError":
                raise
            raise CheckFailed(f"{self._module}.py does not define {name}, which this check needs.") from None
        if not (isinstance(value, Handle) and value._callable):
            raise CheckFailed(f"{name} in {self._module}.py is {describe(value)}, and cannot be called.")
        setattr(self, name, value)  # to ask again is a round trip for the same answer
        return value

    def plant(self, module: ModuleType) -> Probes:
        """Send a module of the judge's into the worker, once, and return its functions, which run there like probes."""
        name = module.__name__
        if name not in self._planted:
            with _helping(name.rpartition(".")[2]):
                self._conversation.request("plant", name=name, code=code_of(module), losses=self._losses)
            self._planted.add(name)
        return Probes(self._conversation, planted=name)

    def file(self, name: str, data: bytes) -> str:
        """Place a file in the worker's private folder and return its path there."""
        return self._conversation.request("file", name=name, data=data)

    def large_file(self, path: Path) -> str | None:
        """Return where the worker can read this file of the judge's without having it sent, or None if it can't."""
        return self._worker.mounts.get(str(path))

    def callback(self, function: Callable[..., Any], *takes: Look) -> Callback:
        """Return an argument that the student's code can call; the function runs here, in the judge.

        `takes` says what each argument must be (grader.judge.asked), which is looked at before the function is called.
        """
        return Callback(function, looking(function, takes))

    def iterator(self, iterable: Iterable[Any]) -> Items:
        """Return an argument to iterate over; each item is fetched from here when it is wanted.

        A list is fetched whole, with its first item.
        """
        return Items(iterable)

    def memory_mb(self) -> float:
        """Return by how many MB the worker has grown since the check began, as seen from outside."""
        return self._worker.memory_mb()

    def cpu_seconds(self) -> float:
        """Return the processor time that the worker has used, as seen from outside."""
        return self._worker.cpu_seconds()


class Probes:
    """`student.probe.name(...)` runs trusted helper code inside the worker; what it says is a claim."""

    def __init__(self, conversation: Conversation, planted: str | None = None) -> None:
        self._conversation, self._planted = conversation, planted

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            compare.evidence.add(CLAIM)
            fields = {"name": name, "args": list(args), "kwargs": kwargs, "planted": self._planted}
            with _helping(name):
                return self._conversation.request("probe", **fields)

        return run


@contextlib.contextmanager
def _helping(name: str) -> Iterator[None]:
    """Note of what the student's worker raises that the judge's own code was running there."""
    try:
        yield
    except StudentError as error:
        error.helper = name
        raise


@functools.cache
def code_of(module: ModuleType) -> bytes:
    """Return a module's code, compiled here once: a worker has the same Python, and compiling takes much memory."""
    name = module.__name__
    return marshal.dumps(compile(inspect.getsource(module), f"<{name}>", "exec", dont_inherit=True))
