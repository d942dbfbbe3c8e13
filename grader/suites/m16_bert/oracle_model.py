"""The reference for m16_bert's model: BERT in float64, with a switch for every classic mistake."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.suites.shared.attention import by_chance, split_heads

Misses = dict[str, Any]
State = dict[str, Tensor]

SIZES = {"vocab_size": 31, "context_length": 13, "d_model": 12, "n_layers": 2, "n_heads": 3, "d_ff": 20}
EPS = 1e-12
TANH = "GELU is computed by tanh, as GPT-2's is: BERT's is the exact one, by erf"
COARSE_EPS = "the norm's eps is 1e-5, torch's default, and not the one handed in"


def shapes(sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model's state, in the order of its parts; decoder.weight is left out."""
    d_model, d_ff = sizes["d_model"], sizes["d_ff"]
    found: dict[str, tuple[int, ...]] = {
        "embeddings.words.weight": (sizes["vocab_size"], d_model),
        "embeddings.positions.weight": (sizes["context_length"], d_model),
        "embeddings.types.weight": (2, d_model),
    }

    def add(name: str, *shape: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]

    add("embeddings.norm", d_model)
    for number in range(sizes["n_layers"]):
        for part in ("query", "key", "value", "out"):
            add(f"blocks.{number}.{part}", d_model, d_model)
        add(f"blocks.{number}.norm_1", d_model)
        add(f"blocks.{number}.up", d_ff, d_model)
        add(f"blocks.{number}.down", d_model, d_ff)
        add(f"blocks.{number}.norm_2", d_model)
    add("pooler", d_model, d_model)
    add("transform", d_model, d_model)
    add("transform_norm", d_model)
    found["decoder.bias"] = (sizes["vocab_size"],)
    add("follows", 2, d_model)
    return found


def random_state(draw: Any, sizes: dict[str, int] | None = None) -> State:
    """Draw weights for a model, gains around 1; decoder.weight is left out."""
    state = {name: draw.normal(*shape, scale=0.3) for name, shape in shapes(sizes or SIZES).items()}
    return {name: value + 1 if "norm" in name and name.endswith("weight") else value for name, value in state.items()}


def part(state: State, name: str) -> State:
    """Return the state of a part, under its own names."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def whole(state: State) -> State:
    """Return the state as load_state_dict takes it, decoder.weight beside the words'."""
    return state | {"decoder.weight": state["embeddings.words.weight"]}


def awake(first: Any, second: Any) -> Misses:
    """Return the mistake that two answers of eval mode show if they differ by chance: then the first is its value."""
    chance = by_chance(first, second) and not bool((first.isnan() | second.isnan()).any())
    return {"dropout falls in eval mode too": first} if chance else {}


def norm_of(x: Tensor, state: State, name: str, eps: float) -> Tensor:
    """Normalise by the weights of the norm that is called so."""
    weight, bias = state[f"{name}.weight"].double(), state[f"{name}.bias"].double()
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def linear(x: Tensor, state: State, name: str) -> Tensor:
    """Multiply by the weights of the layer that is called so."""
    return x @ state[f"{name}.weight"].double().T + state[f"{name}.bias"].double()


# ── m16.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def embedded(
    state: State,
    ids: Tensor,
    types: Tensor | None,
    *,
    eps: float = EPS,
    offset: int | None = 0,
    kinds: bool = True,
    norm: str = "sum",
    scale: float = 1.0,
) -> Tensor:
    """Return the vectors of ids (the state is BertEmbeddings'), in float64; the switches make the mistakes."""
    words, positions, of_type = (state[f"{name}.weight"].double() for name in ("words", "positions", "types"))
    x = words[ids] * scale
    if norm == "words":
        x = norm_of(x, state, "norm", eps)
    if offset is not None:
        x = x + positions[(torch.arange(ids.shape[1]) + offset).clamp(max=len(positions) - 1)]
    if kinds:
        x = x + of_type[torch.zeros_like(ids) if types is None else types]
    return norm_of(x, state, "norm", eps) if norm == "sum" else x


def embedding_misses(state: State, ids: Tensor, types: Tensor | None, eps: float = EPS) -> Misses:
    """Compute what the classic mistakes make of ids."""

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: embedded(state, ids, types, **{"eps": eps} | options).float()

    misses: Misses = {
        "positions are not added": wrong(offset=None),
        "positions count from 1": wrong(offset=1),
        "positions count from 2, as RoBERTa's do": wrong(offset=2),
        "types are not added": wrong(kinds=False),
        "all tokens get type 1": lambda: embedded(state, ids, torch.ones_like(ids), eps=eps).float(),
        "the sum is not normalised": wrong(norm="none"),
        "the words alone are normalised, before the sum": wrong(norm="words"),
        "the words are multiplied by the square root of d_model": wrong(scale=state["words.weight"].shape[1] ** 0.5),
        COARSE_EPS: wrong(eps=1e-5),
        "the norm's eps is always 1e-12, and not the one handed in": wrong(eps=1e-12),
    }
    if types is not None:
        turned = 1 - types
        misses["all tokens get type 0: types are not looked at"] = lambda: embedded(state, ids, None, eps=eps).float()
        misses["the types are the wrong way round"] = lambda: embedded(state, ids, turned, eps=eps).float()
    return misses


# ── m16.4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def block(
    x: Tensor,
    state: State,
    n_heads: int,
    mask: Tensor | None,
    *,
    eps: float | tuple[float, float] = EPS,
    norm: str = "after",
    norms: tuple[str, str] = ("norm_1", "norm_2"),
    residual: tuple[bool, bool] = (True, True),
    act: Callable[[Tensor], Tensor] = F.gelu,
    scale: float | None = None,
    causal: bool = False,
    masked: str = "keys",
    empty: float | None = None,
    from_input: bool = False,
    axis: int = -1,
    parts: str = "query key value",
    split: str = "heads",
    merge: str = "heads",
    out: bool = True,
) -> Tensor:
    """Run an encoder block (the state is EncoderBlock's) in float64; the switches make the mistakes."""

    def attend(x: Tensor) -> Tensor:
        query, key, value = (split_heads(linear(x, state, name), n_heads, split) for name in parts.split())
        scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
        seq = scores.shape[-1]
        if mask is not None and masked == "added":
            scores = scores + mask[:, None, None, :].double()
        elif mask is not None and masked not in ("no", "after"):
            seen = mask.bool() if masked != "inverted" else ~mask.bool()
            keys, queries = seen[:, None, None, :], seen[:, None, :, None]
            seen = {"queries": queries, "both": queries & keys}.get(masked, keys)
            scores = scores.masked_fill(~seen, {"low": -100.0, "typo": 1e-9}.get(masked, -1e30))
        if causal:
            scores = scores.masked_fill(~torch.ones(seq, seq, dtype=torch.bool).tril(), -1e30)
        weights = scores.softmax(dim=axis)
        if mask is not None and masked == "after":
            weights = weights * mask[:, None, None, :].double()
        if empty is not None:
            weights = weights.where(scores.amax(dim=-1, keepdim=True) > -1e29, empty)
        mixed = weights @ value
        mixed = mixed.reshape(x.shape) if merge == "view" else mixed.transpose(1, 2).reshape(x.shape)
        return linear(mixed, state, "out") if out else mixed

    def think(x: Tensor) -> Tensor:
        return linear(act(linear(x, state, "up")), state, "down")

    given = x = x.double()
    both = eps if isinstance(eps, tuple) else (eps, eps)
    for own, kept, name, eps in zip((attend, think), residual, norms, both, strict=True):
        if norm == "before":
            x = x + own(norm_of(x, state, name, eps))
        elif norm == "of the part":
            x = x + norm_of(own(x), state, name, eps)
        elif norm == "none":
            x = x + own(x)
        else:
            x = norm_of((given if from_input else x) + own(x) if kept else own(x), state, name, eps)
    return x


def _switches(d_head: int, d_model: int, eps: float) -> dict[str, dict[str, Any]]:
    return {
        "what a part reads is normalised, as in GPT-2: BERT normalises the sum": {"norm": "before"},
        "what a part gives is normalised, and then added: BERT normalises the sum": {"norm": "of the part"},
        "nothing is normalised": {"norm": "none"},
        "the two norms are swapped": {"norms": ("norm_2", "norm_1")},
        "one norm is used twice": {"norms": ("norm_1", "norm_1")},
        "the second norm is used twice": {"norms": ("norm_2", "norm_2")},
        "what the heads read is not added to what they give": {"residual": (False, True)},
        "what is thought is not added to what it was thought about": {"residual": (True, False)},
        "what is thought is added to what the block was given, not to the first norm's result": {"from_input": True},
        "neither half adds what it was given": {"residual": (False, False)},
        TANH: {"act": lambda x: F.gelu(x, approximate="tanh")},
        "the activation is ReLU, and not GELU": {"act": F.relu},
        "no activation stands between up and down": {"act": lambda x: x},
        "nobody sees what stands to the right: that is a GPT": {"causal": True},
        "the scores are not divided by the square root of d_head": {"scale": 1.0},
        "the scores are divided by d_head, not by its square root": {"scale": 1 / d_head},
        "the scores are divided by the square root of d_model, not of d_head": {"scale": d_model**-0.5},
        "the softmax runs over the queries, not over the keys": {"axis": -2},
        "keys and values are swapped": {"parts": "query value key"},
        "queries and keys are swapped": {"parts": "key query value"},
        "heads are cut out of the wrong axis: reshape to (batch, n_heads, seq, d_head) mixes up the tokens": {
            "split": "view",
            "merge": "view",
        },
        "heads are cut by a view, without turning the axes, and joined with it": {"split": "view"},
        "the heads are joined without turning the axes back": {"merge": "view"},
        "a head takes every n_heads-th number": {"split": "interleaved"},
        "out is not applied": {"out": False},
        COARSE_EPS: {"eps": 1e-5},
        "norm_1's eps is 1e-5, torch's default, and not the one handed in": {"eps": (1e-5, eps)},
        "norm_2's eps is 1e-5, torch's default, and not the one handed in": {"eps": (eps, 1e-5)},
        "the norm's eps is always 1e-12, and not the one handed in": {"eps": 1e-12},
    }


MASKED: dict[str, dict[str, Any]] = {
    "the mask is not looked at": {"masked": "no"},
    "padding alone is seen: the mask is read the wrong way round": {"masked": "inverted"},
    "the mask is laid on the queries: it hides keys": {"masked": "queries"},
    "the mask is laid on the queries, which then see nothing: it hides keys": {"masked": "queries", "empty": 0.0},
    "the mask is laid on queries and keys: padding's own rows see nothing and turn NaN": {
        "masked": "both",
        "empty": math.nan,
    },
    "the mask is laid on queries and keys: padding's own rows see nothing": {"masked": "both", "empty": 0.0},
    "the mask is laid on queries and keys: padding's own rows see all alike": {"masked": "both"},
    "a hidden score becomes 1e-9, which is about 0 and hides nothing, not -1e9": {"masked": "typo"},
    "a hidden score becomes -100, and a token's own may be lower": {"masked": "low"},
    "the mask is multiplied onto the weights: without the padding's they no longer add up to 1": {"masked": "after"},
    "the mask is added to the scores as numbers: 0 and 1 hardly differ": {"masked": "added"},
}


def block_misses(x: Tensor, state: State, n_heads: int, mask: Tensor | None, eps: float = EPS) -> Misses:
    """Compute what the classic mistakes make of a block's output."""
    d_model = x.shape[-1]
    d_head = d_model // n_heads
    switches = _switches(d_head, d_model, eps) | (MASKED if mask is not None else {})

    def wrong(options: dict[str, Any], heads: int = n_heads) -> Callable[[], Tensor]:
        return lambda: block(x, state, heads, mask, **{"eps": eps} | options).to(x.dtype)

    misses: Misses = {words: wrong(options) for words, options in switches.items()}
    misses["n_heads and d_head are swapped where heads are cut: the shape is (batch, seq, n_heads, d_head)"] = wrong(
        {}, heads=d_head
    )
    misses["n_heads and d_head are swapped where heads are cut, though not where scores are scaled"] = wrong(
        {"scale": d_head**-0.5}, heads=d_head
    )
    return misses


# ── m16.5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(
    state: State, sizes: dict[str, int], ids: Tensor, types: Tensor | None = None, mask: Tensor | None = None,
    *, order: Callable[[int], list[int]] = lambda count: list(range(count)), eps: tuple[float, float] = (EPS, EPS),
    **options: Any,
) -> Tensor:  # fmt: skip
    """Return what the last block gives, in float64; `eps` is that of the embeddings, and that of the blocks."""
    x = embedded(part(state, "embeddings"), ids, types, eps=eps[0])
    for number in order(sizes["n_layers"]):
        x = block(x, part(state, f"blocks.{number}"), sizes["n_heads"], mask, eps=eps[1], **options)
    return x


def read_misses(state: State, sizes: dict[str, int], ids: Tensor, types: Tensor | None, mask: Tensor | None) -> Misses:
    """Compute what the classic mistakes make of the last block's vectors."""

    def wrong(types: Tensor | None = types, mask: Tensor | None = mask, **options: Any) -> Callable[[], Tensor]:
        return lambda: read(state, sizes, ids, types, mask, **options).float()

    misses: Misses = {
        "all blocks are one and the same: [block] * n_layers makes it once": wrong(
            order=lambda count: [count - 1] * count
        ),
        "one block is run for all": wrong(order=lambda count: [0] * count),
        "the blocks are run from the last to the first": wrong(order=lambda count: list(reversed(range(count)))),
        "the last block is left out": wrong(order=lambda count: list(range(count - 1))),
        "no block is run": wrong(order=lambda count: []),
    }
    if mask is not None:
        misses["the mask does not reach the blocks"] = wrong(mask=None)
        misses["the mask reaches the first block alone"] = lambda: _first_masked(state, sizes, ids, types, mask)
        misses |= {words: wrong(**options) for words, options in MASKED.items() if options["masked"] != "no"}
    if types is not None:
        misses["the types do not reach the embeddings"] = wrong(types=None)
    return misses


def _first_masked(state: State, sizes: dict[str, int], ids: Tensor, types: Tensor | None, mask: Tensor) -> Tensor:
    x = embedded(part(state, "embeddings"), ids, types)
    for number in range(sizes["n_layers"]):
        x = block(x, part(state, f"blocks.{number}"), sizes["n_heads"], None if number else mask)
    return x.float()
