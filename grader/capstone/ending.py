"""How a capstone ends: what went wrong and whose affair that is, and what is kept."""

from __future__ import annotations

from typing import Any

from grader.judge.outcomes import TASK_ID, CheckFailed, lost
from grader.judge.run import source_line
from grader.reports.text_file import ReportError
from grader.sandbox.errors import StudentError, WorkerLost
from grader.sandbox.limits import Limits

from . import screen
from .act import Act
from .keepsake import BEFORE
from .stage import MEMORY_MB, OUTPUT_KB

MOST_PRINTED = 2_000  # characters of what the student's code printed, its end


def tell(whole: Act, show: screen.Screen, sources: dict[str, bytes], seconds: float, interrupted: bool) -> str:
    """Say how it ended. Returns why something could not be written, if that is the trouble."""
    trouble, folder, model = whole.trouble, whole.folder, whole.model
    show.say("")
    tell_printed(whole.stage.output, show)
    if interrupted:
        show.say("Interrupted.", "yellow")
    elif trouble is not None and not isinstance(trouble, ReportError):
        explain(trouble, whole.failed_at, show, sources)
    if model is None:
        show.say(whole.nothing)
        return str(trouble) if isinstance(trouble, ReportError) else ""
    show.say(f"Done in {screen.lasted(seconds)}: {whole.result()}.")
    show.say(f"Kept in {folder}: {', '.join(whole.files())}.")
    if (folder / BEFORE).is_dir():
        show.say(f"What an earlier run left is in {folder / BEFORE}.", "dim")
    if onward := whole.onward():
        show.say(onward, "cyan")
    return str(trouble) if isinstance(trouble, ReportError) else ""


def tell_printed(output: str, show: screen.Screen) -> None:
    """Show the end of what the student's code printed, if it did."""
    if printed := output.strip():
        show.say("Your code printed:", "dim")
        show.quote(printed[-MOST_PRINTED:].strip())


def explain(
    trouble: Exception,
    doing: str,
    show: screen.Screen,
    sources: dict[str, bytes],
    whole: str = "The capstone",
    less: str = "fewer --steps",
) -> None:
    """Say what went wrong: of the student's code only what it did itself.

    `whole` is what stops there, and `less` the option with which there is less to do.
    """
    if isinstance(trouble, StudentError):
        _explain_error(trouble, show, sources, whole)
    elif isinstance(trouble, WorkerLost) and trouble.limit == "time":
        show.say(f"This took longer than it may: {doing}.", "red")
        if busy := screen.busy():
            show.say(f"{busy} That is no fault of your code: try again when it has less to do, or with {less}.")
        else:
            show.say(
                "If that milestone passes, this machine is too slow for as much as that, which is no fault of your "
                f"code: {less} take less."
            )
    elif isinstance(trouble, WorkerLost):
        said = lost(trouble, Limits(memory_mb=MEMORY_MB, output_kb=OUTPUT_KB)).message
        show.say(f"It ended early ({doing}). {said}", "red")
    elif isinstance(trouble, CheckFailed):
        show.paper.block(show.paper.theirs(trouble.message, "red"))


def _explain_error(error: StudentError, show: screen.Screen, sources: dict[str, Any], whole: str) -> None:
    if error.kind == "NotImplementedError" and (task := TASK_ID.search(str(error))):
        show.say(f"{whole} stops here: {task[0]} is not written yet.", "red")
        return
    paper = show.paper
    paper.block(paper.theirs(f"{whole} stops here: your code raised {error}.", "red"))
    for file, line, function in error.frames:
        paper.block(paper.theirs(f"{file}:{line} in {function}"), indent=2)
        paper.block(paper.theirs(source_line(sources, file, line)), indent=6)
