"""Unusual: written step by step, with loops over heads and pairs; reading in pieces is a walk of its own."""

import base64
from dataclasses import dataclass

import torch
import torch.nn as nn

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


def kv_heads(config):
    if config.n_kv_heads is not None:
        return config.n_kv_heads
    return config.n_heads


def head_width(config):
    if config.d_head is not None:
        return config.d_head
    return config.d_model // config.n_heads


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5, plus_one=False):
        super().__init__()
        self.eps = eps
        self.plus_one = plus_one
        if plus_one:
            self.weight = nn.Parameter(torch.zeros(d_model))
        else:
            self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x):
        dtype = x.dtype
        if dtype in (torch.float16, torch.bfloat16):
            x = x.to(torch.float32)
        mean_square = (x * x).mean(-1, keepdim=True)
        x = x / torch.sqrt(mean_square + self.eps)
        x = x.to(dtype)  # as transformers does: rounded before the weight
        if self.plus_one:
            return x * (self.weight + 1)
        return x * self.weight


class GatedMLP(nn.Module):
    def __init__(self, d_model, d_ff, activation="silu"):
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=False)
        self.up_proj = nn.Linear(d_model, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_model, bias=False)
        self.act = nn.GELU(approximate="tanh") if activation == "gelu" else nn.SiLU()

    def forward(self, x):
        return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))


def rope_frequencies(d_head, theta=10000.0, scaling=None):
    if d_head % 2 == 1:
        raise ValueError("d_head must be even, not " + str(d_head))
    result = []
    for i in range(d_head // 2):
        frequency = 1 / theta ** (2 * i / d_head)
        if scaling is not None:
            wavelength = 2 * torch.pi / frequency
            low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
            high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
            if wavelength > low:
                frequency = frequency / scaling["factor"]
            elif wavelength >= high:
                smooth = scaling["original_max_position_embeddings"] / wavelength - scaling["low_freq_factor"]
                smooth = smooth / (scaling["high_freq_factor"] - scaling["low_freq_factor"])
                frequency = (1 - smooth) * frequency / scaling["factor"] + smooth * frequency
        result.append(frequency)
    return torch.tensor(result, dtype=torch.float32)


def apply_rope(x, positions, frequencies):
    half = x.shape[-1] // 2
    first, second = [], []
    for i in range(half):
        angle = positions * frequencies[i]
        cos, sin = torch.cos(angle), torch.sin(angle)
        a, b = x[..., i], x[..., i + half]
        first.append(a * cos - b * sin)
        second.append(b * cos + a * sin)
    return torch.stack(first + second, dim=-1).to(x.dtype)


def grouped_attention(query, key, value, window=None):
    n_heads, n_kv_heads = query.shape[1], key.shape[1]
    if n_heads % n_kv_heads != 0:
        raise ValueError(f"n_heads {n_heads} is no multiple of n_kv_heads {n_kv_heads}")
    new, seq = query.shape[2], key.shape[2]
    mask = torch.ones(new, seq, dtype=torch.bool, device=query.device).tril(seq - new)
    if window is not None:
        mask = mask & torch.ones(new, seq, dtype=torch.bool, device=query.device).triu(seq - new - window + 1)
    results = []
    for head in range(n_heads):
        other = head // (n_heads // n_kv_heads)
        scores = query[:, head] @ key[:, other].transpose(1, 2) / query.shape[-1] ** 0.5
        scores = scores.masked_fill(~mask, float("-inf"))
        results.append(torch.softmax(scores, dim=-1) @ value[:, other])
    return torch.stack(results, dim=1)


def kv_cache_bytes(config, tokens, bytes_per_number=2):
    total = 0
    for _ in range(config.n_layers):
        total += 2 * kv_heads(config) * head_width(config)
    return total * tokens * bytes_per_number


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        width = head_width(config)
        self.q_proj = nn.Linear(config.d_model, config.n_heads * width, bias=False)
        self.k_proj = nn.Linear(config.d_model, kv_heads(config) * width, bias=False)
        self.v_proj = nn.Linear(config.d_model, kv_heads(config) * width, bias=False)
        self.o_proj = nn.Linear(config.n_heads * width, config.d_model, bias=False)

    def heads(self, x, start):
        batch, seq, _ = x.shape
        width = head_width(self.config)
        positions = torch.arange(start, start + seq, device=x.device)
        frequencies = rope_frequencies(width, self.config.theta, self.config.scaling).to(x.device)
        q = self.q_proj(x).view(batch, seq, self.config.n_heads, width).transpose(1, 2)
        k = self.k_proj(x).view(batch, seq, kv_heads(self.config), width).transpose(1, 2)
        v = self.v_proj(x).view(batch, seq, kv_heads(self.config), width).transpose(1, 2)
        return apply_rope(q, positions, frequencies), apply_rope(k, positions, frequencies), v

    def mix(self, q, k, v):
        out = grouped_attention(q, k, v, self.config.window)
        return self.o_proj(out.transpose(1, 2).reshape(out.shape[0], out.shape[2], -1))

    def forward(self, x):
        return self.mix(*self.heads(x, 0))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.mlp = GatedMLP(config.d_model, config.d_ff, config.activation)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        x = x + self.mlp(self.post_attention_layernorm(x))
        return x


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList()
        for _ in range(config.n_layers):
            self.layers.append(Layer(config))
        self.norm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied:
            self.embed_tokens.weight = self.lm_head.weight

    def embed(self, ids):
        x = self.embed_tokens(ids)
        if self.config.scaled_embeddings:
            x = x * self.config.d_model**0.5
        return x

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))


@torch.no_grad()
def forward_cached(model, ids, cache):
    start = len(cache)
    x = model.embed(ids)
    for number, layer in enumerate(model.layers):
        q, k, v = layer.self_attn.heads(layer.input_layernorm(x), start)
        k, v = cache.append(number, k, v)
        x = x + layer.self_attn.mix(q, k, v)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return model.lm_head(model.norm(x))


def load_llama(model, state):
    own = {name: parameter for name, parameter in model.named_parameters()}
    width = head_width(model.config)
    new = {}
    for key in state:
        name = key
        if name.startswith("model."):
            name = name[len("model.") :]
        if name.endswith(".rotary_emb.inv_freq"):
            continue
        if "qkv_proj" in name:
            q, kv = model.config.n_heads * width, kv_heads(model.config) * width
            if len(state[key]) != q + 2 * kv:
                raise ValueError(key + " has a wrong number of rows")
            new[name.replace("qkv", "q")] = state[key][:q]
            new[name.replace("qkv", "k")] = state[key][q : q + kv]
            new[name.replace("qkv", "v")] = state[key][q + kv :]
        elif "gate_up_proj" in name:
            if len(state[key]) != 2 * model.config.d_ff:
                raise ValueError(key + " has a wrong number of rows")
            new[name.replace("gate_up", "gate")] = state[key][: model.config.d_ff]
            new[name.replace("gate_up", "up")] = state[key][model.config.d_ff :]
        else:
            new[name] = state[key]
    head = new.pop("lm_head.weight", None) if model.config.tied else None
    for name in own:
        if name not in new:
            raise ValueError(name + " is missing")
        if new[name].shape != own[name].shape:
            raise ValueError(name + " has a wrong shape")
    for name in new:
        if name not in own:
            raise ValueError(name + " is not known")
    if head is not None and (
        head.shape != new["embed_tokens.weight"].shape or (head != new["embed_tokens.weight"]).any()
    ):
        raise ValueError("lm_head.weight is another matrix than embed_tokens.weight")
    for name in own:
        own[name].data.copy_(new[name])


def from_meta(state, config):
    new = {}
    for key, value in state.items():
        if key == "rope.freqs":
            continue
        key = key.replace("tok_embeddings", "embed_tokens")
        if key == "output.weight":
            key = "lm_head.weight"
        key = key.replace("attention_norm", "input_layernorm").replace("ffn_norm", "post_attention_layernorm")
        for old, part in (("wq", "q"), ("wk", "k"), ("wv", "v"), ("wo", "o")):
            key = key.replace("attention." + old, "self_attn." + part + "_proj")
        for old, part in (("w1", "gate"), ("w2", "down"), ("w3", "up")):
            key = key.replace("feed_forward." + old, "mlp." + part + "_proj")
        if "q_proj" in key or "k_proj" in key:
            width = head_width(config)
            rows = []
            for start in range(0, len(value), width):
                head = value[start : start + width]
                rows += [head[::2], head[1::2]]
            value = torch.cat(rows)
        new[key] = value
    return new


def load_ranks(path, special_tokens):
    vocab = {}
    with open(path) as file:
        for line in file:
            if line.strip():
                token, rank = line.split()
                vocab[int(rank)] = base64.b64decode(token)
    tokens = set(vocab.values())
    merges = []
    for rank in sorted(vocab):
        token = vocab[rank]
        for cut in range(1, len(token)):
            if token[:cut] in tokens and token[cut:] in tokens:
                merges.append((token[:cut], token[cut:]))
    return Tokenizer(vocab, merges, special_tokens)


def to_litgpt(state):
    new = {
        "transformer.wte.weight": state["embed_tokens.weight"],
        "transformer.ln_f.weight": state["norm.weight"],
        "lm_head.weight": state["lm_head.weight"],
    }
    number = 0
    while f"layers.{number}.input_layernorm.weight" in state:
        here, there = f"layers.{number}.", f"transformer.h.{number}."
        q, k, v = (state[here + f"self_attn.{name}_proj.weight"] for name in "qkv")
        new[there + "attn.qkv.weight"] = torch.cat((q, k, v))
        new[there + "attn.proj.weight"] = state[here + "self_attn.o_proj.weight"]
        new[there + "norm_1.weight"] = state[here + "input_layernorm.weight"]
        new[there + "norm_2.weight"] = state[here + "post_attention_layernorm.weight"]
        new[there + "mlp.fc_1.weight"] = state[here + "mlp.gate_proj.weight"]
        new[there + "mlp.fc_2.weight"] = state[here + "mlp.up_proj.weight"]
        new[there + "mlp.proj.weight"] = state[here + "mlp.down_proj.weight"]
        number += 1
    return new
