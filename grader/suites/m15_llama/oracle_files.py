"""The reference for m15_llama's files: how Hugging Face, Meta, Llama 3's vocabulary and LitGPT lay things out."""

import base64
import re
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from grader.judge import expect_raises
from grader.judge.outcomes import CheckFailed

from . import oracle
from .oracle_model import State

LAYOUTS = ("plain", "prefixed", "frequencies", "prefixed_frequencies", "bfloat16")
STRICT = {
    "is missing": "a tensor that the checkpoint lacks keeps what the model had: compare the keys both ways",
    "is one too many": "a tensor that the model has no place for is passed over: compare the keys both ways",
    "has another shape": "shapes are not compared: copy_ alone stretches a single number over a whole vector",
    "differs": "lm_head.weight is not compared with the table: such a checkpoint has two matrices, a tied model one",
}
REFUSED = {
    "frequencies": "keys that end in .rotary_emb.inv_freq are refused: old files have them, and they hold no weights",
    "prefixed": "keys with `model.` in front are refused: take it off, where it is",
}
PREFIX_NEEDED = "keys without `model.` in front are lost: the prefix may be there or not"
HEAD_NEEDED = "lm_head.weight is asked for: where it is tied it may be left out"
DTYPE = "the checkpoint's dtype is taken over: copy_ turns each tensor into the dtype of the model's own"
ALIASED = "the model shares memory with the checkpoint's tensors: copy the values into the model's own parameters"
UNTIED_BY_LOADING = "loading puts a new tensor in the place of the shared one: copy into it (copy_ under no_grad)"
REPLACED = "parameters are replaced by new ones: an optimizer that holds the old ones moves the model no more"
HALF_LOADED = "the model is changed before everything is compared: look at all keys and shapes first, then copy"
NOT_COPIED = "it is not copied into the model"
FUSED_REFUSED = "fused matrices are refused: cut qkv_proj and gate_up_proj apart"
THIRDS = "qkv_proj is taken for three equal parts: n_heads * d_head rows of queries, n_kv_heads * d_head of each other"
HEADLESS = "lm_head.weight is left out"

META = {  # our name -> Meta's
    "embed_tokens": "tok_embeddings",
    "norm": "norm",
    "lm_head": "output",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
}
LITGPT = {
    "embed_tokens": "transformer.wte",
    "mlp.down_proj": "mlp.proj",
    "mlp.gate_proj": "mlp.fc_1",
    "input_layernorm": "norm_1",
    "mlp.up_proj": "mlp.fc_2",
    "post_attention_layernorm": "norm_2",
    "self_attn.o_proj": "attn.proj",
    "norm": "transformer.ln_f",
    "lm_head": "lm_head",
}
TURNED = ("self_attn.q_proj.weight", "self_attn.k_proj.weight")


def part_of(key: str) -> tuple[str, str]:
    """Return where a tensor stands ("layers.3." or "") and what it is ("mlp.up_proj")."""
    found = re.fullmatch(r"(layers\.\d+\.|)(.+?)(\.weight|)", key)
    assert found is not None, key
    return found[1], found[2]


# ── Hugging Face's ────────────────────────────────────────────────────────────────────────────────────────────────────


def checkpoint(state: State, layout: str, n_layers: int = 2) -> State:
    """Lay weights out as a file of Hugging Face's does."""
    prefix = "model." if "prefixed" in layout else ""
    found = {key if key == "lm_head.weight" else prefix + key: value.clone() for key, value in state.items()}
    if "frequencies" in layout:
        for number in range(n_layers):
            found[f"{prefix}layers.{number}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    if layout == "bfloat16":
        found = {key: value.bfloat16() for key, value in found.items()}
    return found


def expect_refused(student: Any, model: Any, state: State, key: str, fault: str, said: str, *, fine: State) -> None:
    """Fail unless load_llama raises ValueError and names the key that is at fault; `fine` is a checkpoint that fits."""
    load, mistake = student.load_llama, STRICT[fault]
    try:
        expect_raises("ValueError", load, model, state, mentions=(key,), fine=(model, fine), mistake=mistake)
    except CheckFailed as failed:
        raise CheckFailed(f"In this checkpoint {key} {said}. {failed.message}", failed.mistake) from None


def fused(state: State) -> State:
    """Return a state with queries, keys and values in one matrix, and gate and up in another, as Phi-3 has them."""
    found = {}
    for key, value in state.items():
        place = key.removesuffix("q_proj.weight").removesuffix("gate_proj.weight")
        if key.endswith("self_attn.q_proj.weight"):
            found[f"{place}qkv_proj.weight"] = torch.cat([state[f"{place}{letter}_proj.weight"] for letter in "qkv"])
        elif key.endswith("mlp.gate_proj.weight"):
            found[f"{place}gate_up_proj.weight"] = torch.cat([value, state[f"{place}up_proj.weight"]])
        elif not key.endswith(("k_proj.weight", "v_proj.weight", "up_proj.weight")):
            found[key] = value
    return found


def fused_misses(state: State, sizes: dict[str, Any]) -> dict[str, State]:
    """Compute what the classic mistakes make of Phi-3's fused matrices; `state` is the right result."""
    n_heads, n_kv_heads, d_head = oracle.heads(sizes)
    counts = {"q": n_heads * d_head, "k": n_kv_heads * d_head, "v": n_kv_heads * d_head}

    def cut(order: str, gate_first: bool = True, by_group: bool = False) -> State:
        found = dict(state)
        for key in state:
            place, part = part_of(key)
            if part == "self_attn.q_proj":
                whole = torch.cat([state[key.replace("q_proj", f"{letter}_proj")] for letter in "qkv"])
                if by_group:
                    whole = whole.reshape(n_kv_heads, -1, whole.shape[-1])
                    parts = whole.split([counts[letter] // n_kv_heads for letter in "qkv"], dim=1)
                    cuts = {letter: part.flatten(0, 1) for letter, part in zip("qkv", parts, strict=True)}
                else:
                    parts = whole.split([counts[letter] for letter in order])
                    cuts = dict(zip(order, parts, strict=True))
                found |= {f"{place}self_attn.{letter}_proj.weight": part for letter, part in cuts.items()}
            if part == "mlp.gate_proj" and not gate_first:
                up = f"{place}mlp.up_proj.weight"
                found |= {key: state[up], up: state[key]}
        return found

    return {
        "gate and up are swapped: gate_up_proj has the gate's rows first": cut("qkv", gate_first=False),
        "keys and values are swapped: the rows are those of queries, keys, values": cut("qvk"),
        "the rows are cut in another order: they are those of queries, keys, values": cut("kvq"),
        "qkv_proj is cut group by group: all queries stand first, then all keys, then all values": cut(
            "qkv", by_group=True
        ),
    }


# ── Meta's ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def interleaved(weight: Tensor, n_heads: int) -> Tensor:
    """Put the rows of halves into Meta's order, neighbours."""
    d_head = len(weight) // n_heads
    order = torch.arange(d_head).reshape(2, -1).T.flatten()  # 0, half, 1, half + 1 …
    rows = torch.arange(len(weight)).reshape(n_heads, d_head)[:, order]
    return weight[rows.flatten()]


def halved(weight: Tensor, n_heads: int) -> Tensor:
    """Put the rows of neighbours into Hugging Face's order, halves."""
    d_head = len(weight) // n_heads
    order = torch.arange(d_head).reshape(-1, 2).T.flatten()  # 0, 2, 4 … then 1, 3, 5 …
    rows = torch.arange(len(weight)).reshape(n_heads, d_head)[:, order]
    return weight[rows.flatten()]


def to_meta(state: State, sizes: dict[str, Any]) -> State:
    """Lay weights out as Meta's consolidated.00.pth does."""
    n_heads, n_kv_heads, _ = oracle.heads(sizes)
    found = {"rope.freqs": torch.ones(4)}
    for key, value in state.items():
        place, part = part_of(key)
        if key.endswith(TURNED):
            value = interleaved(value, n_heads if "q_proj" in key else n_kv_heads)
        found[f"{place}{META[part]}.weight"] = value
    return found


def meta_misses(state: State, sizes: dict[str, Any]) -> dict[str, State]:
    """Compute what the classic mistakes make of a checkpoint of Meta's; `state` is the right result."""
    n_heads, n_kv_heads, _ = oracle.heads(sizes)
    given = {key: value for key, value in to_meta(state, sizes).items() if key != "rope.freqs"}
    raw = {key: given[f"{part_of(key)[0]}{META[part_of(key)[1]]}.weight"] for key in state}

    def changed(**rows: Any) -> State:
        letters = {"q": n_heads, "k": n_kv_heads, **rows}
        found = dict(state)
        for letter, change in letters.items():
            for key in state:
                if key.endswith(f"self_attn.{letter}_proj.weight"):
                    found[key] = change(raw[key]) if callable(change) else halved(raw[key], change)
        return found

    def exchanged(first: str, second: str) -> State:
        return (
            state
            | {key.replace(first, second): value for key, value in state.items() if first in key}
            | {key.replace(second, first): value for key, value in state.items() if second in key}
        )

    found = {
        "the rows of wq and wk keep Meta's order: neighbours have to become halves": changed(
            q=lambda w: w, k=lambda w: w
        ),
        "the rows of wk keep Meta's order: keys are turned as queries are": changed(k=lambda w: w),
        "the rows of wq keep Meta's order": changed(q=lambda w: w),
        "the rows of wv are put into another order too: values are not turned": changed(v=n_kv_heads),
        "wk is cut into n_heads heads: it has n_kv_heads of them": changed(k=n_heads),
        "the rows are put into order across the whole matrix: each head is a matrix of its own": changed(
            q=lambda w: halved(w, 1), k=lambda w: halved(w, 1)
        ),
        "halves are made neighbours: it goes the other way round": changed(
            q=lambda w: interleaved(w, n_heads), k=lambda w: interleaved(w, n_kv_heads)
        ),
    }
    if sizes["d_ff"] and state["layers.0.mlp.gate_proj.weight"].shape == state["layers.0.mlp.up_proj.weight"].shape:
        found["w1 and w3 are swapped: w1 is the gate, and w3 is up"] = exchanged("gate_proj", "up_proj")
    found["w2 and w3 are swapped: w2 is down, and w3 is up"] = exchanged("down_proj", "up_proj")
    found["w1 and w2 are swapped: w1 is the gate, and w2 is down"] = exchanged("down_proj", "gate_proj")
    found["the two norms of a layer are swapped"] = exchanged("input_layernorm", "post_attention_layernorm")
    found["tok_embeddings and output are swapped"] = exchanged("embed_tokens", "lm_head")
    return found


# ── Llama 3's vocabulary ──────────────────────────────────────────────────────────────────────────────────────────────


def rank_file(ranks: dict[bytes, int]) -> bytes:
    """Write ranks as Llama 3's tokenizer.model does."""
    return b"".join(base64.b64encode(token) + f" {rank}\n".encode() for token, rank in ranks.items())


def some_ranks(data: Any, draw: Any) -> dict[bytes, int]:
    """Return the first ranks of GPT-2's vocabulary, some hundred of them, in random order."""
    count = 256 + draw.random.randrange(400, 900)
    ranks = {token: rank for token, rank in data.tiktoken()._mergeable_ranks.items() if rank < count}
    order = list(ranks.items())
    draw.random.shuffle(order)
    return dict(order)


def tiktoken_ids(data: Any, ranks: dict[bytes, int], text: str) -> list[int]:
    """Return the ids of a text by tiktoken itself, with these ranks."""
    known = data.tiktoken()
    encoding = type(known)("some", pat_str=known._pat_str, mergeable_ranks=ranks, special_tokens={})
    return list(encoding.encode_ordinary(text))


def rank_misses(data: Any, ranks: dict[bytes, int], text: str) -> dict[str, Any]:
    """Compute what the classic mistakes make of a text."""
    lines = {token: line for line, token in enumerate(ranks)}

    def cut_once(place: str) -> list[tuple[bytes, bytes]]:
        pairs = []
        for token in sorted(ranks, key=ranks.__getitem__):
            halves = ((token[:at], token[at:]) for at in range(1, len(token)))
            cuts = [pair for pair in halves if set(pair) <= ranks.keys()]
            if place == "by bytes":
                cuts = [pair for pair in cuts if len(pair[1]) == 1]
            pairs += cuts[:1] if place != "last" else cuts[-1:]
        return pairs

    def encode(merges: list[tuple[bytes, bytes]], ids: dict[bytes, int] = ranks) -> list[int]:
        order = {pair: place for place, pair in enumerate(merges)}
        return [ids[token] for piece in _pieces(data, text) for token in _join(piece, order)]

    right = cut_all(ranks)
    return {
        "the ids are the lines' numbers: a rank stands beside its token": lambda: encode(cut_all(lines), lines),
        "merges stand in the order of the lines: it is that of the ranks": lambda: encode(
            sorted(right, key=lambda pair: lines[pair[0] + pair[1]])
        ),
        "merges are sorted by their tokens' bytes: they stand in the order of the ranks": lambda: encode(
            sorted(right, key=lambda pair: pair[0] + pair[1])
        ),
        "each token is cut in one place only, the first: any two tokens that make it are a merge": lambda: encode(
            cut_once("first")
        ),
        "each token is cut in one place only, the last: any two tokens that make it are a merge": lambda: encode(
            cut_once("last")
        ),
        "only merges with a single byte are found": lambda: encode(cut_once("by bytes")),
        "there are no merges": lambda: [ranks[bytes([byte])] for byte in text.encode()],
        "the longest token that fits is taken each time": lambda: [
            ranks[token] for piece in _pieces(data, text) for token in _greedy(piece, ranks)
        ],
    }


def cut_all(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return every two tokens that make a token, in the order of its rank."""
    whole = [token for _, token in sorted((rank, token) for token, rank in ranks.items())]
    halves = ((token[:at], token[at:]) for token in whole for at in range(1, len(token)))
    return [(left, right) for left, right in halves if {left, right} <= ranks.keys()]


def _pieces(data: Any, text: str) -> list[bytes]:
    import regex

    return [piece.encode() for piece in regex.findall(data.tiktoken()._pat_str, text)]


def _join(piece: bytes, order: dict[tuple[bytes, bytes], int]) -> list[bytes]:
    """Join neighbours by the order of merges, until none is left."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 1:
        lowest, at = min((order.get(pair, len(order)), at) for at, pair in enumerate(pairwise(parts)))
        if lowest == len(order):
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _greedy(piece: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    parts = []
    while piece:
        size = next(size for size in range(len(piece), 0, -1) if piece[:size] in ranks)
        parts.append(piece[:size])
        piece = piece[size:]
    return parts


# ── LitGPT's ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_litgpt(state: State, *, swapped: tuple[str, str] | None = None, fuse: Any = None) -> State:
    """Lay weights out as LitGPT does; the switches make the mistakes."""
    names = dict(LITGPT)
    if swapped is not None:
        first, second = swapped
        names[first], names[second] = names[second], names[first]
    found = {}
    for key, value in state.items():
        place, part = part_of(key)
        where = f"transformer.h.{place.split('.')[1]}." if place else ""
        if part == "self_attn.q_proj":
            beside = [state[key.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
            found[f"{where}attn.qkv.weight"] = (fuse or torch.cat)(beside)
        elif part in names:
            found[f"{where}{names[part]}.weight"] = value
    return found


def litgpt_misses(state: State, sizes: dict[str, Any]) -> dict[str, State]:
    """Compute what the classic mistakes give."""
    _, n_kv_heads, _ = oracle.heads(sizes)

    def by_group(parts: list[Tensor]) -> Tensor:
        cut = [part.reshape(n_kv_heads, -1, part.shape[-1]) for part in parts]
        return torch.cat(cut, dim=1).flatten(0, 1)

    return {
        "queries, keys and values are fused group by group, as LitGPT's early releases had them": to_litgpt(
            state, fuse=by_group
        ),
        "keys stand before the queries: all queries, then all keys, then all values": to_litgpt(
            state, fuse=lambda parts: torch.cat([parts[1], parts[0], parts[2]])
        ),
        "values stand before the keys: all queries, then all keys, then all values": to_litgpt(
            state, fuse=lambda parts: torch.cat([parts[0], parts[2], parts[1]])
        ),
        "fc_1 and fc_2 are swapped: fc_1 is the gate, and fc_2 is up": to_litgpt(
            state, swapped=("mlp.gate_proj", "mlp.up_proj")
        ),
        "the two norms of a layer are swapped": to_litgpt(
            state, swapped=("input_layernorm", "post_attention_layernorm")
        ),
        "lm_head has embed_tokens' weight": {
            **to_litgpt(state),
            "lm_head.weight": state["embed_tokens.weight"],
        },
    }
