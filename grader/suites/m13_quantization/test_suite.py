"""m13_quantization: integers and scales, two to a byte, a layer of them, and a GPT that hardly notices."""

import math

import pytest
import torch

from grader.judge import FLOAT32_LAYER, FLOAT64, expect, expect_close, expect_equal, expect_raises
from grader.judge.probes import model

from . import oracle, probes

LARGE = pytest.mark.limits(memory_mb=4096, seconds=120)  # GPT-2 small fits; gpt2-nano needs a second
PARTS = ("the integers", "the scale", "the zero point")
AXES = [(None, (4, 30)), (0, (3, 40)), (1, (40, 3)), (-1, (5, 9, 4)), (1, (6, 3, 7))]
DTYPES = (torch.float16, torch.bfloat16, torch.float64)


def expect_parts(actual, expected, misses=None, of=""):
    """Compare integers and zero points exactly, and scales to the last digits."""
    count = len(expected)
    found = f"{len(actual)} values" if isinstance(actual, tuple) else f"a {type(actual).__name__}"
    expect(
        isinstance(actual, tuple) and len(actual) == count, f"The call returned {found}, expected {count} in a tuple."
    )
    misses = oracle.likeliest_first(misses or {}, actual)
    for index in (0, *range(2, count), 1):
        what = PARTS[index] + of
        own = oracle.parts(misses, index)
        if index == 1:
            expect_close(actual[1], expected[1], atol=0.0, rtol=1e-6, misses=own, what=what)
        else:
            expect_equal(actual[index], expected[index], misses=own, what=what)


def expect_near(x, values, scale, what="a value"):
    """Fail unless the values are within half a step of x, and are not x itself."""
    gap = (values.double() - x.double()).abs() / scale.double()
    message = (
        f"{what[:1].upper()}{what[1:]} comes back {float(gap.max()):.3g} steps away; rounding moves it by at most 0.5."
    )
    expect(bool((gap <= 0.5 + 1e-3).all()), message, evidence="value")
    expect(bool((gap > 1e-3).any()), "Everything comes back exactly: nothing was rounded.", evidence="value")


# ── m13.1 absmax ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m13.1")
def test_absmax_as_in_the_docstring(student):
    """The docstring's two rows give [[127, -2], [0, 0]], with one scale or with two."""
    x = torch.tensor([[127, -2.5], [0, 0]])
    q = torch.tensor([[127, -2], [0, 0]], dtype=torch.int8)
    expect_parts(student.quantize_absmax(x), (q, torch.tensor(1.0)), oracle.absmax_misses(x))
    expect_parts(student.quantize_absmax(x, axis=0), (q, torch.ones(2, 1)), oracle.absmax_misses(x, 0))


@pytest.mark.task("m13.1")
def test_integers_and_scales_are_exact(student, draw):
    """Multiples of a quarter of a step give exactly the integers and scales that the formula does, along any axis."""
    for axis, shape in AXES:
        of, x = (
            f" for shape {list(shape)} and axis={axis}",
            oracle.grid(draw, shape, axis, -draw.random.randrange(60, 125), 127),
        )
        for given in (x, -x):
            misses = oracle.absmax_misses(given, axis)
            expect_parts(student.quantize_absmax(given, axis), oracle.absmax(given, along=axis), misses, of)


@pytest.mark.task("m13.1")
def test_a_channel_of_zeros_has_the_scale_one(student, draw):
    """A channel of zeros gives zeros and the scale 1, and so does a whole tensor of them."""
    x = oracle.grid(draw, (5, 7), 0, -100, 127)
    x[2] = 0
    for given, axis in ((x, 0), (torch.zeros(3, 4), None)):
        q, scale = student.quantize_absmax(given, axis)
        expect(
            bool(scale.isfinite().all() and (scale != 0).all()),
            f"A scale is {float(scale.min())}.",
            mistake=oracle.ZERO,
        )
        expect_parts((q, scale), oracle.absmax(given, along=axis))


@pytest.mark.task("m13.1")
def test_other_dtypes_are_quantized_in_float32(student, draw):
    """Input of another dtype gives the integers that float32 gives, and a float32 scale."""
    x = oracle.coarse(draw, -100, 100, 6, 9)
    for dtype in DTYPES:
        expect_parts(student.quantize_absmax(x.to(dtype)), oracle.absmax(x), of=f" of {dtype} input")


@pytest.mark.task("m13.1")
def test_the_way_back_is_a_product(student, draw):
    """A call of dequantize gives q times the scale of its channel, in float32."""
    q = draw.integers(-127, 128, 5, 3, 6).to(torch.int8)
    for shape in ((), (5, 1, 1), (1, 3, 1)):
        scale = torch.tensor(0.01) + draw.normal(1)[0].abs() * torch.ones(shape) * torch.arange(
            1, math.prod(shape) + 1
        ).reshape(shape)
        misses = oracle.dequantized_misses(q, scale)
        expect_close(student.dequantize(q, scale), q * scale, atol=0.0, rtol=1e-6, misses=misses, what="q * scale")


@pytest.mark.task("m13.1")
def test_rounding_moves_a_value_by_half_a_step_at_most(student, draw):
    """Values there and back are within scale / 2 of what they were, also in rows that differ a hundredfold."""
    x = draw.normal(4, 200) * torch.tensor([[1.0], [100.0], [0.01], [1.0]])
    after = student.probe.mutated(student.quantize_absmax, x, axis=0)
    q, scale = after["result"]
    expect_near(x, student.dequantize(q, scale), x.abs().amax(1, keepdim=True) / 127)
    expect_equal(after["args"][0].view(torch.int32), x.view(torch.int32), what="the argument afterwards, bit by bit")


# ── m13.2 zero point ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m13.2")
def test_zero_point_as_in_the_docstring(student):
    """The docstring's four values give [-128, -73, -71, 127], the scale 1 and the zero point -73."""
    x = torch.tensor([-55, 0, 2.5, 200])
    expected = torch.tensor([-128, -73, -71, 127]).to(torch.int8), torch.tensor(1.0), torch.tensor(-73).to(torch.int8)
    expect_parts(student.quantize_zero_point(x), expected, oracle.zero_point_misses(x))


@pytest.mark.task("m13.2")
def test_integers_scales_and_zero_points_are_exact(student, draw):
    """Multiples of a quarter of a step give exactly what the formulas do, along any axis."""
    for axis, shape in AXES:
        low = -2 * draw.random.randrange(15, 50) - 1  # odd: so halves rounded before and after the zero point differ
        x, of = oracle.grid(draw, shape, axis, low, low + 255), f" for shape {list(shape)} and axis={axis}"
        misses = oracle.zero_point_misses(x, axis)
        expect_parts(student.quantize_zero_point(x, axis), oracle.zero_point(x, along=axis), misses, of)


@pytest.mark.task("m13.2")
def test_zero_is_always_in_reach(student, draw):
    """Where all values are positive, or all negative, the range still begins or ends at 0."""
    x = oracle.grid(draw, (3, 50), 0, 51, 255)
    for given in (x, -x):
        expect_parts(
            student.quantize_zero_point(given, 0), oracle.zero_point(given, along=0), oracle.zero_point_misses(given, 0)
        )


@pytest.mark.task("m13.2")
def test_the_largest_value_does_not_come_round(student, draw):
    """Where both roundings go up, 128 is cut off at 127 before it is cast."""
    low = -2 * draw.random.randrange(15, 50) - 1.5
    x = oracle.grid(draw, (4, 40), 0, low, low + 255)
    expect_parts(student.quantize_zero_point(x, 0), oracle.zero_point(x, along=0), oracle.zero_point_misses(x, 0))


@pytest.mark.task("m13.2")
def test_an_exact_zero_stays_one(student, draw):
    """Zeros among any values come back as exactly 0, and a channel of nothing but zeros has the scale 1."""
    x = draw.normal(5, 40) + torch.tensor([[0.0], [3.0], [-3.0], [0.5], [0.0]])
    x[:, ::7], x[4] = 0.0, 0.0
    q, scale, start = student.quantize_zero_point(x, 0)
    expect(
        bool(scale.isfinite().all() and (scale != 0).all()), f"A scale is {float(scale.min())}.", mistake=oracle.ZERO
    )
    values = student.dequantize(q, scale, start)
    expect_equal(
        (values[x == 0] != 0).sum(), torch.tensor(0), what="the number of zeros that come back as something else"
    )
    expect_close(scale[4], torch.ones(1), atol=0.0, what="the scale of a channel of zeros")
    low, high = x.amin(1, keepdim=True).clamp(max=0), x.amax(1, keepdim=True).clamp(min=0)
    expect_near(x[:4], values[:4], (high - low)[:4] / 255)


@pytest.mark.task("m13.2")
def test_a_range_may_exceed_its_dtype(student, draw):
    """From -41,000 to 51,000 is further than float16 reaches, and the integers are still right."""
    x = oracle.coarse(draw, -80, 100, 6, 9)
    for dtype in DTYPES:
        expect_parts(student.quantize_zero_point(x.to(dtype)), oracle.zero_point(x), of=f" of {dtype} input")


@pytest.mark.task("m13.2")
def test_the_way_back_subtracts_the_zero_point(student, draw):
    """A call of dequantize gives (q - zero_point) * scale for all int8 there are, in float32."""
    q = draw.integers(-128, 128, 4, 60).to(torch.int8)
    start = torch.tensor([[-128], [127], [-5], [64]]).to(torch.int8)
    for zero_point, scale in ((start, draw.normal(4, 1).abs() + 0.01), (start[0, 0], torch.tensor(0.3))):
        expected = (q.float() - zero_point.float()) * scale
        misses = oracle.dequantized_misses(q, scale, zero_point)
        expect_close(student.dequantize(q, scale, zero_point), expected, atol=0.0, rtol=1e-6, misses=misses)


# ── m13.3 four bits ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m13.3")
def test_two_integers_share_a_byte(student, draw):
    """The first of two neighbours is in the low nibble and the second in the high one, for even and odd lengths."""
    for q in oracle.four_bits(draw):
        bytes_, misses = oracle.packed(q), oracle.packing_misses(q)
        expect_equal(student.pack_int4(q), bytes_, misses=misses, what=f"the bytes of {q.flatten()[:4].tolist()} …")


@pytest.mark.task("m13.3")
def test_unpacking_undoes_packing(student, draw):
    """Bytes give back the integers, negative ones too, and no integer more than there were."""
    for q in oracle.four_bits(draw):
        actual = student.unpack_int4(oracle.packed(q), q.shape[-1])
        expect_equal(actual, q, misses=oracle.unpacked_misses(q), what="the integers")
        expect_equal(student.unpack_int4(student.pack_int4(q), q.shape[-1]), q, what="what was packed and unpacked")


@pytest.mark.task("m13.3")
def test_what_does_not_fit_is_refused(student):
    """An integer outside -8..7, a wrong length and a group size that does not divide raise ValueError."""
    for value in (8, -9, 100):
        q = torch.tensor([3, value, 7], dtype=torch.int8)
        expect_raises("ValueError", student.pack_int4, q, mentions=(str(value),))
    for length in (12, 15):
        expect_raises(
            "ValueError", student.unpack_int4, torch.zeros(2, 7).to(torch.uint8), length, mentions=(str(length), "7")
        )
    expect_raises("ValueError", student.quantize_int4, torch.zeros(2, 33), 8, mentions=("33", "8"))


@pytest.mark.task("m13.3")
def test_each_group_has_a_scale(student, draw):
    """Runs of neighbours along the last axis are quantized by their own absmax into -7..7, and packed."""
    cases = [(torch.tensor([7, -2.5, 3.5, 1]), 2)]
    for shape, size in (((3, 40), 8), ((2, 3, 15), 5), ((2, 4, 28), 28)):
        x = oracle.grid(draw, (math.prod(shape) // size, size), 0, -7, draw.random.randrange(4, 7))
        x[1] = 0
        cases.append((x.reshape(shape), size))
    for x, size in cases:
        q, scales = oracle.int4(x, size)
        actual = student.quantize_int4(x, size)
        expect_parts(actual, (oracle.packed(q), scales), oracle.grouping_misses(x, size), f" (groups of {size})")


@pytest.mark.task("m13.3")
@pytest.mark.parametrize(("n", "size"), [(32, 8), (25, 5)], ids=["even", "odd"])
def test_four_bits_come_back_within_half_a_step(student, draw, n, size):
    """Unpacked and scaled group by group, values are within scale / 2 of what they were."""
    x = draw.normal(3, n) * torch.tensor([[1.0], [50.0], [0.1]])
    q, scales = draw.integers(-8, 8, 3, n).to(torch.int8), draw.normal(3, n // size).abs() + 0.01
    expected = (q.reshape(3, -1, size) * scales[..., None]).reshape(3, n)
    misses = {
        "the scales are repeated all together instead of each one group_size times": lambda: q * scales.repeat(1, size),
        oracle.UNSIGNED: lambda: (q.reshape(3, -1, size).remainder(16) * scales[..., None]).reshape(3, n),
    }
    actual = student.dequantize_int4(oracle.packed(q), scales, size)
    expect_close(actual, expected, atol=0.0, rtol=1e-6, misses=misses, what="what bytes and scales stand for")
    steps = (x.reshape(3, -1, size).abs().amax(-1) / 7).repeat_interleave(size, dim=1)
    expect_near(x, student.dequantize_int4(*student.quantize_int4(x, size), size), steps)


# ── m13.4 a linear layer ──────────────────────────────────────────────────────────────────────────────────────────────


def quantized_layer(student, draw, d_in=24, d_out=7, bias=True):
    """Make a linear layer in the worker and quantize it; returns the float layer, the other, and the weights."""
    weight = oracle.grid(draw, (d_out, d_in), 0, -127, 100) / 64
    state = {"weight": weight, "bias": draw.normal(d_out)} if bias else {"weight": weight}
    linear = student.plant(probes).linear(**state)
    return linear, student.QuantizedLinear.from_linear(linear), state


@pytest.mark.task("m13.4")
def test_sums_of_products_are_integers_of_32_bits(student, draw):
    """128 products of up to 127 * 127 are summed without coming round, then scaled by both scales."""
    x, scale = oracle.grid(draw, (5, 128), 0, -20, 127), 2.0 ** draw.integers(-3, 2, 6, 1).float()
    weight = draw.integers(-40, 128, 6, 128).to(torch.int8)
    for given in (x, x.reshape(5, 1, 128), x[3]):
        misses = oracle.product_misses(given, weight, scale)
        actual = student.int8_linear(given, weight, scale)
        expect_close(actual, oracle.product(given, (weight, scale)), atol=0.0, rtol=1e-5, misses=misses)


@pytest.mark.task("m13.4")
def test_each_vector_of_x_has_a_scale(student, draw):
    """Vectors that differ a thousandfold are each as exact as alone, and a vector of zeros gives zeros."""
    x = oracle.grid(draw, (4, 30), 0, -127, 127) * torch.tensor([[1.0], [1024.0], [0.0], [2.0**-10]])
    weight, scale = draw.integers(-127, 128, 3, 30).to(torch.int8), draw.normal(3, 1).abs() + 0.1
    expected, misses = oracle.product(x, (weight, scale)), oracle.product_misses(x, weight, scale)
    actual = student.int8_linear(x, weight, scale)
    for row in range(4):
        own = oracle.parts(misses, row)
        expect_close(actual[row], expected[row], atol=0.0, rtol=1e-5, misses=own, what=f"the result for vector {row}")


@pytest.mark.task("m13.4")
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_a_layer_keeps_one_byte_a_weight(student, draw, bias):
    """from_linear keeps int8 weights, a scale for each output and the bias, as buffers, and leaves the layer alone."""
    linear, layer, state = quantized_layer(student, draw, bias=bias)
    planted = student.plant(probes)
    found, (q, scale) = planted.state(layer), oracle.absmax(state["weight"], along=0)
    kept = {"bias", "scale", "weight"} if bias else {"scale", "weight"}
    extra = "the float weights are kept beside the integers" if len(found) > len(kept) else None
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
    expect(wanting == [], f"{', '.join(wanting)} wants gradients.", mistake=mistake)
    held, wanted = sum(planted.held(layer)), q.numel() + 4 * len(q) * (1 + bias)
    expect(
        held == wanted,
        f"The layer holds {held} bytes of tensors, expected {wanted}.",
        mistake="the float weights are kept",
    )
    for name, value in planted.state(linear).items():
        expect_close(value, state[name], atol=0.0, what=f"the {name} of the layer that was quantized")


@pytest.mark.task("m13.4")
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
    atol = FLOAT32_LAYER if dtype == torch.float32 else FLOAT64
    expect_close(layer(x), x @ exact.T + shift, atol=atol, rtol=1e-5, misses=misses)


@pytest.mark.task("m13.4")
def test_gradients_flow_through_a_layer(student, draw):
    """The gradient of x is the one that the dequantized weights give."""
    _, layer, state = quantized_layer(student, draw)
    q, scale = oracle.absmax(state["weight"], along=0)
    x, weights = draw.normal(3, 24), draw.normal(3, 7)
    gradient = student.probe.gradients(layer, [x], weights)["args"][0]
    expect(gradient is not None, "No gradient reaches x.", mistake="no_grad or detach() stands on the way")
    expect_close(gradient, weights @ (q * scale), atol=FLOAT32_LAYER, rtol=1e-4, what="the gradient of x")


# ── m13.5 a whole model ───────────────────────────────────────────────────────────────────────────────────────────────


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
    wanted = [name for name in tree_names() if name not in names]
    expect(
        left == wanted, f"nn.Linear are still {', '.join(left) or 'nowhere'}; expected {', '.join(wanted) or 'none'}."
    )
    expect(planted.is_tied(tree) == tied, "The head has lost its tie to the embedding.")
    after, ids = planted.state(tree), draw.integers(0, 11, 3, 5)
    before = expect_quantized(before, after, names)
    reference = probes.tree(6, 11, tied=tied)
    reference.load_state_dict(before)
    with torch.no_grad():
        expect_close(tree(ids), reference(ids), atol=FLOAT32_LAYER, rtol=1e-5, what="the output of the model")


@pytest.mark.task("m13.5")
def test_layers_at_any_depth_are_replaced(student, draw):
    """Without skip, every linear layer at any depth is replaced in place, and the output follows."""
    expect_replaced(student, draw, (), False, ())


@pytest.mark.task("m13.5")
def test_a_tied_head_is_left_alone(student, draw):
    """A head whose weight is the embedding's stays a float layer, tied as before."""
    expect_replaced(student, draw, (), True, ("lm_head",))


@pytest.mark.task("m13.5")
@pytest.mark.parametrize(
    "skip",
    [("lm_head",), ("h.1", "first"), ("parts",), ("h",), ("h.10.0",)],
    ids=["head", "two", "dict", "list", "layer"],
)
def test_what_skip_names_is_left_alone(student, draw, skip):
    """A name in skip covers that module and all inside it, and no other whose name only begins alike."""
    expect_replaced(student, draw, skip, False, skip)


@pytest.mark.task("m13.5")
def test_an_unknown_name_in_skip_is_refused(student):
    """A name that no module bears raises ValueError, before anything is replaced."""
    planted = student.plant(probes)
    tree = planted.tree(6, 11)
    expect_raises("ValueError", student.quantize_model, tree, skip=("first", "lm_haed"), mentions=("lm_haed",))
    expect(len(planted.layers(tree)) == len(tree_names()), "Layers are replaced though the call raised.")


@pytest.mark.task("m13.5")
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
    tokens, windows = oracle.stories(data, draw, windows=4)
    state, sizes = weights.linear_state(tokens), weights.sizes | {"vocab_size": len(tokens)}
    gpt = student.plant(model).build(sizes, state)
    names = student.quantize_model(gpt)
    expect_equal(names, oracle.layer_names(sizes["n_layers"]), what="the names of the replaced layers")

    def logits(state):
        with torch.no_grad():
            return model.build(sizes, state)(windows[:, :-1])

    expected = logits(expect_quantized(state, student.plant(probes).state(gpt), names))
    misses = {oracle.NOT_QUANTIZED: lambda: logits(state)}
    atol = 1e-3 * float(expected.abs().median())
    expect_close(gpt(windows[:, :-1]), expected, atol=atol, misses=misses, what="the logits")


@pytest.mark.task("m13.5")
@LARGE
def test_a_gpt_in_int8_hardly_loses_anything(student, draw, data, weights):
    """Quantized, gpt2-nano takes the bytes expected, and its loss on held-out text rises by at most 0.01."""
    tokens, windows = oracle.stories(data, draw)
    state, sizes = weights.linear_state(tokens), weights.sizes | {"vocab_size": len(tokens)}
    gpt = student.plant(model).build(sizes, state)
    before = gpt(windows[:, :-1])
    floats = sum(4 * value.numel() for value in state.values())
    twice = {"the tied matrix counts twice": lambda: floats + 4 * state["wte.weight"].numel()}
    expect_equal(student.stored_bytes(gpt), floats, misses=twice, what="the bytes before")
    student.quantize_model(gpt, skip=("lm_head",))
    after = gpt(windows[:, :-1])
    expect_equal(student.stored_bytes(gpt), oracle.bytes_after(state), what="the bytes after")
    held = sum(student.plant(probes).held(gpt))
    expect(
        held <= oracle.bytes_after(state), f"{held} bytes of tensors are held.", mistake="the float weights are kept"
    )
    moved = float((after - before).abs().median() / before.abs().median())
    expect(moved > 1e-4, "The logits are those of the float model.", mistake=oracle.NOT_QUANTIZED, evidence="value")
    rise = oracle.loss(after, windows) - oracle.loss(before, windows)
    expect(rise < oracle.MARGIN, f"The loss rises by {rise:.3f}, expected at most {oracle.MARGIN}.", evidence="value")
