"""The reference for m15_llama's model: Llama and its kin in float64, with a switch for every classic mistake."""

import math
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import oracle

State = dict[str, Tensor]
Misses = dict[str, Callable[[], Tensor]]

SIZES: dict[str, Any] = {  # no two widths are alike; a head is wider than d_model / n_heads
    "vocab_size": 37,
    "d_model": 24,
    "n_layers": 2,
    "n_heads": 6,
    "n_kv_heads": 2,
    "d_head": 8,
    "d_ff": 40,
    "eps": 0.03,
    "theta": 500.0,
}
STRETCHED = {  # of the four pairs of a head one is fast, two lie between, and one is slow
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 6.0,
    "original_max_position_embeddings": 64,
    "rope_type": "llama3",
}
KIN: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama3": {"scaling": STRETCHED},
    "mistral": {"window": 5},
    "gemma": {"activation": "gelu", "plus_one": True, "scaled_embeddings": True, "tied": True},
    "phi3": {"d_head": None},
}
FULL = {  # what LlamaConfig says of itself
    "n_kv_heads": None,
    "d_head": None,
    "eps": 1e-5,
    "theta": 10000.0,
    "scaling": None,
    "tied": False,
    "window": None,
    "activation": "silu",
    "plus_one": False,
    "scaled_embeddings": False,
}

COARSE = 0.03  # of the mean magnitude: bfloat16 leads keys astray by 0.3 %, rounded frequencies by 16 %
TWO_TENSORS = "embed_tokens and lm_head are two tensors: with config.tied lm_head.weight is embed_tokens.weight itself"
TIED = "embed_tokens and lm_head share a tensor although config.tied is False"
EXTRA_WEIGHTS = "there are weights that a Llama does not have; positions, for one, need no table here"
EXTRA = (
    "there is state that a Llama does not have: compute frequencies and masks in each pass, since model.bfloat16() "
    "rounds a buffer"
)
NOT_SEEN = "torch does not see this part: layers belong into an nn.ModuleList, and every part into an attribute"
NO_HEAD = "there is no lm_head.weight: a tied one is there as well, and is embed_tokens.weight under a second name"
NO_PART = "a part that the stub lists is missing, or stands in no attribute"
RENAMED = "the parts have other names than the stub says, on which a checkpoint's weights depend"
NARROW = "d_head is taken for d_model / n_heads: config.d_head says otherwise"
MANY_KEYS = "k_proj and v_proj are made for n_heads heads: there are n_kv_heads of keys and values"
ROUNDED = "the frequencies are rounded with the model: a buffer goes along with model.bfloat16(), and must not"
LOOK_BACK = "the model does not learn to look back: are its positions and its gradients right?"
RESTART = "the positions begin at 0 in every pass: they go on where the cache ends"
UNTURNED = "keys are cached before they are turned: their positions are lost"
REPEATED = "keys and values are cached once for every head of queries: n_kv_heads are enough"
RECOMPUTED = "tokens that were read are read again: only the new ones go through the model"
ONE_ENTRY = "all layers append to one entry of the cache: each layer has its own number"
ALONE = "new tokens see one another alone: append gives back all keys and values"
NOT_APPENDED = "nothing is appended to the cache"
NO_MASK = "of several new tokens each sees those that come after it"
SWAPPED = "keys and values are swapped in the cache"
LEAK = "what was read with one cache shows in another"


def settings(sizes: dict[str, Any]) -> dict[str, Any]:
    """Return all settings of some sizes, as LlamaConfig fills them up."""
    return {**FULL, **sizes}


def shapes(sizes: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of everything in the state_dict of a model of these sizes."""
    n_heads, n_kv_heads, d_head = oracle.heads(sizes)
    d_model, d_ff, vocab_size = (sizes[name] for name in ("d_model", "d_ff", "vocab_size"))
    layer = {
        "input_layernorm": (d_model,),
        "self_attn.q_proj": (n_heads * d_head, d_model),
        "self_attn.k_proj": (n_kv_heads * d_head, d_model),
        "self_attn.v_proj": (n_kv_heads * d_head, d_model),
        "self_attn.o_proj": (d_model, n_heads * d_head),
        "post_attention_layernorm": (d_model,),
        "mlp.gate_proj": (d_ff, d_model),
        "mlp.up_proj": (d_ff, d_model),
        "mlp.down_proj": (d_model, d_ff),
    }
    layers = {f"layers.{n}.{name}": shape for n in range(sizes["n_layers"]) for name, shape in layer.items()}
    ends = {"embed_tokens": (vocab_size, d_model), "norm": (d_model,), "lm_head": (vocab_size, d_model)}
    return {f"{name}.weight": shape for name, shape in {**layers, **ends}.items()}


def key_misses(found: list[str], expected: list[str], learnt: Collection[str]) -> dict[str, list[str]]:
    """Name what is wrong with the keys of a state_dict; `learnt` are those of parameters, the others' are buffers'."""
    lost, extra = set(expected) - set(found), set(found) - set(expected)
    if lost and not extra:
        layers = {key for key in expected if key.startswith("layers.")}
        return {NOT_SEEN if lost == layers else NO_HEAD if lost == {"lm_head.weight"} else NO_PART: found}
    if extra and not lost:
        kinds = {_extra(key, key in learnt) for key in extra}
        return dict.fromkeys(kinds, found) if len(kinds) == 1 else {}
    return {RENAMED: found} if extra else {}


def _extra(key: str, learnt: bool) -> str:
    """Say what a key is that no Llama has."""
    if key.endswith(".bias"):
        return oracle.BIASED_NORM if key.endswith("norm.bias") else oracle.BIASED
    return EXTRA_WEIGHTS if learnt else EXTRA


def distance(actual: Tensor, expected: Tensor) -> float:
    """Return how far one tensor is from another in the mean, as a share of its mean magnitude."""
    return float((actual.double() - expected.double()).abs().mean() / expected.double().abs().mean())


def count(sizes: dict[str, Any]) -> int:
    """Return how many numbers a model of these sizes has; a shared tensor counts once."""
    found = shapes(sizes)
    if sizes.get("tied"):
        del found["lm_head.weight"]
    return sum(math.prod(shape) for shape in found.values())


def random_state(draw: Any, sizes: dict[str, Any], scale: float = 0.25) -> State:
    """Draw weights for a model of these sizes; where it is tied, lm_head's are embed_tokens'."""
    state = {}
    for key, shape in shapes(sizes).items():
        if len(shape) == 1:
            gain = 0.5 + torch.rand(*shape, generator=draw.generator)
            state[key] = gain - 1 if sizes.get("plus_one") else gain
        else:
            state[key] = draw.normal(*shape, scale=1.0 if key == "embed_tokens.weight" else scale)
    if sizes.get("tied"):
        state["embed_tokens.weight"] = state["lm_head.weight"] = draw.normal(*state["lm_head.weight"].shape, scale=0.5)
    return state


def logits(ids: Tensor, state: State, sizes: dict[str, Any], **wrong: Any) -> Tensor:
    """Run the model in float64 and return float32; `wrong` makes the mistakes."""
    return run(ids, {key: value.double() for key, value in state.items()}, sizes, **wrong).float()


def run(
    ids: Tensor,
    state: State,
    sizes: dict[str, Any],
    *,
    cuts: list[int] | None = None,
    cache: list[tuple[Tensor, Tensor]] | None = None,
    positions: str = "go on",
    turned: str = "qk",
    pairs: str = "halves",
    coarse: str = "",
    norm: str = "rms",
    last: bool = True,
    order: str = "pre",
    stream: str = "both",
    layers: str = "each",
    scaled: bool | None = None,
    view: bool = False,
    back: bool = True,
    one_entry: bool = False,
    after: Callable[[Tensor], Tensor] | None = None,
    head: Tensor | None = None,
    mlp: str = "gate",
    attend: dict[str, Any] | None = None,
    change: dict[str, Any] | None = None,
    eps: dict[str, float] | None = None,
) -> Tensor:
    """Run the model on a state of any dtype; the switches make the mistakes, and `change` changes the settings."""
    full = settings(sizes) | (change or {})
    n_heads, n_kv_heads, d_head = oracle.heads(full)
    freq = oracle.frequencies(d_head, full["theta"], full["scaling"]).double()
    freq = freq.bfloat16().double() if coarse else freq
    batch, seq = ids.shape
    at, entry = torch.arange(seq), []
    if cuts is not None and positions == "restart":
        at = torch.cat([torch.arange(cut) for cut in cuts])

    def normed(x: Tensor, name: str) -> Tensor:
        weight, small = state[f"{name}.weight"], (eps or {}).get(name.rpartition(".")[2], full["eps"])
        if norm == "none":
            return x
        if norm == "layer":
            return F.layer_norm(x, x.shape[-1:], weight + 1 if full["plus_one"] else weight, eps=small)
        other = norm == "other gain" or (norm == "other last gain" and name == "norm")
        gain = weight if full["plus_one"] == other else weight + 1
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + small) * gain

    def turn(x: Tensor, name: str) -> Tensor:
        if name not in turned:
            return x
        if coarse == "angles":
            angles = (at.bfloat16()[:, None] * freq.bfloat16()).double()
            return oracle.rope(x, torch.ones(seq), angles)
        return oracle.rope(x, at, freq, pairs=pairs)

    def attention(x: Tensor, name: str) -> Tensor:
        parts = []
        for letter, count in (("q", n_heads), ("k", n_kv_heads), ("v", n_kv_heads)):
            part = x @ state[f"{name}.{letter}_proj.weight"].T
            part = (
                part.reshape(batch, count, seq, d_head) if view else part.unflatten(-1, (count, d_head)).transpose(1, 2)
            )
            parts.append(turn(part, letter))
        if cache is not None:
            cache.append((parts[1], parts[2]))
        query, key, value = parts
        if one_entry:
            entry.append((key, value))
            key, value = (torch.cat(held, dim=2) for held in zip(*entry, strict=True))
        mixed = oracle.grouped(query, key, value, full["window"], **(attend or {}))
        mixed = mixed.transpose(1, 2) if back else mixed
        return mixed.reshape(batch, seq, -1) @ state[f"{name}.o_proj.weight"].T

    def forward(x: Tensor, name: str) -> Tensor:
        block = {
            key.removeprefix(f"{name}.mlp."): value for key, value in state.items() if key.startswith(f"{name}.mlp.")
        }
        start = x
        for gain, part in (("input_layernorm", "attn"), ("post_attention_layernorm", "mlp")):
            given = start if stream == "parallel" else x
            given = normed(given, f"{name}.{gain}") if order == "pre" else given
            made = (
                attention(given, f"{name}.self_attn")
                if part == "attn"
                else oracle.gated(given, block, full["activation"], mlp)
            )
            kept = stream in ("both", "parallel", part)
            x = x + made if kept else made
            if order == "post":
                x = normed(x, f"{name}.{gain}")
        return x

    x = state["embed_tokens.weight"][ids]
    if full["scaled_embeddings"] if scaled is None else scaled:
        x = x * math.sqrt(full["d_model"])
    numbers = list(range(full["n_layers"]))
    if layers == "reversed":
        numbers.reverse()
    if layers == "last for all":
        numbers = numbers[-1:] * len(numbers)
    for number in numbers:
        x = forward(x, f"layers.{number}")
    x = normed(x, "norm") if last else x
    x = x @ (state["lm_head.weight"] if head is None else head.to(x.dtype)).T
    return x if after is None else after(x)


def misses(ids: Tensor, state: State, sizes: dict[str, Any]) -> Misses:
    """Compute what the classic mistakes give for the same ids and weights."""
    full = settings(sizes)

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: logits(ids, state, sizes, **options)

    found = {
        "queries and keys are not turned": wrong(turned=""),
        "only the queries are turned": wrong(turned="q"),
        "only the keys are turned": wrong(turned="k"),
        "the values are turned too: positions matter for scores alone": wrong(turned="qkv"),
        "neighbours (2i, 2i + 1) are turned: these weights are laid out for halves": wrong(pairs="neighbours"),
        "a norm subtracts the mean: that is LayerNorm": wrong(norm="layer"),
        oracle.NOT_PLUS_ONE if full["plus_one"] else oracle.PLUS_ONE: wrong(norm="other gain"),
        "the last norm is missing": wrong(last=False),
        "the layers' norms are missing, or what they give is not used": wrong(order="none"),
        "the norms stand after the sums: a layer normalises what it reads": wrong(order="post"),
        "attention's result takes x's place: it is added to x": wrong(stream="mlp"),
        "the MLP's result takes x's place: it is added to x": wrong(stream="attn"),
        "nothing is added to x: both results are": wrong(stream="none"),
        "the MLP reads what attention reads: it reads the sum of x and attention's result": wrong(stream="parallel"),
        "the layers run in reverse order": wrong(layers="reversed"),
        "one layer stands in every place: make a new one for each": wrong(layers="last for all"),
        "heads are cut by a view that mixes tokens: (batch, seq, heads, d_head), then swap two axes": wrong(view=True),
        "heads are cut and joined by views that mix tokens: (batch, seq, heads, d_head), then swap two axes": wrong(
            view=True, back=False
        ),
        "gate and up are swapped: the activation belongs to gate_proj": wrong(mlp="swapped"),
        "heads are tiled (0, 1, 0, 1): heads side by side share one head of keys and values": wrong(
            attend={"share": "tiled"}
        ),
        "nothing is hidden: a query sees what comes after it": wrong(attend={"hide": "nothing"}),
        "the scores are divided by sqrt(d_model): it is the root of one head's width": wrong(
            attend={"scale": full["d_model"] ** -0.5}
        ),
        "the scores are divided by sqrt(d_model / n_heads): a head is d_head wide": wrong(
            attend={"scale": (full["d_model"] / full["n_heads"]) ** -0.5}
        ),
        "config.eps is not handed on to the norms": wrong(change={"eps": 1e-5}),
        "config.eps is not handed on to the last norm": wrong(eps={"norm": 1e-5}),
        "config.eps is not handed on to the layers' first norms": wrong(eps={"input_layernorm": 1e-5}),
        "config.eps is not handed on to the layers' second norms": wrong(eps={"post_attention_layernorm": 1e-5}),
        "config.theta is not handed on: it is always 10,000": wrong(change={"theta": 10000.0}),
        "the result is a softmax: return the scores as they are": wrong(after=lambda x: x.softmax(-1)),
        "the result is a log-softmax: return the scores as they are": wrong(after=lambda x: x.log_softmax(-1)),
        "only the last position is scored: every position has a token that follows it": wrong(
            after=lambda x: x[:, -1:]
        ),
    }
    if full["plus_one"]:
        found["config.plus_one is not handed on to the last norm"] = wrong(norm="other last gain")
    if full["scaling"]:
        found["config.scaling is not handed on to rope_frequencies"] = wrong(change={"scaling": None})
    if full["window"]:
        found["config.window is not handed on to grouped_attention"] = wrong(change={"window": None})
        found[oracle.WINDOW_LONGER] = wrong(change={"window": full["window"] + 1})
    if full["activation"] == "gelu":
        found["config.activation is not handed on to the MLPs"] = wrong(change={"activation": "silu"})
        found[oracle.GELU_ERF] = wrong(change={"activation": "erf"})
    scaled = "the embedded ids are multiplied by sqrt(d_model) without config.scaled_embeddings"
    if full["scaled_embeddings"]:
        scaled = "the embedded ids are not multiplied by sqrt(d_model)"
        found["the embedded ids are multiplied by d_model instead of its square root"] = lambda: logits(
            ids,
            state | {"embed_tokens.weight": state["embed_tokens.weight"] * math.sqrt(full["d_model"])},
            sizes,
            head=state["lm_head.weight"],
        )
    found[scaled] = wrong(scaled=not full["scaled_embeddings"])
    if not full["tied"]:
        found[TIED] = wrong(head=state["embed_tokens.weight"])
    return found


def piecewise(ids: Tensor, state: State, sizes: dict[str, Any], cuts: list[int], how: str = "alone") -> Tensor:
    """Compute the logits of a text that is read in pieces with a wrong mask."""
    seen, start = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril(), 0
    for cut in cuts:
        piece = slice(start, start + cut)
        if how == "alone":
            seen[piece, :start] = False
        elif how == "top left":
            seen[piece, :] = torch.ones(cut, ids.shape[1], dtype=torch.bool).tril()
        else:
            seen[piece, piece] = True
        start += cut
    return logits(ids, state, sizes, attend={"seen": seen})


def gradients(ids: Tensor, state: State, sizes: dict[str, Any], weights: Tensor) -> State:
    """Differentiate `(logits * weights).sum()` by every tensor, in float64; a shared one gets the sum of both ends."""
    leaves = {key: value.double().requires_grad_() for key, value in state.items()}
    if sizes.get("tied"):
        leaves["lm_head.weight"] = leaves["embed_tokens.weight"]
    (run(ids, leaves, sizes) * weights.double()).sum().backward()
    found = {key: leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}
    return {key: value.float() for key, value in found.items() if not (sizes.get("tied") and key == "lm_head.weight")}


def kept(ids: Tensor, state: State, sizes: dict[str, Any], **wrong: Any) -> list[tuple[Tensor, Tensor]]:
    """Return the keys and values of every layer that a cache is to hold, in float32."""
    cache: list[tuple[Tensor, Tensor]] = []
    run(ids, {key: value.double() for key, value in state.items()}, sizes, cache=cache, **wrong)
    return [(key.float(), value.float()) for key, value in cache]
