"""What the README promises about its commands."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys

import pytest
import support

from grader import exits

README = (support.REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """Return the README's code blocks of one kind."""
    return re.findall(rf"```{kind}\n(.*?)```", README, flags=re.S)


def nox(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run nox as the README does."""
    return subprocess.run(
        [sys.executable, "-m", "nox", *arguments], cwd=support.REPOSITORY, capture_output=True, text=True, check=False
    )


def test_there_are_two_commands_in_both_shells():
    """The first block of each shell installs nox and grades, and the next runs the tests."""
    for shell in ("sh", "powershell"):
        first, second = blocks(shell)[:2]
        assert "venv .venv" in first and "pip install --quiet nox" in first and first.strip().endswith("nox")
        assert second.strip().endswith("nox -s tests")


def test_ci_runs_the_readmes_commands():
    """CI installs nox with the README's own words and runs its test command."""
    script = (support.REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    first, second = (block.strip() for block in blocks("sh")[:2])

    assert first.removesuffix(" && nox") in script.splitlines()
    assert second in script.splitlines()


def test_nox_explains_each_session_in_one_line():
    """`nox -l` lists every session with one line, and grade is what runs when none is named."""
    listed = nox("-l").stdout

    for name in ("grade", "verify", "tests", "lint", "fixtures", "bench"):
        assert re.search(rf"^[*-] {name} -> \S.*", listed, flags=re.M), name
    assert re.search(r"^\* grade", listed, flags=re.M)


def test_the_milestone_table_is_the_syllabus():
    """The README's table names every milestone of the syllabus with its points."""
    for milestone in support.COURSE.milestones:
        assert re.search(
            rf"\| \[{milestone.number}\]\(exercises/{milestone.id}\.md\) .*\| {milestone.points:g} \|", README
        )


def test_the_stretch_goals_of_the_commands_are_those_of_the_rooms():
    """The line about --stretch names every milestone that has a goal, and no other."""
    named = re.search(r"--stretch  .*\((m\d\d(?:, m\d\d)*)\)", README)
    goals = [milestone.number for milestone in support.COURSE.milestones if milestone.stretch is not None]

    assert named is not None and named[1].split(", ") == goals


def test_the_students_table_is_the_syllabus():
    """exercises/README.md says of every milestone what it is made of, how many hours to plan, and its points."""
    page = (support.REPOSITORY / "exercises" / "README.md").read_text(encoding="utf-8")

    for milestone in support.COURSE.milestones:
        needs = ", ".join(need.partition("_")[0] for need in milestone.needs) or "–"
        row = (
            rf"\| \[{milestone.number}\]\({milestone.id}\.md\) \| .* \| {needs} \| .* \| \d+ \| {milestone.points:g} \|"
        )
        assert re.search(row, page), milestone.id


def test_the_map_shows_the_whole_course():
    """Both tables have the course's 21 milestones in order: links to those that stand, hours for all, and their sum."""
    standing = {milestone.number for milestone in support.COURSE.milestones if not milestone.own}
    hours = []
    for page in (README, (support.REPOSITORY / "exercises" / "README.md").read_text(encoding="utf-8")):
        rows = re.findall(r"(?m)^\| (\[?)(m\d\d)\b.* \| (\d+) \| (\d+|planned) \|$", page)

        assert [number for _, number, *_ in rows] == [f"m{number:02}" for number in range(21)]
        assert {number for link, number, *_ in rows if link} == standing
        assert {number for *_, number, _, points in rows if points != "planned"} == standing
        hours.append({number: int(time) for _, number, time, _ in rows})
    assert hours[0] == hours[1]
    assert f"about {sum(hours[0].values())} hours" in README
    assert f"stand today, {sum(hours[0][number] for number in standing)} hours of them" in README


def test_the_repository_stays_small():
    """All files that git keeps come to less than 40 MB."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=support.REPOSITORY, capture_output=True, check=True).stdout
    sizes = [(support.REPOSITORY / os.fsdecode(name)).lstat().st_size for name in listed.split(b"\0") if name]

    assert 0 < sum(sizes) < 40_000_000


def test_another_python_gets_one_sentence(monkeypatch, capsys):
    """Under a Python that is too old or too new, nox and the grader say so in a sentence and end."""
    for version in ((3, 10, 4), (3, 15, 0)):
        monkeypatch.setattr(sys, "version_info", version)
        with pytest.raises(SystemExit) as nox_ends:
            runpy.run_path(str(support.REPOSITORY / "noxfile.py"), run_name="__main__")
        with pytest.raises(SystemExit) as grader_ends:
            runpy.run_path(str(support.REPOSITORY / "grader" / "__main__.py"), run_name="__main__")
        for said in (str(nox_ends.value.code), capsys.readouterr().err.strip()):
            assert re.fullmatch(r"(?i)scratchwork:? needs Python 3\.11 to 3\.14, and this is .*", said)
        assert grader_ends.value.code == exits.USAGE


def test_an_interrupt_lets_a_command_end_in_good_order():
    """Ctrl-C reaches nox and its command alike; nox waits until the command has ended, and ends with its code."""
    slow = "import os, signal, sys, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(0.7); sys.exit(7)"

    class Session:
        def log(self, _):
            """Nobody reads it."""

    with pytest.raises(SystemExit) as end:
        support.noxfile().run(Session(), "-c", slow)
    assert end.value.code == 7


def test_every_link_of_the_pages_leads_somewhere():
    """Relative links in the project's pages point at files that exist."""
    pages = [
        *support.REPOSITORY.glob("*.md"),
        *support.REPOSITORY.glob("docs/**/*.md"),
        *support.REPOSITORY.glob("*/*.md"),
    ]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        if ".venv" not in page.parts and ".nox" not in page.parts
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
