"""All randomness of a check: one stream that depends on the run's seed and the check's name, and on nothing else."""

from __future__ import annotations

import functools
import hashlib
import random
from typing import Any


class Draw:
    """Draws inputs for one check."""

    def __init__(self, seed: str, check: str) -> None:
        digest = hashlib.sha256(f"{seed}\0{check}".encode()).digest()
        self._number = int.from_bytes(digest[:7], "big")
        self.random = random.Random(self._number)

    @functools.cached_property
    def generator(self) -> Any:
        """A torch.Generator on the CPU."""
        import torch

        return torch.Generator().manual_seed(self._number)

    def normal(self, *shape: int, scale: float = 1.0, dtype: Any = None) -> Any:
        """Return a tensor of this shape from a normal distribution with standard deviation `scale` (float32)."""
        import torch

        values = torch.randn(*shape, generator=self.generator, dtype=torch.float64) * scale
        return values.to(dtype or torch.float32)

    def integers(self, low: int, high: int, *shape: int) -> Any:
        """Return an int64 tensor of this shape with values from `low` to `high - 1`."""
        import torch

        return torch.randint(low, high, shape, generator=self.generator)

    def permutation(self, count: int) -> Any:
        """Return the numbers below `count` in random order, as an int64 tensor."""
        import torch

        return torch.randperm(count, generator=self.generator)
