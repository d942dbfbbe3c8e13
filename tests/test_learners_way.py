"""The page of what students with a mistake are told is about the mistakes that are played, and has no wrong name."""

from __future__ import annotations

from benchmarks.strength import played


def rows():
    """Return the page's rows as their cells."""
    lines = played.PAGE.read_text(encoding="utf-8").splitlines()
    return [line[2:-2].split(" | ") for line in lines if line.startswith("| m")]


def test_the_page_has_a_row_for_every_mistake_that_is_played():
    """Whoever marks another mutant plays it, and each of the milestones up to m08 has several."""
    chosen = played.played()
    expected = sorted(
        (played.cell(m["mistake"]), played.cell(played.right(m))) for some in chosen.values() for m in some
    )

    assert sorted((mistake, right) for _, mistake, _, right in rows()) == expected
    assert len(expected) >= 40
    assert all(len(some) >= 3 for milestone, some in chosen.items() if milestone <= "m08_training")
    assert {f"m0{number}" for number in range(9)} <= {milestone[:3] for milestone in chosen}


def test_no_mistake_is_called_by_another_ones_name():
    """A name that is told holds the words of the right one; where none is promised no mistake is named at all."""
    named = [row for row in rows() if row[2].startswith("Likely mistake: ")]

    for task, mistake, told, right in named:
        assert any(words in told for words in right.split(" / ")), (task, mistake, told)
    assert len(named) >= 0.75 * len(rows())
