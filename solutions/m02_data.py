"""m02_data: turn one long row of token ids into questions with answers, and serve them in batches.

A language model learns to guess the next token: the answer to a window of text is the same window, one token further
on, and nobody has to label anything. Mistakes here raise no error; they make every number that comes later a lie.
Left out: parallel loading, packing several texts into one window, near duplicates. Not allowed, since they are what you
are building: DataLoader, RandomSampler and random_split of torch.utils.data.
"""

import math
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import DTypeLike
from torch import Tensor

Pair = tuple[Tensor, Tensor]  # inputs and targets: int64, of one shape
Sides = tuple[list[str], list[str], list[str]]  # training, validation, test


class NextTokenDataset:
    """All windows of `context_length` tokens that start at 0, stride, 2 * stride, … and have a token after them.

    Item i is the pair (inputs, targets), both int64 of shape (context_length,); targets are one token further on.
    Example: NextTokenDataset([1, 2, 3, 4, 5], 2) holds ([1, 2], [2, 3]), ([2, 3], [3, 4]) and ([3, 4], [4, 5]).
    It keeps a copy: changing `ids` later or writing into an item changes nothing else. Too few ids: no items.
    ValueError, naming the number, for a context_length or stride below 1.
    """

    def __init__(self, ids: Sequence[int] | Int[Tensor, "n"], context_length: int, stride: int = 1) -> None:
        if context_length < 1:
            raise ValueError(f"context_length is {context_length}, and must be at least 1")
        if stride < 1:
            raise ValueError(f"stride is {stride}, and must be at least 1")
        self._ids = torch.as_tensor(ids).to(torch.int64, copy=True)
        self._context_length, self._stride = context_length, stride

    def __len__(self) -> int:
        # Pitfall: a window needs one token more than it shows, the last target. Starts run from 0 to spare, both
        # included: with exactly one token to spare over the window there is one start, hence the + 1 after dividing.
        spare = len(self._ids) - self._context_length - 1
        return spare // self._stride + 1 if spare >= 0 else 0

    def __getitem__(self, index: int) -> Pair:
        """Return one pair; -1 is the last, as in a list. Raises IndexError, naming the index, where there is none."""
        n_items = len(self)
        if not -n_items <= index < n_items:
            raise IndexError(f"there is no item {index} among {n_items}")
        start = index % n_items * self._stride  # Python's remainder is never negative: -1 becomes n_items - 1
        window = self._ids[start : start + self._context_length + 1]
        # Slices are views of the same memory, of the copy and of each other.
        return window[:-1].clone(), window[1:].clone()


def collate(sequences: list[Int[Tensor, "n"]], pad_id: int, ignore_index: int = -100) -> Pair:
    """Make one batch of texts of unequal length: (inputs, targets), int64 "batch longest-1", on the texts' device.

    A text of n tokens gives n - 1 pairs at the left of its row. The rest is padding: `pad_id` among the inputs,
    `ignore_index` (where the loss looks away) among the targets. A token that happens to be pad_id stays a target.
    Example: [[7, 8, 9], [5, 6]] with pad_id 0 gives inputs [[7, 8], [5, 0]] and targets [[8, 9], [6, -100]].
    ValueError for no sequences, and for one of fewer than 2 tokens, naming its index.
    """
    if not sequences:
        raise ValueError("there are no sequences to collate")
    for place, sequence in enumerate(sequences):
        if len(sequence) < 2:
            raise ValueError(f"sequence {place} has length {len(sequence)}; a pair takes at least 2 tokens")
    shape = len(sequences), max(len(sequence) for sequence in sequences) - 1
    inputs = torch.full(shape, pad_id, dtype=torch.int64, device=sequences[0].device)
    # Pitfall: targets are padded on their own. Looking for pad_id in them afterwards would also silence real tokens:
    # GPT-2 has no padding token, so its end of text often serves as one.
    targets = torch.full_like(inputs, ignore_index)
    for row, sequence in enumerate(sequences):
        inputs[row, : len(sequence) - 1] = sequence[:-1]
        targets[row, : len(sequence) - 1] = sequence[1:]
    return inputs, targets


def split(documents: list[str], fractions: tuple[float, float, float], seed: int) -> Sides:
    """Deal documents out to training, validation and test: each to one side, and its copies to the same side.

    Of n distinct documents, shuffled by a generator seeded with `seed`, training gets the first round(f0 * n),
    validation those up to round((f0 + f1) * n), test the rest. No copy is lost; each side keeps the given order. Only
    the arguments matter (hash(text) differs between processes), and global random numbers are left alone. Example:
    ["a", "b", "a"] with (0.5, 0.0, 0.5) gives ["a", "a"], [], ["b"] or the reverse. ValueError when a fraction is
    negative or their sum, rounding aside, is not 1.
    """
    if min(fractions) < 0 or not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
        raise ValueError(f"fractions must not be negative and must sum to 1, got {fractions}")
    # A dict remembers the order of first appearance; a set's order depends on hashes, which differ between processes.
    distinct = list(dict.fromkeys(documents))
    random.Random(seed).shuffle(distinct)
    first, second = round(fractions[0] * len(distinct)), round((fractions[0] + fractions[1]) * len(distinct))
    side = {document: (place >= first) + (place >= second) for place, document in enumerate(distinct)}
    # Pitfall: sides belong to texts, not to places in the list, or a copy of a training text ends up in the test.
    training, validation, test = ([document for document in documents if side[document] == k] for k in range(3))
    return training, validation, test


class ShufflingLoader:
    """Serves a dataset (anything with a length whose items are pairs) in batches, in another order each epoch.

    Each `for` over it is an epoch: every item once, in batches of inputs and targets stacked along a new first axis.
    The last batch may be smaller; with `drop_last` it is then left out. An item is fetched when its batch is due. The
    loader owns a torch.Generator made from `seed` and leaves global random numbers alone: two loaders with one seed
    give the same epochs. `len` counts batches. ValueError, naming the number, when batch_size is less than 1.
    """

    def __init__(self, dataset: Sequence[Pair], batch_size: int, seed: int = 0, drop_last: bool = False) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, and must be at least 1")
        self._dataset, self._batch_size, self._drop_last = dataset, batch_size, drop_last
        # Made once: it moves on from epoch to epoch, and so does the order.
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        full, rest = divmod(len(self._dataset), self._batch_size)
        return full if self._drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator[Pair]:
        order = torch.randperm(len(self._dataset), generator=self._generator).tolist()
        for batch in range(len(self)):
            places = order[batch * self._batch_size : (batch + 1) * self._batch_size]
            inputs, targets = zip(*(self._dataset[place] for place in places), strict=True)
            yield torch.stack(inputs), torch.stack(targets)


def get_batch(
    path: str, dtype: DTypeLike, batch_size: int, context_length: int, generator: torch.Generator, device: str = "cpu"
) -> Pair:
    """Draw windows from a file of raw ids (no header) that may be larger than memory: two of "batch context_length".

    Starts are independent, from `generator` (on the CPU) alone, and every one that leaves room for the window and one
    more token is equally likely. The file is mapped for reading only, and no more than the windows is copied. `dtype`
    is an id's in the file: np.uint16, say, or "uint16". ValueError, naming both numbers, when the ids are too few.
    """
    ids = np.memmap(path, dtype=dtype, mode="r")  # an array whose pages are read from the file when they are touched
    n_starts = len(ids) - context_length
    if n_starts < 1:
        raise ValueError(f"a window of {context_length} tokens and its targets do not fit into {len(ids)} ids")
    starts = torch.randint(n_starts, (batch_size,), generator=generator).tolist()
    # Pitfall: astype copies. It comes after the slice, where it copies a window; before, it would copy the file.
    windows = np.stack([ids[start : start + context_length + 1].astype(np.int64) for start in starts])
    batch = torch.from_numpy(windows).to(device)  # (batch_size, context_length + 1)
    return batch[:, :-1].contiguous(), batch[:, 1:].contiguous()
