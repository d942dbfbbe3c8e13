"""The worked examples of m20_serving, in its guide and its docstrings, are true; and what it says of libraries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from importlib import metadata
from pathlib import Path

import fastapi
from fastapi.sse import EventSourceResponse, ServerSentEvent

from grader.suites.m20_serving import oracle
from solutions.m20_serving import IncrementalDecoder, StopStrings

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m20_serving.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


def rows(columns):
    """Return the rows of the guide's table with so many columns."""
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in GUIDE.splitlines() if line.startswith("|")]
    return [row for row in found if len(row) == columns and not row[0].startswith("-")][1:]


def test_the_table_of_tokens_is_right():
    """Bytes, their decoding, what is certain, what is given out and what stays open are those of the table."""
    tokens = {row[0]: bytes.fromhex(row[1]) for row in rows(6)}

    def decode(ids):
        return b"".join(tokens[id] for id in ids).decode("utf-8", "replace")

    decoder, open_ids, alone = IncrementalDecoder(decode), [], []
    for token, _, decoded, certain, given, still in rows(6):
        open_ids.append(token)
        alone.append(decode([token]))
        text = decode(open_ids)
        assert decoded == text
        assert certain.replace("–", "") == oracle.certain(decode, open_ids)
        assert given.replace("–", "") == decoder.push(token)
        if not text.endswith(oracle.OPEN):
            open_ids = []
        size = sum(len(tokens[id]) for id in open_ids)
        assert still == (f"{size} bytes" if size else "nothing")

    assert b"".join(tokens.values()) == "日本!".encode()
    assert f"the tokens are {alone[0]}, {alone[1]}, {alone[2]} and {alone[3]}: five times U+FFFD" in WORDS
    assert "".join(alone).count(oracle.OPEN) == 5


def test_the_table_of_pieces_is_right():
    """What a stop string may begin with, and what is given out, are those of the table; so are the formulas."""
    stops, seen = StopStrings(["END"]), ""
    for piece, so_far, held, given in [row for row in rows(4) if row[1].startswith("THE")]:
        seen += piece
        assert so_far == seen
        assert held.replace("–", "") == seen[len(seen) - oracle.held(seen, ["END"]) :]
        assert given.replace("–", "").strip('"') == stops.push(piece)

    assert oracle.stop_place("xabcdx", ["bc", "abcd"]) == 2
    assert oracle.stop_place("xababx", ["ab", "abab"]) == 1
    assert max(size for size in range(1, 3) if "THE EN".endswith("END"[:size])) == oracle.held("THE EN", ["END"])


def talk(app, body):
    """Send a body without a content type, and return the status and what came."""
    sent, bodies = [], [body]

    async def receive():
        return {"type": "http.request", "body": bodies.pop()} if bodies else await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "root_path": "",
    }  # fmt: skip
    with contextlib.suppress(ValueError):  # raised again behind a 500
        asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_what_the_guide_says_of_fastapi_is_so():
    """A wrong body gets a 422 in FastAPI's own form, one that is no JSON raises in request.json(), and is a 500."""
    models, by_hand = fastapi.FastAPI(), fastapi.FastAPI()

    @models.post("/")
    def validated(body: dict[str, int]) -> dict[str, int]:
        return body

    async def read(request: fastapi.Request) -> str:
        return str(await request.json())

    read.__annotations__["request"] = fastapi.Request
    by_hand.post("/")(read)

    status, body = talk(models, b'{"a": "warm"}')
    assert (status, list(json.loads(body))) == (422, ["detail"])
    assert talk(by_hand, b"{")[0] == 500
    assert metadata.version("fastapi").startswith("0.165.")
    assert "Let FastAPI (0.165) look at bodies by its models, and a wrong one gets a 422" in WORDS


def test_what_the_guide_says_of_starlette_is_so():
    """A stream stops reading a plain generator once its client has left, and FastAPI's own events quote a text."""
    read, sent = [], []

    def pieces():
        for number in range(1000):
            read.append(number)
            yield b"x"

    async def serve():
        left = asyncio.Event()

        async def receive():
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if len(sent) == 3:
                left.set()
                await asyncio.sleep(0.01)

        await fastapi.responses.StreamingResponse(pieces())({"type": "http"}, receive, send)

    asyncio.run(serve())

    assert len(read) < 1000
    assert "starlette (1.10) runs a plain generator in a thread" in WORDS
    assert metadata.version("starlette").startswith("1.10.")

    app = fastapi.FastAPI()

    async def events():
        yield ServerSentEvent(data="[DONE]")

    app.post("/", response_class=EventSourceResponse)(events)
    assert b'data: "[DONE]"' in talk(app, b"")[1]


def test_a_client_is_as_short_as_the_guide_says():
    """The client that the guide writes has ten lines or so."""
    client = re.search(r">>> def ask\(.*?\n((?:\.\.\. .*\n)+)", GUIDE)

    assert client is not None and 9 <= client[1].count("\n") <= 11
