"""A student's modules in a Python of their own: for a prompt, and for the calls that a failed check has made.

There is no sandbox here and there are no limits. Everything that such a file uses comes from here.
"""

from __future__ import annotations

import importlib
import io
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from grader import environment
from grader.notebooks import importing

PACKAGE = "exercises"  # as which the modules import each other, whatever their folder is called


def modules(folder: Path | str, names: Iterable[str]) -> tuple[dict[str, ModuleType], dict[str, Exception]]:
    """Import some of a folder's modules, anew if they were before; return them, and what those raised that cannot be.

    `names` are those of modules, such as "m04_attention".
    """
    from grader.sandbox.inside.session import package

    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    importlib.invalidate_caches()
    place = Path(folder).resolve()
    sys.modules[PACKAGE] = package(str(place))
    importing.install(PACKAGE, place)
    found: dict[str, ModuleType] = {}
    failed: dict[str, Exception] = {}
    for name in names:
        try:
            found[name] = importlib.import_module(f"{PACKAGE}.{name}")
        except Exception as error:  # whatever a student's module raises; it is shown
            failed[name] = error
    return found, failed


def names_of(module: ModuleType) -> dict[str, Any]:
    """Return what a module shows: its public names, those that it imports among them."""
    return {name: value for name, value in vars(module).items() if not name.startswith("_") and name != "annotations"}


def begin(folder: Path | str, module: str, dice: int | None = None, device: str = "cpu", data: Path | str = "") -> Any:
    """Return the names that a failed check's lines use: the student's, ours, and the values kept beside the lines.

    Raises what the module raises. In a Python without torch, the file that calls this runs in nox's own instead.
    """
    if run := environment.elsewhere(sys.argv):
        raise SystemExit(run())
    import torch

    found, failed = modules(folder, [module])
    if failed:
        raise failed[module]
    if device != "cpu":
        torch.set_default_device(device)
    if dice is not None:
        from grader.sandbox.inside.session import roll

        roll(dice, device)
    ours = {"torch": torch, "itertools": itertools, "placed": placed, "answering": answering}
    ours |= {"trusted": trusted, "fixture": fixture}
    return names_of(found[module]) | ours | (_kept(data, device) if data else {})


def _kept(path: Path | str, device: str) -> dict[str, Any]:
    import torch

    kept: dict[str, Any] = torch.load(io.BytesIO(Path(path).read_bytes()), map_location=device, weights_only=True)
    return kept


def placed(name: str, data: bytes) -> str:
    """Write a file into a folder of its own and return its path."""
    path = Path(tempfile.mkdtemp(prefix="scratchwork-")) / Path(name).name
    path.write_bytes(data)
    return str(path)


def fixture(name: str) -> bytes:
    """Return what a file below fixtures/ holds."""
    import fixtures

    return (fixtures.FOLDER / name).read_bytes()


def answering(answers: list[Any]) -> Callable[..., Any]:
    """Return a function that gives these answers, one a call, and the last one ever after, as the check's own did."""
    left = iter(answers)
    last: list[Any] = [None]

    def answer(*_: Any, **__: Any) -> Any:
        last[0] = next(left, last[0])
        return last[0]

    return answer


def trusted(name: str) -> Any:
    """Return the module with the check's own helpers."""
    return importlib.import_module(name)
