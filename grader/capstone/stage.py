"""Where a student's parts play together: a worker with all of them loaded and the driver planted."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from grader.judge import asked
from grader.judge.outcomes import CheckFailed
from grader.sandbox.limits import Limits
from grader.submission import Submission

from . import screen
from .kept import Model
from .parts import NEEDED

LAST = "m08_training"
MEMORY_MB, FILE_MB, OUTPUT_KB = 6144, 256, 1024
STORY_SECONDS = 120.0  # for one text
GRACE = 180.0  # seconds that a worker may take for longer than its own clock allows, before it is ended


@dataclass
class Cast:
    """One worker's parts."""

    student: Any
    parts: Any
    worker: Any
    limits: Limits

    def allow(self, seconds: float) -> None:
        """Let the student's code take this many seconds from now on."""
        self.worker.set_deadline(seconds)

    def restore(self, model: Model, device: str) -> None:
        """Bring a kept model onto the stage."""
        self.parts.restore(model.vocab, model.merges, model.sizes, model.weights, device)

    def prompt(self, example: dict[str, str]) -> str:
        """Return an instruction as the student's m10 writes it for a model that has learned to answer."""
        from grader.capstone import driver_lessons

        self.allow(GRACE)
        written = self.student.plant(driver_lessons).as_prompt(example)
        if type(written) is not str or len(written) > 100_000:
            raise CheckFailed("What format_example (m10.2) returned is not what its docstring says: a prompt.")
        return written

    def write(self, prompt: str, seed: int, *, most: int, temperature: float, top_k: int, say: Any) -> str:
        """Let the model write on from a prompt; `say(text)` gets each new bit, and may answer that it is enough."""
        self.allow(STORY_SECONDS + GRACE)
        back = self.student.callback(say, asked.of(str))
        return str(self.parts.write(prompt, temperature, top_k, seed, most, STORY_SECONDS, back))


class Stage:
    """The sandbox, and whose parts play in it: by default those that the capstone needs, led by its driver."""

    def __init__(
        self,
        workers: Any,
        submission: Submission,
        needed: Collection[str] = tuple(NEEDED),
        last: str = LAST,
        driver: ModuleType | None = None,
    ) -> None:
        self._workers, self._submission = workers, submission
        self._needed, self._last, self._driver = needed, last, driver
        self.output = ""  # what the student's code printed

    @contextlib.contextmanager
    def cast(self) -> Iterator[Cast]:
        """Return a worker with all parts loaded; whatever is left of it is ended afterwards."""
        from grader.capstone import driver
        from grader.judge.student import Student

        script = self._driver or driver
        # On a busy machine threads wait for each other more than they compute.
        threads = max(1, screen.cores() - round(screen.load()) if screen.busy() else screen.cores())
        limits = Limits(GRACE, MEMORY_MB, file_mb=FILE_MB, output_kb=OUTPUT_KB, threads=threads)
        worker = self._workers.worker(limits)
        worker.set_deadline(GRACE)
        try:
            sources = {f"{name}.py": self._submission.sources[name] for name in self._needed}
            worker.conversation.request("load", sources=sources, module=self._last, trace=[], blocked=[])
            student = Student(worker, self._last)
            yield Cast(student, student.plant(script), worker, limits)
        finally:
            worker.end()
            self.output += str(worker.output)
