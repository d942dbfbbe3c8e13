"""Ctrl-C: the first asks for an end in good order, the second ends at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Patience:
    """Whether somebody has had enough."""

    def __init__(self) -> None:
        self.over = False

    @contextlib.contextmanager
    def asked_first(self, answer: Callable[[], None]) -> Iterator[None]:
        """In here the first Ctrl-C sets `over` and is answered; the second is a KeyboardInterrupt, as everywhere."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.over = False

        def interrupted(*_: Any) -> None:
            if self.over:
                raise KeyboardInterrupt
            self.over = True
            answer()

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
