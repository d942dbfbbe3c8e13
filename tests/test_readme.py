"""What the README promises about its commands."""

from __future__ import annotations

import re
import subprocess
import sys

import support

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
