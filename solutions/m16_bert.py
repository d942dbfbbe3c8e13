r"""m16_bert: read a text in both directions, and fill its gaps.

A GPT writes, so it may never look ahead. BERT reads: it gets a text with holes, looks at all of it, and says what is
missing; search engines and classifiers are built on what it makes of a text. Left out: fine-tuning (m10), search (m17),
and how fresh weights are drawn. Source: Devlin et al. (2019), section 3 and appendix A.
Not allowed, since you build them: torch.nn.MultiheadAttention and torch.nn's Transformer layers.
"""

import unicodedata
from collections.abc import Container, Sequence

import torch
import torch.nn.functional as F
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
    plain = "".join(letter for letter in unicodedata.normalize("NFD", text) if unicodedata.category(letter) != "Mn")
    return "".join(f" {letter} " if _is_mark(letter) else letter for letter in plain.lower()).split()


def _is_mark(letter: str) -> bool:
    # ASCII calls $, +, <, =, >, ^, `, | and ~ symbols, and not punctuation.
    return unicodedata.category(letter).startswith("P") or ("!" <= letter <= "~" and not letter.isalnum())


def wordpiece(word: str, vocab: Container[str], unk: str = "[UNK]", max_chars: int = 100) -> list[str]:
    """Cut a word into pieces: each is the longest in vocab for what is left, with "##" before all but the first.

    What can't be cut so up to its end is `unk`, the whole word, and so is one of more than max_chars characters.
    Example: with "un", "##aff" and "##able", "unaffable" gives all three, and "unaffably" gives ["[UNK]"].
    """
    if len(word) > max_chars:
        return [unk]
    pieces, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        found = next((end for end in ends if ("##" if start else "") + word[start:end] in vocab), None)
        if found is None:
            return [unk]  # Pitfall: the pieces found so far don't stay
        pieces.append(("##" if start else "") + word[start:found])
        start = found
    return pieces


def build_pair(a: list[int], b: list[int] | None, cls_id: int, sep_id: int) -> tuple[list[int], list[int]]:
    """Return the ids of [CLS] a [SEP] b [SEP], and a type for each: 0 up to the first [SEP], 1 for all after it.

    Without a second text (None) it is [CLS] a [SEP] alone. The lists handed in stay as they are.
    Example: [7, 8] and [9] with 1 and 2 give [1, 7, 8, 2, 9, 2] and [0, 0, 0, 0, 1, 1].
    """
    first = [cls_id, *a, sep_id]
    second = [] if b is None else [*b, sep_id]
    return first + second, [0] * len(first) + [1] * len(second)


def mask_tokens(ids: Ids, special: Tensor, mask_id: int, vocab_size: int, generator: Generator,
                rates: Sequence[float] = (0.15, 0.8, 0.1)) -> tuple[Ids, Ids]:  # fmt: skip
    """Hide some tokens and return (inputs, labels); a label is the token's own id where it was chosen, else -100.

    Each token is chosen with a probability of rates[0], by itself; where `special` is True none is. Of the chosen,
    rates[1] become mask_id, rates[2] any id below vocab_size, all alike (its own too), and the rest stay as they are.
    Fates and ids are drawn for each token by itself, too. All chance comes from the generator. `ids` does not change.
    """
    chosen_rate, mask_rate, random_rate = rates
    chance, fate = (torch.rand(ids.shape, generator=generator, device=ids.device) for _ in range(2))
    anything = torch.randint(vocab_size, ids.shape, generator=generator, device=ids.device)
    chosen = (chance < chosen_rate) & ~special
    # Pitfall: one number decides a token's fate. 10 % of all that were not masked would be 2 % of the chosen.
    inputs = torch.where(chosen & (fate < mask_rate), mask_id, ids)
    inputs = torch.where(chosen & (fate >= mask_rate) & (fate < mask_rate + random_rate), anything, inputs)
    return inputs, ids.where(chosen, -100)


class BertEmbeddings(nn.Module):
    """Add up what a token is, where it stands and which text it is of, and normalise the sum.

    Its parts: `words`, `positions` and `types` (nn.Embedding, two types) and `norm` (nn.LayerNorm), and no other state.
    In training mode only, dropout falls on the result. Positions count from 0; without types all are 0.
    """

    def __init__(self, vocab_size: int, context_length: int, d_model: int, dropout: float, eps: float) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(context_length, d_model)
        self.types = nn.Embedding(2, d_model)
        self.norm = nn.LayerNorm(d_model, eps=eps)
        self.dropout = dropout

    def forward(self, ids: Ids, types: Ids | None = None) -> Vectors:
        """Raises ValueError, naming both numbers, when a row has more ids than context_length."""
        seq, limit = ids.shape[1], self.positions.num_embeddings
        if seq > limit:
            raise ValueError(f"{seq} ids do not fit a context of {limit}")
        types = torch.zeros_like(ids) if types is None else types
        x = self.words(ids) + self.positions(torch.arange(seq, device=ids.device)) + self.types(types)
        return F.dropout(self.norm(x), self.dropout, self.training)


class EncoderBlock(nn.Module):
    """Let tokens look at each other, in both directions, then let each think: x becomes norm(x + part(x)), twice.

    Its parts: `query`, `key`, `value`, `out` and `norm_1`; `up` (to d_ff), the exact GELU (by erf), `down`, `norm_2`.
    Linear ones have a bias. In training mode only, dropout falls on attention's weights and on what either part adds.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float, eps: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(4))
        self.norm_1 = nn.LayerNorm(d_model, eps=eps)
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.norm_2 = nn.LayerNorm(d_model, eps=eps)

    def forward(self, x: Vectors, mask: Tensor | None = None) -> Vectors:
        """Nobody sees padding, where `mask` ("batch seq") is False or 0; True or 1 is a token. None: no padding."""
        # Pitfall: GPT-2 normalises what a part reads; here it is the sum, and so the stream itself.
        x = self.norm_1(x + F.dropout(self._attend(x, mask), self.dropout, self.training))
        thought = self.down(F.gelu(self.up(x)))  # GPT-2's is GELU by tanh
        return self.norm_2(x + F.dropout(thought, self.dropout, self.training))

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        # For every head and every query alike, and as booleans: numbers would be added to the scores.
        seen = None if mask is None else mask.bool()[:, None, None, :]
        parts = (part(x) for part in (self.query, self.key, self.value))
        # (batch, seq, d_model) -> (batch, n_heads, seq, d_head)
        query, key, value = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in parts)
        dropout = self.dropout * self.training  # torch's function knows of no mode
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Bert(nn.Module):
    """From ids to a vector for each token and one for each text; and two heads, which read something off them.

    Its parts: `embeddings`, `blocks` (nn.ModuleList) and `pooler` (nn.Linear, d_model to d_model). For the heads:
    `transform` (as pooler), the exact GELU, `transform_norm` (nn.LayerNorm) and `decoder` (nn.Linear to the vocabulary,
    whose weight IS the words', with a bias of its own) for each token; `follows` (nn.Linear to 2) for the text.
    """

    def __init__(self, vocab_size: int = 30522, context_length: int = 512, d_model: int = 768, n_layers: int = 12,
                 n_heads: int = 12, d_ff: int = 3072, dropout: float = 0.0, eps: float = 1e-12) -> None:  # fmt: skip
        super().__init__()
        self.embeddings = BertEmbeddings(vocab_size, context_length, d_model, dropout, eps)
        self.blocks = nn.ModuleList(EncoderBlock(d_model, n_heads, d_ff, dropout, eps) for _ in range(n_layers))
        self.pooler, self.transform = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.transform_norm = nn.LayerNorm(d_model, eps=eps)
        self.decoder, self.follows = nn.Linear(d_model, vocab_size), nn.Linear(d_model, 2)
        self.decoder.weight = self.embeddings.words.weight

    def forward(self, ids: Ids, types: Ids | None = None, mask: Tensor | None = None) -> tuple[Vectors, Texts]:
        """Return the last block's vectors, and tanh of what the pooler makes of the first one in each row."""
        x = self.embeddings(ids, types)
        for block in self.blocks:
            x = block(x, mask)
        return x, self.pooler(x[:, 0]).tanh()

    def scores(self, hidden: Vectors, pooled: Texts) -> Scores:
        """Return both heads' scores for what forward gave, without a softmax."""
        return self.decoder(self.transform_norm(F.gelu(self.transform(hidden)))), self.follows(pooled)


def pretraining_loss(scores: Scores, labels: Ids, follow_labels: Int64[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Add two means of the cross-entropy (in nats): over all tokens whose label counts, and over the pairs.

    A label of -100 does not count, in either; where none counts that mean is 0. Nothing is shifted. A pair's label is 0
    where the second text follows the first, else 1. Half precision is scored in float32, any other dtype in its own.
    Example: scores [[[0, ln 3], [9, 9]]] and [[0, 0]], labels [[1, -100]] and [0] lose ln(4/3) + ln 2, 0.9808.
    """
    tokens, pairs = scores
    return _mean_cost(tokens.flatten(0, 1), labels.flatten()) + _mean_cost(pairs, follow_labels)


def _mean_cost(scores: Tensor, labels: Tensor) -> Tensor:
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    return F.cross_entropy(scores, labels, reduction="sum") / (labels != -100).sum().clamp(min=1)


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
    for key in state:
        if _new_name(key) != key and _new_name(key) in state:
            raise ValueError(f"{key} is there twice: {_new_name(key)} is its name of today")
    found = {_new_name(key): value for key, value in state.items() if not key.endswith("position_ids")}
    places = {_their_name(name): place for name, place in model.named_parameters()}  # what is shared stands there once
    twice = {key: found.pop(key) for key in _TWINS if key in found}

    # All questions first, so that a refused checkpoint changes nothing.
    for key in [*places, *found]:
        if key not in found:
            raise ValueError(f"the checkpoint lacks {key}")
        if key not in places:
            raise ValueError(f"the model has no place for {key}")
        if found[key].shape != places[key].shape:  # copy_ alone would broadcast
            raise ValueError(f"{key} has shape {tuple(found[key].shape)}, expected {tuple(places[key].shape)}")
    for key, value in twice.items():
        if not torch.equal(value, found[_TWINS[key]]):
            raise ValueError(f"{key} differs from {_TWINS[key]}, and the model has one tensor for both")
    with torch.no_grad():
        for key, place in places.items():
            place.copy_(found[key])


_THEIRS = {
    "embeddings.words": "bert.embeddings.word_embeddings",
    "embeddings.positions": "bert.embeddings.position_embeddings",
    "embeddings.types": "bert.embeddings.token_type_embeddings",
    "embeddings.norm": "bert.embeddings.LayerNorm",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm_1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm_2": "output.LayerNorm",
    "pooler": "bert.pooler.dense",
    "transform": "cls.predictions.transform.dense",
    "transform_norm": "cls.predictions.transform.LayerNorm",
    "decoder": "cls.predictions",
    "follows": "cls.seq_relationship",
}
_TWINS = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}


def _new_name(key: str) -> str:
    if key.endswith((".LayerNorm.gamma", ".LayerNorm.beta")):
        return key.replace(".gamma", ".weight").replace(".beta", ".bias")
    return key


def _their_name(name: str) -> str:
    part, _, kind = name.rpartition(".")
    if part.startswith("blocks."):
        _, number, part = part.split(".")
        return f"bert.encoder.layer.{number}.{_THEIRS[part]}.{kind}"
    return f"{_THEIRS[part]}.{kind}"
