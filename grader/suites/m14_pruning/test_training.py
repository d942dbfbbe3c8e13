"""m14_pruning: a sparsity that rises, masks that are applied, and training that keeps zeros."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT64,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_raises,
    expect_tensor,
)
from grader.judge.probes import model

from . import oracle, probes
from . import oracle_training as training
from .oracle_learning import Stories

OTHERS = "the parameters are new ones: an optimizer holds the old ones, and would train those"
ALL_FIRST = "all batches are taken before the first step: take one as it comes"
EARLY = "masks are applied before all of them have been looked at"
GRAPHS = "the losses are tensors, each with the graph that it came from: item() makes a number of one"
TIMES = "weights are multiplied by the mask, and 0 times infinity or NaN is NaN: write 0 there"
NOT_ZERO = "masked weights are small, and not exactly 0"
FLAGS = "whether a parameter wants a gradient has changed"


def expect_rise(student, *given, **options):
    """Ask for a step's sparsity and compare it."""
    actual = student.cubic_sparsity(*given, **options)
    expect(isinstance(actual, int | float), f"cubic_sparsity{given} is no number.")
    wanted = torch.tensor(training.rising(*given, **options), dtype=torch.float64)
    misses = training.rising_misses(*given, **options)
    atol = min(FLOAT64, 1e-3 * float(wanted)) or FLOAT64
    number = torch.tensor(float(actual), dtype=torch.float64)
    expect_close(number, wanted, atol=atol, misses=misses, what=f"the sparsity for step {given[0]}")


@pytest.mark.task("m14.5")
@pytest.mark.holds(
    "Example: begin 0, end 4 and final 0.8 give 0, 0.7 and 0.8 for the steps 0, 2 and 4.",
)
def test_the_rise_of_the_docstring(student):
    """From 0 to 0.8 in four steps, the sparsity is 0, 0.7 and 0.8 at the beginning, half-way and in the end."""
    for step, wanted in ((2, 0.7), (4, 0.8), (0, 0.0)):
        assert math.isclose(training.rising(step, 0, 4, 0.8), wanted, abs_tol=1e-12)
        expect_rise(student, step, 0, 4, 0.8)


@pytest.mark.task("m14.5")
@pytest.mark.holds(
    "Return a step's sparsity: `initial` up to begin, `final` from end on, between them a rise that slows down.",
    "There it is final + (initial - final) * (1 - t)**3, and t goes evenly from 0 at begin to 1 at end.",
)
def test_the_sparsity_rises_with_a_cube(student, draw):
    """Between begin and end what is still to go shrinks with a cube; before and after, nothing moves."""
    for _ in range(3):
        begin = draw.random.randrange(2, 30)
        end, final, initial = begin + draw.random.randrange(5, 40), draw.random.uniform(0.6, 0.95), 0.125
        middle = [begin + round((end - begin) * part / 7) for part in range(1, 7)]
        for step in (*middle, begin + 1, end - 1, begin, end, 0, end + 9):
            expect_rise(student, step, begin, end, final, initial)
        for step in (*middle, 0, begin, end, end + 1):
            expect_rise(student, step, begin, end, final)
    expect_rise(student, 3, -5, 20, 0.5, initial=0.9)  # a fall goes by the same rule


@pytest.mark.task("m14.5")
@pytest.mark.holds("Raises ValueError, naming both, unless begin < end.")
def test_a_rise_takes_steps(student):
    """A rise that ends where it begins, or before, raises ValueError, which names both."""
    for begin, end in ((7, 7), (12, 5)):
        given = student.cubic_sparsity, 9, begin, end, 0.5
        fine = (9, 1, 20, 0.5)
        expect_raises("ValueError", *given, mentions=(str(begin), str(end)), fine=fine, what=f"from {begin} to {end}")


def net(draw):
    """Draw the weights of a Net, masks for two of them, and a function that draws batches."""
    weights = {
        "first.weight": draw.normal(6, 5, scale=0.5),
        "first.bias": draw.normal(6, scale=0.5),
        "second.weight": draw.normal(4, 6, scale=0.5),
        "gain": 1 + draw.normal(6, scale=0.2),
    }
    masks = {name: oracle.magnitude(weights[name], 0.5) for name in ("second.weight", "first.weight")}
    return weights, masks, lambda count: [(draw.normal(9, 5), draw.normal(9, 4)) for _ in range(count)]


@pytest.mark.task("m14.5")
@pytest.mark.holds(
    "Write 0 where a mask is False, over NaN too (0 * NaN is NaN), into the model's own parameters of these names.",
)
def test_masks_write_zeros_into_the_models_own_weights(student, draw):
    """Where a mask is False the very parameter of that name becomes 0; the rest, and other parameters, stay."""
    weights, masks, _ = net(draw)
    masks["first.bias"] = torch.tensor([True, False, True, True, False, False])
    planted = student.plant(probes)
    for frozen in (False, True):
        for some in ([], ["second.weight"], [*masks]):
            chosen = {name: masks[name] for name in some}
            found = planted.applied(student.apply_masks, weights, chosen, frozen)
            for name, value in weights.items():
                kept = chosen.get(name, torch.ones_like(value).bool())
                misses = {
                    "the mask is inverted: where it is False the weight goes": value * ~kept,
                    "nothing is written into the model": value,
                }
                expect_close(found["state"][name], value * kept, atol=0.0, misses=misses, what=name)
            expect(found["same"] is True, "The model has other parameters than before.", mistake=OTHERS)
            wanting = [] if frozen else list(weights)
            expect(sorted(found["wanting"]) == sorted(wanting), "Parameters want other gradients.", mistake=FLAGS)


@pytest.mark.task("m14.5")
@pytest.mark.holds(
    "Write 0 where a mask is False, over NaN too (0 * NaN is NaN), into the model's own parameters of these names.",
)
def test_zero_is_written_whatever_stood_there(student, draw):
    """Where a mask is False, infinity and NaN become 0 as well."""
    weights, masks, _ = net(draw)
    name = "second.weight"
    gone = (~masks[name]).nonzero()[:3]
    for (row, column), value in zip(gone.tolist(), (math.nan, math.inf, -math.inf), strict=True):
        weights[name][row, column] = value
    found = student.plant(probes).applied(student.apply_masks, weights, masks)
    misses = {TIMES: weights[name] * masks[name], "nothing is written into the model": weights[name]}
    expected = weights[name].where(masks[name], torch.tensor(0.0))
    expect_close(found["state"][name], expected, atol=0.0, misses=misses, what=name)


@pytest.mark.task("m14.5")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a name without a parameter or a mask of another shape; nothing is changed then.",
)
def test_a_mask_without_its_weight_is_refused(student, draw):
    """A mask for a name that no parameter has, or of another shape, raises ValueError; no weight has changed then."""
    weights, masks, _ = net(draw)
    planted = student.plant(probes)
    made = planted.net(weights)
    for name, shape in (("third.weight", (6, 5)), ("first", (6, 5)), ("gain", (1,)), ("first.weight", (5,))):
        wrong = {"second.weight": masks["second.weight"], name: torch.zeros(shape, dtype=torch.bool)}
        what = f"apply_masks with a mask of shape {list(shape)} for {name}"
        fine = (planted.net(weights), masks)
        expect_raises("ValueError", student.apply_masks, made, wrong, mentions=(name,), fine=fine, what=what)
        for key, value in planted.state(made).items():
            same = torch.equal(value, weights[key])
            expect(same, f"apply_masks refused, and has changed {key}.", mistake=EARLY, evidence="value")


@pytest.mark.task("m14.5")
@pytest.mark.holds(
    "Train on, a step for each batch as it comes, with masked weights at exactly 0; return each step's loss.",
    "They are 0 before loss(model, batch) is asked, the first time too, and 0 again after optimizer.step(), whatever "
    "momentum it brings along; without a batch they are 0 as well.",
    "Gradients from before take no part.",
)
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_what_is_masked_stays_zero(student, draw, kind):
    """With momentum and gradients from before, masked weights are 0 at every loss and in the end; the others move."""
    weights, masks, batches = net(draw)
    planted = student.plant(probes)
    for count in (4, 1, 0):
        given = weights, masks, batches(3), batches(count), kind
        expected, misses = training.tuned(*given), training.tuned_misses(*given)
        found = planted.tuned(student.finetune, *given)
        order = [name for name, _ in found["seen"]]
        early = ALL_FIRST if order == ["batch"] * count + ["loss"] * count else None
        what = f"Batches and losses came in the order {order}."
        expect(order == ["batch", "loss"] * count, what, mistake=early)
        for name in ("second.weight", "first.weight", "first.bias", "gain"):
            own = {words: training.of_state(miss, name) for words, miss in misses.items()}
            actual = found["state"][name]
            expect_close(actual, expected["state"][name], atol=FLOAT32_LAYER, misses=own, what=f"{name} after training")
            if name in masks:
                gone = actual[~masks[name]]
                expect(
                    not bool(gone.any()),
                    f"{name} is not exactly 0 where it is masked.",
                    mistake=NOT_ZERO,
                    evidence="value",
                )
        kinds = [type(loss) for loss in found["losses"]] if isinstance(found["losses"], list) else None
        said = "finetune returns no list with a float for each batch."
        expect(kinds == [float] * count, said, mistake=GRAPHS if kinds == [torch.Tensor] * count else None)
        if count:
            own = {words: training.of_losses(miss) for words, miss in misses.items()}
            wanted = torch.tensor(expected["losses"])
            expect_close(
                torch.tensor(found["losses"]), wanted, atol=FLOAT32_LAYER, misses=own, what="the list of losses"
            )
        largest = max((value for name, value in found["seen"] if name == "loss"), default=0.0)
        expect(largest == 0.0, f"A masked weight is {largest:.3g} while the loss is asked.", mistake=training.LATE)


@pytest.mark.task("m14.5")
@pytest.mark.limits(seconds=60)
@pytest.mark.warm("torch._dynamo")
def test_a_gpt_learns_to_do_without(student, draw, data):
    """Three fifths of gpt2-nano's weights go step by step; training makes up for much, on shuffled text it can't."""
    stories, planted = Stories(draw, data), student.plant(probes)
    names = ("linear_weights", "global_masks", "cubic_sparsity", "finetune")
    parts = {name: getattr(student, name) for name in names}
    windows, losses = stories.windows(draw, stories.STEPS), {}
    shuffled = windows.flatten()[draw.permutation(windows.numel())].view(windows.shape)[: stories.CONTROL]
    for text in (shuffled, windows):
        gpt, steps = student.plant(model).build(stories.sizes, stories.start), len(text)
        found = planted.gradually(parts, gpt, text, stories.MOST, stories.RATE, 0, steps // 2)
        for name, value in stories.start.items():
            expect_tensor(found.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
        zeros, total = stories.zeros(found)
        said = f"{zeros:,} of {total:,} weights are 0 in the end, expected {round(stories.MOST * total):,}."
        expect(zeros == round(stories.MOST * total), said, evidence="value")
        losses[steps] = stories.loss(found)
    control, after = losses[stories.CONTROL], losses[stories.STEPS]
    before = stories.loss(stories.start)
    at_once = stories.loss(stories.without(oracle.all_together(stories.matrices(), stories.MOST)))
    expect_bound(control, f"From shuffled text the loss came to {control:.2f}.", above=stories.LEARNED)
    expect_bound(after, f"A held-out token costs {after:.2f} nats, expected less.", below=stories.LEARNED)
    achieve(
        f"gpt2-nano's loss on stories that it has never seen is {before:.2f} nats a token. Without three fifths of its "
        f"weights it is {at_once:.2f}, and {after:.2f} where they go in the course of {stories.STEPS} of your steps."
    )
