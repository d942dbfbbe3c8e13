"""The reference for m11_lora: adapters in float64, what classic mistakes give, and the logbook in windows."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.judge.oracles import Weights
from grader.judge.probes import model

from . import probes

Misses = dict[str, Callable[[], Tensor]]

TARGETS = ["c_attn", "mlp.c_fc", "c_proj"]
RANK, ALPHA, RATE, STEPS, BATCH, SEQ = 8, 16.0, 1e-2, 60, 8, 48
# The share of the start's loss that must not be exceeded: ln 270 nats, the loss of guessing blindly, are a share of
# 0.46, the best guess without context has 0.355; the solution came to between 0.28 and 0.30 with every seed tried.
LEARNED = 0.335

DOTLESS = "a target is the end of a name in whole parts: 'proj' must not fit 'out_proj'"
TWICE = "the adapter's part counts twice once it is merged: forward must then leave it to base"
SPOILED = "weights of the base moved in training: freeze_base must leave only the adapters trainable"


def lora(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    down: Tensor,
    up: Tensor,
    *,
    scale: float,
    base: bool = True,
) -> Tensor:
    """Return weight @ x + bias + scale * up @ down @ x in float64, in x's dtype."""
    wide = x.double()
    mixed = scale * (wide @ down.double().T @ up.double().T)
    if base:
        mixed = mixed + wide @ weight.double().T + (0.0 if bias is None else bias.double())
    return mixed.to(x.dtype)


def lora_misses(x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, *, alpha: float) -> Misses:
    """Compute what the classic mistakes give for the same layer."""
    rank = down.shape[0]

    def wrong(scale: float = alpha / rank, bias: Tensor | None = bias, **options: Any) -> Callable[[], Tensor]:
        return lambda: lora(x, weight, bias, down, up, scale=scale, **options)

    misses = {
        "the adapter's part is scaled by alpha alone, not by alpha / rank": wrong(alpha),
        "the adapter's part is not scaled by alpha / rank": wrong(1.0),
        "the adapter's part is scaled by 1 / rank, without alpha": wrong(1 / rank),
        "the adapter's part is scaled by alpha / sqrt(rank), not by alpha / rank": wrong(alpha / math.sqrt(rank)),
        "the adapter's part is scaled by rank / alpha, the wrong way round": wrong(rank / alpha),
        "the adapter's part is scaled by alpha // rank, a whole number": wrong(float(alpha // rank)),
        "the adapter's part is missing: base answers alone": wrong(0.0),
        "base's part is missing: the adapter answers alone": wrong(base=False),
        "the adapter's part is subtracted": wrong(-alpha / rank),
        TWICE: wrong(2 * alpha / rank),
    }
    if bias is not None:
        misses["base's bias is lost"] = wrong(bias=None)
        misses["base's bias is added twice"] = wrong(bias=2 * bias)
    return misses


def gradients(args: list[Tensor], bias: Tensor | None, scale: float, weights: Tensor) -> list[Tensor]:
    """Differentiate (lora(...) * weights).sum() by x, A and B in float64; `args` are x, weight, A and B."""
    x, weight, down, up = (arg.double().requires_grad_(True) for arg in args)
    total = (lora(x, weight, bias, down, up, scale=scale) * weights).sum()
    return [grad.float() for grad in torch.autograd.grad(total, [x, down, up])]


def merged(weight: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
    """Return weight + scale * up @ down."""
    return (weight.double() + scale * (up.double() @ down.double())).to(weight.dtype)


def merge_misses(weight: Tensor, down: Tensor, up: Tensor, alpha: float) -> Misses:
    """Compute what the classic mistakes make of the weight."""
    rank = down.shape[0]
    return {
        "nothing is added to base's weight": lambda: weight,
        "the product is added as it is, without alpha / rank": lambda: merged(weight, down, up, 1.0),
        "the product is scaled by alpha alone": lambda: merged(weight, down, up, alpha),
        "the product is added twice: a merged layer must stay as it is": lambda: merged(
            weight, down, up, 2 * alpha / rank
        ),
        "the product is subtracted": lambda: merged(weight, down, up, -alpha / rank),
        "the weight is replaced by the product": lambda: merged(torch.zeros_like(weight), down, up, alpha / rank),
    }


def zoo_state(draw: Any) -> dict[str, Tensor]:
    """Draw the weights of a Zoo."""
    shapes = {name: value.shape for name, value in probes.Zoo().state_dict().items()}
    return {name: draw.normal(*shape, scale=0.4) for name, shape in shapes.items()}


def adapters(draw: Any, state: dict[str, Tensor], names: list[str], rank: int) -> dict[str, Tensor]:
    """Draw an adapter for each of these layers."""
    found: dict[str, Tensor] = {}
    for name in names:
        d_out, d_in = state[f"{name}.weight"].shape
        found |= {f"{name}.lora_A": draw.normal(rank, d_in, scale=0.4)}
        found |= {f"{name}.lora_B": draw.normal(d_out, rank, scale=0.4)}
    return found


def merged_state(state: dict[str, Tensor], adapter: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Return a plain model's state with all adapters merged."""
    found = dict(state)
    for name in {key.removesuffix(".lora_A") for key in adapter if key.endswith(".lora_A")}:
        key = f"{name}.weight"
        found[key] = merged(state[key], adapter[f"{name}.lora_A"], adapter[f"{name}.lora_B"], scale)
    return found


def zoo_output(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Return what a plain Zoo gives."""
    with torch.no_grad():
        return probes.zoo(state)(x)


def plain_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the base weights of an adapted model by the names that they had before."""
    return {name.replace(".base.", "."): value for name, value in state.items() if ".lora_" not in name[-7:]}


# ── the logbook ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Logbook:
    """gpt2-nano with its vocabulary cut to the logbook's tokens, whose ids are drawn, and the logbook in these ids.

    It is always the nano: what can be learned in a few seconds was measured there.
    """

    def __init__(self, draw: Any, data: Any) -> None:
        encoding, weights = data.tiktoken(), Weights("gpt2-nano")
        texts = [data.text(f"logbook_{part}.txt") for part in ("train", "heldout")]
        train, heldout = (torch.tensor(encoding.encode(text, allowed_special="all")) for text in texts)
        tokens = torch.unique(torch.cat([train, heldout]))
        order = draw.permutation(len(tokens))
        ids = torch.empty(int(tokens[-1]) + 1, dtype=torch.int64)
        ids[tokens[order]] = torch.arange(len(tokens))
        self.sizes = weights.sizes | {"vocab_size": len(tokens)}
        self.start = weights.linear_state(tokens[order])
        self.train, self.heldout = ids[train], ids[heldout].unfold(0, SEQ + 1, SEQ)

    def windows(self, draw: Any) -> Tensor:
        """Draw the windows to train on: (steps batch seq+1)."""
        starts = draw.integers(0, len(self.train) - SEQ, STEPS * BATCH)
        return self.train.unfold(0, SEQ + 1, 1)[starts].view(STEPS, BATCH, SEQ + 1)

    def loss(self, state: dict[str, Tensor]) -> float:
        """Measure weights in the judge's own model: nats per held-out token."""
        return float(F.cross_entropy(self.logits(state, self.heldout).flatten(0, 1), self.heldout[:, 1:].flatten()))

    def logits(self, state: dict[str, Tensor], rows: Tensor) -> Tensor:
        """Run the judge's own model on all tokens of each row but the last."""
        with torch.no_grad():
            return model.build(self.sizes, state)(rows[:, :-1])


def adapter_shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Return the shape of each tensor that fine-tuning must leave behind."""
    shapes: dict[str, tuple[int, int]] = {}
    for key, value in state.items():
        name = key.removesuffix(".weight")
        if name.endswith(tuple(f".{target}" for target in TARGETS)):
            shapes |= {f"{name}.lora_A": (RANK, value.shape[1]), f"{name}.lora_B": (value.shape[0], RANK)}
    return shapes
