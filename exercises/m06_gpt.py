"""m06_gpt: pile your blocks up to GPT-2, and bring it to life with GPT-2's own weights.

Ids become vectors (m03), blocks work on them (m05), and a last matrix turns each vector into one score for every token
that could come next. That is the whole of GPT-2. What it knows lies in its weights: this milestone starts them well,
counts them, measures how wrong they are, and reads those that somebody else has trained.

Left out: writing text (m07), training (m08), rotary positions and gated MLPs (m15).
Everything you made before may be used, and all of torch.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor, nn


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
        # TODO(m06.1): import what you made, keep the config, make the parts.
        # TODO(m06.2): one tensor for wte and lm_head.
        # TODO(m06.3): end with init_weights(self).
        raise NotImplementedError("m06.1")

    def forward(self, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq vocab_size"]:
        """Score every token as the successor of each; LearnedPositions' ValueError when seq exceeds the context."""
        # TODO(m06.1): embed, blocks, last norm, scores.
        raise NotImplementedError("m06.1")


def count_parameters(module: nn.Module) -> int:
    """Count the numbers in a module's parameters: a shared tensor once, frozen ones too, buffers not.

    Works where there is no data, on the meta device. Example: GPT(GPTConfig()) has 124,439,808, GPT-2 small's number.
    """
    # TODO(m06.2): add up the sizes.
    raise NotImplementedError("m06.2")


def init_weights(model: GPT) -> None:
    """Draw all weights anew, in place; GPT's constructor ends with it. Radford et al. (2019), section 2.3.

    Embeddings and weights of linear layers: normal, mean 0, standard deviation 0.02. Biases 0; norms weight 1, bias 0.
    Each c_proj writes into the residual stream, 2 * n_layers of them in all: theirs is 0.02 / sqrt(2 * n_layers).

    Example: in GPT-2 small, with 12 layers, it is 0.02 / sqrt(24) = 0.00408.
    """
    # TODO(m06.3): every module by its kind, then every c_proj once more.
    raise NotImplementedError("m06.3")


def next_token_loss(
    logits: Float[Tensor, "batch seq vocab_size"], targets: Int64[Tensor, "batch seq"], ignore_index: int = -100
) -> Float[Tensor, ""]:
    """Average the cross-entropy (in nats) over all targets but those that equal ignore_index.

    targets[b, i] is the id that belongs after position i: they are shifted already. When all are ignored the loss is
    0, and its gradient 0 everywhere.

    Example: logits [[[0, 0], [0, ln 3]]] with targets [[0, 1]] lose ln 2 and ln(4/3), 0.4904 on average.
    """
    # TODO(m06.4): sum the losses that count, divide by their number.
    raise NotImplementedError("m06.4")


def load_gpt2(model: GPT, state: dict[str, Tensor]) -> None:
    """Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.

    Keys are the model's own, all with `transformer.` in front or none; an `lm_head.weight` has no prefix, may be left
    out, and must equal wte.weight. Weights of c_attn, c_proj and c_fc are (in, out), as Conv1D has them. Causal masks
    (keys that end in `.attn.bias` or `.attn.masked_bias`) are dropped, and nothing else is.

    Example: h.0.attn.c_attn.weight is (768, 2304) in GPT-2 small's file, and (2304, 768) in nn.Linear.
    Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model is then
    as it was.
    """
    # TODO(m06.5): rename, turn, compare everything, and only then copy.
    raise NotImplementedError("m06.5")
