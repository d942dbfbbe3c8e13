"""GPT-2's own files, as the reference for m01_tokenizer reads them."""

import json
from functools import cache, partial
from typing import Any

from .oracle import BYTES, Merges, Misses, encoding_mistakes, printable


@cache
def gpt2(merges: bytes, encoder: bytes) -> tuple[dict[int, bytes], Merges]:
    """Read GPT-2's two files."""
    byte_of = {printable(token): token for token in BYTES.values()}

    def read(written: str) -> bytes:
        return b"".join(map(byte_of.__getitem__, written))

    pairs = [line.split(" ") for line in merges.decode().splitlines()[1:]]
    vocab = {id: read(written) for written, id in json.loads(encoder).items()}
    return vocab, [(read(left), read(right)) for left, right in pairs]


def parity_mistakes(text: str, merges: bytes, encoder: bytes) -> Misses:
    """Return what each classic mistake, but for slow ones, makes of the text with GPT-2's files."""

    def made(mistake: str) -> Any:
        return encoding_mistakes(text, *gpt2(merges, encoder))[mistake]()

    known = encoding_mistakes("", {}, [])
    quick = [mistake for mistake in known if not mistake.startswith(("the longest", "special tokens", "where special"))]
    return {mistake: partial(made, mistake) for mistake in quick}
