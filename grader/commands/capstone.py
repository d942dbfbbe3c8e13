"""`python -m grader capstone`: the student's own parts strung together, from raw text to a story."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from grader import syllabus
from grader.arguments import ISOLATION, count, submission, submission_folder
from grader.capstone import keepsake
from grader.capstone.parts import NEEDED, lacking
from grader.commands import report_paths
from grader.exits import NOT_PASSED, PASSED, USAGE
from grader.judge import asked
from grader.judge.errors import UsageProblem
from grader.practice import check_device
from grader.reports.text_file import ReportError
from grader.sandbox import levels
from grader.sandbox.errors import StudentError, WorkerLost
from grader.sandbox.limits import Limits
from grader.submission import Submission, collect

LAST = "m08_training"
SIZES = {"context_length": 128, "d_model": 128, "n_layers": 4, "n_heads": 4}
VOCABULARY, BATCH, PEAK = 2048, 16, 3e-3
TOKENIZER_TEXT = 500_000  # characters that the tokenizer learns from
STORIES = 10_000_000  # characters at most that the model learns from
PROMPTS = ("There once was a", "Once upon a time, there was a", "One morning,")


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    command.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where it is trained")
    command.add_argument("--steps", type=count, default=500, metavar="N", help="training steps (default: 500)")
    command.add_argument(
        "--minutes", type=count, default=15, metavar="N", help="when training stops at the latest (default: 15)"
    )
    command.add_argument(
        "--out",
        default=".scratchwork/capstone",
        metavar="DIR",
        help="where loss curve and stories are kept (default: .scratchwork/capstone)",
    )
    command.add_argument("--isolation", choices=ISOLATION[:-1], default="auto")


def run(options: argparse.Namespace) -> int:
    """Say what is missing, or run it all and leave a keepsake; return the exit code."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    course = syllabus.load()
    check_device(options.device)
    folder = Path(options.out)
    submission = collect(submission_folder(options), course)
    if missing := lacking(submission, course):
        return say_missing(console, missing)
    if reason := unwritable(folder):
        raise UsageProblem(f"{folder} cannot be used for what is kept ({reason}); name another folder with --out.")
    report_paths.check_writable([str(folder / name) for name in keepsake.NAMES])
    notes: list[str] = []
    workers = levels.choose(options.isolation, options.device, notes.append)
    try:
        workers.boot()
        workers.wait()
        for note in notes:
            console.print(note, style="dim")
        return Capstone(console, options, submission, workers).run(folder)
    finally:
        workers.close()


def unwritable(folder: Path) -> str:
    """Make the folder; return why it cannot be written, or nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "" if os.access(folder, os.W_OK) else "it may not be written"


def say_missing(console: Any, missing: list[str]) -> int:
    """Name what the capstone still needs."""
    console.print("The capstone trains a GPT out of your own parts. These are missing:", style="bold")
    for line in missing:
        console.print(f"  ○ {line}" if console.encoding.lower().startswith("utf") else f"  - {line}")
    first = missing[0].split()[0]
    if "." in first:
        console.print(f"\nNext: {first}. Then run nox -s grade -- {first.split('.')[0]}")
    return NOT_PASSED


class Capstone:
    """One run, told as it goes on."""

    def __init__(self, console: Any, options: argparse.Namespace, submission: Submission, workers: Any) -> None:
        self._console, self._options, self._submission, self._workers = console, options, submission, workers
        self._run = keepsake.Run()
        self._started = time.perf_counter()

    def run(self, folder: Path) -> int:
        """Train, write, keep."""
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        limits = Limits(
            seconds=self._options.minutes * 60 + 600, memory_mb=6144, file_mb=256, output_kb=1024, threads=threads
        )
        worker = self._workers.worker(limits)
        worker.set_deadline(limits.seconds)
        try:
            self._do_all(worker)
        except StudentError as error:
            self._say_error(error)
            return NOT_PASSED
        except WorkerLost as lost:
            from grader.judge.outcomes import lost as verdict

            self._console.print(f"The capstone ended early. {verdict(lost, limits).message}", style="red")
            return NOT_PASSED
        finally:
            worker.end()
            if worker.output.strip():
                self._say_output(worker.output)
        return self._keep(folder)

    def _do_all(self, worker: Any) -> None:
        import fixtures
        from grader.capstone import driver
        from grader.judge.student import Student

        paths = {"train": fixtures.STORIES_TRAIN, "heldout": fixtures.STORIES_HELDOUT}
        texts = {name: path.read_text("utf-8")[:STORIES] for name, path in paths.items()}
        sources = {f"{name}.py": self._submission.sources[name] for name in NEEDED}
        worker.conversation.request("load", sources=sources, module=LAST, trace=[], blocked=[])
        student = Student(worker, LAST)
        parts = student.plant(driver)
        known = self._step("m01 learns a tokenizer", parts.learn_tokenizer, texts["train"][:TOKENIZER_TEXT], VOCABULARY)
        counts = {
            name: self._step(f"m01 encodes the {name} stories", parts.write_ids, name, text)
            for name, text in texts.items()
        }
        self._tell(f"{known:,} tokens; {counts['train']:,} ids to learn from, {counts['heldout']:,} held out")
        size = self._step("m06 builds a GPT", parts.build_model, SIZES | {"vocab_size": known}, self._options.device)
        self._tell(f"{size:,} parameters")
        self._train(parts, student)
        for seed, prompt in enumerate(PROMPTS):
            story = parts.write_story(prompt, 0.6, 40, seed)
            self._run.stories.append(str(story).strip())

    def _train(self, parts: Any, student: Any) -> None:
        from rich.live import Live

        steps = self._options.steps
        live = Live(console=self._console, refresh_per_second=4, transient=True) if self._console.is_terminal else None

        def tell(step: int, loss: float, heldout: float | None) -> None:
            self._run.losses.append((int(step), float(loss)))
            if heldout is not None:
                self._run.heldout.append((int(step), float(heldout)))
            if live is not None:
                live.update(self._picture(steps))
            if heldout is not None:
                (live.console if live else self._console).print(
                    f"  step {int(step):>5} of {steps}   training loss {float(loss):.3f}   "
                    f"held-out loss {float(heldout):.3f}"
                )
                self._console.file.flush()

        self._tell(f"m08 trains it for {steps} steps, at most {self._options.minutes:g} minutes")
        with live or contextlib.nullcontext():
            parts.train(
                steps,
                BATCH,
                PEAK,
                self._options.minutes * 60.0,
                max(1, steps // 12),
                student.callback(tell, asked.of(int), asked.of(float), asked.maybe(asked.of(float))),
            )

    def _picture(self, steps: int) -> Any:
        from rich.text import Text

        from grader.reports.terminal.paper import Paper

        paper = Paper(self._console)
        step, loss = self._run.losses[-1]
        losses = [value for _, value in self._run.losses]
        numbers = f"  {step}/{steps}  loss {loss:.3f}  {sparkline(losses)}"
        return Text("  ") + paper.bar(step / max(1, steps)) + paper.ours(numbers)

    def _step(self, what: str, act: Any, *args: Any) -> Any:
        started = time.perf_counter()
        result = act(*args)
        if type(result) is not int:
            raise WorkerLost(nonsense="a count that is no number")
        self._tell(f"{what} ({time.perf_counter() - started:.1f} s)")
        return result

    def _tell(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
        self._console.file.flush()

    def _keep(self, folder: Path) -> int:
        from grader.reports.terminal.paper import Paper

        paper = Paper(self._console)
        for story in self._run.stories:
            self._console.print()
            paper.block(paper.theirs(story), indent=2)
        self._console.print()
        try:
            keepsake.keep(self._run, folder)
        except ReportError as error:
            print(f"scratchwork: {error} Name another folder with --out.", file=sys.stderr)
            return USAGE
        minutes, seconds = divmod(int(time.perf_counter() - self._started), 60)
        last = f"held-out loss {self._run.heldout[-1][1]:.3f}" if self._run.heldout else "no loss was reported"
        self._tell(f"Done in {minutes} min {seconds} s: {last}. Kept in {folder}: loss.png, loss.csv, stories.txt")
        return PASSED

    def _say_error(self, error: StudentError) -> None:
        from grader.judge.outcomes import TASK_ID
        from grader.judge.run import source_line
        from grader.reports.terminal.paper import Paper

        paper = Paper(self._console)
        if error.kind == "NotImplementedError" and (task := TASK_ID.search(str(error))):
            self._console.print(f"The capstone stops here: {task[0]} is not written yet.", style="red")
            return
        paper.block(paper.theirs(f"The capstone stops here: your code raised {error}.", "red"))
        for file, line, function in error.frames:
            paper.block(paper.theirs(f"{file}:{line} in {function}"), indent=2)
            paper.block(paper.theirs(source_line(self._submission.sources, file, line)), indent=6)

    def _say_output(self, output: str) -> None:
        from grader.reports.terminal.paper import Paper

        paper = Paper(self._console)
        self._console.print("Your code printed:", style="dim")
        paper.block(paper.theirs(output[-2000:].strip()), indent=2, gutter="│ ")


def sparkline(values: list[float], width: int = 24) -> str:
    """Return the values as a line of little bars, each the mean of its share of them."""
    blocks = "▁▂▃▄▅▆▇█"
    values = [value for value in values if math.isfinite(value)]
    bars = min(width, len(values))
    pieces = [values[len(values) * i // bars : len(values) * (i + 1) // bars] for i in range(bars)]
    means = [sum(piece) / len(piece) for piece in pieces]
    low, high = min(means, default=0.0), max(means, default=0.0)
    return "".join(blocks[int(7 * (mean - low) / (high - low or 1))] for mean in means)
