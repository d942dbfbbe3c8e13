"""m04_attention: let every token look back at the tokens before it.

An embedding knows nothing of its neighbours: "bank" has one vector, river or money. Attention is where tokens talk.
Each one asks a question (its query), wears a label (its key) and carries a message (its value), and takes home a
mixture of the messages whose labels fit its question. Several heads do this side by side, about different things.

Left out: the key/value cache (m07), rotary positions and grouped queries (m15), attention in both directions (m16).
No argument of a function or of a layer changes.
Matrix products and a softmax are all it takes. Not allowed, since they are what you are building:
F.scaled_dot_product_attention, F.multi_head_attention_forward, nn.MultiheadAttention, nn.Transformer and its layers.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def causal_mask(seq: int, device: torch.device | str | None = None) -> Bool[Tensor, "seq seq"]:
    """Say who may look at whom: row i is the token that asks, column j the one looked at, True means it may.

    A token sees itself and everything before it. Example: causal_mask(2) is [[True, False], [True, True]].
    """
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()  # the diagonal stays: a token sees itself


def scaled_dot_product_attention(
    query: Float[Tensor, "... q d_head"],
    key: Float[Tensor, "... k d_head"],
    value: Float[Tensor, "... k d_value"],
    mask: Bool[Tensor, "... q k"] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "... q d_value"]:
    """Mix the values, each query by its own weights: softmax(query · key / sqrt(d_head)) over the keys.

    The mask is True where a query may look, and broadcasts to the scores, as torch does it: with a batch and heads, the
    first of three axes is the heads'. What is hidden weighs nothing, however low the rest is. A query that may look
    nowhere gets zeros and sends back no NaN. Each weight is dropped with probability `dropout` and the rest grow by
    1 / (1 - dropout); the caller passes 0.0 when it is not training. Any floating dtype goes in, the query's comes out.

    Example: query [[2, 0, 0, 0]], keys [[0, 0, 0, 0], [ln 3, 0, 0, 0]] have scores 0 and ln 3, so weights 1/4 and 3/4;
    with values [[4], [8]] the result is [[7]], and with the mask [[True, False]] it is [[4]].
    Raises ValueError, naming both shapes, when query and key differ in width.
    """
    d_head = query.shape[-1]
    if key.shape[-1] != d_head:
        raise ValueError(f"query {tuple(query.shape)} and key {tuple(key.shape)} differ in width")
    # Pitfall: the root of the width of one head, not of d_model. A sum of d_head products varies by sqrt(d_head), and
    # scores that vary more push the softmax into a corner where hardly any gradient is left.
    scores = query @ key.transpose(-2, -1) / d_head**0.5  # (..., q, d_head) @ (..., d_head, k) -> (..., q, k)
    if mask is not None:
        # The lowest number of the dtype at hand: -1e9 does not fit into float16, and -inf makes 0/0 of an empty row.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)  # over the keys: each query has 1 to spend
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)  # changes only rows with nothing to see, which came out uniform
    weights = nn.functional.dropout(weights, dropout)
    return weights @ value  # (..., q, k) @ (..., k, d_value) -> (..., q, d_value)


def split_heads(x: Float[Tensor, "batch seq d_model"], n_heads: int) -> Float[Tensor, "batch n_heads seq d_head"]:
    """Cut each token's vector into n_heads consecutive pieces and give every head its piece of all tokens.

    Example: of the tokens [1, 2, 3, 4], [5, 6, 7, 8] and [9, 10, 11, 12], the first of 2 heads gets
    [[1, 2], [5, 6], [9, 10]] and the second [[3, 4], [7, 8], [11, 12]].
    Raises ValueError, naming both numbers, when n_heads does not divide d_model.
    """
    batch, seq, d_model = x.shape
    if d_model % n_heads != 0:
        raise ValueError(f"a width of {d_model} cannot be cut into {n_heads} equal heads")
    # Two steps for two jobs: reshape cuts each vector where it lies, transpose brings the heads to the front.
    # Reshaping straight to (batch, n_heads, seq, d_head) fits as well, but deals whole tokens out to the heads.
    return x.reshape(batch, seq, n_heads, d_model // n_heads).transpose(1, 2)


def merge_heads(x: Float[Tensor, "batch n_heads seq d_head"]) -> Float[Tensor, "batch seq d_model"]:
    """Lay the heads' pieces side by side again: what split_heads does, undone."""
    # flatten copies here: after the transpose a token's pieces lie apart in memory, so a view cannot join them.
    return x.transpose(1, 2).flatten(2)  # (batch, seq, n_heads, d_head) -> (batch, seq, d_model)


class MultiHeadAttention(nn.Module):
    """Causal self-attention as GPT-2 has it: project, split, attend in every head, merge, project.

    Its only state is two nn.Linear: `c_attn` (d_model to 3 * d_model: all queries, then all keys, then all values) and
    `c_proj` (d_model to d_model). `n_heads` is readable. With `bias=False` neither has a bias. In training mode only,
    `dropout` falls on the attention weights and on the output.
    Raises ValueError, naming both numbers, when n_heads does not divide d_model.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        if d_model % n_heads != 0:
            raise ValueError(f"d_model {d_model} cannot be cut into {n_heads} equal heads")
        self.n_heads = n_heads
        self.dropout = dropout
        # One matrix for all three projections of all heads: one big product is faster than 3 * n_heads small ones.
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """Let every token of each sequence gather from itself and from the tokens before it; any length will do."""
        # (batch, seq, 3 * d_model) -> three of (batch, seq, d_model); only then is each cut into heads.
        query, key, value = (split_heads(part, self.n_heads) for part in self.c_attn(x).chunk(3, dim=-1))
        # Made afresh, so that it fits every length and device, and no buffer turns up in the state_dict.
        mask = causal_mask(x.shape[1], device=x.device)
        # The function cannot know whether we are training: only a module has eval() and train().
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, mask, dropout)  # (batch, n_heads, seq, d_head)
        # Until here no head has seen another's result; c_proj is where they are combined.
        output = self.c_proj(merge_heads(mixed))
        return nn.functional.dropout(output, self.dropout, self.training)
