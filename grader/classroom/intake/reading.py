"""What reads folders and archives: by itself in a process of its own, which may be ended at any time.

Each line that comes in asks for the submissions of a source, or for the files of one of them; each line that goes out
is the answer, as JSON. Nothing that a student has written is ever more in it than text.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grader.classroom.book.standing import Student
from grader.safe_text import one_line
from grader.submission import SubmissionError
from grader.syllabus import Milestone, Syllabus

from . import inert
from .candidates import Candidate, Source, Taken, Unbelieved, candidates_of
from .roster import Keys, Roster
from .trees import TreeError

try:
    import resource
except ImportError:  # Windows: the clock alone
    resource = None  # type: ignore[assignment]

MEGABYTE = 1024 * 1024
LISTING_MEGABYTES = 3072  # for the names of a whole class
TAKING_MEGABYTES = 512  # for one submission: an archive in it is held in memory, and its names
FILE_MEGABYTES = 4200  # what a compressed archive of a class may unpack to


class Reading:
    """Sources that are being read, in this process."""

    def __init__(self, syllabus: Syllabus, roster: Roster) -> None:
        self.syllabus, self.roster = syllabus, roster
        self._stack = ExitStack()

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def candidates(self, source: Source) -> tuple[list[Candidate], list[str]]:
        """Return the submissions in a source, and what there is to say about it. Raises TreeError and Unbelieved."""
        notes: list[str] = []
        try:
            return candidates_of(source, self.syllabus, self.roster, self._stack, notes), notes
        except (TreeError, Unbelieved):
            raise
        except Exception as error:  # hostile input finds what nobody has thought of, and the others want their marks
            raise TreeError(unexpected(source.shown, error)) from error


def taken(candidate: Candidate) -> Taken:
    """Read a candidate's files. Raises TreeError and SubmissionError, for whatever goes wrong."""
    try:
        return candidate.take()
    except (SubmissionError, TreeError):
        raise
    except Exception as error:
        raise TreeError(unexpected(candidate.origin, error)) from error


def unexpected(origin: str, error: Exception) -> str:
    """Return the sentence for what should not have happened."""
    why = "it takes too much memory" if isinstance(error, MemoryError) else type(error).__name__
    said = one_line(str(error), 120)
    return f"{origin} cannot be read ({why}: {said})." if said else f"{origin} cannot be read ({why})."


def serve() -> None:
    """Answer on standard output what is asked on standard input, until nobody asks any more."""
    asked = sys.stdin.buffer  # which may hold some of it already
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)  # whatever a library prints is no answer
    setup = json.loads(asked.readline())
    # What a module is called is all that is asked of a milestone here, also of one that a course has brought.
    milestones = tuple(Milestone(name, "", "", Path(), ()) for name in setup["milestones"])
    course = Syllabus("", (), setup["max_source_bytes"], milestones)
    students = tuple(Student(*each[:3]) for each in setup["roster"])
    keys = {each[0]: Keys(each[3], each[4], tuple(each[5])) for each in setup["roster"]}
    roster = Roster(students, keys)
    with Reading(course, roster) as reading:
        listed: dict[int, list[Candidate]] = {}
        for line in asked:
            answer = _answered(json.loads(line), reading, listed)
            answers.write(json.dumps(answer).encode("ascii") + b"\n")
            answers.flush()


def _answered(question: dict[str, Any], reading: Reading, listed: dict[int, list[Candidate]]) -> dict[str, Any]:
    number = question["source"]
    limit(question["seconds"], TAKING_MEGABYTES if "take" in question else LISTING_MEGABYTES)
    try:
        if "take" in question:
            return {"taken": inert.of_taken(taken(listed[number][question["take"]]))}
        source = Source(Path(question["path"]), question["export"], question["alone"])
        listed[number], notes = reading.candidates(source)
        return {"candidates": [inert.of_candidate(each) for each in listed[number]], "notes": notes}
    except SubmissionError as error:
        return {"submission": str(error)}
    except TreeError as error:
        return {"tree": str(error)}
    except Unbelieved as error:
        return {"unbelieved": str(error)}


def limit(seconds: float, megabytes: int) -> None:
    """Limit what this process uses from now on, where the system can; the clock is whoever's who asks.

    Its processor time as well: if the one who asks has ended, nobody else ends this.
    """
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    for kind, value in {
        "RLIMIT_CPU": int(used.ru_utime + used.ru_stime + seconds) + 2,
        "RLIMIT_DATA": _data() + megabytes * MEGABYTE,
        "RLIMIT_FSIZE": FILE_MEGABYTES * MEGABYTE,
        "RLIMIT_CORE": 0,
    }.items():
        with contextlib.suppress(ValueError, OSError, AttributeError):
            number = getattr(resource, kind)
            hard = resource.getrlimit(number)[1]
            resource.setrlimit(number, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _data() -> int:
    """Return how many bytes of memory of its own this process has; nothing where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 1024 * MEGABYTE
