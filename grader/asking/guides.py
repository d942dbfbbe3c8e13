"""The guides of a course, cut into their sections, as the texts that questions are asked about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from grader.judge.errors import UsageProblem
from grader.syllabus import Milestone

LARGEST = 200_000  # characters of a guide
LEAST = 40  # characters of a section that says something
NO_ANSWERS = ("Reading", "Out of scope")  # what they name stands elsewhere
# What is no prose: code, formulas on lines of their own, tables, pictures, and the tags of what is folded.
NO_PROSE = re.compile(
    r"(?ms)^```.*?^```$|^\$\$.*?^\$\$$|^\|.*?$|^!\[[^\]]*\]\([^)]*\)$|^</?details>$|^<summary>.*?</summary>$"
)


@dataclass(frozen=True)
class Section:
    """A part of a guide under one heading, as prose."""

    milestone: str  # m04
    page: str  # exercises/m04_attention.md
    heading: str
    text: str

    @property
    def title(self) -> str:
        """What its chunks begin with, and are found by as well."""
        return f"{self.milestone} {self.heading}"

    @property
    def name(self) -> str:
        """How a judgement names it: m04.2, or m04 and the heading."""
        task = re.match(r"m\d\d\.\d+", self.heading)
        return task[0] if task else f"{self.milestone} {self.heading}"


def read(milestones: Iterable[Milestone]) -> list[Section]:
    """Return the sections of the guides that are there, in order. Raises UsageProblem where there is none."""
    found: list[Section] = []
    for milestone in milestones:
        try:
            guide = milestone.guide.read_text(encoding="utf-8")[:LARGEST]
        except (OSError, UnicodeDecodeError):
            continue
        found += cut(guide, milestone.number, milestone.page)
    if not found:
        raise UsageProblem("There are no guides here to ask about: exercises/ holds none that can be read.")
    return found


def cut(guide: str, milestone: str, page: str) -> list[Section]:
    """Cut one guide at its headings; what stands before the first says only how to begin."""
    sections = []
    for part in re.split(r"(?m)^## ", NO_PROSE.sub("", guide))[1:]:
        heading, _, body = part.partition("\n")
        text = "\n\n".join(filter(None, map(_paragraph, re.split(r"\n{2,}", body.replace("**", "")))))
        if len(text) >= LEAST and heading.strip() not in NO_ANSWERS:
            sections.append(Section(milestone, page, heading.strip(), text))
    return sections


def _paragraph(text: str) -> str:
    """Put a paragraph on one line, each item of a list on its own, without the words that announce a session."""
    lines = re.sub(r"\n(?!(?:[-*]|\d+\.) )\s*", " ", text.strip())
    return re.sub(r"\s*You should( then)? see[^.:]*:$", "", lines)
