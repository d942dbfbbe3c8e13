"""The reference for m16_bert's texts: words, pieces, pairs and holes, and what classic mistakes make of them."""

import re
import unicodedata
from collections.abc import Callable, Container, Sequence
from typing import Any

import torch
from torch import Tensor

Misses = dict[str, Any]  # a value, or what computes it

# ── m16.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_mark(letter: str) -> bool:
    """Return whether a character is a word of its own."""
    ascii_mark = letter.isascii() and letter.isprintable() and not letter.isalnum() and letter != " "
    return ascii_mark or unicodedata.category(letter)[0] == "P"


def words(
    text: str,
    *,
    lower: bool = True,
    fold: bool = False,
    form: Any = "NFD",
    gone: Callable[[str], bool] = lambda letter: unicodedata.category(letter) == "Mn",
    mark: Callable[[str], bool] = is_mark,
    kept: bool = True,
) -> list[str]:
    """Cut a text into words; the switches make the mistakes."""
    letters = [letter for letter in unicodedata.normalize(form, text) if not gone(letter)]
    joined = "".join(letters)
    plain = joined.casefold() if fold else joined.lower() if lower else joined
    parts = [(f" {letter} " if kept else " ") if mark(letter) else letter for letter in plain]
    return "".join(parts).split()


def word_misses(text: str) -> Misses:
    """Compute what the classic mistakes cut a text into."""
    punctuation = lambda letter: unicodedata.category(letter)[0] == "P"  # noqa: E731
    return {
        "capitals stay": lambda: words(text, lower=False),
        "casefold changes letters as well (ß becomes ss): lower makes them small": lambda: words(text, fold=True),
        "accents stay": lambda: words(text, gone=lambda letter: False),
        "accents stay: NFC joins a letter and its accent, NFD sets them apart": lambda: words(text, form="NFC"),
        "NFKD changes letters as well (a ligature, a small number): NFD only sets accents apart": lambda: words(
            text, form="NFKD"
        ),
        "what is not ASCII is thrown away": lambda: words(text, gone=lambda letter: not letter.isascii()),
        "all combining marks (Mc, Me) are dropped, and not category Mn alone": lambda: words(
            text, gone=lambda letter: unicodedata.category(letter)[0] == "M"
        ),
        "only white space cuts: a punctuation mark is a word of its own": lambda: words(text, mark=lambda _: False),
        "punctuation marks are dropped": lambda: words(text, kept=False),
        "ASCII's symbols ($, +, ~ and others) are no marks: their category begins with S": lambda: words(
            text, mark=punctuation
        ),
        "only ASCII has marks: others have a category that begins with P": lambda: words(
            text, mark=lambda letter: letter.isascii() and is_mark(letter)
        ),
        "all that is no letter, digit or space is a mark, as are symbols beyond ASCII": lambda: words(
            text, mark=lambda letter: not letter.isalnum() and not letter.isspace()
        ),
        "the underscore is taken for a letter: \\w has it": lambda: words(
            text, mark=lambda letter: is_mark(letter) and letter != "_"
        ),
        "symbols beyond ASCII are marks, and the underscore is none: \\w does not tell marks": lambda: re.findall(
            r"\w+|[^\w\s]", _plain(text)
        ),
        "an apostrophe is taken for a part of its word": lambda: words(
            text, mark=lambda letter: is_mark(letter) and letter != "'"
        ),
        "a hyphen is taken for a part of its word": lambda: words(
            text, mark=lambda letter: is_mark(letter) and letter != "-"
        ),
        "marks in a row are one word": lambda: re.findall(r"[^\w\s]+|\w+", _plain(text)),
        "an empty word stands where two spaces are": lambda: re.split(
            " ", "".join(f" {letter} " if is_mark(letter) else letter for letter in _plain(text))
        ),
        "only the space is white space: a tab or the end of a line cuts as well": lambda: [
            word
            for word in "".join(f" {letter} " if is_mark(letter) else letter for letter in _plain(text)).split(" ")
            if word
        ],
    }


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in apart if unicodedata.category(letter) != "Mn").lower()


def pieces(
    word: str,
    vocab: Container[str],
    unk: str = "[UNK]",
    max_chars: int = 100,
    *,
    prefix: str = "##",
    written: str = "##",
    begin: tuple[str, str] = ("", ""),
    first: str = "longest",
    stuck: str = "whole",
    single: bool = False,
) -> list[str]:
    """Cut a word into pieces; the switches make the mistakes."""
    if len(word) > max_chars:
        return [unk]
    found, start = [], 0
    while start < len(word):
        sizes = range(1, len(word) - start + 1)
        looked_up = {start + size: (prefix if start else begin[0]) + word[start : start + size] for size in sizes}
        ends = [end for end, piece in looked_up.items() if piece in vocab]
        end = (max(ends) if first == "longest" else min(ends)) if ends else None
        if end is None and single:
            found.append(unk)
            start += 1
            continue
        if end is None:
            return {"whole": [unk], "before": [*found, unk], "alone": found}[stuck]
        found.append((written if start else begin[1]) + word[start:end])
        start = end
    return found


def _from_the_end(word: str, vocab: Container[str], unk: str, max_chars: int) -> list[str]:
    if len(word) > max_chars:
        return [unk]
    found: list[str] = []
    end = len(word)
    while end:
        start = next((at for at in range(end) if "##"[: 2 * at] + word[at:end] in vocab), None)
        if start is None:
            return [unk]
        found.insert(0, ("##" if start else "") + word[start:end])
        end = start
    return found


def _any_way(word: str, vocab: Container[str], unk: str, max_chars: int) -> list[str]:
    """Go back by mistake where the longest piece leads nowhere."""
    if len(word) > max_chars:
        return [unk]

    def rest(start: int) -> list[str] | None:
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab and (after := rest(end)) is not None:
                return [piece, *after]
        return None

    return rest(0) if rest(0) is not None else [unk]  # type: ignore[return-value]


def piece_misses(word: str, vocab: Container[str], unk: str, max_chars: int) -> Misses:
    """Compute what the classic mistakes cut a word into."""

    def wrong(limit: int = max_chars, name: str = unk, **options: Any) -> Callable[[], list[str]]:
        return lambda: pieces(word, vocab, name, limit, **options)

    misses: Misses = {
        "pieces that were found stay before unk: a word that can't be cut is unk as a whole": wrong(stuck="before"),
        "pieces that were found come back without unk: a word that can't be cut is unk as a whole": wrong(
            stuck="alone"
        ),
        "unk stands for a character alone, and the word goes on: it is unk as a whole": wrong(single=True),
        'pieces within a word are looked up without "##"': wrong(prefix=""),
        'pieces within a word are looked up and written without "##"': wrong(prefix="", written=""),
        'pieces within a word are written without "##"': wrong(written=""),
        '"##" is written before the first piece too: it stands within a word': wrong(begin=("", "##")),
        "the shortest piece is taken, not the longest": wrong(first="shortest"),
        "pieces are taken from the word's end": lambda: _from_the_end(word, vocab, unk, max_chars),
        "where the longest piece leads nowhere a shorter one is tried: the word is unk then": lambda: _any_way(
            word, vocab, unk, max_chars
        ),
        "a word that is no piece is unk, and is not cut": lambda: [word] if word in vocab else [unk],
        "a word of max_chars characters is unk: that is one of more": wrong(limit=max_chars - 1),
        "a word of one character more than max_chars is cut": wrong(limit=max_chars + 1),
        "a word that is too long is cut down to max_chars: it is unk": lambda: pieces(word[:max_chars], vocab, unk),
        "words may be of any length: max_chars is not looked at": wrong(limit=10**6),
        "the limit is 100, whatever max_chars says": wrong(limit=100),
        "it is always [UNK], whatever unk says": wrong(name="[UNK]"),
    }
    if word in vocab:  # elsewhere most of them is unk, as by other mistakes
        misses['"##" is looked up before the first piece too: it stands within a word'] = wrong(begin=("##", "##"))
    return misses


# ── m16.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pair(a: Sequence[int], b: Sequence[int] | None, cls_id: int, sep_id: int) -> tuple[list[int], list[int]]:
    """Return ids and types."""
    ids = [cls_id, *a, sep_id, *([] if b is None else [*b, sep_id])]
    return ids, [int(at > len(a) + 1) for at in range(len(ids))]


def pair_misses(a: Sequence[int], b: Sequence[int] | None, cls_id: int, sep_id: int) -> Misses:
    """Compute what the classic mistakes make of two texts."""
    ids, types = pair(a, b, cls_id, sep_id)
    others = [] if b is None else [*b]
    first = len(a) + 2
    alone: Misses = {
        "the [SEP] at the end has type 1: there is one text, and all of it has type 0": (ids, [*types[:-1], 1]),
        "without a second text there is one [SEP], not two": ([*ids, sep_id], [*types, 1]),
        "without a second text there is one [SEP], not two, and type 0 alone": ([*ids, sep_id], [*types, 0]),
    }
    if b is None:
        return alone | {
            "[CLS] is missing": (ids[1:], types[1:]),
            "no [SEP] stands at the end": (ids[:-1], types[:-1]),
            "[SEP] and [CLS] are swapped": pair(a, b, sep_id, cls_id),
            "types count from 0, not from 1": (ids, [1] * len(ids)),
        }
    return {
        "the first [SEP] has type 1: the first text ends with it": (ids, [*types[: first - 1], 1, *types[first:]]),
        "the last [SEP] has type 0": (ids, [*types[:-1], 0]),
        "all types are 0": (ids, [0] * len(ids)),
        "types are 1 and 2: they count from 0": (ids, [kind + 1 for kind in types]),
        "the types are the wrong way round": (ids, [1 - kind for kind in types]),
        "[CLS] has type 1": (ids, [1, *types[1:]]),
        "no [SEP] stands at the end": (ids[:-1], types[:-1]),
        "no [SEP] stands between the texts": (
            [cls_id, *a, *others, sep_id],
            [0] * (len(a) + 1) + [1] * (len(others) + 1),
        ),
        "a second [CLS] begins the second text": (
            [cls_id, *a, sep_id, cls_id, *others, sep_id],
            [0] * first + [1] * (len(others) + 2),
        ),
        "[CLS] is missing": (ids[1:], types[1:]),
        "[SEP] and [CLS] are swapped": pair(a, b, sep_id, cls_id),
        "the second text stands first": pair(others, a, cls_id, sep_id),
        "an empty second text is taken for none: it has its [SEP]": pair(a, b or None, cls_id, sep_id),
        "there are types for the tokens alone, not for [CLS] and [SEP]": (ids, [0] * len(a) + [1] * len(others)),
    }


def input_misses(ids: Tensor, special: Tensor, mask_id: int) -> Misses:
    """Compute what the classic mistakes hide where every token is to become mask_id."""
    return {
        "special tokens are hidden too": torch.full_like(ids, mask_id),
        "`special` is read the wrong way round": ids.where(~special, mask_id),
        "nothing is hidden": ids,
        "0 stands where mask_id must": ids.where(special, 0),
        "the labels come first: the inputs do": ids.where(~special, -100),
        "what is hidden is -100, which is for labels": ids.where(special, -100),
    }


def label_misses(ids: Tensor, special: Tensor, mask_id: int) -> Misses:
    """Compute what the classic mistakes say belongs into the holes."""
    return {
        "every token has a label, the special ones too": ids,
        "labels stand where nothing was chosen, and -100 where something was": ids.where(special, -100),
        "the labels are what the inputs have become: what was there before is asked for": torch.full_like(
            ids, mask_id
        ).where(~special, -100),
        "what does not count is 0, which is a token, and not -100": ids.where(~special, 0),
        "what does not count is -1, and not -100": ids.where(~special, -1),
        "the labels come second: the inputs do not": ids.where(special, mask_id),
        "only tokens that became mask_id have a label: each that was chosen has one": torch.full_like(ids, -100),
    }
