"""Two pieces of code side by side, or one below the other where the console is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol

from rich.console import Console
from rich.text import Text

from grader.safe_text import one_line

from .paper import Paper

WIDE = 120  # from here on there is room for two
WIDEST = 200
MARGIN = 4


class Piece(Protocol):
    """Some code and where it stands."""

    @property
    def place(self) -> str:
        """The file and its line."""

    @property
    def code(self) -> str:
        """The lines."""


def render_pairs(pairs: Sequence[tuple[str, Piece, Piece]], console: Console) -> None:
    """Print for each title the student's own code and the reference."""
    paper = Paper(console)
    for title, own, reference in pairs:
        paper.block(paper.ours(title, "bold"))
        if console.width >= WIDE:
            _side_by_side(paper, own, reference)
        else:
            for name, piece in (("yours", own), ("the reference", reference)):
                paper.block(paper.ours(f"{name}  ", "bold cyan") + paper.theirs(one_line(piece.place), "dim"))
                for row in _rows(piece, paper, paper.width - 4):
                    paper.line(Text("  "), paper.ours("│ ", "dim"), row)
        paper.line()


def _side_by_side(paper: Paper, own: Piece, reference: Piece) -> None:
    width = (min(paper.console.width, WIDEST) - 2 * MARGIN) // 2 - 1
    heads = [
        paper.fit(paper.ours(f"{name}  ", "bold cyan") + paper.theirs(one_line(piece.place), "dim"), width)
        for name, piece in (("yours", own), ("the reference", reference))
    ]
    edge = Text("  ") + paper.ours("│ ", "dim")
    paper.line(Text(" " * MARGIN), heads[0], Text(" " * MARGIN), heads[1])
    for left, right in zip_longest(_rows(own, paper, width), _rows(reference, paper, width), fillvalue=Text()):
        paper.line(edge, paper.fit(left, width), edge, right)


def _rows(piece: Piece, paper: Paper, width: int) -> list[Text]:
    """Return code as lines that fit; what is longer goes on below, four columns further in."""
    rows: list[Text] = []
    for line in piece.code.split("\n") if piece.code else ["(nothing of this name)"]:
        text = paper.theirs(line.expandtabs(4).replace("\n", " "))
        lead = len(text.plain) - len(text.plain.lstrip(" "))
        further = "# " if text.plain.lstrip().startswith("#") else "    "
        while text.cell_len > width:
            # Code is cut at a space where there is one in the second half, since a name in two is hard to read.
            cut = text.plain.rfind(" ", max(width // 2, lead + 1), width + 1)
            cut = cut if cut > 0 else width
            rows.append(text[:cut])
            text = Text(" " * min(lead, width // 2) + further) + paper.theirs(text.plain[cut:].lstrip())
        rows.append(text)
    return rows
