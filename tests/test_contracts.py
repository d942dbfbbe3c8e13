"""Every sentence of a stub is held by a check that quotes it, or is known to promise nothing."""

from __future__ import annotations

import pytest
import support

from benchmarks.strength import contracts


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_every_sentence_is_held(milestone):
    """Each sentence is quoted word for word by a check of its milestone, or set aside as watched or explaining."""
    aside = {text for texts in contracts.set_aside(milestone).values() for text in texts}

    loose = [
        sentence.text
        for sentence in contracts.sentences(milestone)
        if sentence.text not in aside and not contracts.holders(milestone, sentence)
    ]

    assert loose == []


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_what_is_quoted_stands_in_the_stub(milestone):
    """No marker and no entry quotes what the stub does not say, and nothing is both held and set aside."""
    said = {sentence.text for sentence in contracts.sentences(milestone)}
    held, aside = contracts.quoted(milestone), contracts.set_aside(milestone)
    put_aside = [text for texts in aside.values() for text in texts]

    assert [text for text in [*held, *put_aside] if text not in said] == []
    assert [text for text in put_aside if text in held or put_aside.count(text) > 1] == []


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_what_promises_something_is_not_set_aside(milestone):
    """An example and an error are never explanations, and what is watched for is what is not allowed."""
    aside = contracts.set_aside(milestone)

    assert [text for text in aside["explains"] if text.startswith(("Example:", "Raises ", "ValueError", ">>>"))] == []
    assert [text for text in aside["watched"] if "llowed" not in text] == []


@pytest.mark.parametrize(
    ("docstring", "wanted"),
    [
        ("One thing. another? Yes!", ["One thing.", "another?", "Yes!"]),
        ("A line\n    that goes on.", ["A line that goes on."]),
        ("Ba et al. (2016), 4.1, e.g. a. (Or b.) End", ["Ba et al. (2016), 4.1, e.g. a.", "(Or b.)", "End"]),
        ("In total. Next 0.5, 1.", ["In total.", "Next 0.5, 1."]),
        ('A "... n_groups" shape. [1, 2.] stays', ['A "... n_groups" shape.', "[1, 2.] stays"]),
        ("Steps:\n\n1. First.\n2. Second\n- Third", ["Steps:", "First.", "Second", "Third"]),
        ("Text\n\nno period\n\n>>> f(1)\n2.\n>>> g()", ["Text", "no period", ">>> f(1) 2. >>> g()"]),
    ],
    ids=["ends", "lines", "abbreviations", "numbers", "ellipsis", "lists", "doctests"],
)  # fmt: skip
def test_a_docstring_is_cut_into_sentences(docstring, wanted):
    """Sentences end at marks, empty lines and items of lists, and nowhere else."""
    assert contracts.cut(docstring) == wanted


def test_the_page_is_up_to_date():
    """docs/contracts.md is what the stubs and suites make it: `nox -s strength -- --contracts` writes it."""
    assert contracts.PAGE.read_text(encoding="utf-8") == contracts.render()
