"""Reading modules out of git's object store: only what is allowed, and nothing of the repository runs."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
import systems
from repositories import commit, git, repository

from grader import syllabus
from grader.classroom.intake import git_process, git_trees
from grader.classroom.intake.git_objects import read_modules, take_modules
from grader.classroom.intake.git_process import GitError
from grader.submission import SubmissionError

COURSE = syllabus.load()
ATTENTION = "exercises/m04_attention.py"
SHA = "1" * 40


def test_modules_are_read_byte_for_byte(tmp_path):
    """The two regular modes are read from the commit asked for, whatever the branch says since."""
    source = "# ä\r\nprint('no newline at the end')\x00".encode()
    first = repository(tmp_path / "r", {"exercises/m00_warmup.py": source, ATTENTION: "+x x = 1\n"})
    commit(tmp_path / "r", {ATTENTION: "x = 2\n"})

    sources, problems = read_modules(tmp_path / "r", first, COURSE)

    assert sources == {"m00_warmup": source, "m04_attention": b"x = 1\n"}
    assert problems["m01_tokenizer"] == "exercises/m01_tokenizer.py is missing; put the stub back to start from."
    assert not {"m00_warmup", "m04_attention"} & set(problems)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_users_is_told_with_its_remedy(tmp_path):
    """Where git will not read what another user owns, the sentence has the command that lets it, folder and all."""
    repository(tmp_path / "r", {ATTENTION: "x = 1\n"})
    for path in [tmp_path / "r", *(tmp_path / "r").rglob("*")]:
        os.chown(path, 65534, 65534)

    with pytest.raises(GitError) as refused:
        git_process.run_git(tmp_path / "r", "rev-parse", "HEAD")

    assert "since another user owns" in str(refused.value)
    assert str(refused.value).endswith(f"git config --global --add safe.directory {tmp_path / 'r'}")


def test_what_is_no_regular_file_is_refused(tmp_path):
    """A link, a submodule and a folder in a module's place are each refused in one sentence, and the rest is read."""
    made = repository(
        tmp_path / "r",
        {
            "exercises/m00_warmup.py": "fine = True\n",
            "exercises/m01_tokenizer.py": "-> /etc/passwd",
            "exercises/m02_data.py": f"@{SHA}",
            "exercises/m03_embedding.py/__init__.py": "x = 1\n",
        },
    )

    sources, problems = read_modules(tmp_path / "r", made, COURSE)

    assert sources == {"m00_warmup": b"fine = True\n"}
    refused = "exercises/{}.py cannot be taken: it is {}, not a regular file."
    assert problems["m01_tokenizer"] == refused.format("m01_tokenizer", "a symbolic link")
    assert problems["m02_data"] == refused.format("m02_data", "a submodule")
    assert problems["m03_embedding"] == refused.format("m03_embedding", "a folder")


def test_a_huge_blob_is_refused_by_its_size_alone(tmp_path, monkeypatch):
    """A blob over the limit is refused before its content is asked for; one of exactly the limit is read."""
    limit = COURSE.max_source_bytes
    made = repository(
        tmp_path / "r", {"exercises/m00_warmup.py": b"#" * limit, "exercises/m01_tokenizer.py": b"#" * (limit + 1)}
    )
    asked = []
    run_git = git_trees.run_git
    monkeypatch.setattr(git_trees, "run_git", lambda *a, **k: asked.append((a, k)) or run_git(*a, **k))

    sources, problems = read_modules(tmp_path / "r", made, COURSE)

    assert sources == {"m00_warmup": b"#" * limit}
    assert problems["m01_tokenizer"].endswith("cannot be taken: it is larger than 64 kB, which no solution needs.")
    *_, contents = [options["given"] for arguments, options in asked if "--batch" in arguments]
    assert contents.decode().split() == [git(tmp_path / "r", "rev-parse", f"{made}:exercises/m00_warmup.py")]


@pytest.mark.parametrize(
    "twin",
    [
        "m04_ATTENTION.py",
        "ｍ04_attention.py",
        "m04_аttention.py",  # a Cyrillic a
        "m04_attention\u200b.py",
        "m04_attention (1).py",
        "m04-attention.py",
        "m04_attention.py.txt",
        "m04_attention (1).ipynb",
    ],
)
def test_a_twin_is_named_and_never_taken(tmp_path, twin):
    """A file that only looks like the module is named, beside the true one as well as in its place."""
    repo = tmp_path / "r"
    both = repository(repo, {ATTENTION: "true = 1\n", f"exercises/{twin}": "twin = 1\n"})
    alone = commit(repo, {"exercises/m00_warmup.py": "x = 1\n", f"exercises/{twin}": "twin = 1\n"})

    beside, instead = (take_modules(repo, made, COURSE) for made in (both, alone))

    assert beside.sources == {"m04_attention": b"true = 1\n"}
    assert len(beside.notes) == 1 and "was ignored: the module is called m04_attention.py." in beside.notes[0]
    assert instead.sources == {"m00_warmup": b"x = 1\n"}
    assert "is not taken for it" in instead.problems["m04_attention"]


def test_other_names_are_no_twins(tmp_path):
    """Guides, other milestones and names of another length are not mistaken for a module."""
    others = ["m04_attention.md", "m05_attention.py", "m04_attentions.py", "test_m04_attention.py", "README.md", "é.py"]
    made = repository(tmp_path / "r", {ATTENTION: "x = 1\n"} | {f"exercises/{name}": "x" for name in others})

    assert take_modules(tmp_path / "r", made, COURSE).notes == []


@pytest.mark.parametrize("folder", ["exercises", "", "week 4/exercises"])
def test_the_folder_is_where_it_is_said_to_be(tmp_path, folder):
    """The root and a nested folder are read as well, and what lies elsewhere is not."""
    prefix = f"{folder}/" if folder else ""
    made = repository(tmp_path / "r", {f"{prefix}m00_warmup.py": "x = 1\n", "elsewhere/m01_tokenizer.py": "x = 2\n"})

    assert read_modules(tmp_path / "r", made, COURSE, folder)[0] == {"m00_warmup": b"x = 1\n"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"exercises": "-> solutions", "solutions/m00_warmup.py": "x"}, "exercises is a symbolic link, not a folder"),
        ({"exercises": f"@{SHA}"}, "exercises is a submodule, not a folder"),
        ({"exercises": "text"}, "exercises is a file, not a folder"),
        ({"Exercises/m00_warmup.py": "x"}, "has no folder exercises; Exercises is not it"),
        ({"README.md": "x"}, "has no folder exercises."),
    ],
)
def test_a_folder_that_is_none_is_one_sentence(tmp_path, files, said):
    """A link, a submodule, a file and a twin in the folder's place are refused."""
    made = repository(tmp_path / "r", files)

    with pytest.raises(GitError, match=said):
        read_modules(tmp_path / "r", made, COURSE)


def test_names_git_would_not_check_out_are_only_names(tmp_path):
    """New lines, quotes, bytes that are no UTF-8 and dots in names hide nothing and forge nothing."""
    odd = ["exercises/a\nb.py", 'exercises/"q".py', "exercises/\udcff.py", "exercises/x\t100644 blob.py"]
    made = repository(tmp_path / "r", {ATTENTION: "x = 1\n"} | dict.fromkeys(odd, "y"))

    assert read_modules(tmp_path / "r", made, COURSE)[0] == {"m04_attention": b"x = 1\n"}


def test_a_pointer_of_git_lfs_is_no_source(tmp_path):
    """What Git LFS leaves in place of a file is called by its name."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    made = repository(tmp_path / "r", {ATTENTION: pointer, "exercises/m00_warmup.py": "x"})

    assert "a pointer of Git LFS" in read_modules(tmp_path / "r", made, COURSE)[1]["m04_attention"]


def test_a_replaced_object_is_not_followed(tmp_path):
    """refs/replace can't put another content behind the id that was recorded."""
    made = repository(tmp_path / "r", {ATTENTION: "true = 1\n"})
    other = git(tmp_path / "r", "hash-object", "-w", "--stdin", given=b"false = 1\n")
    git(tmp_path / "r", "replace", git(tmp_path / "r", "rev-parse", f"{made}:{ATTENTION}"), other)

    assert read_modules(tmp_path / "r", made, COURSE)[0] == {"m04_attention": b"true = 1\n"}


def test_nothing_of_a_repository_runs(tmp_path):
    """Hooks, filters, textconv, fsmonitor, pagers, aliases and hook paths of the repository start nothing."""
    repo, mark = tmp_path / "r", tmp_path / "ran"
    made = repository(repo, {ATTENTION: "x = 1\n", "exercises/.gitattributes": "*.py filter=bad diff=bad\n"})
    script = tmp_path / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch '{mark}'\ncat\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "filter.bad.smudge", "filter.bad.process", "diff.bad.textconv"):
        git(repo, "config", key, str(script))
    git(repo, "config", "core.hooksPath", str(tmp_path))
    git(repo, "config", "alias.ls-tree", f"!{script}")
    git(repo, "config", "pager.ls-tree", str(script))

    assert read_modules(repo, made, COURSE)[0] == {"m04_attention": b"x = 1\n"}
    assert not mark.exists()


def test_a_surrounding_repository_is_not_meant(tmp_path, monkeypatch):
    """Variables that a hook or another git has left in the environment don't lead elsewhere."""
    made = repository(tmp_path / "r", {ATTENTION: "x = 1\n"})
    repository(tmp_path / "other", {ATTENTION: "x = 2\n"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other" / "objects"))

    assert read_modules(tmp_path / "r", made, COURSE)[0] == {"m04_attention": b"x = 1\n"}


@pytest.mark.parametrize("commit_id", ["main", "HEAD", "--upload-pack=x", "1234567", "1" * 41, "g" * 40, ""])
def test_only_a_full_commit_id_is_taken(tmp_path, commit_id):
    """Names, short ids and options are refused: they could mean something else a moment later."""
    repository(tmp_path / "r", {ATTENTION: "x = 1\n"})

    with pytest.raises(GitError, match="is no full commit id of 40 hexadecimal digits"):
        read_modules(tmp_path / "r", commit_id, COURSE)


def test_a_commit_that_is_not_there_is_one_sentence(tmp_path):
    """An unknown id, a folder that is no repository and a commit without modules each say what is wrong."""
    made = repository(tmp_path / "r", {"exercises/notes.txt": "x"})
    (tmp_path / "empty").mkdir()

    with pytest.raises(GitError, match=r"^Git cannot read commit 111111111111: [^\n]+\.$"):
        read_modules(tmp_path / "r", SHA, COURSE)
    with pytest.raises(GitError, match="not a git repository"):
        read_modules(tmp_path / "empty", SHA, COURSE)
    with pytest.raises(SubmissionError, match="exercises has none of the course's modules"):
        read_modules(tmp_path / "r", made, COURSE)


def test_a_missing_blob_is_a_problem_of_its_module(tmp_path):
    """A commit whose objects are incomplete loses the module and nothing else."""
    repo = tmp_path / "r"
    made = repository(repo, {ATTENTION: "x = 1\n", "exercises/m00_warmup.py": "y = 1\n"})
    oid = git(repo, "rev-parse", f"{made}:{ATTENTION}")
    (repo / "objects" / oid[:2] / oid[2:]).unlink()

    sources, problems = read_modules(repo, made, COURSE)

    assert sources == {"m00_warmup": b"y = 1\n"}
    assert problems["m04_attention"].endswith("cannot be taken: its content is not in the repository.")


def test_a_folder_with_too_many_names_is_stopped(tmp_path, monkeypatch):
    """A folder is refused by its size, before its names are read."""
    made = repository(tmp_path / "r", {f"exercises/{number:05}.py": "" for number in range(500)})
    monkeypatch.setattr(git_trees, "LARGEST_TREE", 10_000)

    with pytest.raises(GitError, match=r"was stopped: it holds more than 10,000 bytes"):
        read_modules(tmp_path / "r", made, COURSE)


@systems.linux  # the stand-in for git is a shell script, and /proc says who still runs
def test_a_git_that_hangs_is_ended_with_all_it_has_started(tmp_path, monkeypatch):
    """The time limit ends git and the helpers that hold its output open."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > '{tmp_path}/pid'\nsleep 600\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(GitError, match="took longer than 2 seconds"):
        git_process.run_git(tmp_path, "ls-tree", SHA, seconds=2)

    helper = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 30
    while _runs(helper) and time.monotonic() < deadline:  # a killed process takes its time to go
        time.sleep(0.02)
    assert not _runs(helper)


def _runs(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_without_git_there_is_one_sentence(tmp_path, monkeypatch):
    """A machine that has no git is told to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitError, match="install it"):
        git_process.run_git(tmp_path, "version")


def test_repositories_of_sha256_are_read_too(tmp_path):
    """The newer object format's ids have 64 digits."""
    (tmp_path / "r").mkdir()
    try:
        git(tmp_path / "r", "init", "-q", "--bare", "-b", "main", "--object-format=sha256")
    except subprocess.CalledProcessError:
        pytest.skip("this git has no SHA-256")

    made = commit(tmp_path / "r", {ATTENTION: "x = 1\n"})

    assert len(made) == 64 and read_modules(tmp_path / "r", made, COURSE)[0] == {"m04_attention": b"x = 1\n"}
