"""What grading again from a record takes: the same milestones, the same sources in the same company, the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader import record
from grader.judge.errors import UsageProblem
from grader.practice import SECRET_SEED, SECRET_SEED_FILE, secret_seed, seed_hash, with_solutions
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError
from grader.submission import Submission, collect
from grader.syllabus import Milestone, Syllabus

from .safe_text import one_line


@dataclass(frozen=True)
class Lot:
    """Milestones that are graded in one go, with the modules that lay beside them."""

    course: Syllabus
    submission: Submission
    milestones: list[Milestone]


def milestones(old: record.Record, course: Syllabus) -> list[Milestone]:
    """Return the milestones of a record. Raises UsageProblem for a record that nothing can be graded again from."""
    if old.official and not old.seed:
        raise UsageProblem(
            "This record is what a student was shown of an official run, without its seed; "
            "replay the one that --json wrote for the instructor."
        )
    if not old.milestones:
        raise UsageProblem("This record holds no milestone, so there is nothing to replay.")
    known = {milestone.id: milestone for milestone in course.milestones}
    unknown = [milestone.id for milestone in old.milestones if milestone.id not in known]
    if unknown:
        raise UsageProblem(f"This record holds {unknown[0]}, which is no milestone of this course.")
    names = {milestone.id for milestone in old.milestones}
    return [milestone for milestone in course.milestones if milestone.id in names]


@dataclass(frozen=True)
class Wanted:
    """What a record only says, and the person who replays it has to ask for."""

    submission: str
    device: str
    weights: str
    prerequisites: str
    weights_llama: str


DEFAULTS = Wanted(
    submission="exercises", device="cpu", weights="gpt2-nano", prerequisites="submission", weights_llama="llama-nano"
)
WHAT = {
    "submission": "of the folder",
    "device": "on the device",
    "weights": "with the checkpoint",
    "weights_llama": "with the Llama checkpoint",
    "prerequisites": "with the earlier milestones from",
}


def wanted(old: record.Record, options: Any) -> Wanted:
    """Return under what a record is graded again: what was typed, or what everybody has who types nothing.

    A record may be anybody's. It does not choose a folder to read, a checkpoint to fetch or the solutions to be laid
    beside somebody's code, nor a device whose workers are shut in less. Raises UsageProblem that says what to type.
    """
    chosen = {}
    for name, usual in vars(DEFAULTS).items():
        said, typed = getattr(old, name), getattr(options, name)
        if typed is None and said != usual:
            shown = one_line(said, 200)
            raise UsageProblem(
                f"This record was made {WHAT[name]} {shown}, which it may not choose by itself: "
                f"name it with --{name.replace('_', '-')} if you know the record."
            )
        chosen[name] = usual if typed is None else typed
    return Wanted(**chosen)


def level(old: record.Record, typed: str) -> str:
    """Return the isolation level of a replay: as typed, else the record's own, and never one that strangers don't get.

    Raises UsageProblem where neither level for strangers works here.
    """
    if typed != "auto":
        return typed
    if old.isolation in levels.OFFICIAL:
        return old.isolation
    try:
        return levels.strongest_for_strangers()
    except SandboxError as error:
        raise UsageProblem(
            f"The record was made at the level {old.isolation}, which it may not choose by itself, and {error}; "
            "if you would run this code yourself, type --isolation process."
        ) from None


def seed_of(old: record.Record) -> tuple[str, bool]:
    """Return the seed of a record, and whether the person who replays it vouches for it by giving it as well.

    Of a secret one that was left out the person has to give it, and it is compared. Raises UsageProblem where it is
    not given, or is another.
    """
    if not (old.secret_seed and old.seed.startswith("sha256:")):
        return old.seed, old.secret_seed and secret_seed() == old.seed
    seed = secret_seed()
    if not seed:
        raise UsageProblem(
            "This record was drawn from a secret seed and holds only its hash: put the seed into "
            f"{SECRET_SEED}, or into a file that {SECRET_SEED_FILE} names."
        )
    if seed_hash(seed) != old.seed:
        raise UsageProblem("The secret seed that is set is not the one that this record was drawn from.")
    return seed, True


def lots(old: record.Record, course: Syllabus, whole: Syllabus, folder: str, prerequisites: str) -> list[Lot]:
    """Return what is graded again. Raises UsageProblem when the folder now holds other sources than were graded.

    `grade` has a course's modules lie side by side; `classroom` has all modules, whatever the course, and on top of
    solutions each milestone stands alone. The hashes in the record tell which it was.
    """
    chosen = milestones(old, course)
    names = {milestone.id for milestone in chosen}
    hashes = {milestone.id: milestone.sources for milestone in old.milestones}
    own = {milestone.id: milestone for milestone in course.milestones}
    priced = replace(whole, milestones=tuple(own.get(each.id, each) for each in whole.milestones))
    groups = [chosen] if prerequisites == "submission" else [chosen, *([milestone] for milestone in chosen)]
    other: list[str] = []
    shown = ""
    for syllabus in (course, priced) if course is not whole else (course,):
        submission = collect(Path(folder), syllabus)
        shown = submission.folder
        found: dict[str, Lot] = {}
        for group in groups:
            beside = with_solutions(submission, syllabus, group) if prerequisites == "solutions" else submission
            same = [m for m in group if beside.digest(syllabus.with_uses(m)) == hashes[m.id] and m.id not in found]
            found.update(dict.fromkeys((m.id for m in same), Lot(syllabus, beside, same)))
        if found.keys() == names:
            return list({id(lot): lot for lot in found.values()}.values())
        other = other or [milestone.id for milestone in chosen if milestone.id not in found]
    raise UsageProblem(
        f"The sources in {shown} are not those that the record was made of ({', '.join(other)}); "
        "name the folder that holds them with --submission."
    )


def grade_again(
    old: record.Record, parts: list[Lot], asked: Wanted, seed: str, vouched: bool, workers: Any, weights: Any
) -> record.Record:
    """Grade what a record was made of; where the old one had only the hash of its seed, so has the new one.

    It is official only where the person vouches for the seed: whoever writes a record can call any seed secret.
    """
    from grader.judge.grading import grade
    from grader.judge.planned import Options

    graded, dice = [], {milestone.id: milestone.dice for milestone in old.milestones}
    tasks = {task.id for milestone in old.milestones for task in milestone.tasks}  # a run may be of some tasks alone
    for lot in parts:
        names = [milestone.id for milestone in lot.milestones]
        settings = Options(
            names, None, asked.prerequisites, asked.device, seed, old.secret_seed, tasks=tasks, dice=dice
        )
        graded.append(grade(settings, lot.course, lot.submission, workers, weights))
    new = graded[0]
    new.milestones = sorted((part for one in graded for part in one.milestones), key=lambda part: part.id)
    new.seconds = sum(one.seconds for one in graded)
    new.seed = old.seed
    new.notes += levels.gap_notes(workers.level)
    new.official = old.official and vouched and workers.level in levels.OFFICIAL
    return new
