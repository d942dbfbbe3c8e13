"""Attention in float64, with a switch for every classic mistake: for all models that are made of it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

CUT = "the graph is cut: detach(), .data, .item(), numpy or no_grad stands on the way"


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    scale: float | None = None,
    axis: int = -1,
    fill: float = -math.inf,
    empty: float = 0.0,
    masked: str = "before",
    cleared: bool = False,
    cut: str = "",
) -> Tensor:
    """Attend in float64 and return the query's dtype; in a row with nothing to see the weights are `empty`."""
    query, key, value = (
        part.detach() if name == cut else part for name, part in (("query", query), ("key", key), ("value", value))
    )
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = torch.einsum("...qd,...kd->...qk", query.double(), key.double()) * scale
    if mask is not None and masked == "before":
        scores = torch.where(mask, scores, torch.full_like(scores, fill))
    elif mask is not None and masked == "added":
        scores = scores + mask
    peak = scores.detach().amax(axis, keepdim=True).clamp(min=-1e300)
    powers = torch.exp(scores - peak)
    total = powers.sum(axis, keepdim=True)
    shares = torch.where(total > 0, powers / total.clamp(min=1e-300), empty)
    if mask is not None and (masked == "after" or cleared):
        shares = shares * mask
    shares = shares.detach() if cut == "weights" else shares
    return torch.einsum("...qk,...kv->...qv", shares, value.double()).to(query.dtype)


def gradients(function: Callable[..., Tensor], args: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
    """Differentiate `(function(*args) * weights).sum()` in float64, and return float32."""
    leaves = [arg.double().requires_grad_(True) for arg in args]
    return [grad.float() for grad in torch.autograd.grad((function(*leaves) * weights).sum(), leaves)]


def random_state(draw: Any, d_model: int, bias: bool = True) -> dict[str, Tensor]:
    """Draw weights for a MultiHeadAttention, in the layout of nn.Linear."""
    state = {
        "c_attn.weight": draw.normal(3 * d_model, d_model, scale=0.4),
        "c_attn.bias": draw.normal(3 * d_model, scale=0.5),
        "c_proj.weight": draw.normal(d_model, d_model, scale=0.4),
        "c_proj.bias": draw.normal(d_model, scale=0.5),
    }
    return state if bias else {name: value for name, value in state.items() if name.endswith("weight")}


def thousandth(expected: Tensor) -> float:
    """Return an atol for outputs of a checkpoint: the size of its activations, and so of rounding, differs by layer."""
    return 1e-3 * float(expected.abs().median())


def multi_head(
    x: Tensor,
    state: dict[str, Tensor],
    n_heads: int,
    *,
    parts: str = "q|k|v",
    split: str = "heads",
    merge: str = "heads",
    diagonal: int | None = 0,
    inverted: bool = False,
    project: bool = True,
    without: tuple[str, ...] = (),
    **options: Any,
) -> Tensor:
    """Run causal multi-head attention in float64 with the given weights; the switches make the mistakes."""
    batch, seq, _ = x.shape
    state = {name: value.double() for name, value in state.items() if name not in without}
    joined = x.double() @ state["c_attn.weight"].T + state.get("c_attn.bias", 0.0)
    if parts == "per head":
        cut = joined.reshape(batch, seq, n_heads, 3, -1).permute(3, 0, 2, 1, 4)
        named = dict(zip("qkv", cut, strict=True))
    else:
        named = {
            name: split_heads(part, n_heads, split)
            for name, part in zip(parts.split("|"), joined.chunk(3, dim=-1), strict=True)
        }
    mask = None if diagonal is None else torch.ones(seq, seq, dtype=torch.bool).tril(diagonal) ^ inverted
    mixed = attention(named["q"], named["k"], named["v"], mask, **options)
    output = mixed.reshape(x.shape) if merge == "view" else mixed.permute(0, 2, 1, 3).reshape(x.shape)
    if project:
        output = output @ state["c_proj.weight"].T + state.get("c_proj.bias", 0.0)
    return output.to(x.dtype)


def split_heads(part: Tensor, n_heads: int, how: str) -> Tensor:
    """Cut [batch, seq, d_model] into heads, rightly with `how="heads"`, else as the mistake of that name does."""
    batch, seq, _ = part.shape
    if how == "view":
        return part.reshape(batch, n_heads, seq, -1)
    if how == "interleaved":
        return part.reshape(batch, seq, -1, n_heads).permute(0, 3, 1, 2)
    cut = part.reshape(batch, seq, n_heads, -1)
    return cut if how == "cut" else cut.permute(0, 2, 1, 3)


def by_chance(first: Any, second: Any) -> bool:
    """Return whether chance decided: what is wrong in another way than by dropout is wrong twice alike."""
    return type(first) is type(second) is Tensor and not torch.equal(first, second)
