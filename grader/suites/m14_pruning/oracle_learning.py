"""gpt2-nano on stories, in ids that the seed draws: what it loses with its weights, and what it learns without them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.judge.probes import model
from grader.suites.shared.nano import Cut

from . import oracle, oracle_structure

MATRICES = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")
TRAIN, HELDOUT = 120_000, 24_000  # characters of each text


class Stories:
    """gpt2-nano with its vocabulary cut to some stories' tokens, and the stories in these ids."""

    HALF, MOST = 0.5, 0.6  # of the weights
    STEPS, BATCH, SEQ, RATE = 30, 8, 64, 2.5e-3
    CONTROL = 8  # steps on shuffled text
    WINDOWS = 24  # of held-out text
    LEARNED = 2.4

    def __init__(self, draw: Any, data: Any) -> None:
        encoding = data.tiktoken()
        texts = [data.text(f"stories_{part}.txt")[:size] for part, size in (("train", TRAIN), ("heldout", HELDOUT))]
        parts = [encoding.encode(text, allowed_special="all") for text in texts]
        cut = Cut(draw, torch.tensor(parts[0] + parts[1]).unique())
        self.sizes, self.start = cut.sizes, cut.start
        self.train, heldout = (torch.tensor(cut.ids(part)) for part in parts)
        starts = draw.integers(0, len(heldout) - self.SEQ, self.WINDOWS)
        self.heldout = heldout.unfold(0, self.SEQ + 1, 1)[starts]

    def matrices(self) -> dict[str, Tensor]:
        """Return the weights of the linear layers, in the model's order."""
        order = [f"h.{layer}{part}" for layer in range(self.sizes["n_layers"]) for part in MATRICES]
        return {name: self.start[name] for name in order}

    def windows(self, draw: Any, steps: int) -> Tensor:
        """Draw what is trained on: (steps, batch, seq + 1)."""
        starts = draw.integers(0, len(self.train) - self.SEQ, steps * self.BATCH)
        return self.train.unfold(0, self.SEQ + 1, 1)[starts].view(steps, self.BATCH, -1)

    def zeros(self, state: Mapping[str, Tensor]) -> tuple[int, int]:
        """Return how many weights of the linear layers are 0, and how many there are."""
        weights = [state[name] for name in self.matrices()]
        return sum(int((value == 0).sum()) for value in weights), sum(value.numel() for value in weights)

    def without(self, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights with 0 where a mask is False."""
        return self.start | {name: self.start[name] * mask for name, mask in masks.items()}

    def random_masks(self, draw: Any, sparsity: float) -> dict[str, Tensor]:
        """Return masks that let as many weights go, drawn by lot."""
        weights = self.matrices()
        lots = {name: draw.normal(*value.shape) for name, value in weights.items()}
        return oracle.all_together(lots, sparsity)

    def logits(self, state: dict[str, Tensor], ids: Tensor) -> Tensor:
        """Run the judge's own model with these weights."""
        with torch.no_grad():
            return model.build(self.sizes, state)(ids)

    def loss(self, state: dict[str, Tensor]) -> float:
        """Return what a held-out token costs, in nats."""
        logits = self.logits(state, self.heldout[:, :-1])
        return float(F.cross_entropy(logits.flatten(0, 1), self.heldout[:, 1:].flatten()))

    def kept(self, draw: Any) -> tuple[list[list[int]], list[list[int]], dict[str, Tensor]]:
        """Draw a layer's heads that stay, take its better half of neurons, and return both, and the others silenced."""
        heads, neurons, silent = [], [], dict(self.start)
        n_heads = self.sizes["n_heads"]
        for layer in range(self.sizes["n_layers"]):
            some = draw.permutation(n_heads)[: n_heads - (layer % 2)].tolist()
            mlp, attn = (self._part(layer, part) for part in ("mlp", "attn"))
            order = oracle_structure.scores(mlp).argsort(descending=True)
            few = order[: len(order) // 2].sort().values.tolist()
            heads.append(some)
            neurons.append(few)
            silent |= self._named(layer, "mlp", oracle_structure.silent_mlp(mlp, few))
            silent |= self._named(layer, "attn", oracle_structure.silent_heads(attn, n_heads, some))
        return heads, neurons, silent

    def _part(self, layer: int, part: str) -> dict[str, Tensor]:
        start = f"h.{layer}.{part}."
        return {name.removeprefix(start): value for name, value in self.start.items() if name.startswith(start)}

    def _named(self, layer: int, part: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {f"h.{layer}.{part}.{name}": value for name, value in state.items()}

    def numbers_left(self, heads: Sequence[list[int]] | None, neurons: Sequence[list[int]] | None) -> int:
        """Return how many numbers the layers have when only these heads and neurons are left, None for all."""
        d_model, n_heads = self.sizes["d_model"], self.sizes["n_heads"]
        d_ff, total = self.sizes["d_ff"] or 4 * d_model, 0
        for layer in range(self.sizes["n_layers"]):
            width = (len(heads[layer]) if heads else n_heads) * (d_model // n_heads)
            few = len(neurons[layer]) if neurons else d_ff
            total += 3 * width * (d_model + 1) + d_model * (width + 1)  # attention
            total += few * (d_model + 1) + d_model * (few + 1)  # the MLP
            total += 4 * d_model  # two norms
        return total
