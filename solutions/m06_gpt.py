"""m06_gpt: pile your blocks up to GPT-2, and bring it to life with GPT-2's own weights.

Ids become vectors (m03), blocks work on them (m05), and a last matrix turns each vector into one score for every token
that could come next. That is the whole of GPT-2. What it knows lies in its weights: this milestone starts them well,
counts them, measures how wrong they are, and reads those that somebody else has trained.

Left out: writing text (m07), training (m08), rotary positions and gated MLPs (m15).
Everything you made before may be used, and all of torch.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .m03_embedding import LearnedPositions, TokenEmbedding, embed
from .m05_block import Block, LayerNorm


@dataclass
class GPTConfig:
    """The sizes of a model. Given, nothing to do here: the defaults are GPT-2 small's, and d_ff=None is 4 * d_model."""

    vocab_size: int = 50257
    context_length: int = 1024
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_ff: int | None = None
    dropout: float = 0.0


class GPT(nn.Module):
    """From ids to logits: Language Models are Unsupervised Multitask Learners (Radford et al., 2019), section 2.3.

    Its parts: `wte` (TokenEmbedding), `wpe` (LearnedPositions), `h` (nn.ModuleList of Block), `ln_f` (LayerNorm) and
    `lm_head` (nn.Linear without bias, whose weight IS wte.weight); `config` is kept, and there is no other state. In
    training mode only, `config.dropout` falls on the embedded ids too, beside those places where a block has it.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = TokenEmbedding(config.vocab_size, config.d_model)
        self.wpe = LearnedPositions(config.context_length, config.d_model)
        # Pitfall: torch does not look into a plain list: its blocks would be neither saved nor moved nor trained.
        self.h = nn.ModuleList(
            Block(config.d_model, config.n_heads, config.d_ff, config.dropout) for _ in range(config.n_layers)
        )
        self.ln_f = LayerNorm(config.d_model)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        # One Parameter with two names: both want a vector for every token, and nn.Linear keeps (out, in) as wte does.
        self.lm_head.weight = self.wte.weight
        init_weights(self)

    def forward(self, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq vocab_size"]:
        """Score every token as the successor of each; LearnedPositions' ValueError when seq exceeds the context."""
        x = embed(self.wte, self.wpe, ids)  # (batch, seq) -> (batch, seq, d_model)
        x = nn.functional.dropout(x, self.config.dropout, self.training)
        for block in self.h:
            x = block(x)
        # Blocks normalise what they read and add to what they don't, so nobody has normalised the stream itself yet.
        return self.lm_head(self.ln_f(x))  # (batch, seq, d_model) -> (batch, seq, vocab_size)


def count_parameters(module: nn.Module) -> int:
    """Count the numbers in a module's parameters: a shared tensor once, frozen ones too, buffers not.

    Works where there is no data, on the meta device. Example: GPT(GPTConfig()) has 124,439,808, GPT-2 small's number.
    """
    return sum(parameter.numel() for parameter in module.parameters())  # parameters() gives a shared one once


def init_weights(model: GPT) -> None:
    """Draw all weights anew, in place; GPT's constructor ends with it. Radford et al. (2019), section 2.3.

    Embeddings and weights of linear layers: normal, mean 0, standard deviation 0.02. Biases 0; norms weight 1, bias 0.
    Each c_proj writes into the residual stream, 2 * n_layers of them in all: theirs is 0.02 / sqrt(2 * n_layers).

    Example: in GPT-2 small, with 12 layers, it is 0.02 / sqrt(24) = 0.00408.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, TokenEmbedding | LearnedPositions):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    # Variances add up: after 2 * n_layers sums the stream would be sqrt(2 * n_layers) times as wide as one of them.
    narrow = 0.02 / math.sqrt(2 * model.config.n_layers)
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            nn.init.normal_(parameter, std=narrow)


def next_token_loss(
    logits: Float[Tensor, "batch seq vocab_size"], targets: Int64[Tensor, "batch seq"], ignore_index: int = -100
) -> Float[Tensor, ""]:
    """Average the cross-entropy (in nats) over all targets but those that equal ignore_index.

    targets[b, i] is the id that belongs after position i: they are shifted already. When all are ignored the loss is
    0, and its gradient 0 everywhere.

    Example: logits [[[0, 0], [0, ln 3]]] with targets [[0, 1]] lose ln 2 and ln(4/3), 0.4904 on average.
    """
    # Summed, since the mean of no losses is 0/0; flatten, since a slice of the logits has no view.
    total = nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=ignore_index, reduction="sum"
    )
    return total / (targets != ignore_index).sum().clamp(min=1)


# GPT-2 was trained with a layer of its own, Conv1D, whose weight is (in, out); nn.Linear's is (out, in).
_CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
_MASKS = (".attn.bias", ".attn.masked_bias")  # with the dot: c_attn.bias is no mask


def load_gpt2(model: GPT, state: dict[str, Tensor]) -> None:
    """Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.

    Keys are the model's own, all with `transformer.` in front or none; an `lm_head.weight` has no prefix, may be left
    out, and must equal wte.weight. Weights of c_attn, c_proj and c_fc are (in, out), as Conv1D has them. Causal masks
    (keys that end in `.attn.bias` or `.attn.masked_bias`) are dropped, and nothing else is.

    Example: h.0.attn.c_attn.weight is (768, 2304) in GPT-2 small's file, and (2304, 768) in nn.Linear.
    Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model is then
    as it was.
    """
    found = {key.removeprefix("transformer."): value for key, value in state.items() if not key.endswith(_MASKS)}
    # Pitfall: a square c_proj fits both ways round. Only the name tells that it has to be turned.
    found = {key: value.T if key.endswith(_CONV1D) else value for key, value in found.items()}
    places = dict(model.named_parameters())  # the shared tensor stands there once, as wte.weight
    head = found.pop("lm_head.weight", None)

    # All questions first, so that a refused checkpoint changes nothing.
    for key in [*places, *found]:
        if key not in found:
            raise ValueError(f"the checkpoint lacks {key}")
        if key not in places:
            raise ValueError(f"the model has no place for {key}")
        if found[key].shape != places[key].shape:  # copy_ alone would broadcast
            raise ValueError(f"{key} has shape {tuple(found[key].shape)}, expected {tuple(places[key].shape)}")
    if head is not None and not torch.equal(head, found["wte.weight"]):
        raise ValueError("lm_head.weight differs from wte.weight, and the model has one tensor for both")
    with torch.no_grad():
        for key, place in places.items():
            place.copy_(found[key])  # into the Parameter, not in its place: wte and lm_head stay one
