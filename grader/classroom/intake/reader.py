"""A process of its own that reads what was handed in, held to a clock and to limits of memory.

It is started once for a class and answers for one submission after another. One that it does not survive, or that it
needs too long for, ends it; that is this submission's problem, and the next one is read by a new process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any

from grader.submission import SubmissionError
from grader.syllabus import Syllabus

from . import inert
from .candidates import Candidate, CollectingError, Source, Taken, Unbelieved
from .roster import Roster
from .trees import TreeError

TAKING_SECONDS = 30.0  # for one submission; the largest that is allowed takes one or two
LISTING_SECONDS = 120.0  # for the names in an archive, and as long again for every so many bytes of it:
LISTING_BYTES = 64 * 1024 * 1024
FOLDER_SECONDS = 600.0  # for the names in a class's folder, which may lie on a slow network
LONGEST = 64 * 1024 * 1024  # bytes of an answer: sources have 64 kB each, and a class's names far less
PACKAGES = Path(__file__).resolve().parents[3]
PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); " + (
    "from grader.classroom.intake.reading import serve; serve()"
)


class Reader:
    """Reads sources in another process; like `Reading`, which does so in this one."""

    def __init__(self, syllabus: Syllabus, roster: Roster) -> None:
        self._syllabus = syllabus
        self._setup = {
            "milestones": [milestone.id for milestone in syllabus.milestones],
            "max_source_bytes": syllabus.max_source_bytes,
            "roster": [[*astuple(student), *astuple(roster.known_by(student))] for student in roster.students],
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._sources: list[Source] = []
        self._listed: set[int] = set()  # of the sources, those that this process has listed

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def candidates(self, source: Source) -> tuple[list[Candidate], list[str]]:
        """Return the submissions in a source, and what there is to say about it. Raises TreeError and Unbelieved."""
        self._sources.append(source)
        number = len(self._sources) - 1
        answer = self._list(number)
        try:
            found = [inert.candidate(plain) for plain in answer["candidates"]]
            for place, candidate in enumerate(found):
                candidate.take = partial(self._take, number, place, candidate.origin)
            return found, inert.texts(answer["notes"])
        except (KeyError, TypeError, ValueError) as error:
            raise TreeError(f"{source.shown} cannot be read: what reads it gave no sensible answer.") from error

    def _list(self, number: int) -> dict[str, Any]:
        source = self._sources[number]
        question = {"source": number, "path": str(source.path), "export": source.export, "alone": source.alone}
        answer = self._ask(question, seconds_for(source.path), source.shown)
        self._listed.add(number)
        return answer

    def _take(self, number: int, place: int, shown: str) -> Taken:
        if number not in self._listed:  # by a process that has ended since
            self._list(number)
        answer = self._ask({"source": number, "take": place}, TAKING_SECONDS, shown)
        try:
            return inert.taken(answer["taken"], self._syllabus)
        except (KeyError, ValueError) as error:
            raise TreeError(f"{shown} cannot be read: what reads it gave no sensible answer.") from error

    def _ask(self, question: dict[str, Any], seconds: float, shown: str) -> dict[str, Any]:
        """Ask the process, starting one where there is none. Raises what it answers, and TreeError when it ends."""
        process = self._process or self._start()
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(question | {"seconds": seconds}).encode("ascii") + b"\n")
            process.stdin.flush()
            line = process.stdout.readline(LONGEST)
        except OSError:
            line = b""
        except BaseException:  # an interrupt: what it says later would be taken for the answer to another question
            self._end()
            raise
        finally:
            timer.cancel()
        try:
            if not line.endswith(b"\n") or late.is_set():
                raise ValueError
            answer: dict[str, Any] = json.loads(line)
        except (ValueError, RecursionError):
            self._end()
            why = f"it took longer than {seconds:.0f} seconds" if late.is_set() else "it takes too much memory or time"
            raise TreeError(f"{shown} cannot be read: {why}.") from None
        for kind, error in {"tree": TreeError, "submission": SubmissionError, "unbelieved": Unbelieved}.items():
            if kind in answer:
                raise error(str(answer[kind]))
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert process.stdin is not None
            path = [str(PACKAGES), *(each for each in sys.path if each)]
            process.stdin.write(json.dumps(path).encode("ascii") + b"\n")
            process.stdin.write(json.dumps(self._setup).encode("ascii") + b"\n")
        except OSError as error:
            raise CollectingError(f"What reads submissions cannot be started ({error}).") from error
        self._process = process
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        self._listed.clear()
        if process is not None:
            process.kill()
            process.communicate()


def seconds_for(path: Path) -> float:
    """Return how long listing a source may take: what a student can hand in is small, and so is its share."""
    try:
        return FOLDER_SECONDS if path.is_dir() else LISTING_SECONDS * (1 + path.stat().st_size // LISTING_BYTES)
    except OSError:
        return LISTING_SECONDS
