"""Unusual: windows are one strided view, batches are gathered by an index matrix, sides by a permutation of ranks."""

import torch
from numpy import int64, memmap
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset


class NextTokenDataset(Dataset):
    def __init__(self, ids, context_length: int, stride: int = 1) -> None:
        if min(context_length, stride) < 1:
            raise ValueError(f"{context_length=} {stride=}")
        ids = torch.as_tensor(ids).long().clone()
        if len(ids) > context_length:
            self.windows = ids.unfold(0, context_length + 1, stride)
        else:
            self.windows = ids.new_empty(0, context_length + 1)

    def __len__(self) -> int:
        return self.windows.shape[0]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index >= len(self) or index < -len(self):
            raise IndexError(f"{index} of {len(self)}")
        both = torch.stack([self.windows[index, :-1], self.windows[index, 1:]])
        return both[0], both[1]


def collate(sequences: list[Tensor], pad_id: int, ignore_index: int = -100) -> tuple[Tensor, Tensor]:
    short = [i for i, sequence in enumerate(sequences) if sequence.numel() < 2]
    if short or not sequences:
        raise ValueError(f"texts without a pair: {short}")
    texts = [sequence.to(torch.int64) for sequence in sequences]
    inputs = pad_sequence([text[:-1] for text in texts], batch_first=True, padding_value=pad_id)
    targets = pad_sequence([text[1:] for text in texts], batch_first=True, padding_value=ignore_index)
    return inputs, targets


def split(documents: list[str], fractions: tuple[float, float, float], seed: int):
    train, validation, test = fractions
    if not -1e-6 < train + validation + test - 1 < 1e-6 or train < 0 or validation < 0 or test < 0:
        raise ValueError(str(fractions))
    number: dict[str, int] = {}
    for document in documents:
        number.setdefault(document, len(number))
    order = torch.randperm(len(number), generator=torch.Generator().manual_seed(seed))
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    cuts = torch.tensor([round(train * len(order)), round((train + validation) * len(order))])
    side = torch.bucketize(rank, cuts, right=True)
    pick = lambda k: [document for document in documents if int(side[number[document]]) == k]  # noqa: E731
    return pick(0), pick(1), pick(2)


class ShufflingLoader:
    def __init__(self, dataset, batch_size: int, seed: int = 0, drop_last: bool = False) -> None:
        if not batch_size > 0:
            raise ValueError(f"{batch_size} is no batch size")
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.dice = torch.Generator(device="cpu")
        self.dice.manual_seed(seed)

    def _batches(self, order: Tensor) -> list[Tensor]:
        parts = list(order.split(self.batch_size))
        return [part for part in parts if len(part) == self.batch_size or not self.drop_last]

    def __len__(self) -> int:
        return len(self._batches(torch.arange(len(self.dataset))))

    def __iter__(self):
        order = torch.rand(len(self.dataset), generator=self.dice, dtype=torch.float64).argsort()
        return (self._fetch(part.tolist()) for part in self._batches(order))

    def _fetch(self, places: list[int]) -> tuple[Tensor, Tensor]:
        items = [self.dataset[place] for place in places]
        return torch.stack([item[0] for item in items]), torch.stack([item[1] for item in items])


def get_batch(path, dtype, batch_size: int, context_length: int, generator: torch.Generator, device="cpu"):
    ids = memmap(path, dtype, "r")
    if ids.size <= context_length:
        raise ValueError(f"{ids.size} <= {context_length}")
    starts = torch.randint(0, ids.size - context_length, (batch_size, 1), generator=generator)
    places = starts + torch.arange(context_length + 1)
    rows = torch.as_tensor(ids[places.numpy()].astype(int64), device=device)
    return rows[:, :-1], rows[:, 1:]
