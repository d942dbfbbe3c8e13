"""Tokens as the service asks for them: the student's own cache and their own way to draw, one token after another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .model import Served


class Writer:
    """What m20 calls `generate`: several threads may ask, and the model computes for one at a time."""

    def __init__(self, served: Served, generation: ModuleType) -> None:
        self._served, self._parts, self._lock = served, generation, threading.Lock()

    def __call__(self, ids: list[int], *, max_tokens: int, temperature: float, top_p: float) -> Iterator[int]:
        """Yield at most `max_tokens` ids that follow these; the model's end token ends it and is not among them.

        A text that has grown longer than the model's context goes on from its later half.
        """
        served, limit = self._served, self._served.context_length
        text, cache = [served.end, *ids], None
        new = text
        for _ in range(max_tokens):
            with self._lock:
                if cache is None or len(cache) + len(new) > limit:
                    cache = self._parts.KVCache(len(served.model.h))
                    new = text if len(text) <= limit else text[-max(1, limit // 2) :]
                id = self._next(new, cache, temperature, top_p)
            if id == served.end:
                return
            text.append(id)
            new = [id]
            yield id

    def _next(self, new: list[int], cache: Any, temperature: float, top_p: float) -> int:
        import torch

        logits = self._parts.forward_cached(self._served.model, torch.tensor([new]), cache)[:, -1]
        return int(self._parts.sample(self._parts.next_distribution(logits, temperature, top_p=top_p))[0])
