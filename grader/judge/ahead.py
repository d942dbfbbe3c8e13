"""The next check's worker, made ready while this check runs: forking and importing the submission then delay nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any


@dataclass
class Loaded:
    """A worker that was told to load the submission for one check."""

    worker: Any
    printed: int = 0  # how much it had printed before
    failure: Exception | None = None  # why the submission did not load; the check ends with it


class Ahead:
    """Makes at most one worker ready, in a thread of its own."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._key: Any = None
        self._loaded: Future[Loaded] | None = None
        self._worker: Any = None
        self._wanted = False

    def prepare(self, key: Any, worker: Callable[[], Any], load: Callable[[Any], Loaded]) -> None:
        """Begin to make a worker and to load the submission in it, for whatever `key` stands for."""
        self._pool = self._pool or ThreadPoolExecutor(1, "ahead")
        self._key, self._worker, self._wanted = key, None, True

        def work() -> Loaded:
            self._worker = made = worker()
            return load(made) if self._wanted else Loaded(made)

        self._loaded = self._pool.submit(work)

    def take(self, key: Any) -> Loaded | None:
        """Return the worker that was made ready for just this, or None; one that was made for something else ends.

        Raises SandboxError if none could be made.
        """
        if self._loaded is None:
            return None
        if self._key != key:
            self.drop()
            return None
        loaded, self._loaded = self._loaded, None
        return loaded.result()

    def drop(self) -> None:
        """End the worker that was made ready, also while it loads."""
        loaded, self._loaded, self._wanted = self._loaded, None, False
        if loaded is None:
            return
        if self._worker is not None:
            self._worker.kill()
        with contextlib.suppress(Exception):  # why it could not be made ready interests nobody any more
            loaded.result().worker.end()

    def close(self) -> None:
        """End what is left."""
        self.drop()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
