"""The reference for m04_attention: attention in float64, with a switch for every classic mistake."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from grader.suites.shared.attention import attention, multi_head, split_heads

Misses = dict[str, Callable[[], Tensor]]

EMPTY_ROW = (
    "a row of the mask with nothing to see makes the softmax divide 0 by 0: never leave a row all minus infinity"
)

TOO_LOW = "the number that stands for minus infinity does not fit this dtype: ask torch.finfo for its lowest"

ELSEWHERE = "a tensor is made on the default device instead of on the device of the input"

MASK_BY_SEQUENCE = (
    "a mask of three axes is read as one for each sequence: it broadcasts, and its first axis is the heads'"
)

TOO_HIGH = "hidden scores are set to a number that visible ones can lie below: ask torch.finfo for the lowest one"

LEAK = "a token attends to later ones: the causal mask is missing, the wrong way round, or off by one"

AWAKE = "dropout is still active after eval(): it must depend on self.training"

SCALED = {name: f"the {name} is scaled in place (/= or mul_)" for name in ("query", "key", "value")}

FIXED_LENGTH = "only so many tokens fit: something, such as the mask, was made once for some length"

D_VALUE = "the width of a value is taken to be that of a query: d_value and d_head are two numbers"

BY_VALUE = "the scores depend on how wide a value is: divide them by the root of d_head, the width of query and key"

TWO_AXES = "only a mask of two axes fits: one may have axes for the batch and the heads, and broadcast"

OTHER_NAMES = "the state has other names than the stub says, on which a checkpoint's weights depend"

ON_SCORES = "dropout falls on the scores instead of on the weights: after the softmax a row still sums to 1"

NARROW = "c_attn is not 3 * d_model wide: every head has a query, a key and a value of its own"

CUT = {part: f"the gradient stops before the {part}" for part in ("query", "key", "value", "weights")}

BLIND = "a token does not attend to itself and to everything before it"


FIXED_SCALES = {n: f"the scores are divided by {n:g}, whatever d_head is: take its root" for n in (2, 4, 5.65685, 8)}


def overflowing(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend in the dtype at hand with a softmax that takes exponentials of the scores as they are."""
    powers = torch.exp(query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5)
    return (powers / powers.sum(-1, keepdim=True)) @ value


def attention_misses(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Misses:
    """Compute what the classic mistakes give for the same arguments."""
    d_head = query.shape[-1]

    def wrong(mask: Tensor | None = mask, **options: Any) -> Callable[[], Tensor]:
        return lambda: attention(query, key, value, mask, **options)

    misses = {
        "the scores are not divided by sqrt(d_head)": wrong(scale=1.0),
        "the scores are divided by d_head instead of its square root": wrong(scale=1 / d_head),
        "the scores are multiplied by sqrt(d_head) instead of divided": wrong(scale=d_head**0.5),
        **{
            words: wrong(scale=1 / number)
            for number, words in FIXED_SCALES.items()
            if number not in (d_head**0.5, d_head, 1)
        },
        "the softmax runs over the queries (dim=-2) instead of the keys (dim=-1)": wrong(axis=-2),
        "the exponential overflows: subtract the largest score of the row first, or call torch.softmax": lambda: (
            overflowing(query, key, value)
        ),
    }
    if query.ndim == 4:
        d_model = query.shape[1] * d_head
        misses["the scores are divided by sqrt(d_model) instead of sqrt(d_head)"] = wrong(scale=d_model**-0.5)
        if mask is not None and mask.ndim == 3 and mask.shape[0] == query.shape[0]:
            misses[MASK_BY_SEQUENCE] = wrong(mask=mask[:, None])
        misses["the softmax runs over the heads (dim=1) instead of the keys (dim=-1)"] = wrong(axis=1)
    if mask is not None:
        misses |= {
            "the mask is read the wrong way round: True means that the query may look": wrong(mask=~mask),
            "the mask is not applied": wrong(mask=None),
            "the mask is applied after the softmax, so a row no longer sums to 1": wrong(masked="after"),
            "masked scores are set to 0 instead of a hugely negative number": wrong(fill=0.0),
            "the boolean mask is added to the scores": wrong(masked="added"),
            TOO_HIGH: wrong(fill=-1e4, cleared=True),
            "a row with nothing to see averages all values: zero its weights after the softmax": wrong(fill=-1e9),
            EMPTY_ROW: wrong(empty=math.nan),
        }
    return misses


def mask_misses(seq: int) -> dict[str, Tensor]:
    """Make the causal mask as the classic mistakes have it."""
    ones = torch.ones(seq, seq, dtype=torch.bool)
    return {
        "the mask is the wrong way round: True means that a token may look": ones.triu(1),
        "the diagonal is off by one: a token sees itself": ones.tril(-1),
        "the diagonal is off by one: no token sees the next one": ones.tril(1),
        "rows and columns are swapped: row i is the token that asks": ones.triu(),
        "nothing is hidden: no token sees a later one": ones,
    }


def some_mask(draw: Any, q: int, k: int, empty_row: int | None = None) -> Tensor:
    """Draw a mask in which every query sees a key and misses a key, but for one that sees none if asked for."""
    mask = draw.integers(0, 2, q, k).bool()
    rows = torch.arange(q)
    mask[rows, rows % k] = True
    mask[rows, (rows + 1) % k] = False
    if empty_row is not None:
        mask[empty_row] = False
    return mask


def has_nan(value: Any) -> bool:
    """Whether a result is a tensor with NaN in it."""
    return isinstance(value, Tensor) and bool(value.isnan().any())


def dropped(actual: Tensor, plain: Tensor, p: float) -> tuple[Tensor, Misses]:
    """Return what dropout on the weights gives where `actual` kept them, and what the classic mistakes give.

    The value was the identity with a column of ones at its end, so a row shows its weights and then their sum.
    """
    weights = torch.where(actual[..., :-1] != 0, plain[..., :-1], 0.0)

    def with_sum(scale: float) -> Tensor:
        return torch.cat([weights, weights.sum(-1, keepdim=True)], dim=-1) * scale

    even = bool((actual[..., :-1] > 0).all()) and bool(torch.allclose(actual[..., -1], torch.ones(())))
    on_scores: Misses = {ON_SCORES: lambda: actual} if even and not torch.allclose(actual, plain, atol=1e-3) else {}
    return with_sum(1 / (1 - p)), on_scores | {
        "dropout is not applied": lambda: plain,
        "the weights that are kept do not grow by 1 / (1 - dropout)": lambda: with_sum(1.0),
        "dropout is the probability of being dropped, not of being kept": lambda: with_sum(1 / p),
        "dropout falls on the result instead of on the weights": lambda: torch.where(actual != 0, plain / (1 - p), 0.0),
    }


def dropout_misses(plain: Tensor, p: float, silent: float) -> Misses:
    """Compute what the mistakes make of the outputs that were kept; `silent` is the share of silent heads."""
    on_weights, on_output = "dropout is missing on the attention weights", "dropout is missing on the output"
    return {
        "dropout is not active in training mode": lambda: plain,
        on_weights if silent < p / 2 else on_output: lambda: plain / (1 - p),
    }


def checkpoint_state(weights: Any, layer: int) -> dict[str, Tensor]:
    """Take one layer's attention out of a GPT-2 checkpoint, whose Conv1D keeps weights as [in, out]."""
    names = ("c_attn.weight", "c_attn.bias", "c_proj.weight", "c_proj.bias")
    state = {name: weights.state[f"h.{layer}.attn.{name}"] for name in names}
    return {name: value.mT.contiguous() if value.ndim == 2 else value for name, value in state.items()}


def multi_head_misses(x: Tensor, state: dict[str, Tensor], n_heads: int) -> Misses:
    """Compute what the classic mistakes give for the same input and weights."""
    d_model = x.shape[-1]

    def wrong(n_heads: int = n_heads, **options: Any) -> Callable[[], Tensor]:
        return lambda: multi_head(x, state, n_heads, **options)

    return {
        "the output projection c_proj is not applied": wrong(project=False),
        "the bias of c_proj is left out": wrong(without=("c_proj.bias",)),
        "the bias of c_attn is left out": wrong(without=("c_attn.bias",)),
        "both biases are left out": wrong(without=("c_attn.bias", "c_proj.bias")),
        "c_attn's output is cut head by head; GPT-2 has all queries, then all keys, then all values": wrong(
            parts="per head"
        ),
        "c_attn's parts are taken in another order than query, key, value (k first)": wrong(parts="k|q|v"),
        "c_attn's parts are taken in another order than query, key, value (v first)": wrong(parts="v|k|q"),
        "c_attn's parts are taken in another order than query, key, value (v second)": wrong(parts="q|v|k"),
        "the heads are split by a view alone; the axes seq and n_heads must be transposed": wrong(split="view"),
        "the heads are merged by a view alone; the axes n_heads and seq must be transposed back": wrong(merge="view"),
        "the heads are split and merged by a view alone; seq and n_heads must be transposed": wrong(
            split="view", merge="view"
        ),
        "the mask lets no token see itself: the diagonal is off by one": wrong(diagonal=-1),
        "the mask lets each token see the next one: the diagonal is off by one": wrong(diagonal=1),
        "no causal mask is applied": wrong(diagonal=None),
        "the mask is read the wrong way round": wrong(inverted=True),
        "the scores are not divided by sqrt(d_head)": wrong(scale=1.0),
        "the scores are divided by sqrt(d_model) instead of sqrt(d_head)": wrong(scale=d_model**-0.5),
        "there is one wide head instead of several": wrong(n_heads=1),
        "the input is added to the output; that is the block's task (m05)": lambda: x + multi_head(x, state, n_heads),
        "c_proj is applied twice": lambda: (
            multi_head(x, state, n_heads) @ state["c_proj.weight"].T + state.get("c_proj.bias", 0.0)
        ),
        "masked scores are set to 0 instead of a hugely negative number": wrong(fill=0.0),
        "the mask is applied after the softmax, so a row no longer sums to 1": wrong(masked="after"),
        "the softmax runs over the queries (dim=-2) instead of the keys (dim=-1)": wrong(axis=-2),
        "the scores are divided by d_head instead of its square root": wrong(scale=n_heads / d_model),
    }


def split_misses(x: Tensor, n_heads: int) -> Misses:
    """Cut heads as the classic mistakes do."""
    return {
        "a view alone deals tokens out to heads: cut the last axis, then transpose": lambda: split_heads(
            x, n_heads, "view"
        ),
        "each head takes every n-th feature instead of consecutive ones": lambda: split_heads(
            x, n_heads, "interleaved"
        ),
        "the heads stay on axis 2: transpose seq and n_heads": lambda: split_heads(x, n_heads, "cut"),
    }


def merge_misses(x: Tensor) -> Misses:
    """Join heads as the classic mistakes do."""
    batch, _, seq, _ = x.shape
    return {
        "a view alone mixes tokens: transpose seq and n_heads back first": lambda: x.reshape(batch, seq, -1),
        "the heads' features are interleaved instead of side by side": lambda: x.permute(0, 2, 3, 1).flatten(2),
    }


def key_misses(found: Iterable[str]) -> dict[str, list[str]]:
    """Name what is wrong with the keys of a state_dict."""
    keys = sorted(found)
    extra = [key for key in keys if not key.startswith(("c_attn.", "c_proj."))]
    if "c_attn.weight" not in keys and extra:
        return {OTHER_NAMES: keys}
    if {"c_attn.weight", "c_proj.weight"} <= set(keys) and extra:
        return {"there is state that GPT-2 does not have (a mask needs persistent=False or no buffer)": keys}
    return {"the argument bias is not handed on to both nn.Linear": keys} if not extra else {}


def shape_misses(found: dict[str, tuple[int, ...]]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Name what is wrong with the shapes of the parameters."""
    return {NARROW: found} if found["c_attn.weight"] != (36, 12) and found["c_attn.weight"][1:] == (12,) else {}


def torch_layer(x: Tensor, state: dict[str, Tensor], n_heads: int) -> Tensor:
    """Run torch's own multi-head attention with the same weights; its mask is True where one may not look."""
    names = {"c_attn.weight": "in_proj_weight", "c_attn.bias": "in_proj_bias"}
    layer = torch.nn.MultiheadAttention(x.shape[-1], n_heads, bias="c_attn.bias" in state, batch_first=True)
    layer.load_state_dict({names.get(name, name.replace("c_proj", "out_proj")): value for name, value in state.items()})
    hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    with torch.no_grad():
        return layer(x, x, x, attn_mask=hidden, need_weights=False)[0]


def hugging_face(weights: Any, layer: int, x: Tensor) -> Tensor:
    """Run transformers' GPT-2 attention with an explicit causal mask, which every implementation of it understands."""
    hidden = torch.full((x.shape[1], x.shape[1]), -math.inf).triu(1)

    @torch.no_grad()
    def attended() -> Tensor:
        return weights.model().transformer.h[layer].attn(x, attention_mask=hidden[None, None])[0]

    return weights.answer("attention", (layer, x), attended)
