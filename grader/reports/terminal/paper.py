"""A console and what may be put on it: safe text in its encoding, wrapped by us.

Lines are laid out here and not by rich's tables, so that each line a student's output is wrapped onto keeps its gutter
(nothing of it can pass for the grader's own words), and nothing trails off in spaces.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from grader.record import (
    BLOCKED,
    CRASHED,
    FAILED,
    GRADER_ERROR,
    NOT_STARTED,
    OUT_OF_MEMORY,
    PASSED,
    TIMED_OUT,
    WITHHELD,
)
from grader.safe_text import clean, without_ci_commands

WIDEST = 100  # longer lines are hard to read
STACKED = 56  # below this a label stands above its text instead of beside it
LABEL = 11

STYLE = {
    PASSED: "green",
    FAILED: "red",
    NOT_STARTED: "dim",
    BLOCKED: "dim",
    TIMED_OUT: "red",
    OUT_OF_MEMORY: "red",
    CRASHED: "red",
    GRADER_ERROR: "magenta",
    WITHHELD: "dim",
}
_SYMBOL = {PASSED: "✓", FAILED: "✗", NOT_STARTED: "○", BLOCKED: "○", GRADER_ERROR: "!", WITHHELD: "·"}
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "○": "-", "·": "-", "│": "|", "━": "=", "─": "-", "–": "-", "—": "-", "…": "..."}
    | {"×": "x", "→": "->", "≤": "<=", "≥": ">=", "‘": "'", "’": "'", "“": '"', "”": '"', "\xa0": " "}
)
_BAR = 24  # columns


class Paper:
    """What a report is written on."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = max(24, min(console.width, WIDEST))

    def ours(self, text: str, style: str = "") -> Text:
        """Return the grader's or the suite's own words; what the console lacks becomes its ASCII likeness."""
        text = without_ci_commands(clean(text))
        if not self._encodes(text):
            text = self._encodable("".join(c if self._encodes(c) else c.translate(_ASCII) for c in text))
        return Text.assemble((text, style))

    def theirs(self, text: str, style: str = "") -> Text:
        """Return text that a student may have written; what the console lacks becomes its code."""
        text = without_ci_commands(clean(text))
        if not self._encodes("…"):
            text = text.replace("…", "...")  # the judge's own, nearly always
        return Text.assemble((self._encodable(text), style))

    def symbol(self, outcome: str) -> Text:
        """Return the sign before a task; the word for the outcome always stands beside it."""
        return self.ours(_SYMBOL.get(outcome, "✗"), STYLE[outcome])

    def bar(self, share: float) -> Text:
        """Return a bar that is full as far as `share`, from 0 to 1, says."""
        full = int(_BAR * min(1.0, max(0.0, share)))
        return self.ours("━" * full, "green") + self.ours("─" * (_BAR - full), "dim")

    def line(self, *parts: Text) -> None:
        """Print one line as it is."""
        text = Text().join(parts)
        text.rstrip()
        self.console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def block(self, body: Text, *, indent: int = 0, gutter: str = "", first: Text | None = None) -> None:
        """Print the text wrapped; a line that begins with spaces goes on two columns further in.

        `first` replaces the indent of the first line.
        """
        edge = self.ours(gutter, "dim")
        for row in body.split("\n", allow_blank=True):
            lead = min(len(row.plain) - len(row.plain.lstrip(" ")), 12)
            further = 2 if lead else 0
            room = max(8, self.width - indent - edge.cell_len - lead - further)
            pieces = row[lead:].wrap(self.console, room, tab_size=4) if row.plain.strip() else [Text()]
            for number, piece in enumerate(pieces):
                margin = Text(" " * indent) if first is None else first
                first = None
                self.line(margin, edge, Text(" " * (lead + (further if number else 0))), piece)

    def row(self, label: str, body: Text, *, style: str = "dim", gutter: str = "") -> None:
        """Print a label and its text beside it, or below it where the console is narrow."""
        name = self.ours(label, style)
        if self.width < STACKED:
            if label:
                self.line(Text("  "), name)
            self.block(body, indent=4, gutter=gutter)
            return
        name.pad_right(max(0, LABEL - name.cell_len))
        self.block(body, indent=2 + LABEL, gutter=gutter, first=Text("  ") + name)

    def fit(self, text: Text, width: int) -> Text:
        """Return the text cut or padded to exactly this many cells."""
        text = text.copy()
        if text.cell_len > width:
            dots = self.ours("…")
            text.truncate(max(0, width - dots.cell_len), overflow="crop")
            text.rstrip()
            text.append_text(dots)
        text.pad_right(max(0, width - text.cell_len))
        return text

    def _encodable(self, text: str) -> str:
        try:
            return text.encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)
        except (LookupError, UnicodeError):  # an encoding that Python doesn't know
            return text.encode("ascii", "backslashreplace").decode("ascii")

    def _encodes(self, text: str) -> bool:
        return self._encodable(text) == text
