"""The careful reader of trees and commits, and the limits on git while it reads."""

from __future__ import annotations

import os
import subprocess

import hostile_git
import pytest
import systems
from hostile_git import FILE, FOLDER, LINK, PROGRAM, SUBMODULE, Raw

from grader import syllabus
from grader.classroom.intake import git_process, git_sources, git_trees
from grader.classroom.intake.git_process import GitError, run_git
from grader.classroom.intake.git_sources import Listed, fetch_and_take
from grader.classroom.intake.git_trees import Commit, Store, TreeEntry, folded, parse_commit, parse_tree

ID = "1" * 40
ANYBODY = b"author A <a@example.org> 1 +0000\ncommitter A <a@example.org> 1 +0000\n"


@pytest.fixture
def store(tmp_path):
    """A repository to write hostile objects into."""
    return hostile_git.Repository(tmp_path / "store")


def entry(name: bytes, mode: bytes = b"100644") -> bytes:
    """Return an entry as a tree stores it."""
    return mode + b" " + name + b"\0" + bytes.fromhex(ID)


def test_a_tree_of_gits_own_is_read_whole(store):
    """All five modes, names of any bytes and git's order, in which a folder counts as if it ended in a slash."""
    given = {"a": {"x": "1"}, "a.b": "2", "a0": (PROGRAM, "3"), "l": (LINK, "a"), "s": (SUBMODULE, ID), b"\xff": "4"}
    made = store.commit({"a/x": "1"} | {name: what for name, what in given.items() if name != "a"})

    entries = Store(store.folder).folder(made)

    assert [(each.name, each.mode) for each in entries] == [
        ("a.b", FILE), ("a", FOLDER), ("a0", PROGRAM), ("l", LINK), ("s", SUBMODULE), ("\udcff", FILE)
    ]  # fmt: skip
    listed = subprocess.run(["git", "ls-tree", "-z", made], cwd=store.folder, capture_output=True, check=True).stdout
    assert [line.split()[2].decode() for line in listed.split(b"\0")[:-1]] == [each.oid for each in entries]
    assert parse_tree(b"", 20) == [] and parse_tree(entry(b"x"), 20) == [TreeEntry(FILE, ID, "x")]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (entry(b"a") + entry(b"a"), "names a twice"),
        (entry(b"a") + entry(b"a-") + entry(b"a", b"40000"), "names a twice"),
        (entry(b"b") + entry(b"a"), "a is not in its place"),
        (entry(b"a", b"40000") + entry(b"a.b"), "a.b is not in its place"),
        (entry(b""), "a name without a letter leads out"),
        (entry(b"."), "leads out"),
        (entry(b".."), "leads out"),
        (entry(b"a/b"), "leads out"),
        (entry(b".GIT"), "into git's own"),
        (entry(b".git . "), "into git's own"),
        (entry(".g\u200dit".encode()), "into git's own"),
        (entry(b"git~1"), "into git's own"),
        (entry(b".git::$INDEX_ALLOCATION"), "into git's own"),
        (entry(b"a\\.git"), "into git's own"),
        (entry(b"a", b"100664"), "unknown mode 100664"),
        (entry(b"a", b"040000"), "unknown mode 040000"),
        (entry(b"a", b""), "unknown mode"),
        (entry(b"a" * 1025), "more than 1,024 bytes"),
        (entry(b"a")[:-1], "damaged"),
        (entry(b"a") + b"100644 b", "damaged"),
        (b"1006440000 a\0" + bytes(20), "damaged"),
        (b"\0" * 40, "damaged"),
    ],
)
def test_a_tree_that_git_never_writes_is_refused(raw, said):
    """Names that come twice, in another order or lead elsewhere, other modes, and what ends too early: each is said."""
    with pytest.raises(ValueError, match=said):
        parse_tree(raw, 20)


@pytest.mark.parametrize("name", ["git", ".gitignore", ".github", "git~10", "a.git", "...", "é\u0301" * 200, "a:b"])
def test_names_that_only_begin_like_gits_own_are_names(name):
    """What is no folder of git's on any file system is taken."""
    assert [each.name for each in parse_tree(entry(name.encode()), 20)] == [name]


def test_names_fold_as_file_systems_fold_them():
    """Case, unseen characters, composed letters and dots at the end make one file; other letters make another."""
    same = ["m00_warmup.py", "M00_WARMUP.py", "m00_warm\u200cup.py", "m00_warmup.py. ."]

    assert {folded(name) for name in same} == {"m00_warmup.py"}
    assert folded("e\u0301.py") == folded("É.py")
    assert folded("ｍ00_warmup.py") != "m00_warmup.py" != folded("m00_warmup .py")


def test_a_commit_names_one_tree_and_its_parents():
    """Signatures, encodings, merged tags and messages of any bytes change nothing about it; none has to be there."""
    tree, parent = f"tree {ID}\n".encode(), f"parent {'2' * 40}\n".encode()
    more = b"gpgsig -----BEGIN\n tree 3\n \n parent 4\nencoding ISO-8859-1\nmergetag object 5\n tree 6\n"

    assert parse_commit(tree + ANYBODY, 40) == Commit(ID, ())
    assert parse_commit(tree + parent + parent + ANYBODY + more + b"\n\xff\ntree 7\n", 40) == Commit(
        ID, ("2" * 40,) * 2
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        ANYBODY,
        f"tree {ID}\n".encode(),
        f"tree {ID}\ntree {ID}\n".encode() + ANYBODY,
        f"tree {ID}\n".encode() + ANYBODY + f"tree {ID}\n".encode(),
        f"tree {ID}\n".encode() + ANYBODY + f"parent {ID}\n".encode(),
        f"parent {ID}\ntree {ID}\n".encode() + ANYBODY,
        f"tree {ID}\n".encode() + ANYBODY + ANYBODY,
        f"tree {ID}0\n".encode() + ANYBODY,
        f"tree {ID[1:]}\n".encode() + ANYBODY,
        f"tree {ID[1:]}g\n".encode() + ANYBODY,
        f"tree {ID}\n".encode() + ANYBODY + b"\nno\0text\n",
        f"\ntree {ID}\n".encode() + ANYBODY,
    ],
)
def test_a_commit_that_can_be_read_in_two_ways_is_refused(raw):
    """A second tree, parents elsewhere, another order, ids that are none and zero bytes: none is guessed at."""
    with pytest.raises(ValueError, match=r"one tree|object's name|zero byte"):
        parse_commit(raw, 40)


def test_sizes_are_asked_for_before_anything_is_read(store, monkeypatch):
    """A commit just over the bound is refused without its content being asked for, and one just under it is read."""
    small, large = (store.commit({"a": "x"}, message="x" * length) for length in (500, 1000))
    monkeypatch.setattr(git_trees, "LARGEST_COMMIT", 1000)
    asked = []
    monkeypatch.setattr(git_trees, "run_git", lambda *a, **k: asked.append(a[2]) or run_git(*a, **k))

    assert [each.name for each in Store(store.folder).folder(small)] == ["a"]
    asked.clear()
    with pytest.raises(GitError, match="was stopped: it holds more than 1,000 bytes"):
        Store(store.folder).folder(large)
    assert asked == ["--batch-check"]


def test_an_object_of_another_kind_is_not_taken_for_a_folder(store):
    """A commit whose tree is a file, and a folder that is one behind its mode, are refused in one sentence."""
    text = f"tree {store.blob(b'x')}\n".encode() + ANYBODY + b"\n"
    commit = store.git("hash-object", "-w", "--literally", "-t", "commit", "--stdin", given=text)
    inner = store.commit({"exercises": (FOLDER, "x")})

    for made, folder in ((commit, ""), (inner, "exercises")):
        with pytest.raises(GitError, match="is no tree"):
            Store(store.folder).folder(made, folder)


def nested(depth: int) -> Raw:
    """Return a folder that names another twelve times, and that one the next."""
    below = nested(depth - 1) if depth else "x"
    return Raw((FOLDER if depth else FILE, f"{number:02}", below) for number in range(12))


def test_few_trees_that_name_each_other_often_end_at_a_bound(store, monkeypatch):
    """Four trees with 22,620 names are refused where 1,000 are allowed, and so are endless paths."""
    made = store.commit({"data": nested(3), "exercises/m00_warmup.py": "x"})

    with pytest.raises(GitError, match="holds more than 1,000 names"):
        Store(store.folder).paths(made, 1000, 12)
    monkeypatch.setattr(git_trees, "LONGEST_PATHS", 2000)
    with pytest.raises(GitError, match="or endless ones"):
        Store(store.folder).paths(made, 50_000, 12)
    assert Store(store.folder).paths(made, 100, 12, ["data"]) == ["exercises/m00_warmup.py"]
    assert Store(store.folder).paths(made, 100, 1) == ["exercises/m00_warmup.py"], "no deeper than is asked for"


def test_a_class_of_repositories_is_read_by_the_same_rules(store, monkeypatch):
    """A repository of a list with a module twice, or with paths without end, is refused in a sentence."""
    twice = store.commit({"exercises": Raw([(FILE, "m00_warmup.py", "right"), (FILE, "m00_warmup.py", "wrong")])})
    endless = store.commit({"data": nested(3), "exercises/m00_warmup.py": "x"})
    for name, made in (("twice", twice), ("endless", endless)):
        store.git("update-ref", f"refs/heads/{name}", made)
    monkeypatch.setattr(git_sources, "ENTRIES", 1000)

    for branch, said in (("twice", "names m00_warmup.py twice"), ("endless", "holds more than 1,000 names")):
        with pytest.raises(GitError, match=said):
            fetch_and_take(Listed(str(store.folder), branch), syllabus.load())


@systems.linux
def test_gits_own_memory_is_bounded(store):
    """Git is ended by what it may have, and not the machine; with the ordinary bound the same is read."""
    made = store.commit({"a": "x"}, message="x" * 8_000_000)
    asked = ("log", "-1", "--format=%T", made)

    assert len(run_git(store.folder, *asked)) == 41
    assert run_git(store.folder, "cat-file", "-t", made, memory=4 * 1024 * 1024) == b"commit\n"
    with pytest.raises(GitError, match="cannot read"):
        run_git(store.folder, *asked, memory=4 * 1024 * 1024)


@systems.linux
def test_what_git_writes_to_disk_is_bounded(store):
    """Nothing is written while reading; a git that would fill the disk is ended."""
    asked, content = ("hash-object", "-w", "--stdin"), os.urandom(20_000)

    with pytest.raises(GitError, match="cannot read"):
        run_git(store.folder, *asked, given=content, on_disk=4096)
    assert len(run_git(store.folder, *asked, given=content)) == 41


def test_a_repository_around_the_one_named_is_not_read(store):
    """A folder that has lost its repository is none, even within another one."""
    inner = store.folder / "inner"
    (inner / "objects").mkdir(parents=True)

    with pytest.raises(GitError, match="not a git repository"):
        run_git(inner, "rev-parse", "HEAD")
    assert git_process.environment(inner)["GIT_CEILING_DIRECTORIES"] == str(store.folder.resolve())
