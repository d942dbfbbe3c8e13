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
    # TODO(m04.1): True on and below the diagonal.
    raise NotImplementedError("m04.1")


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
    # TODO(m04.2): scores, mask, softmax, mixture.
    raise NotImplementedError("m04.2")


def split_heads(x: Float[Tensor, "batch seq d_model"], n_heads: int) -> Float[Tensor, "batch n_heads seq d_head"]:
    """Cut each token's vector into n_heads consecutive pieces and give every head its piece of all tokens.

    Example: of the tokens [1, 2, 3, 4], [5, 6, 7, 8] and [9, 10, 11, 12], the first of 2 heads gets
    [[1, 2], [5, 6], [9, 10]] and the second [[3, 4], [7, 8], [11, 12]].
    Raises ValueError, naming both numbers, when n_heads does not divide d_model.
    """
    # TODO(m04.3): cut every vector, then bring the heads to the front.
    raise NotImplementedError("m04.3")


def merge_heads(x: Float[Tensor, "batch n_heads seq d_head"]) -> Float[Tensor, "batch seq d_model"]:
    """Lay the heads' pieces side by side again: what split_heads does, undone."""
    # TODO(m04.3): the same two steps backwards.
    raise NotImplementedError("m04.3")


class MultiHeadAttention(nn.Module):
    """Causal self-attention as GPT-2 has it: project, split, attend in every head, merge, project.

    Its only state is two nn.Linear: `c_attn` (d_model to 3 * d_model: all queries, then all keys, then all values) and
    `c_proj` (d_model to d_model). `n_heads` is readable. With `bias=False` neither has a bias. In training mode only,
    `dropout` falls on the attention weights and on the output.
    Raises ValueError, naming both numbers, when n_heads does not divide d_model.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        # TODO(m04.4): check the widths, make the two projections.
        raise NotImplementedError("m04.4")

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """Let every token of each sequence gather from itself and from the tokens before it; any length will do."""
        # TODO(m04.4): project, split, attend, merge, project.
        raise NotImplementedError("m04.4")
