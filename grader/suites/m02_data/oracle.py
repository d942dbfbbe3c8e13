"""The reference for m02_data, with a switch for every classic mistake."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

Pairs = list[tuple[Tensor, Tensor]]
Sides = tuple[list[str], list[str], list[str]]

ALIAS = "the dataset keeps your tensor or list itself: copy the ids in the constructor"
INSIDE = "an item is a view of the dataset's own ids: clone what you give away"
VIEWS = "inputs and targets are views of the same memory: clone both"
UNCHECKED = "nothing stops an index beyond the end: a slice past it is merely shorter, and raises no error"
REMAINDER = "the index is taken modulo the length without asking whether it is inside"
ELSEWHERE = "a tensor is made on the default device instead of on that of the texts"
LEAK = "copies of one text are dealt out like different texts: choose a side for each distinct text"
DROPPED = "copies are dropped: a text's copies belong to its side"
EXACT = "the sum of the fractions is compared with 1 exactly: 0.7 + 0.2 + 0.1 is a little less"
HASHES = "the order of a set, or hash(text), decides: it is another in every process (dict.fromkeys keeps the order)"
UNSHUFFLED = "the documents are cut in the given order, without shuffling"
SEED_UNUSED = "the seed is not used"
ZERO_SEED = "a seed of 0 is taken for none: ask whether it is None"
NO_NEGATIVE = "a negative index is refused: -1 is the last item, as in a list"
REPLACED = "items are drawn with replacement: some come twice in an epoch, and others never"
IN_ORDER = "the items come in the dataset's own order: nothing is shuffled"
NO_ROOM = "a start too many is drawn: the last one leaves no room for a whole window and the token after it"
BY_NAME = "only a dtype's name is understood: np.uint16 is one as well, and np.dtype() takes both"
GLOBAL_READ = "global random numbers are used instead of a generator of one's own"
GLOBAL_MOVED = "the global generator is seeded or used: make a generator of your own"
SAME_AGAIN = "the generator is made anew, or seeded again, for every epoch: make it once, in the constructor"
BATCHES_ONLY = "whole batches are shuffled, not items"
EAGER = "all items are fetched before the first batch is given out: fetch those of one batch, then yield it"
NOT_DRAWN = "the generator that is handed in is not used"
REWOUND = "the generator is seeded again inside, so that each call gives the same batch"
LAST_START = "the last start is never drawn: randint leaves out its upper end, and n - context_length starts fit"
FIRST_START = "the first start is never drawn: starts begin at 0"
ALIGNED = "only multiples of context_length are drawn: windows may overlap"
FOLLOWING = "one start is drawn, and the others follow from it: draw each for itself"
ONE_DTYPE = "the argument dtype is not used: files of uint16 are read, and others are not"
WHOLE = "the whole file is copied into memory: map it, slice first, and only then turn the slice into int64"
WRITING = "the file is opened for writing (np.memmap's default mode is r+): mode r is enough"


def windows(ids: Tensor, context_length: int, stride: int = 1, *, shift: int = 1, room: int = 1) -> Pairs:
    """Cut all windows that leave `room` tokens after them."""
    ids = ids.to(torch.int64)
    starts = range(0, len(ids) - context_length - room + 1, stride)
    return [(ids[s : s + context_length], ids[s + shift : s + shift + context_length]) for s in starts]


def window_misses(ids: Tensor, context_length: int, stride: int = 1) -> dict[str, Pairs]:
    """Cut windows as the classic mistakes do."""
    right = windows(ids, context_length, stride)
    every = windows(ids, context_length)
    past = windows(ids, context_length, stride, room=0)
    shorter = [(a[:-1], b[:-1]) for a, b in past]
    return {
        "the targets are the inputs: they lie one token further on": windows(ids, context_length, stride, shift=0),
        "the targets lie two tokens further on, not one": windows(ids, context_length, stride, shift=2),
        "inputs and targets are swapped": [(b, a) for a, b in right],
        "the last window is left out: the last start is n - context_length - 1, and it counts": right[:-1],
        "there is a window too many: its last target would lie behind the end": past,
        "the windows are one token too short: a window takes context_length + 1 tokens with its last target": shorter,
        "the stride is ignored": every,
        "the stride counts windows but does not move them: item i starts at i * stride": every[: len(right)],
        "the windows follow one another without overlap, whatever the stride": windows(
            ids, context_length, context_length
        ),
        "the ids are not turned into int64": [(a.int(), b.int()) for a, b in right],
    }


def collated(
    texts: Sequence[Tensor],
    pad_id: int,
    ignore_index: int = -100,
    *,
    left: bool = False,
    shift: int = 1,
    width: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Pad pairs; `left` puts the padding first."""
    width = max(len(text) for text in texts) - 1 if width is None else width
    inputs: list[list[int]] = []
    targets: list[list[int]] = []
    for text in texts:
        known, wanted = text.tolist()[:-1][:width], text.tolist()[shift:][: min(width, len(text) - 1)]
        gap = [0] * (width - len(known))
        for row, part, fill in (inputs, known, pad_id), (targets, wanted, ignore_index):
            filled = [fill for _ in gap]
            row.append(filled + part if left else part + filled)
    return torch.tensor(inputs), torch.tensor(targets)


def collate_misses(texts: Sequence[Tensor], pad_id: int, ignore_index: int) -> dict[str, Any]:
    """Pad as the classic mistakes do."""
    inputs, targets = collated(texts, pad_id, ignore_index)
    last, silent = inputs.clone(), targets.masked_fill(targets == pad_id, ignore_index)
    first = targets.clone()
    for row, target, text in zip(last, first, texts, strict=True):
        row[len(text) - 1 : len(text)] = text[-1]
        target[len(text) - 1 : len(text)] = pad_id
    shortest = min(len(text) for text in texts) - 1
    return {
        "padding among the targets is pad_id instead of ignore_index: the loss would learn it": (
            inputs,
            collated(texts, pad_id, pad_id)[1],
        ),
        "the first padding after a text has pad_id as its target: the loss would learn it": (inputs, first),
        "a batch is one column too wide: a text of n tokens has n - 1 pairs": collated(
            texts, pad_id, ignore_index, width=max(len(text) for text in texts)
        ),
        "every target that equals pad_id is ignored, real tokens too": (inputs, silent),
        "a shorter text's last token stays among the inputs: it has no target, so its place is padding": (
            last,
            targets,
        ),
        "a shorter text's last token stays among the inputs, and targets equal to pad_id are ignored": (last, silent),
        "the texts stand at the right: padding belongs at the end of a row": collated(
            texts, pad_id, ignore_index, left=True
        ),
        "the targets are not shifted": collated(texts, pad_id, ignore_index, shift=0),
        "the texts are cut to the shortest one": collated(texts, pad_id, ignore_index, width=shortest),
        (
            "the argument ignore_index is not used"
            if ignore_index
            else "an ignore_index of 0 is taken for none: ask whether it is None"
        ): collated(texts, pad_id),
        "padding among the inputs is ignore_index instead of pad_id": collated(texts, ignore_index, ignore_index),
        "the argument pad_id is not used": collated(texts, 0, ignore_index),
        "inputs and targets are swapped": (targets, inputs),
        "the ids are not turned into int64": (inputs.int(), targets.int()),
    }


def wanted_sizes(n: int, fractions: tuple[float, float, float]) -> list[int]:
    """Count the distinct texts of each side."""
    first, second = round(fractions[0] * n), round((fractions[0] + fractions[1]) * n)
    return [first, second - first, n - second]


def size_misses(documents: Sequence[str], fractions: tuple[float, float, float]) -> dict[str, list[int]]:
    """Count as the classic mistakes do."""
    n = len(set(documents))
    cuts, shares = (int(fractions[0] * n), int((fractions[0] + fractions[1]) * n)), [share * n for share in fractions]
    first, second, third = wanted_sizes(n, fractions)
    rounded = round(shares[0]), round(shares[1])
    return {
        "sizes are counted in documents with their copies instead of in distinct texts": wanted_sizes(
            len(documents), fractions
        ),
        "cuts are cut off by int() instead of rounded": [cuts[0], cuts[1] - cuts[0], n - cuts[1]],
        "each size is cut off by int() for itself: round the two cuts": [
            int(shares[0]),
            int(shares[1]),
            n - int(shares[0]) - int(shares[1]),
        ],
        "each size is cut off for itself, and what is left over is lost": [int(share) for share in shares],
        "each size is rounded for itself: the second cut is the rounded sum of two fractions": [
            *rounded,
            n - sum(rounded),
        ],
        "validation and test are swapped": [first, third, second],
    }


def loader_sizes(count: int, batch_size: int, drop_last: bool) -> list[int]:
    """Return the sizes of the batches of an epoch."""
    sizes = [min(batch_size, count - start) for start in range(0, count, batch_size)]
    return [size for size in sizes if size == batch_size or not drop_last]


def loader_misses(count: int, batch_size: int) -> dict[str, list[int]]:
    """Give out the last batch when it should be dropped, and the other way round."""
    return {
        "the smaller last batch is left out, though drop_last is False": loader_sizes(count, batch_size, True),
        "the smaller last batch is given out, though drop_last is True": loader_sizes(count, batch_size, False),
    }


def pairs(count: int, width: int = 3) -> Pairs:
    """Make a dataset, each of whose items can be told from all others, and whose targets from the inputs."""
    table = torch.arange(count)[:, None] * 10 + torch.arange(width)
    return [(row, row + 1000) for row in table]


def order(batches: Sequence[tuple[Tensor, Tensor]]) -> list[int]:
    """Return which of those items the batches hold, in order."""
    return [int(row.flatten()[0]) // 10 for inputs, _ in batches for row in inputs]


def joined(batches: Sequence[tuple[Tensor, Tensor]]) -> Pairs:
    """Return the items of all batches, in order."""
    return [(a, b) for inputs, targets in batches for a, b in zip(inputs, targets, strict=True)]


def counted(items: Iterable[Any]) -> dict[Any, int]:
    """Count equal items."""
    return dict(Counter(items))


def batch_misses(rows: Tensor) -> dict[str, Callable[[], tuple[Tensor, Tensor]]]:
    """Make batches from rows of context_length + 1 ids as the classic mistakes do."""
    known, wanted = rows[:, :-1], rows[:, 1:]
    return {
        "the targets are the inputs: they lie one token further on": lambda: (known, known),
        "inputs and targets are swapped": lambda: (wanted, known),
        "the windows are one token too short": lambda: (known[:, :-1], wanted[:, :-1]),
        "the ids are not turned into int64": lambda: (known.int(), wanted.int()),
        "ids above 32,767 became negative: go from uint16 straight to int64": lambda: (
            known.to(torch.int16).to(torch.int64),
            wanted.to(torch.int16).to(torch.int64),
        ),
    }
