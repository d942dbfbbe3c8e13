"""m11_lora: a layer with an adapter, and merging."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT64,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.digits import expect_float64

from . import oracle, probes
from .steps import ALPHA, AWAKE, RANK, expect_adapter
from .steps import layer as adapted

BETWEEN = "dropout falls between A and B, not on what A is given"
BEHIND = "dropout falls on what the adapter gives, not on what A is given"
START = "a new adapter changes the output: lora_B must be zero"


def numbers(draw, bias=True, dtype=torch.float32):
    """Draw weight, bias, A and B of a layer, so that results are about one in magnitude, as tolerances suppose."""
    return [
        draw.normal(9, 7, scale=0.4, dtype=dtype),
        draw.normal(9, dtype=dtype) if bias else None,
        draw.normal(RANK, 7, scale=0.4, dtype=dtype),
        draw.normal(9, RANK, scale=0.3, dtype=dtype),
    ]


def expect_output(layer, x, parts, alpha=ALPHA, atol=FLOAT32_LAYER, what="the result"):
    """Compare a layer's output with the reference and the near misses."""
    expected = oracle.lora(x, *parts, scale=alpha / len(parts[2]))
    expect_close(layer(x), expected, atol=atol, misses=oracle.lora_misses(x, *parts, alpha=alpha), what=what)


@pytest.mark.task("m11.1")
@pytest.mark.holds(
    "Example: with W = [[1, 2], [3, 4]], no bias, A = [[1, 1]], B = [[1], [-1]] and alpha 2, [1, 1] becomes "
    "[3, 7] + 2 * [2, -2] = [7, 3].",
)
def test_two_by_two_as_in_the_docstring(student):
    """The docstring's layer makes [7, 3] of [1, 1]."""
    parts = [torch.tensor(rows) for rows in ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], [[1.0], [-1.0]])]
    layer = adapted(student, [parts[0], None, *parts[1:]], 2.0)
    expect_output(layer, torch.ones(2), [parts[0], None, *parts[1:]], 2.0)


@pytest.mark.task("m11.1")
@pytest.mark.holds(
    "A linear layer with an adapter: base(x) + alpha / rank * B @ A @ x.",
    "`base` is the very layer that was handed in, bias and all.",
    "Add the adapter's part to base's; once merged, base is all there is.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_base_and_adapter_add_up(student, draw, bias):
    """The output is base's, with its bias if it has one, plus alpha / rank times B A x, for any leading axes."""
    parts = numbers(draw, bias)
    layer = adapted(student, parts, ALPHA)
    for shape in ((2, 5, 7), (4, 7), (7,)):
        expect_output(layer, draw.normal(*shape), parts)


@pytest.mark.task("m11.1")
@pytest.mark.holds(
    "`lora_A` (rank d_in) and `lora_B` (d_out rank) are nn.Parameters of base's dtype on base's device; they "
    "and base are the only state.",
)
@pytest.mark.warm("torch._dynamo")
def test_the_adapter_has_the_dtype_and_device_of_base(student, draw):
    """A float64 base gets a float64 adapter, and one on another device gets it there."""
    parts = numbers(draw, dtype=torch.float64)
    layer = student.LoRALinear(student.plant(probes).linear(*parts[:2]), RANK, ALPHA)
    expect_adapter(layer, RANK, 7, 9, torch.float64)
    student.plant(probes).fill(layer, {"lora_A": parts[2], "lora_B": parts[3]})
    expect_float64(layer, lambda x: oracle.lora(x, *parts, scale=ALPHA / RANK), draw.normal(4, 7))
    found = student.plant(probes).made_on_meta(student.LoRALinear, RANK)
    mistake = "the adapter is made on the default device instead of on base's"
    expect(found == dict.fromkeys(found, "meta"), f"For a base on meta the adapter lies on {found}.", mistake=mistake)


@pytest.mark.task("m11.1")
@pytest.mark.holds("In training mode, `dropout` falls on what A is given, and on nothing else.")
def test_a_new_layer_gives_what_base_gives(student, draw):
    """Before any training the output is exactly base's, in training mode with dropout too."""
    weight, bias, *_ = numbers(draw)
    x = draw.normal(4, 7)
    base = student.plant(probes).linear(weight, bias)
    expected = torch.nn.functional.linear(x, weight, bias)
    for dropout in (0.0, 0.6):
        layer = student.LoRALinear(base, RANK, ALPHA, dropout)
        actual = layer(x)
        expect_tensor(actual, shape=(4, 9), dtype=torch.float32)
        gap = float((actual - expected).abs().max())
        said = f"With dropout {dropout} the output of a new layer differs from base's by up to {gap:.3g}."
        mistake = "dropout falls on base's part too; only the adapter has it" if dropout else None
        if not dropout and bool(layer.lora_B.any()) and bool(layer.lora_A.any()):
            mistake = START
        expect(gap <= FLOAT32_LAYER, said, mistake=mistake, evidence="value")


@pytest.mark.task("m11.1")
@pytest.mark.holds("A is drawn at random with a spread of about 1 / sqrt(d_in), B is zero.")
def test_a_is_drawn_and_b_is_zero(student, draw):
    """A is random with a spread of about 1 / sqrt(d_in), another one in every layer; B is exactly zero."""
    base = student.plant(probes).linear(draw.normal(5, 400))
    layers = [student.LoRALinear(base, 8, ALPHA) for _ in range(2)]
    first, second = (layer.lora_A for layer in layers)
    turned = not bool(first.any()) and bool(layers[0].lora_B.any())
    wrong = {"A is zero and B is drawn, the wrong way round: it is B that begins at zero": turned}
    expect_equal(bool(layers[0].lora_B.any()), False, misses=wrong, what="whether lora_B has entries that are not 0")
    for value in (first, second):
        expect_tensor(value, shape=(8, 400), dtype=torch.float32, what="lora_A")
    expect(
        not torch.equal(first, second),
        "Two new layers have the same lora_A: nothing random is in it.",
        evidence="value",
    )
    spread = float(first.square().mean().sqrt()) * 400**0.5
    mistake = "lora_A is not scaled: the spread of A x then grows with the root of d_in" if spread > 2 else None
    said = f"With d_in = 400 lora_A has a spread of {spread / 20:.3g}; expected about {1 / 20:.3g}."
    expect_bound(spread, said, above=0.25, below=2, mistake=mistake)


def expect_gradients(student, layer, x, weights, parts, when):
    """Compare the gradients by x, A and B with the reference; A may be the student's own."""
    weight, bias, down, up = parts
    found = student.probe.gradients(layer, [x], weights)
    actual = [found["args"][0], *(found["parameters"].get(name) for name in ("lora_A", "lora_B"))]
    expected = oracle.gradients([x, weight, down, up], bias, ALPHA / RANK, weights)
    for name, value, wanted in zip(("x", "lora_A", "lora_B"), actual, expected, strict=True):
        misses = {"the gradient is cut: detach(), .data or no_grad stands on the way": torch.zeros_like(wanted)}
        atol = max(FLOAT32_LAYER, 1e-3 * float(wanted.abs().median()))
        what = f"the gradient by {name} in {when}"
        expect_close(value, wanted, atol=atol, rtol=1e-4, misses=misses, what=what, follows=True)
    return actual


@pytest.mark.task("m11.1")
def test_gradients_reach_both_matrices(student, draw):
    """Gradients by x, A and B are right; in a new layer B has one, so that training can begin."""
    parts, x, weights = numbers(draw), draw.normal(4, 7), draw.normal(4, 9)
    layer = adapted(student, parts, ALPHA)
    expect_gradients(student, layer, x, weights, parts, "a trained layer")
    layer = student.LoRALinear(student.plant(probes).linear(*parts[:2]), RANK, ALPHA)
    new = [*parts[:2], layer.lora_A, torch.zeros(9, RANK)]
    expect_tensor(new[2], shape=(RANK, 7), dtype=torch.float32, what="lora_A")
    *_, moving = expect_gradients(student, layer, x, weights, new, "a new layer")
    mistake = "A and B are both zero: neither ever gets a gradient"
    expect(bool(moving.any()), "In a new layer the gradient by lora_B is 0.", mistake=mistake, evidence="value")


@pytest.mark.task("m11.1")
@pytest.mark.holds("In training mode, `dropout` falls on what A is given, and on nothing else.")
def test_dropout_falls_on_what_a_is_given(student, draw):
    """In training mode entries of x are dropped before A, and the rest grow; in eval mode nothing is."""
    eye, x, p = torch.eye(50), draw.normal(80, 50), 0.3
    # A makes two copies of x, and B adds them and gives the sum twice: what is dropped before A is missing from all.
    parts = (torch.zeros(100, 50), None, torch.cat([eye, eye]), torch.cat([torch.cat([eye, eye], dim=1)] * 2))
    layer = adapted(student, parts, 100.0, p)
    actual = layer(x)
    expect_tensor(actual, shape=(80, 100), dtype=torch.float32)
    narrow, x = x, torch.cat([x, x], dim=1)
    kept, copies = (actual[:, :50] != 0).repeat(1, 2), (actual * (1 - p) / x).round().clamp(0, 2)
    misses = {
        "dropout is not applied in training mode": lambda: 2 * x,
        "the entries that are kept do not grow by 1 / (1 - dropout)": lambda: 2 * x * kept,
        (BETWEEN if bool((copies == 1).any()) else BEHIND): lambda: copies * x / (1 - p),
    }
    expect_close(actual, torch.where(kept, 2 * x / (1 - p), 0.0), atol=FLOAT32_LAYER, misses=misses, follows=True)
    share = float((~kept).double().mean())  # its standard deviation is 0.0072
    said = f"{share:.0%} of the entries were dropped; expected about {p:.0%}."
    mistake = "dropout is the probability of being dropped, not of being kept" if abs(share - 1 + p) < 0.07 else None
    expect_bound(share, said, above=p - 0.07, below=p + 0.07, mistake=mistake)
    layer.eval()
    asleep = layer(narrow)
    expect_tensor(asleep, shape=(80, 100), dtype=torch.float32, what="the result in eval mode")
    misses = {"dropout is still active after eval()": lambda: torch.where(asleep == 0, 0.0, 2 * x / (1 - p))}
    expect_close(asleep, 2 * x, atol=FLOAT32_LAYER, misses=misses, what="the result in eval mode")


@pytest.mark.task("m11.1")
@pytest.mark.holds(
    "`base` is the very layer that was handed in, bias and all.",
    "`lora_A` (rank d_in) and `lora_B` (d_out rank) are nn.Parameters of base's dtype on base's device; they "
    "and base are the only state.",
    "A new layer is in the mode (training or not) that base is in.",
    "Raises ValueError, naming the rank, when it is below 1.",
)
def test_base_the_adapter_and_nothing_else_is_state(student, draw):
    """The layer holds the very base it was given, takes over its mode, and has no other state than base, A and B."""
    weight, bias, *_ = numbers(draw)
    for given in (bias, None):
        base = student.plant(probes).linear(weight, given)
        found = student.plant(probes).anatomy(student.LoRALinear, base, RANK)
        mistake = "base is a copy of the layer, or another one like it: keep the very layer" if found["alike"] else None
        expect(found["same"] is True, "base is another module than the one handed in.", mistake=mistake)
        expect(found["training"] is False, "With a base in eval mode the layer is in training mode.", mistake=AWAKE)
        state = student.plant(probes).state(student.LoRALinear(base, RANK, ALPHA, 0.5))
        keys = ["base.bias", "base.weight", "lora_A", "lora_B"][given is None :]
        expect_equal(sorted(state), keys, what="the list of the layer's state")
        expect_close(state["base.weight"], weight, atol=FLOAT64, what="base.weight")
    for rank in (0, -2):
        mistake = "a rank below 1 is accepted"
        expect_raises("ValueError", student.LoRALinear, base, rank, ALPHA, mentions=(str(rank),), mistake=mistake)


def expect_weight(layer, parts, merged=True):
    """Compare base's weight with what it is when merged, or when not."""
    weight, _, down, up = parts
    expected = oracle.merged(weight, down, up, ALPHA / RANK) if merged else weight
    misses = oracle.merge_misses(weight, down, up, ALPHA)
    if not merged:  # whatever merging adds, here nothing of it may be left
        misses = {
            "the adapter's part is still in it": lambda: oracle.merged(weight, down, up, ALPHA / RANK),
            "the adapter's part is taken out though it was never in it: ask whether the layer is merged": lambda: (
                oracle.merged(weight, down, up, -ALPHA / RANK)
            ),
        }
    expect_close(layer.base.weight, expected, atol=FLOAT32_LAYER, misses=misses, what="base's weight")
    expect_equal(layer.merged, merged, what="merged")


@pytest.mark.task("m11.2")
@pytest.mark.holds(
    "Add alpha / rank * B @ A to base's weight, in place and without a graph; a merged layer stays as it is.",
)
def test_merging_adds_the_product_to_the_weight(student, draw):
    """Merging adds alpha / rank * B @ A to base's weight in place; A, B and base's bias stay what they are."""
    parts = numbers(draw)
    layer = adapted(student, parts, ALPHA)
    found = student.plant(probes).merging(layer)
    expect_weight(layer, parts)
    for name, value, wanted in zip(("A", "B"), (layer.lora_A, layer.lora_B), parts[2:], strict=True):
        expect_close(value, wanted, atol=FLOAT64, what=f"lora_{name} after merge")
    mistake = "base.weight is replaced by another parameter: add in place, since an optimizer holds the old one"
    expect(found["same"] is True, "After merge base.weight is another parameter.", mistake=mistake)
    mistake = "merging is part of a graph: it stands under no_grad"
    said = "merge makes base.weight hang on a graph, or changes whether it needs a gradient."
    expect(found["plain"], said, mistake=mistake)


@pytest.mark.task("m11.2")
@pytest.mark.holds("Add the adapter's part to base's; once merged, base is all there is.")
def test_a_merged_layer_gives_what_it_gave(student, draw):
    """Merged or not, the outputs are the same, and equal to base's alone once merged."""
    parts, x = numbers(draw), draw.normal(2, 5, 7)
    layer = adapted(student, parts, ALPHA, 0.5)
    layer.eval()
    layer.merge()
    expect_output(layer, x, parts, what="the result, merged,")
    expect_output(layer.base, x, parts, what="base's own result, merged,")
    layer.train()
    expect_output(layer, x, parts, what="the result, merged, in training mode with dropout,")
    layer.eval()
    layer.unmerge()
    left = {"the adapter's part is still in base after unmerge": lambda: oracle.lora(x, *parts, scale=2 * ALPHA / RANK)}
    expected = oracle.lora(x, *parts, scale=ALPHA / RANK)
    expect_close(layer(x), expected, atol=FLOAT32_LAYER, misses=left, what="the result, unmerged again,")


@pytest.mark.task("m11.2")
@pytest.mark.holds(
    "`merged` says whether base holds the adapter's part: only merge and unmerge change that, and neither "
    "train() nor eval() does.",
)
def test_modes_merge_nothing(student, draw):
    """Neither eval() nor train() changes base's weight or `merged`, whether the layer is merged or not."""
    parts = numbers(draw)
    layer = adapted(student, parts, ALPHA)
    for merged in (False, True):
        if merged:
            layer.merge()
        for mode in ("eval", "train", "eval"):
            getattr(layer, mode)()
            by_itself = {"train() or eval() merge by themselves: only merge() and unmerge() do": not merged}
            expect_equal(layer.merged, merged, misses=by_itself, what=f"merged after {mode}()")
            expect_weight(layer, parts, merged)


@pytest.mark.task("m11.2")
@pytest.mark.holds(
    "`merged` says whether base holds the adapter's part: only merge and unmerge change that, and neither "
    "train() nor eval() does.",
    "Add alpha / rank * B @ A to base's weight, in place and without a graph; a merged layer stays as it is.",
    "Take it out again, up to rounding; a layer that is not merged stays as it is.",
)
def test_merging_twice_is_merging_once(student, draw):
    """Calling merge on a merged layer and unmerge on another one change nothing, and unmerge undoes merge."""
    parts = numbers(draw)
    layer = adapted(student, parts, ALPHA)
    for call, merged in (("unmerge", False), ("merge", True), ("merge", True), ("unmerge", False), ("unmerge", False)):
        getattr(layer, call)()
        expect_weight(layer, parts, merged)


@pytest.mark.task("m11.2")
@pytest.mark.holds("Take it out again, up to rounding; a layer that is not merged stays as it is.")
def test_an_adapter_can_change_between_two_merges(student, draw):
    """After unmerge, new values of A and B count, and are what the next merge adds."""
    parts = numbers(draw)
    layer = adapted(student, parts, ALPHA)
    layer.merge()
    layer.unmerge()
    parts[2:] = numbers(draw)[2:]
    student.plant(probes).fill(layer, {"lora_A": parts[2], "lora_B": parts[3]})
    expect_output(layer, draw.normal(4, 7), parts)
    layer.merge()
    expect_weight(layer, parts)
