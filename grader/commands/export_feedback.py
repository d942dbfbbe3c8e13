"""`export --format feedback`: a page for each student, and the archives that Moodle and Canvas hand out to them."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

from grader.classroom.book.standing import ClassResult, Standing
from grader.classroom.book.student_records import file_names
from grader.reports import words
from grader.reports.marks.sheets import listed
from grader.reports.pages import feedback
from grader.reports.text_file import ReportError, write_report, write_text_report
from grader.safe_text import one_line

# Moodle: mod/assign/feedback/file/importziplib.php, is_valid_filename_for_import: a folder whose name is a full name,
# the participant's number, and the kind and name of a plugin, parted by underscores.
_MOODLE = re.compile(r"([^_/!]*_\d+)_assignsubmission_file")
# Canvas: app/models/abstract_assignment.rb, infer_comment_context_from_filename: of a file's name, parted at its
# underscores, the first two parts that are numbers are a user's and that of a file which this user has handed in.
_CANVAS = re.compile(r"((?:[^/!_]*[^/!_\d][^/!_]*_)+\d+_\d+)(?=$|/)")
PLATFORMS = {"moodle": (_MOODLE, "{}_assignsubmission_file_/feedback.html"), "canvas": (_CANVAS, "{}_feedback.html")}


def write(result: ClassResult, folder: Path, student: str | None = None) -> list[str]:
    """Write the pages into a folder and return what there is to say about them. Raises ReportError."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(f"The feedback can't be written into {folder}: {reason}.") from None
    chosen = [one for one in result.standings if student is None or one.student.id == student]
    names = file_names(one.student.id for one in result.standings)
    empty = []
    for one in chosen:
        rows = feedback.shown(result, one)
        if not rows:
            empty.append(one.student.id)
            continue
        stem = folder / names[one.student.id].removesuffix(".json")
        write_text_report(f"{stem}.html", feedback.render(result, one, rows))
        write_text_report(f"{stem}.md", feedback.render_markdown(result, one, rows))
    sentences = [f"Nothing is released or due for {listed(empty)}: no page."] if empty else []
    for column in result.columns:
        for platform in PLATFORMS:
            sentences += _archive(result, chosen, column.milestone, platform, folder)
    return sentences


def _archive(result: ClassResult, standings: list[Standing], milestone: str, platform: str, folder: Path) -> list[str]:
    """Write one assignment's archive, if any of it came from this platform."""
    pattern, form = PLATFORMS[platform]
    found = {one.student.id: pattern.search(one.origins.get(milestone, "")) for one in standings}
    names = {student: form.format(match[1]) for student, match in found.items() if match}
    # What is attached to a team's submission is read by all of it, and each member's page is that member's alone.
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    teams = [student for student, name in names.items() if name in shared]
    pages, elsewhere = {}, []
    for one in standings:
        rows = feedback.shown(result, one, [milestone])
        name = names.get(one.student.id)
        if rows and name and name not in shared:
            pages[name] = feedback.render(result, one, rows)
        elif rows and not name and milestone in one.milestones:
            elsewhere.append(one.student.id)
    if pages:
        with io.BytesIO() as data:
            with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, text in sorted(pages.items()):
                    archive.writestr(zipfile.ZipInfo(name), text.encode("utf-8"), zipfile.ZIP_DEFLATED)
            write_report(folder / f"{platform}-{words.short(milestone)}.zip", data.getvalue())
    short, sentences = words.short(milestone), []
    if teams:
        sentences.append(
            f"{short} of {listed(teams)} is teams' work, to which {platform.capitalize()} would show each member's "
            "page: they are not in its archive."
        )
    if pages and elsewhere:
        sentences.append(
            f"{platform}-{short}.zip lacks {listed(elsewhere)}, whose {short} did not come from a download of "
            f"{platform.capitalize()}'s."
        )
    return sentences


def say(sentences: list[str]) -> None:
    """Print what there is to know."""
    for sentence in sentences:
        print(f"scratchwork: {one_line(sentence, 1000)}", file=sys.stderr)
