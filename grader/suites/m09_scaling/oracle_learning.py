"""gpt2-nano with half of its layers drawn anew, and the stories by which one process trains these again."""

from typing import Any

import torch
from torch import Tensor

from grader.judge.probes import model
from grader.suites.shared.nano import Cut

from .probes import next_tokens

TRAIN, HELDOUT = 60_000, 12_000  # characters of each text
ADAMW: dict[str, Any] = {"lr": 2.5e-3, "betas": (0.9, 0.95), "eps": 1e-4, "weight_decay": 0.01}
MAX_NORM = 1.0


class Stories:
    """The model as it begins, in ids that are drawn; windows to train on, and others to measure with."""

    STEPS, ROWS, SEQ, WINDOWS = 14, (3, 2), 48, 24
    LEARNED = 3.5  # nats a token of stories never seen

    def __init__(self, draw: Any, data: Any) -> None:
        encoding = data.tiktoken()
        texts = [data.text(f"stories_{part}.txt")[:size] for part, size in (("train", TRAIN), ("heldout", HELDOUT))]
        parts = [encoding.encode(text, allowed_special="all") for text in texts]
        cut = Cut(draw, torch.tensor(parts[0] + parts[1]).unique())
        self.sizes, self.start = cut.sizes, dict(cut.start)
        self.layers = list(range(self.sizes["n_layers"] // 2, self.sizes["n_layers"]))  # that are drawn, and trained
        for name, value in cut.start.items():
            if name.startswith("h.") and int(name.split(".")[1]) in self.layers and value.dim() == 2:
                self.start[name] = draw.normal(*value.shape, scale=float(value.std()))
        train, heldout = (torch.tensor(cut.ids(part)).unfold(0, self.SEQ + 1, 1) for part in parts)
        self.heldout = heldout[draw.integers(0, len(heldout), self.WINDOWS)]
        self.windows = train[draw.integers(0, len(train), self.STEPS * sum(self.ROWS))].view(
            self.STEPS, -1, self.SEQ + 1
        )

    def loss(self, state: dict[str, Tensor]) -> float:
        """Return what a token of stories never seen costs, in nats."""
        with torch.no_grad():
            return float(next_tokens(model.build(self.sizes, state), self.heldout[:, :-1], self.heldout[:, 1:]))

    def trained(self, steps: int = STEPS) -> dict[str, Tensor]:
        """Return the weights that one process has after some steps on whole batches."""
        gpt = model.build(self.sizes, self.start)
        params = [param for layer in self.layers for param in gpt.h[layer].parameters()]
        moments = [(torch.zeros_like(param), torch.zeros_like(param)) for param in params]
        for number, window in enumerate(self.windows[:steps], start=1):
            gpt.zero_grad()
            next_tokens(gpt, window[:, :-1], window[:, 1:]).backward()
            torch.nn.utils.clip_grad_norm_(params, MAX_NORM)
            with torch.no_grad():
                for param, (first, second) in zip(params, moments, strict=True):
                    _move(param, first, second, number)
        return {name: param.detach() for name, param in gpt.named_parameters()}


def _move(param: Any, first: Tensor, second: Tensor, number: int) -> None:
    (beta1, beta2), lr = ADAMW["betas"], ADAMW["lr"]
    first.mul_(beta1).add_(param.grad, alpha=1 - beta1)
    second.mul_(beta2).addcmul_(param.grad, param.grad, value=1 - beta2)
    size = (second / (1 - beta2**number)).sqrt() + ADAMW["eps"]
    param.mul_(1 - lr * ADAMW["weight_decay"])
    param.sub_(lr * first / (1 - beta1**number) / size)
