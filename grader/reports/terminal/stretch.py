"""What a stretch goal came to, beside one's own earlier runs, with how far rounds lie apart said as it is."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from grader.counting import counted
from grader.syllabus import Stretch

from .paper import Paper


@dataclass(frozen=True)
class Measured:
    """A stretch goal's figures: of this run, and of one's own best before."""

    milestone: str  # "m07"
    goal: Stretch
    rounds: list[float]
    before: tuple[list[float], str] | None = None  # the rounds of the best run, and its day
    runs: int = 0  # before this one

    @property
    def value(self) -> float:
        """What of the rounds counts."""
        return self.goal.counting(self.rounds)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a share of the best."""
        low, high = min(self.rounds), max(self.rounds)
        return (high - low) / (low if self.goal.less else high)


def render_measured(found: Measured, console: Console) -> None:
    """Print one goal's figures and what they mean."""
    paper, goal = Paper(console), found.goal
    paper.row("Stretch", paper.ours(f"{found.milestone} {goal.title}", "bold"), style="green")
    if goal.seeds:
        rounds = f"the mean of {counted(len(found.rounds), 'seed')}: {', '.join(map(amount, found.rounds))}"
    else:
        rounds = f"the best of {counted(len(found.rounds), 'round')}, which lie {found.spread:.0%} apart"
    paper.row("", paper.ours(f"{amount(found.value)} {goal.unit} ", "bold") + paper.ours(f"({rounds}): {goal.figure}."))
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
    rounds, day = found.before
    value = found.goal.counting(rounds)
    said = f"Your best before, of {counted(found.runs, 'run')}, was {amount(value)} on {day}"
    better = value / found.value if found.goal.less else found.value / value
    if found.goal.seeds:
        return f"{said}: {_by_seeds(found, rounds, better)}."
    if abs(better - 1) <= found.spread:
        return f"{said}: the same, as far as rounds that lie {found.spread:.0%} apart can tell."
    return f"{said}: this is {_compared(better)}."


def _by_seeds(found: Measured, before: list[float], better: float) -> str:
    """Compare means, and say whether all seeds agree: with the same seed luck is the same, so each pair is a trial."""
    if amount(found.goal.counting(before)) == amount(found.value):
        return "this is the same"
    if len(before) != len(found.rounds):
        return f"this is {_compared(better)}"
    pairs = zip(found.rounds, before, strict=True)
    won = sum((now < then) == (found.goal.less == (better > 1)) for now, then in pairs if now != then)
    if won == len(before):
        return f"this is {_compared(better)}, with each of {counted(len(before), 'seed')}"
    return f"this is {_compared(better)} on average, but with {won} of {counted(len(before), 'seed')}: that may be luck"


def _compared(better: float) -> str:
    return f"{_times(better)} better" if better > 1 else f"{_times(1 / better)} worse"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio >= 1.1 else f"{ratio - 1:.1%}"


def amount(value: float) -> str:
    """Return a figure with three or four digits: 1.082, 43.9, 739, 28,440."""
    if value < 10:
        return f"{value:.3f}"
    if value < 100:
        return f"{value:.1f}"
    return f"{float(f'{value:.4g}'):,.0f}"
