"""Tar archives, listed by a reader of our own that never does more than its input's length asks for.

tarfile is made for archives that one trusts: what it does with a member's extended headers (searches, recursion, copies
of all that was said before) costs far more than their bytes. Here a header is measured before it is read, read
once from front to back, and whatever no ordinary tool writes ends the listing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from grader.files import not_regular

BLOCK = 512
EXTENDED = 64 * 1024  # bytes of one extended header: a name has 4 kB at most, and tools add times and attributes
EXTENDED_HEADERS = 8  # in front of one member; tools write three at most
SPARSE_BLOCKS = 64  # of a list of holes, which is only passed over
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL = b"L", b"K", (b"x", b"X"), b"g"
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
_REFUSED = {
    b"1": "it is a hard link, another name of a file that may be somebody else's",
    b"2": not_regular(stat.S_IFLNK),
    b"6": not_regular(stat.S_IFIFO),
    b"S": "it is a file with holes, which no source needs",
}
_NAMES_IN_PAX = (b"path", b"GNU.sparse.name")


class TarDamaged(ValueError):
    """It is no tar archive, or not one that an ordinary tool has written."""


class TarTooLong(ValueError):
    """Its extended headers are longer than an archive's list of names may be."""


@dataclass(frozen=True)
class Member:
    """One name in an archive, and where its bytes are."""

    name: str  # bytes that are no UTF-8 come as lone surrogates
    at: int
    size: int
    folder: bool
    refused: str  # why it is never read, as the second half of a sentence


@dataclass
class _Extended:
    """What the extended headers in front of a member say."""

    name: bytes | None = None
    size: int | None = None
    holes: bool = False
    count: int = 0


def members(file: BinaryIO, longest: int) -> Iterator[Member]:
    """Yield the members of an archive; `longest` is what all its extended headers together may take.

    Raises TarDamaged, or TarTooLong, as soon as it is clear.
    """
    end = file.seek(0, os.SEEK_END)
    at, left = 0, longest
    said = _Extended()
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if not block.strip(b"\0") and (len(block) == BLOCK or (not block and at)) and not said.count:
            return
        kind, size = _checked(block), _number(block[124:136])
        at += BLOCK
        if kind in (_LONG_NAME, _LONG_LINK, _GLOBAL, *_PAX):
            said.count += 1
            left -= size
            if left < 0:
                raise TarTooLong
            if size > EXTENDED or said.count > EXTENDED_HEADERS or at + size > end:
                raise TarDamaged
            _understand(kind, file.read(size), said)
            at += _padded(size)
            continue
        size = size if said.size is None else said.size
        if kind == b"S":
            at = _after_holes(file, block, at)
        occupied = 0 if kind in _WITHOUT_DATA else size
        if at + occupied > end:
            raise TarDamaged
        yield _member(kind, block, said, at, occupied)
        at += _padded(occupied)
        said = _Extended()


def _checked(block: bytes) -> bytes:
    """Return a header's kind. Raises TarDamaged when its checksum is not that of its bytes."""
    if len(block) != BLOCK:
        raise TarDamaged
    plain = block[:148] + b" " * 8 + block[156:]
    stated = _number(block[148:156])
    if stated != sum(plain) and stated != sum(plain) - 256 * sum(byte > 127 for byte in plain):  # as old tools count
        raise TarDamaged
    return block[156:157]


def _number(field: bytes) -> int:
    """Read a number: octal digits, or base 256 for what is too large for them."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40 or value >= 2**62:
            raise TarDamaged  # negative, or larger than any file
        return value
    digits = field.partition(b"\0")[0].strip(b" ")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise TarDamaged
    return int(digits, 8)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _understand(kind: bytes, data: bytes, said: _Extended) -> None:
    if kind == _LONG_NAME:
        said.name = data.partition(b"\0")[0]
    elif kind in (_GLOBAL, *_PAX):
        for key, value in _pax(data):
            meant = key in _NAMES_IN_PAX or key == b"size" or key.startswith(b"GNU.sparse.")
            if meant and kind == _GLOBAL:
                raise TarDamaged  # one name or size for all that follows, which readers understand in their own ways
            if key in _NAMES_IN_PAX and not (key == b"path" and said.holes and said.name is not None):
                said.name = value
            if key == b"size":
                if not (value.isdigit() and len(value) < 19):
                    raise TarDamaged
                said.size = int(value)
            said.holes |= key.startswith(b"GNU.sparse.")


def _pax(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    r"""Yield the records of a pax header, each "LENGTH KEY=VALUE\n"; its own length leads to the next."""
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + 7)
        digits = data[at : max(space, at)]
        end = at + int(digits) if digits.isdigit() else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not (space + 1 < end <= len(data) and data[end - 1 : end] == b"\n" and key and equals):
            raise TarDamaged
        yield key, value
        at = end


def _after_holes(file: BinaryIO, block: bytes, at: int) -> int:
    """Return where the data of an old GNU file with holes begins: behind the rest of its list of them."""
    more = block[482]
    for _ in range(SPARSE_BLOCKS):
        if not more:
            return at
        block = file.read(BLOCK)
        if len(block) != BLOCK:
            break
        more, at = block[504], at + BLOCK
    raise TarDamaged


def _member(kind: bytes, block: bytes, said: _Extended, at: int, size: int) -> Member:
    name = said.name
    if name is None:
        name = block[:100].partition(b"\0")[0]
        prefix = block[345:500].partition(b"\0")[0]
        if prefix and block[257:263] == b"ustar\0":  # GNU's own header has times in this place
            name = prefix + b"/" + name
    old_folder = kind == b"\0" and name.endswith(b"/")
    refused = "" if kind in _REGULAR or kind == b"5" else _REFUSED.get(kind, not_regular(0))
    if said.holes:
        refused = _REFUSED[b"S"]
    return Member(name.decode("utf-8", "surrogateescape"), at, size, kind == b"5" or old_folder, refused)
