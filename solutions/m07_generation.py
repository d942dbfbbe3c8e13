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

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from .m04_attention import merge_heads, scaled_dot_product_attention, split_heads


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
    if not temperature >= 0:
        raise ValueError(f"temperature must not be negative, and is {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, and is {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie above 0 and not above 1, and is {top_p}")
    vocab_size = logits.shape[-1]
    # In bfloat16 a running sum stands still long before it reaches 1.
    scores = logits if logits.dtype == torch.float64 else logits.float()
    if temperature == 0:
        # The limit of ever smaller temperatures, which no division reaches.
        return nn.functional.one_hot(scores.argmax(dim=-1), vocab_size).to(scores.dtype)
    scores = scores / temperature
    if top_k is not None:
        last = scores.topk(min(top_k, vocab_size), dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < last, -torch.inf)
    probs = torch.softmax(scores, dim=-1)
    if top_p is not None and top_p < 1:
        shares, order = probs.sort(dim=-1, descending=True)
        # Pitfall: ask what came before a token, not what has come with it, or the token that crosses is lost; and with
        # a first token above top_p nothing at all would stay.
        before = shares.cumsum(dim=-1) - shares
        shares = shares.masked_fill(before >= top_p, 0.0)
        probs = torch.zeros_like(probs).scatter(-1, order, shares)  # from the order of size back to the order of ids
        probs = probs / probs.sum(dim=-1, keepdim=True)
    return probs


def sample(probs: Float[Tensor, "batch vocab_size"], generator: Generator | None = None) -> Int64[Tensor, "batch"]:
    """Draw a token for each row by its probabilities; chance comes from the generator alone (None: torch's own)."""
    return torch.multinomial(probs, 1, generator=generator)[:, 0]  # (batch, 1) -> (batch,)


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
    if ids.shape[1] == 0:
        raise ValueError("the prompt is empty: a model needs one token at least")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must not be negative, and is {max_new_tokens}")
    if context_length is not None and context_length < 1:
        raise ValueError(f"context_length must be at least 1, and is {context_length}")
    stops = torch.tensor(list(stop_tokens), dtype=torch.int64, device=ids.device)
    if pad_id is None and stop_tokens:
        pad_id = next(iter(stop_tokens))
    text = ids.clone()
    running = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    # Module by module: a part that was frozen in eval mode must not wake up with the rest.
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            for _ in range(max_new_tokens):
                if not running.any():
                    break
                window = text if context_length is None else text[:, -context_length:]
                logits = model(window)[:, -1]  # only the last position speaks about a token that is not there yet
                new = sample(next_distribution(logits, temperature, top_k, top_p), generator)
                if pad_id is not None:
                    new = torch.where(running, new, pad_id)
                text = torch.cat([text, new[:, None]], dim=1)  # (batch, seq) -> (batch, seq + 1)
                running = running & ~torch.isin(new, stops)
    finally:
        for module, training in modes:
            module.training = training
    return text


class KVCache:
    """Copies of the keys and values of all tokens read so far, (batch n_heads tokens d_head) in every layer."""

    def __init__(self, n_layers: int) -> None:
        self._layers: list[tuple[Tensor, Tensor] | None] = [None] * n_layers

    def __len__(self) -> int:
        """Return how many tokens every layer has; in the midst of a pass that is the number before the pass."""
        return min(0 if layer is None else layer[0].shape[2] for layer in self._layers)

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add new tokens to a layer and return all of its keys and values, the oldest first."""
        held = self._layers[layer]
        if held is None:
            keys, values = key.clone(), value.clone()
        else:
            keys = torch.cat([held[0], key], dim=2)  # dim 2 counts tokens; cat copies
            values = torch.cat([held[1], value], dim=2)
        self._layers[layer] = keys, values
        return keys, values


def forward_cached(
    model: Any, ids: Int64[Tensor, "batch new"], cache: KVCache
) -> Float[Tensor, "batch new vocab_size"]:
    """Run a GPT on new tokens alone, which follow those in the cache, and take them in. No graph is built.

    The logits are those of the whole text at these positions, however it is cut: 4 + 3 + 1 tokens give what 8 give.
    Raises ValueError, naming the text's length and the number of positions, when it doesn't fit; the cache then stays.
    """
    start, new, context_length = len(cache), ids.shape[1], len(model.wpe.weight)
    if start + new > context_length:
        raise ValueError(f"{start} + {new} = {start + new} tokens don't fit the context of {context_length}")
    with torch.no_grad():
        # Pitfall: new tokens don't begin the text. Their positions and their rows of the mask go on where it stopped.
        x = model.wte(ids) + model.wpe.weight[start : start + new]
        mask = torch.ones(new, start + new, dtype=torch.bool, device=ids.device).tril(start)
        for layer, block in enumerate(model.h):
            parts = block.attn.c_attn(block.ln_1(x)).chunk(3, dim=-1)
            query, key, value = (split_heads(part, block.attn.n_heads) for part in parts)
            keys, values = cache.append(layer, key, value)
            mixed = scaled_dot_product_attention(query, keys, values, mask)  # new queries look at all keys
            x = x + block.attn.c_proj(merge_heads(mixed))
            x = x + block.mlp(block.ln_2(x))
        return model.lm_head(model.ln_f(x))


def generate_cached(
    model: Any, ids: Int64[Tensor, "batch seq"], max_new_tokens: int, **settings: Any
) -> Int64[Tensor, "batch longer"]:
    """Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.

    Once the text is longer than context_length its window moves, every token in it gets another position, and nothing
    that was cached is true any more: from there on each step reads the last context_length tokens anew.
    """
    return generate(_Reader(model), ids, max_new_tokens, **settings)


class _Reader(nn.Module):
    """A GPT that remembers: when a text goes on where the last one ended, only its new tokens are read."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model  # as a part of this module it gets its mode from generate
        self.cache = KVCache(len(model.h))

    def forward(self, text: Tensor) -> Tensor:
        # A text that is no longer than what was read is a window that moved.
        if text.shape[1] <= len(self.cache):
            self.cache = KVCache(len(self.model.h))
        return forward_cached(self.model, text[:, len(self.cache) :], self.cache)
