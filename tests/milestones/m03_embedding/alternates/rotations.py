"""Unusual: gathered rows, a cosine as a shifted sine, tables laid out column by column, sums by einsum and addcmul."""

import torch
from torch import nn


def _column_by_column(tensor):
    """The same values, with the last two axes swapped in memory."""
    return tensor.mT.contiguous().mT


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model):
        nn.Module.__init__(self)
        self.vocab_size, self.d_model = vocab_size, d_model
        self.weight = nn.Parameter(_column_by_column(torch.randn(vocab_size, d_model).div(50)))

    def forward(self, ids):
        flat = ids.reshape(-1, 1)
        for number in flat.unique().tolist():
            if number < 0 or number >= self.vocab_size:
                raise IndexError(f"vocab_size={self.vocab_size} id={number}")
        rows = self.weight.gather(0, flat.expand(-1, self.d_model))
        return _column_by_column(rows.reshape(*ids.shape, self.d_model))


class LearnedPositions(nn.Module):
    def __init__(self, context_length, d_model):
        nn.Module.__init__(self)
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(context_length, d_model), 0, 0.02))

    def forward(self, seq, start=0):
        try:
            if start < 0:
                raise RuntimeError("negative")
            return self.weight.narrow(0, start, seq)
        except (RuntimeError, IndexError) as error:
            message = f"{seq} positions from {start} on end at {start + seq}; context_length is {len(self.weight)}"
            raise ValueError(message) from error


def sinusoidal_positions(context_length, d_model, device=None):
    if divmod(d_model, 2)[1]:
        raise ValueError(f"a width of {d_model} has no pairs")
    column = torch.arange(d_model, device=device)
    even = column - column % 2
    slowness = torch.pow(torch.tensor(10_000.0, device=device), even / d_model)
    position = torch.arange(context_length, device=device).unsqueeze(1).double()
    phase = (column % 2) * (torch.pi / 2)  # a cosine is a sine that is a quarter turn ahead
    return _column_by_column((position / slowness.double() + phase).sin().to(torch.float32))


def embed(wte, wpe, ids, start=0):
    vectors = wte(ids)
    ones = torch.ones(ids.shape[0], dtype=vectors.dtype, device=vectors.device)
    return torch.einsum("b,sd->bsd", ones, wpe(ids.shape[-1], start)) + vectors
