"""What torch and the wire prepare when they are first used: done once in the server, not in every fork for itself."""

from __future__ import annotations

import os
from typing import Any


def rehearse() -> None:
    """Do a little of what most checks do. Raises RuntimeError if that has started a thread: a fork would lack it."""
    import torch
    from torch.nn import functional

    from .wire import decode, encode

    buffers: list[Any] = []
    node = encode({"args": [torch.ones(2, 3, 4), 1, 0.5, "text", (True, None)]}, buffers, _nothing)
    x = decode(node, [bytearray(buffer) for buffer in buffers], _nothing, "cpu")["args"][0]
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Dropout(0.5))
    module.load_state_dict(module.state_dict())
    y = module.eval()(x)
    heads = y.view(2, 3, 2, 2).transpose(1, 2)
    scores = (heads @ heads.transpose(-2, -1)).masked_fill(~torch.ones(3, 3, dtype=torch.bool).tril(), float("-inf"))
    mixed = (torch.softmax(scores, dim=-1) @ heads).transpose(1, 2).reshape(2, 3, 4)
    rows = torch.nn.Embedding(5, 4)(torch.arange(3)) + mixed
    loss = functional.cross_entropy(rows.flatten(0, 1), torch.zeros(6, dtype=torch.long))
    loss.backward()
    encode([loss.detach(), rows.detach(), rows[0, 0, 0].item()], [], _nothing)
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("torch has started threads, and a process that has must not be forked")


def _nothing(*_: Any) -> Any:
    raise AssertionError("nothing here crosses by reference")
