"""Unusual: plain Python loops and the math module, row by row and number by number; no type hints."""

import math

import torch
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, d_model).normal_(mean=0.0, std=0.02))

    def forward(self, ids):
        sequences = []
        for sequence in ids.tolist():
            for number in sequence:
                if not 0 <= number < self.weight.shape[0]:
                    raise IndexError("%d is not below %d, or negative" % (number, self.weight.shape[0]))
            rows = [self.weight[number] for number in sequence]
            sequences.append(torch.stack(rows) if rows else self.weight[:0])
        return torch.stack(sequences)


class LearnedPositions(nn.Module):
    def __init__(self, context_length, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(context_length, d_model).normal_(mean=0.0, std=0.02))

    def forward(self, seq, start=0):
        last = start + seq
        if start < 0 or last > self.weight.shape[0]:
            raise ValueError("from %d to %d, but there are %d" % (start, last, self.weight.shape[0]))
        rows = [self.weight[number] for number in range(start, last)]
        return torch.stack(rows) if rows else self.weight[:0]


def sinusoidal_positions(context_length, d_model, device=None):
    if d_model % 2:
        raise ValueError("%d is odd" % d_model)
    table = []
    for position in range(context_length):
        row = []
        for i in range(d_model // 2):
            angle = position / math.pow(10_000, 2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        table.append(row)
    return torch.tensor(table, device=device)


def embed(wte, wpe, ids, start=0):
    vectors, positions = wte(ids), wpe(ids.shape[1], start)
    return torch.stack([sequence + positions for sequence in vectors])
