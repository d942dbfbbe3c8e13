"""Streams encoded chunk by chunk, as the classic mistakes do it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from .oracle import PATTERN, Merges, Misses, encode, pretokens, split

TOO_MUCH = "more is held back than one chunk, two pre-tokens and one special token"


def stream(
    chunks: Iterable[str],
    vocab: dict[int, bytes],
    merges: Merges,
    special_tokens: Sequence[str],
    *,
    held: int = 2,
    whole: bool = True,
    last: bool = True,
) -> Iterator[int]:
    """Encode chunk by chunk with some last pre-tokens held back, but no special token that a border cuts in two."""
    rest = ""
    for chunk in chunks:
        *before, rest = split(rest + chunk, special_tokens)
        yield from encode("".join(before), vocab, merges, special_tokens)
        settled = pretokens(rest, pattern=PATTERN)[:-held]
        rest = rest[sum(map(len, settled)) :]
        for piece in settled if whole else ["".join(settled)]:
            yield from encode(piece, vocab, merges)
    yield from encode(rest if last else "", vocab, merges, special_tokens)


def streaming_mistakes(
    chunks: list[str], vocab: dict[int, bytes], merges: Merges, special_tokens: Sequence[str] = ()
) -> Misses:
    """Return what each classic mistake makes of the chunks."""
    known = (vocab, merges, special_tokens)

    def torn() -> list[int]:
        return list(stream(chunks, *known))

    def beyond(ids: Callable[[], list[int]]) -> Callable[[], list[int] | None]:
        """Return what shows that more is wrong than a special token cut in two: None where nothing does."""
        return lambda: None if (found := ids()) == torn() else found

    return {
        "a special token cut in two by the end of a chunk isn't recognised": torn,
        "every chunk is encoded on its own": beyond(lambda: [id for chunk in chunks for id in encode(chunk, *known)]),
        "what was held back at the end of the text is lost": beyond(lambda: list(stream(chunks, *known, last=False))),
        "only the last pre-token is held back; a contraction cut in two (' and re) needs both": beyond(
            lambda: list(stream(chunks, *known, held=1))
        ),
        "the settled part is pre-tokenized again as if the text ended there": beyond(
            lambda: list(stream(chunks, *known, whole=False))
        ),
    }
