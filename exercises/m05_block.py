"""m05_block: the layer that a GPT is a pile of.

Attention (m04) lets tokens talk; it is a mixture, and leaves them little to think with. A block adds what makes a pile
of layers learn: each token works by itself on what it heard (the MLP), everything is brought to one scale before it is
read (LayerNorm), and nothing is replaced, only added to (the residual stream).

Left out: RMSNorm and gated MLPs (m15), norms behind the sublayers as BERT has them (m16), the pile itself (m06).
No argument of a function or of a layer changes.
You need nn.Linear, your own attention and plain arithmetic. Not allowed, since they are what you are building:
nn.LayerNorm, F.layer_norm, torch.layer_norm, nn.GELU, F.gelu, nn.Transformer and its layers.
"""

import torch  # noqa: F401 (you will need it)
from jaxtyping import Float
from torch import Tensor, nn

from .m04_attention import MultiHeadAttention


class LayerNorm(nn.Module):
    """Bring each token's vector to mean 0 and variance 1, then to a gain and a bias learnt for each feature.

    Layer Normalization (Ba et al., 2016), section 3: (x - mean) / sqrt(variance + eps) * weight + bias, where mean and
    variance are those of the last axis, and the variance is a plain mean of squares: divided by d_model, not by one
    less. Its only state is `weight` (ones at first) and `bias` (zeros at first), both learnt and of shape (d_model,).

    Example: LayerNorm(4, eps=0.5) makes [-1, -0.5, 0, 1.5] of [1, 2, 3, 6]: mean 3, variance 3.5, and sqrt(4) is 2.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        # TODO(m05.1): remember eps, make the gain and the bias.
        raise NotImplementedError("m05.1")

    def forward(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Normalise each vector along the last axis by itself; there may be any number of axes in front of it.

        The dtype that comes in goes out. Below float32 the arithmetic between is float32, and numbers far from zero
        keep their digits: 4096 + x gives what x gives. Raises ValueError, naming both widths, unless x is d_model wide.
        """
        # TODO(m05.1): centre, divide by the root of the variance and eps, scale, shift.
        raise NotImplementedError("m05.1")


def gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Let large numbers pass and hold negative ones back, smoothly: GELU in the form that GPT-2 was trained with.

    Gaussian Error Linear Units (Hendrycks and Gimpel, 2016), section 2, the one with tanh:
    0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))). The dtype stays.

    Example: -2, -1, 0, 1 and 2 become -0.0454, -0.1588, 0, 0.8412 and 1.9546. The exact form has 1.9545 at 2.
    """
    # TODO(m05.2): the formula, on the whole tensor at once.
    raise NotImplementedError("m05.2")


class MLP(nn.Module):
    """Work on each token by itself: widen its vector, apply gelu, narrow it again.

    Attention Is All You Need (Vaswani et al., 2017), section 3.3, with gelu in the place of ReLU. Its only state is
    two nn.Linear with bias: `c_fc` (d_model to d_ff) and `c_proj` (d_ff to d_model). Without a d_ff the inner width is
    4 * d_model. In training mode only, `dropout` falls on the output.

    Example: MLP(4) has 148 parameters: 4 * 16 + 16 in c_fc, 16 * 4 + 4 in c_proj.
    """

    def __init__(self, d_model: int, d_ff: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        # TODO(m05.3): settle the inner width, make the two layers.
        raise NotImplementedError("m05.3")

    def forward(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Send every vector along the last axis through both layers."""
        # TODO(m05.3): widen, gelu, narrow, dropout.
        raise NotImplementedError("m05.3")


class Block(nn.Module):
    """Add to each token what it hears from the others, then add what it makes of that.

    Its parts are `ln_1`, `attn` (your MultiHeadAttention), `ln_2` and `mlp`, and it has no other state. Pre-norm, as in
    Language Models are Unsupervised Multitask Learners (Radford et al., 2019), section 2.3: a sublayer reads a
    normalised copy of the stream, and its answer is added to the stream itself. `dropout` goes to both sublayers, and
    `eps` to both norms. Raises the ValueError of MultiHeadAttention when n_heads does not divide d_model.

    Example: with both c_proj at zero nothing is added, and the block gives back its input.
    """

    attn: MultiHeadAttention

    def __init__(
        self, d_model: int, n_heads: int, d_ff: int | None = None, dropout: float = 0.0, eps: float = 1e-5
    ) -> None:
        super().__init__()
        # TODO(m05.4): make the four parts.
        raise NotImplementedError("m05.4")

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """Run attention, then the MLP, each on a normalised copy, and add both to the stream."""
        # TODO(m05.4): twice: normalise, apply, add.
        raise NotImplementedError("m05.4")
