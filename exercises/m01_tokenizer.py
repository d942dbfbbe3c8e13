"""m01_tokenizer: byte-level byte-pair encoding (BPE), the way GPT-2 reads text.

A model reads integers. This module turns any text into few of them and back again without losing a byte: it learns a
vocabulary of its own from a text, and it also runs GPT-2's. Every later milestone takes it for granted.

Left out: cleaning or normalising text, learning from more than fits in memory, and the speed of compiled code.
The standard library and the `regex` package are all it takes. Not allowed: tiktoken, tokenizers, transformers.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path


def pretokenize(text: str) -> list[str]:
    """Cut text into pre-tokens by GPT-2's rule, which the guide spells out. Joined again, they are the text.

    >>> pretokenize("We're  home: 2 cats!")
    ['We', "'re", ' ', ' home', ':', ' 2', ' cats', '!']
    """
    # TODO(m01.1): write the rule as one regular expression, an alternative for each kind of pre-token.
    raise NotImplementedError("m01.1")


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
    # TODO(m01.2): count the pairs of each distinct pre-token, join the most frequent, repeat.
    # TODO(m01.7): count only once, and update what a merge changes.
    raise NotImplementedError("m01.2")


class Tokenizer:
    """Turns text into ids and ids into text.

    `merges` stand in the order in which they were learned; the ids in `vocab` may have any order. A special token that
    `vocab` doesn't hold gets the next free id (one above the highest), in the given order. Arguments stay as they were.
    """

    def __init__(
        self, vocab: dict[int, bytes], merges: list[tuple[bytes, bytes]], special_tokens: list[str] | None = None
    ) -> None:
        # TODO(m01.3): keep what encode and decode look up. TODO(m01.4): give ids to special tokens.
        raise NotImplementedError("m01.3")

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
        # TODO(m01.3): pre-tokenize, join, look up. TODO(m01.4): cut the text at the special tokens before that.
        raise NotImplementedError("m01.3")

    def decode(self, ids: list[int]) -> str:
        """Return the text of the ids; bytes that are not UTF-8 become U+FFFD. ValueError names an unknown id."""
        # TODO(m01.3): from ids to bytes, from bytes to text.
        raise NotImplementedError("m01.3")

    def encode_iterable(self, chunks: Iterable[str]) -> Iterator[int]:
        """Yield the ids of a text that comes in chunks: exactly those of encode("".join(chunks)), wherever it was cut.

        Ids come out while chunks still come in: never more is held back than one chunk, two pre-tokens and one special
        token, however long the text.
        """
        # TODO(m01.5): encode what no later chunk can change, and keep the rest for the next round.
        raise NotImplementedError("m01.5")


def load_gpt2(merges_path: str | Path, encoder_path: str | Path) -> Tokenizer:
    """Return GPT-2's own tokenizer, with <|endoftext|> as its special token.

    Both files are UTF-8 and write every byte as one printable character. `merges_path` (vocab.bpe) holds one line with
    its version, then a merge per line, the two tokens separated by a space. `encoder_path` (encoder.json) maps each
    token to its id.
    """
    # TODO(m01.6): rebuild the table of printable characters, then read both files with it.
    raise NotImplementedError("m01.6")
