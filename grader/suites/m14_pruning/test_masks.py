"""m14_pruning: what there is to prune, masks by magnitude, two of four, and scores by what flows through."""

import pytest
import torch

from grader.judge import (
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_unchanged,
)
from grader.judge.probes import model

from . import oracle, probes
from .oracle_learning import Stories

COPIED = "copies come back, not the parameters themselves: what is changed in them changes nothing in the model"
TIED = "the tied head is listed: its weight is the embedding's too"
LINEAR = ["first.weight", "h.0.1.weight", "h.1.1.weight", "h.2.1.weight", "parts.deep.0.0.weight"]
DEVICE = "something is made on the default device instead of where the weight is"
OUTSIDE = (-0.25, 1.5, float("nan"))
EXAMPLE = torch.tensor([[3, -1], [0.5, -4]])
LANES = torch.tensor([[1.0, -4.0, 3.0, 2.0]])


# ── m14.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "Return what there is to prune: the weight of every nn.Linear, at any depth, as the parameter that it is.",
    'Names, such as "h.0.mlp.c_fc.weight", and their order are those of model.named_parameters().',
    "Left out is a weight that another module holds as well (GPT-2's lm_head, tied to wte): whoever cuts that, "
    "cuts the words too.",
)
def test_the_matrices_of_linear_layers_are_found(student):
    """Every linear layer's weight is listed as it is, at any depth; no bias, other matrix or tied head is."""
    planted = student.plant(probes)
    for tied, alone in ((False, False), (True, False), (False, True)):
        wanted = ["weight"] if alone else LINEAR + ["lm_head.weight"] * (not tied)
        found = planted.found(student.linear_weights, tied, alone)
        misses = {
            TIED: [*LINEAR, "lm_head.weight"],
            "the embedding is listed, whose weight the tied head shares": ["wte.weight", *LINEAR],
            "lm_head is passed over by its name: here nothing is tied to it": LINEAR,
            "only layers at the top are listed": [name for name in wanted if name.count(".") == 1],
            "the modules' names come back, not their weights'": [name.removesuffix(".weight") for name in wanted],
            "biases are listed": [
                part for name in wanted for part in (name, name[:-6] + "bias") if part not in UNBIASED
            ],
            "every matrix is listed, whatever module it is of": ["table", "wte.weight", *wanted],
        }
        expect_equal(found["names"], wanted, misses=misses, what="the list of names")
        expect(all(found["same"]), "What comes back are not the model's own parameters.", mistake=COPIED)


UNBIASED = ("h.0.1.bias", "h.2.1.bias", "lm_head.bias")


def masked(student, weight, sparsity, what=""):
    """Ask for a mask and compare it."""
    misses = oracle.magnitude_misses(weight, sparsity)
    what = what or f"the mask of {weight.numel()} weights at {sparsity}"
    expect_equal(student.magnitude_mask(weight, sparsity), oracle.magnitude(weight, sparsity), misses=misses, what=what)


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "Let the lowest magnitudes go.",
    "Example: [[3, -1], [0.5, -4]] and 0.5 give [[True, False], [False, True]].",
)
def test_the_mask_of_the_docstring(student):
    """Of the docstring's four weights the two of lowest magnitude go."""
    masked(student, EXAMPLE, 0.5, "the mask")


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "A mask is a bool tensor of its weight's shape, on its device, and True stays.",
    "A sparsity s makes round(s * n) of n go, by Python's round, which takes a half to its even neighbour; one "
    "outside 0..1 raises ValueError, which names it.",
    "Let the lowest magnitudes go.",
)
@pytest.mark.parametrize("shape", [(3, 5), (7,), (2, 3, 5)], ids=["matrix", "row", "three_axes"])
def test_as_many_go_as_the_sparsity_says(student, draw, shape):
    """Exactly round(s * n) weights of lowest magnitude go, whatever their signs and rows, in any dtype."""
    for sparsity in (0.3, 0.5, 0.7, 0.1, 0.9):
        masked(student, draw.normal(*shape) * torch.arange(1, shape[-1] + 1), sparsity)
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        weight = (draw.permutation(30).reshape(5, 6) - 14.25).to(dtype) / 8
        masked(student, weight, 0.4, f"the mask of {dtype} weights")
    near = 1 + draw.permutation(12).double().reshape(3, 4) * 2.0**-40
    misses = {"float64 weights are ranked in float32: to that they are all equal": oracle.staying(near.float(), 6)}
    mask = student.magnitude_mask(near, 0.5)
    expect_equal(
        mask, oracle.magnitude(near, 0.5), misses=misses, what="the mask of float64 weights that are nearly equal"
    )


@pytest.mark.task("m14.1")
@pytest.mark.holds("What is lowest goes; of equals those that stand first go first, row by row.")
def test_of_equal_weights_the_first_go_first(student, draw):
    """Among weights of equal magnitude exactly as many go as must, and those that stand first."""
    for shape in ((4, 6), (50,)):
        weight = draw.integers(-2, 3, *shape).float()
        for sparsity in (0.25, 0.5, 0.75):
            masked(student, weight, sparsity)
    masked(student, torch.ones(5, 8), 0.6)
    masked(student, torch.zeros(3, 70), 0.5)


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "A sparsity s makes round(s * n) of n go, by Python's round, which takes a half to its even neighbour; one "
    "outside 0..1 raises ValueError, which names it."
)
def test_nothing_and_everything_can_go(student, draw):
    """A sparsity of 0 lets all stay and one of 1 lets all go; what lies outside raises ValueError, which names it."""
    weight = draw.normal(4, 3)
    for sparsity in (0.0, 1.0, 0, 1):
        masked(student, weight, sparsity)
    for sparsity in OUTSIDE:
        expect_raises("ValueError", student.magnitude_mask, weight, sparsity, mentions=(str(sparsity),))


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "A mask is a bool tensor of its weight's shape, on its device, and True stays.",
    "No argument changes, but m14.4's and m14.5's models.",
)
@pytest.mark.warm("torch._dynamo")
def test_a_mask_lies_where_its_weight_does(student, draw):
    """The mask is made on the weight's device, and the weight is what it was."""
    weight = draw.normal(4, 6)
    found = student.probe.mutated(student.magnitude_mask, weight, 0.5)
    expect_equal(found["result"], oracle.magnitude(weight, 0.5), what="the mask")
    expect_unchanged(found["args"][0], weight, what="the weight after the call")
    expect_one_device(student, student.magnitude_mask, [weight, 0.5], mistake=DEVICE)


def all_masked(student, weights, sparsity):
    """Ask for the masks of several weights and compare them."""
    expected, misses = oracle.all_together(weights, sparsity), oracle.global_misses(weights, sparsity)
    expect_equal(student.global_masks(weights, sparsity), expected, misses=misses, what=f"the masks at {sparsity}")


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    'Example: {"a": [4, 3], "b": [1, -2]} and 0.5 give {"a": [True, True], "b": [False, False]}.',
)
def test_the_masks_of_the_docstring(student):
    """Of the docstring's two weights the first stays and the second goes."""
    all_masked(student, {"a": torch.tensor([4.0, 3.0]), "b": torch.tensor([1.0, -2.0])}, 0.5)


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "Return a mask for each of several weights, by its name: all of them compete, and the first weight stands first.",
    "A sparsity s makes round(s * n) of n go, by Python's round, which takes a half to its even neighbour; one "
    "outside 0..1 raises ValueError, which names it.",
    "What is lowest goes; of equals those that stand first go first, row by row.",
)
def test_all_weights_compete(student, draw):
    """Weights of several shapes are ranked in one row: one of small numbers loses more, and ties go in order."""
    for sparsity in (0.5, 0.3, 0.8):
        all_masked(student, {"b": draw.normal(3, 5), "a": draw.normal(4, 2, scale=0.2), "c": draw.normal(7)}, sparsity)
    for sparsity in (0.25, 0.6):
        all_masked(student, {"z": draw.integers(-2, 3, 4, 3).float(), "a": draw.integers(-2, 3, 5).float()}, sparsity)
    for sparsity in (0.0, 1.0):
        all_masked(student, {"one": draw.normal(3, 5), "two": draw.normal(2, 2)}, sparsity)
    weights = {"one": draw.normal(2, 3), "two": draw.normal(4)}
    for sparsity in OUTSIDE:
        expect_raises("ValueError", student.global_masks, weights, sparsity, mentions=(str(sparsity),))
    found = student.probe.mutated(student.global_masks, weights, 0.5)
    expect_unchanged(found["args"][0]["one"], weights["one"], what="a weight after the call")


@pytest.mark.task("m14.1")
def test_half_of_a_gpts_weights_go(student, draw, data):
    """In gpt2-nano, half of all its layers' weights go: those of lowest magnitude, wherever they are."""
    stories = Stories(draw, data)
    weights = stories.matrices()
    sparsity = stories.HALF
    parts = {name: getattr(student, name) for name in ("linear_weights", "global_masks")}
    gpt = student.plant(model).build(stories.sizes, stories.start)
    masks = student.plant(probes).masked(parts, gpt, sparsity)
    expect_equal(masks, oracle.all_together(weights, sparsity), what="the masks")
    before = stories.loss(stories.start)
    after, by_chance = (stories.loss(stories.without(some)) for some in (masks, stories.random_masks(draw, sparsity)))
    achieve(
        f"Without the half of its weights that your masks let go, gpt2-nano's held-out token costs {after:.2f} nats "
        f"instead of {before:.2f}; without a half drawn by lot {by_chance:.2f}."
    )


# ── m14.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m14.2")
@pytest.mark.holds("Example: [[1, -4, 3, 2]] gives [[False, True, True, False]].")
def test_the_four_of_the_docstring(student):
    """Of the docstring's four weights -4 and 3 stay."""
    expect_equal(student.mask_2_4(LANES), oracle.fours(LANES), misses=oracle.fours_misses(LANES), what="the mask")


@pytest.mark.task("m14.2")
@pytest.mark.holds(
    "Let two of each four go that lie side by side in a row: those of lowest magnitude.",
    "What is lowest goes; of equals those that stand first go first, row by row.",
    "A mask is a bool tensor of its weight's shape, on its device, and True stays.",
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
    actual = student.compress_2_4(weight, mask)
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
    weight[1, 2:7] = 0.0  # a zero that stays is a value
    stored(student, weight, oracle.fours(draw.normal(4, 12)))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        weight = draw.normal(3, 12, dtype=dtype)
        stored(student, weight, oracle.fours(weight))


@pytest.mark.task("m14.2")
@pytest.mark.holds("Raises ValueError when not exactly two of each four stay.")
def test_a_mask_that_is_not_of_twos_is_refused(student, draw):
    """A four of which one, three or none stay raises ValueError, also where the row has as many as it should."""
    weight, good = draw.normal(3, 8), oracle.fours(draw.normal(3, 8))
    for changed in ([0, 1, 1, 1, 0, 1, 0, 0], [1, 0, 1, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 1, 1, 1]):
        mask = good.clone()
        mask[1] = torch.tensor(changed).bool()
        what = f"compress_2_4 with a row that lets {changed} stay"
        expect_raises("ValueError", student.compress_2_4, weight, mask, fine=(weight, good), what=what)


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
            actual, expected = student.decompress_2_4(values, places), weight * mask
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


# ── m14.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def scored(student, weight, x, atol=FLOAT32_OP, rtol=1e-5):
    """Ask for scores and compare them."""
    expected, misses = oracle.wanda(weight, x), oracle.wanda_misses(weight, x)
    actual = student.wanda_scores(weight, x)
    expect_close(actual, expected, atol=atol, rtol=rtol, misses=misses, what="the tensor of scores")


@pytest.mark.task("m14.3")
@pytest.mark.holds("Example: weight [[1, -3]] and two tokens x [[3, 0], [4, 1]] give [[5, 3]].")
def test_the_scores_of_the_docstring(student):
    """The docstring's two weights score 5 and 3."""
    scored(student, torch.tensor([[1.0, -3.0]]), torch.tensor([[3.0, 0.0], [4.0, 1.0]]))


@pytest.mark.task("m14.3")
@pytest.mark.holds(
    "Score each weight by its magnitude times the 2-norm, over all tokens, of the input that it multiplies: x[..., i].",
)
def test_a_weight_scores_with_its_input(student, draw):
    """A score is the weight's magnitude times the 2-norm of its input over all tokens of all texts."""
    for shape in ((9, 5), (3, 4, 5), (2, 3, 4, 5)):
        weight, x = draw.normal(7, 5), draw.normal(*shape) ** 3 + torch.arange(5.0)  # tails of unequal weight
        scored(student, weight, x)
    weight, x = draw.normal(4, 6), draw.normal(7, 6)
    x[:, 2], x[3] = 0.0, 0.0
    scored(student, weight, x)


@pytest.mark.task("m14.3")
@pytest.mark.holds(
    "Half precision is scored in float32, any other dtype in its own.",
    "No argument changes, but m14.4's and m14.5's models.",
)
@pytest.mark.warm("torch._dynamo")
def test_half_precision_is_scored_in_float32(student, draw):
    """Inputs whose squares float16 can't hold give finite float32 scores; float64 keeps its digits; nothing changes."""
    for dtype in (torch.float16, torch.bfloat16):
        weight, x = draw.normal(4, 6, dtype=dtype), draw.normal(40, 6, scale=300.0, dtype=dtype)
        scored(student, weight, x)
    scored(student, draw.normal(4, 6, dtype=torch.float64), draw.normal(9, 6, dtype=torch.float64), FLOAT64, 1e-12)
    weight, x = draw.normal(4, 6), draw.normal(2, 5, 6)
    after = student.probe.mutated(student.wanda_scores, weight, x)["args"]
    expect_unchanged(after[0], weight, what="the weight after the call")
    expect_unchanged(after[1], x, what="x after the call")
    expect_one_device(student, student.wanda_scores, [weight, x], mistake=DEVICE)
    expect_one_device(student, student.wanda_mask, [weight, x, 0.5], mistake=DEVICE)


@pytest.mark.task("m14.3")
@pytest.mark.holds(
    "Let the weights of lowest score go, in each row by itself: n is d_in, and all outputs keep as many inputs.",
    "A sparsity s makes round(s * n) of n go, by Python's round, which takes a half to its even neighbour; one "
    "outside 0..1 raises ValueError, which names it.",
    "What is lowest goes; of equals those that stand first go first, row by row.",
)
def test_every_output_keeps_as_many_inputs(student, draw):
    """In each row by itself round(s * d_in) weights of lowest score go, also where whole rows are small."""
    for sparsity in (0.5, 0.3, 0.7, 0.0, 1.0):
        while True:
            weight = draw.normal(6, 9) * 2.0 ** torch.arange(6)[:, None]
            x = draw.normal(2, 8, 9) * (draw.normal(9).abs() * 3 + 0.1)
            if oracle.cleared(weight, x, sparsity):
                break
        misses = oracle.wanda_kept_misses(weight, x, sparsity)
        actual = student.wanda_mask(weight, x, sparsity)
        expect_equal(actual, oracle.wanda_kept(weight, x, sparsity), misses=misses, what=f"the mask at {sparsity}")
    weight, x = draw.integers(-2, 3, 5, 12).float(), torch.ones(4, 12)  # norms of 2, and so scores that are exact
    for sparsity in (0.25, 0.5):
        misses = oracle.wanda_kept_misses(weight, x, sparsity)
        actual = student.wanda_mask(weight, x, sparsity)
        expect_equal(actual, oracle.wanda_kept(weight, x, sparsity), misses=misses, what="the mask of many ties")
    for sparsity in OUTSIDE:
        expect_raises("ValueError", student.wanda_mask, weight, x, sparsity, mentions=(str(sparsity),))
