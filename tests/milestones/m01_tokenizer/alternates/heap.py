"""Unusual here: a heap with stale entries and linked lists of ids, both in training and in encoding."""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import regex

SPLITTER = regex.compile(r"'[sdmt]|'(?:ll|[vr]e)|[ ]?(?:\p{L}+|\p{N}+|[^\s\p{L}\p{N}]+)|\s+(?!\S)|\s")


def pretokenize(text: str) -> list[str]:
    return [match.group() for match in SPLITTER.finditer(text)]


class Backwards:
    """Orders pairs the other way round, so that the heap's smallest is the greatest."""

    __slots__ = ("pair",)

    def __init__(self, pair: tuple[bytes, bytes]) -> None:
        self.pair = pair

    def __lt__(self, other: Backwards) -> bool:
        return other.pair < self.pair

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and self.pair == other.pair

    __hash__ = None


class Chain:
    """One pre-token as a doubly linked list: tokens by place, and the places before and after each."""

    def __init__(self, data: bytes) -> None:
        self.token: list[bytes | None] = [data[i : i + 1] for i in range(len(data))]
        self.before = list(range(-1, len(data) - 1))
        self.after = [*range(1, len(data)), -1]

    def pair(self, place: int) -> tuple[bytes, bytes] | None:
        """The pair that begins at a place, if a token begins there and another one follows."""
        if place < 0 or self.token[place] is None or self.after[place] < 0:
            return None
        return self.token[place], self.token[self.after[place]]

    def join(self, place: int) -> None:
        """Join the token at a place with the next one."""
        gone = self.after[place]
        self.token[place] += self.token[gone]
        self.token[gone] = None
        self.after[place] = self.after[gone]
        if self.after[gone] >= 0:
            self.before[self.after[gone]] = place

    def tokens(self) -> list[bytes]:
        return [token for token in self.token if token is not None]


def ordinary_pieces(text: str, special_tokens: Iterable[str]) -> Iterator[str]:
    longest_first = sorted(special_tokens, key=lambda special: -len(special))
    if not longest_first:
        yield text
    else:
        yield from regex.split("|".join(regex.escape(special) for special in longest_first), text)


def train_bpe(text: str, vocab_size: int, special_tokens: list[str]):
    if vocab_size < 256 + len(special_tokens):
        raise ValueError(f"{vocab_size} ids can't hold 256 bytes and {len(special_tokens)} special tokens")
    frequency = Counter(word for piece in ordinary_pieces(text, special_tokens) for word in pretokenize(piece))
    chains = [(Chain(word.encode("utf-8")), times) for word, times in frequency.items()]
    count = Counter()
    where = defaultdict(set)
    for number, (chain, times) in enumerate(chains):
        for place in range(len(chain.token) - 1):
            count[chain.pair(place)] += times
            where[chain.pair(place)].add((number, place))
    heap = [(-n, Backwards(pair)) for pair, n in count.items()]
    heapq.heapify(heap)

    merges = []
    while heap and len(merges) < vocab_size - 256 - len(special_tokens):
        negative, entry = heapq.heappop(heap)
        pair = entry.pair
        if count[pair] != -negative or negative == 0:
            continue  # the count has changed since this entry was made
        merges.append(pair)
        changed = set()
        for number, place in sorted(where.pop(pair)):
            chain, times = chains[number]
            if chain.pair(place) != pair:
                continue  # an overlapping place has used one of the two tokens
            touched = (chain.before[place], place, chain.after[place])
            for old in touched:
                if chain.pair(old) is not None:
                    count[chain.pair(old)] -= times
                    where[chain.pair(old)].discard((number, old))
                    changed.add(chain.pair(old))
            chain.join(place)
            for new in touched:
                if chain.pair(new) is not None:
                    count[chain.pair(new)] += times
                    where[chain.pair(new)].add((number, new))
                    changed.add(chain.pair(new))
        for other in changed:
            if count[other] > 0:
                heapq.heappush(heap, (-count[other], Backwards(other)))

    vocab = {number: bytes((number,)) for number in range(256)}
    for token in [*(a + b for a, b in merges), *(special.encode("utf-8") for special in special_tokens)]:
        vocab[len(vocab)] = token
    return vocab, merges


class Tokenizer:
    def __init__(self, vocab, merges, special_tokens=None):
        self.bytes_of = {**vocab}
        self.id_of = {}
        for number, token in vocab.items():
            self.id_of[token] = number
        self.rank = {pair: number for number, pair in enumerate(merges)}
        self.special = {}
        following = max(vocab) + 1 if vocab else 0
        for special in special_tokens or ():
            if special in self.special:
                continue
            data = special.encode("utf-8")
            if data in self.id_of:
                self.special[special] = self.id_of[data]
            else:
                self.special[special] = following
                self.bytes_of[following] = data
                following += 1
        self.prefixes = {special[:size] for special in self.special for size in range(1, len(special))}
        self.longest = max((len(special) for special in self.special), default=0)

    def encode(self, text, allow_special=True):
        ids = []
        for special, piece in self.pieces(text, allow_special):
            if special:
                ids.append(self.special[piece])
            else:
                for word in pretokenize(piece):
                    ids.extend(self.word(word))
        return ids

    def pieces(self, text, allow_special):
        """Yield (is it special, piece), found by trying the longest first at every occurrence of a first letter."""
        start = place = 0
        firsts = {special[0] for special in self.special} if allow_special else set()
        while firsts and place < len(text):
            if text[place] in firsts:
                hits = [special for special in self.special if text.startswith(special, place)]
                if hits:
                    best = max(hits, key=len)
                    yield False, text[start:place]
                    yield True, best
                    start = place = place + len(best)
                    continue
            place += 1
        yield False, text[start:]

    def word(self, word):
        chain = Chain(word.encode("utf-8"))
        heap = []

        def offer(place):
            pair = chain.pair(place)
            if pair in self.rank:
                heapq.heappush(heap, (self.rank[pair], place, pair))

        for place in range(len(chain.token)):
            offer(place)
        while heap:
            _, place, pair = heapq.heappop(heap)
            if chain.pair(place) == pair:
                chain.join(place)
                offer(place)
                offer(chain.before[place])
        return [self.id_of[token] for token in chain.tokens()]

    def decode(self, ids):
        data = bytearray()
        for number in ids:
            try:
                data += self.bytes_of[number]
            except KeyError:
                raise ValueError(f"no token has the id {number}") from None
        return str(data, "utf-8", "replace")

    def encode_iterable(self, chunks):
        text = ""
        for chunk in chunks:
            text += chunk
            while True:  # settle everything through the first complete special token, as often as there is one
                doubt = next(
                    (n for n in range(max(0, len(text) - self.longest), len(text)) if text[n:] in self.prefixes), None
                )
                (_, before), *more = self.pieces(text, True) if len(text) < 4096 else self.first_pieces(text)
                if not more or (doubt is not None and doubt <= len(before)):
                    break
                special = more[0][1]
                yield from self.encode(before + special)
                text = text[len(before) + len(special) :]
            safe = text if doubt is None else text[:doubt]
            words = pretokenize(safe)
            for word in words[: max(0, len(words) - 2)]:
                yield from self.word(word)
                text = text[len(word) :]
        yield from self.encode(text)

    def first_pieces(self, text):
        """The text before the first special token, and that token, of a long text."""
        walk = self.pieces(text, True)
        return [piece for piece in (next(walk), next(walk, None)) if piece]


def load_gpt2(merges_path, encoder_path):
    alphabet, extra = {}, 0
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte:
            alphabet[chr(byte)] = byte
        else:
            alphabet[chr(0x100 + extra)] = byte
            extra += 1
    back = str.maketrans({character: chr(byte) for character, byte in alphabet.items()})

    def read(token):
        return token.translate(back).encode("latin-1")

    with Path(merges_path).open(encoding="utf-8") as file:
        next(file)
        merges = [tuple(read(side) for side in line.rstrip("\n").split(" ")) for line in file if line.strip()]
    with Path(encoder_path).open(encoding="utf-8") as file:
        vocab = {number: read(token) for token, number in json.load(file).items()}
    return Tokenizer(vocab, merges, ["<|endoftext|>"])
