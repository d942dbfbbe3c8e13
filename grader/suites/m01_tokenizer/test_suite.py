"""m01_tokenizer: text to pre-tokens, pairs to merges, merges to ids, and all of it back again."""

import json
from string import ascii_lowercase

import pytest

from grader.judge import everything, expect, expect_equal, expect_raises, expect_ratio

from . import oracle, oracle_gpt2, oracle_texts
from .oracle import BYTES

# Merges of which every wrong order shows on "abcd" or "abce" ...
PAIRS = "b+c a+b bc+d a+a c+e aa+aa a+bcd e+_ _+_ r+e '+re l+l '+ll \n+\n"
MERGES = [(left, right) for left, right in (pair.replace("_", " ").encode().split(b"+") for pair in PAIRS.split(" "))]
MERGES.append((b"\xc3", b"\xa9"))  # é, the one merge within a character
VOCAB = BYTES | {
    300 + 7 * rank % 16: left + right for rank, (left, right) in enumerate(MERGES)
}  # ... with ids in another order
END, ENDS, PAD = "<|e|>", "<|e|><|e|>", "<|pad|>"


def expect_pretokens(student, text):
    """Compare the pre-tokens with GPT-2's, and with what the classic mistakes make of them."""
    expect_equal(
        student.pretokenize(text), oracle.pretokens(text, pattern=oracle.PATTERN), misses=oracle.pretoken_mistakes(text)
    )


def expect_training(student, text, vocab_size, special_tokens=()):
    """Compare vocabulary and merges with those of a plain trainer, and with what the classic mistakes learn."""
    actual = student.train_bpe(text, vocab_size, list(special_tokens))
    expected = oracle.train(text, vocab_size, special_tokens)
    if type(actual) is not tuple or len(actual) != 2:
        expect_equal(actual, expected, what="the pair (vocab, merges)")
    for part, what in (1, "the list of merges"), (0, "vocab"):
        misses = oracle.training_mistakes(text, vocab_size, special_tokens, part)
        ended = len(expected[0]) < vocab_size  # no pair was left
        if ended and part == 1 and type(actual[1]) is list and actual[1][: len(expected[1])] == expected[1]:
            misses = {oracle.NO_PAIR_LEFT: actual[1], **misses}  # all that is right, and more
        expect_equal(actual[part], expected[part], misses=misses, what=what)


def make(student, *known):
    """Make the student's tokenizer; text in its place would have methods of the same names."""
    tokenizer = student.Tokenizer(*known)
    expect(not isinstance(tokenizer, str | bytes), "Tokenizer(...) gives text, expected an object.")
    return tokenizer


def expect_ids(student, text, special_tokens=(), vocab=VOCAB, merges=MERGES):
    """Compare the ids with those of a plain encoder, and with what the classic mistakes make of the text."""
    known = (vocab, merges, list(special_tokens))
    actual = make(student, *known).encode(text)
    expect_equal(actual, oracle.encode(text, *known), misses=oracle.encoding_mistakes(text, *known), what="the ids")


def expect_stream(student, chunks, special_tokens=()):
    """Compare the ids of a text in chunks with those of the whole text."""
    known = (VOCAB, MERGES, list(special_tokens))
    actual = everything(make(student, *known).encode_iterable(student.iterator(chunks)))
    misses = oracle.streaming_mistakes(chunks, *known)
    expect_equal(actual, oracle.encode("".join(chunks), *known), misses=misses, what=f"the ids of {chunks!r:.99}")


@pytest.mark.task("m01.1")
def test_a_sentence_falls_into_words_numbers_and_punctuation(student):
    """Words and numbers take the space before them along; punctuation and the endings of contractions stand alone."""
    expect_pretokens(student, "We're  home: 2 cats!")
    expect_pretokens(student, "snake_case x2=y3, (really?) 'tis 10'000 ... -40% don't.")


@pytest.mark.task("m01.1")
def test_a_run_of_whitespace_leaves_its_last_character_to_what_follows(student):
    """A run of whitespace ends one character before the next word, and only a space joins that word."""
    expect_pretokens(student, "a  b   \n\n  c\n\nd \t e\u00a0f\u3000\u3000g 7  \n")


@pytest.mark.task("m01.1")
def test_only_lower_case_endings_after_a_straight_apostrophe_are_contractions(student):
    """'s, 't, 're, 've, 'm, 'll and 'd are pieces of their own; 'S, ’s and 'ish are not."""
    expect_pretokens(student, "I'm he's we're they've you'll she'd can't I'M HE'S he’s it'ish 'these '' d'd'd x.'s")


@pytest.mark.task("m01.1")
def test_letters_and_numbers_are_those_of_every_script(student):
    """Letters and numbers are what Unicode calls so, in every script: naïve, 世界, ² and Ⅳ as well."""
    expect_pretokens(student, "naïve 世界 Ёж αβ x² Ⅳ½ ٣٤ a1b2 मस्ते e\u0301 🙂🙂 _a_ ™ª")


@pytest.mark.task("m01.1")
def test_pieces_of_any_text_join_to_the_text(student, draw, data):
    """Nothing of a text is lost: the empty text, drawn ones and a text with every corner of Unicode."""
    drawn = [oracle_texts.random_text(draw.random, 200) for _ in range(5)]
    for text in ["", *drawn, data.text("unicode.txt")]:
        expect_pretokens(student, text)


@pytest.mark.task("m01.2")
def test_bananas_by_hand(student):
    """The text "banana bandana" gives the merges (a, n), (b, an) and (an, a), as in the guide; ananas has (an, an)."""
    expect_training(student, "banana bandana", 259)
    expect_training(student, "banana ananas bananas banane", 258)


@pytest.mark.task("m01.2")
@pytest.mark.parametrize(
    ("text", "merges"),
    [("mn12yz ab\t\t", 1), ("mn01xy1abd2ab3ab", 2), ("abc01az01abc1az1ab1ab", 2)],
    ids=["bytes", "ids", "tuples"],
)
def test_ties_go_to_the_greater_pair_of_byte_strings(student, text, merges):
    """Of equally frequent pairs the lexicographically greater pair of byte strings is joined first."""
    expect_training(student, text, 256 + merges)


@pytest.mark.task("m01.2")
@pytest.mark.parametrize("text", ["aaaa aaa", "aaabdaaabac", "xaaa xaaa yxz yxz yxz"], ids=["aaaa", "aaab", "xaaa"])
def test_overlapping_pairs_count_at_every_place_and_join_from_the_left(student, text):
    """In "aaa" the pair (a, a) counts twice, and joining it gives aa a."""
    expect_training(student, text, 259)


@pytest.mark.task("m01.2")
def test_no_merge_reaches_across_the_edge_of_a_pretoken(student):
    """However often "a b" stands in the text, no token holds a letter and the space after it."""
    expect_training(student, "a b a b a b 1a 1a. a'll", 258)


@pytest.mark.task("m01.2")
def test_nothing_is_learned_from_special_tokens(student):
    """Special tokens are cut out first, the longest first, and no merge comes from them or reaches across them."""
    text = f"low{END}low {END}er{END}er{END}er ox{PAD}ox|{PAD} |e| he he the lo{END}w ow|"
    expect_training(student, text, 264, [END, f"{END}er", PAD])


@pytest.mark.task("m01.2")
def test_vocab_size_counts_bytes_merges_and_special_tokens(student):
    """The vocabulary is the bytes, the merges and the special tokens, in this order, and vocab_size in all."""
    expect_training(student, "the cat sat on the mat", 261, [PAD, END])
    expect_training(student, "the cat sat on the mat", 258, [PAD, END])
    expect_raises("ValueError", student.train_bpe, "the cat", 257, [PAD, END])


@pytest.mark.task("m01.2")
def test_training_ends_when_no_pair_is_left(student):
    """A vocab_size that the text can't fill is no error, and the empty text teaches nothing."""
    expect_training(student, "tic tac", 1000, [END])
    expect_training(student, "tic tac", 300)
    expect_training(student, "", 300, [END])


@pytest.mark.task("m01.2")
def test_any_text_gives_the_merges_of_a_plain_trainer(student, draw):
    """On drawn texts, with many ties and all of Unicode, every merge is that of a trainer that recounts everything."""
    letters = "".join(draw.random.choices(["a", "a", "b", " ", "n", "é", "\n", "\r\n"], k=1500))
    expect_training(student, letters, 320, [END])
    expect_training(student, letters[:300], 290)
    expect_training(student, oracle_texts.random_text(draw.random, 600, [END]), 320, [END])


@pytest.mark.task("m01.2")
def test_training_leaves_its_arguments_as_they_were(student):
    """The caller's list of special tokens is not changed."""
    after = student.probe.mutated(student.train_bpe, f"a b{ENDS}", 260, [END, ENDS])["args"][2]
    expect_equal(after, [END, ENDS], what="the list special_tokens after the call")


@pytest.mark.task("m01.3")
def test_a_word_is_joined_in_the_order_of_the_merges(student):
    """The merge that was learned first is joined first, and the ids are looked up in vocab."""
    expect_ids(student, "abcd abce bce aab é")


@pytest.mark.task("m01.3")
def test_joining_goes_on_until_no_merge_is_left(student):
    """Joined tokens are joined again, from left to right: aaaaa becomes aaaa a."""
    expect_ids(student, "aaaaa")
    expect_ids(student, "a" * 23 + "bcd" * 4)


@pytest.mark.task("m01.3")
def test_encoding_does_not_join_across_pretokens(student):
    """A merge of e and the space doesn't reach across the edge between two words; the empty text has no ids."""
    expect_ids(student, "abe be   e")
    expect_ids(student, "")


@pytest.mark.task("m01.3")
def test_bytes_are_joined_before_they_are_decoded(student, draw):
    """One emoji's ids together are the emoji, each alone is U+FFFD, and so are all bytes that are not UTF-8."""
    ids = make(student, VOCAB, MERGES)
    whole = "é🙂".encode()
    for data in [b"", whole, whole[:1], whole[3:], b"a\xffb\x80", *(draw.random.randbytes(60) for _ in range(20))]:
        tokens = [bytes([byte]) for byte in data]
        misses = {
            "each token is decoded on its own": lambda t=tokens: "".join(x.decode(errors="replace") for x in t),
            "bytes that are not UTF-8 are dropped": data.decode(errors="ignore"),
            "each byte is taken for a character": data.decode("latin-1"),
        }
        expect_equal(ids.decode(list(data)), data.decode(errors="replace"), misses=misses, what="the text")


@pytest.mark.task("m01.3")
def test_an_unknown_id_is_an_error_that_names_it(student):
    """An id that is not in the vocabulary makes decode raise ValueError, and say which one."""
    expect_raises("ValueError", make(student, VOCAB, MERGES).decode, [97, 7654, 98], mentions=("7654",))


@pytest.mark.task("m01.3")
def test_any_text_comes_back_from_its_ids(student, draw, data):
    """Every corner of Unicode, and drawn texts, encode as by a plain encoder and decode to themselves."""
    unicode = oracle_texts.without_giants(data.text("unicode.txt"))
    vocab, merges = oracle.train(unicode[::2], 290)
    for text in [unicode, "\0", *(oracle_texts.random_text(draw.random, 100) for _ in range(10))]:
        expect_ids(student, text, vocab=vocab, merges=merges)
        expect_equal(make(student, vocab, merges).decode(oracle.encode(text, vocab, merges)), text, what="the text")


@pytest.mark.task("m01.4")
def test_special_tokens_without_an_id_get_the_next_free_ones(student):
    """A special token keeps the id it has in vocab; the others get the ids above the highest, in the given order."""
    tokenizer = make(student, VOCAB | {400: END.encode()}, MERGES, [PAD, END, "[x]"])
    misses = {
        "special tokens are treated as ordinary text": oracle.encode(f"{PAD}{END}a[x]", VOCAB, MERGES),
        "the next free id is taken to be len(vocab)": [len(VOCAB) + 1, 400, 97, len(VOCAB) + 2],
        "a special token that vocab holds got a new id": [401, 402, 97, 403],
    }
    expect_equal(tokenizer.encode(f"{PAD}{END}a[x]"), [401, 400, 97, 402], misses=misses, what="the ids")
    expect_equal(tokenizer.decode([402, 97, 401, 400]), f"[x]a{PAD}{END}", what="the text")


@pytest.mark.task("m01.4")
def test_the_longest_special_token_wins(student, draw):
    """Where several special tokens begin, the longest is taken, in whatever order they were given."""
    expect_ids(student, f"ab{ENDS}{ENDS}{END}ab{END}", [END, ENDS])
    specials = [PAD, END, ENDS, "a.", "(a|b)"]
    for _ in range(10):
        text = oracle_texts.random_text(draw.random, 40, [*specials, "<|", "'", "r", "e"])
        expect_ids(student, text, draw.random.sample(specials, k=5))


@pytest.mark.task("m01.4")
def test_text_between_special_tokens_is_encoded_on_its_own(student):
    """Pre-tokenization doesn't look past a special token: the spaces before one are a run that the text ends with."""
    expect_ids(student, f"b  {END}  b{END}{END} ", [END])
    expect_ids(student, f"we're  <|we'{END}re  <|e we'll<|", [END])


@pytest.mark.task("m01.4")
def test_special_tokens_can_be_ordinary_text(student):
    """With allow_special=False a special token is encoded like any other text."""
    text, tokenizer = f"abcd{ENDS}  {PAD}", make(student, VOCAB, MERGES, [END, PAD])
    misses = {"allow_special is ignored": lambda: oracle.encode(text, VOCAB, MERGES, [END, PAD])}
    actual = tokenizer.encode(text, allow_special=False)
    expect_equal(actual, oracle.encode(text, VOCAB, MERGES), misses=misses, what="the ids")


@pytest.mark.task("m01.4")
def test_a_tokenizer_leaves_its_arguments_as_they_were(student):
    """Neither the caller's vocab nor the lists grow when special tokens get their ids."""
    after = student.probe.mutated(student.Tokenizer, VOCAB, MERGES, [END, ENDS])["args"]
    expect_equal(after, [VOCAB, MERGES, [END, ENDS]], what="vocab, merges, special_tokens after the call")


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
def test_any_chunks_give_the_ids_of_the_whole_text(student, draw):
    """However a text is cut, into empty chunks and single characters too, its ids are those of encode."""
    specials = [END, ENDS, PAD, "|>a"]
    expect_stream(student, [])
    for _ in range(40):
        text = oracle_texts.random_text(draw.random, 25, [*specials, "'", "  ", "<|", "r", "e"])
        expect_stream(student, oracle_texts.random_chunks(draw.random, text), specials)


@pytest.mark.task("m01.5")
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
        message = f"{ahead} further chunks were fetched before the ids of chunk {chunk} were out (allowed: 4)."
        expect(ahead <= 4, message, mistake=mistake, evidence="measured")


@pytest.mark.task("m01.5")
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
    expect(count == 160 * (14 + 83), f"{count} ids came out, expected {160 * (14 + 83)}.")
    growth = max(sizes) - max(sizes[:4])
    message = f"The worker grew by {growth:.0f} MB while 26 MB of text went through (allowed: 8)."
    expect(growth < 8, message, mistake="the text or the chunks are kept", evidence="measured")


def load(student, merges, encoder):
    """Have the student's code load two files with these bytes."""
    tokenizer = student.load_gpt2(student.file("vocab.bpe", merges), student.file("encoder.json", encoder))
    expect(not isinstance(tokenizer, str | bytes), "load_gpt2 gives text, expected a Tokenizer.")
    return tokenizer


@pytest.mark.task("m01.6")
def test_two_small_files_are_read(student):
    """Files with four merges in GPT-2's format give these merges, and the ids that encoder.json says."""
    merges = [(b" ", b"t"), (b"h", b"e"), (b" t", b"he"), (b"\xc3", b"\xa9")]
    order = sorted(BYTES.values(), key=oracle.printable) + [left + right for left, right in merges]
    vocab = {3 * id: token for id, token in enumerate([*order, b"<|endoftext|>"])}
    lines = [" ".join(map(oracle.printable, pair)) for pair in merges]
    encoder = {oracle.printable(token): id for id, token in vocab.items()}
    tokenizer = load(student, "\n".join(["#version: 0.2", *lines, ""]).encode(), json.dumps(encoder).encode())
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


@pytest.mark.task("m01.6")
def test_end_of_text_is_gpt2s_special_token(student, data):
    """<|endoftext|> is id 50256, unless special tokens are not allowed."""
    text, reference = "Once  <|endoftext|>\nupon<|endoftext|>", data.tiktoken()
    tokenizer = load(student, data.gpt2_merges, data.gpt2_encoder)
    ids, plain = reference.encode(text, allowed_special="all"), reference.encode_ordinary(text)
    misses = {"special tokens are treated as ordinary text": plain, "allow_special is ignored": ids}
    expect_equal(tokenizer.encode(text), ids, misses=misses, what="the ids")
    expect_equal(tokenizer.encode(text, allow_special=False), plain, misses=misses, what="the ids")
