"""gpt2-nano with a small vocabulary, for checks that fine-tune it: in the judge, and as a model in the worker."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from grader.judge.oracles import Weights
from grader.judge.probes import model

from . import own_gpt


class Cut:
    """gpt2-nano with its vocabulary cut to some tokens, whose ids are drawn.

    It is always the nano: what can be learned in a few seconds was measured there.
    """

    def __init__(self, draw: Any, tokens: Tensor) -> None:
        weights, order = Weights("gpt2-nano"), draw.permutation(len(tokens))
        self._ids = torch.empty(int(tokens[-1]) + 1, dtype=torch.int64)
        self._ids[tokens[order]] = torch.arange(len(tokens))
        self.sizes = weights.sizes | {"vocab_size": len(tokens)}
        self.start: dict[str, Tensor] = weights.linear_state(tokens[order])

    def ids(self, tokens: list[int]) -> list[int]:
        """Return tokens of GPT-2's by their new ids."""
        return list(self._ids[torch.tensor(tokens)].tolist())

    def inside(self, student: Any, draw: Any) -> Any:
        """Return a GPT in the worker with these weights: the submission's own where it has a right one."""
        trusted = student.plant(model).build(self.sizes, self.start)
        ids = draw.integers(0, self.sizes["vocab_size"], 2, 12)
        return student.plant(own_gpt).own_gpt(trusted, self.sizes, self.start, ids)
