"""What a stretch goal came to, beside one's own earlier runs, with how far rounds lie apart said as it is."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from grader.counting import counted

from .paper import Paper


@dataclass(frozen=True)
class Measured:
    """A stretch goal's figures: of this run, and of one's own best before."""

    milestone: str  # "m07"
    title: str
    figure: str
    unit: str
    less: bool  # whether less is better
    rounds: list[float]
    before: tuple[float, str] | None = None  # the best, and its day
    runs: int = 0  # before this one

    @property
    def best(self) -> float:
        """The best round."""
        return min(self.rounds) if self.less else max(self.rounds)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a share of the best."""
        return (max(self.rounds) - min(self.rounds)) / self.best


def render_measured(found: Measured, console: Console) -> None:
    """Print one goal's figures and what they mean."""
    paper = Paper(console)
    paper.row("Stretch", paper.ours(f"{found.milestone} {found.title}", "bold"), style="green")
    rounds = f"the best of {counted(len(found.rounds), 'round')}, which lie {found.spread:.0%} apart"
    paper.row(
        "", paper.ours(f"{amount(found.best)} {found.unit} ", "bold") + paper.ours(f"({rounds}): {found.figure}.")
    )
    paper.row("", paper.ours(verdict(found)))
    paper.line()


def render_not_measured(milestone: str, title: str, reason: str, console: Console) -> None:
    """Print why there is no figure."""
    paper = Paper(console)
    paper.row("Stretch", paper.ours(f"{milestone} {title}: ", "bold") + paper.theirs(reason), style="yellow")
    paper.line()


def verdict(found: Measured) -> str:
    """Return one sentence on this run and those before."""
    if found.before is None:
        return "This is your first run: the next ones are compared with it."
    value, day = found.before
    said = f"Your best before, of {counted(found.runs, 'run')}, was {amount(value)} on {day}"
    better = value / found.best if found.less else found.best / value
    if abs(better - 1) <= found.spread:
        return f"{said}: the same, as far as rounds that lie {found.spread:.0%} apart can tell."
    if better > 1:
        return f"{said}: this is {_times(found, better)} better."
    return f"{said}: this is {_times(found, 1 / better)} worse."


def _times(found: Measured, ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio >= 1.1 else f"{ratio - 1:.1%}"


def amount(value: float) -> str:
    """Return a figure with three or four digits: 1.082, 43.9, 739, 28,440."""
    if value < 10:
        return f"{value:.3f}"
    if value < 100:
        return f"{value:.1f}"
    return f"{float(f'{value:.4g}'):,.0f}"
