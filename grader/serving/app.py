"""The student's app and the page beside it, at one address of this machine."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from grader.judge.errors import UsageProblem
from grader.own_browser import is_own

HOST, PAGE = "127.0.0.1", "/page/"
GRACE = 2  # seconds that open streams get when the service ends
# A page may show what a model writes, and that may look like a picture from elsewhere: the browser asks nobody else.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self'; frame-ancestors 'self'; "
    "form-action 'self'"
)


def bound(port: int) -> socket.socket:
    """Return a socket at this port of this machine alone; 0 takes any. Raises UsageProblem where that is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower().partition(" (while")[0]
        raise UsageProblem(
            f"Port {port} of {HOST} cannot be had ({reason}); name another with --port, or 0 for any that is free."
        ) from None


def with_page(app: Any, page: Any) -> Any:
    """Return an app in which the page stands beside the student's app, whose paths stay its own."""
    import gradio
    from fastapi import FastAPI
    from fastapi.responses import RedirectResponse

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with app.router.lifespan_context(app):  # of an app that is mounted nobody else would run it
            yield

    whole = FastAPI(openapi_url=None, lifespan=lifespan)
    for path in ("/", PAGE.rstrip("/")):
        whole.add_api_route(path, lambda: RedirectResponse(PAGE), include_in_schema=False)
    gradio.mount_gradio_app(whole, page, PAGE.rstrip("/"), footer_links=[], run_history=False, ssr_mode=False)
    whole.mount("/", app)
    return whole


class OwnBrowser:
    """Tells browsers to ask nobody but this service for anything, and gives other sites' pages nothing."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let the app answer, with one header more."""
        from starlette.responses import PlainTextResponse

        if scope["type"] != "lifespan" and not is_own(scope):
            await PlainTextResponse("This service is for this machine alone.\n", status_code=403)(scope, receive, send)
            return

        async def policed(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"content-security-policy", POLICY.encode())]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, policed)


def run(app: Any, at: socket.socket) -> None:
    """Serve until Ctrl-C."""
    import uvicorn

    config = uvicorn.Config(OwnBrowser(app), log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)
    server = uvicorn.Server(config)
    # A page that is still open has a stream that ends with the service; a traceback would say no more than that.
    logging.getLogger("uvicorn.error").addFilter(lambda _: not server.should_exit)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[at])
