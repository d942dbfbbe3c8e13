"""What losses did over the steps, as SVG: a line for each run, or what came beside what is expected."""

from __future__ import annotations

import html
import math

from markupsafe import Markup

from grader.pictures import Curves, Line

WIDE, HIGH = 400, 160  # of a drawing's units, without what stands around the lines


def drawn(curves: Curves) -> Markup:
    """Return the lines as HTML: each has its colour, its dashes, and in words where it begins, ends and is lowest."""
    shown = [value for line in curves.lines for value in line.values if math.isfinite(value)]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    steps = max(line.steps for line in curves.lines)
    said = [_said(line) for line in curves.lines]
    lines = "".join(
        f'<polyline class="line line-{place}" points="{points}"/>'
        for place, line in enumerate(curves.lines, 1)
        for points in _pieces(line, steps, low, high)
    )
    words = [(0, 4, number(high)), (0, HIGH + 4, number(low))] if high > low else [(0, HIGH // 2 + 4, number(high))]
    left = "".join(f'<text x="{x - 8}" y="{y}" text-anchor="end">{html.escape(text)}</text>' for x, y, text in words)
    ends = ((0, "start", "step 1"), (WIDE, "end", str(steps)))
    below = "".join(f'<text x="{x}" y="{HIGH + 20}" text-anchor="{anchor}">{text}</text>' for x, anchor, text in ends)
    axes = f'<path class="axis" fill="none" d="M0 -6V{HIGH + 4}H{WIDE}"/>'
    drawing = Markup(
        f'<svg class="chart" viewBox="-64 -12 {WIDE + 76} {HIGH + 40}" role="img" '
        f'aria-label="{html.escape("; ".join(said))}">{axes}{lines}{left}{below}</svg>'
    )
    key = Markup('<figcaption><span class="key key-{}"></span>{}.</figcaption>')
    keys = Markup("").join(key.format(place, text[:1].upper() + text[1:]) for place, text in enumerate(said, 1))
    return Markup("<figure>{}{}</figure>").format(drawing, keys)


def _said(line: Line) -> str:
    finite = [value for value in line.values if math.isfinite(value)]
    if not finite:
        return f"{line.name}, {line.steps} steps: never a finite number"
    broken = next((place for place, value in enumerate(line.values) if not math.isfinite(value)), None)
    near = "at" if line.steps == len(line.values) else "about"
    lost = "" if broken is None else f", first no finite number {near} step {1 + round(_step(line, broken))}"
    ends = f"from {number(finite[0])} to {number(finite[-1])}, {number(min(finite))} at its lowest"
    return f"{line.name}, {line.steps} steps: {ends}{lost}"


def _pieces(line: Line, steps: int, low: float, high: float) -> list[str]:
    """Return the line's points; it is broken where there is no finite number."""
    pieces, piece = [], list[str]()
    for place, value in enumerate(line.values):
        if math.isfinite(value):
            x = WIDE * _step(line, place) / max(1, steps - 1)
            y = HIGH * ((high - value) / (high - low) if high > low else 0.5)
            piece.append(f"{x:.1f},{y:.1f}")
        elif piece:
            pieces.append(" ".join(piece))
            piece = []
    return [*pieces, " ".join(piece)] if piece else pieces


def _step(line: Line, place: int) -> float:
    """Return which step a value of the line is of, the first being 0."""
    return place * (line.steps - 1) / max(1, len(line.values) - 1)


def number(value: float) -> str:
    """Return a number with four digits."""
    return f"{value:.4g}"
