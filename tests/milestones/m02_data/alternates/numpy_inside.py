"""Unusual: NumPy holds ids and windows, dataclasses, an iterator class that runs an epoch, torch only at the end."""

import math
import random
from dataclasses import dataclass, field

import numpy as np
import torch


def to_torch(array, device="cpu"):
    return torch.from_numpy(np.array(array, dtype=np.int64)).to(device)


@dataclass
class NextTokenDataset:
    ids: object
    context_length: int
    stride: int = 1

    def __post_init__(self):
        if self.context_length < 1 or self.stride < 1:
            raise ValueError(f"context_length {self.context_length}, stride {self.stride}")
        self.ids = np.array(self.ids, dtype=np.int64)

    def __len__(self):
        return len(range(0, self.ids.size - self.context_length, self.stride))

    def __getitem__(self, index):
        if index < 0:
            return self[len(self) + index] if index + len(self) >= 0 else self._missing(index)
        if index >= len(self):
            self._missing(index)
        begin = index * self.stride
        return tuple(to_torch(self.ids[begin + shift :][: self.context_length]) for shift in (0, 1))

    def _missing(self, index):
        raise IndexError(f"item {index}")


def collate(sequences, pad_id, ignore_index=-100):
    lengths = [int(sequence.shape[0]) for sequence in sequences]
    if not lengths:
        raise ValueError("no texts")
    if min(lengths) < 2:
        raise ValueError(f"text {lengths.index(min(lengths))} is too short")
    tokens = np.full((len(lengths), max(lengths)), pad_id, dtype=np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence.cpu().numpy()
    real = np.arange(max(lengths) - 1) < np.array(lengths)[:, None] - 1
    inputs = np.where(real, tokens[:, :-1], pad_id)
    targets = np.where(real, tokens[:, 1:], ignore_index)
    device = sequences[0].device
    return to_torch(inputs, device), to_torch(targets, device)


def split(documents, fractions, seed):
    if any(part < 0 for part in fractions) or not math.isclose(math.fsum(fractions), 1):
        raise ValueError(f"{fractions}")
    array = list(dict.fromkeys(documents))
    array = [array[i] for i in np.random.default_rng(seed).permutation(len(array))]
    ends = [round(fractions[0] * len(array)), round((fractions[0] + fractions[1]) * len(array)), len(array)]
    table = {}
    for place, text in enumerate(array):
        table[text] = next(side for side, end in enumerate(ends) if place < end)
    return tuple([text for text in documents if table[text] == side] for side in range(3))


@dataclass
class ShufflingLoader:
    dataset: object
    batch_size: int
    seed: int = 0
    drop_last: bool = False
    generator: torch.Generator = field(init=False)

    def __post_init__(self):
        if self.batch_size < 1:
            raise ValueError(f"{self.batch_size}")
        self.generator = torch.Generator().manual_seed(self.seed)

    def __len__(self):
        rounded = math.floor if self.drop_last else math.ceil
        return rounded(len(self.dataset) / self.batch_size)

    def __iter__(self):
        return Epoch(self, torch.randperm(len(self.dataset), generator=self.generator).tolist())


class Epoch:
    def __init__(self, loader, order):
        self.loader, self.order, self.left = loader, order, len(loader)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        self.left -= 1
        now, self.order = self.order[: self.loader.batch_size], self.order[self.loader.batch_size :]
        inputs, targets = zip(*map(self.loader.dataset.__getitem__, now), strict=True)
        return torch.stack(inputs), torch.stack(targets)


def get_batch(path, dtype, batch_size, context_length, generator, device="cpu"):
    data = np.memmap(path, dtype=dtype, mode="r")
    last = data.size - context_length - 1
    if last < 0:
        raise ValueError(f"{data.size} ids are too few for {context_length}")
    dice = random.Random(int(torch.randint(2**62, (), generator=generator)))
    starts = [dice.randint(0, last) for _ in range(batch_size)]
    view = np.lib.stride_tricks.sliding_window_view(data, context_length + 1)
    rows = view[starts]
    return to_torch(rows[:, :-1], device), to_torch(rows[:, 1:], device)
