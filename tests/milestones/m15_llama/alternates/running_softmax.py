"""Unusual: turns are matrices, attention runs over the keys with a running softmax, the layers share one function, and
parts are made from a table of shapes."""

import base64
import itertools
import math
from dataclasses import asdict, dataclass

import torch
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


def widths(config):
    sizes = asdict(config)
    kv = sizes["n_kv_heads"] if sizes["n_kv_heads"] is not None else sizes["n_heads"]
    width = sizes["d_head"] if sizes["d_head"] is not None else sizes["d_model"] // sizes["n_heads"]
    return sizes["n_heads"] * width, kv * width, width


def rms(x, weight, eps):
    small = x.dtype in (torch.half, torch.bfloat16)
    y = x.float() if small else x
    y = y / (y.norm(dim=-1, keepdim=True) ** 2 / y.size(-1) + eps) ** 0.5
    return torch.mul(y, weight.to(y.dtype)).to(x.dtype)


def gated(x, gate, up, down, activation):
    y = x @ gate.t()
    if activation == "gelu":
        y = y * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))
    else:
        y = y / (1 + torch.exp(-y))
    return (y * (x @ up.t())) @ down.t()


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5, plus_one=False):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(d_model) + (not plus_one))
        self.settings = (eps, int(plus_one))

    def forward(self, x):
        eps, more = self.settings
        return rms(x, self.weight.to(torch.float64 if x.dtype == torch.float64 else torch.float32) + more, eps)


class GatedMLP(nn.Module):
    def __init__(self, d_model, d_ff, activation="silu"):
        super().__init__()
        for name, shape in {"gate": (d_model, d_ff), "up": (d_model, d_ff), "down": (d_ff, d_model)}.items():
            self.add_module(f"{name}_proj", nn.Linear(*shape, bias=False))
        self.activation = activation

    def forward(self, x):
        return gated(x, *(self._modules[f"{name}_proj"].weight for name in ("gate", "up", "down")), self.activation)


def rope_frequencies(d_head, theta=10000.0, scaling=None):
    half, odd = divmod(d_head, 2)
    if odd:
        raise ValueError(f"cannot make pairs of {d_head} numbers")
    speeds = [math.exp(-math.log(theta) * pair / half) for pair in range(half)]
    if scaling:
        low, high, factor = (scaling[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
        for pair, speed in enumerate(speeds):
            turns = scaling["original_max_position_embeddings"] * speed / math.tau
            kept = min(1.0, max(0.0, (turns - low) / (high - low)))
            speeds[pair] = speed * (kept + (1 - kept) / factor)
    return torch.tensor(speeds)


def apply_rope(x, positions, frequencies):
    half = x.size(-1) // 2
    angles = positions.unsqueeze(1) * frequencies.float()
    cos, sin = torch.diag_embed(angles.cos()), torch.diag_embed(angles.sin())
    turn = torch.cat([torch.cat([cos, -sin], dim=2), torch.cat([sin, cos], dim=2)], dim=1)  # (seq, d_head, d_head)
    assert turn.shape[-1] == 2 * half
    wide = x if x.dtype == torch.float64 else x.float()
    return (turn.to(wide.dtype) @ wide.unsqueeze(-1)).squeeze(-1).to(x.dtype)


def grouped_attention(query, key, value, window=None):
    heads, kv = query.size(1), key.size(1)
    if heads != heads // kv * kv:
        raise ValueError(f"{heads} is not a multiple of {kv}")
    new, seq = query.size(2), key.size(2)
    order = torch.arange(heads, device=query.device) * kv // heads
    key, value = key.index_select(1, order), value.index_select(1, order)
    at = torch.arange(new, device=query.device) + seq - new
    highest = torch.full_like(query[..., :1], -1e30 if query.dtype != torch.half else -6e4)
    total, mixed = torch.zeros_like(highest), torch.zeros_like(query)
    for j in range(seq):
        score = (query * key[:, :, j : j + 1]).sum(-1, keepdim=True) / math.sqrt(query.size(-1))
        seen = (at >= j) if window is None else (at >= j) & (at - j < window)
        score = score.masked_fill(~seen[:, None], -math.inf)
        top = torch.maximum(highest, score)
        old, weight = torch.exp(highest - top), torch.exp(score - top)
        total, mixed, highest = total * old + weight, mixed * old + weight * value[:, :, j : j + 1], top
    return mixed / total


def kv_cache_bytes(config, tokens, bytes_per_number=2):
    return sum(2 * widths(config)[1] * bytes_per_number for _ in range(config.n_layers)) * tokens


class Parts(nn.Module):
    """Holds what is given, under its name."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        q, kv, _ = widths(config)

        def linear(wide, high):
            return nn.Linear(wide, high, bias=False)

        layers = []
        for _ in range(config.n_layers):
            first, second = (RMSNorm(config.d_model, config.eps, config.plus_one) for _ in range(2))
            attention = Parts(
                q_proj=linear(config.d_model, q),
                k_proj=linear(config.d_model, kv),
                v_proj=linear(config.d_model, kv),
                o_proj=linear(q, config.d_model),
            )
            mlp = GatedMLP(config.d_model, config.d_ff, config.activation)
            layers.append(Parts(input_layernorm=first, self_attn=attention, post_attention_layernorm=second, mlp=mlp))
        self.layers = nn.ModuleList(layers)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.norm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.lm_head = linear(config.d_model, config.vocab_size)
        if config.tied:
            self.lm_head.weight = self.embed_tokens.weight

    def forward(self, ids):
        return walk(self, ids, 0, lambda layer, key, value: (key, value))


def walk(model, ids, start, keep):
    config = model.config
    width = widths(config)[2]
    positions = torch.arange(start, start + ids.size(1), device=ids.device)
    speeds = rope_frequencies(width, config.theta, config.scaling).to(ids.device)
    x = model.embed_tokens(ids)
    if config.scaled_embeddings:
        x = x * config.d_model**0.5
    for number, layer in enumerate(model.layers):
        given, attention = layer.input_layernorm(x), layer.self_attn
        query, key, value = (
            torch.stack(part(given).split(width, dim=-1), dim=1)
            for part in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        key, value = keep(number, apply_rope(key, positions, speeds), value)
        mixed = grouped_attention(apply_rope(query, positions, speeds), key, value, config.window)
        x = x + attention.o_proj(torch.cat(mixed.unbind(1), dim=-1))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return model.lm_head(model.norm(x))


def forward_cached(model, ids, cache):
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        return walk(model, ids, len(cache), cache.append)
    finally:
        torch.set_grad_enabled(before)


def load_llama(model, state):
    q, kv, _ = widths(model.config)
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    source = {}  # our name -> a function that reads the tensor
    for key, tensor in state.items():
        name = key[6:] if key[:6] == "model." else key
        stem = name.rsplit(".", 2)
        if stem[-2:] == ["rotary_emb", "inv_freq"]:
            continue
        parts = [name]
        rows = [len(tensor)]
        if len(stem) == 3 and stem[1] == "qkv_proj":
            parts, rows = [f"{stem[0]}.{letter}_proj.weight" for letter in "qkv"], [q, kv, kv]
        if len(stem) == 3 and stem[1] == "gate_up_proj":
            parts, rows = [f"{stem[0]}.{word}_proj.weight" for word in ("gate", "up")], [model.config.d_ff] * 2
        if sum(rows) != len(tensor):
            raise ValueError(f"{key} has {len(tensor)} rows for {sum(rows)}")
        for part, end, count in zip(parts, itertools.accumulate(rows), rows, strict=True):
            source[part] = tensor.narrow(0, end - count, count)
    if model.config.tied and "lm_head.weight" in source:
        head, table = source.pop("lm_head.weight"), source.get("embed_tokens.weight")
        if table is None or head.shape != table.shape or not bool((head == table).all()):
            raise ValueError("lm_head.weight and embed_tokens.weight differ")
    faults = [
        name
        for name in {**wanted, **source}
        if name not in wanted or name not in source or wanted[name] != source[name].shape
    ]
    if faults:
        raise ValueError(f"{', '.join(faults)} do not fit")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(False)
        parameter[...] = source[name].to(parameter.dtype)
        parameter.requires_grad_(True)


WORDS = {
    "tok_embeddings": "embed_tokens",
    "output": "lm_head",
    "norm": "norm",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "wq": "self_attn.q_proj",
    "wk": "self_attn.k_proj",
    "wv": "self_attn.v_proj",
    "wo": "self_attn.o_proj",
    "w1": "mlp.gate_proj",
    "w2": "mlp.down_proj",
    "w3": "mlp.up_proj",
}


def from_meta(state, config):
    width, result = widths(config)[2], {}
    for key in state.keys() - {"rope.freqs"}:
        *before, word, _ = key.split(".")
        place = ".".join(before[:2])
        value = state[key]
        if word in ("wq", "wk"):
            blocks = value.split(width)
            value = torch.cat([torch.cat([block[parity::2] for parity in (0, 1)]) for block in blocks])
        result[".".join(filter(None, [place, WORDS[word], "weight"]))] = value
    return result


def load_ranks(path, special_tokens):
    text = open(path, encoding="utf-8").read().strip()
    pairs = sorted(
        (int(rank), base64.b64decode(token)) for token, rank in (line.split(" ") for line in text.split("\n"))
    )
    vocab = dict(pairs)
    known = frozenset(vocab.values())

    def halves(token):
        return [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in known and token[i:] in known]

    return Tokenizer(vocab, list(itertools.chain.from_iterable(halves(token) for _, token in pairs)), special_tokens)


def to_litgpt(state):
    ends = {"embed_tokens.weight": "transformer.wte.weight", "norm.weight": "transformer.ln_f.weight"}
    parts = {
        "input_layernorm": "norm_1",
        "post_attention_layernorm": "norm_2",
        "o_proj": "attn.proj",
        "gate_proj": "mlp.fc_1",
        "up_proj": "mlp.fc_2",
        "down_proj": "mlp.proj",
    }
    result = {}
    for key in state:
        words = key.split(".")
        if words[0] != "layers":
            result[ends.get(key, key)] = state[key]
        elif words[-2] in parts:
            result[f"transformer.h.{words[1]}.{parts[words[-2]]}.weight"] = state[key]
        elif words[-2] == "v_proj":
            three = [state[key.replace("v_proj", f"{letter}_proj")] for letter in "qkv"]
            result[f"transformer.h.{words[1]}.attn.qkv.weight"] = torch.vstack(three)
    return result
