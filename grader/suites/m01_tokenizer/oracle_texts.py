"""The texts that m01_tokenizer is asked about."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from random import Random
from string import ascii_letters, punctuation

from .oracle import PATTERN, pretokens

FRAGMENTS = (
    *"aerv1'\n\t .,é²🙂\u3000\u0301\xa0",
    " the",
    "the",
    "'re",
    "'LL",
    "  ",
    "\n\n",
    "\r\n",
    "we'll",
    "--",
    " 2nd",
    "世界",
)


@cache
def known() -> list[str]:
    """Return the characters of Unicode 3.2: a newer one may be a letter for one library and nothing for another."""
    return [chr(code) for code in range(0x30000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs")]


def random_text(random: Random, length: int, extra: Sequence[str] = ()) -> str:
    """Draw a text of many short fragments, `extra` ones often, with characters from anywhere in between."""
    return "".join(
        random.choice(known()) if random.random() < 0.1 else random.choice([*FRAGMENTS, *extra, *extra])
        for _ in range(length)
    )


def without_giants(text: str) -> str:
    """Shorten pre-tokens of thousands of characters to 1,000: joining one place per step is right, and slow there."""
    return "".join(pretoken[:1000] for pretoken in pretokens(text, pattern=PATTERN))


def random_chunks(random: Random, text: str) -> list[str]:
    """Cut a text anywhere; some chunks are empty, some texts fall into single characters."""
    places = range(len(text)) if random.random() < 0.2 else random.choices(range(len(text) + 1), k=random.randrange(9))
    borders = [0, *sorted(places), len(text)]
    return [text[start:end] for start, end in pairwise(borders)]


def frequent_and_rare(random: Random, *, rare: int) -> tuple[str, str, list[str]]:
    """Draw a text of frequent and a few rare words, one of the same and many rare words, and what it has more.

    Each pair in the frequent words, which are made of punctuation, is more common than any in the rare ones, which are
    made of letters: many merges join no pair of a rare word.
    """

    def word(characters: str) -> str:
        return "".join(random.choices(characters, k=9))

    symbols = punctuation.replace("'", "")
    frequent = [common for _ in range(80) for common in [word(symbols)] * random.randrange(45, 57)]
    others = [word(ascii_letters[:40]) for _ in range(rare)]
    few, many = (_in_any_order(random, frequent + part) for part in (others[: rare // 10], others))
    return few, many, others[rare // 10 :]


def _in_any_order(random: Random, words: list[str]) -> str:
    """Make a text of the words, with a line break where two pre-tokens would be one."""
    random.shuffle(words)
    alike = [left.isalpha() == right.isalpha() for left, right in pairwise(words)]
    return words[0] + "".join("\n" * same + word for same, word in zip(alike, words[1:], strict=True))


PARITY_TEXTS = {
    "whitespace": "  two   three \t tab\n\n\n  line\r\n\r\n end \u00a0 \u3000x\u2003 \u2028\x85\x1c.\n \n",
    "contractions": "I'm we're they'll don't he'd I've it's 'S 'LL 's's't 're'n't x'y O'Neil's ''ve '' ’s we’re 'tis",
    "code": "def f(x):\n    if x >= 10 and y[0] != 'a':\n\t\treturn {**x, 'k': x**2 // 3}  # TODO\n\n\n_a__b -> None;",
    "digits": "0 1 12 123 1234 12345 123456789 3.14159 1,000,000 2024-01-31 0x1F 1e-10 ² x² ½ Ⅳ ٣٤ 10% $5 №7",
}
