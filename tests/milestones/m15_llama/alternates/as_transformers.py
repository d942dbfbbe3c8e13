"""Unusual: as transformers has it: rotate_half, cosines in the dtype of x, keys repeated."""

import base64
import re
from dataclasses import dataclass, fields

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


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5, plus_one=False):
        super().__init__()
        self.variance_epsilon = eps
        self.plus_one = plus_one
        self.weight = nn.Parameter((torch.zeros if plus_one else torch.ones)(d_model))

    def forward(self, hidden_states):
        input_dtype = hidden_states.dtype
        hidden_states = hidden_states if input_dtype == torch.float64 else hidden_states.to(torch.float32)
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        hidden_states = hidden_states * torch.rsqrt(variance + self.variance_epsilon)
        if self.plus_one:
            return (hidden_states * (1.0 + self.weight.to(hidden_states.dtype))).type(input_dtype)
        return self.weight * hidden_states.to(input_dtype)


class GatedMLP(nn.Module):
    def __init__(self, d_model, d_ff, activation="silu"):
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=False)
        self.up_proj = nn.Linear(d_model, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_model, bias=False)
        self.act_fn = {"silu": nn.functional.silu, "gelu": lambda x: nn.functional.gelu(x, approximate="tanh")}[
            activation
        ]

    def forward(self, x):
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


def rope_frequencies(d_head, theta=10000.0, scaling=None):
    if d_head % 2 != 0:
        raise ValueError(f"d_head={d_head}")
    inv_freq = 1.0 / (theta ** (torch.arange(0, d_head, 2, dtype=torch.int64).to(dtype=torch.float) / d_head))
    if scaling is None:
        return inv_freq
    factor = scaling["factor"]
    old = scaling["original_max_position_embeddings"]
    low_wavelen, high_wavelen = old / scaling["low_freq_factor"], old / scaling["high_freq_factor"]
    wavelen = 2 * torch.pi / inv_freq
    stretched = torch.where(wavelen > low_wavelen, inv_freq / factor, inv_freq)
    smooth = (old / wavelen - scaling["low_freq_factor"]) / (scaling["high_freq_factor"] - scaling["low_freq_factor"])
    smoothed = (1 - smooth) * stretched / factor + smooth * stretched
    is_medium = ~(wavelen < high_wavelen) * ~(wavelen > low_wavelen)
    return torch.where(is_medium, smoothed, stretched)


def rotate_half(x):
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


def apply_rope(x, positions, frequencies):
    freqs = positions[..., None].to(torch.float32) * frequencies.to(torch.float32)
    emb = torch.cat((freqs, freqs), dim=-1)
    cos, sin = emb.cos().to(x.dtype), emb.sin().to(x.dtype)
    return (x * cos) + (rotate_half(x) * sin)


def repeat_kv(hidden_states, n_rep):
    batch, heads, seq, width = hidden_states.shape
    return hidden_states[:, :, None].expand(batch, heads, n_rep, seq, width).reshape(batch, heads * n_rep, seq, width)


def grouped_attention(query, key, value, window=None):
    if query.size(1) % key.size(1) != 0:
        raise ValueError("n_heads=%d, n_kv_heads=%d" % (query.size(1), key.size(1)))
    n_rep = query.size(1) // key.size(1)
    key, value = repeat_kv(key, n_rep), repeat_kv(value, n_rep)
    weights = torch.matmul(query, key.transpose(2, 3)) * query.size(-1) ** -0.5
    places = torch.arange(key.size(2), device=query.device)
    own = places[key.size(2) - query.size(2) :, None]
    visible = places <= own
    if window is not None:
        visible = visible & (places > own - window)
    weights = weights.masked_fill(~visible, torch.finfo(weights.dtype).min)
    weights = nn.functional.softmax(weights, dim=-1, dtype=torch.promote_types(weights.dtype, torch.float32)).to(
        query.dtype
    )
    return torch.matmul(weights, value).contiguous()


class Sizes:
    def __init__(self, config):
        for field in fields(config):
            setattr(self, field.name, getattr(config, field.name))
        self.n_kv_heads = config.n_kv_heads if config.n_kv_heads else config.n_heads
        self.d_head = config.d_head if config.d_head else config.d_model // config.n_heads


def kv_cache_bytes(config, tokens, bytes_per_number=2):
    sizes = Sizes(config)
    return 2 * bytes_per_number * tokens * sizes.n_layers * sizes.n_kv_heads * sizes.d_head


class LlamaAttention(nn.Module):
    def __init__(self, sizes, layer_idx):
        super().__init__()
        self.sizes, self.layer_idx = sizes, layer_idx
        self.q_proj = nn.Linear(sizes.d_model, sizes.n_heads * sizes.d_head, bias=False)
        self.k_proj = nn.Linear(sizes.d_model, sizes.n_kv_heads * sizes.d_head, bias=False)
        self.v_proj = nn.Linear(sizes.d_model, sizes.n_kv_heads * sizes.d_head, bias=False)
        self.o_proj = nn.Linear(sizes.n_heads * sizes.d_head, sizes.d_model, bias=False)

    def forward(self, hidden_states, position_ids, inv_freq, past_key_values):
        shape = (*hidden_states.shape[:-1], -1, self.sizes.d_head)
        query = apply_rope(self.q_proj(hidden_states).view(shape).transpose(1, 2), position_ids, inv_freq)
        key = apply_rope(self.k_proj(hidden_states).view(shape).transpose(1, 2), position_ids, inv_freq)
        value = self.v_proj(hidden_states).view(shape).transpose(1, 2)
        if past_key_values is not None:
            key, value = past_key_values.append(self.layer_idx, key, value)
        out = grouped_attention(query, key, value, self.sizes.window)
        return self.o_proj(out.transpose(1, 2).reshape(*hidden_states.shape[:-1], -1))


class LlamaDecoderLayer(nn.Module):
    def __init__(self, sizes, layer_idx):
        super().__init__()
        self.self_attn = LlamaAttention(sizes, layer_idx)
        self.mlp = GatedMLP(sizes.d_model, sizes.d_ff, sizes.activation)
        self.input_layernorm = RMSNorm(sizes.d_model, sizes.eps, sizes.plus_one)
        self.post_attention_layernorm = RMSNorm(sizes.d_model, sizes.eps, sizes.plus_one)

    def forward(self, hidden_states, **kwargs):
        residual = hidden_states
        hidden_states = residual + self.self_attn(self.input_layernorm(hidden_states), **kwargs)
        residual = hidden_states
        return residual + self.mlp(self.post_attention_layernorm(hidden_states))


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        sizes = Sizes(config)
        self.embed_tokens = nn.Embedding(sizes.vocab_size, sizes.d_model)
        self.layers = nn.ModuleList([LlamaDecoderLayer(sizes, i) for i in range(sizes.n_layers)])
        self.norm = RMSNorm(sizes.d_model, eps=sizes.eps, plus_one=sizes.plus_one)
        self.lm_head = nn.Linear(sizes.d_model, sizes.vocab_size, bias=False)
        self.post_init()

    def post_init(self):
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        if self.config.tied:
            self.lm_head.weight = self.embed_tokens.weight

    def forward(self, input_ids, past_key_values=None):
        seen = len(past_key_values) if past_key_values is not None else 0
        position_ids = torch.arange(input_ids.shape[1], device=input_ids.device) + seen
        sizes = Sizes(self.config)
        inv_freq = rope_frequencies(sizes.d_head, sizes.theta, sizes.scaling).to(input_ids.device)
        hidden_states = self.embed_tokens(input_ids)
        if sizes.scaled_embeddings:
            hidden_states = hidden_states * torch.tensor(sizes.d_model**0.5, dtype=hidden_states.dtype)
        for layer in self.layers:
            hidden_states = layer(
                hidden_states, position_ids=position_ids, inv_freq=inv_freq, past_key_values=past_key_values
            )
        return self.lm_head(self.norm(hidden_states))


@torch.no_grad()
def forward_cached(model, ids, cache):
    return model(ids, past_key_values=cache)


FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


def load_llama(model, state):
    expected = dict(model.named_parameters())
    checkpoint = {
        key.removeprefix("model."): value for key, value in state.items() if not key.endswith(".rotary_emb.inv_freq")
    }
    for key in list(checkpoint):
        module = key.split(".")[-2:][0]
        if module in FUSED:
            targets = [key.replace(module, part) for part in FUSED[module]]
            rows = [expected[target].shape[0] if target in expected else -1 for target in targets]
            fused = checkpoint.pop(key)
            if sum(rows) != fused.shape[0]:
                raise ValueError(f"{key}: {fused.shape[0]} rows where {rows} were expected")
            checkpoint.update(zip(targets, fused.split(rows), strict=True))
    if model.config.tied and "lm_head.weight" in checkpoint:
        tied = checkpoint.pop("lm_head.weight")
        if not torch.equal(tied, checkpoint.get("embed_tokens.weight", tied)):
            raise ValueError("lm_head.weight: the embeddings are tied, and this differs from them")
    if missing := expected.keys() - checkpoint.keys():
        raise ValueError(f"missing keys: {sorted(missing)}")
    if unexpected := checkpoint.keys() - expected.keys():
        raise ValueError(f"unexpected keys: {sorted(unexpected)}")
    mismatched = [key for key, value in checkpoint.items() if value.size() != expected[key].size()]
    if mismatched:
        raise ValueError(f"mismatched sizes: {mismatched}")
    with torch.no_grad():
        for key, value in checkpoint.items():
            expected[key].copy_(value)


RENAMED = [
    (r"^tok_embeddings", "embed_tokens"),
    (r"^output", "lm_head"),
    (r"attention_norm", "input_layernorm"),
    (r"ffn_norm", "post_attention_layernorm"),
    (r"attention\.w(.)", r"self_attn.\1_proj"),
    (r"feed_forward\.w1", "mlp.gate_proj"),
    (r"feed_forward\.w2", "mlp.down_proj"),
    (r"feed_forward\.w3", "mlp.up_proj"),
]


def permute(weight, d_head):
    return weight.view(-1, d_head // 2, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def from_meta(state, config):
    converted = {}
    for theirs in state:
        if theirs == "rope.freqs":
            continue
        ours = theirs
        for pattern, replacement in RENAMED:
            ours = re.sub(pattern, replacement, ours)
        turned = re.search(r"attention\.w[qk]", theirs)
        converted[ours] = permute(state[theirs], Sizes(config).d_head) if turned else state[theirs]
    return converted


def load_ranks(path, special_tokens):
    with open(path, "rb") as file:
        pairs = [line.split() for line in file if line.strip()]
    mergeable_ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    found = []
    for token, rank in mergeable_ranks.items():
        for index in range(1, len(token)):
            left, right = token[:index], token[index:]
            if left in mergeable_ranks and right in mergeable_ranks:
                found.append((rank, index, left, right))
    merges = [(left, right) for _, _, left, right in sorted(found)]
    return Tokenizer({rank: token for token, rank in mergeable_ranks.items()}, merges, special_tokens)


def to_litgpt(state):
    weight_map = {
        r"^embed_tokens": "transformer.wte",
        r"^norm": "transformer.ln_f",
        r"^layers": "transformer.h",
        r"input_layernorm": "norm_1",
        r"post_attention_layernorm": "norm_2",
        r"self_attn\.o_proj": "attn.proj",
        r"mlp\.gate_proj": "mlp.fc_1",
        r"mlp\.up_proj": "mlp.fc_2",
        r"mlp\.down_proj": "mlp.proj",
        r"self_attn\.[qkv]_proj": "attn.qkv",
    }
    gathered = {}
    for key in sorted(state, key=lambda key: "qkv".find(key[-len("q_proj.weight") :][:1])):
        name = key
        for pattern, theirs in weight_map.items():
            name = re.sub(pattern, theirs, name)
        gathered.setdefault(name, []).append(state[key])
    return {name: parts[0] if len(parts) == 1 else torch.cat(parts) for name, parts in gathered.items()}
