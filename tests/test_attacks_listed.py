"""Every attack stands in the lists with what stops it, and the pages' figures are counted."""

from __future__ import annotations

import re

import attacks_support as arena
import pytest
import support

from grader.judge import preflight
from grader.sandbox.inside import facts


@pytest.mark.parametrize(
    "attack", [attack for attack in arena.attacks() if not attack.gap], ids=lambda attack: attack.name
)
def test_an_attack_is_listed_with_what_stops_it(attack):
    """Every attack starts with a sentence on what it tries, and the table in README.md says what stops it."""
    table = (arena.FOLDER / "README.md").read_text(encoding="utf-8")

    assert attack.title.endswith(".")
    assert f"`{attack.path.name}`" in table


@pytest.mark.parametrize("build", arena.BUILT, ids=lambda build: build.__name__)
def test_an_attack_that_is_built_is_listed_with_what_stops_it(build):
    """What is built on disk, as an archive or as a pull request starts with a sentence too, and stands in README.md."""
    rows = (arena.FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    title = build.__doc__.splitlines()[0]

    assert title.endswith(".")
    assert [row for row in rows if row.startswith(f"| `{build.__name__}` | {title} | ")]


def test_the_security_page_is_in_step_with_the_attacks():
    """The table in docs/security.md holds a row for each attack, with what each level promises."""
    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    table = arena.security_table()

    assert table in page, f"put this table in place of the one in docs/security.md:\n{table}"
    ways = [attack for attack in arena.attacks() if attack.name.startswith("a59")]
    found = [attack for attack in ways if not attack.gap]
    assert f"{len(found)} of {len(ways)} ways" in " ".join(page.split())


def test_every_entry_of_the_list_is_accounted_for():
    """Each of the list's 117 attacks is a submission here, is built on disk, or has a row that says what stops it."""
    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8").partition("## The rest of")[2]
    rows = re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
    numbers = {int(number) for row in rows for number in row.split(",")}
    names = [*(attack.name for attack in arena.attacks()), *(build.__name__ for build in arena.BUILT)]
    numbers |= {int(found[1]) for name in names if (found := re.match(r"a(\d+)", name))}

    assert sorted(set(range(1, 118)) - numbers) == []
    named = set(re.findall(r"tests/(?:\w+/)?test_\w+\.py", page))
    assert named and sorted(name for name in named if not (support.REPOSITORY / name).is_file()) == []


def test_no_right_submission_is_taken_for_a_shortcut():
    """Reading the source of every solution and every alternate, the detector flags no task and notes no reaching."""
    flagged, count = [], 0
    for milestone in support.COURSE.milestones:
        allowed = facts.Allowed(**preflight._allowed(milestone, support.COURSE))
        right = [support.REPOSITORY / "solutions" / f"{milestone.id}.py"]
        right += support.alternates(milestone.id)
        for path in right:
            count += 1
            result, read = preflight.Preflight(), facts.read(path.read_bytes(), allowed)
            preflight._find_shortcuts(read, milestone, result)
            flagged += [path.name for task in milestone.tasks if result.shortcut(task)]
            flagged += [f"{path.name}: {note}" for note in preflight.notes_on_reaches(path.name, read["reaches"])]

    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    assert flagged == []
    stated = re.search(r"0 of (\d+) right submissions", page)
    assert stated and int(stated[1]) <= count
