"""The reference for m15_llama's parts: norm, gate, rotary positions and grouped queries, with a switch a mistake."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.suites.shared.attention import CUT, attention, gradients, thousandth

__all__ = ["CUT", "gradients", "thousandth"]

Misses = dict[str, Callable[[], Any]]

PLUS_ONE = "1 + weight multiplies: that is Gemma's norm; without plus_one it is the weight alone"
NOT_PLUS_ONE = "the weight alone multiplies: with plus_one it is 1 + weight"
STARTS_AT_1 = "with plus_one the weight starts at 0, so that 1 + weight is 1"
CENTRED = "the mean is subtracted: that is LayerNorm, and RMSNorm leaves it"
BIASED = "a linear layer has a bias: pass bias=False"
BIASED_NORM = "a norm has a bias: that is LayerNorm's, and RMSNorm has a weight alone"
ZERO_BY_ZERO = "eps is left out: a vector of zeros is 0 / 0"
COARSE = "the squares are taken in half precision, where they overflow or lose their digits: turn it into float32 first"
ELSEWHERE = "a tensor is made on the default device instead of on the device of the input"
NARROWED = "float64 is narrowed to float32, which loses digits and ends at 3e38: widen half precision only"
COARSE_ANGLES = "the angles are computed in half precision, which cannot tell position 3000 from 3001"
RAGGED = "heads that cannot be shared evenly are accepted"
ODD = "an odd d_head is accepted: one number is left without a partner"
ALL_BY_FACTOR = "all frequencies are divided by the factor: those that turn often enough stay"
UNSCALED = "scaling is not used"
TOP_LEFT = "the mask begins at the first position: fewer queries than keys belong to the last positions"
WINDOW_IGNORED = "the window is not used: every query sees all that comes before it"
WINDOW_LONGER = "the window is one too wide: the query's own position counts as one of it"
WINDOW_SHORTER = "the window is one too narrow: with the query's own position it is `window` wide"
GELU_ERF = "this is GELU in its exact form (erf); Gemma's is the approximation with tanh"
SILU = "the gate is SiLU whatever `activation` says"


# ── norm and gate ─────────────────────────────────────────────────────────────────────────────────────────────────────


def rms_norm(
    x: Tensor,
    weight: Tensor | float,
    eps: float,
    *,
    plus_one: bool = False,
    outside: bool = False,
    centre: str = "",
    total: bool = False,
    power: float = -0.5,
    axis: int | tuple[int, ...] = -1,
    cut: bool = False,
) -> Tensor:
    """Normalise in float64 and return the input's dtype."""
    wide = x.double()
    mean = wide.mean(axis, keepdim=True)
    squares = (wide - mean if centre else wide).square()
    size = squares.sum(axis, keepdim=True) if total else squares.mean(axis, keepdim=True)
    scale = 1 / (size.sqrt() + eps) if outside else (size + eps) ** power
    scale = scale.detach() if cut else scale
    gain = weight + 1.0 if plus_one else weight
    return ((wide - mean if centre == "both" else wide) * scale * gain).to(x.dtype)


def norm_misses(x: Tensor, weight: Tensor, eps: float, *, plus_one: bool = False) -> Misses:
    """Compute what the classic mistakes give for the same vectors."""

    def wrong(gain: Tensor | float = weight, eps: float = eps, plus: bool = plus_one, **options: Any) -> Any:
        return lambda: rms_norm(x, gain, eps, plus_one=plus, **options)

    misses: Misses = {
        NOT_PLUS_ONE if plus_one else PLUS_ONE: wrong(plus=not plus_one),
        "eps stands outside the root: it is added to the mean of squares": wrong(outside=True),
        CENTRED: wrong(centre="both"),
        "the vector is divided by its standard deviation: take the mean of the squares as they are": wrong(
            centre="size"
        ),
        "the squares are added up: take their mean": wrong(total=True),
        "the root is missing: divide by sqrt(mean of squares + eps)": wrong(power=-1.0),
        "eps is left out": wrong(eps=0.0),
        "the argument eps is not used: it is always 1e-5": wrong(eps=1e-5),
        "the argument eps is not used: it is always 1e-6": wrong(eps=1e-6),
        "the weight is not applied": wrong(gain=1.0, plus=False),
    }
    if x.ndim > 1:
        misses |= {
            "the mean runs over the first axis instead of the last": wrong(axis=0),
            **({} if x.ndim == 2 else {"the mean runs over the positions instead of each vector": wrong(axis=-2)}),
            "one mean serves all vectors: take it along the last axis alone": wrong(axis=tuple(range(x.ndim))),
        }
    return misses


def coarse_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalise in x's own half precision."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight.to(x.dtype)


def activate(x: Tensor, kind: str) -> Tensor:
    """Apply an activation in x's dtype."""
    return {
        "silu": F.silu,
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
        "erf": F.gelu,
        "sigmoid": torch.sigmoid,
        "relu": F.relu,
        "none": lambda x: x,
    }[kind](x)


def gated(x: Tensor, state: dict[str, Tensor], kind: str = "silu", how: str = "gate") -> Tensor:
    """Run a gated MLP in float64 with the weights of `state`; `how` makes the mistakes."""
    gate, up, down = (state[f"{name}_proj.weight"].double() for name in ("gate", "up", "down"))
    first, second = x.double() @ gate.T, x.double() @ up.T
    if how == "swapped":
        first, second = second, first
    opened = {
        "gate": lambda: activate(first, kind) * second,
        "swapped": lambda: activate(first, kind) * second,
        "product": lambda: activate(first * second, kind),
        "both": lambda: activate(first, kind) * activate(second, kind),
        "sum": lambda: activate(first, kind) + second,
        "no up": lambda: activate(first, kind),
    }[how]()
    return (opened @ down.T).to(x.dtype)


def gated_misses(x: Tensor, state: dict[str, Tensor], kind: str = "silu") -> Misses:
    """Compute what the classic mistakes give for the same input and weights."""

    def wrong(kind: str = kind, how: str = "gate") -> Any:
        return lambda: gated(x, state, kind, how)

    misses = {
        "gate and up are swapped: the activation belongs to gate_proj": wrong(how="swapped"),
        "the product is activated: the activation belongs to the gate alone, before the product": wrong(how="product"),
        "both projections are activated: up_proj's stays as it is": wrong(how="both"),
        "gate and up are added: they are multiplied": wrong(how="sum"),
        "up_proj takes no part": wrong(how="no up"),
        "nothing is activated": wrong("none"),
        "the gate is a sigmoid alone: SiLU is x * sigmoid(x)": wrong("sigmoid"),
        "the gate is a ReLU": wrong("relu"),
        "the gate is GELU: without a word it is SiLU": wrong("gelu"),
        GELU_ERF: wrong("erf"),
        SILU: wrong("silu"),
    }
    return {words: value for words, value in misses.items() if (words != SILU) == (kind == "silu") or kind == "gelu"}


def gated_state(draw: Any, d_model: int, d_ff: int, scale: float = 0.6) -> dict[str, Tensor]:
    """Draw weights for a gated MLP."""
    shapes = {"gate_proj": (d_ff, d_model), "up_proj": (d_ff, d_model), "down_proj": (d_model, d_ff)}
    return {f"{name}.weight": draw.normal(*shape, scale=scale) for name, shape in shapes.items()}


# ── rotary positions ──────────────────────────────────────────────────────────────────────────────────────────────────


def frequencies(
    d_head: int,
    theta: float = 10000.0,
    scaling: dict[str, Any] | None = None,
    *,
    exponent: float = -2.0,
    first: int = 0,
    wrong: str = "",
) -> Tensor:
    """Return the frequencies in float32, computed in float64; the switches make the mistakes."""
    pairs = torch.arange(first, d_head // 2 + first, dtype=torch.float64)
    found = theta ** (exponent * pairs / d_head)
    if scaling is not None and wrong != "unscaled":
        low, high, factor = (scaling[name] for name in ("low_freq_factor", "high_freq_factor", "factor"))
        turns = scaling["original_max_position_embeddings"] * found / (1.0 if wrong == "radians" else 2 * math.pi)
        share = ((turns - low) / (high - low)).clamp(0, 1)
        if wrong == "inverted":
            share = torch.where((share > 0) & (share < 1), 1 - share, share)
        if wrong == "wavelengths":
            share = ((1 / low - 1 / turns) / (1 / low - 1 / high)).clamp(0, 1)
        if wrong == "no middle, high":
            share = (share > 0).double()
        if wrong == "no middle, low":
            share = (share >= 1).double()
        if wrong == "slow ones stay":
            share = 1 - share
        if wrong == "all":
            share = torch.zeros_like(share)
        stretched = found * factor if wrong == "multiplied" else found / factor
        found = share * found + (1 - share) * stretched
    return found.float()


def frequency_misses(d_head: int, theta: float) -> Misses:
    """Compute what the classic mistakes give."""

    def wrong(theta: float = theta, **options: Any) -> Any:
        return lambda: frequencies(d_head, theta, **options)

    return {
        "the exponent runs over half of d_head: it is -2i / d_head": wrong(exponent=-4.0),
        "the 2 of the exponent is missing: it is -2i / d_head": wrong(exponent=-1.0),
        "the exponent has no minus: later pairs turn more slowly": wrong(exponent=2.0),
        "theta is not used: it is always 10,000": wrong(10000.0),
        "the first pair is number 1: it is number 0": wrong(first=1),
        "each frequency stands twice: a pair has one": lambda: frequencies(d_head, theta).repeat(2),
        "each frequency stands twice in a row: a pair has one": lambda: frequencies(d_head, theta).repeat_interleave(2),
    }


def scaling_misses(d_head: int, theta: float, scaling: dict[str, Any]) -> Misses:
    """Compute what mistakes with Llama 3.1's stretching give."""

    def wrong(name: str) -> Any:
        return lambda: frequencies(d_head, theta, scaling, wrong=name)

    return {
        UNSCALED: wrong("unscaled"),
        ALL_BY_FACTOR: wrong("all"),
        "the share in the middle is inverted: near high_freq_factor a frequency nearly stays": wrong("inverted"),
        "what lies between is left as it is: there the two are mixed": wrong("no middle, high"),
        "what lies between is divided by the factor: there the two are mixed": wrong("no middle, low"),
        "fast and slow are confused, or the two factors: what turns often stays": wrong("slow ones stay"),
        "slow frequencies are multiplied by the factor: they are divided": wrong("multiplied"),
        "turns and radians are confused: a turn is 2 * pi": wrong("radians"),
        "between, s goes evenly with the wavelength: it goes evenly with the turns": wrong("wavelengths"),
    }


def rope(
    x: Tensor,
    positions: Tensor,
    frequencies: Tensor,
    *,
    pairs: str = "halves",
    sign: float = 1.0,
    half: float = 1.0,
    how: str = "turn",
) -> Tensor:
    """Turn pairs in float64 and return x's dtype; the switches make the mistakes."""
    angles = positions.double()[:, None] * frequencies.double() * half
    cos, sin = angles.cos(), sign * angles.sin()
    wide = x.double()
    if pairs == "halves":
        a, b = wide.chunk(2, dim=-1)
    else:
        a, b = wide[..., 0::2], wide[..., 1::2]
    turned = {
        "turn": (a * cos - b * sin, a * sin + b * cos),
        "both minus": (a * cos - b * sin, b * cos - a * sin),
        "both plus": (a * cos + b * sin, b * cos + a * sin),
        "same partner": (a * cos - b * sin, b * cos + b * sin),
        "sin and cos swapped": (a * sin - b * cos, a * cos + b * sin),
        "halves swapped": (a * sin + b * cos, a * cos - b * sin),
        "others' angles": _by_each(a, b, angles.repeat_interleave(2, -1)),
    }[how]
    joined = torch.cat(turned, dim=-1) if pairs != "neighbours" else torch.stack(turned, dim=-1).flatten(-2)
    return joined.to(x.dtype)


def _by_each(a: Tensor, b: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Turn a and b where every number of a head, not every pair, has an angle."""
    (cos_a, cos_b), (sin_a, sin_b) = angles.cos().chunk(2, -1), angles.sin().chunk(2, -1)
    return a * cos_a - b * sin_a, b * cos_b + a * sin_b


def rope_misses(x: Tensor, positions: Tensor, freq: Tensor) -> Misses:
    """Compute what the classic mistakes give for the same input."""

    def wrong(positions: Tensor = positions, **options: Any) -> Any:
        return lambda: rope(x, positions, freq, **options)

    count = torch.arange(len(positions))
    return {
        "neighbours (2i, 2i + 1) are turned: a pair is (i, i + d_head / 2)": wrong(pairs="neighbours"),
        "neighbours are turned, and put back as halves": wrong(pairs="apart"),
        "it turns the other way round: (a cos - b sin, a sin + b cos)": wrong(sign=-1.0),
        "nothing is turned": lambda: x.clone(),
        "the positions are not used: they are taken for 0, 1, 2 and so on": wrong(count),
        "the positions are one too large: the first one given is used as it is": wrong(positions + 1),
        "both halves lose: the second is a sin + b cos": wrong(how="both minus"),
        "both halves gain: the first is a cos - b sin": wrong(how="both plus"),
        "the second half is turned with itself: its partner is the first": wrong(how="same partner"),
        "sine and cosine are swapped": wrong(how="sin and cos swapped"),
        "the two halves change places": wrong(how="halves swapped"),
        "the angles stand as for neighbours (0, 0, 1, 1): numbers i and i + d_head / 2 have one angle": wrong(
            how="others' angles"
        ),
        "it turns by half the angle": wrong(half=0.5),
        "it turns by twice the angle": wrong(half=2.0),
    }


def coarse_rope(x: Tensor, positions: Tensor, freq: Tensor) -> Tensor:
    """Turn pairs by angles of x's own half precision."""
    angles = (positions.to(x.dtype)[:, None] * freq.to(x.dtype)).float()
    a, b = x.float().chunk(2, dim=-1)
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1).to(x.dtype)


# ── grouped queries ───────────────────────────────────────────────────────────────────────────────────────────────────


def grouped(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    window: int | None = None,
    *,
    share: str = "neighbours",
    start: str = "last",
    hide: str = "causal",
    seen: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Attend in float64 and return the query's dtype; the switches make the mistakes."""
    new, seq, times = query.shape[2], key.shape[2], query.shape[1] // key.shape[1]
    if share == "neighbours":
        key, value = (part.repeat_interleave(times, 1) for part in (key, value))
    elif share == "tiled":
        key, value = (part.repeat(1, times, 1, 1) for part in (key, value))
    elif share == "keys tiled":
        key, value = key.repeat(1, times, 1, 1), value.repeat_interleave(times, 1)
    else:
        key, value = (part[:, :1].expand(-1, query.shape[1], -1, -1) for part in (key, value))
    at = torch.arange(new)[:, None] + (seq - new if start == "last" else 0)
    back = at - torch.arange(seq)
    if seen is None:
        seen = {
            "causal": back >= 0,
            "nothing": torch.ones_like(back, dtype=torch.bool),
            "itself": back > 0,
            "the past": back <= 0,
        }[hide]
    if window is not None:
        seen = seen & (back < window)
    return attention(query, key, value, seen, **options)


def grouped_misses(query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Misses:
    """Compute what the classic mistakes give for the same input."""

    def wrong(window: int | None = window, **options: Any) -> Any:
        return lambda: grouped(query, key, value, window, **options)

    d_head, n_heads = query.shape[-1], query.shape[1]
    misses: Misses = {
        "heads are tiled (0, 1, 0, 1): heads side by side share one head of keys and values": wrong(share="tiled"),
        "the keys' heads are tiled, and the values' are not": wrong(share="keys tiled"),
        "all heads read the first head of keys and values": wrong(share="first"),
        "nothing is hidden: a query sees what comes after it": wrong(hide="nothing"),
        "a query does not see its own position": wrong(hide="itself", empty=math.nan),
        "a query does not see its own position, and the first gets zeros": wrong(hide="itself"),
        "the mask is the wrong way round: the past is hidden": wrong(hide="the past"),
        "the scores are not divided by sqrt(d_head)": wrong(scale=1.0),
        "the scores are divided by d_head instead of its square root": wrong(scale=1 / d_head),
        "the scores are divided by sqrt(d_model): it is the root of one head's width": wrong(
            scale=(n_heads * d_head) ** -0.5
        ),
        "the softmax runs over the queries instead of the keys": wrong(axis=-2),
    }
    if query.shape[2] < key.shape[2]:
        misses[TOP_LEFT] = wrong(start="first")
    if window is not None:
        misses |= {
            WINDOW_IGNORED: wrong(None),
            WINDOW_LONGER: wrong(window + 1),
            WINDOW_SHORTER: wrong(window - 1),
        }
    return misses


def heads(sizes: dict[str, Any]) -> tuple[int, int, int]:
    """Return n_heads, n_kv_heads and d_head of some sizes."""
    n_kv_heads = sizes.get("n_kv_heads") or sizes["n_heads"]
    return sizes["n_heads"], n_kv_heads, sizes.get("d_head") or sizes["d_model"] // sizes["n_heads"]


def cache_bytes(sizes: dict[str, Any], tokens: int, each: int) -> int:
    """Count the bytes of keys and values."""
    _, n_kv_heads, d_head = heads(sizes)
    return 2 * sizes["n_layers"] * n_kv_heads * d_head * tokens * each


def cache_misses(sizes: dict[str, Any], tokens: int, each: int) -> dict[str, int]:
    """Compute what the classic mistakes count."""
    n_heads, n_kv_heads, d_head = heads(sizes)
    right, narrow = cache_bytes(sizes, tokens, each), sizes["d_model"] // n_heads
    found = {
        "keys and values are two: only one of them is counted": right // 2,
        "only one layer is counted": right // sizes["n_layers"],
        "queries' heads are counted: only keys and values are kept, and n_kv_heads of them": right
        // n_kv_heads
        * n_heads,
        "d_head is taken for d_model / n_heads: config.d_head says otherwise": right // d_head * narrow,
        "numbers are counted, not bytes": right // each,
        "a number is taken for 2 bytes, whatever bytes_per_number says": right // each * 2,
        "a number is taken for 4 bytes, whatever bytes_per_number says": right // each * 4,
        "only one token is counted": right // tokens,
    }
    return {words: value for words, value in found.items() if value != right}
