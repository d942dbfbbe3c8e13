"""Unusual: one base class for both tables, gather and index_select, truncation by clamp checked, slices with step 2."""

import math

import torch
from torch import Tensor, nn


class Table(nn.Module):
    """Rows that are looked up by number."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.zeros(rows, width)))
        self.reset()
        self.register_buffer("lookups", torch.zeros(1), persistent=False)

    def reset(self) -> None:
        with torch.no_grad():
            self.weight.copy_(torch.normal(torch.zeros_like(self.weight), 0.02))

    @property
    def size(self) -> int:
        return self.weight.size(0)

    def take(self, numbers: Tensor) -> Tensor:
        return torch.index_select(self.weight, 0, numbers)


class TokenEmbedding(Table):
    def forward(self, ids: Tensor) -> Tensor:
        clamped = torch.clamp(ids, 0, self.size - 1)
        if not torch.equal(clamped, ids):
            wrong = ids[clamped != ids].tolist()
            raise IndexError(f"{len(wrong)} ids outside a vocabulary of {self.size} tokens, among them {wrong[0]}")
        return self.take(ids.reshape(-1)).unflatten(0, ids.shape)


class PositionError(ValueError):
    """A sequence does not fit."""


class LearnedPositions(Table):
    def forward(self, seq: int, start: int = 0) -> Tensor:
        if not 0 <= start <= self.size - seq:
            raise PositionError(f"start={start}, end={start + seq}, context_length={self.size}")
        return self.take(torch.arange(start, start + seq, device=self.weight.device))


def sinusoidal_positions(context_length, d_model, device=None):
    if d_model % 2 == 1:
        raise ValueError(f"d_model={d_model}")
    table = torch.zeros(context_length, d_model, device=device)
    position = torch.arange(context_length, device=device).float().unsqueeze(1)
    speed = torch.exp(torch.arange(0, d_model, 2, device=device).float() * (-math.log(10000.0) / d_model))
    table[:, 0::2] = torch.sin(position * speed)
    table[:, 1::2] = torch.cos(position * speed)
    return table


def embed(wte, wpe, ids, start=0):
    batch, seq = ids.size()
    x = wte(ids)
    x = torch.add(x, wpe(seq, start).unsqueeze(0).expand(batch, -1, -1))
    return x.contiguous()
