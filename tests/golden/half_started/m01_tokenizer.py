import regex

PATTERN = regex.compile(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def pretokenize(text):
    return PATTERN.findall(text)


def train_bpe(text, vocab_size, special_tokens):
    # TODO(m01.2): count the pairs of each distinct pre-token once, then update the counts after every merge.
    raise NotImplementedError("m01.2")


class Tokenizer:
    def __init__(self, vocab, merges, special_tokens=None):
        self.vocab, self.ids = dict(vocab), {token: id for id, token in vocab.items()}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}

    def encode(self, text, allow_special=True):
        # TODO(m01.3): pre-tokenize, join, look up. TODO(m01.4): cut the text at the special tokens before that.
        raise NotImplementedError("m01.3")

    def decode(self, ids):
        unknown = [id for id in ids if id not in self.vocab]
        if unknown:
            raise ValueError(f"there is no token {unknown[0]}")
        return b"".join(self.vocab[id] for id in ids).decode("utf-8", "replace")

    def encode_iterable(self, chunks):
        # TODO(m01.5): encode what no later chunk can change, and keep the rest for the next round.
        raise NotImplementedError("m01.5")


def load_gpt2(merges_path, encoder_path):
    # TODO(m01.6): rebuild the table of printable characters, then read both files with it.
    raise NotImplementedError("m01.6")
