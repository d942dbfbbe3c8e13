"""Runs inside the worker: the student's app behind uvicorn on a Unix socket, and bytes that go to it and come back.

Planted there as text; imports only what is there.
"""

import gc
import os
import socket
import threading
import time

import uvicorn

WAIT = -1
standing = {"writing": 0}


def writer(ask):
    """Return what m20 calls `generate`: each id is asked of the judge, and None ends the text.

    `ask(ids, number)` may answer that it is too early (WAIT).
    """

    def generate(ids, *, max_tokens, temperature, top_p):
        standing["writing"] += 1
        try:
            for number in range(max_tokens):
                while (id := ask(list(ids), number)) == WAIT:
                    time.sleep(0.01)  # the wire is free meanwhile for what was written so far
                if id is None:
                    return
                yield id
        finally:
            standing["writing"] -= 1

    return generate


class Letters:
    """A tokenizer whose ids are the letters' own numbers."""

    def encode(self, text):
        """Return a number for each letter."""
        return [ord(letter) for letter in text]

    def decode(self, ids):
        """Return the letters of some numbers."""
        return "".join(map(chr, ids))


def letters():
    """Return that tokenizer."""
    return Letters()


def serve(app):
    """Serve an app from now on, until this worker ends."""
    path = os.path.abspath("service.sock")
    config = uvicorn.Config(app, uds=path, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    standing["path"] = path


def relay(request, piece):
    """Send a request's bytes; call back each piece of the answer, until it ends or `piece` says that it is enough.

    Whatever is still being written is waited for: without a request there is nobody to ask.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.connect(standing["path"])
        channel.sendall(request)
        while data := channel.recv(65536):
            if piece(data):
                break
    while standing["writing"]:
        gc.collect()  # an iterator that nobody holds may still be part of a circle
        time.sleep(0.01)
