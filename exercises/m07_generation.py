"""m07_generation: turn a model's scores into text, token by token, and compute nothing twice.

A language model says how likely each token is to come next; it never says a word. Here you make it speak, and then
speak quickly: keys and values of what was read once are kept, so that a step costs one token's work, not the text's.
Left out: beam search, penalties for repetition, prompts of unequal length in one batch.

`generate` takes any module that turns ids into logits (batch seq vocab_size). The cached half walks through m06's GPT:
`wte`, `wpe`, `h[i].ln_1`, `.attn` (`.c_attn`, `.c_proj`, `.n_heads`), `.ln_2`, `.mlp`, then `ln_f` and `lm_head`. Call
these modules; the one weight to read is `wpe.weight`, a row for each position.
"""

from collections.abc import Collection
from typing import Any

import torch  # noqa: F401
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from .m04_attention import merge_heads, scaled_dot_product_attention, split_heads  # noqa: F401


def next_distribution(
    logits: Float[Tensor, "batch vocab_size"],
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
) -> Float[Tensor, "batch vocab_size"]:  # fmt: skip
    """Turn each row of scores into the probabilities of the next token, in float32 (float64 for float64).

    1. Divide by the temperature. At 0 the largest score gets probability 1: of equal ones the first.
    2. Keep the top_k largest scores, and any that equal the last of these; a top_k above vocab_size keeps all.
    3. Of the shares of what is left, keep the largest until they sum to top_p, the one that crosses it included; 1.0
       keeps all (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section 3.1). Renormalise.
    Example: scores ln 0.5, ln 0.3, ln 0.2 with top_p=0.6 give 0.625, 0.375, 0. `logits` stays as it was.
    Raises ValueError for a negative temperature, a top_k below 1, or a top_p outside of 0 < top_p <= 1.
    """
    # TODO(m07.1): temperature, softmax, top-k, top-p, in the order above.
    raise NotImplementedError("m07.1")


def sample(probs: Float[Tensor, "batch vocab_size"], generator: Generator | None = None) -> Int64[Tensor, "batch"]:
    """Draw a token for each row by its probabilities; chance comes from the generator alone (None: torch's own)."""
    # TODO(m07.2): one draw for each row.
    raise NotImplementedError("m07.2")


def generate(
    model: nn.Module, ids: Int64[Tensor, "batch seq"], max_new_tokens: int, *, context_length: int | None = None,
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
    stop_tokens: Collection[int] = (), pad_id: int | None = None, generator: Generator | None = None,
) -> Int64[Tensor, "batch longer"]:  # fmt: skip
    """Append up to max_new_tokens tokens to every row; returns a new tensor, prompts included.

    - Each step calls the model once, with all tokens so far or with the last context_length of them.
    - A row ends with the first new token that is in stop_tokens, which it keeps; then it is filled up with pad_id
      (None: the first of stop_tokens). Once every row has ended, nothing more is computed or appended.
    - The model runs in eval mode, without gradients; afterwards, even if it raised, its modules have their old modes.
    Example: if 1 is likeliest after 0, and 2 after 1, generate(model, [[0]], 2, temperature=0) gives [[0, 1, 2]].
    Raises ValueError for an empty prompt (seq 0), a negative max_new_tokens, or a context_length below 1.
    """
    # TODO(m07.3): eval mode, then logits, distribution, draw and append, until all rows have ended; then the old modes.
    raise NotImplementedError("m07.3")


class KVCache:
    """Copies of the keys and values of all tokens read so far, (batch n_heads tokens d_head) in every layer."""

    def __init__(self, n_layers: int) -> None:
        raise NotImplementedError("m07.4")

    def __len__(self) -> int:
        """Return how many tokens every layer has; in the midst of a pass that is the number before the pass."""
        raise NotImplementedError("m07.4")

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add new tokens to a layer and return all of its keys and values, the oldest first."""
        # TODO(m07.4): the new after the old, along the axis of the tokens.
        raise NotImplementedError("m07.4")


def forward_cached(
    model: Any, ids: Int64[Tensor, "batch new"], cache: KVCache
) -> Float[Tensor, "batch new vocab_size"]:
    """Run a GPT on new tokens alone, which follow those in the cache, and take them in. No graph is built.

    The logits are those of the whole text at these positions, however it is cut: 4 + 3 + 1 tokens give what 8 give.
    Raises ValueError, naming the text's length and the number of positions, when it doesn't fit; the cache then stays.
    """
    # TODO(m07.4): positions and mask that continue; in each layer only new queries, but all keys and values.
    raise NotImplementedError("m07.4")


def generate_cached(
    model: Any, ids: Int64[Tensor, "batch seq"], max_new_tokens: int, **settings: Any
) -> Int64[Tensor, "batch longer"]:
    """Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.

    Once the text is longer than context_length its window moves, every token in it gets another position, and nothing
    that was cached is true any more: from there on each step reads the last context_length tokens anew.
    """
    # TODO(m07.5): as generate, with forward_cached and only what it has not read yet.
    raise NotImplementedError("m07.5")
