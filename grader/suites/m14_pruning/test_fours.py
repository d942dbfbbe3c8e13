"""m14_pruning: two of every four, and how they are stored."""

import pytest
import torch

from grader.judge import (
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_unchanged,
)

from . import oracle_fours as oracle
from .oracle import DEVICE
from .steps import of_parameter

LANES = torch.tensor([[1.0, -4.0, 3.0, 2.0]])


@pytest.mark.task("m14.2")
@pytest.mark.holds("Example: [[1, -4, 3, 2]] gives [[False, True, True, False]].")
def test_the_four_of_the_docstring(student):
    """Of the docstring's four weights -4 and 3 stay."""
    mask = expect_answer(student.mask_2_4, LANES, simpler=(torch.eye(4),), mistake=oracle.COLUMNS)
    expect_equal(mask, oracle.fours(LANES), misses=oracle.fours_misses(LANES), what="the mask")


@pytest.mark.task("m14.2")
@pytest.mark.holds(
    "Let two of each four go that lie side by side in a row: those of lowest magnitude.",
    "What is lowest goes; of equals those that stand first go first, row by row.",
    "A mask is a bool tensor of its weight's shape, on its device, and True stays.",
    "A weight may be an nn.Parameter.",
)
def test_two_of_each_four_stay(student, draw):
    """In each four neighbours of a row the two of highest magnitude stay, and of equals the later ones."""
    for shape in ((4, 12), (3, 8), (5, 4), (8, 20)):
        for weight in (draw.normal(*shape) * torch.arange(1, shape[1] + 1), draw.integers(-2, 3, *shape).float()):
            misses = oracle.fours_misses(weight)
            what = f"the mask of a weight of shape {list(shape)}"
            expect_equal(student.mask_2_4(weight), oracle.fours(weight), misses=misses, what=what)
    half = draw.permutation(24).reshape(3, 8).to(torch.bfloat16) - 11.5
    expect_equal(student.mask_2_4(half), oracle.fours(half), what="the mask of bfloat16 weights")
    expect_equal(of_parameter(student, student.mask_2_4, weight), oracle.fours(weight), what="the mask of a parameter")


@pytest.mark.task("m14.2")
@pytest.mark.holds("Raises ValueError, naming d_in, unless 4 divides it.")
def test_a_row_is_made_of_fours(student, draw):
    """A row that cannot be cut into fours raises ValueError, which names its length."""
    for shape in ((4, 6), (8, 13), (4, 2)):
        given = student.mask_2_4, draw.normal(*shape)
        expect_raises("ValueError", *given, mentions=(str(shape[1]),), fine=(LANES,), what=f"mask_2_4 of {list(shape)}")


@pytest.mark.task("m14.2")
@pytest.mark.holds(
    "No argument changes, but m14.4's and m14.5's models.",
    "A mask is a bool tensor of its weight's shape, on its device, and True stays.",
)
@pytest.mark.warm("torch._dynamo")
def test_fours_are_masked_where_they_lie(student, draw):
    """The 2:4 mask is made on the weight's device, and none of the three functions changes what it is given."""
    weight = draw.normal(3, 8)
    mask = oracle.fours(weight)
    values, places = oracle.compressed(weight, mask)
    expect_one_device(student, student.mask_2_4, [weight], mistake=DEVICE)
    expect_one_device(student, student.decompress_2_4, [values, places], mistake=DEVICE)
    for function, args in (
        (student.mask_2_4, (weight,)),
        (student.compress_2_4, (weight, mask)),
        (student.decompress_2_4, (values, places)),
    ):
        after = student.probe.mutated(function, *args)["args"]
        for number, (value, before) in enumerate(zip(after, args, strict=True), 1):
            expect_unchanged(value, before, what=f"argument {number} after the call")


def stored(student, weight, mask):
    """Compress a weight and compare both parts."""
    whole = torch.ones(len(weight), 8, dtype=weight.dtype), torch.tensor([[True, False] * 4] * len(weight))
    mistake = oracle.LAST_BYTE if weight.shape[1] % 8 else None  # else there are whole bytes here too
    actual = expect_answer(student.compress_2_4, weight, mask, simpler=whole, mistake=mistake)
    expect_stored(actual, weight, mask)


def expect_stored(actual, weight, mask):
    """Compare both parts of what came back."""
    shown = isinstance(actual, tuple) and len(actual) == 2
    expect(shown, "compress_2_4 returns no tuple of values and places.", evidence="value")
    values, places = oracle.compressed(weight, mask)
    expect_equal(actual[1], places, misses=oracle.places_misses(mask), what="the bytes of places")
    expect_close(actual[0], values, atol=0.0, misses=oracle.values_misses(weight, mask), what="the tensor of values")


@pytest.mark.task("m14.2")
@pytest.mark.holds("Example: the row [1, -4, 3, 2] and its mask above give [-4, 3] and the byte 0b1001.")
def test_the_byte_of_the_docstring(student):
    """The docstring's four is stored as two values and one byte."""
    stored(student, LANES, oracle.fours(LANES))


@pytest.mark.task("m14.2")
@pytest.mark.holds(
    "Store what a 2:4 mask lets stay: the values, in their order and dtype, and the place (0..3) of each in its four.",
    "A place takes two bits.",
    "A byte holds four places, the first in its lowest bits, and 0 in bits to spare: n_bytes is half / 4, rounded up.",
)
def test_values_and_places_are_stored(student, draw):
    """Half of the values remain, in their order, dtype and digits, and two bits for the place of each, by rows."""
    for shape in ((3, 8), (5, 4), (4, 12), (2, 20), (6, 32)):
        weight = draw.normal(*shape)
        stored(student, weight, oracle.fours(weight))
        stored(student, weight, oracle.fours(draw.normal(*shape)))  # any mask of twos will do
    weight = draw.normal(4, 12)
    weight[1, 2:7] = 0.0
    mask = oracle.fours(draw.normal(4, 12))
    simpler = torch.ones_like(weight), mask
    actual = expect_answer(student.compress_2_4, weight, mask, simpler=simpler, mistake=oracle.ZERO)
    expect_stored(actual, weight, mask)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        weight = draw.normal(3, 12, dtype=dtype)
        stored(student, weight, oracle.fours(weight))
    weight = draw.normal(3, 12)
    expect_stored(of_parameter(student, student.compress_2_4, weight, mask := oracle.fours(weight)), weight, mask)


@pytest.mark.task("m14.2")
@pytest.mark.holds("Raises ValueError unless 4 divides d_in and exactly two of each four stay.")
def test_a_mask_that_is_not_of_twos_is_refused(student, draw):
    """A row that leaves a rest, or a four of which not two stay, raises ValueError, also where their sum is right."""
    weight, good = draw.normal(3, 8), oracle.fours(draw.normal(3, 8))
    for changed, mistake in (
        ([1, 0, 1, 0, 1, 1, 1, 0], None),
        ([0, 0, 0, 1, 0, 1, 0, 1], None),
        ([0, 1, 1, 1, 0, 1, 0, 0], oracle.COUNTED),
        ([0, 0, 0, 0, 1, 1, 1, 1], oracle.COUNTED),
    ):
        mask = good.clone()
        mask[1] = torch.tensor(changed).bool()
        what = f"compress_2_4 with a row that lets {changed} stay"
        given = student.compress_2_4, weight, mask
        expect_raises("ValueError", *given, fine=(weight, good), what=what, mistake=mistake)
    given = student.compress_2_4, draw.normal(2, 6), torch.tensor([[1, 0, 1, 0, 1, 0]] * 2).bool()
    expect_raises("ValueError", *given, fine=(weight, good), what="compress_2_4 with rows of six", mistake=oracle.REST)


@pytest.mark.task("m14.2")
@pytest.mark.holds("Undo compress_2_4, with 0 elsewhere.")
def test_what_was_stored_comes_back(student, draw):
    """Values come back at their places, in their dtype and digits, and 0 stands everywhere else."""
    for shape in ((3, 8), (5, 4), (4, 12), (2, 20), (2, 32)):
        for dtype in (torch.float32, torch.float16, torch.float64):
            weight = draw.normal(*shape, dtype=dtype)
            mask = oracle.fours(weight)
            values, places = oracle.compressed(weight, mask)
            misses = oracle.restored_misses(values, oracle.numbers(mask))
            whole = torch.ones(len(weight), 4, dtype=dtype), torch.full((len(weight), 1), 0b10001000).to(torch.uint8)
            mistake = oracle.SPARE if shape[1] % 8 else None  # else no bit is to spare here either
            actual = expect_answer(student.decompress_2_4, values, places, simpler=whole, mistake=mistake)
            expected = weight * mask
            expect_close(actual, expected, atol=0.0, misses=misses, what="the weight that comes back")


@pytest.mark.task("m14.2")
@pytest.mark.holds("Raises ValueError, naming half and n_bytes, unless these belong together.")
def test_values_and_places_belong_together(student, draw):
    """Places for more or fewer values than there are raise ValueError, which names both numbers."""
    fine = draw.normal(3, 6), torch.zeros(3, 2, dtype=torch.uint8) + 0b01000100
    for half, n_bytes in ((6, 1), (6, 3), (4, 2), (10, 2), (2, 7)):
        places = torch.zeros(3, n_bytes, dtype=torch.uint8) + 0b01000100
        given = student.decompress_2_4, draw.normal(3, half), places
        what = f"decompress_2_4 with half = {half} and n_bytes = {n_bytes}"
        expect_raises("ValueError", *given, mentions=(str(half), str(n_bytes)), fine=fine, what=what)
