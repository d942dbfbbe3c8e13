"""m15_llama: exchange a few parts of GPT-2 for others, and it is Llama; turn its switches, and it is Llama's kin.

A norm without a mean, an MLP with a gate, positions that turn queries and keys, keys and values that several heads
share: open models since 2023 are made of these. You build them, read what others have trained, and hand yours on.

Each part gives back the dtype that it was given. Left out: SentencePiece (Llama 2 reads text by it), dropout, YaRN.
Not allowed, since you build them: torch's RMSNorm, rms_norm, scaled_dot_product_attention and nn.MultiheadAttention.
"""

import base64
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .m01_tokenizer import Tokenizer

Vectors = Float[Tensor, "... d_model"]
Heads = Float[Tensor, "batch n_heads seq d_head"]
KeyHeads = Float[Tensor, "batch n_kv_heads seq d_head"]
State = dict[str, Tensor]


@dataclass
class LlamaConfig:
    """The sizes and switches of a model. Given, nothing to do here: the defaults are Llama 2 7B's."""

    vocab_size: int = 32000
    d_model: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int | None = None  # None: as many as n_heads
    d_head: int | None = None  # None: d_model // n_heads
    d_ff: int = 11008
    eps: float = 1e-5
    theta: float = 10000.0
    scaling: dict[str, Any] | None = None  # Llama 3.1's, see rope_frequencies
    tied: bool = False  # lm_head.weight IS embed_tokens.weight
    window: int | None = None  # Mistral's, see grouped_attention
    activation: str = "silu"  # Gemma's: "gelu", see GatedMLP
    plus_one: bool = False  # Gemma's, see RMSNorm
    scaled_embeddings: bool = False  # Gemma's, see Llama


class RMSNorm(nn.Module):
    """Divide each vector by the root of the mean of its squares, eps added below the root, and multiply by `weight`.

    The weight starts at 1. With plus_one it starts at 0, and 1 + weight multiplies. Half precision is computed in
    float32, and float64 in float64. (Zhang and Sennrich 2019.)
    Example: [3, 4] with eps 0 becomes [3, 4] / sqrt(12.5), [0.8485, 1.1314].
    """

    def __init__(self, d_model: int, eps: float = 1e-5, plus_one: bool = False) -> None:
        super().__init__()
        self.eps, self.plus_one = eps, plus_one
        self.weight = nn.Parameter(torch.zeros(d_model) if plus_one else torch.ones(d_model))

    def forward(self, x: Vectors) -> Vectors:
        """Normalise each vector along the last axis by itself."""
        wide = x if x.dtype == torch.float64 else x.float()  # the square of 300 is more than float16 holds
        # Pitfall: eps stands below the root. Outside, small vectors come out much larger.
        scale = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        weight = self.weight.to(wide.dtype)
        return (wide * scale * (1 + weight if self.plus_one else weight)).to(x.dtype)


class GatedMLP(nn.Module):
    """Let one projection open and close another: down_proj(act(gate_proj(x)) * up_proj(x)); nn.Linear without biases.

    act is SiLU, x * sigmoid(x), or with activation "gelu" GELU in its form with tanh. (Shazeer 2020: SwiGLU, GEGLU.)
    Example: with [[1]] for all three weights, [2] becomes [3.5232].
    """

    def __init__(self, d_model: int, d_ff: int, activation: str = "silu") -> None:
        super().__init__()
        self.activation = activation
        self.gate_proj = nn.Linear(d_model, d_ff, bias=False)
        self.up_proj = nn.Linear(d_model, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Vectors) -> Vectors:
        """Send each vector along the last axis through all three layers."""
        gate = self.gate_proj(x)
        opened = nn.functional.gelu(gate, approximate="tanh") if self.activation == "gelu" else gate * gate.sigmoid()
        return self.down_proj(opened * self.up_proj(x))


def rope_frequencies(d_head: int, theta: float = 1e4, scaling: dict[str, Any] | None = None) -> Float[Tensor, "half"]:
    """Return by how many radians each pair turns from a position to the next: theta ** (-2 * i / d_head), in float32.

    Llama 3.1 stretches them by `scaling`: factor, low_freq_factor, high_freq_factor, original_max_position_embeddings;
    other keys say nothing. A pair makes t = original * frequency / (2 * pi) turns. Where t exceeds high_freq_factor its
    frequency stays, below low_freq_factor it is divided by factor; between, it is s * frequency + (1 - s) * frequency /
    factor, and s goes evenly from 0 at low to 1 at high. Example: rope_frequencies(4) is [1, 0.01].
    Raises ValueError, naming d_head, when that is odd.
    """
    if d_head % 2:
        raise ValueError(f"d_head {d_head} is odd; it must consist of pairs")
    frequencies = theta ** (-torch.arange(0, d_head, 2) / d_head)
    if scaling is not None:
        turns = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        share = ((turns - low) / (high - low)).clamp(0, 1)  # of the frequency as it was
        frequencies = share * frequencies + (1 - share) * frequencies / scaling["factor"]
    return frequencies


def apply_rope(x: Heads, positions: Int64[Tensor, "seq"], frequencies: Float[Tensor, "half"]) -> Heads:
    """Turn each pair (x[i], x[i + d_head / 2]) at position p by the angle p * frequencies[i], counterclockwise.

    So (a, b) becomes (a cos - b sin, a sin + b cos). Angles are float32 also where x is half precision, and float64
    is turned in float64. (Su et al. 2021.) Example: [1, 0] at position 1 with frequency pi / 2 becomes [0, 1].
    """
    angles = positions[:, None] * frequencies  # (seq, half), in the frequencies' float32
    cos, sin = angles.cos(), angles.sin()
    # Pitfall: Meta's code turns neighbours (2i, 2i + 1); Hugging Face's checkpoints are laid out for halves.
    a, b = x.chunk(2, dim=-1)  # half precision times float32 is float32
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)


def grouped_attention(query: Heads, key: KeyHeads, value: KeyHeads, window: int | None = None) -> Heads:
    """Attend causally, where each n_heads / n_kv_heads query heads side by side share one head of keys and values.

    Fewer queries than keys are those of the last positions. Each sees its own position and all before it, with a window
    no more than `window` of them in all. Scores are divided by sqrt(d_head). (Ainslie et al. 2023.)
    Example: of 4 heads with 2 for keys, heads 0 and 1 read head 0 of the keys, 2 and 3 read head 1.
    Raises ValueError, naming both, unless n_kv_heads divides n_heads.
    """
    batch, n_heads, new, d_head = query.shape
    n_kv_heads, seq = key.shape[1], key.shape[2]
    if n_heads % n_kv_heads:
        raise ValueError(f"{n_heads} heads cannot share {n_kv_heads} heads of keys and values evenly")
    # An axis for the heads of a group: keys and values are broadcast along it, and nothing is copied.
    grouped = query.reshape(batch, n_kv_heads, n_heads // n_kv_heads, new, d_head)
    scores = grouped @ key[:, :, None].transpose(-2, -1) / math.sqrt(d_head)
    back = torch.arange(seq - new, seq, device=query.device)[:, None] - torch.arange(seq, device=query.device)
    hidden = (back < 0) if window is None else (back < 0) | (back >= window)
    weights = scores.masked_fill(hidden, -math.inf).softmax(dim=-1)
    return (weights @ value[:, :, None]).reshape(batch, n_heads, new, d_head)


def kv_cache_bytes(config: LlamaConfig, tokens: int, bytes_per_number: int = 2) -> int:
    """Count the bytes of so many tokens' keys and values, in all layers.

    Example: a token of Llama 2 7B takes 524,288; with 8 heads of keys and values, as Llama 3 8B has them, 131,072.
    """
    _, n_kv_heads, d_head = _heads(config)
    return 2 * config.n_layers * n_kv_heads * d_head * tokens * bytes_per_number


def _heads(config: LlamaConfig) -> tuple[int, int, int]:
    """Return the numbers of heads for queries and for keys, and how wide a head is."""
    n_kv_heads = config.n_heads if config.n_kv_heads is None else config.n_kv_heads
    return config.n_heads, n_kv_heads, config.d_model // config.n_heads if config.d_head is None else config.d_head


class _Attention(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        n_heads, n_kv_heads, self.d_head = _heads(config)
        self.window = config.window
        self.q_proj = nn.Linear(config.d_model, n_heads * self.d_head, bias=False)
        self.k_proj = nn.Linear(config.d_model, n_kv_heads * self.d_head, bias=False)
        self.v_proj = nn.Linear(config.d_model, n_kv_heads * self.d_head, bias=False)
        self.o_proj = nn.Linear(n_heads * self.d_head, config.d_model, bias=False)

    def forward(self, x: Tensor, positions: Tensor, frequencies: Tensor, layer: int, cache: Any) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (-1, self.d_head)).transpose(1, 2)  # (batch, heads, seq, d_head)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = (apply_rope(part, positions, frequencies) for part in (query, key))
        if cache is not None:
            key, value = cache.append(layer, key, value)
        mixed = grouped_attention(query, key, value, self.window)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.self_attn = _Attention(config)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.mlp = GatedMLP(config.d_model, config.d_ff, config.activation)

    def forward(self, x: Tensor, positions: Tensor, frequencies: Tensor, layer: int, cache: Any) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), positions, frequencies, layer, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """From ids to logits: LLaMA (Touvron et al. 2023), section 2.2. No nn.Linear has a bias; `config` is kept.

    Its parts: `embed_tokens` (nn.Embedding), `layers` (each with `input_layernorm`, `self_attn` of `q_proj`, `k_proj`,
    `v_proj`, `o_proj`, `post_attention_layernorm`, `mlp`), `norm`, `lm_head`; the state_dict holds nothing else.
    A layer adds to x what self_attn makes of its first norm's result, then to the sum what mlp makes of its second's.
    Queries and keys are turned by their positions, values are not. With config.tied lm_head.weight IS
    embed_tokens.weight; with config.scaled_embeddings the embedded ids are multiplied by sqrt(d_model).
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.eps, config.plus_one)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.embed_tokens.weight

    def forward(self, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq vocab_size"]:
        """Score every token as the successor of each. There is no longest text."""
        return _run(self, ids, None)


def _run(model: Llama, ids: Tensor, cache: Any) -> Tensor:
    """Run a model on ids that follow those in the cache, if there is one."""
    config, start = model.config, 0 if cache is None else len(cache)
    positions = torch.arange(start, start + ids.shape[1], device=ids.device)
    # Computed anew, not kept as a buffer: model.bfloat16() would round it, and positions with it.
    frequencies = rope_frequencies(_heads(config)[2], config.theta, config.scaling).to(ids.device)
    x = model.embed_tokens(ids)
    if config.scaled_embeddings:
        x = x * math.sqrt(config.d_model)
    for index, layer in enumerate(model.layers):
        x = layer(x, positions, frequencies, index, cache)
    return model.lm_head(model.norm(x))


def forward_cached(model: Llama, ids: Int64[Tensor, "batch new"], cache: Any) -> Float[Tensor, "batch new vocab_size"]:
    """Run your Llama on new tokens alone, which follow those in the cache, and take them in. No graph is built.

    The cache is m07's KVCache: len(cache) tokens are in it, append(layer, key, value) returns all of a layer's keys and
    values. It gets keys that are turned already, n_kv_heads of them. The logits are the whole text's, however it's cut.
    """
    with torch.no_grad():
        return _run(model, ids, cache)


def load_llama(model: Llama, state: State) -> None:
    """Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.

    Keys are the model's own; either all but lm_head.weight have `model.` in front, or none has. A tied lm_head.weight
    may be left out, and must equal the other. Keys that end in `.rotary_emb.inv_freq` are dropped, and nothing else is.
    Phi-3 fuses self_attn.qkv_proj (rows of queries, keys, values) and mlp.gate_up_proj (gate, up): they are cut apart.
    Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model then stays.
    """
    config = model.config
    n_heads, n_kv_heads, d_head = _heads(config)
    fused = {  # the fused part -> its parts and how many rows each has
        "self_attn.qkv_proj": {
            "self_attn.q_proj": n_heads * d_head,
            "self_attn.k_proj": n_kv_heads * d_head,
            "self_attn.v_proj": n_kv_heads * d_head,
        },
        "mlp.gate_up_proj": {"mlp.gate_proj": config.d_ff, "mlp.up_proj": config.d_ff},
    }
    given: dict[str, Tensor] = {}
    for name, value in state.items():
        key = name.removeprefix("model.")
        if key.endswith(".rotary_emb.inv_freq"):
            continue
        whole = next((part for part in fused if key.endswith(f".{part}.weight")), None)
        if whole is None:
            given[key] = value
            continue
        rows = fused[whole]
        if value.shape != (sum(rows.values()), config.d_model):
            raise ValueError(f"{name} has the shape {tuple(value.shape)}, not {(sum(rows.values()), config.d_model)}")
        given |= {key.replace(whole, part): cut for part, cut in zip(rows, value.split([*rows.values()]), strict=True)}
    own = model.state_dict()  # the model's own memory, without a graph
    if config.tied:
        given.setdefault("lm_head.weight", given.get("embed_tokens.weight", own["lm_head.weight"]))
    for key in sorted(own.keys() ^ given.keys()):
        raise ValueError(f"{key} is {'missing' if key in own else 'no part of this model'}")
    for key, value in given.items():
        if value.shape != own[key].shape:
            raise ValueError(f"{key} has the shape {tuple(value.shape)}, and the model's is {tuple(own[key].shape)}")
    if config.tied and not torch.equal(given["lm_head.weight"], given["embed_tokens.weight"]):
        raise ValueError("lm_head.weight differs from embed_tokens.weight, and this model has one tensor for both")
    for key, value in given.items():
        own[key].copy_(value)


def _place_and_part(key: str) -> tuple[str, str]:
    """Cut "layers.3.mlp.up_proj.weight" into "layers.3." and "mlp.up_proj"; outside of the layers there is no place."""
    name = key.removesuffix(".weight")
    if not name.startswith("layers."):
        return "", name
    layers, number, part = name.split(".", 2)
    return f"{layers}.{number}.", part


_OURS = {  # a part's name in Meta's files -> in the model's own
    "attention_norm": "input_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "tok_embeddings": "embed_tokens",
    "output": "lm_head",
}


def from_meta(state: State, config: LlamaConfig) -> State:
    """Return a checkpoint of Meta's under the model's own names, which the guide lists; rope.freqs is dropped.

    Meta turns neighbours, so row 2i of each head in wq and wk becomes row i, and row 2i + 1 becomes row i + d_head / 2.
    """
    n_heads, n_kv_heads, _ = _heads(config)
    rows = {"attention.wq": n_heads, "attention.wk": n_kv_heads}
    found = {}
    for name, value in state.items():
        place, part = _place_and_part(name)
        if part in rows:
            # (heads, half, 2 neighbours) -> (heads, 2 halves, half)
            value = value.unflatten(0, (rows[part], -1, 2)).transpose(1, 2).flatten(0, 2)
        if name != "rope.freqs":
            found[f"{place}{_OURS[part]}.weight" if part in _OURS else name] = value
    return found


def load_ranks(path: str | Path, special_tokens: list[str]) -> Tokenizer:
    """Read Llama 3's vocabulary into your Tokenizer of m01; special tokens get the next ids, in their order.

    A line of the file is a token, its bytes in base64, then a space and its rank, which is its id. Any two tokens that
    together make a token are a merge, and merges stand in the order of the ranks that they make.
    Example: the lines "YQ== 0", "Yg== 1", "YWI= 2" are the tokens a, b, ab, and (a, b) is the merge.
    """
    ranks: dict[bytes, int] = {}
    for line in Path(path).read_text(encoding="ascii").splitlines():
        written, rank = line.split(" ")
        ranks[base64.b64decode(written)] = int(rank)
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        # Pitfall: one way to cut a token is not enough. Which two parts of it meet in a text depends on the text.
        cuts = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        merges += [pair for pair in cuts if pair[0] in ranks and pair[1] in ranks]
    return Tokenizer({rank: token for token, rank in ranks.items()}, merges, special_tokens)


def to_litgpt(state: State) -> State:
    """Return a Llama's state_dict() under the names of LitGPT 0.5, which the guide lists.

    Its attn.qkv holds the rows of q_proj, then those of k_proj, then those of v_proj.
    """
    names = {
        "embed_tokens": "transformer.wte",
        "input_layernorm": "norm_1",
        "self_attn.o_proj": "attn.proj",
        "post_attention_layernorm": "norm_2",
        "mlp.gate_proj": "mlp.fc_1",
        "mlp.up_proj": "mlp.fc_2",
        "mlp.down_proj": "mlp.proj",
        "norm": "transformer.ln_f",
        "lm_head": "lm_head",
    }
    found = {}
    for key, value in state.items():
        place, part = _place_and_part(key)
        theirs = place.replace("layers", "transformer.h")
        if part in names:
            found[f"{theirs}{names[part]}.weight"] = value
        elif part == "self_attn.q_proj":  # the other two come along with it
            fused = [state[f"{place}self_attn.{letter}_proj.weight"] for letter in "qkv"]
            found[f"{theirs}attn.qkv.weight"] = torch.cat(fused)
    return found
