"""What ids stand for: the judge's own vocabulary beside those that came back, on the page alone."""

from __future__ import annotations

import json

import pytest
import support
from test_calls import failing
from test_class_report import Elements

from grader.judge import cutting, vocabularies
from grader.reports.pages import drawing
from grader.sandbox.requests import Requests

BYTES = {byte: bytes([byte]) for byte in range(256)}
VOCAB = BYTES | {300: b"the", 301: b" cat", 302: b"\n<b>"}


def asked(*sent):
    """Return the requests of a check that has sent these arguments."""
    requests = Requests()
    for args in sent:
        requests.note("call", {"target": 1, "args": list(args), "kwargs": {}})
    return requests


def test_ids_are_spelled_by_the_vocabulary_that_was_sent_last():
    """The text around the first wrong id stands beside the expected one, each token under its id."""
    items = cutting.items([300, 301, 116, 999], [300, 301, 302])
    other = dict.fromkeys(range(400), b"?")

    spelled = vocabularies.spelled(items, asked([other, []], [VOCAB, [(b"a", b"b")]], ["the cat"]))

    assert spelled.tokens.got == ("the", " cat", "t", "[999]")
    assert spelled.tokens.expected == ("the", " cat", r"\n<b>")
    assert (spelled.tokens.got_text, spelled.tokens.expected_text) == ("the catt[999]", r"the cat\n<b>")
    text = drawing.drawn(spelled)
    assert "Got around there: the catt[999]" in Elements(text).text and "<b>" not in text
    assert Elements(text).text.count("as text") == 2


@pytest.mark.parametrize(
    ("got", "expected", "sent"),
    [
        ([1, 2], [1, 3], [[{"d_model": 1, "n_heads": 3}]]),
        ([1, 2], [1, 3], []),
        ([1, 400], [1, 999], [[VOCAB]]),
        (["1", "2"], ["1", "3"], [[VOCAB]]),
        ("12", "13", [[VOCAB]]),
    ],
    ids=["sizes", "nothing sent", "another's ids", "texts", "a text"],
)
def test_what_is_no_id_is_not_spelled(got, expected, sent):
    """Numbers that no vocabulary was sent for, or that are none of its ids, and texts stand as they are."""
    assert vocabularies.spelled(cutting.items(got, expected), asked(*sent)).tokens is None


def test_gpt2s_file_is_a_vocabulary():
    """A file that names tokens as GPT-2's does spells its ids; one of other JSON, or of none, spells nothing."""
    names = {vocabularies.printable(token): id for id, token in VOCAB.items()}

    for data, known in ((json.dumps(names), VOCAB), ('{"a": 1}', None), ("{", None), (f'{"{"}"a":{"[" * 9000}', None)):
        requests = Requests()
        requests.note("file", {"name": "encoder.json", "data": data.encode()})
        assert vocabularies.of(requests) == known


def test_a_tokenizers_failure_is_spelled():
    """Ids whose merges were made in the wrong order are text on the page, in the check's own vocabulary."""
    source = support.source("solutions", "m01_tokenizer")
    spoiled = source.replace(
        "key=lambda pair: self.ranks.get(pair, math.inf)", "key=lambda pair: -self.ranks.get(pair, -1)"
    )
    assert spoiled != source

    _, found = failing("m01_tokenizer", spoiled, {"test_a_word_is_joined_in_the_order_of_the_merges"})

    tokens = found["m01.3"].picture.tokens
    assert tokens.expected_text.startswith(tokens.got_text) and tokens.got != tokens.expected
