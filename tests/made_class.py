"""Classes that were made up: one with hostile names for the exports, and a larger one for the class report."""

from __future__ import annotations

import random

from grader.classroom.book.standing import ClassResult, Column, Standing, Student
from grader.record import (
    BLOCKED,
    CRASHED,
    FAILED,
    GRADER_ERROR,
    NOT_STARTED,
    PASSED,
    TIMED_OUT,
    VALUE,
    Check,
    Milestone,
    Task,
)

COLUMNS = [
    Column("m00_warmup", "Warm-up", 10, "2026-03-01T23:59:00+01:00"),
    Column("m04_attention", "Attention", 15, "2026-03-15T23:59:00+01:00"),
]
TASKS = {
    "m00_warmup": [("A softmax that never overflows", 4), ("Cross-entropy from logits", 6)],
    "m04_attention": [("Causal mask", 3), ("Scaled dot-product attention", 5), ("Multi-head attention", 7)],
}
MISTAKES = {
    "m04.1": "the mask hides the past instead of the future",
    "m04.2": "the scores are not divided by sqrt(d_head)",
    "m00.1": "the maximum is not subtracted",
}
HOSTILE = {
    "formula": "=cmd|'/c calc'!A0",
    "right to left": "\u202eedoc\u202c Grace",
    "markup": "<script>alert(1)</script>, Mallory",
    "two lines": "Nora\nNewline",
    "comma": 'Lovelace, Ada "Countess"',
    "letters": "Zoë Ünïcødé 李",
    "escapes": "\x1b[31mEve\x1b[0m",
    "canvas": "    Points Possible",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
}


def task(milestone: str, number: int, outcome: str, checks: int = 4) -> Task:
    """Return a task, of whose checks the first passed and the others ended in the outcome."""
    name, (title, points) = f"{milestone[:3]}.{number}", TASKS[milestone][number - 1]
    outcomes = [PASSED] + [outcome] * (checks - 1)
    found = [
        Check(
            f"test_{place}",
            f"Behaviour {place} holds.",
            each,
            [VALUE],
            0.25,
            message="" if each == PASSED else "The result differs: got 0.123, expected 0.456.",
            mistake=MISTAKES.get(name) if each == FAILED else None,
            output="" if each == PASSED else "hidden input: 0.456\n",
        )
        for place, each in enumerate(outcomes, start=1)
    ]
    return Task(name, title, points, points if outcome == PASSED else 0, found)


def milestone(name: str, *outcomes: str, problem: str | None = None) -> Milestone:
    """Return a milestone's result, one outcome a task."""
    title = next(column.title for column in COLUMNS if column.milestone == name)
    found = [task(name, number, outcome) for number, outcome in enumerate(outcomes, start=1)]
    return Milestone(name, title, found, problem=problem, sources="0" * 64)


def standing(number: int, name: str, *results: Milestone, **facts: object) -> Standing:
    """Return a student's standing; with results, something was handed in."""
    student = Student(f"s{number:03}", name, f"s{number:03}@uni.example")
    kept = {result.id: result for result in results}
    return Standing(student, kept, **({"origin": f"submissions/s{number:03}"} if results else {}) | facts)


def hostile_class() -> ClassResult:
    """Return a small class in which every name, note and origin is hostile, and every kind of result occurs."""
    names = list(HOSTILE.values())
    warmup = milestone("m00_warmup", PASSED, PASSED)
    half = milestone("m04_attention", PASSED, FAILED, BLOCKED)
    standings = [
        standing(1, names[0], warmup, half, handed_in="2026-03-16T01:30:00+01:00", penalties={"m04_attention": 0.75}),
        standing(2, names[1], milestone("m00_warmup", FAILED, PASSED), half),
        standing(3, names[2], warmup, milestone("m04_attention", CRASHED, NOT_STARTED, NOT_STARTED)),
        standing(4, names[3]),
        standing(5, names[4], milestone("m00_warmup", NOT_STARTED, NOT_STARTED, problem=f"{names[0]} is no Python.")),
        standing(6, names[5], warmup, milestone("m04_attention", PASSED, GRADER_ERROR, PASSED)),
        standing(7, names[6], warmup, milestone("m04_attention", PASSED, PASSED, PASSED)),
        standing(8, names[7], warmup, half, notes=[names[2], names[0]]),
        standing(9, names[8], milestone("m00_warmup", TIMED_OUT, PASSED), half, origin=names[2]),
    ]
    standings[4].problem = f"{names[2]} holds none of the course's modules."
    facts = {"grader": "0.1.0+ab12cd34", "isolation": "bubblewrap", "official": True, "notes": [names[0], names[2]]}
    return ClassResult("Course <b>of</b> =1+1", list(COLUMNS), standings, **facts)


def large_class(students: int = 28, seed: int = 7) -> ClassResult:
    """Return a class as it might be in the middle of a term."""
    dice = random.Random(seed)
    first = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Leslie", "Radia", "Tim", "Adele"]
    last = ["Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Lamport", "Perlman", "Goldberg"]
    standings = []
    for number in range(1, students + 1):
        name, skill = f"{dice.choice(first)} {dice.choice(last)}", dice.random()
        if number % 9 == 0:
            standings.append(standing(number, name))
            continue
        warmup = [PASSED if dice.random() < 0.4 + 0.6 * skill else FAILED for _ in range(2)]
        odd = CRASHED if dice.random() < 0.1 else FAILED
        attention = [PASSED if dice.random() < 0.2 + 0.7 * skill else odd for _ in range(3)]
        if skill < 0.25:
            attention = [NOT_STARTED] * 3
        elif attention[1] != PASSED:
            attention[2] = BLOCKED
        results = [milestone("m00_warmup", *warmup), milestone("m04_attention", *attention)]
        standings.append(standing(number, name, *results))
    facts = {"grader": "0.1.0+ab12cd34", "isolation": "bubblewrap", "official": True}
    return ClassResult("Language models from nothing, spring 2026", list(COLUMNS), standings, **facts)
