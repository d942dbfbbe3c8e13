"""The written corpora: built again byte for byte, told once, clean, and as hard as the course needs them."""

import math
import re
import unicodedata
from collections import Counter

import pytest

import fixtures
from fixtures import instructions, logbook, messages, retrieval, stories, unicode_text

# Unicode's general categories, all but Cs (half of a surrogate pair, which no UTF-8 text can hold).
CATEGORIES = re.findall(r"..", "LuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCoCn")
SCRIPTS = """
    LATIN GREEK CYRILLIC HEBREW ARABIC DEVANAGARI BENGALI TAMIL THAI TIBETAN MYANMAR ETHIOPIC CHEROKEE ARMENIAN
    GEORGIAN CJK HIRAGANA KATAKANA HANGUL GOTHIC CUNEIFORM DESERET ADLAM MATHEMATICAL
"""
CORNERS = [
    *("\0", "\x7f", "a\ufeffb", "\u200d", "\u2028", "\u2029", "\u3000", "\u00a0", "\x85", "\r\n\r\n", "\r\r\n\n\r"),
    *("e\u0301", "\u00e9", "\u1112\u1161\u11ab", "\uc138", "\u202e", "\u2067", "\U0001f1e9\U0001f1ea"),
    *("\U0001f44b\U0001f3fd", "1\ufe0f\u20e3", "\U0001f468\u200d\U0001f469", "\U000e0067"),
    *("\u216b", "x\u00b2", "\u0663", "\u00bd", "\ufffe", "\U0010ffff", "\ue000", "\U00020000"),
    *("a" * 400, " " * 1000, "3 spaces   before", " \n", fixtures.END_OF_TEXT),
    *("we's", "we't", "we're", "we've", "we'm", "we'll", "we'd", "WE'LL", "we'Ll", "we\u2019ve"),
]
WORD = re.compile(r"[a-z]+")


@pytest.fixture(scope="module")
def story_text() -> str:
    """Return both story files as one text."""
    return (fixtures.STORIES_TRAIN.read_bytes() + fixtures.STORIES_HELDOUT.read_bytes()).decode()


@pytest.fixture(scope="module")
def unicode_sample() -> str:
    """Return the Unicode text."""
    return fixtures.UNICODE_TEXT.read_bytes().decode()


# The stories


def test_the_stories_come_out_byte_for_byte() -> None:
    """The grammar and its seed write the same corpus again."""
    for path, data in stories.make().items():
        assert (fixtures.FOLDER / path).read_bytes() == data, path


def test_no_story_is_told_twice(story_text: str) -> None:
    """All stories differ, so that none of the held-out ones was trained on."""
    told = stories.split(story_text)

    assert len(told) == stories.TRAIN_STORIES + stories.HELDOUT_STORIES
    assert max(Counter(told).values()) == 1


def test_every_plot_is_told_often(story_text: str) -> None:
    """The corpus holds a few hundred words, and none of the grammar's plots is rare."""
    plots = stories.grammar()["plots"]
    words = set(WORD.findall(story_text.lower()))

    assert 300 < len(words) < 1000
    for marker in ("snowman", "umbrella", "gift", "seed", "river", "lost"):
        assert story_text.count(marker) > len(stories.split(story_text)) / len(plots) / 4, marker


def test_the_stories_are_grammatical_where_a_machine_can_tell(story_text: str) -> None:
    """Articles are right, sentences start with a capital and end, and nothing of the templates is left over."""
    prose = story_text.replace(fixtures.END_OF_TEXT, "")

    assert re.findall(r"\b[Aa] (?:[aeiou]|honest)\w*|\b[Aa]n (?!honest|hour)[^aeiou]\w*", prose) == []
    assert re.findall(r"(?<!\")[.!?] [a-z]", prose) == []
    assert re.findall(r"[{}\[\]|()]|  | [.,!?]", prose) == []
    assert [story for story in stories.split(story_text) if story[-1] not in '.!"' or story.count('"') % 2] == []


def test_the_same_hero_goes_through_a_story(story_text: str) -> None:
    """The name that a story introduces comes again, and with at most one other name."""
    known = {name for names in stories.grammar()["names"].values() for name in names}
    for story in stories.split(story_text):
        names = Counter(word for word in re.findall(r"\w+", story) if word in known)
        hero = next(iter(names))  # a counter keeps the order of first appearance

        assert names[hero] >= 2, story
        assert len(names) <= 2, story


# The instructions


@pytest.fixture(scope="module")
def pairs() -> tuple[list[instructions.Pair], list[instructions.Pair]]:
    """Return the instruction pairs for training and those held out."""
    return (
        instructions.split(fixtures.INSTRUCTIONS_TRAIN.read_bytes()),
        instructions.split(fixtures.INSTRUCTIONS_HELDOUT.read_bytes()),
    )


def the_answer(pair: instructions.Pair) -> str | None:
    """Work a pair's answer out from its words, or return None where that takes a reader."""
    listed = pair.input.split(", ")
    match pair.instruction.lower():
        case text if found := re.search(r"from (\d+) to (\d+)", text):
            return " ".join(str(number) for number in range(int(found[1]), int(found[2]) + 1))
        case text if "larger" in text or "smaller" in text:
            numbers = [int(number) for number in re.findall(r"\d+", pair.input)]
            return str(max(numbers) if "larger" in text else min(numbers))
        case text if "backwards" in text:
            return pair.input[::-1]
        case text if "reverse" in text or "from its last word" in text:
            return " ".join(pair.input.split()[::-1])
        case text if "alphabet" in text:
            return ", ".join(sorted(listed))
        case text if "how many" in text or "count the things" in text:
            return str(len(listed))
        case text if "first word" in text:
            return listed[0]
        case text if "last word" in text:
            return listed[-1]
    return None


def test_the_instructions_come_out_byte_for_byte() -> None:
    """The grammar and its seed write the same pairs again, and another seed writes others."""
    for path, data in instructions.make().items():
        assert (fixtures.FOLDER / path).read_bytes() == data, path
    assert instructions.write_pairs(1) != instructions.write_pairs(2)


def test_no_held_out_instruction_was_trained_on(pairs) -> None:
    """No question is asked twice, and no input has the same answer twice, in whatever words it is asked for."""
    train, heldout = pairs
    together = train + heldout

    assert (len(train), len(heldout)) == tuple(map(sum, zip(*instructions.TASKS.values(), strict=True)))
    assert len({(pair.instruction, pair.input) for pair in together}) == len(together)
    assert len({(pair.input, pair.output) for pair in together}) == len(together)


def test_the_answers_are_right(pairs) -> None:
    """Where an answer follows from the words, it is the one that stands there; elsewhere it is made of the input."""
    together = [*pairs[0], *pairs[1]]
    computed = [pair for pair in together if the_answer(pair) is not None]

    assert [pair for pair in computed if pair.output != the_answer(pair)] == []
    assert 500 < len(computed) < len(together)
    grammatical = {"it", "was", "had", "he", "she", "went", "to", "the", "met", "they", "at"}
    for pair in together:
        if the_answer(pair) is None:
            asked = set(re.findall(r"\w+", f"{pair.instruction} {pair.input}".lower()))
            assert set(re.findall(r"\w+", pair.output.lower())) - grammatical <= asked, pair


def test_the_instructions_are_clean(pairs) -> None:
    """Nothing of the templates is left over, articles are right, and a pair is short enough for the nano's context."""
    for pair in [*pairs[0], *pairs[1]]:
        text = f"{pair.instruction}\n{pair.input}\n{pair.output}"
        assert re.findall(r"[{}\[\]|()]|  |\b[Aa] [aeiou]|\b[Aa]n (?!honest)[^aeiou]", text) == [], pair
        assert pair.instruction and pair.output, pair
        assert len(text.split()) < 90, pair


# The messages


@pytest.fixture(scope="module")
def letters() -> tuple[list[messages.Message], list[messages.Message]]:
    """Return the messages for training and those held out."""
    return (
        messages.split(fixtures.MESSAGES_TRAIN.read_bytes()),
        messages.split(fixtures.MESSAGES_HELDOUT.read_bytes()),
    )


def with_word(letters: list[messages.Message], label: str) -> Counter[str]:
    """Count in how many messages of a label each word occurs."""
    return Counter(word for text, found in letters if found == label for word in set(WORD.findall(text.lower())))


def test_the_messages_come_out_byte_for_byte() -> None:
    """The grammar and its seed write the same messages again, and another seed writes others."""
    for path, data in messages.make().items():
        assert (fixtures.FOLDER / path).read_bytes() == data, path
    assert messages.write_messages(1) != messages.write_messages(2)


def test_the_messages_are_balanced_and_told_once(letters) -> None:
    """Half of each part is spam, and no text occurs twice, whatever its label."""
    for part, of_each in zip(letters, (messages.TRAIN_OF_EACH, messages.HELDOUT_OF_EACH), strict=True):
        assert Counter(message.label for message in part) == {"spam": of_each, "ordinary": of_each}
    texts = [message.text for part in letters for message in part]
    assert len(set(texts)) == len(texts)


def test_neither_a_word_nor_the_length_tells_spam(letters) -> None:
    """The best rule with one word, and the best with the length, is wrong about more than three in ten."""
    together = [*letters[0], *letters[1]]
    spam, ordinary, half = with_word(together, "spam"), with_word(together, "ordinary"), len(together) // 2
    lengths = sorted((len(message.text), message.label == "spam") for message in together)

    by_word = max(half + abs(spam[word] - ordinary[word]) for word in spam | ordinary)
    by_length = max(
        half + abs(sum(is_spam for _, is_spam in lengths[:cut]) - sum(not is_spam for _, is_spam in lengths[:cut]))
        for cut in range(len(lengths))
    )

    assert by_word < 0.70 * len(together)
    assert by_length < 0.70 * len(together)


def test_spam_can_be_told_by_weighing_all_words(letters) -> None:
    """A naive Bayes classifier of the training messages is right about most of those held out, but not about all."""
    train, heldout = letters
    spam, ordinary = with_word(train, "spam"), with_word(train, "ordinary")
    odds = {word: math.log((spam[word] + 1) / (ordinary[word] + 1)) for word in spam | ordinary}

    right = sum(
        (sum(odds.get(word, 0.0) for word in set(WORD.findall(text.lower()))) > 0) == (label == "spam")
        for text, label in heldout
    )

    assert 0.8 * len(heldout) < right < len(heldout)


def test_the_messages_are_clean(letters) -> None:
    """Nothing of the templates is left over, articles are right, and sentences start with a capital."""
    for text, _ in [*letters[0], *letters[1]]:
        assert re.findall(r"[{}\[\]|()]|  | [.,!?]|[.!?] [a-z]|\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text) == [], text
        assert text[0].isupper(), text


# The logbook


def test_the_logbook_comes_out_byte_for_byte() -> None:
    """Its grammar and its seed write the same entries again, and the README shows one of them."""
    for path, data in logbook.make().items():
        assert (fixtures.FOLDER / path).read_bytes() == data, path
    readme = (fixtures.FOLDER / "README.md").read_text(encoding="utf-8")
    assert stories.split(fixtures.LOGBOOK_TRAIN.read_text(encoding="utf-8"))[0] in readme


def test_the_logbook_is_another_style_about_the_same_world(story_text: str) -> None:
    """All entries differ, have the logbook's form and nobody's name twice, in words that the stories mostly know."""
    text = fixtures.LOGBOOK_TRAIN.read_text(encoding="utf-8") + fixtures.LOGBOOK_HELDOUT.read_text(encoding="utf-8")
    entries, known = stories.split(text), {name for names in stories.grammar()["names"].values() for name in names}
    words, told = Counter(WORD.findall(text.lower())), set(WORD.findall(story_text.lower()))

    assert len(set(entries)) == len(entries) == logbook.TRAIN_ENTRIES + logbook.HELDOUT_ENTRIES
    assert sum(count for word, count in words.items() if word in told) > 0.6 * words.total()
    assert re.findall(r"[{}\[\]|]|  | [.,:;!?]|\b[Aa]\b (?=[aeiou])", "".join(entries)) == []
    for entry in entries:
        crew, signed = re.search(r"(?:On board|Crew): (.*? mate|.*?mate\))\.", entry), entry.split("Signed: ")[1]
        names = [name for name in re.findall(r"\w+", crew[1]) if name in known]
        assert names[0] == signed.rstrip(".") and len(set(names)) == 2, entry
        assert entry.count("Mood: ") == entry.count("Sky: ") == 1 and entry.endswith("."), entry


# The Unicode text


def test_the_unicode_text_comes_out_byte_for_byte() -> None:
    """Its code writes the same text again, whatever Unicode version this Python has."""
    assert unicode_text.make()["unicode.txt"] == fixtures.UNICODE_TEXT.read_bytes()


def test_the_unicode_text_holds_every_general_category(unicode_sample: str) -> None:
    """Each of Unicode's categories that a text can hold occurs at least five times, title case at least once."""
    counts = Counter(map(unicodedata.category, unicode_sample))
    assert {name: counts[name] for name in CATEGORIES if counts[name] < (1 if name == "Lt" else 5)} == {}


@pytest.mark.parametrize("script", SCRIPTS.split())
def test_the_unicode_text_holds_the_script(unicode_sample: str, script: str) -> None:
    """Several letters of the script occur."""
    letters = {char for char in unicode_sample if unicodedata.name(char, "").startswith(script)}

    assert len(letters) >= 2


@pytest.mark.parametrize("corner", CORNERS, ids=lambda corner: ascii(corner)[1:-1][:24])
def test_the_unicode_text_holds_the_corner(unicode_sample: str, corner: str) -> None:
    """A sequence on which tokenizers stumble occurs."""
    assert corner in unicode_sample


# The retrieval set


def test_the_retrieval_set_comes_out_byte_for_byte() -> None:
    """Both files are in the layout that their code writes."""
    for path, data in retrieval.make().items():
        assert (fixtures.FOLDER / path).read_bytes() == data, path


def test_passages_and_questions_are_what_the_readme_says() -> None:
    """There are 68 passages of 46 to 77 words and 69 different questions, and every passage answers at least one."""
    passages, questions = retrieval.read()
    lengths = [len(passage["text"].split()) for passage in passages]
    answering = {name for question in questions for name in question["relevant"]}

    assert (len(passages), min(lengths), max(lengths)) == (68, 46, 77)
    assert len({question["question"] for question in questions}) == len(questions) == 69
    assert {len(question["relevant"]) for question in questions} == {1, 2}
    assert answering == {passage["id"] for passage in passages}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 1 of p is no JSON"),
        (b"\xff", "line 1 of p is no JSON"),
        (b"[]", "not just the keys id, text"),
        (b'{"id": 1, "text": "a"}', "not just the keys id, text"),
    ],
)
def test_a_line_that_is_no_passage_is_named(line: bytes, said: str) -> None:
    """Broken JSON and wrong keys are reported with the number of their line."""
    with pytest.raises(fixtures.FixtureError, match=said):
        retrieval.parse("p", line, retrieval.PASSAGE)
