"""The result record: what one graded run says, and the only thing that reports read.

JSON with a version, as record.schema.json describes it. It holds everything that the instructor may see;
`grader.reports` decides who sees what.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from . import schema
from .clipping import FRAMES, LINE, MESSAGE, NAME, SENTENCE, clip, clip_list

SCHEMA = "scratchwork-record/1"
OFFICIAL_LEVELS = ("bubblewrap", "user")  # at which a run may count
# Not in the JSON where they are empty, nor in older records.
OPTIONAL = ("dice", "official_problem")  # of a milestone
USUAL = {"weights_llama": "llama-nano"}  # of a record: left out where it is this
OPTIONAL_OF_TASK = ("rests_on",)
OPTIONAL_OF_CHECK = ("achieved",)

PASSED = "passed"
FAILED = "failed"
NOT_STARTED = "not_started"
BLOCKED = "blocked"
TIMED_OUT = "timed_out"
OUT_OF_MEMORY = "out_of_memory"
CRASHED = "crashed"
GRADER_ERROR = "grader_error"
WITHHELD = "withheld"  # of a task: its checks are not in this copy of the course and run elsewhere
OUTCOMES = (PASSED, FAILED, NOT_STARTED, BLOCKED, TIMED_OUT, OUT_OF_MEMORY, CRASHED, GRADER_ERROR)

VALUE = "value"  # the judge compared values
MEASURED = "measured"  # the judge measured time, calls or memory itself
CLAIM = "claim"  # code inside the worker said so


@dataclass
class Frame:
    """One line of the student's own traceback."""

    file: str  # "m04_attention.py"
    line: int
    function: str
    source: str

    def __post_init__(self) -> None:
        """Keep names and line to a length."""
        self.file, self.function, self.source = (
            clip(self.file, NAME),
            clip(self.function, NAME),
            clip(self.source, LINE),
        )


@dataclass
class Check:
    """One check of the hidden suite and how it ended."""

    id: str  # "test_rows_sum_to_one" or "test_rows_sum_to_one[float16]"
    title: str  # the one-sentence description that a student reads
    outcome: str
    evidence: list[str] = field(default_factory=list)
    seconds: float = 0.0
    message: str = ""  # first line: one sentence; further lines: details
    mistake: str | None = None  # the likely mistake, in words
    blocked_by: str | None = None  # a task id, when the outcome is "blocked"
    traceback: list[Frame] = field(default_factory=list)
    output: str = ""  # what the student's code printed during this check, cut to the limit
    achieved: list[str] = field(default_factory=list)  # in practice: what it found to be proud of, a sentence each

    def __post_init__(self) -> None:
        """Keep texts to a length, however long what the worker sent."""
        self.id, self.title, self.message = (
            clip(self.id, SENTENCE),
            clip(self.title, SENTENCE),
            clip(self.message, MESSAGE),
        )
        self.mistake = self.mistake and clip(self.mistake, SENTENCE)
        self.blocked_by = self.blocked_by and clip(self.blocked_by, NAME)
        self.traceback, self.achieved = self.traceback[-FRAMES:], clip_list(self.achieved)


@dataclass
class Task:
    """One thing to implement; its points are earned when all of its checks pass."""

    id: str  # "m04.2"
    title: str
    points: float
    earned: float = 0.0
    checks: list[Check] = field(default_factory=list)
    withheld: int = 0  # checks that are not in this copy of the course; a task has either these or checks
    rests_on: list[str] = field(default_factory=list)  # earlier tasks whose functions it calls

    @property
    def outcome(self) -> str:
        """What the task is called in a table: passed only when every check passed."""
        if not self.checks:
            return WITHHELD if self.withheld else GRADER_ERROR
        outcomes = [check.outcome for check in self.checks]
        if all(outcome == PASSED for outcome in outcomes):
            return PASSED
        for worst in (GRADER_ERROR, CRASHED, OUT_OF_MEMORY, TIMED_OUT, FAILED, NOT_STARTED, BLOCKED):
            if worst in outcomes:
                return worst
        return GRADER_ERROR

    @property
    def first_unfinished(self) -> Check | None:
        """The first check, in the suite's order, that did not pass."""
        return next((check for check in self.checks if check.outcome != PASSED), None)


@dataclass
class Milestone:
    """One module of the course and its tasks."""

    id: str  # "m04_attention"
    title: str
    tasks: list[Task] = field(default_factory=list)
    problem: str | None = None  # one sentence, when the file as a whole could not be graded
    notes: list[str] = field(default_factory=list)  # one sentence each: shortcuts seen, files not taken …
    reused: bool = False  # unchanged since it passed, so not graded again
    sources: str = ""  # SHA-256 of exactly what was graded
    dice: str = ""  # what the workers' dice were drawn from; empty: from the seed
    official_problem: str = ""  # what an official report says of the problem; empty: only that there is one

    def __post_init__(self) -> None:
        """Keep texts to a length and notes to a number."""
        self.problem = self.problem and clip(self.problem, SENTENCE)
        self.official_problem, self.notes = clip(self.official_problem, SENTENCE), clip_list(self.notes)

    @property
    def earned(self) -> float:
        """Points earned in this milestone."""
        return sum(task.earned for task in self.tasks)

    @property
    def possible(self) -> float:
        """Points that can be earned in this milestone."""
        return sum(task.points for task in self.tasks)

    @property
    def passed(self) -> bool:
        """Whether every task of this milestone passed that has its checks here; at least one has."""
        here = [task for task in self.tasks if task.outcome != WITHHELD]
        return bool(here) and all(task.outcome == PASSED for task in here)

    @property
    def decided(self) -> bool:
        """Whether the grader stands behind all of it: no task at which it failed, or whose checks are elsewhere."""
        return all(task.outcome not in (GRADER_ERROR, WITHHELD) for task in self.tasks)

    @property
    def untouched(self) -> bool:
        """Whether nothing of it has been begun: every task is the stub that it was."""
        return self.problem is None and bool(self.tasks) and all(task.outcome == NOT_STARTED for task in self.tasks)

    @property
    def withheld(self) -> int:
        """How many checks of this milestone run elsewhere."""
        return sum(task.withheld for task in self.tasks)


@dataclass
class Record:
    """One graded run."""

    grader: str  # version of the grader and the hash of its suites
    submission: str  # the folder, as it was named
    seed: str  # recorded for the instructor; a secret one is never shown to students
    device: str
    isolation: str  # bubblewrap | user | process | inline
    environment: str = ""  # Python, torch and system that the judge ran on
    weights: str = "gpt2-nano"
    weights_llama: str = "llama-nano"
    official: bool = False
    secret_seed: bool = False
    prerequisites: str = "submission"  # or "solutions"
    notes: list[str] = field(default_factory=list)  # one sentence each: fallbacks, what the isolation does not stop
    milestones: list[Milestone] = field(default_factory=list)
    seconds: float = 0.0
    schema: str = SCHEMA

    @property
    def earned(self) -> float:
        """Points earned in the whole run."""
        return sum(milestone.earned for milestone in self.milestones)

    @property
    def possible(self) -> float:
        """Points that could be earned in the whole run."""
        return sum(milestone.possible for milestone in self.milestones)

    @property
    def passed(self) -> bool:
        """Whether everything passed that was selected and has its checks here; something has."""
        here = [m for m in self.milestones if not m.tasks or any(task.outcome != WITHHELD for task in m.tasks)]
        return bool(here) and all(milestone.passed for milestone in here)

    @property
    def withheld(self) -> int:
        """How many checks of what was selected run elsewhere."""
        return sum(milestone.withheld for milestone in self.milestones)

    @property
    def grader_at_fault(self) -> bool:
        """Whether any check ended in a grader error, or a task had no check at all."""
        return any(
            task.outcome == GRADER_ERROR or any(check.outcome == GRADER_ERROR for check in task.checks)
            for milestone in self.milestones
            for task in milestone.tasks
        )


def to_json(record: Record) -> dict[str, Any]:
    """Return the record as plain JSON data, sums included."""
    plain = dataclasses.asdict(record)
    plain["earned"], plain["possible"] = record.earned, record.possible
    for name, usual in USUAL.items():
        if plain[name] == usual:
            del plain[name]
    for milestone, data in zip(record.milestones, plain["milestones"], strict=True):
        data["earned"], data["possible"] = milestone.earned, milestone.possible
        _without_empty(data, OPTIONAL)
        for task, task_data in zip(milestone.tasks, data["tasks"], strict=True):
            task_data["outcome"] = task.outcome
            _without_empty(task_data, OPTIONAL_OF_TASK)
            for check in task_data["checks"]:
                _without_empty(check, OPTIONAL_OF_CHECK)
    return plain


def _without_empty(data: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not data[name]:
            del data[name]


def fitted(check: Check) -> Check:
    """Return a check as a record can hold it: text cut to its length, numbers in their range, no frame that is none.

    What a worker says goes through here when it becomes a check, so that no record is made that nobody can read.
    Raises ValueError for a check that is malformed in another way.
    """
    whole = schema.load(schema.RECORD)
    return _check(schema.fitted(dataclasses.asdict(check), {"$ref": "#/$defs/check"}, whole))


def fit_words(milestone: Milestone) -> None:
    """Cut what is said of a milestone as a whole in the same way."""
    known = schema.load(schema.RECORD)["$defs"]["milestone"]["properties"]
    for part in dataclasses.fields(milestone):
        if part.name != "tasks":
            setattr(milestone, part.name, schema.fitted(getattr(milestone, part.name), known[part.name]))


def validate(plain: Any) -> None:
    """Raise ValueError, with what is wrong and where, unless this is a record of our schema whose sums are right."""
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise ValueError(f"not a result record of schema {SCHEMA}")
    schema.check(plain, schema.load(schema.RECORD))
    if plain["official"] and not (plain["secret_seed"] and plain["isolation"] in OFFICIAL_LEVELS):
        raise ValueError(
            f"it is called official, which takes a secret seed and the level {' or '.join(OFFICIAL_LEVELS)}"
        )
    for number, milestone in enumerate(plain["milestones"]):
        _validate_sums(milestone, f"milestones[{number}]")
    _validate_names(plain["milestones"], "it")
    _validate_total(plain, plain["milestones"], "it")


def milestone_from_json(plain: Any) -> Milestone:
    """Read one milestone back; ValueError if it isn't one."""
    whole = schema.load(schema.RECORD)
    schema.check(plain, {"$ref": "#/$defs/milestone"}, "the milestone", whole)
    _validate_sums(plain, "the milestone")
    return _milestone(plain)


def from_json(plain: Any) -> Record:
    """Read a record back; ValueError if it is no record, of another version, or contradicts itself."""
    validate(plain)
    known = USUAL | plain
    kept = {part.name: known[part.name] for part in dataclasses.fields(Record)}
    return Record(**{**kept, "milestones": [_milestone(part) for part in plain["milestones"]]})


def _milestone(plain: dict[str, Any]) -> Milestone:
    tasks = [
        Task(
            id=task["id"],
            title=task["title"],
            points=task["points"],
            earned=task["earned"],
            checks=[_check(check) for check in task["checks"]],
            withheld=task["withheld"],
            rests_on=task.get("rests_on", []),
        )
        for task in plain["tasks"]
    ]
    kept = {name: plain[name] for name in ("id", "title", "problem", "notes", "reused", "sources")}
    return Milestone(tasks=tasks, **kept, **{name: plain.get(name, "") for name in OPTIONAL})


def _check(plain: dict[str, Any]) -> Check:
    return Check(**{**plain, "traceback": [Frame(**frame) for frame in plain["traceback"]]})


def _validate_sums(milestone: dict[str, Any], place: str) -> None:
    for number, task in enumerate(milestone["tasks"]):
        where = f"{place}.tasks[{number}]"
        checks = [_check(check) for check in task["checks"]]
        outcomes = Task("", "", 0, checks=checks, withheld=task["withheld"]).outcome
        _validate_names(task["checks"], where)
        if task["outcome"] != outcomes:
            raise ValueError(f"{where} is called {task['outcome']}, which its checks are not")
        if task["earned"] not in (0, task["points"]) or (task["earned"] and outcomes != PASSED):
            raise ValueError(f"{where} has {task['earned']:g} points, which its checks do not earn")
    _validate_names(milestone["tasks"], place)
    _validate_total(milestone, milestone["tasks"], place)


def _validate_names(parts: list[dict[str, Any]], place: str) -> None:
    seen: set[str] = set()
    for part in parts:
        if part["id"] in seen:
            raise ValueError(f"{place} has {schema.shown(part['id'])} twice")
        seen.add(part["id"])


def _validate_total(whole: dict[str, Any], parts: list[dict[str, Any]], place: str) -> None:
    for name in ("earned", "possible"):
        total = sum(part["points" if name == "possible" and "points" in part else name] for part in parts)
        if not math.isclose(whole[name], total, abs_tol=1e-6):
            raise ValueError(f"{place} has {whole[name]:g} points {name}, and its parts have {total:g}")
