"""What a capstone leaves behind beside its model: the losses as a table and as a picture, and the stories."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader.reports.text_file import ReportError, write_report

STORIES, ANSWERS = "stories.txt", "answers.txt"  # what the model has written
TABLE = "table.csv"  # of a model that was made smaller
BEFORE = "before"  # the folder beside them with those of the run before


@dataclass
class Run:
    """What happened, step by step; what the model wrote is kept in the file `texts`."""

    texts: str = STORIES
    losses: list[tuple[int, float]] = field(default_factory=list)
    heldout: list[tuple[int, float]] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The files that it leaves."""
        return "loss.csv", self.texts, "loss.png"


def set_aside(folder: Path, names: Iterable[str]) -> None:
    """Move what an earlier run has left into a folder beside it. Raises ReportError."""
    there = [name for name in names if (folder / name).is_file()]
    try:
        for name in there:
            (folder / BEFORE).mkdir(exist_ok=True)
            os.replace(folder / name, folder / BEFORE / name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(f"What an earlier run left in {folder} can't be moved aside: {reason}.") from None


def keep(run: Run, folder: Path, *, picture: bool = True) -> None:
    """Write loss.csv, loss.png and the texts into a folder. Raises ReportError; what can be written is.

    The picture takes a moment, and can be left for later.
    """
    trouble: ReportError | None = None
    stories = "\n\n".join(run.stories).encode("utf-8", "backslashreplace") + b"\n"
    with contextlib.suppress(OSError):  # said when the first file is written
        folder.mkdir(parents=True, exist_ok=True)
    made = {"loss.csv": table(run), run.texts: stories} | ({"loss.png": drawn(run)} if picture else {})
    for name, data in made.items():
        try:
            write_report(folder / name, data)
        except ReportError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble


def table(run: Run) -> bytes:
    """Return the losses as a CSV file."""
    heldout = dict(run.heldout)
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["step", "training_loss", "heldout_loss"])
    for step, loss in run.losses:
        rows.writerow([step, f"{loss:.4f}", f"{heldout[step]:.4f}" if step in heldout else ""])
    return text.getvalue().encode()


def drawn(run: Run) -> bytes:
    """Draw the loss curve as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if run.losses:
        axes.plot(*zip(*run.losses, strict=True), linewidth=1, alpha=0.6, label="training batch")
        axes.legend()
    if run.heldout:
        axes.plot(*zip(*run.heldout, strict=True), marker="o", markersize=4, label="held out")
        axes.legend()
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.set_title("What the model has learned")
    axes.grid(alpha=0.3)
    data = io.BytesIO()
    figure.savefig(data, dpi=120, format="png")
    return data.getvalue()
