"""Grading a folder of one's own, once or again and again: what passed and has not changed is remembered."""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader import failures, files, own_rooms, record, resting, syllabus
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import environment, grader_version
from grader.judge.kept_answers import KeptAnswers
from grader.judge.oracles import Weights
from grader.progress import Progress, key
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError
from grader.submission import Submission, module_files, with_own_solutions
from grader.warm import lent

if TYPE_CHECKING:
    from grader.judge.calls import Calls
    from grader.judge.planned import Options, Planned

PUBLIC_SEED = "0"
SECRET_SEED = "SCRATCHWORK_SECRET_SEED"
SECRET_SEED_FILE = "SCRATCHWORK_SECRET_SEED_FILE"
LONGEST_SEED = 8192  # bytes of a file that holds a secret seed
SHORTEST_SECRET = 16  # characters: a seed that can be guessed is no secret
REPOSITORY = Path(__file__).resolve().parents[1]


class Station:
    """Where submissions are graded: the sandbox, the checkpoint and the seed, as a command line asks for them.

    With `elsewhere` other machines have the sandboxes, and this one starts none.
    """

    def __init__(self, options: argparse.Namespace, *, elsewhere: bool = False) -> None:
        self.options = options
        self.official: bool = options.official
        self.notes: list[str] = []
        self.seed, self.secret = _seed(options.seed)
        if self.official:
            _check_official(options, self.seed, self.secret)
        self.weights = Weights(options.weights, options.weights_llama)
        self.workers: Any = None
        self._ready = False
        if not elsewhere:
            self.workers = _choose(options, self.notes)
            self.workers.checkpoints = self.weights.to_mount(self.workers.level)

    def boot(self) -> None:
        """Start the sandbox without waiting for it, where none was lent to this process."""
        self.workers = lent.in_place_of(self.workers)
        self.workers.boot()

    def prepare(self) -> None:
        """Read the checkpoints that are not the course's own. Raises WeightsError."""
        self.weights.check()

    def start(self) -> None:
        """Wait until the sandbox stands; under `auto`, take the next level when it does not, and say so."""
        while not self._ready:
            try:
                self.workers.wait()
                self._ready = True
            except SandboxError as error:
                auto = self.options.isolation == "auto" and not self.official
                weaker = levels.fall_back(self.workers.level, self.options.device) if auto else None
                self.workers.close()
                if weaker is None:
                    raise
                self.notes.append(f"The isolation level {self.workers.level} does not work here: {error}.")
                weaker.checkpoints = self.weights.to_mount(weaker.level)
                self.workers = weaker

    def close(self) -> None:
        """End the sandbox."""
        if self.workers is not None:
            self.workers.close()
        self.weights.close()


class Practice(Station):
    """What `grade` and `watch` share: a station, one folder, and the memory of what passed."""

    def __init__(
        self,
        options: argparse.Namespace,
        course: syllabus.Syllabus,
        chosen: list[syllabus.Milestone],
        folder: Path,
        tasks: set[str] | None = None,
    ) -> None:
        super().__init__(options)
        if self.official and tasks is not None:
            raise UsageProblem("An official run grades whole milestones: name m04, and not one task of it.")
        self.tasks = tasks  # of those chosen; None: all of them
        self.notebooks: set[str] = set()  # of what was graded last, the modules that were in notebooks
        self.failures: dict[str, Calls] = {}  # of the last run, by task: what failed, as lines to try
        self.course, self.chosen, self.folder = course, chosen, folder
        self.progress = Progress()
        if not (self.secret or options.debug):
            self.weights.answers = self.weights.llama.answers = KeptAnswers(self.progress.path.parent / "answers")

    def grade(
        self, submission: Submission, listener: Any = None, *, again: bool = False, judges: int | None = 1
    ) -> record.Record:
        """Grade the chosen milestones, or take over what passed before (not with `again`), and remember the results.

        `judges` is how many there may be side by side; None: as many as this machine has room for.
        Raises GradingError for a fault of the grader, SandboxError when no sandbox starts.
        """
        options, course = self.options, self.course
        self.notebooks = set(submission.notebooks)
        submission = self.on_its_ground(submission)
        result = self.nothing_graded(submission.folder)
        keys = self._keys(submission, result.grader)
        again = again or options.all or options.debug or self.secret or self.tasks is not None
        reused = {} if again else self._passed_before(keys)
        todo = [milestone.id for milestone in self.chosen if milestone.id not in reused]
        if todo:
            import torch  # noqa: F401  the suites need it; the sandbox's server imports its own at this time

            from grader.judge.crew import most_judges
            from grader.judge.grading import grade
            from grader.judge.planned import Options

            self.start()
            most = most_judges(self.workers)
            settings = Options(
                todo, None, options.prerequisites, options.device, self.seed, self.secret, options.debug,
                rewarding=not self.official, judges=min(judges or most, most), tasks=self.tasks,
                keep_calls=self.progress.lasting,
            )  # fmt: skip
            planned: list[Planned] = []
            result = grade(settings, course, submission, self.workers, self.weights, listener, planned.extend)
            result.official = self.official
            if not (options.debug or self.official):
                whole = [one for one in result.milestones if len(one.tasks) == len(course.milestone(one.id).tasks)]
                self.progress.remember(self.folder, whole, keys)
            self._keep_failures(settings, planned)
            self._look_beneath(submission, result.milestones)
            self._find_in_cells(submission, result.milestones)
        fresh = {milestone.id: milestone for milestone in result.milestones}
        result.milestones = [fresh.get(milestone.id) or reused[milestone.id] for milestone in self.chosen]
        self._say_when_due(result.milestones)
        names = tuple(file for file, module in module_files(self.course).items() if module in fresh | reused)
        beside = [note for note in submission.notes if any(name in note for name in names)]
        result.notes = [*self.notes, *beside, *levels.gap_notes(self.workers.level)]
        result.notes += [self.progress.trouble] if self.progress.trouble else []
        return result

    def nothing_graded(self, submission: str) -> record.Record:
        """Return a record of this run's circumstances, with nothing graded yet."""
        options = self.options
        return record.Record(
            grader=grader_version(own_rooms.packed(self.course)), environment=environment(), submission=submission,
            seed=self.seed, secret_seed=self.secret, device=options.device, isolation=self.workers.level,
            weights=options.weights, weights_llama=options.weights_llama, prerequisites=options.prerequisites,
            official=self.official,
        )  # fmt: skip

    def _say_when_due(self, results: list[record.Milestone]) -> None:
        """Note of what has not passed when the course wants it."""
        for result in results:
            due = self.course.milestone(result.id).due
            if due and not result.passed:
                result.notes.append(f"Due {due}.")

    def on_its_ground(self, submission: Submission) -> Submission:
        """Return the submission on top of what its milestones are made of: its own modules, or the solutions."""
        if self.options.prerequisites == "solutions":
            return replace(submission, beneath=solutions(self.course))
        return submission

    def _keep_failures(self, settings: Options, planned: list[Planned]) -> None:
        """Write down what the first failing check of each task called."""
        self.failures, found = {}, {}
        if not settings.keep_calls:
            return
        for check in planned:
            if check.calls is not None and check.task.id not in found:
                found[check.task.id] = check.milestone.id, check.calls
        try:
            failures.keep(self.progress.path.parent, self.folder, found, {check.task.id for check in planned})
        except OSError as error:
            self.progress.trouble = f"What failed could not be written down ({files.reason(error)})."
            return
        self.failures = {task: calls for task, (_, calls) in found.items()}

    def _find_in_cells(self, submission: Submission, results: list[record.Milestone]) -> None:
        """Note of a milestone that was in a notebook in which cells the lines are that its failures name."""
        for result in results:
            module = submission.notebooks.get(result.id)
            if module is None or self.official:
                continue
            checks = [check for task in result.tasks for check in task.checks]
            lines = {frame.line for check in checks for frame in check.traceback if frame.file == f"{result.id}.py"}
            if said := module.said_of(sorted(lines)):
                result.notes.append(f"In {submission.file(result.id)}, {said}.")

    def _look_beneath(self, submission: Submission, results: list[record.Milestone]) -> None:
        """Note of a failing milestone that one it is made of failed when it was graded last, and is as it was then."""
        if self.official or self.options.prerequisites != "submission":
            return
        here = {milestone.id for milestone in results}
        for milestone in results:
            if not any(task.outcome in resting.BROKEN for task in milestone.tasks):
                continue
            for need in self.course.with_needs(self.course.milestone(milestone.id))[:-1]:
                last = self.progress.last(self.folder, need) if need not in here else None
                broken = next((task for task in last.tasks if task.outcome in resting.BROKEN), None) if last else None
                known = self.course.milestone(need)
                sources = submission.under(known, self.course).digest(self.course.with_uses(known))
                if last is not None and broken is not None and last.sources == sources:
                    milestone.notes.append(
                        f"{broken.id} {broken.title} failed when {known.number} was graded last, and this is made of "
                        f"it: mend that first."
                    )
                    break

    def _keys(self, submission: Submission, grader: str) -> dict[str, str]:
        options = self.options
        return {
            milestone.id: key(
                submission.under(milestone, self.course), self.course.with_uses(milestone), grader,
                self.seed, options.device, options.weights, options.weights_llama, options.prerequisites,
                self.workers.level,
                *(f"{task.points:g}" for task in milestone.tasks),  # which a course may set
            )
            for milestone in self.chosen
        }  # fmt: skip

    def _passed_before(self, keys: dict[str, str]) -> dict[str, record.Milestone]:
        found = {name: self.progress.passed(self.folder, name, key) for name, key in keys.items()}
        return {name: milestone for name, milestone in found.items() if milestone is not None}


def with_solutions(
    submission: Submission,
    course: syllabus.Syllabus,
    chosen: list[syllabus.Milestone],
    folder: Path = REPOSITORY / "solutions",
) -> Submission:
    """Take what the chosen milestones are made of from the solutions, themselves left as they are.

    A run with `beneath` has each milestone stand on solutions by itself; here those of a group stand on each other.
    """
    names = {milestone.id for milestone in chosen}
    needed = [name for milestone in chosen for name in course.with_needs(milestone) if name not in names]
    return submission.replaced(needed, solutions(course, folder))


def solutions(course: syllabus.Syllabus, folder: Path = REPOSITORY / "solutions") -> Submission:
    """Return the solutions. Raises UsageProblem where there are none."""
    if not folder.is_dir():
        raise UsageProblem(
            "--prerequisites solutions needs the folder solutions/, which this copy of the course lacks."
        )
    return with_own_solutions(folder, course)


def _choose(options: argparse.Namespace, notes: list[str]) -> Any:
    if options.debug:
        if options.isolation not in ("auto", "inline"):
            raise UsageProblem(f"--debug runs inline; it cannot be combined with --isolation {options.isolation}.")
        return levels.workers("inline", options.device)
    if options.isolation == "inline":
        return levels.workers("inline", options.device, capture_inline=True)
    wanted = "bubblewrap" if options.official and options.isolation == "auto" else options.isolation
    return levels.choose(wanted, options.device, notes.append)


def _check_official(options: argparse.Namespace, seed: str, secret: bool) -> None:
    """Raise UsageProblem unless this run may call itself official."""
    if options.debug:
        raise UsageProblem("An official run has no --debug: code under a debugger is in no sandbox.")
    if options.isolation not in ("auto", *levels.OFFICIAL):
        raise UsageProblem(
            f"An official run takes no isolation level but {' and '.join(levels.OFFICIAL)}, and this is "
            f"{options.isolation}."
        )
    if not secret:
        raise UsageProblem(
            f"An official run draws its inputs from a secret seed: put one into {SECRET_SEED}, or into a file that "
            f"{SECRET_SEED_FILE} names."
        )
    if len(seed) < SHORTEST_SECRET:
        raise UsageProblem(
            f"The secret seed of an official run has at least {SHORTEST_SECRET} characters, so that nobody guesses it."
        )


def check_device(device: str) -> None:
    """Raise UsageProblem where this machine's torch does not have the device, before any student is blamed for it."""
    if device == "cpu":
        return
    import torch

    backend = torch.cuda if device == "cuda" else torch.backends.mps
    if not backend.is_available():
        raise UsageProblem(f"--device {device} needs a device that torch finds on this machine, and it finds none.")


def _seed(asked: str | None) -> tuple[str, bool]:
    """Return the run's seed and whether it is secret."""
    if secret := secret_seed():
        if asked is not None:
            raise UsageProblem(f"--seed cannot be combined with a secret seed in {SECRET_SEED}.")
        return secret, True
    if asked is None:
        return PUBLIC_SEED, False
    if asked == "random":
        return str(secrets.randbits(32)), False
    if not asked.isdecimal() or len(asked) > 30:
        raise UsageProblem(f"--seed {asked!r} is neither a whole number nor the word random.")
    return str(int(asked)), False


def seed_hash(seed: str) -> str:
    """Return what stands for a secret seed where it must not stand itself; never equal to a public one, a number."""
    return f"sha256:{hashlib.sha256(f'scratchwork-seed {seed}'.encode()).hexdigest()}"


def secret_seed() -> str | None:
    """Return the secret seed from the environment, or from the file that is named there."""
    path = os.environ.get(SECRET_SEED_FILE)
    if not path:
        return os.environ.get(SECRET_SEED)
    try:
        seed = files.read_text(path, LONGEST_SEED).strip()
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{SECRET_SEED_FILE} names {path}, which cannot be read ({files.reason(error)}).") from None
    if not seed:
        raise UsageProblem(f"{SECRET_SEED_FILE} names {path}, which is empty.")
    return seed
