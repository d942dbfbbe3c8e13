"""Unusual: everything but attention is computed in float64, the variance as a difference of means, and turned back."""

import numpy as np
import torch
from torch import Tensor, nn

from .m04_attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_parameter("weight", nn.Parameter(torch.full((d_model,), 1.0)))
        self.register_parameter("bias", nn.Parameter(torch.full((d_model,), 0.0)))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"{tuple(x.shape)} against {tuple(self.weight.shape)}")
        wide = x.to(torch.float64)
        mean = wide.mean(-1)[..., None]
        variance = wide.pow(2).mean(-1)[..., None] - mean.pow(2)
        normal = (wide - mean).mul(variance.clamp(min=0).add(self.eps).rsqrt())
        return torch.einsum("...d,d->...d", normal, self.weight.double()).add(self.bias.double()).to(x.dtype)


def gelu(x: Tensor) -> Tensor:
    wide = x.to(torch.float64)
    # half of 1 + tanh(u) is the sigmoid of 2u
    return (wide * torch.sigmoid(np.sqrt(8 / np.pi) * (wide + 0.044715 * wide.pow(3)))).to(x.dtype)


class MLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.rate = dropout
        inner = d_ff if d_ff is not None else d_model << 2
        self.c_fc, self.c_proj = nn.Linear(d_model, inner), nn.Linear(inner, d_model)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.double() @ self.c_fc.weight.double().mT + self.c_fc.bias.double()
        wide = gelu(wide) @ self.c_proj.weight.double().mT + self.c_proj.bias.double()
        return torch.dropout(wide, self.rate, self.training).to(x.dtype)


class Block(nn.Module):
    def __init__(
        self, d_model: int, n_heads: int, d_ff: int | None = None, dropout: float = 0.0, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = (LayerNorm(d_model, eps) for _ in range(2))
        self.attn = MultiHeadAttention(d_model, n_heads, dropout)
        self.mlp = MLP(d_model, d_ff, dropout)

    def forward(self, x: Tensor) -> Tensor:
        heard = self.attn(self.ln_1(x))
        return x + heard + self.mlp(self.ln_2(torch.add(x, heard)))
