"""What a capstone leaves behind: the losses as a table and as a picture, and the stories."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Run:
    """What happened, step by step."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    heldout: list[tuple[int, float]] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


def keep(run: Run, folder: Path) -> None:
    """Write loss.csv, loss.png and stories.txt into a folder, which is made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    heldout = dict(run.heldout)
    with (folder / "loss.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "training_loss", "heldout_loss"])
        for step, loss in run.losses:
            table.writerow([step, f"{loss:.4f}", f"{heldout[step]:.4f}" if step in heldout else ""])
    (folder / "stories.txt").write_text("\n\n".join(run.stories) + "\n", encoding="utf-8")
    picture(run, folder / "loss.png")


def picture(run: Run, path: Path) -> None:
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
        axes.plot(*zip(*run.heldout, strict=True), marker="o", markersize=4, label="held-out stories")
        axes.legend()
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.set_title("What the model has learned")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
