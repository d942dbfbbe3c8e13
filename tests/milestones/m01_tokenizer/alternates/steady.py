"""Unusual here: slow before the first merge (every match is looked for in a fresh slice of the text, by an expression
that is made anew), an index from pairs to words with a heap that is built anew for every merge, an encoder that joins
one place per step and takes a pre-token that is a token as its id, and no state beside the arguments."""

import heapq
import json
from itertools import pairwise
from pathlib import Path

import regex


def pretokenize(text):
    found, place = [], 0
    while place < len(text):
        nearby = text[place : place + 2000]  # a fresh slice; longer only where a match reaches its end
        match = _gpt2_rule().match(nearby)
        if match.end() >= len(nearby) - 1:
            match = _gpt2_rule().match(text[place:])
        found.append(match.group())
        place += match.end()
    return found


def _gpt2_rule():
    endings = "|".join(regex.escape("'" + ending) for ending in ("s", "t", "re", "ve", "m", "ll", "d"))
    runs = "|".join(f" ?{kind}+" for kind in (r"\p{L}", r"\p{N}", r"[^\s\p{L}\p{N}]"))
    return regex.compile(rf"{endings}|{runs}|\s+(?!\S)|\s+")


def _around(text, specials):
    """Yield (False, ordinary text) and (True, special token) in turn."""
    start = 0
    if specials:
        for match in regex.finditer("|".join(map(regex.escape, sorted(specials, key=len)[::-1])), text):
            yield False, text[start : match.start()]
            yield True, match.group()
            start = match.end()
    yield False, text[start:]


class _Entry:
    """A pair with its count; the greater count comes first, then the greater pair."""

    def __init__(self, count, pair):
        self.key = count, pair

    def __lt__(self, other):
        return self.key > other.key


def train_bpe(text, vocab_size, special_tokens):
    most = vocab_size - 256 - len(special_tokens)
    if most < 0:
        raise ValueError("no room for the bytes and the special tokens")
    times = {}
    for special, piece in _around(text, special_tokens):
        for word in () if special else pretokenize(piece):
            times[word] = times.get(word, 0) + 1
    spelled = {word: [bytes([byte]) for byte in word.encode()] for word in times}
    counts, words_of = {}, {}

    def enter(word, sign):
        tokens = spelled[word]
        for pair in pairwise(tokens):
            counts[pair] = counts.get(pair, 0) + sign * times[word]
            words_of.setdefault(pair, set()).add(word)

    for word in spelled:
        enter(word, +1)
    merges = []
    while len(merges) < most:
        heap = [_Entry(count, pair) for pair, count in counts.items() if count > 0]
        if not heap:
            break
        heapq.heapify(heap)
        pair = heap[0].key[1]
        merges.append(pair)
        for word in words_of.pop(pair):
            enter(word, -1)
            while (place := _first(spelled[word], pair)) is not None:
                spelled[word][place : place + 2] = [pair[0] + pair[1]]
            enter(word, +1)
        words_of.pop(pair, None)
    tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]
    return dict(enumerate(tokens + [special.encode() for special in special_tokens])), merges


def _first(tokens, pair):
    """Return the first place of a pair that is not yet joined."""
    return next((i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) == pair), None)


class Tokenizer:
    def __init__(self, vocab, merges, special_tokens=None):
        self.token_of, self.rank_of = {**vocab}, {pair: rank for rank, pair in enumerate(merges)}
        self.learned = {token: id for id, token in vocab.items()}
        self.special_ids = {}
        for special in special_tokens or []:
            id = self.learned.get(special.encode(), max(self.token_of, default=-1) + 1)
            self.special_ids.setdefault(special, id)
            self.token_of.setdefault(id, special.encode())

    def encode(self, text, allow_special=True):
        ids = []
        for special, piece in _around(text, self.special_ids if allow_special else ()):
            if special:
                ids.append(self.special_ids[piece])
            else:
                for word in pretokenize(piece):
                    ids += self._word(word.encode())
        return ids

    def _word(self, data):
        if data in self.learned:
            return [self.learned[data]]
        tokens = [bytes([byte]) for byte in data]
        while True:
            ranked = [
                (self.rank_of[pair], place) for place, pair in enumerate(pairwise(tokens)) if pair in self.rank_of
            ]
            if not ranked:
                return [self.learned[token] for token in tokens]
            _, place = min(ranked)
            tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]

    def decode(self, ids):
        if strangers := set(ids) - set(self.token_of):
            raise ValueError(f"unknown: {sorted(strangers)}")
        return b"".join(self.token_of[id] for id in ids).decode(errors="replace")

    def encode_iterable(self, chunks):
        held = ""
        for chunk in chunks:
            held += chunk
            sure = self._sure(held)
            pieces = list(_around(held, self.special_ids))
            start, loose = 0, False
            for special, piece in pieces:
                loose = not special
                if start + len(piece) > sure or (loose and start + len(piece) == len(held)):
                    break
                yield from [self.special_ids[piece]] if special else self.encode(piece, allow_special=False)
                start += len(piece)
            for word in pretokenize(held[start:sure])[:-2] if loose else ():
                yield from self._word(word.encode())
                start += len(word)
            held = held[start:]
        yield from self.encode(held)

    def _sure(self, text):
        """Return where the text may begin a special token of which it has not all; its length if nowhere."""
        longest = max(map(len, self.special_ids), default=0)
        for place in range(max(0, len(text) - longest), len(text)):
            if any(special != text[place:] and special.startswith(text[place:]) for special in self.special_ids):
                return place
        return len(text)


def load_gpt2(merges_path, encoder_path):
    plain = [byte for byte in range(256) if 33 <= byte < 127 or 161 <= byte < 173 or byte > 173]
    shown = plain + [byte for byte in range(256) if byte not in plain]
    byte_of = {chr(byte if n < len(plain) else 256 + n - len(plain)): byte for n, byte in enumerate(shown)}

    def read(written):
        return bytes(byte_of[letter] for letter in written)

    lines = Path(merges_path).read_text(encoding="utf-8").split("\n")[1:]
    merges = [tuple(map(read, line.split(" "))) for line in lines if line]
    ids = json.loads(Path(encoder_path).read_text(encoding="utf-8"))
    return Tokenizer({id: read(token) for token, id in ids.items()}, merges, ["<|endoftext|>"])
