"""Many clients at once: how many tokens a second a service gives them, and how long they wait for the first one."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field

from .model import STORY

MOST_TOKENS = 64
PATIENCE = 600.0  # seconds for one answer


@dataclass
class Figures:
    """What some clients measured together."""

    clients: int
    tokens: int = 0
    seconds: float = 0.0
    firsts: list[float] = field(default_factory=list)  # seconds to each client's first text
    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Tokens a second, all clients together."""
        return self.tokens / self.seconds if self.seconds else 0.0


def measure(port: int, model: str, clients: int, host: str = "127.0.0.1") -> Figures:
    """Have some clients ask a service for a text each, all at once; return what they measured."""
    figures, lock, go = Figures(clients), threading.Lock(), threading.Event()

    def ask() -> None:
        go.wait()
        began = time.perf_counter()
        try:
            tokens, first = stream(host, port, model, MOST_TOKENS)
        except (OSError, http.client.HTTPException, ValueError) as error:
            with lock:
                figures.failures.append(str(error) or type(error).__name__)
            return
        with lock:
            figures.tokens += tokens
            figures.firsts.append(first - began)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    go.set()
    for thread in threads:
        thread.join()
    figures.seconds = time.perf_counter() - began
    return figures


def stream(host: str, port: int, model: str, most: int) -> tuple[int, float]:
    """Ask for a streamed text; return how many tokens it has, and when its first came.

    Raises OSError, HTTPException or ValueError for what is no such answer.
    """
    asked = {
        "model": model, "prompt": STORY, "max_tokens": most, "temperature": 1.0, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("POST", "/v1/completions", json.dumps(asked), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(f"status {answer.status}: {answer.read(300).decode('utf-8', 'replace')}")
        first, tokens = 0.0, 0
        for line in answer:
            if not line.startswith(b"data:") or line.strip() == b"data: [DONE]":
                continue
            event = json.loads(line[5:])
            if "error" in event:
                raise ValueError(f"the stream ended with {json.dumps(event['error'])[:300]}")
            if not first and any(choice.get("text") for choice in event.get("choices", ())):
                first = time.perf_counter()
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
        if not first or not tokens:
            raise ValueError("no text came, or nothing says how many tokens it has")
        return tokens, first
    finally:
        connection.close()
