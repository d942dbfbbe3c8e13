"""Zip and tar archives as trees: hostile by assumption, never extracted, with limits on whatever could grow.

Only names are listed; a file's bytes are read when they are asked for, into memory, and never more than asked for.
A compressed tar archive can't be read in another order than its own: it is unpacked, up to a limit, into a temporary
file that has no name.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

from grader.files import not_regular
from grader.safe_text import one_line
from grader.submission import too_large

from .tars import TarTooLong, members
from .trees import DEPTH, Entry, Tree, TreeError, is_junk

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class ArchiveLimits:
    """What one archive may hold."""

    entries: int
    directory: int  # bytes of a zip archive's list of names, or of a tar archive's extended headers
    unpacked: int  # bytes that a compressed tar archive may unpack to
    ratio: int = 200  # to its own size, above a small minimum


CLASS = ArchiveLimits(entries=500_000, directory=64 * MEGABYTE, unpacked=4096 * MEGABYTE)
STUDENT = ArchiveLimits(entries=50_000, directory=8 * MEGABYTE, unpacked=256 * MEGABYTE)
NESTED = 64 * MEGABYTE  # bytes of an archive inside another one, which is held in memory

_SUFFIX = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
_UNREAD_SUFFIX = re.compile(r"\.(rar|7z|tar\.(zst|lz4|lz|z)|zst|gz|xz|bz2)$", re.IGNORECASE)
_UNPACKED_MINIMUM = 64 * MEGABYTE  # what any compressed archive may unpack to, however small it is
_DAMAGED = "its content in the archive is damaged"
# What the standard library raises for damaged archives, beyond its own exceptions.
_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    IndexError,
    NotImplementedError,
    RuntimeError,
)


def stem(name: str) -> str | None:
    """Return an archive's name without its ending, or None for a name that is no archive's: "anna.tar.gz" -> "anna"."""
    found = _SUFFIX.search(name)
    return name[: found.start()] if found and found.start() else None


def is_unreadable_kind(name: str) -> bool:
    """Tell whether a name is that of an archive of a kind that is not read."""
    return stem(name) is None and bool(_UNREAD_SUFFIX.search(name))


def unreadable_stem(name: str) -> str:
    """Return the name of an archive that is not read without its ending: "anna.tar.zst" -> "anna"."""
    return _UNREAD_SUFFIX.sub("", name)


def is_archive(file: BinaryIO) -> bool:
    """Tell whether a file's first bytes are those of a zip or tar archive; its name says nothing."""
    file.seek(0)
    head = file.read(512)
    file.seek(0)
    return head.startswith((b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")) or head[257:262] == b"ustar"


def archive_tree(file: BinaryIO, shown: str, limits: ArchiveLimits, stack: ExitStack) -> Tree:
    """Return the tree of an archive, by its content; `stack` closes what stays open for reading.

    Raises TreeError when it is no archive, damaged, or over one of the limits.
    """
    file.seek(0)
    head = file.read(6)
    file.seek(0)
    try:
        if head.startswith(b"PK"):
            return _zip_tree(file, shown, limits, stack)
        return _tar_tree(_unpacked(file, head, shown, limits, stack), shown, limits)
    except TreeError:
        raise
    except _ERRORS as error:
        raise TreeError(f"{shown} cannot be read: it is damaged, or no zip or tar archive.") from error


def _zip_tree(file: BinaryIO, shown: str, limits: ArchiveLimits, stack: ExitStack) -> Tree:
    if _directory_size(file) > limits.directory:
        raise TreeError(_long_list(shown, limits))
    archive = stack.enter_context(zipfile.ZipFile(file))
    infos = archive.infolist()
    if len(infos) > limits.entries:
        raise TreeError(f"{shown} is not read: it holds more than {limits.entries:,} files.")
    listing = _Listing(shown)
    for info in infos:
        name = _zip_name(info)
        refused = _zip_refusal(info)
        listing.add(name, partial(_zip_content, archive, info), refused, info.is_dir())
    return listing.tree


def _directory_size(file: BinaryIO) -> int:
    """Return the size of a zip archive's list of names, which the zipfile module reads as a whole.

    Raises TreeError when the archive does not end as one zip archive does.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - 65_557)  # the end record and the longest comment after it
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile
    (directory,) = struct.unpack_from("<L", tail, at + 12)
    (comment,) = struct.unpack_from("<H", tail, at + 20)
    if at + 22 + comment != len(tail):
        raise zipfile.BadZipFile  # cut off, or made so that two readers would find two ends
    if (long_end := _long_end(file, start + at)) is not None:
        # What zipfile goes by; all ones in the plain end say "see there".
        directory = max(long_end, 0 if directory == 0xFFFFFFFF else directory)
    file.seek(0)
    if directory > size:
        raise zipfile.BadZipFile
    return int(directory)


def _long_end(file: BinaryIO, end: int) -> int | None:
    """Return the size of the list of names by zip64's own end record, which lies before the plain one at `end`.

    Raises BadZipFile when that record is anywhere else than where all readers look for it.
    """
    at = end - 20 - 56
    if at < 0:
        return None
    file.seek(at)
    record = file.read(76)
    if record[56:60] != b"PK\6\7":
        return None
    (where,) = struct.unpack_from("<Q", record, 56 + 8)
    if where != at or record[:4] != b"PK\6\6":
        raise zipfile.BadZipFile
    return int(struct.unpack_from("<Q", record, 40)[0])


def _zip_name(info: zipfile.ZipInfo) -> str:
    if "\0" in info.orig_filename:
        return "/"  # what comes after the zero byte is only there to deceive
    if not info.flag_bits & 0x800:
        # Without the flag names are in code page 437; macOS writes UTF-8 and leaves the flag out.
        try:
            return info.filename.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return info.filename


def _zip_refusal(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return not_regular(mode)
    if info.flag_bits & 0x1:
        return "it is encrypted with a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is compressed in an unusual way; an ordinary zip archive will do"
    return ""


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.file_size > limit:
        raise ValueError(too_large(limit))
    try:
        with archive.open(info) as file:
            data = file.read(limit + 1)
    except _ERRORS as error:
        raise ValueError(_DAMAGED) from error
    if len(data) != info.file_size:
        raise ValueError(_DAMAGED)
    return data


def _unpacked(file: BinaryIO, head: bytes, shown: str, limits: ArchiveLimits, stack: ExitStack) -> BinaryIO:
    """Return a tar archive without its compression."""
    packed: io.BufferedIOBase
    if head.startswith(b"\x1f\x8b"):
        packed = gzip.GzipFile(fileobj=file)
    elif head.startswith(b"BZh"):
        packed = bz2.BZ2File(file)
    elif head.startswith(b"\xfd7zXZ\0"):
        packed = lzma.LZMAFile(file)  # noqa: SIM115 (over a file that is not ours to close)
    else:
        return file
    own_size = file.seek(0, os.SEEK_END)
    file.seek(0)
    most = min(limits.unpacked, max(_UNPACKED_MINIMUM, limits.ratio * own_size))
    spool = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the stack)
    stack.callback(spool.close)
    left = most
    while block := packed.read(MEGABYTE):
        left -= len(block)
        if left < 0:
            raise TreeError(f"{shown} is not read: it unpacks to more than {most // MEGABYTE} MB.")
        spool.write(block)
    spool.seek(0)
    return cast(BinaryIO, spool)


def _tar_tree(file: BinaryIO, shown: str, limits: ArchiveLimits) -> Tree:
    listing = _Listing(shown)
    try:
        for count, member in enumerate(members(file, limits.directory)):
            if count >= limits.entries:
                raise TreeError(f"{shown} is not read: it holds more than {limits.entries:,} files.")
            read = partial(_tar_content, file, member.at, member.size)
            listing.add(member.name, read, member.refused, member.folder)
    except TarTooLong as error:
        raise TreeError(_long_list(shown, limits)) from error
    return listing.tree


def _long_list(shown: str, limits: ArchiveLimits) -> str:
    return f"{shown} is not read: its list of names is larger than {limits.directory // MEGABYTE} MB."


def _tar_content(file: BinaryIO, at: int, size: int, limit: int) -> bytes:
    if not 0 <= size <= limit:
        raise ValueError(too_large(limit))
    file.seek(at)
    data = file.read(size)
    if len(data) != size:
        raise ValueError(_DAMAGED)
    return data


class _Listing:
    """The tree that an archive's names make; those that would lead out of it are counted and left out."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._unsafe: list[str] = []
        self._tree = Tree(f"{shown}!")

    def add(self, name: str, read: Callable[[int], bytes], refused: str, folder: bool) -> None:
        """Put one more name into the tree."""
        path = _safe_path(name)
        if path is None:
            self._unsafe.append(name)
        elif path and len(path) <= DEPTH + 1 and not is_junk(path):
            self._tree.entries.append(Entry(path, None if folder else read, refused, folder))

    @property
    def tree(self) -> Tree:
        """The finished tree."""
        if self._unsafe:
            many = f"{len(self._unsafe):,} names" if len(self._unsafe) > 1 else "a name"
            first = one_line(self._unsafe[0], 60)
            self._tree.notes.append(
                f"{self._shown} has {many} that would lead out of it ({first}), which were ignored."
            )
        return self._tree


def _safe_path(name: str) -> tuple[str, ...] | None:
    """Return the parts of an archive's name, or None for one that is absolute or climbs up."""
    name = name.replace("\\", "/")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        return None
    return parts
