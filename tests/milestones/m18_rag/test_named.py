"""What m18_rag's checks say of an error that comes of something else than the mistake which they look for."""

from __future__ import annotations

import proving
import support

from grader import record

OTHERS = [  # a check, what stands in the solution, and what raises an error there that is none of the mistakes named
    (
        "test_ndcg_agrees_on_drawn_judgements",
        "for document in ranking[:k]:",
        "for document in (ranking[place] for place in range(k)):",
    ),
    (
        "test_f1_is_the_harmonic_mean_of_two_shares",
        "    common = (Counter(said)",
        "    said.remove('swim') if text.startswith('so') else None\n    common = (Counter(said)",
    ),
    (
        "test_faithful_is_what_was_read",
        "    return sum(word in read for word in said)",
        "    len(said) == 1 or said.index('swim')\n    return sum(word in read for word in said)",
    ),
    (
        "test_a_quotation_stands_in_the_passage_that_it_cites",
        "        number, words = int(digits), _on_one_line(quoted)\n",
        "        number, words = int(digits), _on_one_line(quoted)\n        text.startswith('He') and text[999]\n",
    ),
]


def test_another_error_is_not_called_by_the_name_of_a_mistake():
    """Where a check would name a mistake that raises an error, an error that comes of something else has no name."""
    solution = support.source("solutions", "m18_rag")
    assert [solution.count(find) for _, find, _ in OTHERS] == [1] * len(OTHERS)
    trials = [
        proving.Trial(solution.replace(find, wrong), (frozenset({check}),), until=proving.REJECTED)
        for check, find, wrong in OTHERS
    ]

    found = proving.tried_inside("m18_rag", trials, lambda _, groups: True)

    ended = [checks[-1] for (checks,) in found]
    assert [check.outcome for check in ended] == [record.FAILED] * len(OTHERS)
    assert [check.mistake for check in ended] == [None] * len(OTHERS)
