"""Many modules graded at once: on each core a process that takes some of them into one session of the judge."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.util import Finalize

from grader import record
from grader.sandbox import cores

from .proofs import proving, support

CHUNK = 8  # trials in one session: what was found of them is kept before others are begun


@dataclass(frozen=True)
class Graded:
    """One trial: for each of its groups the checks that ran, and all the bounds that were asked about."""

    number: int
    groups: list[list[record.Check]]
    bounds: list[proving.Kept]

    @property
    def rejected(self) -> list[record.Check]:
        """The checks that did not pass, in the order in which they ran."""
        return [check for checks in self.groups for check in checks if check.outcome != record.PASSED]


class Crowd:
    """Processes that grade, each with a warm sandbox of its own, for as long as it is open."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(
            cores.count(), mp_context=multiprocessing.get_context("fork"), initializer=_begin
        )

    def graded(self, milestone: str, trials: list[proving.Trial]) -> Iterator[list[Graded]]:
        """Yield what was found of the trials, some at a time, in any order; who stops asking stops the rest."""
        size = max(1, min(CHUNK, len(trials) // cores.count()))
        chunks = [range(start, min(start + size, len(trials))) for start in range(0, len(trials), size)]
        futures = [
            self._pool.submit(_graded, milestone, [(number, trials[number]) for number in chunk]) for chunk in chunks
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """End the processes and their sandboxes."""
        self._pool.shutdown(cancel_futures=True)


def _begin() -> None:
    support.forget_sandboxes()  # of the process that this one was forked from
    Finalize(None, support.close_all, exitpriority=1)


def _graded(milestone: str, numbered: list[tuple[int, proving.Trial]]) -> list[Graded]:
    heard: list[list[proving.Kept]] = [[] for _ in numbered]
    found = proving.tried(milestone, [trial for _, trial in numbered], lambda place, kept: heard[place].append(kept))
    return [Graded(number, *ended) for (number, _), *ended in zip(numbered, found, heard, strict=True)]
