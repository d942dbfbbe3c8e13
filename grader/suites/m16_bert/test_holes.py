"""m16_bert: words and their pieces, pairs of texts, and the holes in them."""

import math

import pytest
import torch

from grader.judge import expect, expect_bound, expect_equal, expect_unchanged

from . import oracle, probes

TEXTS = {
    "capitals": "The CAT sat",
    "accents": "Où est l'été à Zürich",
    "apart": "e\u0301te\u0301 nin\u0303o",
    "marks": "Wait--what?! (Yes.) \u201cNo\u201d \u2026 a_b",
    "symbols": "2+2=4 ~$5 <b> a|b~c `c` x^2",
    "other_symbols": "5 € for ©Ann, 3× ½",
    "spaces": "  one\ttwo\nthree \u00a0 four  ",
    "compatible": "ﬁne x² ①",
    "combining": "a\u0903b\u20ddc d\u0301",
    "empty": "",
    "foreign": "Größe шаг 猫",
}
SPECIAL = "special tokens are chosen too"
UNASKED = "tokens change that are not asked for: what has no label stays"
ONE_ID = "one id is drawn for all: each token gets one of its own"
ONE_ID_BY = (
    "one id is drawn for a column: each token gets one of its own",
    "one id is drawn for a row: each token gets one of its own",
)
LEFT_OUT = (
    "a token never gets its own id: any id may stand there",
    "the special ids are left out: any id below vocab_size may stand there",
    "the last id is never drawn: randint leaves its upper end out",
)
ONE_SEED = "the generator is not drawn from, or is seeded anew"
OWN_DICE = "torch's own random numbers are drawn: all chance must come from the generator"
SAME_ROWS = "all rows have their holes at the same places: each token is chosen by itself"
WHOLE_ROWS = "one number decides for a whole row: each token is chosen by itself"
ONE_FATE = (
    "what becomes of a token is drawn once for a column: each token's fate is drawn by itself",
    "what becomes of a token is drawn once for a row: each token's fate is drawn by itself",
)
NO_FATE = "rates[1] and rates[2] are not looked at: it is always 80 % and 10 %"
ALWAYS_15 = "rates are not looked at: it is always 15 %"
ALL_REST = "what is not hidden becomes any id: rates[2] do, and the rest stays"
NO_REST = "rates[2] is not looked at: tokens become any id where all are to stay"
SAME_NUMBER = "every row has the same number of holes: each token is chosen by itself"


def expect_words(student, text):
    """Cut a text and compare."""
    expected, misses = oracle.words(text), oracle.word_misses(text)
    expect_equal(student.split_words(text), expected, misses=misses, what="the list of words")


@pytest.mark.task("m16.1")
@pytest.mark.holds('Example: "Où est-il?" gives ["ou", "est", "-", "il", "?"].')
def test_the_words_of_the_docstring(student):
    """The docstring's question has five words."""
    expect_words(student, "Où est-il?")


@pytest.mark.task("m16.1")
@pytest.mark.holds(
    "Cut a text into words in small letters without accents: at white space, and around every punctuation mark.",
    "An accent is what NFD sets apart in category Mn.",
    "A mark is a word of its own: a character whose category begins with P, and every other visible character of "
    "ASCII but letters and digits, such as $, + and ~.",
)
@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_is_cut_into_words(student, draw, kind):
    """Letters become small and lose accents; white space and marks cut, and a mark is a word of its own."""
    word = "".join(draw.random.choices("bcdfg", k=4))
    expect_words(student, f"{TEXTS[kind]} {word}" if kind != "empty" else "")


def expect_pieces(student, word, vocab, unk="[UNK]", max_chars=100):
    """Cut a word and compare."""
    usual = unk == "[UNK]" and max_chars == 100
    actual = student.wordpiece(word, vocab) if usual else student.wordpiece(word, vocab, unk, max_chars)
    expected, misses = oracle.pieces(word, vocab, unk, max_chars), oracle.piece_misses(word, vocab, unk, max_chars)
    expect_equal(actual, expected, misses=misses, what="the list of pieces")


def vocabulary(*pieces):
    """Return these pieces with ids, as a vocabulary is kept."""
    return {piece: number for number, piece in enumerate(("[PAD]", "[UNK]", *pieces))}


@pytest.mark.task("m16.1")
@pytest.mark.holds(
    'Example: with "un", "##aff" and "##able", "unaffable" gives all three, and "unaffably" gives ["[UNK]"].',
)
def test_the_pieces_of_the_docstring(student):
    """The docstring's word is cut into three pieces, whose first is one by itself, and its sister is unknown."""
    vocab = vocabulary("un", "##aff", "##able")
    for word in ("un", "unaffable", "unaffably"):
        expect_pieces(student, word, vocab)


@pytest.mark.task("m16.1")
@pytest.mark.holds(
    'Cut a word into pieces: each is the longest in vocab for what is left, with "##" before all but the first.',
)
def test_the_longest_piece_comes_first(student, draw):
    """Each piece is the longest that there is from where the last one ended, and those within a word have ##."""
    letters = ["a", "b", "c", "##a", "##b", "##c"]
    for length in (1, 4, 7, 11):
        some = [
            f"{draw.random.choice(('', '##'))}{''.join(draw.random.choices('abc', k=k))}" for k in (2, 2, 2, 3, 3, 4)
        ]
        vocab = vocabulary(*dict.fromkeys([*letters, *some]))
        expect_pieces(student, "".join(draw.random.choices("abc", k=length)), vocab)
    vocab = vocabulary("ab", "abc", "a", "##c", "##cd", "##bcd", "##d", "abcde", "##ab", "##abc")
    for word in ("abcd", "abcabc", "abcab", "abcde", "acd", "abcdd"):
        expect_pieces(student, word, vocab)


@pytest.mark.task("m16.1")
@pytest.mark.holds(
    "What can't be cut so up to its end is `unk`, the whole word, and so is one of more than max_chars characters.",
)
def test_what_cannot_be_cut_is_unknown_as_a_whole(student, draw):
    """A word with a rest that is no piece is unk alone, however well it began and whatever other cut there is."""
    vocab = vocabulary("ab", "##c", "abc", "##cd", "##d", "un", "x", "##x")
    for word in ("abx", "xab", "zab", "abcc", "un", "d", "abcdcx", "abcd"):
        for unk in ("[UNK]", f"<{draw.random.randrange(100)}>"):
            expect_pieces(student, word, vocab, unk)


@pytest.mark.task("m16.1")
@pytest.mark.holds(
    "What can't be cut so up to its end is `unk`, the whole word, and so is one of more than max_chars characters.",
)
def test_a_long_word_is_unknown(student):
    """A word of max_chars characters is cut, and one of one more is unk, for 100 and for other limits."""
    vocab = vocabulary("a", "##a", "##aaa")
    for limit in (100, 7, 130):
        for length in (limit - 1, limit, limit + 1):
            expect_pieces(student, "a" * length, vocab, max_chars=limit)


def expect_pair(student, a, b, cls_id, sep_id):
    """Join two texts, and compare."""
    actual = student.build_pair(a, b, cls_id, sep_id)
    expected, misses = oracle.pair(a, b, cls_id, sep_id), oracle.pair_misses(a, b, cls_id, sep_id)
    expect_equal(actual, expected, misses=misses, what="(ids, types)")


@pytest.mark.task("m16.2")
@pytest.mark.holds("Example: [7, 8] and [9] with 1 and 2 give [1, 7, 8, 2, 9, 2] and [0, 0, 0, 0, 1, 1].")
def test_the_pair_of_the_docstring(student):
    """The docstring's two texts become six ids."""
    expect_pair(student, [7, 8], [9], 1, 2)


@pytest.mark.task("m16.2")
@pytest.mark.holds(
    "Return the ids of [CLS] a [SEP] b [SEP], and a type for each: 0 up to the first [SEP], 1 for all after it.",
    "Without a second text (None) it is [CLS] a [SEP] alone.",
)
def test_two_texts_are_joined_and_told_apart(student, draw):
    """[CLS] stands before both, a [SEP] after each, and types change behind the first [SEP]; one text is alone."""
    for first, second in ((4, 3), (2, 6), (1, 1), (0, 2), (5, None), (3, 0)):
        a = draw.integers(9, 90, first).tolist()
        b = None if second is None else draw.integers(9, 90, second).tolist()
        expect_pair(student, a, b, *draw.random.sample(range(9), 2))


@pytest.mark.task("m16.2")
@pytest.mark.holds("The lists handed in stay as they are.")
def test_texts_stay_as_they_were(student, draw):
    """Neither list of ids is changed, so that a text can be paired again."""
    a, b = draw.integers(9, 90, 4).tolist(), draw.integers(9, 90, 3).tolist()
    found = student.probe.mutated(student.build_pair, a, b, 1, 2)
    expect_equal(found["result"], oracle.pair(a, b, 1, 2), misses=oracle.pair_misses(a, b, 1, 2), what="(ids, types)")
    for name, after, before in zip(("first", "second"), found["args"], (a, b), strict=False):
        expect_unchanged(after, before, what=f"the {name} list after the call")


def texts(draw, rows, seq, vocab_size=50):
    """Draw ids and which of them are special: the first, one in the middle, and some padding."""
    ids = draw.integers(5, vocab_size, rows, seq)
    places = torch.arange(seq)
    special = (places == 0) | (places == seq // 2) | (places >= seq - draw.integers(0, 4, rows, 1))
    return ids, special


def holes(student, ids, special, mask_id, vocab_size, seed, *rates):
    """Draw holes in the worker; return what was found there."""
    found = student.plant(probes).holes(student.mask_tokens, ids, special, mask_id, vocab_size, seed, *rates)
    shown = type(found["found"]) is tuple and len(found["found"]) == 2
    expect(shown, "mask_tokens returns no tuple (inputs, labels).", evidence="value")
    return found


def fate(inputs, labels, ids, special, mask_id, rates):
    """Return the mistake that gives chosen tokens several fates where one is asked for, if it can be told."""
    tensors = type(inputs) is type(labels) is torch.Tensor and inputs.shape == labels.shape == ids.shape
    if not tensors:
        return None
    asked = labels != -100
    if not torch.equal(labels, ids.where(asked & ~special, -100)) or not asked.any():
        return None
    if not torch.equal(asked, ~special):
        return ALWAYS_15 if asked.sum() < 0.6 * (~special).sum() else None
    became, was = inputs[~special], ids[~special]
    hidden, kept = float((became == mask_id).double().mean()), float((became == was).double().mean())
    if 0.5 < hidden < 1:
        return NO_FATE
    if rates[1] or hidden > 0.5 or kept == 1:
        return None
    return NO_REST if kept > 0.25 else ALL_REST


@pytest.mark.task("m16.2")
@pytest.mark.holds(
    "Hide some tokens and return (inputs, labels); a label is the token's own id where it was chosen, else -100.",
    "`ids` does not change.",
)
@pytest.mark.parametrize(
    "rates", [(1.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.8, 0.1)], ids=["all_hidden", "all_kept", "none_chosen"]
)
def test_what_is_chosen_is_asked_for(student, draw, rates):
    """Where all are chosen, all but the special ones are hidden, or kept, and asked for; where none is, nothing is."""
    (ids, special), mask_id = texts(draw, 3, 9), draw.random.randrange(1, 5)
    found = holes(student, ids, special, mask_id, 50, draw.random.randrange(1000), rates)
    inputs, labels = found["found"]
    chosen = ~special if rates[0] else torch.zeros_like(special)
    expected = ids.where(~chosen, mask_id) if rates[1] == 1.0 else ids
    misses = oracle.input_misses(ids, special, mask_id)
    if not rates[0]:
        misses = {"rates[0] is not looked at: tokens are chosen where none may be": ids.where(special, mask_id)}
    elif not rates[1]:
        misses |= {"what is to stay is hidden: nothing stays as it is": ids.where(special, mask_id)}
    if rates[0] and (several := fate(inputs, labels, ids, special, mask_id, rates)):
        misses |= {several: inputs}
    expect_equal(inputs, expected, misses=misses, what="the tensor of inputs")
    misses = oracle.label_misses(ids, special, mask_id)
    expect_equal(labels, ids.where(chosen, -100), misses=misses, what="the tensor of labels")
    expect_unchanged(found["ids"], ids, what="ids after the call")


SOME = (0.5, 0.5, 0.3)


def scatter(where, axis, what):
    """Return how many times as much as by chance the number of True varies, between columns (0) or rows (1)."""
    where = where.double()
    rate = float(where.mean())
    expect(0 < rate < 1, f"With rates of {SOME}, {rate:.0%} of all tokens are {what}.", evidence="value")
    # Counts of n tokens vary by n p (1 - p); such a variance itself, of k counts, by a share of sqrt(2 / k).
    return float(where.sum(dim=axis).var()) / (where.shape[axis] * rate * (1 - rate))


@pytest.mark.task("m16.2")
@pytest.mark.holds(
    "Each token is chosen with a probability of rates[0], by itself; where `special` is True none is.",
    "Fates and ids are drawn for each token by itself, too.",
)
def test_tokens_are_chosen_by_themselves(student, draw):
    """Rows and columns differ in how many holes they have, and in what has become of these, as much as by chance."""
    ids = draw.integers(5, 90, 400, 100)
    found = holes(student, ids, torch.zeros_like(ids).bool(), 4, 90, draw.random.randrange(1000), SOME)
    inputs, labels = found["found"]
    many, more = 1 + 14 * math.sqrt(2 / 100), 1 + 14 * math.sqrt(2 / 400)
    parts = {
        "chosen": (labels != -100, SAME_ROWS, WHOLE_ROWS),
        "hidden": (inputs == 4, *ONE_FATE),
        "replaced": ((inputs != 4) & (inputs != ids), *ONE_FATE),
    }
    for what, (where, by_column, by_row) in parts.items():
        if what != "chosen" and not where.any():
            continue  # How many there are is the next check's.
        columns, rows = (scatter(where, axis, what) for axis in (0, 1))
        said = f"The number of tokens {what} in a {{}} varies {{:.2f}} times as much as by chance."
        expect_bound(columns, said.format("column", columns), below=many, mistake=by_column)
        least = 1 - 10 * math.sqrt(2 / 400) if what == "chosen" else -math.inf
        otherwise = SAME_NUMBER if rows < 1 else by_row
        expect_bound(rows, said.format("row", rows), above=least, below=more, mistake=otherwise)


ROWS, SEQ, VOCAB = 300, 100, 400


def share(found, expected, count, what, mistakes):
    """Expect a share within ten standard deviations, and name the mistake whose share it has instead."""
    deviation = math.sqrt(expected * (1 - expected) / count)
    near = min(mistakes, key=lambda words: abs(found - mistakes[words]))
    mistake = near if abs(found - mistakes[near]) < 10 * deviation else None
    said = f"{found:.1%} {what}, expected {expected:.0%}."
    expect_bound((found - expected) / deviation, said, above=-10, below=10, mistake=mistake)


@pytest.mark.task("m16.2")
@pytest.mark.holds(
    "Each token is chosen with a probability of rates[0], by itself; where `special` is True none is.",
    "Of the chosen, rates[1] become mask_id, rates[2] any id below vocab_size, all alike (its own too), and the rest "
    "stay as they are.",
)
@pytest.mark.parametrize("rates", [None, (0.4, 0.5, 0.3)], ids=["default", "others"])
def test_the_shares_are_those_of_the_rates(student, draw, rates):
    """15 % are chosen; of these 80 % are hidden, 10 % become anything and 10 % stay; with other rates it is these."""
    ids, special = texts(draw, ROWS, SEQ, VOCAB)
    found = holes(student, ids, special, 4, VOCAB, draw.random.randrange(1000), *([] if rates is None else [rates]))
    inputs, labels = found["found"]
    for name, value in (("inputs", inputs), ("labels", labels)):
        same = type(value) is torch.Tensor and value.dtype == torch.int64 and value.shape == ids.shape
        expect(same, f"The {name} are no int64 tensor of the ids' shape.", evidence="value")
    chosen = labels != -100
    expect(not bool((chosen & special).any()), "A special token was chosen.", mistake=SPECIAL, evidence="value")
    expect_equal(labels, ids.where(chosen, -100), what="the tensor of labels")
    touched = (inputs != ids) & ~chosen
    expect(not bool(touched.any()), "A token changed that has no label.", mistake=UNASKED, evidence="value")
    one, two, three = rates or (0.15, 0.8, 0.1)
    allowed, count = int((~special).sum()), int(chosen.sum())
    of_all = {
        "the rate is of those that are hidden: of all chosen ones 80 % are": one * two,
        ALWAYS_15: 0.15,
    }
    share(count / allowed, one, allowed, "of the tokens are chosen", of_all)
    masked = float((inputs == 4)[chosen].double().mean())
    hidden = {
        "all that is chosen is hidden: nothing stays, and nothing becomes another id": 1.0,
        "what is to stay is hidden: nothing stays as it is": 1 - three,
        NO_FATE: 0.8,
    }
    share(masked, two, count, "of the chosen become mask_id", hidden)
    kept, other = float((inputs == ids)[chosen].double().mean()), 1 - three / VOCAB
    random = 1 - masked - kept
    left = {
        "the last shares are of what the first left: one number decides a token's fate": three * (1 - two),
        ALL_REST: 1 - two,
        "what is not hidden stays: rates[2] become any id": 0.0,
        "half of what is not hidden becomes any id, whatever rates[2] says": (1 - two) / 2,
    }
    share(random, three * other, count, "of the chosen become another id", left)


@pytest.mark.task("m16.2")
@pytest.mark.holds(
    "Of the chosen, rates[1] become mask_id, rates[2] any id below vocab_size, all alike (its own too), and the rest "
    "stay as they are.",
    "Fates and ids are drawn for each token by itself, too.",
)
def test_any_id_may_stand_in_a_hole(student, draw):
    """Where all become any id, each of a small vocabulary is as likely, its own and the special ones included."""
    ids, size = draw.integers(5, 8, 120, 50), 8
    found = holes(student, ids, torch.zeros_like(ids).bool(), 4, size, draw.random.randrange(1000), (1.0, 0.0, 1.0))
    inputs, _ = found["found"]
    expect(bool(((inputs >= 0) & (inputs < size)).all()), "An id is outside of the vocabulary.", evidence="value")
    several = len(torch.unique(inputs)) > 1
    expect(several, "All tokens get the same id.", mistake=ONE_ID, evidence="value")
    low = (inputs < size // 2).double()
    for axis, shared in enumerate(ONE_ID_BY):
        width = 12 * math.sqrt(2 / low.shape[1 - axis])
        spread = float(low.sum(dim=axis).var()) / (low.shape[axis] * 0.25)
        said = f"How many low ids a {('column', 'row')[axis]} gets has {spread:.2f} of the variance that chance gives."
        expect_bound(spread, said, below=1 + width, mistake=shared)
    shares = [float(where.double().mean()) for where in (inputs == ids, inputs < 5, inputs == size - 1)]
    mistake = next((words for words, part in zip(LEFT_OUT, shares, strict=True) if part == 0), None)
    for part, expected, what in zip(
        shares, (1, 5, 1), ("their own id", "one of the first five", "the last"), strict=True
    ):
        width = 12 * math.sqrt(expected / size * (1 - expected / size) / ids.numel())
        said = f"{part:.1%} of the tokens get {what}, expected {expected / size:.1%}."
        expect_bound(part, said, above=expected / size - width, below=expected / size + width, mistake=mistake)


@pytest.mark.task("m16.2")
@pytest.mark.holds("All chance comes from the generator.")
def test_chance_comes_from_the_generator(student, draw):
    """One seed makes the same holes twice, two seeds make others, and torch's own generator rests."""
    ids, special = texts(draw, 20, 40)
    one, again, other = (holes(student, ids, special, 4, 50, seed) for seed in (3, 3, 4))
    expect(not one["own"], "torch's own random numbers have moved on.", mistake=OWN_DICE, evidence="claim")
    for name, first, second in zip(("inputs", "labels"), one["found"], again["found"], strict=True):
        expect_equal(first, second, what=f"what one seed makes of the {name} at first, compared with later,")
    alike = torch.equal(one["found"][1], other["found"][1])
    expect(not alike, "Two seeds choose the same tokens.", mistake=ONE_SEED, evidence="value")
