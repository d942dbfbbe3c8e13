"""Records for the tests of reports: fresh stubs, near misses, every outcome, and one that is hostile throughout."""

from __future__ import annotations

import dataclasses
import io
import unicodedata

from rich.console import Console

from grader.record import (
    BLOCKED,
    FAILED,
    GRADER_ERROR,
    NOT_STARTED,
    OUTCOMES,
    PASSED,
    VALUE,
    Check,
    Frame,
    Milestone,
    Record,
    Task,
)
from grader.reports.student_view import student_view
from grader.reports.terminal import report as terminal

TOKENIZER = [
    ("GPT-2's pre-tokenization pattern", 4),
    ("Training", 6),
    ("Encoding and decoding", 5),
    ("Streaming", 3),
    ("Special tokens", 3),
    ("GPT-2's own files", 4),
]
ATTENTION = [
    ("Causal mask", 3),
    ("Scaled dot-product attention", 5),
    ("Multi-head attention", 6),
    ("Half precision", 2),
]
FORBIDDEN = "m04_attention.py uses F.scaled_dot_product_attention, which this milestone asks you to build."

HOSTILE = (
    "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\x1b]8;;http://evil.example\x07click\x1b]8;;\x1b\\ \x1b]52;c;cm0gLXJm\x07"
    "[red]markup[/red] \u202egnp.exe\u202c \u200bzero\ufeff </details></code><script>alert(1)</script> ]]> a|b "
    "@octocat #12 www.evil.example https://evil.example ![i](http://evil.example/i.png) `tick` ~~~~ ``````fence\n"
    "```\n::error file=x::forged\r##[group]forged\n  ::add-mask::a\n"
    "\x00nul \ud800half \x9b31mC1 \x85 \u2028 \x0c \ufffe =cmd()|'/c calc'!A0 [[ATTACHMENT|/etc/passwd]] e"
    + "\u0301"
    * 50
)


def make_task(milestone: str, number: int, title: str, points: float, outcomes: tuple[str, ...]) -> Task:
    """Return a task with one check for each outcome."""
    checks = [
        Check(f"test_behaviour_{place}", f"Behaviour {place} holds.", outcome, [VALUE], 0.25)
        for place, outcome in enumerate(outcomes, start=1)
    ]
    earned = points if set(outcomes) == {PASSED} else 0
    return Task(f"{milestone}.{number}", title, points, earned, checks)


def make_record(tokenizer: str, attention: str, **facts: object) -> Record:
    """Return a record of two milestones, every check of which ended in the outcome given."""
    milestones = [
        Milestone(
            name,
            title,
            [make_task(name[:3], n, task, points, (outcome,) * 4) for n, (task, points) in enumerate(tasks, start=1)],
        )
        for name, title, tasks, outcome in (
            ("m01_tokenizer", "Byte-level BPE tokenizer", TOKENIZER, tokenizer),
            ("m04_attention", "Multi-head attention", ATTENTION, attention),
        )
    ]
    record = Record("0.1.0+ab12cd34", "exercises", "0", "cpu", "bubblewrap", milestones=milestones, seconds=3.21)
    return dataclasses.replace(record, **facts)


def fresh_stubs() -> Record:
    """Return the record of the stubs as they are handed out."""
    return make_record(NOT_STARTED, NOT_STARTED)


def near_miss() -> Record:
    """Return a record with one task whose mistake is known, one that raises, and one that waits."""
    record = make_record(PASSED, PASSED)
    record.milestones[0].reused = True
    _, scores, heads, half = record.milestones[1].tasks
    scores.earned = heads.earned = half.earned = 0
    scores.checks[1] = Check(
        "test_scores_are_divided_by_the_root_of_the_head_width",
        "Scores are divided by the square root of d_head before the softmax.",
        FAILED,
        [VALUE],
        0.02,
        message="The result differs from what is expected by up to 0.812 at [1, 2, 3, 4]: got -1.03, expected -0.218 "
        "(allowed: 1e-05).\n84 of 90 values are off.\ngot:      [0.2210, -0.3127, 0.8810, -1.1871, 0.0412, …]\n"
        "expected: [0.1312, -0.4410, 0.9021, -1.2034, 0.1288, …]",
        mistake="the scores are not divided by sqrt(d_head)",
        output="query torch.Size([2, 3, 5, 4])\nkey torch.Size([2, 3, 7, 4])\n",
    )
    for check in heads.checks:
        check.outcome, check.blocked_by = BLOCKED, "m04.2"
    half.checks[0] = Check(
        "test_half_precision[float16]",
        "float16 in gives float16 out, close to the float32 result.",
        FAILED,
        message="Your code raised RuntimeError: expected scalar type Half but found Float",
        traceback=[
            Frame("m04_attention.py", 88, "forward", "    return self.c_proj(self.merge(weights @ value))"),
            Frame("m04_attention.py", 41, "merge", "    return heads.transpose(1, 2) @ torch.eye(width)"),
        ],
    )
    return record


def every_outcome() -> Record:
    """Return a record in which each outcome occurs, with notes, a file that can't be graded and a grader error."""
    record = make_record(FAILED, NOT_STARTED, isolation="process", submission="submissions/ada")
    record.notes = ["bubblewrap is not installed: this run was kept apart by a process alone, enough for practice."]
    tokenizer, attention = record.milestones
    tokenizer.problem = "m01_tokenizer.py has a syntax error in line 12: '(' was never closed."
    attention.notes = [FORBIDDEN]
    attention.tasks = [
        make_task("m04", number, f"Task {number}", 2, (PASSED, outcome))
        for number, outcome in enumerate(OUTCOMES, start=1)
    ]
    attention.tasks[3].checks[1].blocked_by = "m04.3"
    attention.tasks[4].checks[1].output = "step\n" * 4000
    attention.tasks[7].checks[1].message = "KeyError: 'h.0.attn'"
    return record


def official() -> Record:
    """Return the official record of the near miss, with everything that a student may not see."""
    return dataclasses.replace(near_miss(), official=True, seed="8f3a-very-secret", secret_seed=True)


SCREENS = {
    "fresh_stubs": fresh_stubs,
    "near_miss": near_miss,
    "every_outcome": every_outcome,
    "all_passed": lambda: make_record(PASSED, PASSED),
    "official_as_the_student_sees_it": lambda: student_view(official()),
}


def hostile() -> Record:
    """Return a record in which everything that can come from a student is hostile."""
    record = near_miss()
    record.submission = HOSTILE
    record.notes = [HOSTILE]
    record.milestones[0].reused = False
    record.milestones[0].problem = HOSTILE
    attention = record.milestones[1]
    attention.notes = [HOSTILE]
    for task in attention.tasks:
        task.earned = 0
        for check in task.checks:
            check.outcome, check.message, check.output = FAILED, HOSTILE, HOSTILE
            check.traceback = [Frame(HOSTILE, 3, HOSTILE, HOSTILE)] * 10
    attention.tasks[1].checks[0].traceback *= 100
    attention.tasks[0].checks[0].outcome = GRADER_ERROR
    return record


def screen(record: Record, width: int = 80, **facts: object) -> str:
    """Return the terminal report as text."""
    with io.StringIO() as file:
        terminal.render(record, Console(file=file, width=width, color_system=None), **facts)
        return file.getvalue()


def assert_inert(text: str) -> None:
    """Fail if any character of the text does more than be seen."""
    bad = {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert bad <= {"\n"}
    text.encode("utf-8")
