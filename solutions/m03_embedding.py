"""m03_embedding: give every token a vector, and tell the vector where its token stands.

A tokenizer (m01) turns text into ids, and ids are names: 7 is not more than 6, nor close to it. What a network can
work with is a vector for each id, a row of a table, learned like every other weight. But a row says what a token is and
not where: "dog bites man" and "man bites dog" are the same three rows. So every position has a vector too, and a
token's vector and its position's are added.

Left out: blocks that read these vectors (m05), the output layer that shares the table (m06), rotary positions (m15).
Indexing and arithmetic are all it takes. Not allowed, since they are what you are building: nn.Embedding, F.embedding
and their EmbeddingBag.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


class TokenEmbedding(nn.Module):
    """A table with one row for every token: Radford et al. (2018), section 3.1, its W_e.

    Its only state is the nn.Parameter `weight` (vocab_size, d_model), drawn from a normal distribution with mean 0 and
    standard deviation 0.02.
    """

    def __init__(self, vocab_size: int, d_model: int) -> None:
        super().__init__()
        # Small, so that no token speaks louder than another before training has given it a reason to.
        self.weight = nn.Parameter(0.02 * torch.randn(vocab_size, d_model))

    def forward(self, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq d_model"]:
        """Take each id's row, in the table's dtype; the cost does not grow with vocab_size, and seq may be 0.

        Example: from the table [[1, 2], [3, 4], [5, 6]] the ids [[2, 0]] take [[[5, 6], [1, 2]]].
        Raises IndexError, naming such an id and vocab_size, when an id is not among 0 to vocab_size - 1.
        """
        vocab_size = len(self.weight)
        # Pitfall: torch counts negative indices from the end, so -1 would quietly take the last token's row. And an id
        # that is too large would, on a GPU, end the process much later with a message about something else.
        outside = ids[(ids < 0) | (ids >= vocab_size)]
        if len(outside) > 0:
            raise IndexError(f"id {outside[0].item()} has no row: vocab_size is {vocab_size}, and ids start at 0")
        # The product of a one-hot vector and the table is the same row, after vocab_size multiplications by 0 or 1.
        return self.weight[ids]  # (batch, seq) -> (batch, seq, d_model)


class LearnedPositions(nn.Module):
    """A table with one row for every position, learned like any weight: Radford et al. (2018), section 3.1, its W_p.

    Its only state is the nn.Parameter `weight` (context_length, d_model), drawn as the tokens' table is.
    """

    def __init__(self, context_length: int, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(context_length, d_model))

    def forward(self, seq: int, start: int = 0) -> Float[Tensor, "seq d_model"]:
        """Take the rows of the seq positions from `start` on; the first position of all is 0.

        Example: from the table [[1, 2], [3, 4], [5, 6]], seq 2 takes [[1, 2], [3, 4]], and [[3, 4], [5, 6]] from 1 on.
        Raises ValueError when there are too few rows, naming the sum start + seq and context_length, and when start is
        negative, naming it.
        """
        context_length = len(self.weight)
        if start < 0:
            raise ValueError(f"positions are counted from 0, and start is {start}")
        # Pitfall: a slice that reaches past the end gives fewer rows and no error.
        if start + seq > context_length:
            raise ValueError(f"{start + seq} positions are needed, and context_length is {context_length}")
        return self.weight[start : start + seq]


def sinusoidal_positions(
    context_length: int, d_model: int, device: torch.device | str | None = None
) -> Float[Tensor, "context_length d_model"]:
    """Compute positions instead of learning them: Vaswani et al. (2017), section 3.5. Float32, on the device asked for.

    With i from 0 on, column 2 * i of position p is sin(p / 10000^(2 * i / d_model)), and column 2 * i + 1 its cosine.
    Example: of width 4, position 0 is [0, 1, 0, 1], and position 1 is [0.8415, 0.5403, 0.01, 0.99995].
    Raises ValueError, naming d_model, when it is odd.
    """
    if d_model % 2 != 0:
        raise ValueError(f"d_model is {d_model}: columns come in pairs of a sine and a cosine, so it must be even")
    position = torch.arange(context_length, dtype=torch.float64, device=device)
    # Each pair is the hand of a clock, and each clock is slower than the one before: from 1 radian a token down to
    # almost 1/10000. The exponent is that of the even column, 2 * i, for both columns of the pair.
    speed = 10_000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64, device=device) / d_model)
    angle = position[:, None] * speed  # (context_length, 1) * (d_model / 2) -> (context_length, d_model / 2)
    # Stacked on a new last axis and flattened, sines and cosines stand by turns; concatenated they would not.
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).float()


def embed(
    wte: Callable[[Int64[Tensor, "batch seq"]], Float[Tensor, "batch seq d_model"]],
    wpe: Callable[[int, int], Float[Tensor, "seq d_model"]],
    ids: Int64[Tensor, "batch seq"],
    start: int = 0,
) -> Float[Tensor, "batch seq d_model"]:
    """Add each token's vector, wte(ids), and its position's, wpe(seq, start): what a GPT's first block gets to see.

    Either is anything that can be called so, and all that is asked of it. The first token of every sequence stands at
    position `start`. What they raise goes through: a sequence too long for wpe is LearnedPositions' ValueError.
    """
    # (batch, seq, d_model) + (seq, d_model): the same positions for every sequence of the batch.
    return wte(ids) + wpe(ids.shape[1], start)
