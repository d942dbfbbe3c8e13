"""What Gradescope's container runs: one submission, one results.json. Nothing of earlier submissions is read."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from grader import course as courses
from grader import syllabus
from grader.classroom.intake.archives import stem
from grader.classroom.intake.layout import take_tree
from grader.classroom.intake.trees import TreeError, folder_tree
from grader.practice import SECRET_SEED_FILE, Practice
from grader.sandbox import levels
from grader.submission import Submission, SubmissionError, collect, module_files
from grader.syllabus import Syllabus

OURS = "The autograder made a mistake. This is no fault of your code: please tell your instructor, and submit again."
DEEPEST = 4  # folders between what was uploaded and the modules: a repository inside a zip inside a folder


def main(arguments: list[str]) -> int:
    """Grade what lies in ROOT/submission, or only check that this could be done (--check)."""
    root = Path(arguments[0])
    if "--check" in arguments:
        return check(root)
    try:
        results = graded(root)
    except SubmissionError as error:
        results = sentence(str(error))
    except Exception:  # whatever it is: the student gets a result, and the instructor the reason
        traceback.print_exc()
        results = sentence(OURS)
    from grader.reports.text_file import write_text_report

    write_text_report(root / "results" / "results.json", results)
    (root / "results" / "results.json").chmod(0o600)
    return 0


def graded(root: Path) -> str:
    """Grade the submission and return the results as Gradescope reads them."""
    course, assignment = _read(root)
    submission = found(root / "submission", course)
    practice = Practice(options(root, assignment), course, _chosen(course, assignment), root / "submission")
    try:
        practice.boot()
        result = practice.grade(submission, again=True)
    finally:
        practice.close()
    print(f"{result.grader}, level {result.isolation}: {result.earned:g} of {result.possible:g} points.")
    from grader.reports.machines import gradescope

    return gradescope.render(result)


def check(root: Path) -> int:
    """Say which isolation level works here, by starting it, and whether what is to be graded is all there."""
    course, assignment = _read(root)
    practice = Practice(options(root, assignment), course, _chosen(course, assignment), root / "submission")
    try:
        practice.workers.wait()
    finally:
        practice.close()
    print(f"Ready: level {practice.workers.level}, {', '.join(assignment['milestones'])}.")
    return 0


def options(root: Path, assignment: dict[str, Any]) -> argparse.Namespace:
    """Return the conditions of grading: an official run draws from the seed that the instructor put in."""
    official = assignment["official"]
    if official:
        os.environ[SECRET_SEED_FILE] = str(root / "source" / "secret_seed")
    return argparse.Namespace(
        official=official, isolation=_level(assignment["isolation"]), prerequisites=assignment["prerequisites"],
        device="cpu", weights="gpt2-nano", weights_llama="llama-nano", seed=None, debug=False, all=True,
    )  # fmt: skip


def found(folder: Path, course: Syllabus) -> Submission:
    """Take the one folder of an upload that holds modules; of several the one that is called exercises.

    Raises SubmissionError, with one sentence for the student, when there is none, or no telling which.
    """
    names = module_files(course).keys()
    holding = []
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if depth < DEEPEST and not name.startswith((".", "__")))
        if names & {*files, *folders}:
            holding.append(Path(place))
    if not holding and (inside := _archived(folder, course)):
        return inside
    called = [place for place in holding if place.name == "exercises"] if len(holding) > 1 else holding
    if len(called) != 1:
        what = "more than one folder with" if holding else "none of"
        raise SubmissionError(
            f"The upload has {what} the course's modules ({course.milestones[0].id}.py and so on); "
            "upload the files of your folder exercises."
        )
    submission = collect(called[0], course)
    submission.folder = "your upload"
    return submission


def _archived(folder: Path, course: Syllabus) -> Submission | None:
    """Take the modules out of the one archive of an upload; None where there is none. Raises SubmissionError."""
    tree = folder_tree(folder, "your upload")
    if not any(stem(entry.name) and not entry.folder for entry in tree.entries):
        return None
    try:
        submission, _, notes = take_tree(tree, course, 0)
    except TreeError as error:
        raise SubmissionError(str(error)) from error
    submission.folder = "your upload"
    submission.notes = notes
    return submission


def sentence(text: str) -> str:
    """Return results that are nothing but a sentence, and earn nothing."""
    plain = {"score": 0, "output": text, "output_format": "text", "stdout_visibility": "hidden"}
    return json.dumps(plain, indent=2) + "\n"


def _read(root: Path) -> tuple[Syllabus, dict[str, Any]]:
    """Return the syllabus, as the course's file changes it where the zip has one, and the assignment's settings."""
    source = root / "source"
    assignment: dict[str, Any] = json.loads((source / "assignment.json").read_text(encoding="utf-8"))
    whole = syllabus.load()
    name = assignment["course"]
    rooms = source / "rooms"  # where package.py puts what the course brings
    course = courses.load(source / name, whole, rooms).syllabus(whole) if name else whole
    undated = tuple(replace(milestone, due="") for milestone in course.milestones)  # due dates are Gradescope's own
    return replace(course, milestones=undated), assignment


def _chosen(course: Syllabus, assignment: dict[str, Any]) -> list[syllabus.Milestone]:
    return [course.milestone(name) for name in assignment["milestones"]]


def _level(wanted: str) -> str:
    return levels.strongest_for_strangers() if wanted == "auto" else wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
