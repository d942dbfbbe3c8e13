"""One of the two builds: where its files are, and how its commands are run."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
LAST_LINES = 12  # of what a command said that failed


class BenchmarkError(Exception):
    """Why nothing can be measured, in one sentence."""


class UsageError(BenchmarkError):
    """What is asked for that there is not, in one sentence."""


@dataclass(frozen=True)
class Build:
    """A tree with the grader, and a folder of its own for what its commands write."""

    name: str
    root: Path
    scratch: Path

    def milestones(self) -> list[str]:
        """Return the milestones that it has a solution for, in order."""
        return sorted(path.stem for path in (self.root / "solutions").glob("m[0-9][0-9]_*.py"))

    def source(self, folder: str, milestone: str) -> str:
        """Return the text of a stub or a solution."""
        return (self.root / folder / f"{milestone}.py").read_text(encoding="utf-8")

    @contextlib.contextmanager
    def keeping_warm(self) -> Iterator[None]:
        """Have this build keep loaded what it can, though no terminal is here, until the end of a with statement."""
        os.environ["SCRATCHWORK_WARM"] = "1"
        try:
            yield
        finally:
            del os.environ["SCRATCHWORK_WARM"]
            mine = str(self.scratch / "state")
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if process.environ().get("SCRATCHWORK_STATE") == mine:
                        process.kill()
            self._socket.unlink(missing_ok=True)

    def wait_until_warm(self) -> None:
        """Wait until what is kept loaded can be used, in a build that does so. Raises BenchmarkError."""
        until = time.monotonic() + 120
        while (self.root / "grader" / "warm").is_dir() and not self._socket.exists():
            if time.monotonic() > until:
                raise BenchmarkError(f"{self.name}: nothing is kept warm: bubblewrap or memory may be lacking.")
            time.sleep(0.05)

    @property
    def _socket(self) -> Path:
        return self.scratch / "state" / "warm.sock"

    def grader(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> float:
        """Run a command of the grader and return the seconds from start to end; see `run`."""
        return self.run("-m", "grader", *arguments, codes=codes)

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> float:
        """Run Python in this tree and return the seconds from start to end.

        Raises BenchmarkError, with what the command said, when it ends with another exit code than these.
        """
        start = time.perf_counter()
        with tempfile.TemporaryFile() as said:
            with self.started(*arguments, stdout=said, stderr=subprocess.STDOUT) as process:
                code = process.wait()
            seconds = time.perf_counter() - start
            if code not in codes:
                said.seek(0)
                lines = said.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]
                words = shlex.join(["python", *arguments])
                raise BenchmarkError("\n".join([f"{self.name}: `{words}` ended with exit code {code}.", *lines]))
        return seconds

    @contextlib.contextmanager
    def started(self, *arguments: str, **streams: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """Start Python in this tree, with its code and no other; whatever happens, it has ended afterwards."""
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        environment |= {"SCRATCHWORK_STATE": str(self.scratch / "state"), "PYTHONUNBUFFERED": "1"}
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL, **streams}
        process = subprocess.Popen([sys.executable, *arguments], cwd=self.root, env=environment, **given)
        try:
            with process:
                yield process
        finally:
            process.kill()
            process.wait()


def commit_named(name: str) -> str:
    """Return the full hash of a commit of this repository. Raises UsageError."""
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode or not found.stdout.strip():
        raise UsageError(f"there is no commit {name!r} here (in a shallow clone: git fetch --unshallow).")
    return found.stdout.strip()


@contextlib.contextmanager
def beside(name: str) -> Iterator[tuple[Build, Build]]:
    """Check a commit out beside this tree for as long as a with statement lasts: the commit's build, and this one's."""
    commit = commit_named(name)
    with _ending_in_order(), tempfile.TemporaryDirectory(prefix="scratchwork-against-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)  # at the level user the fork server reads its code as somebody else
        there = scratch / "tree"
        made = _git("worktree", "add", "--quiet", "--detach", str(there), commit)
        try:
            if made.returncode:
                raise BenchmarkError(f"git could not check {name} out ({made.stderr.strip()}).")
            for which in ("there", "here"):
                (scratch / which).mkdir()
            yield Build(name, there, scratch / "there"), Build("here", REPOSITORY, scratch / "here")
        finally:
            _git("worktree", "remove", "--force", "--force", str(there))
            _git("worktree", "prune")


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Have a request to end treated like Ctrl-C, so that what was checked out is removed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kept = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in this repository, deaf to a Ctrl-C that is meant for whoever called it."""
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchmarkError(f"git is needed to check a commit out ({error.strerror}).") from None
