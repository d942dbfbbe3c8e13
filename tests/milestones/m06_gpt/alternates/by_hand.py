"""Unusual: everything by hand: the loss from logsumexp, a stack of rates, loading by walking through the modules."""

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor, nn

from .m03_embedding import LearnedPositions, TokenEmbedding
from .m05_block import Block, LayerNorm


@dataclass
class GPTConfig:
    vocab_size: int = 50257
    context_length: int = 1024
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_ff: Optional[int] = None
    dropout: float = 0.0


class _Stack(nn.ModuleList):
    """Blocks that know how to run one after the other."""

    def run(self, x):
        first, *rest = self
        x = first(x)
        for block in rest:
            x = block(x)
        return x


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = TokenEmbedding(config.vocab_size, config.d_model)
        self.wpe = LearnedPositions(config.context_length, config.d_model)
        self.h = _Stack(
            [Block(config.d_model, config.n_heads, config.d_ff, config.dropout) for _ in range(config.n_layers)]
        )
        self.ln_f = LayerNorm(config.d_model)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        del self.lm_head.weight
        self.lm_head.register_parameter("weight", self.wte.weight)
        init_weights(self)

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.wpe(ids.shape[1]).expand(ids.shape[0], -1, -1)
        x = positions + self.wte(ids)
        if self.training and self.config.dropout > 0:
            kept = torch.rand_like(x) >= self.config.dropout
            x = x * kept / (1 - self.config.dropout)
        return self.lm_head(self.ln_f(self.h.run(x)))


def count_parameters(module: nn.Module) -> int:
    unique = {id(tensor): tensor for _, tensor in module.named_parameters(remove_duplicate=False)}
    return sum(int(torch.tensor(tensor.shape, device="cpu").prod()) for tensor in unique.values())


@torch.no_grad()
def init_weights(model: GPT) -> None:
    into_stream = (2 * model.config.n_layers) ** -0.5
    for name, tensor in model.named_parameters():
        *_, part, kind = name.split(".")
        if kind == "bias":
            tensor.zero_()
        elif part.startswith("ln_"):
            tensor.fill_(1)
        else:
            tensor.normal_(0.0, 0.02 * (into_stream if part == "c_proj" else 1))


def next_token_loss(logits: Tensor, targets: Tensor, ignore_index: int = -100) -> Tensor:
    counts = (targets != ignore_index).to(logits.dtype)
    safe = torch.where(targets == ignore_index, torch.zeros_like(targets), targets)
    chosen = torch.gather(logits, 2, safe.unsqueeze(2)).squeeze(2)
    losses = torch.logsumexp(logits, dim=2) - chosen
    return torch.sum(losses * counts) / torch.maximum(counts.sum(), torch.ones_like(counts.sum()))


def load_gpt2(model: GPT, state: dict) -> None:
    left = dict(state)
    for key in list(left):
        if key.endswith((".attn.bias", ".attn.masked_bias")):
            left.pop(key)
    prefix = "transformer." if any(key.startswith("transformer.") for key in left) else ""
    jobs = []
    for name, part in model.named_modules():
        if name == "lm_head":
            continue
        for kind, place in part.named_parameters(recurse=False):
            key = f"{name}.{kind}"
            try:
                value = left.pop(prefix + key)
            except KeyError:
                raise ValueError(f"no {key} in the checkpoint") from None
            if isinstance(part, nn.Linear) and kind == "weight":
                value = value.transpose(0, 1)
            if tuple(value.shape) != tuple(place.shape):
                raise ValueError(f"{key}: {tuple(value.shape)} is not {tuple(place.shape)}")
            jobs.append((place, value))
    head = left.pop("lm_head.weight", None)
    if head is not None and not bool((head == dict(state)[prefix + "wte.weight"]).all()):
        raise ValueError("lm_head.weight is another matrix than wte.weight")
    if left:
        raise ValueError(f"nobody wants {sorted(left)}")
    for place, value in jobs:
        place.data[...] = value
