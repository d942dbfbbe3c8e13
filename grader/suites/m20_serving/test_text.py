"""m20_serving: text out of tokens while they come, up to a stop string that may come in pieces."""

import pytest

from grader.judge import asked, counted, each, everything, expect, expect_bound, expect_equal, expect_raises

from . import oracle, probes
from .steps import Service

EARLY = "the reason is found before the end of the text has been searched for a stop string"
ODD = "aé日本𝄞 naïve 🙂🙃 e\u0301 zł ﷽."


def expect_decoded(student, vocabulary, ids):
    """Push ids one by one, and compare all that came, and what had come after each of them."""
    planted = student.plant(probes)
    decoder = student.IncrementalDecoder(planted.vocabulary(vocabulary.tokens).decode)
    pieces = [*each(decoder.push, [(id,) for id in ids]), decoder.finish()]
    expect(all(type(piece) is str for piece in pieces), "What push and finish return is a text.")
    joined, decode = "".join(pieces), vocabulary.decode
    expect_equal(joined, decode(ids), what="all pieces together", misses=oracle.decoding_misses(decode, ids))
    for count in range(1, len(ids) + 1):
        given, wanted = "".join(pieces[:count]), oracle.certain(decode, ids[:count])
        expect(
            len(given) >= len(wanted),
            f"After {count} of {counted(len(ids), 'id')} the text lacks characters that are complete: "
            f"{given!r} came, and {wanted!r} is certain.",
            mistake="more is held back than the one U+FFFD at the end"
            if given == oracle.stripped(decode, ids[:count])
            else "complete characters wait for a token that ends together with a character"
            if given == oracle.between(decode, ids[:count])
            else "behind a U+FFFD that the text really holds characters wait that are complete"
            if given in oracle.before_a_real_one(decode, ids[:count])
            else None,
            evidence="value",
        )
    return pieces


@pytest.mark.task("m20.1")
@pytest.mark.holds(
    'Return the text that this token completes, which may be "".',
    'Example: where token 1 is the bytes E6 97 and token 2 is A5 21, push(1) gives "" and push(2) gives "日!".',
)
def test_a_character_comes_with_its_last_byte(student):
    """A token that ends within 日 gives "", and the one with its last byte gives it."""
    vocabulary = oracle.Vocabulary([b"!", "日".encode()[:2], "日".encode()[2:] + b"!"])

    pieces = expect_decoded(student, vocabulary, [1, 2])

    expect_equal(pieces, ["", "日!", ""], what="the pieces")


@pytest.mark.task("m20.1")
@pytest.mark.holds(
    "Turns ids into text while they come; all that `push` and `finish` return, joined, is decode of all ids.",
    "A token may end within a character: what `push` returns is never taken back, and never lacks a character that "
    "was complete, whatever came before or comes next; what may yet become another character waits.",
)
@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (1, 2, 4)], ids=["bytes", "pairs", "threes", "mixed"])
def test_characters_are_whole_wherever_tokens_end(student, draw, sizes):
    """Texts of many scripts come out whole, as soon as they can, wherever tokens end."""
    data, at, words, ids = ODD.encode(), 0, [], []
    while at < len(data):
        size = draw.random.choice(sizes)
        words.append(data[at : at + size])
        at += size
    vocabulary = oracle.vocabulary(draw, *dict.fromkeys(word for word in words if len(word) > 1))
    ids = [vocabulary.ids[word] for word in words]

    expect_decoded(student, vocabulary, ids)


@pytest.mark.task("m20.1")
@pytest.mark.holds(
    "U+FFFD may also be what a text really holds.",
    "It may wait for the next token, but isn't lost.",
    "A token may end within a character: what `push` returns is never taken back, and never lacks a character that "
    "was complete, whatever came before or comes next; what may yet become another character waits.",
)
@pytest.mark.parametrize("text", ["a\ufffdb", "\ufffd\ufffd", "\ufffd日\ufffd", "end \ufffd"])
def test_a_real_replacement_character_is_text(student, draw, text):
    """U+FFFD in the text itself comes out, before, between and behind other characters."""
    vocabulary = oracle.vocabulary(draw, "\ufffd")

    expect_decoded(student, vocabulary, vocabulary.encode(text))
    expect_decoded(student, vocabulary, [vocabulary.ids[bytes([byte])] for byte in text.encode()])


@pytest.mark.task("m20.1")
@pytest.mark.holds(
    "Return what waits, once no token follows: U+FFFD for bytes that have not become a character.",
    "A token may end within a character: what `push` returns is never taken back, and never lacks a character that "
    "was complete, whatever came before or comes next; what may yet become another character waits.",
)
@pytest.mark.parametrize(
    "data",
    [
        b"a\xe6\x97",
        b"\xf0\x9f\x98",
        b"\xff\xfeok",
        b"\xe6a\xe6\x97b",
        b"\x80\x80\x80x",
        b"\xed\xa0\x80!",
        b"\xf0\x80\x80z",
    ],
    ids=["cut", "cut-late", "never", "broken", "stray", "surrogate", "overlong"],
)
def test_bytes_that_are_no_text_become_what_decode_makes_of_them(student, draw, data):
    """What is no UTF-8, or ends within a character, becomes U+FFFD, as often as decode has it."""
    vocabulary = oracle.vocabulary(draw)

    expect_decoded(student, vocabulary, [vocabulary.ids[bytes([byte])] for byte in data])


@pytest.mark.task("m20.1")
@pytest.mark.holds(
    "However long a text is, decode gets at most 16 ids at a time, as long as characters end now and then.",
)
def test_a_long_text_is_not_decoded_again_and_again(student, draw):
    """In a text of 300 tokens decode gets at most 16 ids at a time."""
    vocabulary = oracle.vocabulary(draw, "the ", "日本".encode()[1:4])
    ids = (vocabulary.encode("the cat saw 日本 and ") * 40)[:300]
    most = [0]

    def decode(ids):
        most[0] = max(most[0], len(ids))
        return vocabulary.decode(ids)

    decoder = student.IncrementalDecoder(student.callback(decode, asked.list_of(asked.of(int), 400)))
    pieces = [*each(decoder.push, [(id,) for id in ids]), decoder.finish()]

    expect_equal("".join(pieces), vocabulary.decode(ids), what="all pieces together")
    expect_bound(
        most[0], f"decode got {counted(most[0], 'id')} at once in a text of 300.", below=16.5, evidence="measured",
        mistake="all ids are decoded anew for each token" if most[0] >= 299 else None,
    )  # fmt: skip


@pytest.mark.task("m20.1")
@pytest.mark.holds(
    "Turns ids into text while they come; all that `push` and `finish` return, joined, is decode of all ids.",
)
def test_two_decoders_know_nothing_of_each_other(student, draw):
    """Two decoders fed by turns give each its own text."""
    vocabulary = oracle.vocabulary(draw)
    planted = student.plant(probes)
    tokenizer = planted.vocabulary(vocabulary.tokens)
    texts = ["日本é", "𝄞ab日x"]
    decoders = [student.IncrementalDecoder(tokenizer.decode) for _ in texts]
    ids = [vocabulary.encode(text) for text in texts]
    found = ["", ""]
    for place in range(max(map(len, ids))):
        for number, decoder in enumerate(decoders):
            if place < len(ids[number]):
                found[number] += decoder.push(ids[number][place])

    for number, text in enumerate(texts):
        expect_equal(found[number] + decoders[number].finish(), text, what="a decoder's text")


# ── stop strings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_cut(student, stops, pieces):
    """Push pieces, and compare what was let through with each of them, at the end, and all together."""
    found = student.StopStrings(stops)
    actual = [*each(found.push, [(piece,) for piece in pieces]), found.finish()]
    whole = "".join(pieces)
    expect(all(type(piece) is str for piece in actual), "What push and finish return is a text.")
    expect_equal(
        "".join(actual), whole[: oracle.stop_place(whole, stops)], what="all that was let through",
        misses=oracle.text_misses(pieces, stops),
    )  # fmt: skip
    expect_equal(
        actual, oracle.cut(pieces, stops), what="the pieces let through", misses=oracle.piece_misses(pieces, stops)
    )
    expect_equal(found.stopped, oracle.stop_place(whole, stops) is not None, what="stopped")


@pytest.mark.task("m20.2")
@pytest.mark.holds(
    "Lets text through, in pieces, up to the first stop string; a stop string itself is never given out.",
    "Take the next piece, and return what may be given out now.",
    'Example: with the stop string "END", push("some E") gives "some ", and push("N") then gives "".',
)
def test_the_beginning_of_a_stop_string_waits(student):
    """With "END", "some E" lets "some " through, and the rest waits until it is no stop string, or one."""
    expect_cut(student, ["END"], ["some E", "N", "TER it"])
    expect_cut(student, ["END"], ["some E", "N", "D of it", "END"])


@pytest.mark.task("m20.2")
@pytest.mark.holds(
    "Lets text through, in pieces, up to the first stop string; a stop string itself is never given out.",
    "However the text was cut into pieces, what `push` and `finish` return, joined, is the same.",
    "Held back is only what a stop string may begin with, and no character more.",
)
@pytest.mark.parametrize("stops", [["\nUser:"], ["aab"], ["aba", "bab"], ["END", "\n\n", "日本"]], ids=repr)
def test_every_cut_gives_the_same_text(student, draw, stops):
    """However a text comes, character by character or all at once, the same of it is let through."""
    bit = "".join(stops)
    text = "".join(draw.random.choice([*bit, bit[:2], "x "]) for _ in range(24)) + draw.random.choice(stops) + " and on"
    cuts = sorted(draw.random.sample(range(1, len(text)), 6))
    for pieces in [[text], list(text), [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]]:
        expect_cut(student, stops, pieces)


@pytest.mark.task("m20.2")
@pytest.mark.holds(
    "It ends before the stop string that is complete first; of two that end with one character, before the longer.",
    "Lets text through, in pieces, up to the first stop string; a stop string itself is never given out.",
)
@pytest.mark.parametrize(
    ("stops", "text"),
    [
        (["b", "a"], "xxaxbx"),
        (["late", "a"], "is later"),
        (["bc", "abcd"], "xabcdx"),
        (["c", "abc"], "xabcx"),
        (["abc", "c"], "xabcx"),
        (["ab", "abab"], "xababx"),
    ],
    ids=["order", "list", "within", "shorter-first", "longer-first", "repeats"],
)
def test_the_stop_string_that_is_complete_first_ends_the_text(student, stops, text):
    """Of several stop strings counts the one that is complete first, wherever it stands in the list."""
    expect_cut(student, stops, [text])
    expect_cut(student, stops, list(text))


@pytest.mark.task("m20.2")
@pytest.mark.holds(
    "Held back is only what a stop string may begin with, and no character more.",
    "Return what was held back, once no text follows.",
)
@pytest.mark.parametrize(
    ("stops", "pieces"),
    [
        (["\nUser:"], ["Hi\n", "Use", " it\nUs"]),
        (["aab"], ["aa", "a", "a"]),
        (["abcabd"], ["abcab", "cab"]),
        (["ab", "bcdef"], ["xbcde", "xa"]),
        (["longest of all", "z"], ["plain", " text"]),
        (["."], ["no", "thing"]),
    ],
    ids=["chat", "overlap", "border", "two", "far", "one"],
)
def test_no_character_more_is_held_back(student, stops, pieces):
    """Only the longest end that a stop string begins with waits, and at the end it comes."""
    expect_cut(student, stops, pieces)


@pytest.mark.task("m20.2")
@pytest.mark.holds(
    '`stopped` says whether one was found; afterwards `push` and `finish` return "".',
)
def test_after_a_stop_string_nothing_comes(student):
    """After a stop string all that follows gives ""; without stop strings everything passes at once."""
    expect_cut(student, ["#"], ["a#b", "c", "#", "d"])
    expect_cut(student, ["#", "##"], ["#"])
    found = student.StopStrings([])
    expect_equal(
        [found.push("a"), found.push("b"), found.finish(), found.stopped], ["a", "b", "", False], what="all pieces"
    )


@pytest.mark.task("m20.2")
@pytest.mark.holds(
    "Raises ValueError for an empty stop string.",
)
def test_an_empty_stop_string_is_refused(student):
    """An empty stop string, which would end every text before it begins, raises ValueError."""
    expect_raises(
        "ValueError", student.StopStrings, ["a", ""], fine=(["a"],), mistake="an empty stop string is accepted"
    )


# ── a model's text ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m20.3")
@pytest.mark.holds(
    "Generate, and yield a pair for every token as soon as it has come: (the text that it completes, None).",
    "The text is IncrementalDecoder's and then StopStrings': it may be \"\".",
    "The last pair is (what was held back, reason).",
    'The reason is "length" where max_tokens ids came and no stop string was found, else "stop".',
)
@pytest.mark.parametrize(
    ("text", "max_tokens", "stops"),
    [
        ("Hi 日本!", 40, []),
        ("Hi 日本!", 5, []),
        ("all of it", 9, []),
        ("one\nUser: two", 40, ["\nUser:"]),
        ("one\nUse it\nUs", 40, ["\nUser:", "x"]),
        ("stop", 4, ["op"]),
        ("ab日", 4, ["日"]),
        ("", 3, []),
    ],
    ids=["whole", "cut", "just", "stop", "held", "both", "late", "nothing"],
)
def test_a_stream_is_a_pair_for_each_token_and_one_more(student, draw, text, max_tokens, stops):
    """Each token gives a pair with its text, which may be "", and the last pair says why it ended."""
    vocabulary = oracle.vocabulary(draw)
    ids = vocabulary.encode(text)
    service = Service(student, vocabulary, ids)

    actual = everything(
        student.stream_text(service.generate, service.tokenizer, [1, 2], max_tokens=max_tokens, stop=stops)
    )

    expect_equal(
        actual, oracle.pairs(vocabulary.decode, ids, max_tokens, stops), what="the pairs",
        misses=oracle.pair_misses(vocabulary.decode, ids, max_tokens, stops),
    )  # fmt: skip


@pytest.mark.task("m20.3")
@pytest.mark.holds(
    "The text is IncrementalDecoder's and then StopStrings': it may be \"\".",
    'The reason is "length" where max_tokens ids came and no stop string was found, else "stop".',
)
@pytest.mark.parametrize("stop", ["b", "b\ufffd"], ids=["behind", "within"])
def test_what_the_decoder_holds_goes_through_the_stop_strings(student, draw, stop):
    """Bytes of no character that are still open at the end come not behind a stop string, and may complete one."""
    vocabulary = oracle.vocabulary(draw, b"b\xe6")
    ids = [vocabulary.ids[b"a"], vocabulary.ids[b"b\xe6"]]
    service = Service(student, vocabulary, ids)

    actual = everything(student.stream_text(service.generate, service.tokenizer, [1], max_tokens=2, stop=[stop]))

    early = "the reason is the wrong one of the two" if stop == "b" else EARLY
    past = ("\ufffd", "stop") if stop == "b" else ("b\ufffd", "length")
    expect_equal(
        actual, [("a", None), ("", None), ("", "stop")], what="the pairs",
        misses={
            "what the decoder holds at the end passes by the stop strings": [("a", None), ("", None), past],
            early: [("a", None), ("", None), ("", "length")],
        },
    )  # fmt: skip


@pytest.mark.task("m20.3")
@pytest.mark.holds(
    "generate gets the settings by their names.",
)
def test_the_settings_reach_the_model(student, draw):
    """Prompt, max_tokens, temperature and top_p reach generate, 0 too, and without them 16, 1 and 1."""
    vocabulary = oracle.vocabulary(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    prompt = draw.integers(0, 256, 4).tolist()

    everything(student.stream_text(service.generate, service.tokenizer, prompt))
    everything(
        student.stream_text(service.generate, service.tokenizer, prompt, max_tokens=7, temperature=0.0, top_p=0.25)
    )

    plain = (prompt, 16.0, 1.0, 1.0)
    expect_equal(
        [(ids, *map(float, rest)) for ids, *rest in service.calls],
        [(prompt, 16.0, 1.0, 1.0), (prompt, 7.0, 0.0, 0.25)],
        what="what generate was asked for",
        misses={
            "a temperature of 0 is taken for none": lambda: [plain, (prompt, 7.0, 1.0, 0.25)],
            "the settings never reach generate": lambda: [plain, plain],
            "max_tokens never reaches generate": lambda: [plain, (prompt, 16.0, 0.0, 0.25)],
            "temperature never reaches generate": lambda: [plain, (prompt, 7.0, 1.0, 0.25)],
            "top_p never reaches generate": lambda: [plain, (prompt, 7.0, 0.0, 1.0)],
        },
    )  # fmt: skip


@pytest.mark.task("m20.3")
@pytest.mark.holds(
    "Generate, and yield a pair for every token as soon as it has come: (the text that it completes, None).",
    "After a stop string no further id is asked for.",
)
def test_a_pair_comes_before_the_next_token_is_asked_for(student, draw):
    """When a pair comes no more than its token has been asked for, and after a stop string none is."""
    vocabulary = oracle.vocabulary(draw)
    text = "abc!de"
    service = Service(student, vocabulary, vocabulary.encode(text), paced=lambda *_: None)
    pairs, asked_for = [], []

    for pair in student.stream_text(service.generate, service.tokenizer, [1], stop=["!"]):
        pairs.append(pair)
        asked_for.append(len(service.log))

    expect_equal(pairs, oracle.pairs(vocabulary.decode, vocabulary.encode(text), 16, ["!"]), what="the pairs")
    expect_equal(
        asked_for, [1, 2, 3, 4, 4], what="how many tokens had been asked for when each pair came",
        misses={
            "all tokens are collected before the first pair": lambda: [6] * 5,
            "generation goes on after a stop string": lambda: [1, 2, 3, 4, 6],
            "one token more than necessary is asked for": lambda: [2, 3, 4, 5, 5],
            "one token more is asked for after a stop string": lambda: [1, 2, 3, 4, 5],
        },
    )  # fmt: skip
