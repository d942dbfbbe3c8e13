"""m01_tokenizer: ids of a text that comes in chunks, and GPT-2's own files."""

import json
from string import ascii_lowercase

import pytest

from grader.judge import (
    achieve,
    counted,
    everything,
    expect,
    expect_answer,
    expect_bound,
    expect_equal,
    expect_ratio,
)

from . import oracle, oracle_gpt2, oracle_streams, oracle_texts, probes
from .oracle import BYTES
from .steps import END, ENDS, MERGES, PAD, VOCAB, make


def expect_stream(student, chunks, special_tokens=()):
    """Compare the ids of a text in chunks with those of the whole text."""
    known = (VOCAB, MERGES, list(special_tokens))
    actual = everything(make(student, *known).encode_iterable(student.iterator(chunks)))
    misses = oracle_streams.streaming_mistakes(chunks, *known)
    expect_equal(actual, oracle.encode("".join(chunks), *known), misses=misses, what=f"the ids of {chunks!r:.99}")


@pytest.mark.task("m01.5")
def test_words_spaces_and_contractions_may_be_cut_anywhere(student):
    """A word, a run of whitespace and a contraction give the same ids wherever a chunk ends."""
    for chunks in (
        ["ab", "c a", "bc", "d"],
        ["b ", " ", "\n", "\n", " b \n", "\n.c", "d"],
        ["we'", "r", "e we'l", "l we'v", "y"],
    ):
        expect_stream(student, chunks)


@pytest.mark.task("m01.5")
def test_special_tokens_may_be_cut_anywhere(student):
    """A special token is found though it comes in two chunks, and the longest still wins."""
    for chunks in ["ab  <|", "e|> ab"], [f"a{END}", f"{END}b", END, "a"], ["a<|e|", "a", "<|e|><|e", "|", ">  <"]:
        expect_stream(student, chunks, [END, ENDS])


@pytest.mark.task("m01.5")
@pytest.mark.holds(
    'Yield the ids of a text that comes in chunks: exactly those of encode("".join(chunks)), wherever it was cut.',
)
def test_any_chunks_give_the_ids_of_the_whole_text(student, draw):
    """However a text is cut, into empty chunks and single characters too, its ids are those of encode."""
    specials = [END, ENDS, PAD, "|>a"]
    expect_stream(student, [])
    for _ in range(40):
        text = oracle_texts.random_text(draw.random, 25, [*specials, "'", "  ", "<|", "r", "e"])
        expect_stream(student, oracle_texts.random_chunks(draw.random, text), specials)


@pytest.mark.task("m01.5")
@pytest.mark.holds(
    "Ids come out while chunks still come in: never more is held back than one chunk, two pre-tokens and one "
    "special token, however long the text.",
)
def test_ids_come_out_while_chunks_still_come_in(student):
    """The ids of a chunk are given out before many further chunks are asked for."""
    words, asked = [f" chunk {number}" for number in range(1000)], []

    def chunks():
        for word in words:
            asked.append(word)
            yield word

    ids = iter(make(student, VOCAB, MERGES).encode_iterable(student.iterator(chunks())))
    mistake = "all chunks are collected before the first id is given out"
    for chunk in range(30):
        for expected in oracle.encode(words[chunk], VOCAB, MERGES):
            expect_equal(next(ids, None), expected, what=f"the next id, in chunk {chunk},")
        ahead = len(asked) - chunk - 1
        further = counted(ahead, "further chunk")
        message = f"{further} had been fetched before the ids of chunk {chunk} were out (allowed: 4)."
        expect(ahead <= 4, message, mistake=mistake, evidence="measured")


@pytest.mark.task("m01.5")
@pytest.mark.holds(
    "Ids come out while chunks still come in: never more is held back than one chunk, two pre-tokens and one "
    "special token, however long the text.",
)
def test_two_pretokens_and_a_chunk_are_held_back_and_no_more(student):
    """Of words that come letter by letter, all but two and one letter are out before the next letter is asked for."""
    text, asked = " ab" * 40, []

    def letters():
        for letter in text:
            asked.append(letter)
            yield letter

    ids = iter(make(student, VOCAB, MERGES).encode_iterable(student.iterator(letters())))
    for word in range(30):
        for expected in oracle.encode(" ab", VOCAB, MERGES):
            expect_equal(next(ids, None), expected, what=f"the next id, of word {word},")
        # The letter held back, two words behind that, and the first letter of the next, which shows that they ended.
        most = 3 * word + 8
        message = (
            f"{counted(len(asked), 'letter')} were fetched before the ids of word {word} were out (allowed: {most})."
        )
        expect(len(asked) <= most, message, mistake=oracle_streams.TOO_MUCH, evidence="measured")


@pytest.mark.task("m01.5")
@pytest.mark.holds(
    "Ids come out while chunks still come in: never more is held back than one chunk, two pre-tokens and one "
    "special token, however long the text.",
)
@pytest.mark.timeout(30)  # looking for long special tokens takes some styles a while
def test_memory_does_not_grow_with_the_text(student):
    """After 26 MB of text the worker needs hardly more memory than after the first 3 MB."""
    special, sizes = f"<|{'long' * 120}🙂|>", []  # one emoji makes Python take four bytes for every character

    def chunks():
        for number in range(160):
            if number % 6 == 0:
                sizes.append(student.memory_mb())
            yield f" {number:03} and so on" + special * 83

    stream = make(student, BYTES, [], [special]).encode_iterable(student.iterator(chunks()))
    student.probe.give_back()
    count = student.probe.consume(stream)["count"]
    expect(count == 160 * (14 + 83), f"{counted(count, 'id')} came out, expected {160 * (14 + 83)}.")
    growth = max(sizes) - max(sizes[:4])
    message = f"The worker grew by {growth:.0f} MB while 26 MB of text went through (allowed: 8)."
    expect_bound(growth, message, below=8, mistake="the text or the chunks are kept", evidence="measured")


def small_files(merges, vocab, version="#version: 0.2"):
    """Return the bytes of two files in GPT-2's format."""
    lines = [" ".join(map(oracle.printable, pair)) for pair in merges]
    encoder = {oracle.printable(token): id for id, token in vocab.items()}
    return "\n".join([version, *lines, ""]).encode(), json.dumps(encoder, ensure_ascii=False).encode()


def load(student, merges, encoder):
    """Have the student's code load two files with these bytes."""
    tokenizer = student.load_gpt2(student.file("vocab.bpe", merges), student.file("encoder.json", encoder))
    expect(not isinstance(tokenizer, str | bytes), "load_gpt2 gives text, expected a Tokenizer.")
    return tokenizer


@pytest.mark.task("m01.6")
@pytest.mark.holds(
    "Both files are UTF-8 and write every byte as one printable character.",
    "`merges_path` (vocab.bpe) holds one line with its version, then a merge per line, the two tokens "
    "separated by a space.",
    "`encoder_path` (encoder.json) maps each token to its id.",
)
def test_two_small_files_are_read(student):
    """Files with four merges in GPT-2's format give these merges, and the ids that encoder.json says."""
    merges = [(b" ", b"t"), (b"h", b"e"), (b" t", b"he"), (b"\xc3", b"\xa9")]
    order = sorted(BYTES.values(), key=oracle.printable) + [left + right for left, right in merges]
    vocab = {3 * id: token for id, token in enumerate([*order, b"<|endoftext|>"])}
    tokenizer = load(student, *small_files(merges, vocab))
    text, specials = " the thé\n\0\x7f\u00a0\u00adthe<|endoftext|>", ["<|endoftext|>"]
    expected = oracle.encode(text, vocab, merges, specials)
    raw = {token: byte for byte, token in BYTES.items()}
    misses = {
        "the first merge is taken for the line with the version": lambda: oracle.encode(
            text, vocab, merges[1:], specials
        ),
        "single bytes are given the ids 0 to 255 instead of encoder.json's": [
            raw.get(vocab[id], id) for id in expected
        ],
        **oracle.encoding_mistakes(text, vocab, merges, specials),
    }
    expect_equal(tokenizer.encode(text), expected, misses=misses, what="the ids")
    expect_equal(tokenizer.decode(expected), text, what="the text")


@pytest.mark.task("m01.6")
@pytest.mark.holds("Both files are UTF-8 and write every byte as one printable character.")
def test_the_files_are_utf8_on_every_machine(student):
    """Where files are read in another encoding unless one is named, as on Windows, the ids are the same."""
    merges = [(b" ", b"t"), (b"\xc3", b"\xa9")]
    order = sorted(BYTES.values(), key=oracle.printable) + [left + right for left, right in merges]
    vocab = dict(enumerate([*order, b"<|endoftext|>"]))
    texts, names = small_files(merges, vocab, version="0 2"), ("vocab.bpe", "encoder.json")
    paths = [student.file(name, data) for name, data in zip(names, texts, strict=True)]
    args = student.load_gpt2, *paths, " the thé 02"
    there = student.plant(probes).encoded_on_windows
    actual = expect_answer(there, *args, simpler=(*args, "utf-8"), mistake=oracle.NOT_UTF8)
    expected = oracle.encode(" the thé 02", vocab, merges)
    misses = {oracle.NOT_UTF8: actual} if there(*args, "utf-8") == expected else {}
    expect_equal(actual, expected, misses=misses, what="the ids")


@pytest.mark.task("m01.6")
@pytest.mark.holds("How long that takes doesn't grow with the number of merges.")
@pytest.mark.timeout(30)  # who walks through all merges is told so
def test_a_pretoken_costs_no_more_where_there_are_more_merges(student, draw, data):
    """A word of a text costs about the same with GPT-2's 50,000 merges as with the first 500 of them."""
    few = load(student, b"\n".join(data.gpt2_merges.split(b"\n")[:501]) + b"\n", data.gpt2_encoder)
    all_of_them = load(student, data.gpt2_merges, data.gpt2_encoder)

    def cost(tokenizer):
        """Measure what a word costs that was not met before."""
        before, words = student.cpu_seconds(), 0
        while (used := student.cpu_seconds() - before) < 0.1 and words < 20_000:
            text = " ".join("".join(draw.random.choices(ascii_lowercase, k=8)) for _ in range(100))
            words += 100
            expect_equal(tokenizer.decode(tokenizer.encode(text)), text, what="the text")
        return max(used, 0.01) / words

    message = "With 50,000 merges a word took {ratio:.0f} times the processor time that it took with 500 (allowed: 10)."
    mistake = "all merges are tried on every pre-token; look up the ranks of its neighbours instead"
    expect_ratio(lambda: cost(all_of_them) / cost(few), below=10, message=message, mistake=mistake)


@pytest.mark.task("m01.6")
@pytest.mark.holds("Return GPT-2's own tokenizer, with <|endoftext|> as its special token.")
@pytest.mark.parametrize("name", ["whitespace", "contractions", "code", "digits", "unicode", "stories", "drawn"])
def test_the_ids_are_tiktokens(student, draw, data, name):
    """With GPT-2's own files the ids of every text equal tiktoken's."""
    files = {"unicode": "unicode.txt", "stories": "stories_heldout.txt"}
    texts = {**oracle_texts.PARITY_TEXTS, "drawn": oracle_texts.random_text(draw.random, 400)}
    text = oracle_texts.without_giants(data.text(files[name]))[:30_000] if name in files else texts[name]
    actual, reference = (
        load(student, data.gpt2_merges, data.gpt2_encoder).encode(text, allow_special=False),
        data.tiktoken(),
    )
    misses = {
        "allow_special is ignored": reference.encode(text, allowed_special="all"),
        **oracle_gpt2.parity_mistakes(text, data.gpt2_merges, data.gpt2_encoder),
    }
    expect_equal(actual, reference.encode_ordinary(text), misses=misses, what="the ids")
    if name == "stories":
        each, size = len(text.encode()) / len(actual), len(text.encode())
        achieve(
            f"Your tokenizer makes {len(actual):,} ids of {size:,} bytes ({each:.1f} each), every one as tiktoken does."
        )


@pytest.mark.task("m01.6")
@pytest.mark.holds("Return GPT-2's own tokenizer, with <|endoftext|> as its special token.")
def test_end_of_text_is_gpt2s_special_token(student, data):
    """<|endoftext|> is id 50256, unless special tokens are not allowed."""
    text, reference = "Once  <|endoftext|>\nupon<|endoftext|>", data.tiktoken()
    tokenizer = load(student, data.gpt2_merges, data.gpt2_encoder)
    ids, plain = reference.encode(text, allowed_special="all"), reference.encode_ordinary(text)
    misses = {"special tokens are treated as ordinary text": plain, "allow_special is ignored": ids}
    expect_equal(tokenizer.encode(text), ids, misses=misses, what="the ids")
    expect_equal(tokenizer.encode(text, allow_special=False), plain, misses=misses, what="the ids")
