"""m13_quantization: store a model's weights in one byte each, or in half a byte.

A weight takes 4 bytes, and hardly needs them: a small integer and a scale that many weights share say nearly the same.
You choose scales in two ways, squeeze two weights into a byte, and put a whole GPT on a diet.

A channel is one index along `axis`. Scales and all arithmetic are float32, whatever comes in (QuantizedLinear's may be
in x's dtype); round is torch.round, which takes a half to its even neighbour. No argument changes, but m13.5's model.
Left out: choosing scales by data (GPTQ, AWQ), training through the rounding, fused kernels, numbers below 1e-35. Not
allowed, since you build them: torch.quantize_per_tensor, torch.fake_quantize_*, torch.ao and torch.nn.quantized.
"""

from jaxtyping import Float, Int8, UInt8
from torch import Tensor, nn


def quantize_absmax(x: Float[Tensor, "..."], axis: int | None = None) -> tuple[Tensor, Tensor]:
    """Return q (int8) and scale, so that q * scale is nearly x: scale = max|x| / 127, q = round(x / scale), -127..127.

    With an axis each channel has a scale of its own, and `scale` has x's axes, all of size 1 but this one; without, one
    scale of shape [] serves all. Where all of x is 0 the scale is 1. (Dettmers et al. 2022, LLM.int8(), section 2.1.)
    Example: [[127, -2.5], [0, 0]] gives [[127, -2], [0, 0]] with the scale 1, and with axis=0 the scales [[1], [1]].
    """
    # TODO(m13.1): the largest magnitude, the scale, then round.
    raise NotImplementedError("m13.1")


def quantize_zero_point(x: Float[Tensor, "..."], axis: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Return q (int8), scale and zero_point (int8), so that (q - zero_point) * scale is nearly x.

    low = min(min x, 0) and high = max(max x, 0): 0 is always in reach. scale = (high - low) / 255, or 1 where that is
    0; zero_point = round(-128 - low / scale); q = round(x / scale) + zero_point, cut off at -128 and 127. An exact 0
    so stays one. Both are shaped as quantize_absmax shapes a scale. (Jacob et al. 2018, sections 2.1 and 3.)
    Example: [-55, 0, 2.5, 200] gives [-128, -73, -71, 127], the scale 1 and the zero point -73.
    """
    # TODO(m13.2): low and high, the scale, the zero point, then round.
    raise NotImplementedError("m13.2")


def dequantize(q: Int8[Tensor, "..."], scale: Tensor, zero_point: Tensor | None = None) -> Float[Tensor, "..."]:
    """Return (q - zero_point) * scale in float32, or q * scale without a zero point; scales broadcast to q.

    Example: q [127, -128] with the scale 0.5 and the zero point -100 is [113.5, -14].
    """
    # TODO(m13.1): the way back. TODO(m13.2): with a zero point.
    raise NotImplementedError("m13.1")


def pack_int4(q: Int8[Tensor, "... n"]) -> UInt8[Tensor, "... n_bytes"]:
    """Put two integers from -8..7 into each byte: q[2i] into the low nibble (4 bits) and q[2i + 1] into the high one.

    A nibble is a two's complement: -1 is 15. n_bytes is n / 2, rounded up; an odd n leaves the last high nibble 0.
    Example: [1, -1, 7] is [0xF1, 0x07]. Raises ValueError, naming the value, when one is outside -8..7.
    """
    # TODO(m13.3): check, mask, join.
    raise NotImplementedError("m13.3")


def unpack_int4(packed: UInt8[Tensor, "... n_bytes"], length: int) -> Int8[Tensor, "... length"]:
    """Undo pack_int4. Raises ValueError, naming length and n_bytes, when so many integers take another n_bytes."""
    # TODO(m13.3): part, then give 8 to 15 their sign back.
    raise NotImplementedError("m13.3")


def quantize_int4(x: Float[Tensor, "... n"], group_size: int) -> tuple[Tensor, Tensor]:
    """Quantize each run of group_size values along the last axis by itself.

    Returns packed (uint8, "... n_bytes") and scales (float32, "... n_groups"): scale = max|x| / 7 in its group, 1 where
    all are 0, and q = round(x / scale), in -7..7, packed along the whole axis. (Dettmers and Zettlemoyer 2023.)
    Example: [7, -2.5, 3.5, 1] in groups of 2 gives [0xE7, 0x27] and the scales [1, 0.5].
    Raises ValueError, naming both numbers, when group_size does not divide n.
    """
    # TODO(m13.3): cut into groups, scale, round, pack.
    raise NotImplementedError("m13.3")


def dequantize_int4(packed: Tensor, scales: Tensor, group_size: int) -> Float[Tensor, "... n"]:
    """Return each of quantize_int4's integers times its group's scale, in float32: n is n_groups * group_size."""
    # TODO(m13.3): unpack, and scale group by group.
    raise NotImplementedError("m13.3")


def int8_linear(x: Float[Tensor, "... d_in"], weight: Int8[Tensor, "d_out d_in"], scale: Tensor) -> Tensor:
    """Multiply in integers: each vector of x by absmax with a scale of its own, sums in int32, both scales at the end.

    `scale` is (d_out, 1), the result float32 "... d_out". (LLM.int8(), section 3.1.)
    Example: x [[127, -2.5]], weight [[100, 3]] and scale [[0.5]] give (12700 - 6) * 1 * 0.5, so [[6347]].
    """
    # TODO(m13.4): quantize x, multiply integers, scale.
    raise NotImplementedError("m13.4")


class QuantizedLinear(nn.Module):
    """A linear layer that keeps its matrix in int8: x @ dequantize(weight, scale).T + bias, returned in x's dtype.

    It has no parameters. Its buffers, and all it keeps, are `weight` (int8, d_out d_in), `scale` (float32, d_out 1: one
    for each row) and `bias` (float32, d_out, or None). Gradients flow to x.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        # TODO(m13.4): three buffers.
        raise NotImplementedError("m13.4")

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> "QuantizedLinear":
        """Return a layer with linear's weight quantized by absmax, a scale for each of its outputs, and its bias."""
        # TODO(m13.4): quantize the matrix, keep the bias.
        raise NotImplementedError("m13.4")

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        """Turn the weight back into floats for the time of this product only."""
        # TODO(m13.4): dequantize, multiply, add.
        raise NotImplementedError("m13.4")


def quantize_model(model: nn.Module, skip: tuple[str, ...] = ()) -> list[str]:
    """Replace every nn.Linear inside the model, at any depth, by a QuantizedLinear, and return their names in order.

    Names and order are those of model.named_modules(). Left alone are each module named in `skip`, with all inside it,
    and each layer whose weight another module holds as well (GPT-2's lm_head, tied to wte): int8 would come on top.
    Raises ValueError, naming it and changing nothing, when `skip` has a name that no module bears.
    """
    # TODO(m13.5): find the layers, replace each in its parent.
    raise NotImplementedError("m13.5")


def stored_bytes(model: nn.Module) -> int:
    """Return how many bytes the model's parameters and buffers take; one that stands in two places counts once."""
    # TODO(m13.5): count each tensor once, in bytes.
    raise NotImplementedError("m13.5")
