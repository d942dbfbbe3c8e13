"""`nox -s bench -- against COMMIT`: two builds by turns, each with its own code, and nothing left of the checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import support

from benchmarks.against import build, command
from benchmarks.against.parts import PARTS, Part, Turn


def listed():
    """The trees that git knows to be checked out."""
    return subprocess.run(
        ["git", "worktree", "list"], cwd=support.REPOSITORY, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "against what?"),
        ("no-such-commit grade", "there is no commit 'no-such-commit'"),
        ("HEAD nonsense", "there is no part 'nonsense'; there are grade,"),
        ("HEAD tests-m04", "there is no part 'tests-m04'"),
        ("HEAD grade-m99", "grade-m99: there is no milestone m99 that both builds have"),
        ("HEAD grade --rounds", "--rounds '' is not a whole number"),
        ("HEAD grade --rounds none", "--rounds 'none' is not a whole number"),
        ("HEAD --fast", "there is no option --fast"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(words, said, capsys):
    """An unknown commit, part, milestone or option is said in one line, and is wrong usage."""
    code = command.main(words.split())

    told = capsys.readouterr()
    assert code == 2 and not told.out
    assert said in told.err and told.err.count("\n") == 1


def test_without_a_part_all_are_measured_but_what_is_dear():
    """A bare commit means five rounds of everything that is not only on request; `-m04` means that milestone."""
    commit, asked, rounds = command.read(["05086ce"])

    assert (commit, rounds) == ("05086ce", 5)
    assert [one.name for one in asked] == [part.name for part in PARTS if part.name not in ("whole-class", "tests")]
    (one,) = command.read(["--rounds", "7", "HEAD", "first-result-m13"])[1]
    assert (one.part.name, one.milestone) == ("first-result", "m13")


def test_the_commit_runs_its_own_code_and_is_removed(tmp_path):
    """Commands of the two builds import the grader from their own tree; afterwards no tree and no folder is left."""
    found = tmp_path / "found"
    look = f"import grader; open({str(found)!r}, 'a').write(grader.__file__ + chr(10))"

    with build.beside("HEAD") as (there, here):
        assert there.milestones() == here.milestones() == [path.stem for path in solutions()]
        for each in (there, here):
            assert each.run("-c", look) > 0
        with pytest.raises(build.BenchmarkError, match=r"(?s)HEAD: `python .*ended with exit code 7\.\nwhy"):
            there.run("-c", "print('why'); raise SystemExit(7)")

    roots = [there.root, here.root]
    assert found.read_text(encoding="utf-8").splitlines() == [str(root / "grader" / "__init__.py") for root in roots]
    assert not there.root.parent.exists() and str(there.root) not in listed()


def solutions():
    """The modules of the solutions."""
    return sorted((support.REPOSITORY / "solutions").glob("m[0-9]*.py"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_comparison_leaves_nothing(number, tmp_path):
    """Ctrl-C, or a request to end, stops the command that is running and removes what was checked out."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "against", "HEAD", "grade-m03"],
        cwd=support.REPOSITORY,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        begun = any(line.startswith("grade-m03") for line in process.stdout)
        process.send_signal(number)
        _, said = process.communicate()

    assert begun and process.returncode == 130
    assert said == "bench: interrupted; what was checked out is removed.\n"
    assert not list(tmp_path.iterdir()) and str(tmp_path) not in listed()


def test_builds_take_turns_and_the_first_is_not_counted(tmp_path):
    """After a turn each for nothing, the commit begins one round and this tree the next."""
    there, here = (build.Build(name, tmp_path / name, tmp_path) for name in ("there", "here"))
    taken = []

    def turn(which, milestones):
        taken.append(which.name)
        return Turn({"turn": float(len(taken))})

    pairs = list(command.turns(Part("made", "up", turn), ["m03_embedding"], there, here, 3))

    assert taken == ["there", "here", *("there", "here"), *("here", "there"), *("there", "here")]
    assert [[turn.figures["turn"] for turn in pair] for pair in pairs] == [[3, 4], [6, 5], [7, 8]]


def test_the_table_gives_medians_and_the_ratio_of_each_round():
    """A figure's ratio is this tree's over the commit's, round by round; of single checks the grown are listed."""
    rounds = [
        ((10.0, 4.0, 2.0), (11.0, 4.0, 3.0)),
        ((20.0, 4.0, 2.0), (20.0, 4.0, 2.2)),
        ((30.0, 4.0, 2.0), (60.0, 3.0, 2.2)),
    ]
    pairs = [
        tuple(Turn({"wall, s": wall}, {"m00 same": same, "m00 slower": slower}) for wall, same, slower in pair)
        for pair in rounds
    ]

    lines = list(command.table("05086ce", pairs))

    assert " ".join(lines[0].split()) == "wall, s 05086ce 20 here 20 ratio 1.100 (1.10, 1.00, 2.00)"
    assert lines[1].startswith("of 2, 1 have a median ratio above 1.05 (1 of them in every round), and 0 one below")
    assert " ".join(lines[-1].split()) == "2 2.2 ratio 1.100 (1.50, 1.10, 1.10) m00 slower"


def test_a_check_is_measured_by_the_record(tmp_path):
    """The parts read what the grader's own command writes: each check's seconds, and the peak of all its processes."""
    here = build.Build("here", support.REPOSITORY, tmp_path)
    named = {part.name: part for part in PARTS}

    turn = named["checks"].turn(here, ["m02_data"])

    assert len(turn.single) > 20 and all(name.startswith("m02 test_") for name in turn.single)
    assert turn.figures["a check's seconds, sum, s"] == pytest.approx(sum(turn.single.values()) / 1e3)
    (until_first,) = named["first-result"].turn(here, ["m02_data"]).figures.values()
    assert until_first > 0


def test_a_difference_that_came_out_below_zero_has_no_ratio():
    """What isolation adds can come out as nothing or less in a round, which then says nothing of how it grew."""
    assert command.ratio_words([(2.0, 3.0), (-1.0, 5.0), (0.0, 1.0), (4.0, 4.0)]) == "ratio 1.250 (1.50, 1.00)"
    assert command.ratio_words([(0.0, 1.0)]) == "no ratio"
