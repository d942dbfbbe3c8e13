"""What the checks of m00_warmup need inside the worker: GPUs that are played. What is reported is a claim."""

import itertools
from typing import Any
from unittest import mock

import torch


def picked_with_stand_ins(pick_device, there, said=False):
    """Pick a device where torch says that it has some of cuda and mps, without and with available=None, or both `said`.

    None where the code asks torch for something that is not played.
    """
    best = torch.device(there[0]) if there else None
    played: list[Any] = [
        mock.patch.object(torch.cuda, "is_available", return_value="cuda" in there),
        mock.patch.object(torch.cuda, "device_count", return_value=int("cuda" in there)),
        mock.patch.object(torch.mps, "is_available", return_value="mps" in there),
        mock.patch.object(torch.mps, "device_count", return_value=int("mps" in there)),
        mock.patch.object(torch.backends.mps, "is_available", return_value="mps" in there),
        mock.patch.object(torch.backends.mps, "is_built", return_value="mps" in there),
        mock.patch.object(torch.accelerator, "is_available", return_value=bool(there)),
        mock.patch.object(torch.accelerator, "current_accelerator", return_value=best),
    ]
    try:
        for part in played:
            part.start()
        ways = [(None, there.__contains__)] * 2 if said else [(), (None, None)]
        return [str(pick_device(*way)) for way in ways]
    except NotImplementedError:
        raise
    except (RuntimeError, AssertionError, AttributeError):  # what torch raises for a device that is not there
        return None
    finally:
        mock.patch.stopall()


def timed_with_stand_ins(time_call, device, **options):
    """Time two calls on a device that is only played; return the calls (f) and torch's waits for it (w), in order.

    None where the code asks torch for something that is not played.
    """
    log, clock = [], itertools.count()

    def wait(*_args, **_kwargs):
        log.append("w")

    played: list[Any] = [
        mock.patch.object(torch.cuda, "is_available", return_value=device == "cuda"),
        mock.patch.object(torch.backends.mps, "is_available", return_value=device == "mps"),
        mock.patch.object(torch.cuda if device == "cuda" else torch.mps, "synchronize", wait),
        mock.patch.object(torch.accelerator, "synchronize", wait),
    ]
    try:
        for part in played:
            part.start()
        clocked = {"repeats": 2, "warmup": 0, "clock": lambda: float(next(clock))}
        time_call(lambda: log.append("f"), device=device, **clocked, **options)
    except NotImplementedError:
        raise
    except (RuntimeError, AssertionError, AttributeError):  # what torch raises for a device that is not there
        return None
    finally:
        mock.patch.stopall()
    return log
