"""A class that hands in by git: a list of repositories is fetched as objects, and nothing of them runs."""

from __future__ import annotations

import os

import pytest
import repositories
import support
import systems
from handing_in import WARMUP, collect, modules, problems

from grader.classroom.intake import git_sources
from grader.classroom.intake.collecting import CollectingError


def test_a_list_of_repositories_is_fetched(tmp_path):
    """Full ids, branches, tags and defaults are fetched from paths on this machine; the full id is recorded."""
    first = repositories.repository(tmp_path / "anna.git", {f"exercises/{WARMUP}": "first", "README.md": "x"})
    second = repositories.commit(tmp_path / "anna.git", {f"exercises/{WARMUP}": "second"})
    bobs = repositories.repository(tmp_path / "bob", {f"hw/{WARMUP}": "bob"})
    repositories.git(tmp_path / "bob", "tag", "handed-in")
    repositories.repository(tmp_path / "c3.git", {WARMUP: "carl"})
    lines = f"# week 4\nstudent;url;commit;handed_in\na1;anna.git;{first};2026-03-01T10:00:00+01:00\n\n"
    lines += f"b2;{tmp_path / 'bob'};handed-in;\nDora;anna.git;main;\n"
    (tmp_path / "class.csv").write_text(lines, encoding="utf-8-sig")
    (tmp_path / "more.txt").write_text("./c3.git\n")
    told: list[str] = []

    collected = collect(tmp_path / "class.csv", tmp_path / "more.txt", tell=told.append, allow_local=True)

    assert modules(collected) == {
        "a1": {"m00": "first"},
        "b2": {"m00": "bob"},
        "c3": {"m00": "carl"},
        "Dora": {"m00": "second"},
    }
    assert [each.origin.rpartition("@")[2] for each in collected.handed_in][:2] == [first, bobs]
    assert collected.handed_in[3].origin.endswith(f"@{second}")
    assert [each.handed_in for each in collected.handed_in] == ["2026-03-01T10:00:00+01:00", "", "", ""]
    assert len(told) == 4 and told[0].startswith("Fetching repository 1 of 4: ")


def test_a_repository_that_is_not_there_stops_nobody(tmp_path):
    """A wrong path, an unknown commit, a short id and an empty repository are each their student's problem."""
    made = repositories.repository(tmp_path / "anna.git", {f"exercises/{WARMUP}": "anna"})
    repositories.repository(tmp_path / "none.git", {"README.md": "x"})
    rows = [("a1", "anna.git", made), ("b2", "gone.git", made), ("c3", "anna.git", "1" * 40)]
    rows += [("d", "anna.git", made[:10]), ("e", "anna.git", "week-9"), ("f", "none.git", "main")]
    (tmp_path / "class.csv").write_text("\n".join(",".join(row) for row in rows))

    collected = collect(tmp_path / "class.csv", allow_local=True)

    assert modules(collected)["a1"] == {"m00": "anna"}
    found = problems(collected)
    assert set(found) == {"b2", "c3", "d", "e", "f"}
    assert all(problem.endswith(".") and "\n" not in problem for problem in found.values())
    assert "gone.git" in found["b2"]
    assert "a commit is named by its full id of 40 digits" in found["d"]
    assert "no such branch or tag" in found["e"]
    assert "none of the course's modules" in found["f"]


def test_nothing_of_a_fetched_repository_runs(tmp_path):
    """Hooks, filters and submodules of a repository that is fetched start nothing, and nothing is checked out."""
    repo, mark = tmp_path / "anna.git", tmp_path / "ran"
    files = {f"exercises/{WARMUP}": "anna", "exercises/.gitattributes": "*.py filter=bad", "sub": f"@{'1' * 40}"}
    files[".gitmodules"] = f'[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c "touch {mark}"\n'
    repositories.repository(repo, files)
    for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-merge"):
        (repo / "hooks").mkdir(exist_ok=True)
        (repo / "hooks" / hook).write_text(f"#!/bin/sh\ntouch '{mark}'\n")
        (repo / "hooks" / hook).chmod(0o755)
    repositories.git(repo, "config", "filter.bad.smudge", f"touch {mark}")
    repositories.git(repo, "config", "uploadpack.packObjectsHook", f"touch {mark}; exec")
    (tmp_path / "l.txt").write_text(f"{repo}\n")

    assert modules(collect(tmp_path / "l.txt", roster=None, allow_local=True)) == {"anna": {"m00": "anna"}}
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "url,commit\next::sh -c date,main",
            "line 2: ext::sh -c date is not fetched; https, ssh and paths on this machine are.",
        ),
        ("http://host/r.git main", "line 1: http://host/r.git is not fetched"),
        ("x.git main\n--upload-pack=date main", "line 2: --upload-pack=date is no address of a repository."),
        ("url,commit\nx.git,--help", "line 2: --help is no commit, branch or tag."),
        ("x.git a..b", "line 1: a..b is no commit, branch or tag."),
        ("student,url\nanna,", "line 2: there is no address of a repository."),
        ("url,handed_in\nx.git,tomorrow", "line 2: tomorrow is no time; write it like"),
        ("# nothing\n", "names no repository."),
        ("a.git," + "x" * 140_000, "is no list of repositories: field larger than field limit"),
        ("url,handed_in\nx.git,0001-01-01", "line 2: 0001-01-01 is no time; write it like"),
    ],
)
def test_a_list_that_is_wrong_names_its_line(tmp_path, text, said):
    """Transports that run commands, options in place of addresses and typing mistakes are refused before any fetch."""
    (tmp_path / "l.txt").write_text(text)

    with pytest.raises(CollectingError) as refused:
        collect(tmp_path / "l.txt", allow_local=True)

    assert said in str(refused.value)


def test_a_line_in_quotes_is_one_repositorys_problem(tmp_path):
    """A spreadsheet that puts a whole line into quotes makes an address that is not there, and no traceback."""
    (tmp_path / "l.txt").write_text('"a.git,main"\n')

    (handed_in,) = collect(tmp_path / "l.txt", roster=None, allow_local=True).handed_in

    assert handed_in.problem.startswith("Git cannot read ") and "\n" not in handed_in.problem


@systems.posix
def test_a_repository_without_end_is_stopped(tmp_path, monkeypatch):
    """What git may write while fetching is limited, and a repository over the limit is its student's problem."""
    repositories.repository(tmp_path / "a1.git", {WARMUP: "x", "huge.bin": os.urandom(400_000)})
    repositories.repository(tmp_path / "b2.git", {WARMUP: "bob"})
    (tmp_path / "l.txt").write_text("a1.git\nb2.git\n")
    monkeypatch.setattr("grader.classroom.intake.git_sources.PACK_BYTES", 200 * 1024)

    collected = collect(tmp_path / "l.txt", allow_local=True)

    assert modules(collected) == {"a1": {}, "b2": {"m00": "bob"}}
    assert problems(collected)["a1"].startswith("Git cannot read ")


def test_a_password_in_an_address_is_not_shown(tmp_path):
    """Origins and sentences name a repository without the secret in its address."""
    (tmp_path / "l.txt").write_text("https://token:secret@localhost:1/anna.git main\n")

    (handed_in,) = collect(tmp_path / "l.txt", roster=None).handed_in

    assert handed_in.problem and "localhost:1/anna.git" in handed_in.problem
    assert "secret" not in handed_in.problem + handed_in.origin


@pytest.mark.parametrize("word", ["beef", "added", "0123456"])
def test_what_may_be_a_short_commit_is_no_branch(word):
    """From four digits on, git's shortest, a word that may be a commit is refused until it is written as a branch."""
    with pytest.raises(git_sources.GitError, match="may be a commit or a branch"):
        git_sources.fetch_and_take(git_sources.Listed("https://example.invalid/a.git", word), support.COURSE)
