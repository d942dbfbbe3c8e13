"""The syllabus and the pages as a course's students get them: only what was chosen, in the words that stand already."""

from __future__ import annotations

import re
from datetime import timedelta

from grader.course import Course
from grader.lateness import due_text
from grader.syllabus import Milestone, Syllabus

TASK = re.compile(r"(?m)^(?=\[\[task\]\])")
ID = re.compile(r'(?m)^id = "([^"]+)"')
POINTS = re.compile(r"(?m)^points = .*$")
NAME = re.compile(r"(?m)^name = .*$")
ROW = re.compile(r"\| \[?(m\d\d)\]?[ (]")  # of one of ours; without a link: of one that is planned
PICTURE = re.compile(r"!\[[^]]*\]\((pictures/\w+\.svg)\)\n*")
LAST_CELL = re.compile(r"\| [\d.]+ \|$", re.MULTILINE)  # the last cell of a row


def syllabus_text(text: str, chosen: Syllabus) -> str:
    """Return the course's own file with name and address of `chosen`, and in which order what it brings comes last."""
    name = f"name = {_toml(chosen.name)}"
    if chosen.repository:
        name += f"\nrepository = {_toml(chosen.repository)}"
    if chosen.own:
        name += f"\nlast = [{', '.join(_toml(milestone.id) for milestone in chosen.own)}]  # brought by the course"
    return NAME.sub(lambda _: name, text, count=1)


def room_text(text: str, milestone: Milestone, withheld: dict[str, int]) -> str:
    """Return a milestone's entry with its points and due date in this course, and how many checks are withheld."""
    head, *tasks = TASK.split(text)
    if milestone.due:
        head = f"due = {_toml(milestone.due)}\n{head}"
    points = {task.id: task.points for task in milestone.tasks}
    written = [head]
    for task in tasks:
        name = _id(task)
        line = f"points = {points[name]:.12g}" if points[name] == float(f"{points[name]:.12g}") else ""
        line = line or f"points = {points[name]!r}"
        if name in withheld:
            line += f"\nwithheld = {withheld[name]}  # checks that run on the course's own server"
        written.append(POINTS.sub(lambda _, line=line: line, task, count=1))  # type: ignore[misc]
    return "".join(written)


def _id(block: str) -> str:
    found = ID.search(block)
    if found is None:
        raise ValueError("a task of the syllabus has no id")
    return found.group(1)


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def table(chosen: Syllabus, course: Course | None) -> str:
    """Return the milestones as a Markdown table, with due dates where the course has any."""
    due = {m.id: course.due(m.id) for m in chosen.milestones} if course else {}
    dated = any(due.values())
    rows = ["| | you build | points |" + (" due |" if dated else ""), "|---|---|---:|" + ("---|" if dated else "")]
    for milestone in chosen.milestones:
        link = f"[{milestone.number}](exercises/{milestone.id}.md)"
        row = f"| {link} | **{milestone.title}.** {milestone.summary} | {round(milestone.points, 2):g} |"
        if dated:
            when = due[milestone.id]
            row += f" {due_text(when)} |" if when else " – |"
        rows.append(row)
    return "\n".join(rows) + "\n"


def lateness(chosen: Syllabus, course: Course | None) -> str:
    """Return what lateness costs, in a sentence for each price there is."""
    if course is None:
        return ""
    prices: dict[str, list[str]] = {}
    for milestone in chosen.milestones:
        part = course.part(milestone.id)
        if part.due is not None and part.late.per_day:
            minutes = part.late.grace / timedelta(minutes=1)
            grace = f"; up to {minutes:g} minutes cost nothing" if minutes else ""
            price = (
                f"late work loses {_percent(part.late.per_day)} of the points it earned for each day that has begun, "
                f"{_percent(part.late.cap)} of them at most{grace}."
            )
            prices.setdefault(price, []).append(milestone.number)
    sentences = [f"{', '.join(names)}: {price}" for price, names in prices.items()]
    return "\n" + "\n".join(sentences) + "\n" if sentences else ""


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def only_chosen_rows(page: str, chosen: Syllabus) -> str:
    """Return a page with the table rows of the milestones that were chosen, and with the course's own points."""
    points = {milestone.number: milestone.points for milestone in chosen.milestones}
    kept: list[str] = []
    end = 0  # of the rows
    for line in page.splitlines(keepends=True):
        row = ROW.match(line)
        if row is None:
            kept.append(line)
        elif row.group(1) in points:
            kept.append(LAST_CELL.sub(f"| {points[row.group(1)]:g} |", line))
        if row is not None:
            end = len(kept)
    kept[end:end] = [_row(milestone) for milestone in chosen.own] if end else []
    return "".join(kept)


def pictures(page: str) -> list[str]:
    """Return which pictures a page shows, as paths from where it lies."""
    return PICTURE.findall(page)


def without_pictures(page: str) -> str:
    """Return a page without its pictures."""
    return PICTURE.sub("", page)


def _row(milestone: Milestone) -> str:
    """Return the row of exercises/README.md for a milestone that the course brings."""
    needs = ", ".join(need[:3] for need in milestone.needs) or "–"
    link = f"[{milestone.number}]({milestone.id}.md)"
    return f"| {link} | {_cell(milestone.summary)} | {needs} | {_cell(milestone.title)} | – | {milestone.points:g} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def filled(template: str, **words: str) -> str:
    """Return a template with its <<names>> replaced. Raises KeyError for a name that nobody gave."""
    return re.sub(r"<<(\w+)>>", lambda found: words[found.group(1)], template)
