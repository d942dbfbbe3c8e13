"""m02_data: windows and padding."""

import pytest
import torch

from grader.judge import (
    StudentError,
    counted,
    expect,
    expect_answer,
    expect_equal,
    expect_raises,
)
from grader.judge.probes import data as planted

from . import oracle


def expect_windows(student, ids, context_length, stride=1, given=None):
    """Compare all items of the student's dataset with the windows, and with what the classic mistakes cut."""
    inside, expected = student.plant(planted), oracle.windows(ids, context_length, stride)
    dataset = student.NextTokenDataset(ids if given is None else given, context_length, stride)
    misses = oracle.window_misses(ids, context_length, stride)
    name = f"({counted(len(ids), 'id')}, {context_length}, {stride})"
    counts = {mistake: len(pairs) for mistake, pairs in misses.items()}
    expect_equal(inside.length(dataset), len(expected), misses=counts, what=f"the length of NextTokenDataset{name}")
    actual = inside.each(dataset, len(expected))
    expect_equal(actual, expected, misses=misses, what=f"the list of items of NextTokenDataset{name}")


@pytest.mark.task("m02.1")
@pytest.mark.holds(
    "Example: NextTokenDataset([1, 2, 3, 4, 5], 2) holds ([1, 2], [2, 3]), ([2, 3], [3, 4]) and ([3, 4], [4, 5]).",
)
def test_five_tokens_in_windows_of_two(student):
    """The ids 1 to 5 in windows of two are ([1, 2], [2, 3]), ([2, 3], [3, 4]) and ([3, 4], [4, 5])."""
    expect_windows(student, torch.arange(1, 6), 2, given=[1, 2, 3, 4, 5])


@pytest.mark.task("m02.1")
@pytest.mark.holds(
    "All windows of `context_length` tokens that start at 0, stride, 2 * stride, … and have a token after them.",
)
def test_every_stride_reaches_the_last_window(student, draw):
    """Windows start at every multiple of the stride that leaves room for a target, whatever the number of ids."""
    for stride, counts in (1, (5, 9)), (2, (9, 10)), (3, range(10, 14)), (4, (12, 13)), (7, (11, 12, 29)):
        for count in counts:
            expect_windows(student, draw.permutation(count) + 100, 4, stride)


@pytest.mark.task("m02.1")
@pytest.mark.holds("Too few ids: no items.")
def test_a_text_too_short_for_a_window_has_no_items(student, draw):
    """With context_length ids or fewer there is no item, and item 0 raises IndexError."""
    for count in (1, 3, 4):
        expect_windows(student, draw.permutation(count), 4, 2)
        expect_raises("IndexError", lambda: student.NextTokenDataset([7] * count, 4)[0])  # noqa: B023
    expect_windows(student, draw.permutation(5), 4, 2)


@pytest.mark.task("m02.1")
@pytest.mark.holds(
    "Return one pair; -1 is the last, as in a list.",
    "Raises IndexError, naming the index, where there is none.",
)
def test_an_index_works_as_in_a_list(student, draw):
    """Index -1 is the last item and -len the first; one further on either side raises IndexError naming it."""
    ids = draw.permutation(15)
    dataset, expected = student.NextTokenDataset(ids, 4, 3), oracle.windows(ids, 4, 3)  # 4 items: starts 0, 3, 6, 9
    for index in (-1, -4, 3):
        item = expect_answer(dataset.__getitem__, index, simpler=(index % 4,), mistake=oracle.NO_NEGATIVE)
        expect_equal(item, expected[index], what=f"item {index} of 4")
    for index in (4, -5, 111):
        try:
            value = dataset[index]
        except StudentError:
            expect_raises("IndexError", lambda: dataset[index], mentions=(str(index),))  # noqa: B023
            continue
        short = not isinstance(value, tuple) or any(len(part) != 4 for part in value)
        mistake = oracle.UNCHECKED if short else oracle.REMAINDER
        expect(False, f"Item {index} of 4 is given; expected IndexError.", mistake=mistake, evidence="value")


@pytest.mark.task("m02.1")
@pytest.mark.holds(
    "Item i is the pair (inputs, targets), both int64 of shape (context_length,); targets are one token further on.",
)
def test_items_are_int64_whatever_the_ids_are(student, draw):
    """From a tensor of the dtype uint8, int16 or int32, and from a list, items are int64."""
    ids = draw.integers(0, 200, 9)
    for given in (ids.to(torch.uint8), ids.to(torch.int16), ids.to(torch.int32), ids.tolist()):
        expect_windows(student, ids, 4, 2, given)


@pytest.mark.task("m02.1")
@pytest.mark.holds("It keeps a copy: changing `ids` later or writing into an item changes nothing else.")
def test_the_ids_may_change_afterwards(student, draw):
    """What happens to the caller's tensor or list after the dataset is made does not reach it."""
    ids, inside = draw.permutation(9) + 1, student.plant(planted)
    misses = {oracle.ALIAS: oracle.windows(torch.zeros_like(ids), 4, 2)}
    for given in (ids, ids.tolist()):
        actual = inside.after_poking(student.NextTokenDataset, given, 4, 2)
        expect_equal(actual, oracle.windows(ids, 4, 2), misses=misses, what="the list of items after ids were zeroed")


@pytest.mark.task("m02.1")
@pytest.mark.holds("It keeps a copy: changing `ids` later or writing into an item changes nothing else.")
def test_writing_into_an_item_changes_nothing_else(student, draw):
    """Overwriting an item's inputs leaves its targets alone, and the dataset; and the other way round."""
    ids = draw.permutation(9) + 1
    expected = oracle.windows(ids, 4)[2]
    for part in (0, 1):
        dataset = student.NextTokenDataset(ids, 4)
        expect_equal(dataset[2], expected, what="item 2")
        other, again = student.plant(planted).after_scribbling(dataset, 2, part)
        expect_equal(other, expected[1 - part], misses={oracle.VIEWS: other}, what="the part that was left alone")
        expect_equal(again, expected, misses={oracle.INSIDE: again}, what="item 2, fetched once more,")


@pytest.mark.task("m02.1")
@pytest.mark.holds("ValueError, naming the number, for a context_length or stride below 1.")
def test_a_length_or_a_stride_below_one_is_refused(student):
    """A context_length or a stride of 0 or -3 raises ValueError with the number in its text; 1 is enough for both."""
    expect_windows(student, torch.tensor([4, 2, 8]), 1, 1)
    for number in (0, -3):
        expect_raises("ValueError", student.NextTokenDataset, [1, 2, 3, 4], number, mentions=(str(number),))
        expect_raises("ValueError", student.NextTokenDataset, [1, 2, 3, 4], 2, number, mentions=(str(number),))


def expect_collated(student, texts, pad_id, ignore_index=-100):
    """Compare a batch with the reference, and with what the classic mistakes make of the texts."""
    actual = student.collate(texts, pad_id, ignore_index)
    misses = oracle.collate_misses(texts, pad_id, ignore_index)
    expect_equal(actual, oracle.collated(texts, pad_id, ignore_index), misses=misses, what="(inputs, targets)")


@pytest.mark.task("m02.2")
@pytest.mark.holds(
    "Example: [[7, 8, 9], [5, 6]] with pad_id 0 gives inputs [[7, 8], [5, 0]] and targets [[8, 9], [6, -100]].",
)
def test_two_texts_as_in_the_docstring(student):
    """The texts [7, 8, 9] and [5, 6] become inputs [[7, 8], [5, 0]] and targets [[8, 9], [6, -100]]."""
    texts = [torch.tensor([7, 8, 9]), torch.tensor([5, 6])]
    expected = torch.tensor([[7, 8], [5, 0]]), torch.tensor([[8, 9], [6, -100]])
    misses = oracle.collate_misses(texts, 0, -100)
    expect_equal(student.collate(texts, 0), expected, misses=misses, what="(inputs, targets)")


@pytest.mark.task("m02.2")
@pytest.mark.holds(
    'Make one batch of texts of unequal length: (inputs, targets), int64 "batch longest-1", on the texts\' device.',
    "A text of n tokens gives n - 1 pairs at the left of its row.",
    "The rest is padding: `pad_id` among the inputs, `ignore_index` (where the loss looks away) among the targets.",
)
def test_texts_of_many_lengths_share_a_batch(student, draw):
    """Pairs stand at the left; then follow pad_id among the inputs and ignore_index among the targets."""
    for lengths in ([5, 2, 9, 3], [2], [6, 6, 6], [2, 3]):
        texts = [draw.integers(10, 90, length) for length in lengths]
        expect_collated(student, texts, 7)
        expect_collated(student, texts, 8, ignore_index=-1)
        expect_collated(student, texts, 8, ignore_index=0)


@pytest.mark.task("m02.2")
@pytest.mark.holds("A token that happens to be pad_id stays a target.")
def test_a_token_that_equals_pad_id_stays_a_target(student):
    """Where pad_id is also a real token, as GPT-2's end of text is, it is still learned."""
    expect_collated(student, [torch.tensor([3, 9, 4, 9]), torch.tensor([9, 9]), torch.tensor([6, 5, 9])], 9)


@pytest.mark.task("m02.2")
@pytest.mark.holds(
    'Make one batch of texts of unequal length: (inputs, targets), int64 "batch longest-1", on the texts\' device.',
)
def test_batches_are_int64_whatever_the_texts_are(student, draw):
    """Texts of the dtypes uint8, int16 and int32 give int64, and ignore_index fits."""
    for dtype in (torch.uint8, torch.int16, torch.int32):
        expect_collated(student, [draw.integers(1, 90, length).to(dtype) for length in (3, 6)], 0)


@pytest.mark.task("m02.2")
def test_the_texts_stay_as_they_were(student, draw):
    """Collating changes none of the texts."""
    texts = [draw.integers(1, 90, length) for length in (4, 6, 2)]
    after = student.probe.mutated(student.collate, texts, 0)["args"][0]
    expect_equal(after, texts, what="the list of texts after the call")


@pytest.mark.task("m02.2")
@pytest.mark.holds(
    'Make one batch of texts of unequal length: (inputs, targets), int64 "batch longest-1", on the texts\' device.',
)
def test_a_batch_is_made_where_its_texts_are(student, draw):
    """With another default device in force, both parts of the batch are on that of the texts."""
    texts = [draw.integers(1, 90, length) for length in (3, 5)]
    expect_collated(student, texts, 0)
    found = student.plant(planted).device_of_collated(student.collate, texts, 0)
    expect(
        all(device == "cpu" for device in found),
        f"The batch is on {found}, its texts are on cpu.",
        mistake=oracle.ELSEWHERE,
    )


@pytest.mark.task("m02.2")
@pytest.mark.holds("ValueError for no sequences, and for one of fewer than 2 tokens, naming its index.")
def test_texts_without_a_pair_are_refused(student):
    """No texts at all, and a text of one token or none, raise ValueError; the latter names its index."""
    expect_raises("ValueError", student.collate, [], 0)
    texts = [torch.tensor([1, 2, 3]) for _ in range(20)]
    for length in (0, 1):
        texts[17] = torch.arange(length)
        expect_raises("ValueError", student.collate, texts, 0, mentions=("17",))
