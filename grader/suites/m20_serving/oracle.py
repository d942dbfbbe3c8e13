"""What decoding, stop strings and streams come to, and what the classic mistakes make of them."""

import functools

from .probes import Vocabulary

OPEN = "\ufffd"


def vocabulary(draw, *words):
    """Return a vocabulary of all bytes and some words, whose ids say nothing of them."""
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [word if isinstance(word, bytes) else word.encode() for word in words]
    return Vocabulary([tokens[place] for place in draw.permutation(len(tokens)).tolist()])


def of_words(draw):
    """Return a vocabulary with two words, and a token that ends within a character."""
    return vocabulary(draw, "the ", " cat", "日本".encode()[:4])


# ── decoding ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def certain(decode, ids):
    """Return what is certain of a text after some ids: all but a U+FFFD at its end, which may yet become something."""
    text = decode(ids)
    return text[: len(text) - text.endswith(OPEN)]


def between(decode, ids):
    """Return the text up to the last token that ended together with a character."""
    ends = [decode(ids[:count]) for count in range(len(ids), 0, -1)]
    return next((text for text in ends if not text.endswith(OPEN)), "")


def stripped(decode, ids):
    """Return the text without any U+FFFD at its end."""
    return decode(ids).rstrip(OPEN)


def before_a_real_one(decode, ids):
    """Return what may be given out by those who wait wherever U+FFFD stands: all but the last, or what is before it."""
    text = decode(ids)
    return (text[:-1], text.partition(OPEN)[0]) if OPEN in certain(decode, ids) else ()


def decoding_misses(decode, ids):
    """Return what the mistakes of decoders make of all ids, joined."""
    texts = [decode(ids[: count + 1]) for count in range(len(ids))]
    return {
        "each token is decoded alone, as if characters never crossed its ends": "".join(decode([id]) for id in ids),
        "U+FFFD is given out for a character whose last bytes are still to come": _by_length(texts),
        "a U+FFFD that the text really holds is lost": texts[-1].replace(OPEN, ""),
        "what still waits at the end is never given out": certain(decode, ids),
        "what was given out is given out again": lambda: _keeping(decode, ids, lambda open, *_: (open, 0)),
        "all ids are dropped while a character is open": lambda: _keeping(
            decode, ids, lambda open, given, known: ([], 0) if known else (open, given)
        ),
        "all ids but the last are dropped while a character is open": lambda: _keeping(
            decode, ids, lambda open, given, known: (open[-1:], 0) if known > given else (open, given)
        ),
    }  # fmt: skip


def _keeping(decode, ids, keep):
    """Return all that a decoder gives out which keeps other ids, or counts otherwise, while a character is open."""
    open, given, said = [], 0, ""
    for id in ids:
        open.append(id)
        text = decode(open)
        known = len(text) - text.endswith(OPEN)
        said += text[given:known]
        open, given = keep(open, given, known) if known < len(text) else ([], 0)
    return said + decode(open)[given:]


def _by_length(texts):
    given = ""
    for before, text in zip(["", *texts], texts, strict=False):
        given += text[len(before) :]
    return given


# ── stop strings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def stop_place(text, stops):
    """Return where a text ends: before the stop string that is complete first, the longest of these; None: nowhere."""
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    return min(found)[1] if found else None


def held(text, stops):
    """Return how many characters at the end of a text a stop string may begin with."""
    return max(beginnings(text, stops), default=0)


def cut(pieces, stops):
    """Return what each piece lets through, and what the end does."""
    return _cut(pieces, stops, lambda seen: held(seen, stops))


def text_misses(pieces, stops):
    """Return what the mistakes of stop strings make of the whole text, however it came."""
    whole, place = "".join(pieces), stop_place("".join(pieces), stops)
    there = [stop for stop in stops if stop in whole]
    begins = {stop: whole.find(stop) for stop in there}
    shortest = max(
        (begins[s] for s in there if begins[s] + len(s) == min(begins[o] + len(o) for o in there)), default=None
    )
    longest = max((stop for stop in there if begins[stop] == place), key=len, default="")
    return {
        "the first stop string of the list is taken, and not the one that is complete first": whole[
            : begins[there[0]] if there else None
        ],
        "the stop string that begins first is taken, and not the one that is complete first": whole[
            : min(begins.values(), default=None)
        ],
        "of two stop strings that end together the shorter one is taken": whole[:shortest],
        "the stop string itself is given out": whole[: None if place is None else place + len(longest)],
        "stop strings are not looked for": whole,
        **{name: functools.partial(_all_of, found) for name, found in piece_misses(pieces, stops).items()},
    }


def piece_misses(pieces, stops):
    """Return what the mistakes of hold-back let through with each piece, and at the end."""
    text, many = "".join(pieces), max(map(len, stops), default=1) - 1

    def holding(hold, **more):
        return functools.partial(_held, pieces, stops, hold, **more)

    return {
        "stop strings are looked for in each piece alone": lambda: _alone(pieces, stops),
        "nothing is held back, and the beginning of a stop string is out before its end comes": lambda: _cut(
            pieces, stops, lambda _: 0
        ),
        "what was held back is lost at the end": lambda: [*cut(pieces, stops)[:-1], ""],
        "as many characters as the longest stop string has are always held back": lambda: _cut(
            pieces, stops, lambda _: many
        ),
        "held back is the shortest beginning of a stop string that fits, and not the longest": holding(
            lambda seen: min(beginnings(seen, stops), default=0)
        ),
        "of a stop string's beginnings the first character alone is held back": holding(
            lambda seen: int(1 in beginnings(seen, stops))
        ),
        "a beginning that lacks but one character of a stop string is not held back": holding(
            lambda seen: max(beginnings(seen, stops, but=2), default=0)
        ),
        "more is held back than what a stop string may begin with": holding(
            lambda seen: min(many, len(seen)) if beginnings(seen, stops) else 0
        ),
        "what was held back comes at the end, though a stop string was found": holding(
            lambda seen: held(seen, stops), left=True
        ),
        "what comes after a stop string is let through again": lambda: _again(pieces, stops),
        "nothing is let through before the end": lambda: [*[""] * len(pieces), text[: stop_place(text, stops)]],
    }


def _all_of(found):
    return "".join(found())


def beginnings(text, stops, but=1):
    """Return the lengths of all beginnings of stop strings that a text ends with, whole ones left out (but=1)."""
    return [size for stop in stops for size in range(1, len(stop) - but + 1) if text.endswith(stop[:size])]


def _held(pieces, stops, hold, left=False):
    """Return what each piece lets through where stop strings are looked for in what was held back and the piece."""
    waits = ""
    found: list[str] = []
    for piece in pieces:
        text = waits + piece
        place = stop_place(text, stops)
        if place is not None:
            return [*found, text[:place], *[""] * (len(pieces) - len(found) - 1), waits if left else ""]
        end = len(text) - hold(text)
        found.append(text[:end])
        waits = text[end:]
    return [*found, waits]


def _cut(pieces, stops, hold):
    text, given, found = "", 0, []
    for piece in pieces:
        text += piece
        place = stop_place(text, stops)
        end = max(given, len(text) - hold(text) if place is None else place)
        found.append(text[given:end])
        given = end
        if place is not None:
            return [*found, *[""] * (len(pieces) - len(found)), ""]
    return [*found, text[given:]]


def _again(pieces, stops):
    found: list[str] = []
    rest = list(pieces)
    while rest:
        passed = cut(rest, stops)
        if stop_place("".join(rest), stops) is None:
            return [*found, *passed]
        ended = next(n for n in range(1, len(rest) + 1) if stop_place("".join(rest[:n]), stops) is not None)
        found += passed[:ended]
        rest = rest[ended:]
    return [*found, ""]


def _alone(pieces, stops):
    found = []
    for number, piece in enumerate(pieces):
        place = stop_place(piece, stops)
        found.append(piece[:place])
        if place is not None:
            return [*found, *[""] * (len(pieces) - number)]
    return [*found, ""]


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def pairs(decode, ids, max_tokens, stops=()):
    """Return what stream_text yields for a model that gives these ids, none of which ends within a lasting U+FFFD."""
    ids, found, given = ids[:max_tokens], [], 0
    for count in range(len(ids)):
        text = certain(decode, ids[: count + 1])
        place = stop_place(text, stops)
        end = len(text) - held(text, stops) if place is None else place
        found.append((text[given:end], None))
        given = end
        if place is not None:
            return [*found, ("", "stop")]
    text = decode(ids)
    place = stop_place(text, stops)
    return [*found, (text[given:place], "stop" if place is not None or len(ids) < max_tokens else "length")]


def pair_misses(decode, ids, max_tokens, stops=()):
    """Return what the mistakes of streams make of the same ids."""
    right, whole = pairs(decode, ids, max_tokens, stops), pairs(decode, ids, max_tokens)
    last, reason = right[-1]
    other = "length" if reason == "stop" else "stop"
    given = ids[:max_tokens]
    return {
        "the reason is the wrong one of the two": [*right[:-1], (last, other)],
        "there is no last pair with the reason": right[:-1],
        "what the decoder or the stop strings still hold is lost at the end": [*right[:-1], ("", reason)],
        "tokens without a text of their own get no pair": [
            pair for pair in right[:-1] if pair[0]
        ] + [right[-1]],
        "each token is decoded alone": [*((decode([id]), None) for id in given), ("", reason)],
        "stop strings are not looked for": whole,
        "generation goes on after a stop string": [*right[:-1], *[("", None)] * (len(whole) - len(right)), right[-1]],
        "the last pair stands in place of the last token's": [*right[:-2], (right[-2][0] + last, reason)]
        if len(right) > 1 else [],
    }  # fmt: skip
