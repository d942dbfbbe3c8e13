"""What the checks of m00_warmup need inside the worker: GPUs that are played. What is reported is a claim."""

import itertools
from typing import Any
from unittest import mock

import torch


def timed_with_stand_ins(time_call, device):
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
        time_call(lambda: log.append("f"), device=device, repeats=2, warmup=0, clock=lambda: float(next(clock)))
    except NotImplementedError:
        raise
    except (RuntimeError, AssertionError, AttributeError):  # what torch raises for a device that is not there
        return None
    finally:
        mock.patch.stopall()
    return log
