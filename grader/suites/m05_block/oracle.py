"""The reference for m05_block: norm, GELU, MLP and block in float64, with a switch for every classic mistake."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.suites.shared.attention import CUT, gradients, multi_head, random_state, thousandth

__all__ = ["CUT", "gradients", "thousandth"]

Misses = dict[str, Callable[[], Tensor]]
State = dict[str, Tensor]

_ROOT = math.sqrt(2 / math.pi)
UNBIASED = "the variance is divided by d_model - 1; LayerNorm divides by d_model (torch.var: correction=0)"
OUTSIDE = "eps is added to the root; it belongs inside, to the variance"
STD = "std() + eps: it divides by d_model - 1, and eps belongs inside the root"
ERF = "this is GELU in its exact form (erf); GPT-2's is the approximation with tanh"
FIXED = "the argument eps is not used, or eps is left out altogether"
NO_EPS = "eps is left out: equal numbers have variance 0, and 0 / 0 is NaN"
NAIVE = "mean of squares less square of mean: far from zero that is rounding; square what is centred"
_DTYPES = {getattr(torch, name): name for name in ("float16", "bfloat16", "float32", "float64")}
COARSE = {d: f"the statistics are computed in {name}: turn x into float32 first" for d, name in _DTYPES.items()}
COARSE_AND_NAIVE = {
    dtype: f"mean of squares less square of mean, in {name}: turn x into float32, centre, then square"
    for dtype, name in _DTYPES.items()
}
IN_A_NORM = {words: f"in a norm: {words}" for words in (UNBIASED, OUTSIDE, STD)}
SUBLAYERS = ("the MLP", "attn", "mlp")
ASLEEP = {where: f"dropout is not active in training of {where}" for where in SUBLAYERS}
NOT_ON_OUTPUT = {where: f"dropout is not on the output of {where}" for where in SUBLAYERS}
TWICE = {where: f"dropout falls on the output twice of {where}" for where in SUBLAYERS}
IN_THE_MLP = f"in the MLP: {ERF}"
DROPS_BY_DEFAULT = "without a word about it there is no dropout: its default is 0.0"
AWAKE = "dropout is still active after eval(): it must depend on self.training"
NOT_CAUSAL = "something mixes the tokens outside of attention, or attention is not causal"
ELSEWHERE = "a tensor is made on the default device instead of on the device of the input"
DROPPED_STREAM = "dropout falls on the stream itself; only a sublayer's answer may be dropped"
NO_D_FF = "without a d_ff the inner width is not 4 * d_model"
D_FF_IGNORED = "d_ff is given and ignored"
OTHER_NAMES = "the state has other names than the stub says, on which a checkpoint's weights depend"
NOT_A_PARAMETER = "the gain and the bias are not learnable: make each an nn.Parameter"


def norm(
    x: Tensor,
    weight: Tensor | float,
    bias: Tensor | float,
    eps: float,
    *,
    axis: int | tuple[int, ...] = -1,
    correction: int = 0,
    outside: bool = False,
    centre: bool = True,
    power: float = 0.5,
    constant: str = "",
) -> Tensor:
    """Normalise in float64 and return the input's dtype."""
    wide = x.double()
    mean = wide.mean(axis, keepdim=True) if centre else torch.zeros(())
    variance = (wide - mean).square().mean(axis, keepdim=True)
    mean = mean.detach() if "mean" in constant else mean
    variance = variance.detach() if "variance" in constant else variance
    if correction:
        count = wide.numel() // variance.numel()
        variance = variance * count / (count - correction)
    scale = variance**power + eps if outside else (variance + eps) ** power
    return ((wide - mean) / scale * weight + bias).to(x.dtype)


CONSTANTS = {
    f"the {which} is taken for a constant: no gradient flows through it (detach, no_grad, .data)": which
    for which in ("variance", "mean", "mean and variance")
}
DEFAULT_EPS = {
    "eps is 1e-12 by default, or next to nothing; GPT-2 has 1e-5": 1e-12,
    "eps is 1e-8 by default; GPT-2 has 1e-5": 1e-8,
    "eps is 1e-6 by default; GPT-2 has 1e-5": 1e-6,
    "eps is 1e-3 by default; GPT-2 has 1e-5": 1e-3,
}


def default_misses(x: Tensor, weight: Tensor, bias: Tensor) -> Misses:
    """Compute what another default of eps gives; first of all, where eps is not handed over."""

    def wrong(eps: float) -> Any:
        return lambda: norm(x, weight, bias, eps)

    return {words: wrong(eps) for words, eps in DEFAULT_EPS.items()}


def norm_misses(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Misses:
    """Compute what the classic mistakes give for the same input, gain and bias."""

    def wrong(weight: Tensor | float = weight, bias: Tensor | float = bias, eps: float = eps, **options: Any) -> Any:
        return lambda: norm(x, weight, bias, eps, **options)

    misses: Misses = {
        UNBIASED: wrong(correction=1),
        OUTSIDE: wrong(outside=True),
        STD: wrong(correction=1, outside=True),
        FIXED: wrong(eps=1e-5),
        NO_EPS: wrong(eps=0.0),
        "the mean is not subtracted": wrong(centre=False),
        "the root is missing: divide by sqrt(variance + eps), not by the variance": wrong(power=1.0),
        "the gain (weight) is not applied": wrong(weight=1.0),
        "the bias is not added": wrong(bias=0.0),
        "neither the gain nor the bias is applied": wrong(weight=1.0, bias=0.0),
        "the gain is added and the bias multiplies": wrong(weight=bias, bias=weight),
    }
    if x.ndim > 1:
        misses |= {
            "the statistics run over the first axis (the batch) instead of the last": wrong(axis=0),
            "the statistics run over the positions (dim=-2) instead of the features (dim=-1)": wrong(axis=-2),
            "one mean and one variance serve all tokens: take them along the last axis alone": wrong(
                axis=tuple(range(x.ndim))
            ),
        }
    if x.ndim > 2:
        misses["a whole sequence is normalised at once; each token has its own mean and variance"] = wrong(
            axis=tuple(range(1, x.ndim))
        )
    return misses


def coarse_misses(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Misses:
    """Compute what statistics in the dtype at hand give."""

    def two_passes() -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * weight + bias

    def naive(wide: Tensor) -> Tensor:
        mean = wide.mean(-1, keepdim=True)
        variance = wide.square().mean(-1, keepdim=True) - mean.square()
        return ((wide - mean) / (variance + eps).sqrt() * weight + bias).to(x.dtype)

    if x.dtype == torch.float32:
        return {NAIVE: lambda: naive(x)}
    return {
        COARSE[x.dtype]: two_passes,
        NAIVE: lambda: naive(x.float()),
        COARSE_AND_NAIVE[x.dtype]: lambda: naive(x),
    }


def frozen_norms(eps: float) -> dict[str, Callable[[Tensor, State], Tensor]]:
    """Return norms that have no gradient through their statistics, by the mistake that each is."""

    def frozen(which: str) -> Callable[[Tensor, State], Tensor]:
        return lambda x, state: norm(x, state["weight"], state["bias"], eps, constant=which)

    return {words: frozen(which) for words, which in CONSTANTS.items()}


def gelu(x: Tensor) -> Tensor:
    """GPT-2's GELU, in float64 whatever comes in."""
    return _tanh_form(x.double())


def _tanh_form(x: Tensor, scale: float = _ROOT, power: int = 3, cubic: float = 0.044715) -> Tensor:
    x = x.double()
    return 0.5 * x * (1 + torch.tanh(scale * (x + cubic * x**power)))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    ERF: lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "this is ReLU; GELU lets a little of the negative numbers through": lambda x: x.clamp(min=0),
    "this is x * sigmoid(1.702 x), another approximation than GPT-2's": lambda x: x * torch.sigmoid(1.702 * x),
    "this is SiLU, x * sigmoid(x)": lambda x: x * torch.sigmoid(x),
    "the factor 0.5 is missing": lambda x: 2 * _tanh_form(x),
    "the factor x in front is missing": lambda x: 0.5 * (1 + torch.tanh(_ROOT * (x + 0.044715 * x**3))),
    "the 1 in 1 + tanh is missing": lambda x: _tanh_form(x) - 0.5 * x,
    "sqrt(2 / pi) is missing": lambda x: _tanh_form(x, scale=1.0),
    "2 / pi stands there without its root": lambda x: _tanh_form(x, scale=2 / math.pi),
    "sqrt(2 / pi) multiplies x alone; the cube belongs into its bracket": lambda x: (
        0.5 * x * (1 + torch.tanh(_ROOT * x + 0.044715 * x**3))
    ),
    "x is squared where it should be cubed": lambda x: _tanh_form(x, power=2),
    "the term with x cubed is missing": lambda x: _tanh_form(x, cubic=0.0),
    "the constant is 0.044715, not 0.44715": lambda x: _tanh_form(x, cubic=0.44715),
}


def gelu_misses(x: Tensor) -> Misses:
    """Compute what the classic mistakes give for the same numbers."""

    def overflowing() -> Tensor:
        power = torch.exp(2 * _ROOT * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + (power - 1) / (power + 1))

    misses = {words: lambda f=f: f(x.double()).to(x.dtype) for words, f in ACTIVATIONS.items()}
    return misses | {"tanh is written with exponentials, which overflow: torch.tanh does not": overflowing}


def mlp(
    x: Tensor,
    state: State,
    *,
    activation: Callable[[Tensor], Tensor] = gelu,
    without: tuple[str, ...] = (),
    last: Callable[[Tensor], Tensor] = lambda y: y,
) -> Tensor:
    """Run both layers in float64 and return the input's dtype."""
    state = {name: value.double() for name, value in state.items() if name not in without}
    hidden = activation(x.double() @ state["c_fc.weight"].T + state.get("c_fc.bias", 0.0))
    return last(hidden @ state["c_proj.weight"].T + state.get("c_proj.bias", 0.0)).to(x.dtype)


def mlp_misses(x: Tensor, state: State) -> Misses:
    """Compute what the classic mistakes give for the same input and weights."""

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: mlp(x, state, **options)

    misses = {words: wrong(activation=f) for words, f in ACTIVATIONS.items()}
    return misses | {
        "nothing stands between the layers: apply gelu to c_fc's output": wrong(activation=lambda h: h),
        "gelu is applied to the output instead of between the layers": wrong(activation=lambda h: h, last=gelu),
        "gelu is applied to the output as well": wrong(last=gelu),
        "the bias of c_fc is left out": wrong(without=("c_fc.bias",)),
        "the bias of c_proj is left out": wrong(without=("c_proj.bias",)),
        "both biases are left out": wrong(without=("c_fc.bias", "c_proj.bias")),
        "the MLP adds its input to its output; that is the block's task": lambda: x + mlp(x, state),
    }


def torch_mlp(x: Tensor, state: State) -> Tensor:
    """Run torch's own functions with the same weights."""
    hidden = F.gelu(F.linear(x, state["c_fc.weight"], state["c_fc.bias"]), approximate="tanh")
    return F.linear(hidden, state["c_proj.weight"], state["c_proj.bias"])


def norm_state(draw: Any, d_model: int) -> State:
    """Draw a gain and a bias."""
    return {"weight": 1 + draw.normal(d_model, scale=0.4), "bias": draw.normal(d_model, scale=0.5)}


def mlp_state(draw: Any, d_model: int, d_ff: int) -> State:
    """Draw weights for an MLP, in the layout of nn.Linear."""
    return {
        "c_fc.weight": draw.normal(d_ff, d_model, scale=0.4),
        "c_fc.bias": draw.normal(d_ff, scale=0.5),
        "c_proj.weight": draw.normal(d_model, d_ff, scale=0.4),
        "c_proj.bias": draw.normal(d_model, scale=0.5),
    }


def block_state(draw: Any, d_model: int, d_ff: int) -> State:
    """Draw weights for a Block."""
    parts = {
        "ln_1": norm_state(draw, d_model),
        "attn": random_state(draw, d_model),
        "ln_2": norm_state(draw, d_model),
        "mlp": mlp_state(draw, d_model, d_ff),
    }
    return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}


def silenced(state: State, *parts: str) -> State:
    """Return the weights with these sublayers' output projections at zero, so that they answer nothing."""
    quiet = tuple(f"{part}.c_proj." for part in parts)
    return {name: torch.zeros_like(value) if name.startswith(quiet) else value for name, value in state.items()}


def part_of(state: State, prefix: str) -> State:
    """Return the weights below a prefix."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def block(
    x: Tensor,
    state: State,
    n_heads: int,
    eps: float | tuple[float, float] = 1e-5,
    *,
    order: str = "pre",
    kept: tuple[bool, bool] = (True, True),
    norms: tuple[str, str] = ("ln_1.", "ln_2."),
    activation: Callable[[Tensor], Tensor] = gelu,
    **options: Any,
) -> Tensor:
    """Run a block in float64 and return the input's dtype; `order` and the other switches make the mistakes."""
    stream, state = x.double(), {name: value.double() for name, value in state.items()}
    first_eps, second_eps = eps if isinstance(eps, tuple) else (eps, eps)
    one, two = (part_of(state, name) for name in norms)

    def ln_1(v: Tensor) -> Tensor:
        return norm(v, one["weight"], one["bias"], first_eps, **options)

    def ln_2(v: Tensor) -> Tensor:
        return norm(v, two["weight"], two["bias"], second_eps, **options)

    def attend(v: Tensor) -> Tensor:
        return multi_head(v, part_of(state, "attn."), n_heads)

    def think(v: Tensor) -> Tensor:
        return mlp(v, part_of(state, "mlp."), activation=activation)

    if order == "post":
        middle = ln_1(stream + attend(stream))
        output = ln_2(middle + think(middle))
    elif order == "behind":
        middle = stream + ln_1(attend(stream))
        output = middle + ln_2(think(middle))
    elif order == "bare":
        middle = stream + attend(stream)
        output = middle + think(middle)
    elif order == "side by side":
        output = stream + attend(ln_1(stream)) + think(ln_2(stream))
    elif order == "mlp first":
        middle = stream + think(ln_2(stream))
        output = middle + attend(ln_1(middle))
    elif order == "from the normed":
        middle = ln_1(stream) + attend(ln_1(stream))
        output = ln_2(middle) + think(ln_2(middle))
    elif order == "around both":
        output = stream + think(ln_2(attend(ln_1(stream))))
    else:
        middle = kept[0] * stream + attend(ln_1(stream))
        output = kept[1] * middle + think(ln_2(middle))
    return output.to(x.dtype)


def block_misses(x: Tensor, state: State, n_heads: int, eps: float = 1e-5) -> Misses:
    """Compute what the classic mistakes give for the same input and weights."""

    def wrong(eps: float | tuple[float, float] = eps, **options: Any) -> Callable[[], Tensor]:
        return lambda: block(x, state, n_heads, eps, **options)

    return {
        "the norms stand behind the additions (post-norm); GPT-2 normalises what a sublayer reads": wrong(order="post"),
        "the norms are applied to the sublayers' answers instead of to what they read": wrong(order="behind"),
        "the sublayers read the stream as it is: normalise it for them first": wrong(order="bare"),
        "the answers are added to the normalised copy instead of to the stream": wrong(order="from the normed"),
        "attention's answer is not added to the stream: the first residual is missing": wrong(kept=(False, True)),
        "the MLP's answer is not added to the stream: the second residual is missing": wrong(kept=(True, False)),
        "nothing is added to the stream: both residuals are missing": wrong(kept=(False, False)),
        "one addition spans both sublayers; each has its own": wrong(order="around both"),
        "the MLP reads the stream from before attention; it comes second": wrong(order="side by side"),
        "the MLP comes before attention": wrong(order="mlp first"),
        "ln_1 serves both sublayers; the MLP has ln_2": wrong(norms=("ln_1.", "ln_1.")),
        "ln_2 serves both sublayers; attention has ln_1": wrong(norms=("ln_2.", "ln_2.")),
        "ln_1 and ln_2 are swapped": wrong(norms=("ln_2.", "ln_1.")),
        "eps is handed on to neither norm": wrong(eps=(1e-5, 1e-5)),
        "eps is not handed on to ln_1": wrong(eps=(1e-5, eps)),
        "eps is not handed on to ln_2": wrong(eps=(eps, 1e-5)),
        IN_A_NORM[UNBIASED]: wrong(correction=1),
        IN_A_NORM[OUTSIDE]: wrong(outside=True),
        IN_A_NORM[STD]: wrong(correction=1, outside=True),
        IN_THE_MLP: wrong(activation=ACTIVATIONS[ERF]),
    }


def torch_block(x: Tensor, state: State, n_heads: int, eps: float = 1e-5) -> Tensor:
    """Run torch's own pre-norm layer with the same weights; its mask is True where one may not look."""
    names = {"ln_1.": "norm1.", "ln_2.": "norm2.", "mlp.c_fc.": "linear1.", "mlp.c_proj.": "linear2."}
    names |= {"attn.c_attn.": "self_attn.in_proj_", "attn.c_proj.": "self_attn.out_proj."}
    layer = torch.nn.TransformerEncoderLayer(
        x.shape[-1],
        n_heads,
        len(state["mlp.c_fc.bias"]),
        dropout=0.0,
        activation=lambda h: F.gelu(h, approximate="tanh"),
        layer_norm_eps=eps,
        batch_first=True,
        norm_first=True,
    )
    layer.load_state_dict({new + k: v for old, new in names.items() for k, v in part_of(state, old).items()})
    with torch.no_grad():
        return layer.train()(x, src_mask=torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1))


def hugging_face(weights: Any, layer: int, x: Tensor) -> Tensor:
    """Run transformers' GPT-2 block with an explicit causal mask, which every implementation of it understands."""
    hidden = torch.full((x.shape[1], x.shape[1]), -math.inf).triu(1)

    @torch.no_grad()
    def transformed() -> Tensor:
        output = weights.model().transformer.h[layer](x, attention_mask=hidden[None, None])
        return output[0] if isinstance(output, tuple) else output

    return weights.answer("block", (layer, x), transformed)


def dropout_mistake(share: float, p: float, repeated: bool, where: str) -> str | None:
    """Say what a share of zeros far from p means; `repeated` is whether two calls in training were equal.

    `where` is one of SUBLAYERS.
    """
    if share == 0:
        return ASLEEP[where] if repeated else NOT_ON_OUTPUT[where]
    if abs(share - (2 * p - p * p)) < p / 5:
        return TWICE[where]
    if abs(share - (1 - p)) < p / 5:
        return "dropout is the probability of being dropped, not of being kept"
    return None
