"""Unusual here: no regular expression at all (a scanner on Unicode categories), recursion instead of loops in joining,
a cache of words, streaming as a pipeline of generators, and ids instead of bytes inside the trainer."""

# ruff: noqa: RUF007

from __future__ import annotations

import json
import pathlib
import typing as t
import unicodedata
from functools import lru_cache

Pair = tuple[bytes, bytes]
ENDINGS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
NOT_SPACES = "\x1c\x1d\x1e\x1f"  # Python takes these for whitespace, Unicode doesn't


@lru_cache(maxsize=4096)
def kind(character: str) -> str:
    """One letter for each class: space, letter, number, other."""
    if character.isspace() and character not in NOT_SPACES:
        return "s"
    return {"L": "l", "N": "n"}.get(unicodedata.category(character)[0], "o")


def run_end(text: str, start: int) -> int:
    end = start
    while end < len(text) and kind(text[end]) == kind(text[start]):
        end += 1
    return end


def pretokenize(text: str) -> list[str]:
    pieces: list[str] = []
    place = 0
    while place < len(text):
        ending = next((e for e in ENDINGS if text.startswith(e, place)), None)
        after_space = place + (text[place] == " ")
        if ending:
            end = place + len(ending)
        elif after_space < len(text) and kind(text[after_space]) != "s":
            end = run_end(text, after_space)
        else:
            end = run_end(text, place)
            if end < len(text) and end - place > 1:
                end -= 1  # the last one is left to what follows
        pieces.append(text[place:end])
        place = end
    return pieces


def cut(text: str, specials: t.Sequence[str]) -> t.Iterator[tuple[str, str | None]]:
    """Yield ordinary text and the special token behind it, or None at the end."""
    hits = [(text.find(special), -len(special), special) for special in specials]
    hits = sorted(hit for hit in hits if hit[0] >= 0)
    while hits:
        place, _, special = hits[0]
        yield text[:place], special
        text = text[place + len(special) :]
        hits = [(text.find(special), -len(special), special) for special in specials]
        hits = sorted(hit for hit in hits if hit[0] >= 0)
    yield text, None


def train_bpe(text: str, vocab_size: int, special_tokens: list[str]) -> tuple[dict[int, bytes], list[Pair]]:
    if (space := vocab_size - 256 - len(special_tokens)) < 0:
        raise ValueError(f"vocab_size must be at least {256 + len(special_tokens)}, not {vocab_size}")
    vocab = {i: bytes([i]) for i in range(256)}
    numbers: dict[tuple[int, ...], int] = {}
    for piece, _ in cut(text, special_tokens):
        for word in pretokenize(piece):
            key = tuple(word.encode())
            numbers[key] = numbers.get(key, 0) + 1
    words = dict(enumerate(numbers.items()))
    counts: dict[tuple[int, int], int] = {}
    homes: dict[tuple[int, int], set[int]] = {}

    def account(index: int, sign: int) -> None:
        ids, times = words[index]
        for pair in zip(ids, ids[1:], strict=False):
            counts[pair] = counts.get(pair, 0) + sign * times
            if sign > 0:
                homes.setdefault(pair, set()).add(index)
            if counts[pair] == 0:
                del counts[pair]

    for index in words:
        account(index, +1)
    merges = []
    for new in range(256, 256 + space):
        if not counts:
            break
        top = max(counts.values())
        best = max((p for p in counts if counts[p] == top), key=lambda p: (vocab[p[0]], vocab[p[1]]))
        vocab[new] = vocab[best[0]] + vocab[best[1]]
        merges.append((vocab[best[0]], vocab[best[1]]))
        for index in homes.pop(best):
            if best in zip(words[index][0], words[index][0][1:], strict=False):
                account(index, -1)
                words[index] = (tuple(join(list(words[index][0]), best, new)), words[index][1])
                account(index, +1)
    for special in special_tokens:
        vocab[len(vocab)] = special.encode()
    return vocab, merges


def join(ids: list, pair: tuple, new: object, start: int = 0) -> list:
    """Join from the left: everything before `start` is done. Each call handles up to one hit."""
    for place in range(start, len(ids) - 1):
        if (ids[place], ids[place + 1]) == pair:
            ids[place : place + 2] = [new]
            return ids if len(ids) < 2 else join_rest(ids, pair, new, place + 1)
    return ids


def join_rest(ids: list, pair: tuple, new: object, start: int) -> list:
    if start < 500:
        return join(ids, pair, new, start)
    return ids[:start] + join(ids[start:], pair, new)  # keeps slices short in very long words


class Vocabulary(dict):
    """Ids by bytes, remembering the way back."""

    def __init__(self, tokens: dict[int, bytes]) -> None:
        super().__init__((token, number) for number, token in tokens.items())
        self.tokens = dict(tokens)

    def add(self, token: bytes) -> int:
        if token not in self:
            self[token] = max(self.tokens, default=-1) + 1
            self.tokens[self[token]] = token
        return self[token]


class Tokenizer:
    def __init__(
        self, vocab: dict[int, bytes], merges: list[Pair], special_tokens: t.Optional[list[str]] = None
    ) -> None:
        self._vocabulary = Vocabulary(vocab)
        self._ranks = dict(zip(merges, range(len(merges)), strict=True))
        self._special = {special: self._vocabulary.add(special.encode()) for special in special_tokens or []}
        self._word = lru_cache(maxsize=10_000)(self._join_word)

    def _join_word(self, word: str) -> tuple[int, ...]:
        tokens = [bytes([byte]) for byte in word.encode()]
        while known := [p for p in zip(tokens, tokens[1:], strict=False) if p in self._ranks]:
            best = min(known, key=self._ranks.__getitem__)
            tokens = self._join(tokens, best)
        return tuple(self._vocabulary[token] for token in tokens)

    def _join(self, tokens: list[bytes], pair: Pair) -> list[bytes]:
        done: list[bytes] = []
        waiting = tokens[::-1]
        while waiting:
            token = waiting.pop()
            if waiting and (token, waiting[-1]) == pair:
                token += waiting.pop()
            done.append(token)
        return done

    def _ids(self, pieces: t.Iterable[tuple[str, str | None]]) -> t.Iterator[int]:
        for piece, special in pieces:
            for word in pretokenize(piece):
                yield from self._word(word)
            if special is not None:
                yield self._special[special]

    def encode(self, text: str, allow_special: bool = True) -> list[int]:
        return list(self._ids(cut(text, list(self._special)) if allow_special else [(text, None)]))

    def decode(self, ids: t.Iterable[int]) -> str:
        data = b""
        for number in ids:
            if number not in self._vocabulary.tokens:
                raise ValueError(f"{number} is nobody's id")
            data += self._vocabulary.tokens[number]
        return data.decode(errors="replace")

    def _segments(self, chunks: t.Iterable[str]) -> t.Iterator[tuple[str, str | None]]:
        """Yield stretches of text with no special token in them, and the special token behind, if there is one."""
        specials = list(self._special)
        waiting = ""
        for chunk in chunks:
            waiting += chunk
            while True:
                place, special = self._first(waiting, specials)
                if special is None:
                    break
                yield waiting[:place], special
                waiting = waiting[place + len(special) :]
            yield waiting[:place], None
            waiting = waiting[place:]
        yield from cut(waiting, specials)

    @staticmethod
    def _first(text: str, specials: list[str]) -> tuple[int, str | None]:
        """The first place where a special token stands for sure, or (with None) where one may begin."""
        hits = [(place, -len(special), special) for special in specials if (place := text.find(special)) >= 0]
        place, _, special = min(hits, default=(len(text), 0, None))
        for start in range(max(0, len(text) - max(map(len, specials), default=0)), place + 1):
            tail = text[start:]
            if tail and any(other != tail and other.startswith(tail) for other in specials):
                return start, None
        return place, special

    def encode_iterable(self, chunks: t.Iterable[str]) -> t.Iterator[int]:
        held = ""
        for text, special in self._segments(chunks):
            words = pretokenize(held + text)
            if special is None:
                words, tail = words[:-2], words[-2:]
                held = "".join(tail)
            for word in words:
                yield from self._word(word)
            if special is not None:
                held = ""
                yield self._special[special]
        for word in pretokenize(held):
            yield from self._word(word)


def load_gpt2(merges_path: str, encoder_path: str) -> Tokenizer:
    shown = set(range(33, 127)) | set(range(161, 256)) - {173}
    rest = iter(range(256, 512))
    byte_of = {chr(byte) if byte in shown else chr(next(rest)): byte for byte in range(256)}

    def raw(word: str) -> bytes:
        return bytes(map(byte_of.__getitem__, word))

    _, *lines = pathlib.Path(merges_path).read_text("utf-8").strip().split("\n")
    merges = [(raw(a), raw(b)) for a, b in map(str.split, lines)]
    ids = json.loads(pathlib.Path(encoder_path).read_bytes())
    return Tokenizer({number: raw(token) for token, number in ids.items()}, merges, ["<|endoftext|>"])
