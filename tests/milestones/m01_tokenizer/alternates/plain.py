"""Unusual here: plain lists and dictionaries, no type hints, max() over all pairs for each merge, and no classes beside
the one asked for; streaming keeps whole pieces instead of text."""

# ruff: noqa: B905, RUF007

import json

import regex

PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def pretokenize(text):
    return regex.findall(PATTERN, text)


def split_special(text, specials):
    """Return alternately ordinary text and special tokens."""
    if not specials:
        return [text]
    ordered = sorted(specials, key=len)
    ordered.reverse()
    return regex.split("(" + "|".join(regex.escape(s) for s in ordered) + ")", text)


def merge(tokens, a, b):
    i = 0
    while i < len(tokens) - 1:
        if tokens[i] == a and tokens[i + 1] == b:
            tokens[i : i + 2] = [a + b]
        i += 1


def train_bpe(text, vocab_size, special_tokens):
    n_merges = vocab_size - 256 - len(special_tokens)
    if n_merges < 0:
        raise ValueError("vocab_size %d is too small" % vocab_size)
    freqs = {}
    for part in split_special(text, special_tokens)[::2]:
        for word in pretokenize(part):
            freqs[word] = freqs.get(word, 0) + 1
    words = []
    pairs = {}
    for word, freq in freqs.items():
        tokens = [bytes([b]) for b in word.encode("utf-8")]
        words.append([tokens, freq])
        for pair in zip(tokens, tokens[1:]):
            pairs[pair] = pairs.get(pair, 0) + freq
    merges = []
    for _ in range(n_merges):
        if not pairs:
            break
        a, b = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append((a, b))
        for tokens, freq in words:
            if a not in tokens or b not in tokens:
                continue
            before = list(zip(tokens, tokens[1:]))
            if (a, b) not in before:
                continue
            merge(tokens, a, b)
            for pair in before:
                pairs[pair] -= freq
            for pair in zip(tokens, tokens[1:]):
                pairs[pair] = pairs.get(pair, 0) + freq
            for pair in before:
                if pairs.get(pair) == 0:
                    del pairs[pair]
    vocab = {}
    for b in range(256):
        vocab[b] = bytes([b])
    for a, b in merges:
        vocab[len(vocab)] = a + b
    for special in special_tokens:
        vocab[len(vocab)] = special.encode("utf-8")
    return vocab, merges


class Tokenizer:
    def __init__(self, vocab, merges, special_tokens=None):
        self.vocab = vocab.copy()
        self.merges = {}
        for rank in range(len(merges)):
            self.merges[merges[rank]] = rank
        self.specials = []
        for special in special_tokens or []:
            self.specials.append(special)
            if special.encode("utf-8") not in self.vocab.values():
                self.vocab[max(self.vocab) + 1] = special.encode("utf-8")
        self.inverse = {}
        for i in self.vocab:
            self.inverse[self.vocab[i]] = i

    def encode_word(self, word):
        tokens = [bytes([b]) for b in word.encode("utf-8")]
        while True:
            best = None
            for pair in zip(tokens, tokens[1:]):
                if pair in self.merges and (best is None or self.merges[pair] < self.merges[best]):
                    best = pair
            if best is None:
                return [self.inverse[token] for token in tokens]
            merge(tokens, best[0], best[1])

    def encode(self, text, allow_special=True):
        ids = []
        parts = split_special(text, self.specials) if allow_special else [text]
        for i in range(len(parts)):
            if i % 2 == 1:
                ids.append(self.inverse[parts[i].encode("utf-8")])
            else:
                for word in pretokenize(parts[i]):
                    ids += self.encode_word(word)
        return ids

    def decode(self, ids):
        unknown = [i for i in ids if i not in self.vocab]
        if unknown:
            raise ValueError("unknown ids: %s" % unknown)
        return b"".join([self.vocab[i] for i in ids]).decode("utf-8", "replace")

    def unsure(self, text, start):
        """Where, from start on, the text's end may be the beginning of a special token."""
        size = max([len(s) for s in self.specials], default=0)
        for i in range(max(start, len(text) - size), len(text)):
            for s in self.specials:
                if s != text[i:] and s.startswith(text[i:]):
                    return i
        return len(text)

    def encode_iterable(self, chunks):
        held = ""
        for chunk in chunks:
            parts = split_special(held + chunk, self.specials)
            text = held + chunk
            sure = 0  # everything before this place is settled
            i = 0
            while i + 1 < len(parts):
                end = sure + len(parts[i]) + len(parts[i + 1])
                if len(text) - end < 600 and self.unsure(text, sure) <= sure + len(parts[i]):
                    break
                for word in pretokenize(parts[i]):
                    for number in self.encode_word(word):
                        yield number
                yield self.inverse[parts[i + 1].encode("utf-8")]
                sure = end
                i += 2
            words = pretokenize(text[sure : self.unsure(text, sure)])
            while len(words) > 2:
                word = words.pop(0)
                for number in self.encode_word(word):
                    yield number
                sure += len(word)
            held = text[sure:]
        for number in self.encode(held):
            yield number


def load_gpt2(merges_path, encoder_path):
    visible = (
        list(range(ord("!"), ord("~") + 1)) + list(range(ord("¡"), ord("¬") + 1)) + list(range(ord("®"), ord("ÿ") + 1))
    )
    table = {}
    shift = 0
    for b in range(256):
        if b in visible:
            table[chr(b)] = b
        else:
            table[chr(256 + shift)] = b
            shift += 1
    merges = []
    with open(merges_path, encoding="utf-8") as f:
        for number, line in enumerate(f.read().split("\n")):
            if number > 0 and line:
                left, right = line.split()
                merges.append((bytes([table[c] for c in left]), bytes([table[c] for c in right])))
    with open(encoder_path, encoding="utf-8") as f:
        encoder = json.load(f)
    vocab = {}
    for token in encoder:
        vocab[encoder[token]] = bytes([table[c] for c in token])
    return Tokenizer(vocab, merges, ["<|endoftext|>"])
