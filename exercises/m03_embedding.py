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
        # TODO(m03.1): make the table.
        raise NotImplementedError("m03.1")

    def forward(self, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq d_model"]:
        """Take each id's row, in the table's dtype; the cost does not grow with vocab_size, and seq may be 0.

        Example: from the table [[1, 2], [3, 4], [5, 6]] the ids [[2, 0]] take [[[5, 6], [1, 2]]].
        Raises IndexError, naming such an id and vocab_size, when an id is not among 0 to vocab_size - 1.
        """
        # TODO(m03.1): refuse ids that have no row, negative ones too; then look the rows up.
        raise NotImplementedError("m03.1")


class LearnedPositions(nn.Module):
    """A table with one row for every position, learned like any weight: Radford et al. (2018), section 3.1, its W_p.

    Its only state is the nn.Parameter `weight` (context_length, d_model), drawn as the tokens' table is.
    """

    def __init__(self, context_length: int, d_model: int) -> None:
        super().__init__()
        # TODO(m03.2): make the table.
        raise NotImplementedError("m03.2")

    def forward(self, seq: int, start: int = 0) -> Float[Tensor, "seq d_model"]:
        """Take the rows of the seq positions from `start` on; the first position of all is 0.

        Example: from the table [[1, 2], [3, 4], [5, 6]], seq 2 takes [[1, 2], [3, 4]], and [[3, 4], [5, 6]] from 1 on.
        Raises ValueError when there are too few rows, naming the sum start + seq and context_length, and when start is
        negative, naming it.
        """
        # TODO(m03.2): refuse what does not fit; then take the rows.
        raise NotImplementedError("m03.2")


def sinusoidal_positions(
    context_length: int, d_model: int, device: torch.device | str | None = None
) -> Float[Tensor, "context_length d_model"]:
    """Compute positions instead of learning them: Vaswani et al. (2017), section 3.5. Float32, on the device asked for.

    With i from 0 on, column 2 * i of position p is sin(p / 10000^(2 * i / d_model)), and column 2 * i + 1 its cosine.
    Example: of width 4, position 0 is [0, 1, 0, 1], and position 1 is [0.8415, 0.5403, 0.01, 0.99995].
    Raises ValueError, naming d_model, when it is odd.
    """
    # TODO(m03.3): an angle for every position and pair of columns; then sines and cosines by turns.
    raise NotImplementedError("m03.3")


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
    # TODO(m03.4): token vectors plus position vectors.
    raise NotImplementedError("m03.4")
