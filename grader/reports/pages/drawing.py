"""Pictures of a difference as SVG: got, expected and |difference| as heat maps, items side by side, a number's bounds.

What a loss did over the steps is drawn in `curves`.

Every drawing says in words what it shows, for whoever does not see it, and small ones have their numbers in the cells.
"""

from __future__ import annotations

import html
import math

from markupsafe import Markup

from grader.pictures import Bound, Curves, Grid, Items, Picture, Tokens

from . import curves
from .curves import number as _number

CELL, WIDE = 14, 58  # of a drawing's units: a cell's side, and its width where the number stands in it
MOST_NUMBERS = 6  # columns, where numbers have room in the cells
ABOVE, BELOW, OFF, NONE = (47, 102, 189), (190, 90, 20), (163, 36, 28), (150, 150, 150)  # colours of full strength
Cells = tuple[tuple[float, ...], ...]


def drawn(picture: Picture) -> Markup:
    """Return a picture as HTML."""
    match picture:
        case Grid():
            return _grids(picture)
        case Items():
            return _items(picture)
        case Bound():
            return _bound(picture)
        case Curves():
            below = _bound(picture.bound) if picture.bound else Markup("")
            return curves.drawn(picture) + below


def _grids(grid: Grid) -> Markup:
    gap = tuple(
        tuple(abs(got - wanted) if math.isfinite(got - wanted) else math.inf for got, wanted in zip(*rows, strict=True))
        for rows in zip(grid.got, grid.expected, strict=True)
    )
    limit = max(map(_largest, (grid.got, grid.expected))) or 1.0
    row, column = grid.worst
    place = f"[{', '.join(map(str, grid.where))}]"
    parts = [
        _grid("Got", grid.got, grid, limit, f"at {place} {_number(grid.got[row][column])}"),
        _grid("Expected", grid.expected, grid, limit, f"at {place} {_number(grid.expected[row][column])}"),
        _grid("|Difference|", gap, grid, _largest(gap) or 1.0, f"at {place} {_number(gap[row][column])}", colour=OFF),
    ]
    (top, left), (high, wide) = grid.first, (len(gap), len(gap[0]))
    rows = f"rows {top} to {top + high - 1} and " if len(grid.shape) > 1 else ""
    lead = f"[{', '.join(map(str, grid.where[:-2]))}], " if len(grid.where) > 2 else ""
    said = (
        f"Shown of shape {list(grid.shape)}: {lead}{rows}columns {left} to {left + wide - 1}; framed is {place}. White "
        f"is 0, blue more and brown less, up to {_number(limit)}."
    )
    return Markup('<div class="pictures">{}</div><p class="quiet">{}</p>').format(Markup("").join(parts), said)


def _grid(name: str, cells: Cells, grid: Grid, limit: float, said: str, colour: tuple[int, int, int] = ABOVE) -> Markup:
    numbers = len(cells[0]) <= MOST_NUMBERS
    side = WIDE if numbers else CELL
    wide, high = side * len(cells[0]), (24 if numbers else CELL) * len(cells)
    step = high // len(cells)
    parts = []
    for row, line in enumerate(cells):
        for column, value in enumerate(line):
            fill = _mixed(value, limit, colour)
            parts.append(
                f'<rect x="{column * side}" y="{row * step}" width="{side}" height="{step}" fill="{_hex(fill)}"/>'
            )
            if numbers:
                ink = "on-light" if sum(fill) > 380 else "on-dark"
                x, y = column * side + side // 2, row * step + 16
                parts.append(f'<text class="{ink}" x="{x}" y="{y}">{html.escape(_number(value))}</text>')
    row, column = grid.worst
    frame = f'<rect class="frame" x="{column * side}" y="{row * step}" width="{side}" height="{step}"/>'
    drawing = (
        f'<svg class="grid" viewBox="-2 -2 {wide + 4} {high + 4}" width="{wide + 4}" role="img" '
        f'aria-label="{html.escape(f"{name}, {said}")}">{"".join(parts)}{frame}</svg>'
    )
    return Markup("<figure><figcaption>{}: {}</figcaption>{}</figure>").format(name, said, Markup(drawing))


def _items(items: Items) -> Markup:
    count = max(len(items.got), len(items.expected))
    heads = Markup("").join(
        Markup('<th scope="col" class="n">{}</th>').format(items.first + index) for index in range(count)
    )
    rows = []
    for name, side in (("got", items.got), ("expected", items.expected)):
        cells = []
        for index in range(count):
            text = side[index] if index < len(side) else "–"
            here = items.first + index == items.differs
            cells.append(Markup('<td class="n"><mark>{}</mark></td>' if here else '<td class="n">{}</td>').format(text))
        rows.append(Markup('<tr><th scope="row">{}</th>{}</tr>').format(name, Markup("").join(cells)))
        if items.tokens:
            rows.append(_tokens(name, items.tokens, count))
    table = Markup(
        '<div class="scroll" role="region" aria-label="What stands around the first difference" tabindex="0"><table>'
        '<thead><tr><th scope="col">at</th>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(heads, Markup("").join(rows))
    return table + _as_text(items.tokens) if items.tokens else table


def _tokens(name: str, tokens: Tokens, count: int) -> Markup:
    side = tokens.got if name == "got" else tokens.expected
    shown = [*side, *[""] * (count - len(side))]
    cells = Markup("").join(Markup('<td class="n"><code class="token">{}</code></td>').format(text) for text in shown)
    return Markup('<tr><th scope="row">{}, as text</th>{}</tr>').format(name, cells)


def _as_text(tokens: Tokens) -> Markup:
    sides = (("Got", tokens.got_text), ("Expected", tokens.expected_text))
    return Markup("").join(
        Markup('<p>{} around there: <code class="token">{}</code></p>').format(name, text) for name, text in sides
    )


def _bound(bound: Bound) -> Markup:
    ends = [end for end in (bound.above, bound.below) if math.isfinite(end)]
    if not ends or not math.isfinite(bound.value):
        return Markup("")
    low, high = min([*ends, bound.value]), max([*ends, bound.value])
    room = (high - low) * 0.15 or abs(high) * 0.15 or 1.0
    low, high = low - room, high + room

    def at(value: float) -> float:
        return round(400 * (min(max(value, low), high) - low) / (high - low), 1)

    left, right = at(bound.above), at(bound.below)
    allowed = " and ".join(
        f"{words} {_number(end)}"
        for words, end in (("above", bound.above), ("below", bound.below))
        if math.isfinite(end)
    )
    said = f"{_number(bound.value)}; it must be {allowed}"
    marks = "".join(
        f'<line class="axis" x1="{at(end)}" y1="18" x2="{at(end)}" y2="38"/>'
        f'<text x="{at(end)}" y="54" text-anchor="middle">{html.escape(_number(end))}</text>'
        for end in ends
    )
    drawing = (
        f'<svg class="chart" viewBox="-30 0 460 60" role="img" aria-label="{html.escape(said)}">'
        f'<rect class="rest" x="0" y="22" width="400" height="12"/>'
        f'<rect class="allowed" x="{left}" y="22" width="{max(0.0, round(right - left, 1))}" height="12"/>{marks}'
        f'<circle class="value" cx="{at(bound.value)}" cy="28" r="6"/>'
        f'<text x="{at(bound.value)}" y="14" text-anchor="middle">{html.escape(_number(bound.value))}</text></svg>'
    )
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(Markup(drawing), f"Measured: {said}.")


def _mixed(value: float, limit: float, colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the colour of a value: white for 0, and stronger the nearer it is to the limit."""
    if not math.isfinite(value):
        return NONE
    full, share = (colour if value >= 0 else BELOW), min(1.0, abs(value) / limit)
    red, green, blue = (round(255 + (part - 255) * share) for part in full)
    return red, green, blue


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _largest(cells: Cells) -> float:
    return max((abs(value) for line in cells for value in line if math.isfinite(value)), default=0.0)
