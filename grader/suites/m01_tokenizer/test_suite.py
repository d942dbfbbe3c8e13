"""m01_tokenizer: text to pre-tokens, pairs to merges, merges to ids, and all of it back again."""

import pytest

from grader.judge import expect_answer, expect_equal, expect_raises, expect_unchanged

from . import oracle, oracle_texts
from .steps import END, ENDS, MERGES, PAD, VOCAB, make


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


def expect_ids(student, text, special_tokens=(), vocab=VOCAB, merges=MERGES):
    """Compare the ids with those of a plain encoder, and with what the classic mistakes make of the text."""
    known = (vocab, merges, list(special_tokens))
    actual = make(student, *known).encode(text)
    expect_equal(actual, oracle.encode(text, *known), misses=oracle.encoding_mistakes(text, *known), what="the ids")


@pytest.mark.task("m01.1")
@pytest.mark.holds(
    "Cut text into pre-tokens by GPT-2's rule, which the guide spells out.",
    ">>> pretokenize(\"We're home: 2 cats!\") ['We', \"'re\", ' ', ' home', ':', ' 2', ' cats', '!']",
)
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
@pytest.mark.holds("Cut text into pre-tokens by GPT-2's rule, which the guide spells out.")
def test_letters_and_numbers_are_those_of_every_script(student):
    """Letters and numbers are what Unicode calls so, in every script: naïve, 世界, ² and Ⅳ as well."""
    expect_pretokens(student, "naïve 世界 Ёж αβ x² Ⅳ½ ٣٤ a1b2 मस्ते e\u0301 🙂🙂 _a_ ™ª")


@pytest.mark.task("m01.1")
@pytest.mark.holds("Joined again, they are the text.")
def test_pieces_of_any_text_join_to_the_text(student, draw, data):
    """Nothing of a text is lost: the empty text, drawn ones and a text with every corner of Unicode."""
    drawn = [oracle_texts.random_text(draw.random, 200) for _ in range(5)]
    for text in ["", *drawn, data.text("unicode.txt")]:
        expect_pretokens(student, text)


@pytest.mark.task("m01.2")
@pytest.mark.holds(
    ">>> vocab, merges = train_bpe(\"banana bandana\", 260, [\"<|end|>\"]) >>> merges [(b'a', b'n'), (b'b', "
    "b'an'), (b'an', b'a')] >>> [vocab[id] for id in range(256, 260)] [b'an', b'ban', b'ana', b'<|end|>']",
)
def test_bananas_by_hand(student):
    """The text "banana bandana" gives the merges (a, n), (b, an) and (an, a), as in the guide; ananas has (an, an)."""
    expect_training(student, "banana bandana", 259)
    expect_training(student, "banana bandana", 260, ["<|end|>"])
    expect_training(student, "banana ananas bananas banane", 258)


@pytest.mark.task("m01.2")
@pytest.mark.holds('Of equally frequent pairs the greater tuple of bytes wins: (b"b", b"a") beats (b"a", b"z").')
@pytest.mark.parametrize(
    ("text", "merges"),
    [("mn12yz ab\t\t", 1), ("mn01xy1abd2ab3ab", 2), ("abc01az01abc1az1ab1ab", 2)],
    ids=["bytes", "ids", "tuples"],
)
def test_ties_go_to_the_greater_pair_of_byte_strings(student, text, merges):
    """Of equally frequent pairs the lexicographically greater pair of byte strings is joined first."""
    expect_training(student, text, 256 + merges)


@pytest.mark.task("m01.2")
@pytest.mark.holds(
    'A pair counts once for every place where its two tokens are neighbours: "aaa" holds (a, a) twice.',
    'It is then joined everywhere, from left to right, so that "aaa" becomes aa a.',
)
@pytest.mark.parametrize("text", ["aaaa aaa", "aaabdaaabac", "xaaa xaaa yxz yxz yxz"], ids=["aaaa", "aaab", "xaaa"])
def test_overlapping_pairs_count_at_every_place_and_join_from_the_left(student, text):
    """In "aaa" the pair (a, a) counts twice, and joining it gives aa a."""
    expect_training(student, text, 259)


@pytest.mark.task("m01.2")
@pytest.mark.holds("Nothing is learned from them, nor across them, nor across the edges of pre-tokens.")
def test_no_merge_reaches_across_the_edge_of_a_pretoken(student):
    """However often "a b" stands in the text, no token holds a letter and the space after it."""
    expect_training(student, "a b a b a b 1a 1a. a'll", 258)


@pytest.mark.task("m01.2")
@pytest.mark.holds(
    "Special tokens (the longest first, where several begin) are cut out of the text before pre-tokenization.",
    "Nothing is learned from them, nor across them, nor across the edges of pre-tokens.",
)
def test_nothing_is_learned_from_special_tokens(student):
    """Special tokens are cut out first, the longest first, and no merge comes from them or reaches across them."""
    text = f"low{END}low {END}er{END}er{END}er ox{PAD}ox|{PAD} |e| he he the lo{END}w ow|"
    expect_training(student, text, 264, [END, f"{END}er", PAD])


@pytest.mark.task("m01.2")
@pytest.mark.holds(
    "Ids: 0 to 255 are the bytes, then comes one per merge, then the special tokens in the given order.",
    "`vocab_size` counts them all and is a limit: training ends earlier when no pair is left.",
    "ValueError if vocab_size has no room for the bytes and the special tokens.",
)
def test_vocab_size_counts_bytes_merges_and_special_tokens(student):
    """The vocabulary is the bytes, the merges and the special tokens, in this order, and vocab_size in all."""
    expect_training(student, "the cat sat on the mat", 261, [PAD, END])
    expect_training(student, "the cat sat on the mat", 258, [PAD, END])
    expect_raises("ValueError", student.train_bpe, "the cat", 257, [PAD, END])


@pytest.mark.task("m01.2")
@pytest.mark.holds("`vocab_size` counts them all and is a limit: training ends earlier when no pair is left.")
def test_training_ends_when_no_pair_is_left(student):
    """A vocab_size that the text can't fill is no error, and the empty text teaches nothing."""
    more, fewer = ("tic tac", 1000, [END]), ("tic tac", 258, [END])
    expect_answer(student.train_bpe, *more, simpler=fewer, mistake=oracle.NO_END)
    expect_training(student, *more)
    expect_training(student, "tic tac", 300)
    expect_training(student, "", 300, [END])


@pytest.mark.task("m01.2")
@pytest.mark.holds(
    "Learn a vocabulary (id to bytes) and the merges that build it, in order: join the most frequent pair, repeat.",
)
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
    expect_unchanged(after, [END, ENDS], what="the list special_tokens after the call")


@pytest.mark.task("m01.3")
@pytest.mark.holds(
    "`merges` stand in the order in which they were learned; the ids in `vocab` may have any order.",
    "Of all pairs of neighbours that are merges, the one learned first is joined (wherever it stands, from "
    "left to right), until none is left.",
)
def test_a_word_is_joined_in_the_order_of_the_merges(student):
    """The merge that was learned first is joined first, and the ids are looked up in vocab."""
    expect_ids(student, "abcd abce bce aab é")


@pytest.mark.task("m01.3")
@pytest.mark.holds(
    "Of all pairs of neighbours that are merges, the one learned first is joined (wherever it stands, from "
    "left to right), until none is left.",
)
def test_joining_goes_on_until_no_merge_is_left(student):
    """Joined tokens are joined again, from left to right: aaaaa becomes aaaa a."""
    expect_ids(student, "aaaaa")
    expect_ids(student, "a" * 23 + "bcd" * 4)


@pytest.mark.task("m01.3")
@pytest.mark.holds("Every pre-token starts as single bytes.")
def test_encoding_does_not_join_across_pretokens(student):
    """A merge of e and the space doesn't reach across the edge between two words; the empty text has no ids."""
    expect_ids(student, "abe be   e")
    expect_ids(student, "")


@pytest.mark.task("m01.3")
@pytest.mark.holds("Return the text of the ids; bytes that are not UTF-8 become U+FFFD.")
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
        text = expect_answer(ids.decode, list(data), simpler=(list(whole),), mistake=oracle.STRICT)
        expect_equal(text, data.decode(errors="replace"), misses=misses, what="the text")


@pytest.mark.task("m01.3")
@pytest.mark.holds("ValueError names an unknown id.")
def test_an_unknown_id_is_an_error_that_names_it(student):
    """An id that is not in the vocabulary makes decode raise ValueError, and say which one."""
    decode = make(student, VOCAB, MERGES).decode
    expect_raises("ValueError", decode, [97, 7654, 98], mentions=("7654",), fine=([97, 98],))


@pytest.mark.task("m01.3")
@pytest.mark.holds("Turns text into ids and ids into text.", "Return the ids of the text.")
def test_any_text_comes_back_from_its_ids(student, draw, data):
    """Every corner of Unicode, and drawn texts, encode as by a plain encoder and decode to themselves."""
    unicode = oracle_texts.without_giants(data.text("unicode.txt"))
    vocab, merges = oracle.train(unicode[::2], 290)
    for text in [unicode, "\0", *(oracle_texts.random_text(draw.random, 100) for _ in range(10))]:
        expect_ids(student, text, vocab=vocab, merges=merges)
        expect_equal(make(student, vocab, merges).decode(oracle.encode(text, vocab, merges)), text, what="the text")


@pytest.mark.task("m01.4")
@pytest.mark.holds(
    "A special token that `vocab` doesn't hold gets the next free id (one above the highest), in the given order.",
)
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
@pytest.mark.holds(
    "A special token becomes its one id, the longest first where several begin, and what stands between two of "
    "them is encoded as a text of its own; with allow_special=False special tokens are ordinary text.",
)
def test_the_longest_special_token_wins(student, draw):
    """Where several special tokens begin, the longest is taken, in whatever order they were given."""
    expect_ids(student, f"ab{ENDS}{ENDS}{END}ab{END}", [END, ENDS])
    specials = [PAD, END, ENDS, "a.", "(a|b)"]
    for _ in range(10):
        text = oracle_texts.random_text(draw.random, 40, [*specials, "<|", "'", "r", "e"])
        expect_ids(student, text, draw.random.sample(specials, k=5))


@pytest.mark.task("m01.4")
@pytest.mark.holds(
    '>>> Tokenizer(*train_bpe("banana bandana", 260, ["<|end|>"]), ["<|end|>"]).encode("banana<|end|>") [257, '
    "258, 259]",
)
def test_bananas_become_ids_as_in_the_docstring(student):
    """The vocabulary of "banana bandana" with <|end|> makes 257, 258 and 259 of "banana<|end|>"."""
    known = oracle.train("banana bandana", 260, ["<|end|>"])
    expect_ids(student, "banana<|end|>", ["<|end|>"], *known)


@pytest.mark.task("m01.4")
@pytest.mark.holds(
    "A special token becomes its one id, the longest first where several begin, and what stands between two of "
    "them is encoded as a text of its own; with allow_special=False special tokens are ordinary text.",
)
def test_text_between_special_tokens_is_encoded_on_its_own(student):
    """Pre-tokenization doesn't look past a special token: the spaces before one are a run that the text ends with."""
    expect_ids(student, f"b  {END}  b{END}{END} ", [END])
    expect_ids(student, f"we're  <|we'{END}re  <|e we'll<|", [END])


@pytest.mark.task("m01.4")
@pytest.mark.holds(
    "A special token becomes its one id, the longest first where several begin, and what stands between two of "
    "them is encoded as a text of its own; with allow_special=False special tokens are ordinary text.",
)
def test_special_tokens_can_be_ordinary_text(student):
    """With allow_special=False a special token is encoded like any other text."""
    text, tokenizer = f"abcd{ENDS}  {PAD}", make(student, VOCAB, MERGES, [END, PAD])
    misses = {"allow_special is ignored": lambda: oracle.encode(text, VOCAB, MERGES, [END, PAD])}
    actual = tokenizer.encode(text, allow_special=False)
    expect_equal(actual, oracle.encode(text, VOCAB, MERGES), misses=misses, what="the ids")


@pytest.mark.task("m01.4")
@pytest.mark.holds("Arguments stay as they were.")
def test_a_tokenizer_leaves_its_arguments_as_they_were(student):
    """Neither the caller's vocab nor the lists grow when special tokens get their ids."""
    after = student.probe.mutated(student.Tokenizer, VOCAB, MERGES, [END, ENDS])["args"]
    what = "the list [vocab, merges, special_tokens] after the call"
    expect_unchanged(after, [VOCAB, MERGES, [END, ENDS]], what=what)
