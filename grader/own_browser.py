"""Which requests to a port of this machine come from whoever works at it, and not from another site's page.

Such a page can reach the port by the browser that shows it (Origin, Sec-Fetch-Site), or give its own name this address
(Host). It stops nobody who may open connections from this machine.
"""

from __future__ import annotations

from typing import Any

NAMES = ("127.0.0.1", "localhost")


def is_own(scope: Any) -> bool:
    """Tell whether a request, as ASGI gives it, is for this machine's own name, and from no other site's page."""
    from starlette.datastructures import Headers

    headers = Headers(scope=scope)
    host, origin = headers.getlist("host"), headers.getlist("origin")
    return (
        len(host) == 1
        and host[0].partition(":")[0] in NAMES
        and origin in ([], [f"http://{host[0]}"])
        and headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    )
