"""m13_quantization: a linear layer, and a whole model."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    achieve,
    counted,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.judge.probes import model

from . import oracle, oracle_gpt, probes
from .steps import expect_near, expect_parts, expect_unchanged

LARGE = pytest.mark.checkpoint(copies=8)  # the file, the state, the model, and what a solution makes on the way


UNKNOWN = "a name in skip that no module bears is passed over: what is misspelt must not go unseen"


def quantized_layer(student, draw, d_in=24, d_out=7, bias=True):
    """Make a linear layer in the worker and quantize it; returns the float layer, the other, and the weights."""
    weight = oracle.grid(draw, (d_out, d_in), 0, -127, 100) / 64
    state = {"weight": weight, "bias": draw.normal(d_out)} if bias else {"weight": weight}
    linear = student.plant(probes).linear(**state)
    return linear, student.QuantizedLinear.from_linear(linear), state


@pytest.mark.task("m13.4")
@pytest.mark.holds(
    "Multiply in integers: each vector of x by absmax with a scale of its own, sums in int32, both scales at the end.",
    '`scale` is (d_out, 1), the result float32 "... d_out".',
    "Example: x [[127, -2.5]], weight [[100, 3]] and scale [[0.5]] give (12700 - 6) * 1 * 0.5, so [[6347]].",
)
def test_sums_of_products_are_integers_of_32_bits(student, draw):
    """128 products of up to 127 * 127 are summed without coming round, then scaled by both scales."""
    x, scale = oracle.grid(draw, (5, 128), 0, -20, 127), 2.0 ** draw.integers(-3, 2, 6, 1).float()
    weight = draw.integers(-40, 128, 6, 128).to(torch.int8)
    for given in (x, -x, x.reshape(5, 1, 128), x[3]):
        misses = oracle.product_misses(given, weight, scale)
        actual = student.int8_linear(given, weight, scale)
        expect_close(actual, oracle.product(given, (weight, scale)), atol=0.0, rtol=1e-5, misses=misses)
    x = oracle.coarse(draw, -100, 100, 6, 128)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        actual, what = student.int8_linear(x.to(dtype), weight, scale), f"the result for {dtype} input"
        expect_close(actual, oracle.product(x, (weight, scale)), atol=0.0, rtol=1e-5, what=what)


@pytest.mark.task("m13.4")
@pytest.mark.holds(
    "Multiply in integers: each vector of x by absmax with a scale of its own, sums in int32, both scales at the end.",
)
def test_each_vector_of_x_has_a_scale(student, draw):
    """Vectors that differ a billionfold are each as exact as alone, and a vector of zeros gives zeros."""
    x = oracle.grid(draw, (4, 30), 0, -127, 127) * torch.tensor([[1.0], [1024.0], [0.0], [2.0**-40]])
    weight, scale = draw.integers(-127, 128, 3, 30).to(torch.int8), draw.normal(3, 1).abs() + 0.1
    expected, misses = oracle.product(x, (weight, scale)), oracle.product_misses(x, weight, scale)
    actual = student.int8_linear(x, weight, scale)
    for row in range(4):
        own = oracle.parts(misses, row)
        if row == 2:  # nothing but zeros
            own = {oracle.ZERO: lambda: torch.full_like(expected[2], torch.nan)}
        if row == 3:  # a scale that serves all vectors is seen in the first one already
            own = {oracle.AT_LEAST[1e-5]: lambda: expected[3] * 0}
        expect_close(actual[row], expected[row], atol=0.0, rtol=1e-5, misses=own, what=f"the result for vector {row}")


@pytest.mark.task("m13.4")
@pytest.mark.holds("No argument changes, but m13.5's model.")
def test_multiplying_changes_no_argument(student, draw):
    """Vectors, weights and scales are the same after int8_linear as before, and so is what a layer is given."""
    x, weight = draw.normal(5, 24), draw.integers(-127, 128, 6, 24).to(torch.int8)
    expect_unchanged(student, student.int8_linear, x, weight, draw.normal(6, 1).abs() + 0.01)
    expect_unchanged(student, quantized_layer(student, draw)[1], x)


@pytest.mark.task("m13.4")
@pytest.mark.holds(
    "It has no parameters.",
    "Its buffers, and all it keeps, are `weight` (int8, d_out d_in), `scale` (float32, d_out 1: one for each "
    "row) and `bias` (float32, d_out, or None).",
    "Return a layer with linear's weight quantized by absmax, a scale for each of its outputs, and its bias.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_a_layer_keeps_one_byte_a_weight(student, draw, bias):
    """from_linear keeps int8 weights, a scale for each output and the bias, as buffers, and leaves the layer alone."""
    linear, layer, state = quantized_layer(student, draw, bias=bias)
    planted = student.plant(probes)
    found, (q, scale) = planted.state(layer), oracle.absmax(state["weight"], along=0)
    kept = {"bias", "scale", "weight"} if bias else {"scale", "weight"}
    extra = "the float weights are kept beside the integers" if len(found) > len(kept) else None
    if bias and "bias" not in found:
        extra = "the bias is lost"
    elif not found:
        extra = "weight and scale are no buffers: so they are neither saved nor moved with the model"
    expect(
        set(found) == kept,
        f"The layer's state has {', '.join(sorted(found))}; expected {', '.join(sorted(kept))}.",
        mistake=extra,
    )
    misses = oracle.absmax_misses(state["weight"], 0)
    expect_parts((found["weight"], found["scale"]), (q, scale), misses, " of the layer")
    if bias:
        expect_close(found["bias"], state["bias"], atol=0.0, what="the bias")
    own = sorted(student.probe.parameters(layer))
    expect(own == [], f"{', '.join(own)} can be trained.", mistake="what is kept must be a buffer, not a parameter")
    wanting = planted.wanting(layer)
    mistake = "the scale is computed from the parameter itself, and wants gradients as that does: use detach()"
    expect(wanting == [], f"{', '.join(wanting)} wants gradients.", mistake=mistake if wanting == ["scale"] else None)
    held, wanted = sum(planted.held(layer)), q.numel() + 4 * len(q) * (1 + bias)
    expect(
        held == wanted,
        f"The layer holds {counted(held, 'byte')} of tensors, expected {wanted}.",
        mistake="the float weights are kept" if held >= wanted + 4 * q.numel() else None,
    )
    for name, value in planted.state(linear).items():
        expect_close(value, state[name], atol=0.0, what=f"the {name} of the layer that was quantized")


@pytest.mark.task("m13.4")
@pytest.mark.holds(
    "A linear layer that keeps its matrix in int8: x @ dequantize(weight, scale).T + bias, returned in x's dtype.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_layer_computes_with_what_it_keeps(student, draw, dtype, bias):
    """The result is x times the dequantized weights plus the bias, in x's dtype, for any leading axes."""
    _, layer, state = quantized_layer(student, draw, bias=bias)
    x, (q, scale) = draw.normal(2, 5, 24, dtype=dtype), oracle.absmax(state["weight"], along=0)
    shift, exact = state["bias"].to(dtype) if bias else 0.0, (q * scale).to(dtype)
    misses = {
        oracle.NOT_QUANTIZED: lambda: x @ state["weight"].to(dtype).T + shift,
        "the bias is left out": lambda: x @ exact.T,
        "the scale is not applied": lambda: x @ q.to(dtype).T + shift,
        "the scale falls on the bias too": lambda: (x @ q.to(dtype).T + shift) * scale.to(dtype).T,
        "x is quantized too: that is int8_linear; here only the weight is": lambda: (
            oracle.product(x, (q, scale)).to(dtype) + shift
        ),
    }
    result = layer(x)
    if type(result) is torch.Tensor and result.dtype != dtype == torch.float64:
        expect(False, f"The result is {result.dtype}, and x is float64.", mistake="the result has not the dtype of x")
    # In float64 too: the layer may compute in float32, as everything here does, or in x's dtype.
    expect_close(result, x @ exact.T + shift, atol=FLOAT32_LAYER, rtol=1e-5, misses=misses)


@pytest.mark.task("m13.4")
@pytest.mark.holds("Gradients flow to x.")
def test_gradients_flow_through_a_layer(student, draw):
    """The gradient of x is the one that the dequantized weights give."""
    _, layer, state = quantized_layer(student, draw)
    q, scale = oracle.absmax(state["weight"], along=0)
    x, weights = draw.normal(3, 24), draw.normal(3, 7)
    gradient = student.probe.gradients(layer, [x], weights)["args"][0]
    expect(gradient is not None, "No gradient reaches x.", mistake="no_grad or detach() stands on the way")
    expect_close(gradient, weights @ (q * scale), atol=FLOAT32_LAYER, rtol=1e-4, what="the gradient of x")


def tree_names(keep=()):
    """Return the linear layers of a tree, in order, but for some."""
    names = ["first", *(f"h.{n}.0" for n in range(12)), "parts.deep.0.0", "lm_head"]
    return [name for name in names if not any(name == part or name.startswith(f"{part}.") for part in keep)]


def expect_quantized(before, after, names):
    """Compare each layer's scales and integers with its matrix; returns the state that the integers stand for."""
    state = dict(before)
    for name in names:
        weight = before[f"{name}.weight"]
        misses = oracle.parts(oracle.absmax_misses(weight, 0), 1)
        expect_close(
            after.get(f"{name}.scale"),
            oracle.absmax(weight, along=0)[1],
            atol=0.0,
            rtol=1e-6,
            misses=misses,
            what=f"the scale of {name}",
        )
        expect_tensor(
            after[f"{name}.weight"], shape=tuple(weight.shape), dtype=torch.int8, what=f"the weight of {name}"
        )
        values = after[f"{name}.weight"] * after[f"{name}.scale"]
        expect_near(weight, values, after[f"{name}.scale"], what=f"a weight of {name}")
        state[f"{name}.weight"] = values
    return state


def expect_replaced(student, draw, skip, tied, keep):
    """Quantize a tree and compare its names, what is left, and its numbers."""
    planted = student.plant(probes)
    tree = planted.tree(6, 11, tied=tied)
    before = planted.state(tree)
    names = tree_names(keep)
    misses = {
        "only layers at the top are replaced: go through named_modules()": [n for n in names if "." not in n],
        "the tied head is quantized: its weight is the embedding's too": [*names, "lm_head"],
        "lm_head is passed over by its name: here nothing is tied to it": [n for n in names if n != "lm_head"],
        "skip is not used": [name for name in tree_names() if not (tied and name == "lm_head")],
        "skip is compared as text: h.1 is no part of h.10": [
            name for name in names if not name.startswith(tuple(keep))
        ],
        "skip names whole modules too, and all inside them": [
            name for name in tree_names(("lm_head",) if tied else ()) if name not in skip
        ],
        "skip is read as single parts of a name": [
            n for n in names if not set(n.split(".")) & set(".".join(skip).split("."))
        ],
    }
    actual = student.quantize_model(tree, **({"skip": skip} if skip else {}))
    expect_equal(actual, names, misses=misses, what="the names of the replaced layers")
    left = planted.layers(tree)
    all_names = tree_names()
    wanted = [name for name in all_names if name not in names]
    said = f"nn.Linear are still {', '.join(left) or 'nowhere'}; expected {', '.join(wanted) or 'none'}."
    mistake = (
        "the layers are named and not replaced: put the new one in its parent's place" if left == all_names else None
    )
    expect(left == wanted, said, mistake=mistake)
    expect(planted.is_tied(tree) == tied, "The head has lost its tie to the embedding.")
    after, ids = planted.state(tree), draw.integers(0, 11, 3, 5)
    before = expect_quantized(before, after, names)
    reference = probes.tree(6, 11, tied=tied)
    reference.load_state_dict(before)
    with torch.no_grad():
        expect_close(tree(ids), reference(ids), atol=FLOAT32_LAYER, rtol=1e-5, what="the output of the model")


@pytest.mark.task("m13.5")
@pytest.mark.holds(
    "Replace every nn.Linear inside the model, at any depth, by a QuantizedLinear, and return their names in order.",
    "Names and order are those of model.named_modules().",
)
def test_layers_at_any_depth_are_replaced(student, draw):
    """Without skip, every linear layer at any depth is replaced in place, and the output follows."""
    expect_replaced(student, draw, (), False, ())


@pytest.mark.task("m13.5")
@pytest.mark.holds(
    "Left alone are each module named in `skip`, with all inside it, and each layer whose weight another "
    "module holds as well (GPT-2's lm_head, tied to wte): int8 would come on top.",
)
def test_a_tied_head_is_left_alone(student, draw):
    """A head whose weight is the embedding's stays a float layer, tied as before."""
    expect_replaced(student, draw, (), True, ("lm_head",))


@pytest.mark.task("m13.5")
@pytest.mark.holds(
    "Names and order are those of model.named_modules().",
    "Left alone are each module named in `skip`, with all inside it, and each layer whose weight another "
    "module holds as well (GPT-2's lm_head, tied to wte): int8 would come on top.",
)
@pytest.mark.parametrize(
    "skip",
    [("lm_head",), ("h.1", "first"), ("parts",), ("h",), ("h.10.0",)],
    ids=["head", "two", "dict", "list", "layer"],
)
def test_what_skip_names_is_left_alone(student, draw, skip):
    """A name in skip covers that module and all inside it, and no other whose name only begins alike."""
    expect_replaced(student, draw, skip, False, skip)


@pytest.mark.task("m13.5")
@pytest.mark.holds("Raises ValueError, naming it and changing nothing, when `skip` has a name that no module bears.")
def test_an_unknown_name_in_skip_is_refused(student):
    """A name that no module bears raises ValueError, before anything is replaced."""
    planted = student.plant(probes)
    tree = planted.tree(6, 11)
    skip = ("first", "lm_haed")
    expect_raises("ValueError", student.quantize_model, tree, skip=skip, mentions=skip[1:], mistake=UNKNOWN)
    expect(len(planted.layers(tree)) == len(tree_names()), "Layers are replaced though the call raised.")


@pytest.mark.task("m13.5")
@pytest.mark.holds(
    "Return how many bytes the model's parameters and buffers take; one that stands in two places counts once.",
)
def test_every_tensor_is_counted_once_in_bytes(student, draw):
    """Parameters and buffers of every dtype count by their bytes, and one that stands in two places counts once."""
    a, b, c, d = sizes = draw.permutation(30)[:4].add(3).tolist()
    one, half, small, unsaved = 4 * 3 * a, 2 * b, 5 * c, 8 * d
    misses = {
        "elements are counted, not bytes: multiply by element_size()": one // 4 + half // 2 + small + unsaved // 8,
        "buffers are left out": one + half,
        "every element counts as 4 bytes, whatever its dtype": one + 2 * half + 4 * small + unsaved // 2,
        "a tensor in two places counts twice": 2 * one + half + 2 * small + unsaved,
        "a tensor in two places counts twice; a buffer that is not saved does not count": 2 * one + half + 2 * small,
        "buffers that are not saved are left out": one + half + small,
        "only what can be trained is counted": one,
    }
    actual = student.stored_bytes(student.plant(probes).mixed(sizes))
    expect_equal(actual, one + half + small + unsaved, misses=misses, what="the number of bytes")


@pytest.mark.task("m13.5")
@LARGE
def test_a_gpt_computes_with_its_integers(student, draw, data, weights):
    """gpt2-nano's logits for held-out text are those of its weights quantized row by row, and of nothing else."""
    tokens, windows = oracle_gpt.stories(data, draw, windows=4)
    state, sizes = oracle_gpt.first_layers(weights, tokens)
    gpt = student.plant(model).build(sizes, state)
    names = student.quantize_model(gpt)
    expect_equal(names, oracle_gpt.layer_names(sizes["n_layers"]), what="the names of the replaced layers")

    def logits(state):
        with torch.no_grad():
            return model.build(sizes, state)(windows[:, :-1])

    expected = logits(expect_quantized(state, student.plant(probes).state(gpt), names))
    misses = {oracle.NOT_QUANTIZED: lambda: logits(state)}
    atol = 1e-3 * float(expected.abs().median())
    expect_close(gpt(windows[:, :-1]), expected, atol=atol, misses=misses, what="the logits")


@pytest.mark.task("m13.5")
@pytest.mark.holds("Turn the weight back into floats for the time of this product only.")
@LARGE
def test_a_gpt_in_int8_hardly_loses_anything(student, draw, data, weights):
    """Quantized, gpt2-nano takes the bytes expected, and its loss on held-out text rises by at most 0.01."""
    tokens, windows = oracle_gpt.stories(data, draw)
    state, sizes = oracle_gpt.first_layers(weights, tokens)
    gpt = student.plant(model).build(sizes, state)
    before = gpt(windows[:, :-1])
    floats = sum(4 * value.numel() for value in state.values())
    twice = {"the tied matrix counts twice": lambda: floats + 4 * state["wte.weight"].numel()}
    expect_equal(student.stored_bytes(gpt), floats, misses=twice, what="the bytes before")
    student.quantize_model(gpt, skip=("lm_head",))
    after = gpt(windows[:, :-1])
    for logits in (before, after):
        shape = (*windows[:, :-1].shape, len(tokens))
        expect_tensor(logits, shape=shape, dtype=torch.float32, what="the tensor of logits")
    expect_equal(student.stored_bytes(gpt), oracle_gpt.bytes_after(state), what="the bytes after")
    held = sum(student.plant(probes).held(gpt))
    expect(
        held <= oracle_gpt.bytes_after(state),
        f"What is held comes to {counted(held, 'byte')} of tensors.",
        mistake="the float weights are kept",
    )
    moved = float((after - before).abs().median() / before.abs().median())
    expect(moved > 1e-4, "The logits are those of the float model.", mistake=oracle.NOT_QUANTIZED, evidence="value")
    rise = oracle_gpt.loss(after, windows) - oracle_gpt.loss(before, windows)
    expect_bound(rise, f"The loss rises by {rise:.3f}, expected at most {oracle_gpt.MARGIN}.", below=oracle_gpt.MARGIN)
    large, small = (size / 2**20 for size in (floats, oracle_gpt.bytes_after(state)))
    achieve(
        f"{weights.name} on {len(tokens):,} tokens takes {small:.2f} MB in your int8 instead of {large:.2f}, "
        f"and its loss on held-out text changes by {rise:+.4f}."
    )
