"""What ids stand for: the vocabulary that a check gave the student's code, as the judge itself sent it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from grader.pictures import Items, Tokens
from grader.safe_text import clean
from grader.sandbox.requests import Noted, Requests

# GPT-2's files write a byte that prints badly as a letter from U+0100 on.
_GOOD = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_BAD = [byte for byte in range(256) if byte not in _GOOD]
_LETTERS = {byte: chr(byte) for byte in _GOOD} | {byte: chr(256 + place) for place, byte in enumerate(_BAD)}
_BYTES = {letter: byte for byte, letter in _LETTERS.items()}

Vocabulary = dict[int, bytes]


def printable(token: bytes) -> str:
    """Return a token as GPT-2's files write it."""
    return "".join(map(_LETTERS.__getitem__, token))


def spelled(items: Items, requests: Requests) -> Items:
    """Return items with what they stand for, where all that are expected are ids of the vocabulary in use."""
    if not items.expected or not all(map(str.isdecimal, items.expected)):
        return items
    vocabulary = of(requests)
    if vocabulary is None or any(int(item) not in vocabulary for item in items.expected):
        return items
    got, expected = ([_token(item, vocabulary) for item in side] for side in (items.got, items.expected))
    texts = (_text(b"".join(side)) for side in (got, expected))
    return dataclasses.replace(items, tokens=Tokens(tuple(map(_text, got)), tuple(map(_text, expected)), *texts))


def of(requests: Requests) -> Vocabulary | None:
    """Return the vocabulary that was sent last: ids and their bytes, a tokenizer's argument or GPT-2's file."""
    for noted in reversed([*requests.first, *requests.last]):
        for value in _sent(noted):
            if found := _vocabulary(value):
                return found
    return None


def _sent(noted: Noted) -> Iterator[Any]:
    if noted.op == "file":
        yield noted.fields["data"]
        return
    for value in (*noted.fields.get("args", ()), *noted.fields.get("kwargs", {}).values()):
        yield value
        if type(value) in (list, tuple):
            yield from value


def _vocabulary(value: Any) -> Vocabulary | None:
    if type(value) is bytes and value[:1] == b"{":
        try:
            value = json.loads(value)
            if not _BYTES.keys() <= value.keys():
                return None
            return {int(id): bytes(map(_BYTES.__getitem__, token)) for token, id in value.items()}
        except (ValueError, TypeError, LookupError, RecursionError):
            return None
    if isinstance(value, Mapping) and value:
        if all(type(id) is int and type(token) is bytes for id, token in value.items()):
            return dict(value)
        if all(type(id) is int and type(token) is bytes for token, id in value.items()):
            return {id: token for token, id in value.items()}
    return None


def _token(item: str, vocabulary: Vocabulary) -> bytes:
    """Return a token, or the item itself in brackets where it is no id of this vocabulary."""
    id = int(item) if item.isdecimal() and len(item) < 20 else -1
    return vocabulary.get(id, f"[{item}]".encode())


def _text(token: bytes) -> str:
    r"""Return bytes as text; what can't be seen is written as its code, and a line's end as \n."""
    return clean(token.decode("utf-8", "replace").replace("\r", r"\r").replace("\n", r"\n").replace("\t", r"\t"))
