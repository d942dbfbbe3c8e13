"""Could a table of answers earn a task? What the judge asks with a new seed, beside what it asked with known ones.

A question is one request to the student's code: a call with its arguments, a file placed, an item handed to an
iterator. A table answers a question if the very same one was asked with a known seed, by any check. That favours the
table: what happened before to an object that is asked does not count, only how it was made.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from grader import record
from grader.judge.grading import grade
from grader.judge.planned import Options
from grader.sandbox.conversation import Answer, Conversation, Message
from grader.sandbox.inline import InlineWorker, InlineWorkers
from grader.sandbox.limits import Limits
from grader.submission import Submission

from .proofs import support

SILENT = ("inspect", "compile", "load", "roll")  # requests that ask the student's functions nothing


def answerable(milestone: str, known_seeds: int) -> dict[str, bool]:
    """Return for each task whether a table of the first seeds' questions answers all that another seed asks."""
    known = set().union(*(asked for seed in range(known_seeds) for asked in questions(milestone, seed).values()))
    return {task: asked <= known for task, asked in questions(milestone, known_seeds).items()}


def questions(milestone: str, seed: int) -> dict[str, set[str]]:
    """Return the questions of each task that the solution is asked with this seed."""
    ear = Ear()
    sources = support.with_needs(milestone, support.source("solutions", milestone))
    submission = Submission("solutions", {name: text.encode() for name, text in sources.items()})
    options = Options([milestone], seed=str(seed))
    result = grade(options, support.COURSE, submission, ListeningWorkers(ear), support.weights(), ear)
    if not result.passed:
        raise ValueError(f"the solution of {milestone} does not pass with seed {seed}: {support.complaints(result)}")
    return ear.heard


class Ear:
    """What is asked, by task (a grading's listener)."""

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {}
        self._now: set[str] = set()

    def note(self, question: str) -> None:
        """Note a question of the check that runs."""
        self._now.add(question)

    def start(self, total_checks: int) -> None:
        """Nothing to note."""

    def check_started(self, milestone: str, task: str, title: str) -> None:
        """Note from now on for this check's task."""
        self._now = self.heard.setdefault(task, set())

    def check_ended(self, check: record.Check) -> None:
        """Nothing to note."""

    def ended_beside(self, ended: int, passed: int) -> None:
        """Nothing to note."""


class ListeningWorkers(InlineWorkers):
    """Inline workers, every request to which is heard."""

    def __init__(self, ear: Ear) -> None:
        super().__init__("cpu", capture=True)
        self._ear = ear

    def worker(self, limits: Limits, warm: tuple[str, ...] = ()) -> InlineWorker:
        """Return a worker with somebody between it and the judge."""
        worker = super().worker(limits, warm)
        worker.conversation = Conversation(Between(worker, self._ear))
        return worker


class Between:
    """Stands between judge and worker, and notes a digest of each question (a `Transport`)."""

    def __init__(self, worker: InlineWorker, ear: Ear) -> None:
        self._worker, self._ear = worker, ear
        self._made_by: dict[int, str] = {}  # handle → the question that it was the answer to

    def exchange(self, node: Any, buffers: list[Any], answer: Answer) -> Message:
        """Pass a request on, and the questions that come back meanwhile."""
        fields = dict(node["dict"])
        if "target" in fields:
            fields["target"] = self._origin(fields["target"])
        question = self._digest([self._settled(fields), *map(bytes, buffers)])
        if fields["op"] not in SILENT:
            self._ear.note(question)

        def answered(asked: Any, asked_buffers: list[Any]) -> Message:
            reply, out = answer(asked, asked_buffers)
            self._ear.note(self._digest([question, self._settled(reply), *map(bytes, out)]))
            return reply, out

        reply, out = self._worker.exchange(node, buffers, answered)
        if fields["op"] == "load":  # a question that differs from run to run; its answers are known by their names
            for name, value in reply.get("ok", {}).get("dict", []):
                self._remember(value, f"{name} of the module")
        else:
            self._remember(reply, question)
        return reply, out

    def _origin(self, handle: Any) -> str:
        return self._made_by.get(handle, "the module itself")

    def _settled(self, node: Any) -> Any:
        """Return a node with each handle replaced by where it came from: its number depends on what came before."""
        if isinstance(node, list):
            return [self._settled(part) for part in node]
        if isinstance(node, dict):
            if set(node) == {"handle"}:
                return {"handle": self._origin(node["handle"])}
            return {key: self._settled(part) for key, part in node.items()}
        return node

    def _remember(self, node: Any, question: str) -> None:
        if isinstance(node, list):
            for part in node:
                self._remember(part, question)
        elif isinstance(node, dict):
            if set(node) == {"handle"}:
                self._made_by.setdefault(node["handle"][0], question)
            for part in node.values():
                self._remember(part, question)

    @staticmethod
    def _digest(parts: list[Any]) -> str:
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode())
            digest.update(b"\0")
        return digest.hexdigest()[:16]
