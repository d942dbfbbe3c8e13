"""A client outside talks to a server inside the sandbox: each request crosses the wire as bytes, each piece comes back.

The judge listens on 127.0.0.1 and knows nothing of HTTP but where a request ends. The server lives on a Unix socket in
the worker; what it is sent asks it to close, since each request has a connection of its own there.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import relay_inside

from grader.judge import asked

LARGEST = 2**20  # bytes of a request
BUSY = b"""HTTP/1.1 429 Too Many Requests\r
content-type: application/json\r
retry-after-ms: 1\r
connection: close\r
content-length: 76\r
\r
{"error": {"message": "later", "type": "busy", "param": null, "code": null}}"""


class Relay:
    """What stands between the clients outside and one worker's server."""

    def __init__(self, student: Any) -> None:
        self._student, self._parts = student, student.plant(relay_inside)
        self._turn = threading.Lock()  # the wire carries one request at a time
        self.left = 0  # clients that went before their answer was whole
        self.refuse = 0  # how many of the next requests are told to come again
        self.requests: list[bytes] = []

    def app(self, ask: Callable[[list[int], int], int | None], **settings: Any) -> Any:
        """Return the student's app, whose model writes what `ask(ids, number)` says."""
        write = self._parts.writer(self._student.callback(ask, _ids, asked.of(int)))
        return self._student.create_app(write, self._parts.letters(), **settings)

    def rest(self) -> None:
        """Wait until nothing is carried, and nothing written any more."""
        with self._turn:
            return

    @contextlib.contextmanager
    def listening(self, app: Any) -> Iterator[str]:
        """Serve an app; yield the address that clients outside have for it."""
        self._parts.serve(app)
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                relay._carry(self.request)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()

    def _carry(self, client: socket.socket) -> None:
        request = read_request(client)
        if not request:
            return
        self.requests.append(request)
        if self.refuse:
            self.refuse -= 1
            client.sendall(BUSY)
            return

        def piece(data: bytes) -> bool:
            if gone(client):
                self.left += 1
                return True
            client.sendall(data)
            return False

        with self._turn, contextlib.suppress(OSError):
            self._parts.relay(closing(request), self._student.callback(piece, asked.of(bytes)))


def _ids(value: Any) -> list[int]:
    if type(value) is not list or not all(type(id) is int for id in value):
        raise TypeError("ids are a list of ints")
    return value


def read_request(client: socket.socket) -> bytes:
    """Return one request as it came: its head, and as much more as that says. Nothing, if the client went."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < LARGEST:
        if not (more := client.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)\r?$", head)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0 and (more := client.recv(min(missing, 65536))):
        data, missing = data + more, missing - len(more)
    return data


def closing(request: bytes) -> bytes:
    """Return a request that asks for its connection to be closed after it."""
    head, end, body = request.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + end + body


def gone(client: socket.socket) -> bool:
    """Whether a client has left: it has nothing more to send, and its end of the connection is closed."""
    readable, _, _ = select.select([client], [], [], 0)
    with contextlib.suppress(OSError):
        return bool(readable) and client.recv(1, socket.MSG_PEEK) == b""
    return True
