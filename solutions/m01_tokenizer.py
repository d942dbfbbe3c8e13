"""m01_tokenizer: byte-level byte-pair encoding (BPE), the way GPT-2 reads text.

A model reads integers. This module turns any text into few of them and back again without losing a byte: it learns a
vocabulary of its own from a text, and it also runs GPT-2's. Every later milestone takes it for granted.

Left out: cleaning or normalising text, learning from more than fits in memory, and the speed of compiled code.
The standard library and the `regex` package are all it takes. Not allowed: tiktoken, tokenizers, transformers.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import regex

# One alternative per kind of pre-token, tried from left to right at every position of the text.
_GPT2_PATTERN = regex.compile(
    r"'(?:s|t|re|ve|m|ll|d)"  # endings first, otherwise the apostrophe would go to the punctuation
    r"| ?\p{L}+"  # a space belongs to the word after it, so that " cat" is one token in every sentence
    r"| ?\p{N}+"
    r"| ?[^\s\p{L}\p{N}]+"
    # Pitfall: without this line a run of spaces takes the space that the next word needs, and "  cat" loses " cat".
    r"|\s+(?!\S)"
    r"|\s+"
)


def pretokenize(text: str) -> list[str]:
    """Cut text into pre-tokens by GPT-2's rule, which the guide spells out. Joined again, they are the text.

    >>> pretokenize("We're  home: 2 cats!")
    ['We', "'re", ' ', ' home', ':', ' 2', ' cats', '!']
    """
    return _GPT2_PATTERN.findall(text)


def _special_pattern(special_tokens: Iterable[str]) -> regex.Pattern[str]:
    """Return a pattern that finds special tokens, the longest where several begin at the same place."""
    # Alternatives are tried in order, hence the sorting. Escaping, because | and [ are no strangers in special tokens.
    longest_first = sorted(special_tokens, key=len, reverse=True)
    return regex.compile("|".join(map(regex.escape, longest_first)) or r"(?!)")  # (?!) never matches


def _merge(tokens: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """Join every occurrence of the pair, from left to right: a a a -> aa a."""
    merged = []
    position = 0
    while position < len(tokens):
        if tuple(tokens[position : position + 2]) == pair:
            merged.append(pair[0] + pair[1])
            position += 2  # both are used up: the second can't begin another pair
        else:
            merged.append(tokens[position])
            position += 1
    return merged


def train_bpe(
    text: str, vocab_size: int, special_tokens: list[str]
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Learn a vocabulary (id to bytes) and the merges that build it, in order: join the most frequent pair, repeat.

    - Ids: 0 to 255 are the bytes, then comes one per merge, then the special tokens in the given order. `vocab_size`
      counts them all and is a limit: training ends earlier when no pair is left.
    - Special tokens (the longest first, where several begin) are cut out of the text before pre-tokenization. Nothing
      is learned from them, nor across them, nor across the edges of pre-tokens.
    - A pair counts once for every place where its two tokens are neighbours: "aaa" holds (a, a) twice. Of equally
      frequent pairs the greater tuple of bytes wins: (b"b", b"a") beats (b"a", b"z"). It is then joined everywhere,
      from left to right, so that "aaa" becomes aa a.
    - A merge costs what it changes (m01.7): a word that doesn't hold its pair may add at most a tenth of what counting
      the word's pairs costs. A trainer that counts everything anew for every merge earns m01.2 alone.

    ValueError if vocab_size has no room for the bytes and the special tokens.

    >>> vocab, merges = train_bpe("banana bandana", 260, ["<|end|>"])
    >>> merges
    [(b'a', b'n'), (b'b', b'an'), (b'an', b'a')]
    >>> [vocab[id] for id in range(256, 260)]
    [b'an', b'ban', b'ana', b'<|end|>']
    """
    room = vocab_size - 256 - len(special_tokens)
    if room < 0:
        raise ValueError(f"vocab_size {vocab_size} is too small for 256 bytes and {len(special_tokens)} special tokens")

    # A text repeats its words, so each distinct pre-token is kept once, with the number of times it occurs.
    occurrences = Counter(
        pretoken for piece in _special_pattern(special_tokens).split(text) for pretoken in pretokenize(piece)
    )
    words = [[bytes([byte]) for byte in pretoken.encode()] for pretoken in occurrences]
    weights = list(occurrences.values())

    counts: Counter[tuple[bytes, bytes]] = Counter()
    found_in: defaultdict[tuple[bytes, bytes], set[int]] = defaultdict(set)  # pair -> the words that hold it
    for index, word in enumerate(words):
        for pair in pairwise(word):
            counts[pair] += weights[index]
            found_in[pair].add(index)

    merges: list[tuple[bytes, bytes]] = []
    while counts and len(merges) < room:
        highest = max(counts.values())
        # Pitfall: max(counts, key=counts.get) would settle ties by which pair was seen first.
        best = max(pair for pair, count in counts.items() if count == highest)
        merges.append(best)

        # Only the words that hold the pair change. Counting everything again would cost the whole text per merge.
        for index in found_in.pop(best):
            for pair in pairwise(words[index]):
                counts[pair] -= weights[index]
                found_in[pair].discard(index)
                if not counts[pair]:
                    del counts[pair]  # a pair with count 0 must not be merged when nothing else is left
            words[index] = _merge(words[index], best)
            for pair in pairwise(words[index]):
                counts[pair] += weights[index]
                found_in[pair].add(index)

    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [left + right for left, right in merges]
    tokens += [special.encode() for special in special_tokens]
    return dict(enumerate(tokens)), merges


class Tokenizer:
    """Turns text into ids and ids into text.

    `merges` stand in the order in which they were learned; the ids in `vocab` may have any order. A special token that
    `vocab` doesn't hold gets the next free id (one above the highest), in the given order. Arguments stay as they were.
    """

    def __init__(
        self, vocab: dict[int, bytes], merges: list[tuple[bytes, bytes]], special_tokens: list[str] | None = None
    ) -> None:
        self.vocab = dict(vocab)  # a copy: the caller's own vocabulary must not grow
        self.ids = {token: id for id, token in vocab.items()}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.special_tokens = list(special_tokens or [])
        for special in self.special_tokens:
            if special.encode() not in self.ids:
                id = max(self.vocab, default=-1) + 1
                self.vocab[id] = special.encode()
                self.ids[special.encode()] = id
        self._special_pattern = _special_pattern(self.special_tokens)

    def encode(self, text: str, allow_special: bool = True) -> list[int]:
        """Return the ids of the text.

        Every pre-token starts as single bytes. Of all pairs of neighbours that are merges, the one learned first is
        joined (wherever it stands, from left to right), until none is left. How long that takes doesn't grow with the
        number of merges.

        A special token becomes its one id, the longest first where several begin, and what stands between two of them
        is encoded as a text of its own; with allow_special=False special tokens are ordinary text.

        >>> Tokenizer(*train_bpe("banana bandana", 260, ["<|end|>"]), ["<|end|>"]).encode("banana<|end|>")
        [257, 258, 259]
        """
        ids: list[int] = []
        start = 0
        # Cutting comes before pre-tokenization: the rule for spaces may not see what stands behind a special token.
        for match in self._special_pattern.finditer(text) if allow_special else ():
            ids += self._ordinary_ids(text[start : match.start()])
            ids.append(self.ids[match.group().encode()])
            start = match.end()
        return ids + self._ordinary_ids(text[start:])

    def _ordinary_ids(self, text: str) -> list[int]:
        """Return the ids of a text without special tokens."""
        return [id for pretoken in pretokenize(text) for id in self._pretoken_ids(pretoken)]

    def _pretoken_ids(self, pretoken: str) -> list[int]:
        """Return the ids of one pre-token."""
        tokens = [bytes([byte]) for byte in pretoken.encode()]
        while len(tokens) > 1:
            # Pitfall: not the longest token that fits and not the most frequent, but the merge that was learned first,
            # because that is the order in which training itself would have joined these bytes.
            best = min(pairwise(tokens), key=lambda pair: self.ranks.get(pair, math.inf))
            if best not in self.ranks:
                break
            tokens = _merge(tokens, best)
        return [self.ids[token] for token in tokens]

    def decode(self, ids: list[int]) -> str:
        """Return the text of the ids; bytes that are not UTF-8 become U+FFFD. ValueError names an unknown id."""
        for id in ids:
            if id not in self.vocab:
                raise ValueError(f"id {id} is not in the vocabulary")
        # Pitfall: a token may hold a part of a character, so bytes are joined first and decoded once.
        return b"".join(self.vocab[id] for id in ids).decode("utf-8", errors="replace")

    def encode_iterable(self, chunks: Iterable[str]) -> Iterator[int]:
        """Yield the ids of a text that comes in chunks: exactly those of encode("".join(chunks)), wherever it was cut.

        Ids come out while chunks still come in: never more is held back than one chunk, two pre-tokens and one special
        token, however long the text.
        """
        rest = ""
        for chunk in chunks:
            rest += chunk
            doubtful = self._unfinished_special_tokens(rest)
            start = 0
            for match in self._special_pattern.finditer(rest):
                if any(start <= place <= match.start() for place in doubtful):
                    break  # a special token that begins earlier, or a longer one, may still swallow this one
                yield from self.encode(rest[start : match.end()])
                start = match.end()
            end = min((place for place in doubtful if place >= start), default=len(rest))
            # Pitfall: the last pre-token may still grow, and so may the two halves of a torn contraction: ' and r are
            # one piece if an e follows. Whole pre-tokens go out, not the text up to here, since a run of whitespace is
            # cut differently where a text ends.
            for pretoken in pretokenize(rest[start:end])[:-2]:
                yield from self._pretoken_ids(pretoken)
                start += len(pretoken)
            rest = rest[start:]
        yield from self.encode(rest)

    def _unfinished_special_tokens(self, text: str) -> list[int]:
        """Return the places from which on the text is the beginning, and not yet all, of a special token."""
        longest = max(map(len, self.special_tokens), default=0)
        return [
            place
            for place in range(max(0, len(text) - longest + 1), len(text))
            if any(
                len(special) > len(text) - place and special.startswith(text[place:]) for special in self.special_tokens
            )
        ]


def load_gpt2(merges_path: str | Path, encoder_path: str | Path) -> Tokenizer:
    """Return GPT-2's own tokenizer, with <|endoftext|> as its special token.

    Both files are UTF-8 and write every byte as one printable character. `merges_path` (vocab.bpe) holds one line with
    its version, then a merge per line, the two tokens separated by a space. `encoder_path` (encoder.json) maps each
    token to its id.
    """
    # Bytes that print well stand for themselves; the others are numbered from U+0100 on, so that a space is U+0120.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(hidden)}

    def to_bytes(written: str) -> bytes:
        return bytes(byte_of[character] for character in written)

    merges = []
    for line in Path(merges_path).read_text(encoding="utf-8").splitlines()[1:]:
        left, right = line.split(" ")
        merges.append((to_bytes(left), to_bytes(right)))
    # Pitfall: GPT-2's ids for the single bytes follow its printable characters: byte 0 has id 188.
    encoder = json.loads(Path(encoder_path).read_text(encoding="utf-8"))
    return Tokenizer({id: to_bytes(token) for token, id in encoder.items()}, merges, ["<|endoftext|>"])
