"""m14_pruning: what there is to prune, masks by magnitude, and scores by what flows through."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_unchanged,
)
from grader.judge.probes import model

from . import oracle, probes
from .oracle_learning import Stories
from .steps import of_parameter

COPIED = "copies come back, not the parameters themselves: what is changed in them changes nothing in the model"
TIED = "the tied head is listed: its weight is the embedding's too"
DERIVED = "layers of a class derived from nn.Linear are passed over: isinstance() knows them"
LINEAR = ["first.weight", "h.0.1.weight", "h.1.1.weight", "h.2.1.weight", "parts.deep.0.0.weight", "parts.own.weight"]
EXAMPLE = torch.tensor([[3, -1], [0.5, -4]])


# ── m14.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m14.1")
@pytest.mark.holds(
    "Return what there is to prune: the weight itself of every nn.Linear, or class derived from it, at any depth.",
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
            DERIVED: [name for name in wanted if "own" not in name],
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


def expect_refused(function, *args):
    """Ask with sparsities that there are not."""
    fine = *args, 0.5
    for sparsity in (-0.25, 1.5):
        expect_raises("ValueError", function, *args, sparsity, mentions=(str(sparsity),), fine=fine)
    slips = {"mistake": oracle.NAN, "unsaid": oracle.NAN}
    expect_raises("ValueError", function, *args, math.nan, mentions=("nan",), fine=fine, **slips)


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
    "outside 0..1, NaN too, raises ValueError, naming it.",
    "Let the lowest magnitudes go.",
)
@pytest.mark.parametrize("shape", [(3, 5), (7,), (2, 3, 5)], ids=["matrix", "row", "three_axes"])
def test_as_many_go_as_the_sparsity_says(student, draw, shape):
    """Exactly round(s * n) weights of lowest magnitude go, whatever their signs and rows, in any dtype."""
    for sparsity in (0.3, 0.5, 0.7, 0.1, 0.9):
        masked(student, draw.normal(*shape) * torch.arange(1, shape[-1] + 1), sparsity)
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        weight = (draw.permutation(35).reshape(5, 7) - 16.25).to(dtype) / 8
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
    "outside 0..1, NaN too, raises ValueError, naming it."
)
def test_nothing_and_everything_can_go(student, draw):
    """At 0 all stay and at 1 all go; a sparsity outside of these, or NaN, raises ValueError, which names it."""
    weight = draw.normal(4, 3)
    for sparsity in (0.0, 1.0, 0, 1):
        masked(student, weight, sparsity)
    expect_refused(student.magnitude_mask, weight)


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
    expect_one_device(student, student.magnitude_mask, [weight, 0.5], mistake=oracle.DEVICE)


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
    "outside 0..1, NaN too, raises ValueError, naming it.",
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
    expect_refused(student.global_masks, weights)
    found = student.probe.mutated(student.global_masks, weights, 0.5)
    expect_unchanged(found["args"][0]["one"], weights["one"], what="a weight after the call")


@pytest.mark.task("m14.1")
@pytest.mark.holds("A weight may be an nn.Parameter.")
def test_a_parameter_is_a_weight(student, draw):
    """Parameters that want a gradient, as a layer's weight does, are masked like any other tensor."""
    weight = draw.normal(3, 8)
    mask = of_parameter(student, student.magnitude_mask, weight, 0.5)
    expect_equal(mask, oracle.magnitude(weight, 0.5), what="the mask of a parameter")
    weights = {"b": draw.normal(3, 5), "a": draw.normal(4)}
    masks = of_parameter(student, student.global_masks, weights, 0.5)
    expect_equal(masks, oracle.all_together(weights, 0.5), what="the masks of two parameters")


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
        f"gpt2-nano's loss on stories that it has never seen is {before:.2f} nats a token, and less is better. Without "
        f"half of its weights, by your masks, it is {after:.2f}; without a half that is drawn by lot {by_chance:.2f}."
    )


# ── m14.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def scored(student, weight, x, atol=FLOAT32_OP, rtol=1e-5):
    """Ask for scores and compare them."""
    expected, misses = oracle.wanda(weight, x), oracle.wanda_misses(weight, x)
    simpler, mistake = (weight, x.flatten(0, -2)), oracle.TEXTS if x.dim() > 2 else None
    actual = expect_answer(student.wanda_scores, weight, x, simpler=simpler, mistake=mistake)
    expect_close(actual, expected, atol=atol, rtol=rtol, misses=misses, what="the tensor of scores")


@pytest.mark.task("m14.3")
@pytest.mark.holds("Example: weight [[1, -3]] and two tokens x [[3, 0], [4, 1]] give [[5, 3]].")
def test_the_scores_of_the_docstring(student):
    """The docstring's two weights score 5 and 3."""
    scored(student, torch.tensor([[1.0, -3.0]]), torch.tensor([[3.0, 0.0], [4.0, 1.0]]))


@pytest.mark.task("m14.3")
@pytest.mark.holds(
    "Score each weight by its magnitude times the 2-norm, over all tokens, of the input that it multiplies: x[..., i].",
    "A weight may be an nn.Parameter.",
)
def test_a_weight_scores_with_its_input(student, draw):
    """A score is the weight's magnitude times the 2-norm of its input over all tokens of all texts."""
    for shape in ((9, 5), (3, 4, 5), (2, 3, 4, 5)):
        weight, x = draw.normal(7, 5), draw.normal(*shape) ** 3 + torch.arange(5.0)  # tails of unequal weight
        scored(student, weight, x)
    weight, x = draw.normal(4, 6), draw.normal(7, 6)
    x[:, 2], x[3] = 0.0, 0.0
    scored(student, weight, x)
    scores = of_parameter(student, student.wanda_scores, weight, x)
    expect_close(scores, oracle.wanda(weight, x), atol=FLOAT32_OP, rtol=1e-5, what="the tensor of a parameter's scores")
    kept = of_parameter(student, student.wanda_mask, weight, x, 0.0)
    expect_equal(kept, oracle.wanda_kept(weight, x, 0.0), what="the mask of a parameter")


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
    expect_one_device(student, student.wanda_scores, [weight, x], mistake=oracle.DEVICE)
    expect_one_device(student, student.wanda_mask, [weight, x, 0.5], mistake=oracle.DEVICE)


@pytest.mark.task("m14.3")
@pytest.mark.holds(
    "Let the weights of lowest score go, in each row by itself: n is d_in, and all outputs keep as many inputs.",
    "A sparsity s makes round(s * n) of n go, by Python's round, which takes a half to its even neighbour; one "
    "outside 0..1, NaN too, raises ValueError, naming it.",
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
    expect_refused(student.wanda_mask, weight, x)
