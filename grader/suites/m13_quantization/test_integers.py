"""m13_quantization: absmax, a zero point, four bits."""

import math

import pytest
import torch

from grader.judge import expect, expect_close, expect_equal, expect_raises, expect_tensor

from . import oracle, oracle_packing
from .steps import IN_PLACE, expect_near, expect_parts, expect_unchanged

AXES = [(None, (4, 30)), (0, (3, 40)), (1, (40, 3)), (-1, (5, 9, 4)), (1, (6, 3, 7))]


TINY = 2.0**-60  # a power of two: every quotient stays what it is

DTYPES = (torch.float16, torch.bfloat16, torch.float64)


@pytest.mark.task("m13.1")
@pytest.mark.holds(
    "Example: [[127, -2.5], [0, 0]] gives [[127, -2], [0, 0]] with the scale 1, and with axis=0 the scales [[1], [1]].",
)
def test_absmax_as_in_the_docstring(student):
    """The docstring's two rows give [[127, -2], [0, 0]], with one scale or with two."""
    x = torch.tensor([[127, -2.5], [0, 0]])
    q = torch.tensor([[127, -2], [0, 0]], dtype=torch.int8)
    down = q - (x == -2.5).to(torch.int8), torch.tensor(1.0)
    misses = {"a half, -2.5, becomes -3; torch.round takes it to its even neighbour, -2": lambda: down}
    expect_parts(student.quantize_absmax(x), (q, torch.tensor(1.0)), misses | oracle.absmax_misses(x))
    expect_parts(student.quantize_absmax(x, axis=0), (q, torch.ones(2, 1)), oracle.absmax_misses(x, 0))


@pytest.mark.task("m13.1")
@pytest.mark.holds(
    "A channel is one index along `axis`.",
    "Scales and all arithmetic are float32, whatever comes in (QuantizedLinear's may be in x's dtype); "
    "round is torch.round, which takes a half to its even neighbour.",
    "Return q (int8) and scale, so that q * scale is nearly x: scale = max|x| / 127, q = round(x / scale), -127..127.",
    "With an axis each channel has a scale of its own, and `scale` has x's axes, all of size 1 but this one; "
    "without, one scale of shape [] serves all.",
)
def test_integers_and_scales_are_exact(student, draw):
    """Multiples of a quarter of a step, tiny ones too, give exactly the formula's integers and scales, on any axis."""
    for axis, shape in AXES:
        of, x = (
            f" for shape {list(shape)} and axis={axis}",
            oracle.grid(draw, shape, axis, -draw.random.randrange(60, 125), 127),
        )
        for given in (x, -x, x * TINY):
            misses = oracle.absmax_misses(given, axis)
            expect_parts(student.quantize_absmax(given, axis), oracle.absmax(given, along=axis), misses, of)


@pytest.mark.task("m13.1")
@pytest.mark.holds("Where all of x is 0 the scale is 1.")
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
@pytest.mark.holds(
    "Scales and all arithmetic are float32, whatever comes in (QuantizedLinear's may be in x's dtype); "
    "round is torch.round, which takes a half to its even neighbour.",
)
def test_other_dtypes_are_quantized_in_float32(student, draw):
    """Input of another dtype gives the integers that float32 gives, and a float32 scale."""
    x = oracle.coarse(draw, -100, 100, 6, 9)
    for dtype in DTYPES:
        expect_parts(student.quantize_absmax(x.to(dtype)), oracle.absmax(x), of=f" of {dtype} input")


@pytest.mark.task("m13.1")
@pytest.mark.holds(
    "Return (q - zero_point) * scale in float32, or q * scale without a zero point; scales broadcast to q.",
)
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
@pytest.mark.holds(
    "No argument changes, but m13.5's model.",
    "Return q (int8) and scale, so that q * scale is nearly x: scale = max|x| / 127, q = round(x / scale), -127..127.",
)
def test_rounding_moves_a_value_by_half_a_step_at_most(student, draw):
    """Values there and back are within scale / 2 of what they were, also in rows that differ a hundredfold."""
    x = draw.normal(4, 200) * torch.tensor([[1.0], [100.0], [0.01], [1.0]])
    after = student.probe.mutated(student.quantize_absmax, x, axis=0)
    q, scale = after["result"]
    expect_near(x, student.dequantize(q, scale), x.abs().amax(1, keepdim=True) / 127)
    bits = after["args"][0].view(torch.int32)
    expect_equal(bits, x.view(torch.int32), misses={IN_PLACE: bits}, what="the argument afterwards, bit by bit,")


@pytest.mark.task("m13.2")
@pytest.mark.holds("Example: [-55, 0, 2.5, 200] gives [-128, -73, -71, 127], the scale 1 and the zero point -73.")
def test_zero_point_as_in_the_docstring(student):
    """The docstring's four values give [-128, -73, -71, 127], the scale 1 and the zero point -73."""
    x = torch.tensor([-55, 0, 2.5, 200])
    expected = torch.tensor([-128, -73, -71, 127]).to(torch.int8), torch.tensor(1.0), torch.tensor(-73).to(torch.int8)
    expect_parts(student.quantize_zero_point(x), expected, oracle.zero_point_misses(x))


@pytest.mark.task("m13.2")
@pytest.mark.holds(
    "scale = (high - low) / 255, or 1 where that is 0; zero_point = round(-128 - low / scale); q = round(x / "
    "scale) + zero_point, cut off at -128 and 127.",
    "Both are shaped as quantize_absmax shapes a scale.",
)
def test_integers_scales_and_zero_points_are_exact(student, draw):
    """Multiples of a quarter of a step give exactly what the formulas do, along any axis."""
    for axis, shape in AXES:
        low = -2 * draw.random.randrange(15, 50) - 1  # odd: so halves rounded before and after the zero point differ
        x, of = oracle.grid(draw, shape, axis, low, low + 255), f" for shape {list(shape)} and axis={axis}"
        for given in (x, x * TINY):
            misses = oracle.zero_point_misses(given, axis)
            expect_parts(student.quantize_zero_point(given, axis), oracle.zero_point(given, along=axis), misses, of)


@pytest.mark.task("m13.2")
@pytest.mark.holds("low = min(min x, 0) and high = max(max x, 0): 0 is always in reach.")
def test_zero_is_always_in_reach(student, draw):
    """Where all values are positive, or all negative, the range still begins or ends at 0."""
    x = oracle.grid(draw, (3, 50), 0, 51, 255)
    for given in (x, -x):
        expect_parts(
            student.quantize_zero_point(given, 0), oracle.zero_point(given, along=0), oracle.zero_point_misses(given, 0)
        )


@pytest.mark.task("m13.2")
@pytest.mark.holds(
    "scale = (high - low) / 255, or 1 where that is 0; zero_point = round(-128 - low / scale); q = round(x / "
    "scale) + zero_point, cut off at -128 and 127.",
)
def test_the_largest_value_does_not_come_round(student, draw):
    """Where both roundings go up, 128 is cut off at 127 before it is cast."""
    low = -2 * draw.random.randrange(15, 50) - 1.5
    x = oracle.grid(draw, (4, 40), 0, low, low + 255)
    expect_parts(student.quantize_zero_point(x, 0), oracle.zero_point(x, along=0), oracle.zero_point_misses(x, 0))


@pytest.mark.task("m13.2")
@pytest.mark.holds(
    "scale = (high - low) / 255, or 1 where that is 0; zero_point = round(-128 - low / scale); q = round(x / "
    "scale) + zero_point, cut off at -128 and 127.",
)
def test_the_smallest_value_does_not_come_round(student):
    """A lowest value a hair further down than a half, which the zero point is rounded away from, is cut off at -128."""
    for half in (0.5, 2.5, 4.5, 6.5):
        low = -half * (1 + 2.0**-22)
        q = student.quantize_zero_point(torch.tensor([low, 0.0, 255 - half]))[0]
        expect_tensor(q, shape=(3,), dtype=torch.int8, what="the tensor of integers")
        said = f"Of {low:.7f}, 0 and {255 - half} the integers are {q.tolist()}; the lowest is -128."
        expect(int(q[0]) == -128, said, mistake=oracle.WRAPPED if int(q[0]) > 100 else None, evidence="value")


@pytest.mark.task("m13.2")
@pytest.mark.holds(
    "Return q (int8), scale and zero_point (int8), so that (q - zero_point) * scale is nearly x.",
    "scale = (high - low) / 255, or 1 where that is 0; zero_point = round(-128 - low / scale); q = round(x / "
    "scale) + zero_point, cut off at -128 and 127.",
    "An exact 0 so stays one.",
)
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
@pytest.mark.holds(
    "Scales and all arithmetic are float32, whatever comes in (QuantizedLinear's may be in x's dtype); "
    "round is torch.round, which takes a half to its even neighbour.",
)
def test_a_range_may_exceed_its_dtype(student, draw):
    """From -41,000 to 51,000 is further than float16 reaches, and the integers are still right."""
    x = oracle.coarse(draw, -80, 100, 6, 9)
    for dtype in DTYPES:
        expect_parts(student.quantize_zero_point(x.to(dtype)), oracle.zero_point(x), of=f" of {dtype} input")


@pytest.mark.task("m13.2")
@pytest.mark.holds(
    "Return (q - zero_point) * scale in float32, or q * scale without a zero point; scales broadcast to q.",
    "Example: q [127, -128] with the scale 0.5 and the zero point -100 is [113.5, -14].",
)
def test_the_way_back_subtracts_the_zero_point(student, draw):
    """A call of dequantize gives (q - zero_point) * scale for all int8 there are, in float32."""
    q = draw.integers(-128, 128, 4, 60).to(torch.int8)
    start = torch.tensor([[-128], [127], [-5], [64]]).to(torch.int8)
    for zero_point, scale in ((start, draw.normal(4, 1).abs() + 0.01), (start[0, 0], torch.tensor(0.3))):
        expected = (q.float() - zero_point.float()) * scale
        misses = oracle.dequantized_misses(q, scale, zero_point)
        expect_close(student.dequantize(q, scale, zero_point), expected, atol=0.0, rtol=1e-6, misses=misses)


@pytest.mark.task("m13.2")
@pytest.mark.holds("No argument changes, but m13.5's model.")
def test_quantizing_with_a_zero_point_changes_no_argument(student, draw):
    """Values, integers, scales and zero points are the same after quantize_zero_point and dequantize as before."""
    x, start = draw.normal(4, 9), draw.integers(-9, 9, 4, 1).to(torch.int8)
    expect_unchanged(student, student.quantize_zero_point, x, 0)
    q, scale = draw.integers(-128, 128, 4, 9).to(torch.int8), draw.normal(4, 1).abs() + 0.01
    expect_unchanged(student, student.dequantize, q, scale, start)


@pytest.mark.task("m13.3")
@pytest.mark.holds(
    "Put two integers from -8..7 into each byte: q[2i] into the low nibble (4 bits) and q[2i + 1] into the high one.",
    "A nibble is a two's complement: -1 is 15.",
    "n_bytes is n / 2, rounded up; an odd n leaves the last high nibble 0.",
    "Example: [1, -1, 7] is [0xF1, 0x07].",
)
def test_two_integers_share_a_byte(student, draw):
    """The first of two neighbours is in the low nibble and the second in the high one, for even and odd lengths."""
    for q in oracle.four_bits(draw):
        bytes_, misses = oracle_packing.packed(q), oracle_packing.packing_misses(q)
        expect_equal(student.pack_int4(q), bytes_, misses=misses, what=f"the bytes of {q.flatten()[:4].tolist()} …")


@pytest.mark.task("m13.3")
@pytest.mark.holds("A nibble is a two's complement: -1 is 15.", "Undo pack_int4.")
def test_unpacking_undoes_packing(student, draw):
    """Bytes give back the integers, negative ones too, and no integer more than there were."""
    for q in oracle.four_bits(draw):
        actual = student.unpack_int4(oracle_packing.packed(q), q.shape[-1])
        expect_equal(actual, q, misses=oracle_packing.unpacked_misses(q), what="the integers")
        expect_equal(student.unpack_int4(student.pack_int4(q), q.shape[-1]), q, what="what was packed and unpacked")


@pytest.mark.task("m13.3")
@pytest.mark.holds("No argument changes, but m13.5's model.")
def test_packing_changes_no_argument(student, draw):
    """Integers, bytes, values and scales are the same after packing, unpacking and both ways of int4 as before."""
    q, x = draw.integers(-8, 8, 3, 8).to(torch.int8), draw.normal(3, 8)
    expect_unchanged(student, student.pack_int4, q)
    expect_unchanged(student, student.unpack_int4, oracle_packing.packed(q), 8)
    expect_unchanged(student, student.quantize_int4, x, 4)
    expect_unchanged(student, student.dequantize_int4, oracle_packing.packed(q), draw.normal(3, 2).abs() + 0.01, 4)


@pytest.mark.task("m13.3")
@pytest.mark.holds(
    "Raises ValueError, naming the value, when one is outside -8..7.",
    "Raises ValueError, naming length and n_bytes, when so many integers take another n_bytes.",
    "Raises ValueError, naming both numbers, when group_size does not divide n.",
)
def test_what_does_not_fit_is_refused(student):
    """An integer outside -8..7, a wrong length and a group size that does not divide raise ValueError."""
    for value in (8, -9, 100):
        q = torch.tensor([3, value, 7], dtype=torch.int8)
        mistake = "an integer that four bits don't hold is packed all the same"
        expect_raises("ValueError", student.pack_int4, q, mentions=(str(value),), mistake=mistake)
    for length in (12, 15):
        expect_raises(
            "ValueError", student.unpack_int4, torch.zeros(2, 7).to(torch.uint8), length, mentions=(str(length), "7")
        )
    expect_raises("ValueError", student.quantize_int4, torch.zeros(2, 33), 8, mentions=("33", "8"))


@pytest.mark.task("m13.3")
@pytest.mark.holds(
    "Quantize each run of group_size values along the last axis by itself.",
    'Returns packed (uint8, "... n_bytes") and scales (float32, "... n_groups"): scale = max|x| / 7 in its '
    "group, 1 where all are 0, and q = round(x / scale), in -7..7, packed along the whole axis.",
    "Example: [7, -2.5, 3.5, 1] in groups of 2 gives [0xE7, 0x27] and the scales [1, 0.5].",
)
def test_each_group_has_a_scale(student, draw):
    """Runs of neighbours along the last axis are quantized by their own absmax into -7..7, and packed."""
    cases = [(torch.tensor([7, -2.5, 3.5, 1]), 2)]
    for shape, size in (((3, 40), 8), ((2, 3, 15), 5), ((2, 4, 28), 28)):
        x = oracle.grid(draw, (math.prod(shape) // size, size), 0, -7, draw.random.randrange(4, 7))
        x[1] = 0
        cases += [(x.reshape(shape), size), (x.reshape(shape) * TINY, size)]
    for x, size in cases:
        q, scales = oracle_packing.int4(x, size)
        actual = student.quantize_int4(x, size)
        misses = oracle_packing.grouping_misses(x, size)
        expect_parts(actual, (oracle_packing.packed(q), scales), misses, f" (groups of {size})")
    x = draw.integers(-7, 8, 3, 24).float() * 512  # exact in every dtype, and so are the scales
    x[:, ::8] = 7 * 512
    q, scales = oracle_packing.int4(x, 8)
    for dtype in DTYPES:
        expect_parts(student.quantize_int4(x.to(dtype), 8), (oracle_packing.packed(q), scales), of=f" of {dtype} input")


@pytest.mark.task("m13.3")
@pytest.mark.holds(
    "Quantize each run of group_size values along the last axis by itself.",
    "Return each of quantize_int4's integers times its group's scale, in float32: n is n_groups * group_size.",
)
@pytest.mark.parametrize(("n", "size"), [(32, 8), (25, 5)], ids=["even", "odd"])
def test_four_bits_come_back_within_half_a_step(student, draw, n, size):
    """Unpacked and scaled group by group, values are within scale / 2 of what they were."""
    x = draw.normal(3, n) * torch.tensor([[1.0], [50.0], [0.1]])
    q, scales = draw.integers(-8, 8, 3, n).to(torch.int8), draw.normal(3, n // size).abs() + 0.01
    expected = (q.reshape(3, -1, size) * scales[..., None]).reshape(3, n)
    misses = {
        "the scales are repeated all together instead of each one group_size times": lambda: q * scales.repeat(1, size),
        oracle_packing.UNSIGNED: lambda: (q.reshape(3, -1, size).remainder(16) * scales[..., None]).reshape(3, n),
    }
    actual = student.dequantize_int4(oracle_packing.packed(q), scales, size)
    expect_close(actual, expected, atol=0.0, rtol=1e-6, misses=misses, what="what bytes and scales stand for")
    steps = (x.reshape(3, -1, size).abs().amax(-1) / 7).repeat_interleave(size, dim=1)
    expect_near(x, student.dequantize_int4(*student.quantize_int4(x, size), size), steps)
