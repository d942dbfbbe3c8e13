"""The report as a page that follows: at 127.0.0.1 alone, to read and never to write, told of each verdict at once.

Other pages of the same browser, and other users of the same machine, can reach this port. So the address holds a token
that nobody guesses; a request for another host name (DNS that turns to 127.0.0.1), from another page (Origin,
Sec-Fetch-Site), or that wants to do anything but read, gets nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from grader.own_browser import is_own

QUIET_SECONDS = 15  # after which a line goes out that says nothing, so that a connection that is gone is noticed
ENDING_SECONDS = 2
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the token is in the address
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class LivePage:
    """A page in a server of its own, in a thread of its own. Raises OSError where the port is taken."""

    def __init__(self, text: str, port: int = 0) -> None:
        self._text, self._listeners = text, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
        self._state, self._lock = "", threading.Lock()
        self._token = secrets.token_urlsafe(24)
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/{self._token}/"
        routes = [Route("/{token}/", self._page), Route("/{token}/events", self._events)]
        site = Starlette(routes=routes, exception_handlers={404: _not_found})
        site.router.redirect_slashes = False
        app = OwnReadersOnly(site, self.port)
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none",
            server_header=False, timeout_graceful_shutdown=0,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def show(self, text: str) -> None:
        """Show this page from now on, everywhere that it is open."""
        self._tell(text, "")

    def say(self, state: str) -> None:
        """Say beside the page what is going on."""
        self._tell(self._text, state)

    def close(self) -> None:
        """End the server; pages that are open stay as they are and say so."""
        self._server.should_exit = True
        self._tell(self._text, "The watch has ended.")
        self._thread.join(ENDING_SECONDS)
        self._socket.close()

    def _tell(self, text: str, state: str) -> None:
        with self._lock:
            self._text, self._state = text, state
            for loop, changed in self._listeners:
                loop.call_soon_threadsafe(changed.set)

    def _known(self, request: Request) -> bool:
        return hmac.compare_digest(request.path_params["token"].encode(), self._token.encode())

    async def _page(self, request: Request) -> Any:
        return HTMLResponse(self._text, headers=HEADERS) if self._known(request) else _nothing()

    async def _events(self, request: Request) -> Any:
        if not self._known(request):
            return _nothing()
        return StreamingResponse(self._news(), media_type="text/event-stream", headers=HEADERS)

    async def _news(self) -> AsyncIterator[str]:
        listener = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._listeners.add(listener)
        try:
            while not self._server.should_exit:
                with self._lock:
                    news = json.dumps({"page": self._text, "state": self._state})  # on one line
                yield f"data: {news}\n\n"
                while not listener[1].is_set():
                    try:
                        await asyncio.wait_for(listener[1].wait(), QUIET_SECONDS)
                    except TimeoutError:
                        yield ": nothing new\n\n"
                listener[1].clear()
        finally:
            with self._lock:
                self._listeners.discard(listener)


class OwnReadersOnly:
    """Lets through who reads this page from this machine's browser, by its own address; everybody else gets nothing."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app, self._port = app, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer: ASGIApp = self._app if scope["type"] == "http" and self._may_read(scope) else _nothing()
        await answer(scope, receive, send)

    def _may_read(self, scope: Scope) -> bool:
        here = Headers(scope=scope).get("host", "").endswith(f":{self._port}")
        return scope["method"] in ("GET", "HEAD") and here and is_own(scope)


async def _not_found(_request: Request, _error: Exception) -> PlainTextResponse:
    return _nothing()


def _nothing() -> PlainTextResponse:
    return PlainTextResponse("There is nothing here.\n", status_code=404, headers=HEADERS)
