"""Unusual: lists and loops throughout, ids kept as a tuple, a file read by seek instead of a map, no type hints."""

import os
import random

import numpy as np
import torch


class NextTokenDataset:
    def __init__(self, ids, context_length, stride=1):
        for number in (context_length, stride):
            if number < 1:
                raise ValueError("must be positive: %d" % number)
        self.ids = tuple(int(token) for token in ids)
        self.context_length = context_length
        self.starts = range(0, max(0, len(self.ids) - context_length), stride)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, index):
        try:
            start = self.starts[index]
        except IndexError:
            raise IndexError("no item %d" % index) from None
        end = start + self.context_length
        return torch.tensor(self.ids[start:end]), torch.tensor(self.ids[start + 1 : end + 1])


def collate(sequences, pad_id, ignore_index=-100):
    if len(sequences) == 0:
        raise ValueError("nothing to collate")
    lists = [sequence.tolist() for sequence in sequences]
    for i, one in enumerate(lists):
        if len(one) < 2:
            raise ValueError("sequence %d is too short" % i)
    longest = max(map(len, lists))
    inputs = [one[:-1] + [pad_id] * (longest - len(one)) for one in lists]
    targets = [one[1:] + [ignore_index] * (longest - len(one)) for one in lists]
    device = sequences[0].device
    return torch.tensor(inputs).to(device), torch.tensor(targets).to(device)


def split(documents, fractions, seed):
    if abs(sum(fractions) - 1) > 1e-9 or any(fraction < 0 for fraction in fractions):
        raise ValueError("bad fractions %r" % (fractions,))
    texts = sorted(set(documents))
    dice = random.Random("a seed of text: %d" % seed)
    keys = {text: dice.random() for text in texts}
    texts.sort(key=keys.get)
    a = round(fractions[0] * len(texts))
    b = round((fractions[0] + fractions[1]) * len(texts))
    groups = set(texts[:a]), set(texts[a:b]), set(texts[b:])
    sides = [], [], []
    for document in documents:
        for group, side in zip(groups, sides, strict=True):
            if document in group:
                side.append(document)
    return sides


class ShufflingLoader:
    def __init__(self, dataset, batch_size, seed=0, drop_last=False):
        if batch_size <= 0:
            raise ValueError("batch_size=%d" % batch_size)
        self.generator = torch.Generator()
        self.generator.manual_seed(seed)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last

    def __len__(self):
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self):
        inputs, targets = [], []
        for index in torch.randperm(len(self.dataset), generator=self.generator):
            x, y = self.dataset[int(index)]
            inputs.append(x)
            targets.append(y)
            if len(inputs) == self.batch_size:
                yield torch.stack(inputs), torch.stack(targets)
                inputs, targets = [], []
        if inputs and not self.drop_last:
            yield torch.stack(inputs), torch.stack(targets)


def get_batch(path, dtype, batch_size, context_length, generator, device="cpu"):
    width = np.dtype(dtype).itemsize
    count = os.path.getsize(path) // width
    if count < context_length + 1:
        raise ValueError("%d ids for windows of %d" % (count, context_length))
    xs, ys = [], []
    with open(path, "rb") as file:
        for _ in range(batch_size):
            start = int(torch.randint(0, count - context_length, (1,), generator=generator))
            file.seek(start * width)
            ids = np.frombuffer(file.read((context_length + 1) * width), dtype=dtype).tolist()
            xs.append(ids[:-1])
            ys.append(ids[1:])
    return torch.tensor(xs, device=device), torch.tensor(ys, device=device)
