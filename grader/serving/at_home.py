"""Nothing leaves this machine: what a service or its libraries would ask elsewhere is refused, and said.

A library that phones home does so when it is imported or started, before any of its switches is looked at. Python tells
of each connection before it is made, so here is where all of them pass. It is no wall against code that means harm.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "")
# Switches of the libraries' own; what they would try without them is refused all the same.
SILENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "GRADIO_SSR_MODE": "False",
}
REFUSED = "scratchwork: refused a connection to"  # how the line begins that says so


def stay() -> None:
    """Refuse from now on what would leave this machine; it cannot be undone in this process."""
    os.environ.update(SILENT)
    sys.addaudithook(look)


def is_here(host: Any) -> bool:
    """Whether an address is this machine's own."""
    name = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
    if name is None or name in HERE:
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


def look(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse one of Python's events, where it reaches for another machine. Raises ConnectionRefusedError."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        host = arguments[1][0]  # of the internet's families; others have a path
    else:
        return
    if not is_here(host):
        print(f"{REFUSED} {str(host)[:200]!a}", file=sys.stderr, flush=True)
        raise ConnectionRefusedError(f"nothing leaves this machine, and {str(host)[:200]!a} is another")
