"""m02_data: turn one long row of token ids into questions with answers, and serve them in batches.

A language model learns to guess the next token: the answer to a window of text is the same window, one token further
on, and nobody has to label anything. Mistakes here raise no error; they make every number that comes later a lie.
Left out: parallel loading, packing several texts into one window, near duplicates. Not allowed, since they are what you
are building: DataLoader, RandomSampler and random_split of torch.utils.data.
"""

from collections.abc import Iterator, Sequence

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
        # TODO(m02.1): check the numbers, keep a copy of the ids as int64.
        raise NotImplementedError("m02.1")

    def __len__(self) -> int:
        # TODO(m02.1): how many starts leave room for context_length tokens and one more?
        raise NotImplementedError("m02.1")

    def __getitem__(self, index: int) -> Pair:
        """Return one pair; -1 is the last, as in a list. Raises IndexError, naming the index, where there is none."""
        # TODO(m02.1): from the index to the start, and from there to two windows.
        raise NotImplementedError("m02.1")


def collate(sequences: list[Int[Tensor, "n"]], pad_id: int, ignore_index: int = -100) -> Pair:
    """Make one batch of texts of unequal length: (inputs, targets), int64 "batch longest-1", on the texts' device.

    A text of n tokens gives n - 1 pairs at the left of its row. The rest is padding: `pad_id` among the inputs,
    `ignore_index` (where the loss looks away) among the targets. A token that happens to be pad_id stays a target.
    Example: [[7, 8, 9], [5, 6]] with pad_id 0 gives inputs [[7, 8], [5, 0]] and targets [[8, 9], [6, -100]].
    ValueError for no sequences, and for one of fewer than 2 tokens, naming its index.
    """
    # TODO(m02.2): cut every text into inputs and targets first, then pad each in its own way.
    raise NotImplementedError("m02.2")


def split(documents: list[str], fractions: tuple[float, float, float], seed: int) -> Sides:
    """Deal documents out to training, validation and test: each to one side, and its copies to the same side.

    Of n distinct documents, shuffled by a generator seeded with `seed`, training gets the first round(f0 * n),
    validation those up to round((f0 + f1) * n), test the rest. No copy is lost; each side keeps the given order. Only
    the arguments matter (hash(text) differs between processes), and global random numbers are left alone. Example:
    ["a", "b", "a"] with (0.5, 0.0, 0.5) gives ["a", "a"], [], ["b"] or the reverse. ValueError when a fraction is
    negative or their sum, rounding aside, is not 1.
    """
    # TODO(m02.3): give every distinct document a side, then walk through the documents.
    raise NotImplementedError("m02.3")


class ShufflingLoader:
    """Serves a dataset (anything with a length whose items are pairs) in batches, in another order each epoch.

    Each `for` over it is an epoch: every item once, in batches of inputs and targets stacked along a new first axis.
    The last batch may be smaller; with `drop_last` it is then left out. An item is fetched when its batch is due. The
    loader owns a torch.Generator made from `seed` and leaves global random numbers alone: two loaders with one seed
    give the same epochs. `len` counts batches. ValueError, naming the number, when batch_size is less than 1.
    """

    def __init__(self, dataset: Sequence[Pair], batch_size: int, seed: int = 0, drop_last: bool = False) -> None:
        # TODO(m02.4): check, keep, and make the generator.
        raise NotImplementedError("m02.4")

    def __len__(self) -> int:
        # TODO(m02.4): 10 items in fours are 3 batches, or 2 with drop_last.
        raise NotImplementedError("m02.4")

    def __iter__(self) -> Iterator[Pair]:
        # TODO(m02.4): draw an order, go through it in steps of batch_size, fetch and stack.
        raise NotImplementedError("m02.4")


def get_batch(
    path: str, dtype: DTypeLike, batch_size: int, context_length: int, generator: torch.Generator, device: str = "cpu"
) -> Pair:
    """Draw windows from a file of raw ids (no header) that may be larger than memory: two of "batch context_length".

    Starts are independent, from `generator` (on the CPU) alone, and every one that leaves room for the window and one
    more token is equally likely. The file is mapped for reading only, and no more than the windows is copied. `dtype`
    is an id's in the file: np.uint16, say, or "uint16". ValueError, naming both numbers, when the ids are too few.
    """
    # TODO(m02.5): map the file, draw starts, copy the windows, make them int64, move them to the device.
    raise NotImplementedError("m02.5")
