"""What m01_tokenizer is compared with: a trainer and an encoder that are slow and easy to believe.

A word is held as a string with one character per token, chr(id); joining a pair is then `str.replace`, which goes from
left to right and uses no token twice. Every classic mistake is a variation of one step, so that a check can name it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import regex

Merges = list[tuple[bytes, bytes]]
Misses = dict[str, Any]

BYTES = {byte: bytes([byte]) for byte in range(256)}


# --- pre-tokens -----------------------------------------------------------------------------------------------------

ENDINGS, SPACES, OTHERS = r"'(?:[sdmt]|ll|ve|re)", r"|\s+(?!\S)|\s+", r"| ?[^\s\p{L}\p{N}]+"
PATTERN = ENDINGS + r"| ?\p{L}+| ?\p{N}+" + OTHERS + SPACES

PRETOKEN_MISTAKES = {
    "a run of whitespace doesn't leave its last character to what follows it": PATTERN.replace(r"\s+(?!\S)|", ""),
    "this is GPT-4's rule, not GPT-2's": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "endings in upper case are taken for contractions too": PATTERN.replace("'(?:", "'(?i:"),
    "typographic apostrophes begin contractions too": PATTERN.replace("'(?:", "['\u2019](?:"),
    "contractions are not pieces of their own": PATTERN.removeprefix(ENDINGS + "|"),
    "any whitespace, not just the space, goes with what follows it": PATTERN.replace(" ?", r"\s?"),
    "the space before a word is a piece of its own": PATTERN.replace(" ?", ""),
    "the space goes with the word before it": ENDINGS + r"|\p{L}+ ?|\p{N}+ ?|[^\s\p{L}\p{N}]+ ?" + SPACES,
    "only the letters a to z and the digits 0 to 9 are known": ENDINGS
    + "| ?[a-zA-Z]+| ?[0-9]+| ?[^\\sa-zA-Z0-9]+"
    + SPACES,
    r"only decimal digits (\d) are taken for numbers, not the likes of ² and Ⅳ": PATTERN.replace(r"\p{N}", r"\d"),
    r"only decimal digits (\d) are taken for numbers, and what is another kind of number is lost": PATTERN.replace(
        r"| ?\p{N}+", r"| ?\d+"
    ),
    r"letters are taken to be \w without digits and _, which isn't the same": PATTERN.replace(
        r" ?\p{L}+", r" ?[^\W\d_]+"
    ),
    r"letters, digits and _ are taken together (\w)": ENDINGS + r"| ?\w+| ?[^\s\w]+" + SPACES,
    "punctuation is missing, and so text is lost": PATTERN.replace(OTHERS, ""),
    "the text is only split at whitespace": r" ?\S+|\s+(?!\S)|\s+",
}


def pretokens(text: str, *, pattern: str) -> list[str]:
    """Return the pre-tokens of the text by a rule; GPT-2's is PATTERN."""
    return regex.findall(pattern, text)


def pretoken_mistakes(text: str) -> Misses:
    """Return what each classic mistake makes of the text."""
    return {mistake: partial(pretokens, text, pattern=pattern) for mistake, pattern in PRETOKEN_MISTAKES.items()}


# --- training -------------------------------------------------------------------------------------------------------


def split(text: str, special_tokens: Sequence[str], longest_first: bool = True) -> list[str]:
    """Return ordinary text and special tokens in turn."""
    order = sorted(special_tokens, key=len, reverse=True) if longest_first else special_tokens
    return re.split(f"({'|'.join(map(re.escape, order))})", text) if special_tokens else [text]


def cut(text: str, special_tokens: Sequence[str]) -> list[str]:
    """Return the text between the special tokens."""
    return split(text, special_tokens)[::2]


def places(word: str) -> list[str]:
    """Return the pair at every place, overlapping ones too."""
    return [left + right for left, right in pairwise(word)]


def spell_bytes(pretoken: str) -> list[bytes]:
    """Return the tokens that a pre-token starts as."""
    return [bytes([byte]) for byte in pretoken.encode()]


def join_twice(word: str, pair: str, new: str) -> str:
    """Make the mistake of using a token twice: a a a becomes aa aa."""
    run = regex.escape(pair[0]) + "{2,}"
    return regex.sub(run, lambda hit: new * (len(hit[0]) - 1), word) if pair[0] == pair[1] else word.replace(pair, new)


def printable(token: bytes) -> str:
    """Return the token as GPT-2's files write it."""
    shown = [byte for byte in range(256) if chr(byte).isprintable() and not chr(byte).isspace()]
    return "".join(
        chr(byte if byte in shown else 0x100 + sum(other not in shown for other in range(byte))) for byte in token
    )


def train(
    text: str,
    vocab_size: int,
    special_tokens: Sequence[str] = (),
    *,
    cut: Callable[..., Iterable[str]] = cut,
    pretokens: Callable[[str], list[str]] = lambda piece: regex.findall(PATTERN, piece),
    spell: Callable[[str], list[bytes]] = spell_bytes,
    places: Callable[[str], list[str]] = places,
    weigh: Callable[[int], int] = int,
    tie: Callable[[Any, Any, str], Any] = lambda left, right, pair: (left, right),
    choose: Callable[..., str] = max,
    join: Callable[[str, str, str], str] = str.replace,
    merges_of: Callable[[int, int], int] = lambda size, specials: size - 256 - specials,
    specials_first: bool = False,
) -> tuple[dict[int, bytes], Merges]:
    """Train by counting everything again for every merge."""
    tokens = [bytes([byte]) for byte in range(256)]
    ids = {token: id for id, token in enumerate(tokens)}
    words: Counter[str] = Counter()
    for piece in cut(text, special_tokens):
        for pretoken in pretokens(piece):
            for token in spell(pretoken):
                if token not in ids:
                    ids[token] = len(tokens)
                    tokens.append(token)
            words["".join(chr(ids[token]) for token in spell(pretoken))] += 1
    merges: Merges = []
    while len(merges) < merges_of(vocab_size, len(special_tokens)):
        counts: Counter[str] = Counter()
        for word, times in words.items():
            for pair in places(word):
                counts[pair] += weigh(times)
        if not counts:
            break
        ranked = {
            pair: (count, tie(tokens[ord(pair[0])], tokens[ord(pair[1])], pair)) for pair, count in counts.items()
        }
        best = choose(ranked, key=ranked.__getitem__)
        left, right = tokens[ord(best[0])], tokens[ord(best[1])]
        merges.append((left, right))
        tokens.append(left + right)
        shorter: Counter[str] = Counter()
        for word, times in words.items():
            shorter[join(word, best, chr(len(tokens) - 1))] += times
        words = shorter
    specials = [special.encode() for special in special_tokens]
    tokens = tokens[:256] + specials + tokens[256:] if specials_first else tokens + specials
    return dict(enumerate(tokens)), merges


NOT_ESCAPED = "special tokens are used as regular expressions without escaping them"
NOTHING_TO_CUT = "with no special tokens the expression for them is empty, and cuts the text between all characters"

NO_END = "training goes on where no pair is left, and ends in an error: then it is done"
NOT_UTF8 = 'the files are read in the machine\'s own encoding, which is another on Windows: name encoding="utf-8"'
STRICT = 'bytes that are not UTF-8 raise an error: each is to become U+FFFD (errors="replace")'
NO_PAIR_LEFT = "merges go on when no pair is left: those whose count has come down to 0 are joined again"

TRAINING_MISTAKES: dict[str, dict[str, Any]] = {
    "ties go to the pair that was seen first": {"tie": lambda left, right, pair: 0},
    "ties go to the smaller pair": {
        "choose": lambda ranked, key: min(ranked, key=lambda pair: (-key(pair)[0], key(pair)[1]))
    },
    "ties are settled by the tokens' ids, not by their bytes": {"tie": lambda left, right, pair: pair},
    "ties are settled by the printable characters of GPT-2's files, where a space comes after the letters": {
        "tie": lambda left, right, pair: (printable(left), printable(right))
    },
    "ties are settled by the joined token, not by the pair": {"tie": lambda left, right, pair: left + right},
    "the rarest pair is joined, not the most frequent": {"choose": min},
    "pairs that overlap, as in aaa, are counted once": {
        "places": lambda word: [pair for pair in set(places(word)) for _ in range(word.count(pair))]
    },
    "a token is joined twice where pairs overlap: aaa became aa aa": {"join": join_twice},
    "only the first place in each pre-token is joined": {"join": lambda word, pair, new: word.replace(pair, new, 1)},
    "merges reach across the edges of pre-tokens": {"pretokens": lambda piece: [piece]},
    "every distinct pre-token counts once, however often it occurs": {"weigh": lambda times: 1},
    "characters are joined, not bytes": {"spell": lambda pretoken: [character.encode() for character in pretoken]},
    "special tokens were learned from, like any text": {"cut": lambda text, specials: [text]},
    "what stands before and after a special token was glued together": {
        "cut": lambda text, specials: ["".join(cut(text, specials))]
    },
    "special tokens are cut out in the given order, not the longest first": {
        "cut": lambda text, specials: split(text, specials, longest_first=False)[::2]
    },
    NOT_ESCAPED: {"cut": lambda text, specials: re.split("|".join(f"(?:{special})" for special in specials), text)},
    NOTHING_TO_CUT: {"cut": lambda text, specials: list(text)},
    "\\r\\n is turned into \\n before training": {
        "cut": lambda text, specials: cut(text.replace("\r\n", "\n"), specials)
    },
    "the special tokens don't count towards vocab_size": {"merges_of": lambda size, specials: size - 256},
    "the 256 bytes don't count towards vocab_size": {"merges_of": lambda size, specials: size - specials},
    "the special tokens stand before the merges, not at the end": {"specials_first": True},
}


STALE = "the counts next to a joined pair are updated from the word as it was: in b·an·an·a (an, an) is never counted"


def train_stale(text: str, vocab_size: int, special_tokens: Sequence[str]) -> tuple[dict[int, bytes], Merges]:
    """Make the mistake of updating the counts around each joined place from the word before any place was joined."""
    spelled = Counter(
        tuple(spell_bytes(word)) for piece in cut(text, special_tokens) for word in regex.findall(PATTERN, piece)
    )
    words = [(list(word), times) for word, times in spelled.items()]
    counts: Counter[tuple[bytes, bytes]] = Counter()
    for word, times in words:
        for pair in pairwise(word):
            counts[pair] += times
    merges: Merges = []
    while counts and len(merges) < vocab_size - 256 - len(special_tokens):
        best = max(counts, key=lambda pair: (counts[pair], pair))
        del counts[best]
        merges.append(best)
        new = best[0] + best[1]
        for word, times in words:
            before, place = list(word), 0
            word.clear()
            while place < len(before):
                if (*before[place : place + 2],) != best:
                    word.append(before[place])
                    place += 1
                    continue
                for old, joined in (((place - 1, place), 0), ((place + 1, place + 2), 1)):
                    if old[0] >= 0 and old[1] < len(before):
                        pair = before[old[0]], before[old[1]]
                        counts[pair] -= times
                        counts[(new, pair[1]) if joined else (pair[0], new)] += times
                word.append(new)
                place += 2
        counts = Counter({pair: count for pair, count in counts.items() if count > 0})
    tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]
    return dict(enumerate([*tokens, *(special.encode() for special in special_tokens)])), merges


def pair_counts(words: Iterable[str]) -> Counter[str]:
    """Count the pairs of words, each of which occurs once."""
    counts: Counter[str] = Counter()
    for word in words:
        for pair in places(word):
            counts[pair] += 1
    return counts


def next_merge(text: str, merges: Merges) -> tuple[bytes, bytes] | None:
    """Return the pair that training joins after these merges; None when they join tokens that there are not."""
    tokens = [bytes([byte]) for byte in range(256)]
    ids = {token: id for id, token in enumerate(tokens)}
    spelled = (spell_bytes(pretoken) for pretoken in pretokens(text, pattern=PATTERN))
    words = Counter("".join(chr(ids[token]) for token in word) for word in spelled)
    for left, right in merges:
        if left not in ids or right not in ids:
            return None
        ids.setdefault(left + right, len(tokens))
        tokens.append(left + right)
        pair, joined = chr(ids[left]) + chr(ids[right]), chr(ids[left + right])
        words = Counter({word.replace(pair, joined): count for word, count in words.items()})
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for pair in places(word):
            counts[pair] += count
    best = max(counts, key=lambda pair: (counts[pair], tokens[ord(pair[0])], tokens[ord(pair[1])]))
    return tokens[ord(best[0])], tokens[ord(best[1])]


def training_mistakes(text: str, vocab_size: int, special_tokens: Sequence[str], part: int) -> Misses:
    """Return what each classic mistake learns from the text: the vocabulary (part 0) or the merges (part 1)."""

    def learn(change: dict[str, Any]) -> Any:
        return train(text, vocab_size, special_tokens, **change)[part]

    impossible = NOTHING_TO_CUT if special_tokens else NOT_ESCAPED
    found = {mistake: partial(learn, change) for mistake, change in TRAINING_MISTAKES.items() if mistake != impossible}
    return {STALE: lambda: train_stale(text, vocab_size, special_tokens)[part], **found}


# --- encoding -------------------------------------------------------------------------------------------------------

Table = dict[
    str, tuple[int, str]
]  # a pair as two characters -> the merge's rank, and the character of the joined token


def mergeable(word: str, table: Table) -> list[str]:
    """Return the pairs in the word that are merges."""
    return [pair for pair in places(word) if pair in table]


def by_rank(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Join the pair that was learned first, until none is left."""
    while found := mergeable(word, table):
        best = min(found, key=table.__getitem__)
        word = word.replace(best, table[best][1])
    return word


def by_last_rank(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of joining the pair that was learned last."""
    while found := mergeable(word, table):
        best = max(found, key=table.__getitem__)
        word = word.replace(best, table[best][1])
    return word


def by_id(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of taking the joined token's id for the rank."""
    while found := mergeable(word, table):
        best = min(found, key=lambda pair: table[pair][1])
        word = word.replace(best, table[best][1])
    return word


def leftmost(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of joining the leftmost pair, whatever its rank."""
    while found := mergeable(word, table):
        word = word.replace(found[0], table[found[0]][1], 1)
    return word


def longest(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of taking the longest token that fits, from left to right."""
    rest, taken = b"".join(vocab[ord(character)] for character in word), ""
    while rest:
        id = max((id for id in vocab if rest.startswith(vocab[id])), key=lambda id: len(vocab[id]))
        rest, taken = rest[len(vocab[id]) :], taken + chr(id)
    return taken


def one_kind(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of stopping after the first merge that is found."""
    best = min(mergeable(word, table), key=table.__getitem__, default="")
    return word.replace(best, table[best][1]) if best else word


def one_walk(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of walking over the word only once."""
    done = ""
    while word:
        pair = word[:2]
        done, word = (done + table[pair][1], word[2:]) if pair in table else (done + word[0], word[1:])
    return done


def join_everything_twice(word: str, table: Table, vocab: dict[int, bytes]) -> str:
    """Make the mistake of using a token twice where pairs overlap."""
    while found := mergeable(word, table):
        best = min(found, key=table.__getitem__)
        word = join_twice(word, best, table[best][1])
    return word


def encode(
    text: str,
    vocab: dict[int, bytes],
    merges: Merges,
    special_tokens: Sequence[str] = (),
    *,
    join: Callable[[str, Table, dict[int, bytes]], str] = by_rank,
    pretokens: Callable[[str], list[str]] = lambda piece: regex.findall(PATTERN, piece),
    longest_first: bool = True,
) -> list[int]:
    """Return the ids of the text."""
    ids = {token: id for id, token in vocab.items()}
    known = {special: ids[special.encode()] for special in special_tokens if special.encode() in ids}
    for special in special_tokens:
        known.setdefault(special, max([*vocab, *known.values()], default=-1) + 1)
    table = {
        chr(ids[left]) + chr(ids[right]): (rank, chr(ids[left + right])) for rank, (left, right) in enumerate(merges)
    }
    result: list[int] = []
    for number, piece in enumerate(split(text, special_tokens, longest_first)):
        if number % 2:
            result.append(known[piece])
            continue
        for pretoken in pretokens(piece):
            word = "".join(chr(ids[token]) for token in spell_bytes(pretoken))
            result += map(ord, join(word, table, vocab))
    return result


def torn_mistakes(variation: Callable[..., Any], special_tokens: Sequence[str]) -> Misses:
    """Return what it makes of the text to stop wherever a special token might begin."""
    firsts = "".join(sorted({re.escape(special[0]) for special in special_tokens}))
    torn = re.compile(f"[^{firsts}]+|[{firsts}][^{firsts}]*", re.DOTALL)

    def between(piece: str) -> list[str]:
        return [found for part in torn.findall(piece) for found in pretokens(part, pattern=PATTERN)]

    def letter_by_letter(piece: str) -> list[str]:
        rest, found = "", list[str]()
        for letter in piece:
            rest += letter
            begun = [place for place in range(len(rest)) if _begins(rest[place:], special_tokens)]
            settled = pretokens(rest[: min(begun, default=len(rest))], pattern=PATTERN)[:-1]
            found, rest = found + settled, rest[sum(map(len, settled)) :]
        return found + pretokens(rest, pattern=PATTERN)

    return {
        "text is encoded in pieces, cut wherever a special token might begin": variation(pretokens=between),
        "text is encoded letter by letter: before what may be a special token, a contraction is torn": variation(
            pretokens=letter_by_letter
        ),
    }


def _begins(text: str, special_tokens: Sequence[str]) -> bool:
    return any(len(special) > len(text) and special.startswith(text) for special in special_tokens)


def encoding_mistakes(text: str, vocab: dict[int, bytes], merges: Merges, special_tokens: Sequence[str] = ()) -> Misses:
    """Return what each classic mistake makes of the text."""
    variation = partial(partial, encode, text, vocab, merges, special_tokens)
    in_order = {**BYTES, **{256 + rank: left + right for rank, (left, right) in enumerate(merges)}}
    empty = {} if special_tokens else {NOTHING_TO_CUT: variation(pretokens=list)}
    return {
        **empty,
        **(torn_mistakes(variation, special_tokens) if special_tokens else {}),
        "special tokens are treated as ordinary text": partial(encode, text, vocab, merges),
        "where special tokens begin at the same place, the one listed first is taken, not the longest": variation(
            longest_first=False
        ),
        "the leftmost pair is joined, whatever its rank": variation(join=leftmost),
        "the longest token that fits is taken, instead of joining by rank": variation(join=longest),
        "the pair learned last is joined first": variation(join=by_last_rank),
        "the rank of a merge is taken from the token's id, not from its place in merges": variation(join=by_id),
        "joining stops after the first merge that was found": variation(join=one_kind),
        "the word is walked over only once, so that joined tokens are never joined again": variation(join=one_walk),
        "a token is joined twice where pairs overlap": variation(join=join_everything_twice),
        "nothing is joined": variation(join=lambda word, table, vocab: word),
        "the text isn't pre-tokenized, so merges reach across words": variation(pretokens=lambda piece: [piece]),
        "ids are numbered in the order of the merges, not looked up in vocab": partial(encode, text, in_order, merges),
    }
