"""Trusted helper code that the judge runs inside the worker, next to the student's.

Nothing it returns is evidence, since the student's code runs in the same process; a check uses it to withhold points,
or compares the values that it brings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from . import linux
from .compiled import frames_of

PROBES: dict[str, Callable[..., Any]] = {}


def probe(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function callable as `student.probe.<its name>`."""
    PROBES[function.__name__] = function
    return function


@probe
def mutated(function: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Call a function and return its `result` and its positional `args` as they are afterwards."""
    result = function(*args, **kwargs)
    return {"result": result, "args": list(args)}


@probe
def give_back() -> None:
    """Give memory that lies free in this process back to the system: what is taken from now on is seen as growth."""
    linux.trim()


@probe
def consume(iterable: Iterable[int]) -> dict[str, Any]:
    """Iterate to the end without keeping the items: their `count`, their `sum`, and the `last` eight."""
    count, total, last = 0, 0, []
    for item in iterable:
        count += 1
        total += item
        last.append(item)
        if len(last) > 8:
            del last[0]
    return {"count": count, "sum": total, "last": last}


@probe
def gradients(function: Any, args: list[Any], weights: Any, kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Differentiate `(function(*args) * weights).sum()` by every floating argument and every parameter.

    Returns `args` (a gradient or None for each) and `parameters` (name → gradient or None) of a module.
    """
    import torch

    inputs = []
    for arg in args:
        if isinstance(arg, torch.Tensor) and arg.is_floating_point():
            arg = arg.detach().clone().requires_grad_(True)
        inputs.append(arg)
    parameters = dict(function.named_parameters()) if isinstance(function, torch.nn.Module) else {}
    for parameter in parameters.values():
        parameter.grad = None
    output = function(*inputs, **(kwargs or {}))
    (output * weights).sum().backward()
    return {
        "args": [getattr(arg, "grad", None) if isinstance(arg, torch.Tensor) else None for arg in inputs],
        "parameters": {name: parameter.grad for name, parameter in parameters.items()},
    }


@probe
def parameters(module: Any) -> dict[str, Any]:
    """Return the values of a module's parameters by name, each once."""
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


@probe
def fake_device(function: Any, args: list[Any], kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a function or module with fake tensors on a device that need not exist, and look for device mix-ups.

    The `verdict` is "mismatch" only for torch's own device-mismatch error, "ok" when the call went through, and
    "unknown" for any other error: data-dependent control flow is right on a real device and impossible on a fake one.
    Nor is there a verdict where code holds on to a parameter itself, which moves with its module and is not faked here.
    A module gets its tensors back afterwards. `frames` says where in the student's code the error arose.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.overrides import TorchFunctionMode

    device = fake_gpu()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    # The module itself and no copy: a lambda or a partial over self that it keeps would still reach the original.
    modules = list(function.modules()) if isinstance(function, torch.nn.Module) else []
    if any(isinstance(module, torch.jit.ScriptModule) for module in modules):
        return {"verdict": "unknown", "message": "a compiled module holds its tensors elsewhere"}
    kept = [vars(module) for module in modules] + [table for module in modules for table in tables_of(module)]
    before = [dict(table) for table in kept]
    own = {id(value) for module in modules for table in tables_of(module) for value in table.values()}
    touched = False

    class Watching(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
        """Notes whether a tensor that the module had before is used."""

        def __torch_function__(self, used: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal touched
            flat = [*args, *(kwargs or {}).values()]
            flat += [part for value in flat if isinstance(value, list | tuple) for part in value]
            touched = touched or any(id(value) in own for value in flat if isinstance(value, torch.Tensor))
            return used(*args, **(kwargs or {}))

    def fake(value: Any) -> Any:
        if isinstance(value, torch.nn.Parameter):
            return torch.nn.Parameter(fake(value.data), requires_grad=False)
        if isinstance(value, torch.Tensor):
            return torch.empty(value.shape, dtype=value.dtype, device=device)
        return value

    try:
        with mode, torch.no_grad():
            for module in modules:
                for table in tables_of(module):
                    for name, value in table.items():
                        table[name] = fake(value)
            with Watching():
                function(*[fake(arg) for arg in args], **{name: fake(arg) for name, arg in (kwargs or {}).items()})
    except Exception as error:
        text = str(error)
        mixed = "two different devices" in text or "Expected all tensors to be on the same device" in text
        verdict = "mismatch" if mixed and not touched else "unknown"
        return {"verdict": verdict, "message": text[:500], "frames": frames_of(error)}
    finally:
        for table, values in zip(kept, before, strict=True):
            table.clear()
            table.update(values)
    return {"verdict": "ok", "message": ""}


def tables_of(module: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tables in which a module keeps its parameters and its buffers."""
    return module._parameters, module._buffers


@functools.cache
def fake_gpu() -> str:
    """Return the name of a device that torch takes for a real one, slicing included.

    A torch built without CUDA refuses to slice even a fake tensor that claims to be there; a backend written in Python
    (torch 2.9 and later) has all that slicing asks for. Before that, the name is cuda, and slicing gives no verdict.
    """
    import torch
    from torch.utils import backend_registration

    register = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if register is None:
        return "cuda"

    class Nothing:
        """What torch asks a device's module for: there is one device, and it draws no random numbers."""

        is_initialized = is_available = staticmethod(lambda: True)
        current_device = staticmethod(lambda: 0)
        device_count = staticmethod(lambda: 1)
        _is_in_bad_fork = staticmethod(lambda: False)
        get_rng_state = staticmethod(lambda *_: torch.empty(0, dtype=torch.uint8))
        set_rng_state = manual_seed_all = manual_seed = staticmethod(lambda *_: None)

    register("gpu", backend_module=Nothing())
    return "gpu"
