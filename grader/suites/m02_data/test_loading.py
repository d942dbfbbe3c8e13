"""m02_data: a loader, and batches from a file."""

import numpy as np
import pytest
import torch

from grader.judge import (
    StudentError,
    achieve,
    asked,
    expect,
    expect_answer,
    expect_bound,
    expect_equal,
    expect_raises,
)
from grader.judge.probes import data as planted

from . import oracle
from .steps import expect_dice_untouched


def epochs(student, loader, count=1):
    """Return the batches of some epochs, refusing what is not pairs of tensors."""
    found = student.plant(planted).epochs(loader, count, 100)
    for batch in (batch for batches in found for batch in batches):
        fit = type(batch) is tuple and len(batch) == 2 and all(type(p) is torch.Tensor and p.dim() for p in batch)
        expect(fit, f"A batch is {batch!r:.200}, expected a tuple (inputs, targets) of tensors.", evidence="value")
    return found


@pytest.mark.task("m02.4")
@pytest.mark.holds("The last batch may be smaller; with `drop_last` it is then left out.", "`len` counts batches.")
def test_ten_items_in_fours_are_three_batches(student):
    """Batches have batch_size items and the last one what is left, unless it is dropped; len counts them."""
    for count, drop_last in ((10, False), (10, True), (12, False), (12, True), (3, False), (3, True)):
        loader = student.ShufflingLoader(oracle.pairs(count), 4, drop_last=drop_last)
        expected, misses = oracle.loader_sizes(count, 4, drop_last), oracle.loader_misses(count, 4)
        what, counts = f"(items: {count}, drop_last={drop_last})", {name: len(m) for name, m in misses.items()}
        sizes = [len(inputs) for inputs, _ in epochs(student, loader)[0]]
        expect_equal(sizes, expected, misses=misses, what=f"the list of batch sizes {what}")
        expect_equal(student.plant(planted).length(loader), len(expected), misses=counts, what=f"the length {what}")


@pytest.mark.task("m02.4")
@pytest.mark.holds(
    "Each `for` over it is an epoch: every item once, in batches of inputs and targets stacked along a new first axis.",
)
def test_an_epoch_gives_every_item_once(student):
    """The rows of an epoch's batches are the dataset's items, each once, inputs beside their own targets."""
    for batches in epochs(student, student.ShufflingLoader(oracle.pairs(11), 4, seed=3), 2):
        rows = [(a, b) for a, b in oracle.joined(batches)]
        found = sorted(oracle.order(batches))
        misses = {oracle.REPLACED: found} if len(found) == 11 and set(found) < set(range(11)) else {}
        expect_equal(found, list(range(11)), misses=misses, what="the sorted list of items of an epoch")
        expect_equal(
            rows, [oracle.pairs(11)[index] for index in oracle.order(batches)], what="the list of rows of an epoch"
        )


@pytest.mark.task("m02.4")
@pytest.mark.holds(
    "Serves a dataset (anything with a length whose items are pairs) in batches, in another order each epoch.",
)
def test_every_epoch_has_another_order(student):
    """Three epochs of 40 items have three orders, none of them the dataset's own, and other items meet in a batch."""
    runs = epochs(student, student.ShufflingLoader(oracle.pairs(40), 4, seed=1), 3)
    first, second, third = map(oracle.order, runs)
    expect(first != list(range(40)), "The first epoch is not shuffled.", mistake=oracle.IN_ORDER, evidence="value")
    message = "Two epochs have the same order."
    expect(first != second != third != first, message, mistake=oracle.SAME_AGAIN, evidence="value")
    meetings = [{frozenset(oracle.order([batch])) for batch in batches} for batches in runs]
    message = "The same items meet in a batch in every epoch."
    expect(not meetings[0] == meetings[1] == meetings[2], message, mistake=oracle.BATCHES_ONLY, evidence="value")


@pytest.mark.task("m02.4")
def test_all_orders_are_equally_likely(student):
    """Over 600 epochs each of the six orders of three items comes about a hundred times."""
    loader = student.ShufflingLoader(oracle.pairs(3, 1), 3, seed=2)
    seen = oracle.counted(tuple(oracle.order(batches)) for batches in epochs(student, loader, 600))
    said = f"The orders came so often: {seen}."
    expect(len(seen) == 6, said, evidence="value")
    for count in seen.values():  # its standard deviation is 9.1
        expect_bound(count, said, above=20, below=180)


@pytest.mark.task("m02.4")
@pytest.mark.holds(
    "The loader owns a torch.Generator made from `seed` and leaves global random numbers alone: two loaders "
    "with one seed give the same epochs.",
)
def test_the_seed_fixes_the_orders(student, draw):
    """Two loaders with one seed give the same epochs, whatever else rolls dice in between; another seed, others."""
    inside, seed = student.plant(planted), draw.random.randrange(1, 1000)
    expected = epochs(student, student.ShufflingLoader(oracle.pairs(40), 8, seed), 3)
    other = epochs(student, student.ShufflingLoader(oracle.pairs(40), 8, seed + 1))[0]
    expect(
        oracle.order(other) != oracle.order(expected[0]),
        "Two seeds give one order.",
        mistake=oracle.SEED_UNUSED,
        evidence="value",
    )
    loader, again = student.ShufflingLoader(oracle.pairs(40), 8, seed), []
    for number in range(3):
        inside.seed_everything(number)
        again += epochs(student, loader)
    misses = {oracle.GLOBAL_READ: again}
    expect_equal(again, expected, misses=misses, what="the list of three epochs with the same seed")
    unsaid, zero = student.ShufflingLoader(oracle.pairs(40), 8), student.ShufflingLoader(oracle.pairs(40), 8, seed=0)
    expect_equal(epochs(student, unsaid), epochs(student, zero), what="the epoch without a seed, which means seed 0,")


@pytest.mark.task("m02.4")
@pytest.mark.holds(
    "The loader owns a torch.Generator made from `seed` and leaves global random numbers alone: two loaders "
    "with one seed give the same epochs.",
)
def test_loading_leaves_global_random_numbers_alone(student):
    """After a loader is made and two epochs went by, global random numbers are where they were."""
    inside, made = student.plant(planted), student.ShufflingLoader(oracle.pairs(9), 4, seed=1)
    expect_equal(
        sorted(oracle.order(epochs(student, made)[0])), list(range(9)), what="the sorted list of items of an epoch"
    )
    expect_dice_untouched(
        student, inside, lambda: epochs(student, student.ShufflingLoader(oracle.pairs(9), 4, seed=5), 2)
    )


@pytest.mark.task("m02.4")
@pytest.mark.holds(
    "Serves a dataset (anything with a length whose items are pairs) in batches, in another order each epoch.",
    "An item is fetched when its batch is due.",
)
def test_items_are_fetched_when_their_batch_is_due(student):
    """When the n-th batch comes out, n * batch_size items have been fetched, each once."""
    fetched: list[int] = []
    counts: list[int] = []
    dataset = student.plant(planted).told(20, student.callback(fetched.append, asked.of(int)))
    for batch in student.ShufflingLoader(dataset, 4, seed=1):
        expect(type(batch) is tuple, "A batch is no tuple (inputs, targets).")
        counts.append(len(fetched))
    misses = {oracle.EAGER: [20] * 5}
    expect_equal(counts, [4, 8, 12, 16, 20], misses=misses, what="the list of items fetched so far, batch by batch,")
    expect_equal(sorted(fetched), list(range(20)), what="the sorted list of items fetched")


@pytest.mark.task("m02.4")
@pytest.mark.holds("ValueError, naming the number, when batch_size is less than 1.")
def test_a_batch_size_below_one_is_refused(student):
    """A batch_size of 0 or -3 raises ValueError with the number in its text; one of 1 is served."""
    ones = epochs(student, student.ShufflingLoader(oracle.pairs(3), 1, seed=1))[0]
    expect_equal([len(inputs) for inputs, _ in ones], [1, 1, 1], what="the list of batch sizes for a batch_size of 1")
    for number in (0, -3):
        expect_raises("ValueError", student.ShufflingLoader, oracle.pairs(4), number, mentions=(str(number),))


def batch_from(student, ids, batch_size, context_length, seed=0, dtype="uint16"):
    """Have the student's code draw a batch from a file with these ids, and check its shape."""
    path = student.file("ids.bin", np.asarray(ids).astype(dtype).tobytes())
    generator = student.plant(planted).generator(seed)
    return as_batch(student.get_batch(path, dtype, batch_size, context_length, generator), batch_size, context_length)


def expect_batch(batch, rows, what="the batch"):
    """Compare a batch with the one from these windows and their last targets, and with the near misses."""
    misses = oracle.batch_misses(rows)
    expect_equal(batch, (rows[:, :-1], rows[:, 1:]), misses=misses, what=what)


def as_batch(batch, batch_size, context_length):
    """Refuse what is not a pair of tensors of the right shape."""
    fit = type(batch) is tuple and len(batch) == 2 and all(type(part) is torch.Tensor for part in batch)
    expect(fit, f"The batch is {batch!r:.200}, expected a tuple (inputs, targets) of tensors.", evidence="value")
    for part, name in zip(batch, ("inputs", "targets"), strict=True):
        wanted = (batch_size, context_length)
        expect_equal(tuple(part.shape), wanted, what=f"the shape of {name}")
    return batch


@pytest.mark.task("m02.5")
@pytest.mark.holds(
    'Draw windows from a file of raw ids (no header) that may be larger than memory: two of "batch context_length".',
    '`dtype` is an id\'s in the file: np.uint16, say, or "uint16".',
)
def test_a_file_with_one_window_gives_that_window(student, draw):
    """From a file of five ids, windows of four are its first four, and the targets its last four, as int64."""
    for dtype, low, high in ("uint16", 2**15, 2**16), ("uint8", 2**7, 2**8), ("int32", 2**17, 2**31), ("int64", 0, 9):
        ids = draw.integers(low, high, 5)
        try:
            batch = batch_from(student, ids.numpy(), 16, 4, dtype=dtype)
        except StudentError as error:
            if "random_ expects" in error.text:  # torch.randint(0, ...) was asked for one of no numbers
                error.mistake = oracle.LAST_START
            elif dtype != "uint16":
                error.mistake = oracle.ONE_DTYPE
            elif batch_from(student, range(5000), 16, 4):
                error.mistake = oracle.NO_ROOM
            raise
        expect_batch(batch, ids.expand(16, 5), f"the batch from {dtype}")


@pytest.mark.task("m02.5")
@pytest.mark.holds('`dtype` is an id\'s in the file: np.uint16, say, or "uint16".')
def test_a_dtype_may_be_numpys_own(student, draw):
    """The dtype np.uint16 reads what "uint16" reads, and so does np.dtype("uint16")."""
    ids, inside = draw.integers(2**15, 2**16, 5), student.plant(planted)
    path = student.file("ids.bin", ids.numpy().astype(np.uint16).tobytes())
    for kind in ("type", "dtype"):
        args = student.get_batch, kind, path, 3, 4, inside.generator(1)
        simpler = student.get_batch, "name", *args[2:]
        batch = expect_answer(inside.with_numpys_dtype, *args, simpler=simpler, mistake=oracle.BY_NAME)
        expect_batch(as_batch(batch, 3, 4), ids.expand(3, 5), f"the batch from numpy's own {kind}")


@pytest.mark.task("m02.5")
@pytest.mark.holds(
    "Starts are independent, from `generator` (on the CPU) alone, and every one that leaves room for the "
    "window and one more token is equally likely.",
)
def test_every_start_is_equally_likely_the_last_included(student, draw):
    """Of 2,000 windows from a file with room for five, each start has about 400."""
    inputs, targets = batch_from(student, range(3000, 3008), 2000, 3, seed=draw.random.randrange(1000))
    found = oracle.counted((inputs[:, 0] - 3000).tolist())
    aligned = oracle.ALIGNED if set(found) == {0, 3} else None
    mistake = aligned or (oracle.LAST_START if 4 not in found else oracle.FIRST_START if 0 not in found else None)
    said = f"The starts came so often: {dict(sorted(found.items()))}."
    expect(set(found) == set(range(5)), said, mistake=mistake, evidence="value")
    for count in found.values():  # its standard deviation is 17.9
        expect_bound(count, said, above=220, below=580)
    pairs = {(int(one), int(two)) for one, two in zip(inputs[:-1, 0], inputs[1:, 0], strict=True)}
    said = f"Only {len(pairs)} of the 25 pairs of starts come one after the other."
    expect(len(pairs) == 25, said, mistake=oracle.FOLLOWING, evidence="value")
    expect_batch((inputs, targets), inputs[:, :1] + torch.arange(4))


@pytest.mark.task("m02.5")
@pytest.mark.holds(
    "Starts are independent, from `generator` (on the CPU) alone, and every one that leaves room for the "
    "window and one more token is equally likely.",
)
def test_the_generator_alone_decides(student, draw):
    """One generator's state gives one batch, whatever other dice were rolled, and moves on; global dice don't move."""
    inside, seed = student.plant(planted), draw.random.randrange(1000)
    path = student.file("ids.bin", np.arange(60000, dtype=np.uint16).tobytes())

    def draw_two(generator):
        return [as_batch(student.get_batch(path, "uint16", 8, 5, generator), 8, 5) for _ in range(2)]

    inside.seed_everything(1)
    first, second = draw_two(inside.generator(seed))
    expect(not torch.equal(first[0], second[0]), "Two calls give one batch.", mistake=oracle.REWOUND, evidence="value")
    other = draw_two(inside.generator(seed + 1))[0]
    same = torch.equal(first[0], other[0])
    expect(not same, "Two generators give one batch.", mistake=oracle.NOT_DRAWN, evidence="value")
    inside.seed_everything(2)
    again = draw_two(inside.generator(seed))
    expect_equal(again, [first, second], misses={oracle.NOT_DRAWN: again}, what="the list of two batches, once more,")
    expect_dice_untouched(student, inside, lambda: draw_two(inside.generator(seed)))


@pytest.mark.task("m02.5")
@pytest.mark.holds(
    'Draw windows from a file of raw ids (no header) that may be larger than memory: two of "batch context_length".',
    "The file is mapped for reading only, and no more than the windows is copied.",
)
def test_a_batch_comes_from_a_large_file_without_reading_it(student, draw):
    """While a batch is drawn from a file of 48 MB, the worker grows by less than 12 MB, as seen from outside."""
    inside, sizes = student.plant(planted), []
    path = student.file("large.bin", np.arange(65521, dtype=np.uint16).tobytes())
    inside.repeat(path, 384)
    batch_from(student, range(100), 4, 8)  # whatever is loaded on first use is loaded now
    look = student.callback(lambda: sizes.append(student.memory_mb()))
    generator = inside.generator(draw.random.randrange(1000))
    student.probe.give_back()
    before = student.memory_mb()
    inputs, targets = as_batch(inside.watched(student.get_batch, look, path, "uint16", 4, 8, generator), 4, 8)
    expect_batch((inputs, targets), (inputs[:, :1] + torch.arange(9)) % 65521)
    growth = max([*sizes, student.memory_mb()]) - before
    message = f"The worker grew by {growth:.0f} MB while four windows were drawn from a file of 48 MB (allowed: 12)."
    expect_bound(growth, message, below=12, mistake=oracle.WHOLE, evidence="measured")
    achieve(f"To draw a batch from a file of 48 MB takes your loader at most {max(growth, 0.1):.1f} MB of memory.")


@pytest.mark.task("m02.5")
def test_a_batch_is_put_on_the_device_asked_for(student):
    """With device="meta" both inputs and targets are there."""
    path = student.file("ids.bin", np.arange(50, dtype=np.uint16).tobytes())
    batch = student.get_batch(path, "uint16", 2, 4, student.plant(planted).generator(1), "meta")
    expect(type(batch) is tuple and len(batch) == 2, "The batch is no tuple (inputs, targets).")
    for part, name in zip(batch, ("inputs", "targets"), strict=True):
        device = str(getattr(part, "device", None))
        expect(device == "meta", f"The {name} are on {device}, expected meta.", mistake="the device is not used")


@pytest.mark.task("m02.5")
@pytest.mark.holds("The file is mapped for reading only, and no more than the windows is copied.")
def test_a_file_may_be_write_protected(student):
    """A file that may only be read is enough, and it is as it was afterwards."""
    path = student.file("ids.bin", np.arange(40, 45, dtype=np.uint16).tobytes())
    inside = student.plant(planted)
    inside.protect(path)
    try:
        actual = student.get_batch(path, "uint16", 2, 4, inside.generator(1))
    except StudentError as error:
        expect(error.kind != "PermissionError", f"Your code raised {error}.", mistake=oracle.WRITING)
        raise
    expect_batch(actual, torch.arange(40, 45).expand(2, 5))


@pytest.mark.task("m02.5")
@pytest.mark.holds("ValueError, naming both numbers, when the ids are too few.")
def test_a_file_without_a_whole_window_is_refused(student):
    """Windows of 14 from a file of 13 or 14 ids raise ValueError with both numbers in its text."""
    for count in (13, 14):
        path, room = (student.file("ids.bin", np.arange(n, dtype=np.uint16).tobytes()) for n in (count, 99))
        more = "uint16", 2, 14, student.plant(planted).generator(1)
        expect_raises("ValueError", student.get_batch, path, *more, mentions=("14", str(count)), fine=(room, *more))
