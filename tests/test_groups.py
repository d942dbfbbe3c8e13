"""Groups from a CSV file: what bears a group's name is the work of each of its members."""

from __future__ import annotations

import pytest
from handing_in import ANNA, BOB, CLASS, WARMUP, collect, folder, modules

from grader.classroom.intake.groups import with_groups
from grader.classroom.intake.roster import RosterError


def groups(tmp_path, text):
    """Return the class's roster with the groups of a file."""
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return with_groups(CLASS, path)


@pytest.mark.parametrize("name", ["Team 1", "team_1"])
def test_a_groups_folder_is_everybodys_in_it(tmp_path, name):
    """Each member has the group's modules, with a note; who is in no group hands in as ever."""
    roster = groups(tmp_path, "group;student\nTeam 1;a1\nTeam 1;Bob O'Neil\n\nTeam 2;a1\n")

    collected = collect(folder(tmp_path / "s", {f"{name}/{WARMUP}": "both", f"c3/{WARMUP}": "carl"}), roster=roster)

    assert modules(collected) == {"a1": {"m00": "both"}, "b2": {"m00": "both"}, "c3": {"m00": "carl"}}
    assert collected.handed_in[0].notes == [f"Handed in by the group {name}, with Bob O'Neil."]
    assert collected.missing == [] and collected.unclear == []


def test_a_students_name_is_a_students_before_it_is_a_groups(tmp_path):
    """A group that is called like a student takes nothing from that student."""
    roster = groups(tmp_path, "group,student\na1,b2\n")

    collected = collect(folder(tmp_path / "s", {f"a1/{WARMUP}": "anna"}), roster=roster)

    assert modules(collected) == {ANNA.id: {"m00": "anna"}} and BOB in collected.missing


def test_moodles_team_export_uses_the_same_groups(tmp_path):
    """A folder that Moodle names by the group counts for each member."""
    roster = groups(tmp_path, "group,student\nTeam 1,a1\nTeam 1,b2\n")

    collected = collect(folder(tmp_path / "m", {f"Team 1_77_assignsubmission_file_/{WARMUP}": "both"}), roster=roster)

    assert modules(collected) == {"a1": {"m00": "both"}, "b2": {"m00": "both"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("team,student\nx,a1\n", "needs a first line that names its columns: group,student"),
        ("group,student\nTeam 1,zoe\n", "has nobody of the roster in line 2: 'zoe'"),
        ("group,student\n,a1\n", "has nobody of the roster in line 2"),
        ('group,student\n"Team,a1\n', "is no CSV file"),
    ],
)
def test_what_are_no_groups_is_one_sentence(tmp_path, text, sentence):
    """A row that means nobody is refused with its line: nothing is guessed."""
    with pytest.raises(RosterError, match=sentence):
        groups(tmp_path, text)
