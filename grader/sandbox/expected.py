"""What workers will have to watch for: noted when rooms are read, so that a server prepares it before any fork."""

from __future__ import annotations

shortcuts: set[str] = set()
