"""Unusual: pairs are complex numbers, everything is an einsum, keys are repeated, loading goes by load_state_dict."""

import base64
import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .m01_tokenizer import Tokenizer


@dataclass
class LlamaConfig:
    vocab_size: int = 32000
    d_model: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int | None = None
    d_head: int | None = None
    d_ff: int = 11008
    eps: float = 1e-5
    theta: float = 10000.0
    scaling: dict | None = None
    tied: bool = False
    window: int | None = None
    activation: str = "silu"
    plus_one: bool = False
    scaled_embeddings: bool = False


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5, plus_one=False):
        super().__init__()
        self.eps, self.shift = eps, float(plus_one)
        self.weight = nn.Parameter(torch.full((d_model,), 1 - self.shift))

    def forward(self, x):
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        size = torch.einsum("...d,...d->...", wide, wide) / x.shape[-1]
        return torch.einsum(
            "...d,...,d->...d", wide, (size + self.eps) ** -0.5, self.weight.to(wide.dtype) + self.shift
        ).to(x.dtype)


class GatedMLP(nn.Module):
    def __init__(self, d_model, d_ff, activation="silu"):
        super().__init__()
        self.activation = activation
        self.down_proj, self.up_proj = nn.Linear(d_ff, d_model, bias=False), nn.Linear(d_model, d_ff, bias=False)
        self.gate_proj = nn.Linear(d_model, d_ff, False)

    def forward(self, x):
        gate = self.gate_proj(x)
        return self.down_proj(
            self.up_proj(x) * (F.silu(gate) if self.activation == "silu" else F.gelu(gate, approximate="tanh"))
        )


def rope_frequencies(d_head, theta=10000.0, scaling=None):
    if d_head & 1:
        raise ValueError(f"{d_head} numbers make no pairs")
    found = torch.logspace(0, -1, d_head // 2 + 1, base=theta, dtype=torch.float64)[:-1]
    if scaling:
        turns = found * scaling["original_max_position_embeddings"] / 2 / torch.pi
        share = (turns - scaling["low_freq_factor"]) / (scaling["high_freq_factor"] - scaling["low_freq_factor"])
        found = found * torch.lerp(
            torch.full_like(share, 1 / scaling["factor"]), torch.ones_like(share), share.clamp(0, 1)
        )
    return found.to(torch.float32)


def apply_rope(x, positions, frequencies):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    half = x.shape[-1] // 2
    numbers = torch.complex(wide[..., :half].contiguous(), wide[..., half:].contiguous())
    angles = torch.outer(positions.to(torch.float32), frequencies.to(torch.float32))
    turned = numbers * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], -1).to(x.dtype)


def grouped_attention(query, key, value, window=None):
    groups, rest = divmod(query.shape[1], key.shape[1])
    if rest:
        raise ValueError(f"{query.shape[1]} query heads, {key.shape[1]} key heads")
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = torch.einsum("bhqd,bhkd->bhqk", query * query.shape[-1] ** -0.5, key)
    q, k = query.shape[2], key.shape[2]
    later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1 + k - q)
    if window is not None:
        later |= torch.ones_like(later).tril(k - q - window)
    scores = scores + torch.zeros_like(scores).masked_fill(later, float("-inf"))
    return torch.einsum("bhqk,bhkd->bhqd", F.softmax(scores, -1), value)


def kv_cache_bytes(config, tokens, bytes_per_number=2):
    width = config.d_head or config.d_model // config.n_heads
    return bytes_per_number * tokens * width * (config.n_kv_heads or config.n_heads) * config.n_layers << 1


class SelfAttention(nn.Module):
    def __init__(self, config, index):
        super().__init__()
        self.config, self.index = config, index
        self.width = config.d_head or config.d_model // config.n_heads
        for name, heads in (
            ("q", config.n_heads),
            ("k", config.n_kv_heads or config.n_heads),
            ("v", config.n_kv_heads or config.n_heads),
        ):
            setattr(self, f"{name}_proj", nn.Linear(config.d_model, heads * self.width, bias=False))
        self.o_proj = nn.Linear(config.n_heads * self.width, config.d_model, bias=False)

    def forward(self, x, cache=None, start=0):
        at = start + torch.arange(x.shape[1], device=x.device)
        speeds = rope_frequencies(self.width, self.config.theta, self.config.scaling).to(x.device)
        weights = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        heads = (x @ weights.mT).unflatten(2, (-1, self.width)).permute(0, 2, 1, 3)
        kv = self.config.n_kv_heads or self.config.n_heads
        query, key, value = heads.split([self.config.n_heads, kv, kv], dim=1)
        query, key = apply_rope(query, at, speeds), apply_rope(key, at, speeds)
        if cache is not None:
            key, value = cache.append(self.index, key, value)
        mixed = grouped_attention(query, key, value, window=self.config.window)
        return torch.einsum("bhsd,mhd->bsm", mixed, self.o_proj.weight.unflatten(1, (-1, self.width)))


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.embed_tokens = nn.Embedding(
            config.vocab_size, config.d_model, _weight=self.lm_head.weight if config.tied else None
        )
        if config.tied:
            self.embed_tokens.weight = self.lm_head.weight

        def norm():
            return RMSNorm(config.d_model, eps=config.eps, plus_one=config.plus_one)

        self.norm = norm()
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "input_layernorm": norm(),
                    "post_attention_layernorm": norm(),
                    "self_attn": SelfAttention(config, index),
                    "mlp": GatedMLP(config.d_model, config.d_ff, activation=config.activation),
                }
            )
            for index in range(config.n_layers)
        )

    def forward(self, ids, cache=None):
        start = 0 if cache is None else len(cache)
        stream = self.embed_tokens(ids) * (self.config.d_model**0.5 if self.config.scaled_embeddings else 1)
        for layer in self.layers:
            stream = stream + layer["self_attn"](layer["input_layernorm"](stream), cache, start)
            stream = stream + layer["mlp"](layer["post_attention_layernorm"](stream))
        return self.lm_head(self.norm(stream))


def forward_cached(model, ids, cache):
    with torch.inference_mode(False), torch.no_grad():
        return model(ids, cache)


def load_llama(model, state):
    config, table = model.config, {}
    width, kv = config.d_head or config.d_model // config.n_heads, config.n_kv_heads or config.n_heads
    cuts = {
        "qkv_proj": (("q_proj", config.n_heads * width), ("k_proj", kv * width), ("v_proj", kv * width)),
        "gate_up_proj": (("gate_proj", config.d_ff), ("up_proj", config.d_ff)),
    }
    for key, value in state.items():
        name = re.sub(r"^model\.", "", key)
        found = re.search(r"\.(qkv_proj|gate_up_proj)\.weight$", name)
        if found:
            parts = cuts[found[1]]
            if list(value.shape) != [sum(rows for _, rows in parts), config.d_model]:
                raise ValueError(f"{key}: {list(value.shape)}")
            at = 0
            for part, rows in parts:
                table[name.replace(found[1], part)] = value[at : at + rows]
                at += rows
        elif not name.endswith(".rotary_emb.inv_freq"):
            table[name] = value
    if config.tied and "embed_tokens.weight" in table:
        head = table.setdefault("lm_head.weight", table["embed_tokens.weight"])
        if not torch.equal(head, table["embed_tokens.weight"]):
            raise ValueError("lm_head.weight is not embed_tokens.weight")
    own = {key: value.shape for key, value in model.state_dict().items()}
    for key in [*own, *table]:
        if own.get(key) != getattr(table.get(key), "shape", None):
            raise ValueError(f"{key}: {own.get(key)} here, {getattr(table.get(key), 'shape', None)} in the checkpoint")
    model.load_state_dict(table)


META = [
    (r"^tok_embeddings\b", "embed_tokens"),
    (r"^output\b", "lm_head"),
    (r"\.attention_norm\b", ".input_layernorm"),
    (r"\.ffn_norm\b", ".post_attention_layernorm"),
    (r"\.attention\.w([qkvo])\b", r".self_attn.\1_proj"),
    (r"\.feed_forward\.w1\b", ".mlp.gate_proj"),
    (r"\.feed_forward\.w2\b", ".mlp.down_proj"),
    (r"\.feed_forward\.w3\b", ".mlp.up_proj"),
]


def from_meta(state, config):
    width = config.d_head or config.d_model // config.n_heads
    table = {}
    for key, value in state.items():
        if re.search(r"\.w[qk]\.weight$", key):
            order = torch.cat([torch.arange(0, width, 2), torch.arange(1, width, 2)])
            value = value.reshape(-1, width, value.shape[-1])[:, order].reshape(value.shape)
        for pattern, ours in META:
            key = re.sub(pattern, ours, key)
        table[key] = value
    table.pop("rope.freqs", None)
    return table


def load_ranks(path, special_tokens):
    with open(path, "rb") as file:
        pairs = [line.split() for line in file.read().splitlines() if line]
    ranks = {base64.decodebytes(token): int(rank) for token, rank in pairs}
    merges = [
        (a[:i], a[i:])
        for a in sorted(ranks, key=lambda token: ranks[token])
        for i in range(1, len(a))
        if {a[:i], a[i:]} <= ranks.keys()
    ]
    return Tokenizer({rank: token for token, rank in ranks.items()}, merges, special_tokens=special_tokens)


LITGPT = [
    (r"^layers\.", "transformer.h."),
    (r"^embed_tokens", "transformer.wte"),
    (r"^norm", "transformer.ln_f"),
    ("input_layernorm", "norm_1"),
    ("post_attention_layernorm", "norm_2"),
    (r"self_attn\.o_proj", "attn.proj"),
    (r"self_attn\.[qkv]_proj", "attn.qkv"),
    ("gate_proj", "fc_1"),
    ("up_proj", "fc_2"),
    ("down_proj", "proj"),
]


def to_litgpt(state):
    gathered = {}
    for key in sorted(state):  # k before q before v, so the queries are put in front
        name = key
        for pattern, theirs in LITGPT:
            name = re.sub(pattern, theirs, name)
        parts = gathered.setdefault(name, [])
        parts.insert(0 if "q_proj" in key else len(parts), state[key])
    return {name: torch.cat(parts) if len(parts) > 1 else parts[0] for name, parts in gathered.items()}
