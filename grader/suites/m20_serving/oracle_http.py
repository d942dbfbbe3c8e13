"""What comes over the wire, read strictly: a service's messages by ASGI, and a stream of events."""

import json

from grader.judge import CheckFailed, counted

MOST_BYTES, MOST_MESSAGES, MOST_HEADERS = 2**20, 5000, 64
ENDED = "ended"
OTHER_TYPES = {
    "text/plain": "a stream is sent as plain text",
    "application/json": "a stream is sent as JSON",
    "": "a stream has no type",
}


class Answer:
    """What one client was sent. Whatever is no HTTP raises CheckFailed."""

    def __init__(self):
        self.status, self.headers, self.chunks, self.complete, self.ended = None, {}, [], False, False
        self.raised = None  # what came out of the app instead of an answer, or after a 500
        self._messages = self._bytes = 0

    def take(self, message):
        """Take a message of the service's, or the news that its app has returned."""
        if type(message) is not dict or type(message.get("type")) is not str:
            raise CheckFailed("Your service sent something that is no ASGI message.")
        kind = message["type"]
        if kind == ENDED:
            self.ended = True
            return
        self._messages += 1
        if self._messages > MOST_MESSAGES:
            raise CheckFailed(f"Your service sent more than {counted(MOST_MESSAGES, 'message')} for one request.")
        if self.complete or self.ended:
            raise CheckFailed("Your service went on sending after the end of its answer.")
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            self._body(message)
        else:
            raise CheckFailed("Your service sent an ASGI message that is no part of an HTTP answer.")

    def _start(self, message):
        if self.status is not None:
            raise CheckFailed("Your service began its answer twice.")
        status, headers = message.get("status"), message.get("headers", [])
        if type(status) is not int or not 200 <= status <= 599:
            raise CheckFailed("Your service sent a status that is no number from 200 to 599.")
        if type(headers) not in (list, tuple) or len(headers) > MOST_HEADERS:
            raise CheckFailed(f"Your service sent headers that are no list of at most {MOST_HEADERS} pairs.")
        for pair in headers:
            if type(pair) not in (list, tuple) or [type(part) for part in pair] != [bytes, bytes]:
                raise CheckFailed("Your service sent a header that is no pair of bytes.")
            self._count(sum(map(len, pair)))
            if any(end in part for part in pair for end in (b"\r", b"\n", b"\0")):
                raise CheckFailed("Your service sent a header that holds the end of a line.")
            self.headers[pair[0].lower().decode("latin-1")] = pair[1].decode("latin-1")
        self.status = status

    def _body(self, message):
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.status is None:
            raise CheckFailed("Your service sent a body before status and headers.")
        if type(body) is not bytes or type(more) is not bool:
            raise CheckFailed("Your service sent a body that is no bytes.")
        self._count(len(body))
        if body:
            self.chunks.append(body)
        self.complete = not more

    def _count(self, size):
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise CheckFailed("Your service sent more than a megabyte for one request.")

    @property
    def kind(self):
        """The media type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def body(self):
        """All bytes of the body so far."""
        return b"".join(self.chunks)

    def expect_end(self):
        """Refuse an answer without an end, or none at all."""
        if self.raised is not None and not self.complete:
            raise self.raised
        if self.status is None:
            raise CheckFailed("Your service returned without an answer.")
        if not self.complete:
            raise CheckFailed(
                "Your service returned in the middle of its answer: no message says that it was the last."
            )
        said = self.headers.get("content-length")
        if said is not None and said != str(len(self.body)):
            raise CheckFailed("The header Content-Length is not the length of the body.")

    def json(self):
        """Return the body, which is a JSON object. Raises CheckFailed for anything else."""
        if self.kind != "application/json":
            raise CheckFailed("The answer's Content-Type is not application/json.")
        return parsed(self.body, "The answer")

    def events(self):
        """Return the data of all events that are complete. Raises CheckFailed for what is no event stream."""
        if self.kind != "text/event-stream":
            raise CheckFailed("The answer's Content-Type is not text/event-stream.", OTHER_TYPES.get(self.kind))
        return [data for name, data in events(self.body) if name == "message"]


def parsed(data, what):
    """Return a JSON object. Raises CheckFailed for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise CheckFailed(f"{what} is no JSON.") from None
    if type(found) is not dict:
        raise CheckFailed(f"{what} is no JSON object.")
    return found


def events(body):
    """Return (name, data) of each complete event of a stream, as a browser reads it (WHATWG HTML, 9.2.6).

    Raises CheckFailed where it is no UTF-8.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise CheckFailed("The stream is no UTF-8.") from None
    name, data, found = "", None, []
    *lines, _ = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data is not None:
                found.append((name or "message", data))
            name, data = "", None
        elif field == "data":
            data = value if data is None else f"{data}\n{value}"
        elif field == "event":
            name = value
    return found
