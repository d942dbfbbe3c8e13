"""m09_scaling: half precision with a scale and whole weights, and activations that are computed twice."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    counted,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_tensor,
    sentence,
)

from . import oracle, probes
from .steps import misses

OPTIONS = {"init_scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.25, "growth_interval": 3}
HALVES = (torch.bfloat16, torch.float16)
# The scale grows twice in a row, an overflow comes after two more steps, then the other kinds of overflow: where steps
# are counted, and when the count begins anew, all ways of counting differ.
KINDS = ("", "", "", "", "", "", "", "", "+", "", "", "", "", "nan", "", "-", "", "", "")

LARGE = 1e37


def training(draw, kinds):
    """Draw a start and gradients for each step, in one of which something is not finite where a kind says so."""
    shapes = ((4, 3), (5,))
    steps = [[draw.normal(*shape) for shape in shapes] for _ in kinds]
    for number, (step, kind) in enumerate(zip(steps, kinds, strict=True)):
        if kind == "large":  # finite, as none of their sums is
            step[0].fill_(LARGE)
        elif kind:
            spoiled = step[1] if number % 2 else step[0]
            spoiled.view(-1)[draw.random.randrange(spoiled.numel())] = float(kind + "inf" if kind in "+-" else kind)
    return [draw.normal(*shape) for shape in shapes], steps


def expect_scaled(student, draw, kinds, max_norm=None, options=OPTIONS):
    """Train by scaled gradients, and compare what was said and what the weights have become."""
    start, steps = training(draw, kinds)
    given = start, steps, 0.1, options, max_norm
    wanted = oracle.scaling(*given)
    found = student.plant(probes).scaled(student.LossScaler, start, options, steps, 0.1, max_norm)
    wrong = misses(oracle.SCALES, lambda kind: oracle.history(oracle.scaling(*given, kind)))
    expect_equal(oracle.history(found), oracle.history(wanted), misses=wrong, what="what the scaler says of each step")
    scales, kept = ([step[name] for step in found["seen"]] for name in ("scale", "kept"))
    expect_equal(kept, scales, misses={oracle.AT_ONCE: kept}, what="the list of scales just before update")
    expect(
        all(step["same"] for step in found["seen"]),
        "The gradients are other tensors than before.",
        mistake=oracle.REPLACED,
    )
    if "torchs" in found:  # on a GPU
        scales = [float(scale) for scale in (*scales, found["scale"])]
        expect_equal(scales, found["torchs"], what="the list of scales, beside that of torch's GradScaler,")
    wrong = misses(oracle.SCALES, lambda kind: oracle.weights_of(oracle.scaling(*given, kind)))
    actual, expected = oracle.weights_of(found), oracle.weights_of(wanted)
    expect_close(actual, expected, atol=FLOAT32_LAYER, rtol=1e-5, misses=wrong, what="the weights after each step")


@pytest.mark.task("m09.1")
@pytest.mark.holds(
    "`scale` is that number, at first init_scale.",
    "A step: (loss * scaler.scale).backward(); unscale_; clip; step; update.",
    "Divide the gradients that there are by `scale`, in place, and return whether all of them are finite.",
    "Take the optimizer's step if unscale_ has found all finite, and leave it out otherwise; return which.",
    "Set the scale for the next step: after one that was left out, it is multiplied by backoff_factor.",
    "After growth_interval steps taken in a row it is multiplied by growth_factor, and they are counted anew.",
)
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_a_scale_shrinks_after_an_overflow_and_grows_after_some_steps(student, draw):
    """Through nineteen steps, three of them with an overflow, scale, answers and weights are those of the rules."""
    expect_scaled(student, draw, KINDS)
    others = {"init_scale": 8.0, "growth_factor": 3.0, "backoff_factor": 0.5, "growth_interval": 2}
    expect_scaled(student, draw, ("", "nan", "", "", "", "-", "", "", "large"), options=others)


@pytest.mark.task("m09.1")
@pytest.mark.holds(
    "Divide the gradients that there are by `scale`, in place, and return whether all of them are finite."
)
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_gradients_are_divided_before_they_are_clipped(student, draw):
    """Clipped between unscale_ and step, gradients have the norm that they have without a scale."""
    expect_scaled(student, draw, ("", "", ""), max_norm=1.0)


@pytest.mark.task("m09.1")
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_the_defaults_are_torchs(student):
    """Without arguments the scale is 65536, halves after an overflow, and has not grown after ten steps."""
    start, steps = [torch.ones(2)], [[torch.tensor([math.inf, 1.0])], *[[torch.ones(2)]] * 10]
    found = student.plant(probes).scaled(student.LossScaler, start, {}, steps, 0.1, None)
    scales = [step["scale"] for step in found["seen"]]
    expect_equal([float(scale) for scale in scales], [65536.0, *[32768.0] * 10], what="the list of scales")


# ── m09.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_mixed(student, parts, x, targets, dtype, kinds=oracle.MIXES, *, atol=1e-4, what="the loss"):
    """Compare a loss in mixed precision."""
    wanted, _ = oracle.mixed(parts, x, targets, dtype)
    found = student.plant(probes).mixed(student.mixed_loss, parts, x, targets, dtype)
    wrong = misses(kinds, lambda kind: oracle.mixed(parts, x, targets, dtype, kind)[0])
    half = isinstance(found["loss"], torch.Tensor) and found["loss"].dtype == dtype
    expect(not half, sentence(what, "comes back in half precision."), mistake=oracle.HALF_LOSS)
    expect_close(found["loss"], wanted, atol=atol, misses=wrong, what=what)
    if "autocast" in found:  # on a GPU
        expect_close(
            found["loss"], found["autocast"], atol=atol, follows=True, what=f"{what}, beside torch's autocast,"
        )
    return found


def digits(dtype):
    """Return the least whole number that has one digit more than a dtype: 257 or 2049."""
    return 257.0 if dtype == torch.bfloat16 else 2049.0


@pytest.mark.task("m09.2")
@pytest.mark.holds(
    "Run x (batch, d_in) through the layers in turn, and return the mean cross-entropy of the logits, in float32.",
    "An nn.Linear computes in `dtype`: what it is given, its weight and its bias are cast.",
)
@pytest.mark.parametrize("dtype", HALVES, ids=["bfloat16", "float16"])
def test_a_linear_layer_computes_in_half_precision(student, draw, dtype):
    """Input, weight, bias and result lose the digits that half precision has not; the cross-entropy loses none."""
    many = digits(dtype)
    even, targets = many - 1, draw.integers(0, 2, 6)
    # Two logits that are 1 and 0, or the other way round, where a digit is kept that half precision has not.
    ones, lone = torch.ones(6, 2), torch.ones(6, 1)
    cases = {
        "the input": (
            torch.tensor([[many, even], [even - 1, even - 2]]).repeat(3, 1),
            torch.tensor([[1.0, -1.0], [0.0, 0.0]]),
            None,
        ),
        "the weight": (ones, torch.tensor([[many, -even], [0.0, 0.0]]), torch.tensor([0.0, 0.5])),
        "the bias": (lone, torch.tensor([[-even], [0.0]]), torch.tensor([many, 0.5])),
        "the result": (lone, torch.tensor([[even], [even]]), torch.tensor([1.0, 0.0])),
    }
    for name, (x, weight, bias) in cases.items():
        what = f"the loss where {name} has one digit too many"
        expect_mixed(student, [(weight, bias)], x, targets, dtype, what=what)


@pytest.mark.task("m09.2")
@pytest.mark.holds("Every other layer, and the cross-entropy, is given float32.")
@pytest.mark.parametrize("dtype", HALVES, ids=["bfloat16", "float16"])
def test_everything_else_computes_in_float32(student, draw, dtype):
    """A layer that is not linear sees float32, also behind a linear one, and so does the cross-entropy."""
    even, targets = digits(dtype) - 1, draw.integers(0, 3, 12)
    # To the largest number that still has all digits 1 is added, and the number taken away again.
    to_logits = (torch.tensor([[1.0], [3.0], [-2.0]]), None)
    parts = [(torch.tensor([[even]]), None), None, to_logits]
    expect_mixed(student, parts, torch.ones(12, 1), targets, dtype, what="the loss behind another layer")
    while True:
        parts = [(draw.integers(-3, 4, 7, 4).float(), draw.integers(-3, 4, 7).float())]
        x, targets = draw.integers(-2, 3, 12, 4).float(), draw.integers(0, 7, 12)
        loss, _ = oracle.mixed(parts, x, targets, dtype)
        if abs(float(loss - oracle.mixed(parts, x, targets, dtype, oracle.LOSS_HALF)[0])) > 5e-4:
            break
    expect_mixed(student, parts, x, targets, dtype, what="the loss of whole logits")


@pytest.mark.task("m09.2")
@pytest.mark.holds("The weights themselves stay float32, and so do their gradients.")
def test_weights_and_their_gradients_stay_whole(student, draw):
    """After the loss and its gradient every weight is the float32 one that it was, with a float32 gradient."""
    first, last = (draw.normal(7, 5), draw.normal(7)), draw.normal(4, 7)
    parts = [first, 7, (last, None)]
    x, targets = draw.normal(9, 5), draw.integers(0, 4, 9)
    for dtype in HALVES:
        found = student.plant(probes).mixed(student.mixed_loss, parts, x, targets, dtype)
        _, wanted = oracle.mixed(parts, x, targets, dtype)
        names = ("first.weight", "first.bias", "norm.weight", "norm.bias", "last.weight")
        before = [*first, torch.ones(7), torch.zeros(7), last]
        for name, value, now in zip(names, before, found["weights"], strict=True):
            wrong = {oracle.WEIGHTS_CAST: value.to(dtype)}
            expect_close(now, value, atol=0.0, misses=wrong, what=f"{name} after the loss")
        for name, gradient, expected in zip(names, found["gradients"], wanted, strict=True):
            expect_tensor(gradient, shape=tuple(expected.shape), dtype=torch.float32, what=f"the gradient of {name}")
            gap = oracle.largest_gap(gradient, expected) / float(expected.abs().max())
            said = f"The gradient of {name} is off by {gap:.0%} of its largest number."
            expect(gap < 0.2, said, evidence="value")  # as far as roundings in another order may lead


@pytest.mark.task("m09.2")
@pytest.mark.holds(
    "Take a step of gradient descent on float32 weights, in place, by gradients in half precision.",
    "Return copies of the weights in the gradients' dtype, for the model to go on with.",
    "Example: 1.0, and a hundred steps by gradients of 1.0 in bfloat16 with lr 0.001: 0.9, where bfloat16 would "
    "stay 1.0.",
)
def test_small_steps_add_up_in_whole_weights(student, draw):
    """A hundred steps too small for half precision move the float32 weights in place; copies in half come back."""
    for dtype in HALVES:
        expect_mastered(student, [[torch.ones(1, dtype=dtype)]] * 100, dtype)
        drawn = [[draw.normal(3, 4, dtype=dtype), draw.normal(5, dtype=dtype)] for _ in range(20)]
        expect_mastered(student, drawn, dtype)


def expect_mastered(student, steps, dtype):
    """Take these steps from ones, and compare the weights and their copies."""
    start = [torch.ones(gradient.shape) for gradient in steps[0]]
    wanted = oracle.mastered(start, steps, 1e-3)
    found = student.plant(probes).mastered(student.master_step, start, steps, 1e-3)
    wrong = {kind: oracle.mastered(start, steps, 1e-3, kind) for kind in oracle.MASTERS} | {oracle.NOT_IN_PLACE: start}
    for place, expected in enumerate(wanted):
        own = {words: values[place] for words, values in wrong.items()}
        expect_close(found["master"][place], expected, atol=2e-6, misses=own, what="a whole weight")
    expect(type(found["copies"]) is list, "master_step returns no list.")
    expect_equal(len(found["copies"]), len(start), what="the number of copies")
    for copy, expected in zip(found["copies"], found["master"], strict=True):
        expect_close(copy, expected.to(dtype), atol=0.0, follows=True, what="a copy to go on with")


# ── m09.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def work(draw):
    """Draw two matrices, arguments and weights of the result."""
    order = torch.tensor(draw.random.sample(range(7), 7))
    return [draw.normal(5, 7), draw.normal(7, 4)], draw.normal(6, 5), draw.normal(7), order, 2, draw.normal(6, 4)


@pytest.mark.task("m09.3")
@pytest.mark.holds(
    "backward() runs function once more, with the random numbers of the first time: dropout falls on the same places.",
    "Afterwards random numbers go on as if nothing had been computed twice.",
    "Arguments and the parameters that function uses get the gradients that they would have got, also where no "
    "argument wants one, or some are no tensors.",
)
@pytest.mark.parametrize("wanting", [True, False], ids=["x wants a gradient", "parameters alone"])
def test_gradients_are_those_without_a_checkpoint(student, draw, wanting):
    """With dropout, numbers, places and a factor, result, gradients and the random numbers after it are as without."""
    matrices, x, shift, order, times, weights = work(draw)
    given = x, shift, order, times, weights, draw.random.randrange(2**30)
    calls = []
    note = student.callback(lambda: calls.append(1))
    found = student.plant(probes).checkpointed(student.checkpoint, matrices, *given, wanting, note)
    wanted = oracle.checkpointed(matrices, *given)

    wrong = {kind: oracle.checkpointed(matrices, *given, wrong=kind) for kind in oracle.DICE}

    def expect_found(name, of=lambda found: found, what=""):
        own = {words: of(miss[name]) for words, miss in wrong.items()}
        expect_close(of(found[name]), of(wanted[name]), atol=FLOAT32_LAYER, misses=own, what=what)

    expect_found("result", what="the result")
    expect_found("between", what="the list of random numbers before backward")
    for place, what in enumerate(("the gradient of the first matrix", "the gradient of the second matrix")):
        expect(found["matrices"][place] is not None, sentence(what, "is None."), mistake=oracle.UNSEEN)
        expect_found("matrices", lambda pair, place=place: pair[place], what)
    if wanting:
        expect(found["x"] is not None, "x has no gradient.", mistake=oracle.X_NONE)
        wrong[oracle.X_TWICE] = {"x": 2 * wanted["x"]}
        expect_found("x", what="the gradient of x")
        del wrong[oracle.X_TWICE]
    else:
        expect(found["x"] is None, "x wants no gradient, and has one.")
    expect_found("after", what="the list of random numbers after backward")
    expect(
        len(calls) == 2, f"function ran {counted(len(calls), 'time')}.", mistake=often(len(calls)), evidence="measured"
    )


def often(calls):
    """Say what is wrong about how often function ran, with backward."""
    return {1: oracle.NOT_TWICE}.get(calls, oracle.THRICE if calls > 2 else None)


@pytest.mark.task("m09.3")
@pytest.mark.holds("Return function(*args), and keep nothing of what it computes on the way but its arguments.")
def test_nothing_is_kept_on_the_way(student, draw):
    """Of forty results of 1 MB on the way none is held when the last one is there; the gradient comes all the same."""
    x, planted = draw.normal(250_000), student.plant(probes)
    held = planted.give(x)
    student.probe.give_back()
    before = student.memory_mb()
    graph = planted.deep(student.checkpoint, held, 40)
    student.probe.give_back()
    grown = student.memory_mb() - before
    said = f"{grown:.0f} MB are held after 40 results of 1 MB each."
    expect_bound(grown, said, below=15.0, mistake=oracle.KEPT, evidence="measured")
    gradient = planted.differentiated(graph, held)
    expected = x.double().requires_grad_()
    probes.Deep(40)(expected).sum().backward()
    expect_close(gradient, expected.grad.float(), atol=FLOAT32_LAYER, what="the gradient of x")
