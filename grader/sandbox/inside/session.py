"""What a worker does with the judge's requests: load the submission, get names, call them, run probes."""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import linecache
import marshal
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from . import facts, probes, shortcuts
from .compiled import compile_files, frames_of, write_package
from .facts import PACKAGE
from .losses import Losses
from .wire import MAX_ASKED, MAX_DEPTH, WireError, decode, encode

MAX_TEXT = 4000  # characters of an exception's text that are sent

Message = tuple[Any, list[Any]]
Ask = Callable[[Any, list[Any]], Message]

Sending = Callable[[Any], Callable[[], None]]  # what makes, beforehand, what sends a message


def _unsent(_: Any) -> Callable[[], None]:
    return lambda: None


class Callback:
    """A function of the judge's, as the student's code sees it: calling it asks the judge."""

    def __init__(self, session: Session, number: int) -> None:
        self._session, self._number = session, number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the judge's function with these values and return its answer."""
        return self._session.ask_judge("callback", self._number, list(args), kwargs)


class JudgeIterator:
    """An iterator of the judge's: each item is fetched when it is asked for."""

    def __init__(self, session: Session, number: int) -> None:
        self._session, self._number = session, number

    def __iter__(self) -> JudgeIterator:
        return self

    def __next__(self) -> Any:
        return self._session.ask_judge("next", self._number, [], {})


class Session:
    """One submission loaded in this process, and the objects in it that the judge holds handles to."""

    def __init__(self, folder: str, device: str = "cpu", sending: Sending = _unsent) -> None:
        self.folder, self.device, self._sending = folder, device, sending
        self.module: Any = None
        self.objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._ask: Ask | None = None
        self._turn = threading.Lock()  # threads may ask, and a question and its answer belong together
        self.files = 0
        self.passes: tuple[type[BaseException], ...] = ()  # what ends everything, and is no failure of the code
        self._planted: dict[str, dict[str, Any]] = {}
        self._losses: Losses | None = None  # where somebody wants to know

    # ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

    def handle(self, node: Any, buffers: list[bytearray], ask: Ask) -> Message:
        """Carry out one request and return the reply; whatever the student's code raises becomes part of it."""
        self._ask = ask
        if self._losses is not None:
            self._losses.part()
        try:
            request = self._decode(node, buffers)
            value = getattr(self, "do_" + request.pop("op"))(**request)
            return self._reply("ok", value)
        except StopIteration as stop:
            if node_is_next(node):
                return {"stop": True}, []
            return self._failure(stop)
        except self.passes:
            raise
        except BaseException as error:
            return self._failure(error)

    def do_inspect(self, sources: dict[str, bytes], allowed: dict[str, dict[str, list[str]]]) -> Any:
        """Read the sources without running them: syntax, imports and which of them are not `allowed`, names used."""
        return {name: facts.read(data, facts.Allowed(**allowed[name])) for name, data in sources.items()}

    def do_compile(self, sources: dict[str, bytes]) -> dict[str, bytes]:
        """Compile the sources without running them."""
        return compile_files(sources, os.path.join(self.folder, PACKAGE))

    def do_load(
        self,
        sources: dict[str, bytes],
        module: str,
        trace: list[str],
        blocked: list[str],
        dice: int | None = None,
        compiled: dict[str, bytes] | None = None,
        names: tuple[str, ...] | list[str] = (),
    ) -> dict[str, Any]:
        """Write the sources as a package in the private folder, seed all dice, and import one module of it.

        Returns what the module holds under these names.
        """
        if dice is not None:
            roll(dice, self.device)
        root = os.path.join(self.folder, PACKAGE)
        write_package(root, sources, compiled or {})
        sys.path.insert(0, self.folder)
        sys.dont_write_bytecode = True
        if PACKAGE in sys.modules:  # never in a fork: looking through all modules there copies much of its memory
            for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
                del sys.modules[name]
            importlib.invalidate_caches()
            linecache.checkcache()
        shortcuts.refuse_imports(blocked, root)
        # A shortcut is told of when it is taken: nothing can take back what has been sent.
        shortcuts.trace(trace, lambda name: self._sending({"seen": name}))
        sys.modules[PACKAGE] = package(root)
        self.module = importlib.import_module(f"{PACKAGE}.{module}")
        return {name: vars(self.module)[name] for name in names if name in vars(self.module)}

    def do_roll(self, dice: int) -> None:
        """Seed all dice anew, for the next check in a process that serves several."""
        roll(dice, self.device)
        if self._losses is not None:
            self._losses.forget()

    def do_get(self, target: int | None, name: str) -> Any:
        """Return an attribute of a held object, or of the student's module."""
        return getattr(self._object(target), name)

    def do_call(self, target: int | None, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call a held object."""
        result = self._object(target)(*args, **kwargs)
        return result if self.device == "cpu" else placed(result, self.device)

    def do_each(self, target: int, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Call a held object once with each of these arguments."""
        called = self._object(target)
        return [called(*args) for args in calls]

    def do_length(self, target: int) -> int:
        """Return the length of a held object."""
        return len(self._object(target))

    def do_item(self, target: int, key: Any) -> Any:
        """Return one item of a held object."""
        return self._object(target)[key]

    def do_iterate(self, target: int) -> Any:
        """Return a handle to an iterator over a held object."""
        return HandleTo(iter(self._object(target)))

    def do_everything(self, target: int) -> list[Any]:
        """Return all items of a held object."""
        return list(self._object(target))

    def do_next(self, target: int) -> Any:
        """Return the next item of a held iterator."""
        return next(self._object(target))

    def do_file(self, name: str, data: bytes) -> str:
        """Place a file in the private folder and return its path."""
        self.files += 1
        folder = os.path.join(self.folder, f"files{self.files}")
        os.makedirs(folder)
        path = os.path.join(folder, os.path.basename(name))
        with open(path, "wb") as file:
            file.write(data)
        return path

    def do_plant(self, name: str, code: bytes, losses: bool = False) -> None:
        """Take in trusted code of the judge's that stands nowhere in the sandbox; note `losses` from now on."""
        if losses and self._losses is None:
            self._losses = Losses()
            self._losses.listen()
        self._planted[name] = {"__name__": name}
        exec(marshal.loads(code), self._planted[name])

    def do_probe(self, name: str, args: list[Any], kwargs: dict[str, Any], planted: str | None = None) -> Any:
        """Run trusted helper code in this process; its answer is a claim."""
        table = probes.PROBES if planted is None else self._planted[planted]
        return table[name](*args, **kwargs)

    def do_losses(self) -> list[list[Any]]:
        """Return what was noted of the check's losses."""
        return self._losses.told() if self._losses is not None else []

    # ── values ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask_judge(self, kind: str, number: int, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Have the judge call one of its functions, or advance one of its iterators."""
        if self._ask is None:
            raise RuntimeError("the judge is not listening")
        buffers: list[Any] = []
        node = encode({"kind": kind, "number": number, "args": args, "kwargs": kwargs}, buffers, self._hold, MAX_ASKED)
        with self._turn:
            answer, answer_buffers = self._ask({"ask": node}, buffers)
        if "stop" in answer:
            raise StopIteration
        if "error" in answer:
            kind_of_error = getattr(builtins, str(answer["error"][0]), RuntimeError)
            raise kind_of_error(answer["error"][1])
        return self._decode(answer["ok"], answer_buffers)

    def _object(self, target: int | None) -> Any:
        return self.module if target is None else self.objects[target]

    def _reply(self, kind: str, value: Any) -> Message:
        buffers: list[Any] = []
        try:
            return {kind: encode(value, buffers, self._hold, MAX_DEPTH)}, buffers
        except WireError as error:
            return self._failure(error)

    def _hold(self, value: Any) -> dict[str, Any]:
        """Keep an object here and send its number; the same object gets the same number."""
        if type(value) is HandleTo:
            value = value.value
        number = self._numbers.get(id(value))
        if number is None:
            number = len(self.objects) + 1
            self.objects[number] = value
            self._numbers[id(value)] = number
        return {"handle": [number, _type_name(value), bool(callable(value))]}

    def _decode(self, node: Any, buffers: list[bytearray]) -> Any:
        return decode(node, buffers, self._refer, self.device)

    def _refer(self, kind: str, content: Any) -> Any:
        if kind == "handle":
            return self.objects[content]
        if kind == "callback":
            return Callback(self, content)
        if kind == "iterator":
            return JudgeIterator(self, content)
        if kind == "list":
            return self._items(content)
        raise WireError(f"a value of unknown kind {kind}")

    def _items(self, number: int) -> Iterator[Any]:
        """Give the items of a list of the judge's, which is fetched when the first one is asked for."""
        yield from self.ask_judge("next", number, [], {})

    def _failure(self, error: BaseException) -> Message:
        """Describe an exception by plain strings and numbers."""
        try:
            text = str(error)[:MAX_TEXT]
        except BaseException:  # the student's __str__ may raise anything
            text = "(its text could not be read)"
        bases = [base.__name__ for base in type(error).__mro__ if base not in (object, BaseException)]
        root = os.path.join(self.folder, PACKAGE) + os.sep
        frames = frames_of(error)
        if isinstance(error, SyntaxError) and str(error.filename or "").startswith(root):
            frames.append([str(error.filename)[len(root) :], error.lineno or 1, "<module>"])
            text = str(error.msg)
        text = re.sub(re.escape(root) + "?", "", text)
        return {"error": {"kind": type(error).__name__, "bases": bases, "text": text, "frames": frames[-20:]}}, []


def package(folder: str) -> Any:
    """Return a package of the modules in a folder; the import system would look for parts of it all over sys.path."""
    spec = importlib.machinery.ModuleSpec(PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [folder]
    return importlib.util.module_from_spec(spec)


def roll(seed: int, device: str) -> None:
    """Seed Python's, NumPy's and torch's own random numbers, so that a run can be repeated exactly."""
    import random

    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed)
    if device == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)  # takes milliseconds: it prepares every kind of device, also those that are not there


class HandleTo:
    """Marks a value that must stay here even if it could cross."""

    def __init__(self, value: Any) -> None:
        self.value = value


def placed(value: Any, device: str) -> Any:
    """Move a module that was just made to the device in use, as everybody's script does."""
    import torch

    return value.to(device) if isinstance(value, torch.nn.Module) else value


def node_is_next(node: Any) -> bool:
    """Whether a request asks for the next item of an iterator, where StopIteration is the end and no error."""
    return isinstance(node, dict) and ["op", "next"] in node.get("dict", [])


def _type_name(value: Any) -> str:
    kind = type(value)
    try:
        return f"{kind.__module__}.{kind.__qualname__}"[:200]
    except BaseException:  # nor need the student's metaclass have a name
        return "an unnameable type"
