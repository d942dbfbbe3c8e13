"""Running git on a repository of a stranger's: a clean environment, nothing that it could start, and limits on all.

Git gets so much time, memory and room on disk, and so many bytes may come back. What it was asked to read stays data:
no hook, filter, pager, submodule or helper of the repository runs, and no other repository is meant than the one named.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from grader.safe_text import one_line

ANSWER_LIMIT = 16 * 1024 * 1024  # bytes that git may write for one question
SECONDS = 60.0
MEMORY = 512 * 1024 * 1024  # bytes of git's own, where the system counts them (RLIMIT_DATA): mapped packs are not
ON_DISK = 1024 * 1024  # bytes of a file that git may write: its complaints, since nothing is written while reading
# The instructor's own ways to reach a server stay; what else git's environment holds is about other repositories.
_KEPT = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|EXEC_PATH|SSL_\w+|HTTP_\w+|PROXY_\w+|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM))"
)
_NOT_YOURS = re.compile(r"detected dubious ownership in repository at '([^'\n]+)'")
_SET = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "core.bigFileThreshold": "16m",  # what is larger is passed on piece by piece
    "core.deltaBaseCacheLimit": "32m",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "pack.threads": "1",  # each has memory of its own
    "pack.windowMemory": "64m",
}
# A limit that the machine has set lower already stays.
_LIMITED = '{ ulimit -c 0; ulimit -d "$1"; ulimit -t "$2"; ulimit -f "$3"; } 2>/dev/null; shift 3; exec "$@"'


class GitError(Exception):
    """Git, a repository or a commit is not as it should be; the text is one sentence."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code  # git's own exit code, where it ended by itself


def run_git(
    repo: Path,
    *arguments: str,
    given: bytes = b"",
    limit: int = ANSWER_LIMIT,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    on_disk: int = ON_DISK,
    about: str = "",
) -> bytes:
    """Run git on a repository and return what it wrote, at most `limit` bytes.

    `memory` and `on_disk` are bytes: of git's own, and of each file that it writes. `about` names what is read, for the
    sentence. Raises GitError when git fails, takes too long or too much, or writes too much.
    """
    about = about or f"the repository {repo.name}"
    if shutil.which("git") is None:
        raise GitError("git cannot be started; install it to read repositories.")
    command = ["git", "--no-pager", "--no-replace-objects", "--literal-pathspecs", "-C", str(repo)]
    for key, value in _SET.items():
        command += ["-c", f"{key}={value}"]
    if os.name == "posix":
        limits = [memory // 1024, math.ceil(seconds), on_disk // 512]
        command = ["/bin/sh", "-c", _LIMITED, "sh", *map(str, limits), *command]
    with tempfile.TemporaryFile() as input_file, tempfile.TemporaryFile() as errors:
        # Files, not pipes: git can then neither block on what nobody reads nor on what nobody writes.
        input_file.write(given)
        input_file.seek(0)
        try:
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=input_file,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(repo),
                start_new_session=True,  # no terminal to ask for a password on, and one group to end
            )
        except OSError as error:
            raise GitError("git cannot be started; install it to read repositories.") from error
        answer, why = _read(process, limit, seconds)
        errors.seek(0)
        said = errors.read(4000).decode("utf-8", "replace")
    if why:
        raise GitError(f"Reading {about} was stopped: {why}.")
    if process.returncode:
        if found := _NOT_YOURS.search(said):
            raise GitError(_not_yours(found[1], about))
        why = _last_line(said) or f"it ended with {process.returncode}"
        raise GitError(f"Git cannot read {about}: {why}.", process.returncode)
    return answer


def _not_yours(folder: str, about: str) -> str:
    """Return the sentence for a folder that belongs to another user, which git reads only when it is told to."""
    told = shlex.quote(one_line(folder, 300))
    return (
        f"Git cannot read {about}, since another user owns {told}; if you trust what lies there, say so: "
        f"git config --global --add safe.directory {told}"
    )


def _read(process: subprocess.Popen[bytes], limit: int, seconds: float) -> tuple[bytes, str]:
    """Return what a process writes, and why it was ended, if it was."""
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        with process.stdout:
            answer = process.stdout.read(limit + 1)
            if len(answer) > limit:
                _end(process)
        process.wait()
    finally:
        timer.cancel()
    if late.is_set():
        return b"", f"it took longer than {seconds:.0f} seconds"
    return answer, f"it holds more than {limit:,} bytes of what was asked for" if len(answer) > limit else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    kill: Callable[[int, int], None] | None = getattr(os, "killpg", None)
    if process.returncode is not None:
        return  # its id may be somebody else's by now
    with suppress(OSError):
        if kill is None:
            process.kill()
        else:
            kill(process.pid, signal.SIGKILL)  # the helpers that git has started as well


def environment(repo: Path) -> dict[str, str]:
    """Return the environment that git gets: nothing that points it elsewhere, and nothing that makes it ask."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or _KEPT.fullmatch(key)}
    return kept | {
        "GIT_CEILING_DIRECTORIES": str(repo.resolve().parent),  # a repository around it is not meant
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": "file:https:ssh",
        "LC_ALL": "C",
    }


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    return one_line(fatal[0], 200).removeprefix("fatal: ").removeprefix("error: ").rstrip(".") if fatal else ""
