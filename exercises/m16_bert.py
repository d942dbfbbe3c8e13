r"""m16_bert: read a text in both directions, and fill its gaps.

A GPT writes, so it may never look ahead. BERT reads: it gets a text with holes, looks at all of it, and says what is
missing; search engines and classifiers are built on what it makes of a text. Left out: fine-tuning (m10), search (m17),
and how fresh weights are drawn. Source: Devlin et al. (2019), section 3 and appendix A.
Not allowed, since you build them: torch.nn.MultiheadAttention and torch.nn's Transformer layers.
"""

from collections.abc import Container, Sequence

from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

Ids = Int64[Tensor, "batch seq"]
Vectors = Float[Tensor, "batch seq d_model"]
Texts = Float[Tensor, "batch d_model"]
Scores = tuple[Float[Tensor, "batch seq vocab_size"], Float[Tensor, "batch 2"]]


def split_words(text: str) -> list[str]:
    """Cut a text into words in small letters without accents: at white space, and around every punctuation mark.

    An accent is what NFD sets apart in category Mn. A mark is a word of its own: a character whose category begins
    with P, and every other visible character of ASCII but letters and digits, such as $, + and ~.
    Example: "Où est-il?" gives ["ou", "est", "-", "il", "?"].
    """
    # TODO(m16.1): letters without accents, then words and marks.
    raise NotImplementedError("m16.1")


def wordpiece(word: str, vocab: Container[str], unk: str = "[UNK]", max_chars: int = 100) -> list[str]:
    """Cut a word into pieces: each is the longest in vocab for what is left, with "##" before all but the first.

    What can't be cut so up to its end is `unk`, the whole word, and so is one of more than max_chars characters.
    Example: with "un", "##aff" and "##able", "unaffable" gives all three, and "unaffably" gives ["[UNK]"].
    """
    raise NotImplementedError("m16.1")


def build_pair(a: list[int], b: list[int] | None, cls_id: int, sep_id: int) -> tuple[list[int], list[int]]:
    """Return the ids of [CLS] a [SEP] b [SEP], and a type for each: 0 up to the first [SEP], 1 for all after it.

    Without a second text (None) it is [CLS] a [SEP] alone. The lists handed in stay as they are.
    Example: [7, 8] and [9] with 1 and 2 give [1, 7, 8, 2, 9, 2] and [0, 0, 0, 0, 1, 1].
    """
    # TODO(m16.2): two lists of the same length.
    raise NotImplementedError("m16.2")


def mask_tokens(ids: Ids, special: Tensor, mask_id: int, vocab_size: int, generator: Generator,
                rates: Sequence[float] = (0.15, 0.8, 0.1)) -> tuple[Ids, Ids]:  # fmt: skip
    """Hide some tokens and return (inputs, labels); a label is the token's own id where it was chosen, else -100.

    Each token is chosen with a probability of rates[0], by itself; where `special` is True none is. Of the chosen,
    rates[1] become mask_id, rates[2] any id below vocab_size, all alike (its own too), and the rest stay as they are.
    Fates and ids are drawn for each token by itself, too. All chance comes from the generator. `ids` does not change.
    """
    raise NotImplementedError("m16.2")


class BertEmbeddings(nn.Module):
    """Add up what a token is, where it stands and which text it is of, and normalise the sum.

    Its parts: `words`, `positions` and `types` (nn.Embedding, two types) and `norm` (nn.LayerNorm), and no other state.
    In training mode only, dropout falls on the result. Positions count from 0; without types all are 0.
    """

    def __init__(self, vocab_size: int, context_length: int, d_model: int, dropout: float, eps: float) -> None:
        super().__init__()
        # TODO(m16.3): three tables and a norm.
        raise NotImplementedError("m16.3")

    def forward(self, ids: Ids, types: Ids | None = None) -> Vectors:
        """Raises ValueError, naming both numbers, when a row has more ids than context_length."""
        raise NotImplementedError("m16.3")


class EncoderBlock(nn.Module):
    """Let tokens look at each other, in both directions, then let each think: x becomes norm(x + part(x)), twice.

    Its parts: `query`, `key`, `value`, `out` and `norm_1`; `up` (to d_ff), the exact GELU (by erf), `down`, `norm_2`.
    Linear ones have a bias. In training mode only, dropout falls on attention's weights and on what either part adds.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float, eps: float) -> None:
        super().__init__()
        # TODO(m16.4): eight parts.
        raise NotImplementedError("m16.4")

    def forward(self, x: Vectors, mask: Tensor | None = None) -> Vectors:
        """Nobody sees padding, where `mask` ("batch seq") is False or 0; True or 1 is a token. None: no padding."""
        raise NotImplementedError("m16.4")


class Bert(nn.Module):
    """From ids to a vector for each token and one for each text; and two heads, which read something off them.

    Its parts: `embeddings`, `blocks` (nn.ModuleList) and `pooler` (nn.Linear, d_model to d_model). For the heads:
    `transform` (as pooler), the exact GELU, `transform_norm` (nn.LayerNorm) and `decoder` (nn.Linear to the vocabulary,
    whose weight IS the words', with a bias of its own) for each token; `follows` (nn.Linear to 2) for the text.
    """

    def __init__(self, vocab_size: int = 30522, context_length: int = 512, d_model: int = 768, n_layers: int = 12,
                 n_heads: int = 12, d_ff: int = 3072, dropout: float = 0.0, eps: float = 1e-12) -> None:  # fmt: skip
        super().__init__()
        # TODO(m16.5): parts made before, and a vector for the whole.
        raise NotImplementedError("m16.5")

    def forward(self, ids: Ids, types: Ids | None = None, mask: Tensor | None = None) -> tuple[Vectors, Texts]:
        """Return the last block's vectors, and tanh of what the pooler makes of the first one in each row."""
        raise NotImplementedError("m16.5")

    def scores(self, hidden: Vectors, pooled: Texts) -> Scores:
        """Return both heads' scores for what forward gave, without a softmax."""
        raise NotImplementedError("m16.5")


def pretraining_loss(scores: Scores, labels: Ids, follow_labels: Int64[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Add two means of the cross-entropy (in nats): over all tokens whose label counts, and over the pairs.

    A label of -100 does not count, in either; where none counts that mean is 0. Nothing is shifted. A pair's label is 0
    where the second text follows the first, else 1. Half precision is scored in float32, any other dtype in its own.
    Example: scores [[[0, ln 3], [9, 9]]] and [[0, 0]], labels [[1, -100]] and [0] lose ln(4/3) + ln 2, 0.9808.
    """
    raise NotImplementedError("m16.5")


def load_bert(model: Bert, state: dict[str, Tensor]) -> None:
    """Copy weights of Hugging Face's BertForPreTraining into the model, which keeps its dtype; `state` doesn't change.

    Its names, in our order: bert.embeddings.{word_embeddings, position_embeddings, token_type_embeddings, LayerNorm},
    bert.encoder.layer.N.{attention.self.{query, key, value}, attention.output.{dense, LayerNorm}, intermediate.dense,
    output.{dense, LayerNorm}}, bert.pooler.dense, cls.predictions.{transform.dense, transform.LayerNorm, bias} and
    cls.seq_relationship. A LayerNorm's weight and bias may be called gamma and beta, as they once were; both at once
    are one too many. A key that ends in position_ids is dropped. cls.predictions.decoder.{weight, bias} may be left
    out, and stand for no other; else they equal what they share. Raises ValueError, naming the key, where they don't,
    and where a key is missing, is one too many or has another shape; the model is then as it was.
    """
    # TODO(m16.6): rename, compare everything, and only then copy.
    raise NotImplementedError("m16.6")
