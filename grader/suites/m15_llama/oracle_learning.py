"""What m15_llama's learning check is made of: random tokens, each the answer to a question three places later."""

from typing import Any

import torch
from torch import Tensor

from .oracle_model import State, random_state, run

SIZES: dict[str, Any] = {
    "vocab_size": 12,
    "d_model": 32,
    "n_layers": 1,
    "n_heads": 4,
    "n_kv_heads": 2,
    "d_head": 8,
    "d_ff": 48,
    "theta": 100.0,
}
BACK, STEPS, BATCH, SEQ, RATE = 3, 130, 32, 24, 0.01
LEARNED = 0.6


class LookBack:
    """Random texts, and which token stood three before each."""

    def __init__(self, draw: Any) -> None:
        self.start: State = random_state(draw, SIZES, scale=SIZES["d_model"] ** -0.5)
        self.ids = draw.integers(0, SIZES["vocab_size"], STEPS, BATCH, SEQ)
        self.targets = targets(self.ids)
        self._new = draw.integers(0, SIZES["vocab_size"], 64, SEQ)

    def share(self, state: State) -> float:
        """Return how many of new texts' tokens the judge's own model, with these weights, knows."""
        with torch.no_grad():
            found = run(self._new, {key: value.double() for key, value in state.items()}, SIZES).argmax(-1)
        wanted = targets(self._new)
        return float((found == wanted)[wanted >= 0].double().mean())


def targets(ids: Tensor) -> Tensor:
    """Return the token three places before each, and -1 where there is none."""
    found = torch.full_like(ids, -1)
    found[..., BACK:] = ids[..., :-BACK]
    return found
