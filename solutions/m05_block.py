"""m05_block: the layer that a GPT is a pile of.

Attention (m04) lets tokens talk; it is a mixture, and leaves them little to think with. A block adds what makes a pile
of layers learn: each token works by itself on what it heard (the MLP), everything is brought to one scale before it is
read (LayerNorm), and nothing is replaced, only added to (the residual stream).

Left out: RMSNorm and gated MLPs (m15), norms behind the sublayers as BERT has them (m16), the pile itself (m06).
No argument of a function or of a layer changes.
You need nn.Linear, your own attention and plain arithmetic. Not allowed, since they are what you are building:
nn.LayerNorm, F.layer_norm, torch.layer_norm, nn.GELU, F.gelu, nn.Transformer and its layers.
"""

import math

import torch
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
        self.eps = eps
        # Parameters, not plain tensors: so they are learnt, saved, and moved with the model.
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Normalise each vector along the last axis by itself; there may be any number of axes in front of it.

        The dtype that comes in goes out. Below float32 the arithmetic between is float32, and numbers far from zero
        keep their digits: 4096 + x gives what x gives. Raises ValueError, naming both widths, unless x is d_model wide.
        """
        d_model = len(self.weight)
        if x.shape[-1] != d_model:  # a width of 1 would not fail by itself: it broadcasts
            raise ValueError(f"vectors of width {x.shape[-1]} do not fit a LayerNorm of width {d_model}")
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # 8 or 11 bits are too few for a mean; float64 stays
        centred = wide - wide.mean(dim=-1, keepdim=True)  # (..., d_model) - (..., 1)
        # Squares of what is centred. The mean of the squares less the square of the mean is the same number on paper;
        # far from zero both are huge, and their difference is nothing but rounding.
        # Pitfall: torch.var divides by d_model - 1 unless told otherwise (correction=0).
        variance = centred.square().mean(dim=-1, keepdim=True)
        normal = centred / torch.sqrt(variance + self.eps)  # inside the root: also where the variance is 0
        return (normal * self.weight + self.bias).to(x.dtype)


def gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Let large numbers pass and hold negative ones back, smoothly: GELU in the form that GPT-2 was trained with.

    Gaussian Error Linear Units (Hendrycks and Gimpel, 2016), section 2, the one with tanh:
    0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))). The dtype stays.

    Example: -2, -1, 0, 1 and 2 become -0.0454, -0.1588, 0, 0.8412 and 1.9546. The exact form has 1.9545 at 2.
    """
    # An approximation from days when tanh was quicker than erf. GPT-2 was trained with it, so its weights expect it.
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + torch.tanh(inner))


class MLP(nn.Module):
    """Work on each token by itself: widen its vector, apply gelu, narrow it again.

    Attention Is All You Need (Vaswani et al., 2017), section 3.3, with gelu in the place of ReLU. Its only state is
    two nn.Linear with bias: `c_fc` (d_model to d_ff) and `c_proj` (d_ff to d_model). Without a d_ff the inner width is
    4 * d_model. In training mode only, `dropout` falls on the output.

    Example: MLP(4) has 148 parameters: 4 * 16 + 16 in c_fc, 16 * 4 + 4 in c_proj.
    """

    def __init__(self, d_model: int, d_ff: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        d_ff = 4 * d_model if d_ff is None else d_ff
        self.dropout = dropout
        self.c_fc = nn.Linear(d_model, d_ff)
        self.c_proj = nn.Linear(d_ff, d_model)

    def forward(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Send every vector along the last axis through both layers."""
        hidden = gelu(self.c_fc(x))  # (..., d_model) -> (..., d_ff)
        output = self.c_proj(hidden)  # (..., d_ff) -> (..., d_model)
        return nn.functional.dropout(output, self.dropout, self.training)


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
        # Two norms with weights of their own: what attention reads and what the MLP reads are scaled separately.
        self.ln_1 = LayerNorm(d_model, eps)
        self.attn = MultiHeadAttention(d_model, n_heads, dropout)
        self.ln_2 = LayerNorm(d_model, eps)
        self.mlp = MLP(d_model, d_ff, dropout)

    def forward(self, x: Float[Tensor, "batch seq d_model"]) -> Float[Tensor, "batch seq d_model"]:
        """Run attention, then the MLP, each on a normalised copy, and add both to the stream."""
        # Pitfall: add to x itself, never to its normalised copy. The plain sum is a straight road for the gradient,
        # from the last block to the first; a norm on it would stand in its way once in every block.
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))  # the second sublayer already reads what the first has added
