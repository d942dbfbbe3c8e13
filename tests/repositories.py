"""Git repositories as the tests need them, made of blobs and trees directly: no checkout could write some of these."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path


def git(repo: Path, *arguments: str, given: bytes = b"") -> str:
    """Run git as a test's own tool, with nobody's configuration, and return what it wrote."""
    state = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    state |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        state |= {f"GIT_{who}_NAME": "A. Student", f"GIT_{who}_EMAIL": "a@example.org"}
    state |= {"GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z"}
    done = subprocess.run(["git", "-C", str(repo), *arguments], input=given, capture_output=True, env=state, check=True)
    return done.stdout.decode().strip()


def repository(path: Path, files: dict[str, bytes | str]) -> str:
    """Make a bare repository with one commit on `main` and return the commit's id.

    A value is a file's content, "-> target" a symbolic link, "+x text" an executable, "@sha" a submodule.
    """
    path.mkdir(parents=True)
    git(path, "init", "-q", "--bare", "-b", "main")
    return commit(path, files)


def commit(repo: Path, files: dict[str, bytes | str], branch: str = "main") -> str:
    """Add a commit with exactly these files to a branch and return its id."""
    lines = b""
    for name, content in files.items():
        mode, oid = _stored(repo, content)
        lines += f"{mode} {oid}\t".encode() + os.fsencode(name) + b"\0"
    index = {"GIT_INDEX_FILE": str(repo / "index.tests")}
    (repo / "index.tests").unlink(missing_ok=True)
    state = {**os.environ, **index}
    base = ["git", "-C", str(repo), "-c", "core.protectNTFS=false", "-c", "core.protectHFS=false"]
    subprocess.run([*base, "update-index", "-z", "--index-info"], input=lines, check=True, env=state)
    tree = subprocess.run([*base, "write-tree", "--missing-ok"], capture_output=True, check=True, env=state)
    parent = subprocess.run([*base, "rev-parse", "-q", "--verify", branch], capture_output=True)
    parents = ["-p", parent.stdout.decode().strip()] if parent.returncode == 0 else []
    made = git(repo, "commit-tree", tree.stdout.decode().strip(), *parents, "-m", "Hand in")
    git(repo, "update-ref", f"refs/heads/{branch}", made)
    return made


def _stored(repo: Path, content: bytes | str) -> tuple[str, str]:
    if isinstance(content, str) and content.startswith("@"):
        return "160000", content[1:]
    mode, data = "100644", content if isinstance(content, bytes) else content.encode()
    if isinstance(content, str) and content.startswith("-> "):
        mode, data = "120000", content[3:].encode()
    elif isinstance(content, str) and content.startswith("+x "):
        mode, data = "100755", content[3:].encode()
    return mode, _blob(repo, data)


@functools.cache
def _blob(repo: Path, data: bytes) -> str:
    return git(repo, "hash-object", "-w", "--stdin", given=data)
