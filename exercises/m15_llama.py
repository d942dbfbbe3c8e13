"""m15_llama: exchange a few parts of GPT-2 for others, and it is Llama; turn its switches, and it is Llama's kin.

A norm without a mean, an MLP with a gate, positions that turn queries and keys, keys and values that several heads
share: open models since 2023 are made of these. You build them, read what others have trained, and hand yours on.

Each part gives back the dtype that it was given. Left out: SentencePiece (Llama 2 reads text by it), dropout, YaRN.
Not allowed, since you build them: torch's RMSNorm, rms_norm, scaled_dot_product_attention and nn.MultiheadAttention.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        # TODO(m15.1): keep what forward needs, and make the weight.
        raise NotImplementedError("m15.1")

    def forward(self, x: Vectors) -> Vectors:
        """Normalise each vector along the last axis by itself."""
        raise NotImplementedError("m15.1")


class GatedMLP(nn.Module):
    """Let one projection open and close another: down_proj(act(gate_proj(x)) * up_proj(x)); nn.Linear without biases.

    act is SiLU, x * sigmoid(x), or with activation "gelu" GELU in its form with tanh. (Shazeer 2020: SwiGLU, GEGLU.)
    Example: with [[1]] for all three weights, [2] becomes [3.5232].
    """

    def __init__(self, d_model: int, d_ff: int, activation: str = "silu") -> None:
        super().__init__()
        raise NotImplementedError("m15.1")

    def forward(self, x: Vectors) -> Vectors:
        """Send each vector along the last axis through all three layers."""
        raise NotImplementedError("m15.1")


def rope_frequencies(d_head: int, theta: float = 1e4, scaling: dict[str, Any] | None = None) -> Float[Tensor, "half"]:
    """Return by how many radians each pair turns from a position to the next: theta ** (-2 * i / d_head), in float32.

    Llama 3.1 stretches them by `scaling`: factor, low_freq_factor, high_freq_factor, original_max_position_embeddings;
    other keys say nothing. A pair makes t = original * frequency / (2 * pi) turns. Where t exceeds high_freq_factor its
    frequency stays, below low_freq_factor it is divided by factor; between, it is s * frequency + (1 - s) * frequency /
    factor, and s goes evenly from 0 at low to 1 at high. Example: rope_frequencies(4) is [1, 0.01].
    Raises ValueError, naming d_head, when that is odd.
    """
    raise NotImplementedError("m15.2")


def apply_rope(x: Heads, positions: Int64[Tensor, "seq"], frequencies: Float[Tensor, "half"]) -> Heads:
    """Turn each pair (x[i], x[i + d_head / 2]) at position p by the angle p * frequencies[i], counterclockwise.

    So (a, b) becomes (a cos - b sin, a sin + b cos). Angles are float32 also where x is half precision, and float64
    is turned in float64. (Su et al. 2021.) Example: [1, 0] at position 1 with frequency pi / 2 becomes [0, 1].
    """
    # TODO(m15.2): angles, then a turn of every pair.
    raise NotImplementedError("m15.2")


def grouped_attention(query: Heads, key: KeyHeads, value: KeyHeads, window: int | None = None) -> Heads:
    """Attend causally, where each n_heads / n_kv_heads query heads side by side share one head of keys and values.

    Fewer queries than keys are those of the last positions. Each sees its own position and all before it, with a window
    no more than `window` of them in all. Scores are divided by sqrt(d_head). (Ainslie et al. 2023.)
    Example: of 4 heads with 2 for keys, heads 0 and 1 read head 0 of the keys, 2 and 3 read head 1.
    Raises ValueError, naming both, unless n_kv_heads divides n_heads.
    """
    # TODO(m15.3): bring heads together, score, hide, average.
    raise NotImplementedError("m15.3")


def kv_cache_bytes(config: LlamaConfig, tokens: int, bytes_per_number: int = 2) -> int:
    """Count the bytes of so many tokens' keys and values, in all layers.

    Example: a token of Llama 2 7B takes 524,288; with 8 heads of keys and values, as Llama 3 8B has them, 131,072.
    """
    raise NotImplementedError("m15.3")


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
        # TODO(m15.4): make the parts; classes of your own for layers and their attention are welcome.
        # TODO(m15.7): hand every switch on, to all parts that know it.
        raise NotImplementedError("m15.4")

    def forward(self, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq vocab_size"]:
        """Score every token as the successor of each. There is no longest text."""
        raise NotImplementedError("m15.4")


def forward_cached(model: Llama, ids: Int64[Tensor, "batch new"], cache: Any) -> Float[Tensor, "batch new vocab_size"]:
    """Run your Llama on new tokens alone, which follow those in the cache, and take them in. No graph is built.

    The cache is m07's KVCache: len(cache) tokens are in it, append(layer, key, value) returns all of a layer's keys and
    values. It gets keys that are turned already, n_kv_heads of them. The logits are the whole text's, however it's cut.
    """
    # TODO(m15.5): positions that go on where the cache ends, and all of its keys and values.
    raise NotImplementedError("m15.5")


def load_llama(model: Llama, state: State) -> None:
    """Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.

    Keys are the model's own; either all but lm_head.weight have `model.` in front, or none has. A tied lm_head.weight
    may be left out, and must equal the other. Keys that end in `.rotary_emb.inv_freq` are dropped, and nothing else is.
    Phi-3 fuses self_attn.qkv_proj (rows of queries, keys, values) and mlp.gate_up_proj (gate, up): they are cut apart.
    Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model then stays.
    """
    # TODO(m15.6): rename, compare everything, and only then copy.
    raise NotImplementedError("m15.6")


def from_meta(state: State, config: LlamaConfig) -> State:
    """Return a checkpoint of Meta's under the model's own names, which the guide lists; rope.freqs is dropped.

    Meta turns neighbours, so row 2i of each head in wq and wk becomes row i, and row 2i + 1 becomes row i + d_head / 2.
    """
    raise NotImplementedError("m15.6")


def load_ranks(path: str | Path, special_tokens: list[str]) -> Tokenizer:
    """Read Llama 3's vocabulary into your Tokenizer of m01; special tokens get the next ids, in their order.

    A line of the file is a token, its bytes in base64, then a space and its rank, which is its id. Any two tokens that
    together make a token are a merge, and merges stand in the order of the ranks that they make.
    Example: the lines "YQ== 0", "Yg== 1", "YWI= 2" are the tokens a, b, ab, and (a, b) is the merge.
    """
    raise NotImplementedError("m15.6")


def to_litgpt(state: State) -> State:
    """Return a Llama's state_dict() under the names of LitGPT 0.5, which the guide lists.

    Its attn.qkv holds the rows of q_proj, then those of k_proj, then those of v_proj.
    """
    # TODO(m15.8): rename, and put three matrices on top of each other.
    raise NotImplementedError("m15.8")
