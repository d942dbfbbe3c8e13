"""Suspiciously alike submissions as one HTML page, with the passages side by side."""

from __future__ import annotations

from dataclasses import dataclass

from grader.similarity.likeness import Likeness, Module, Passage, Token
from grader.similarity.pairs import Findings

from . import page

MOST_PAIRS = 100  # of a milestone that are shown with their passages
MOST_PASSAGES = 30  # of a pair, the longest
MOST_LINES = 60  # of a passage


@dataclass(frozen=True)
class Snippet:
    """Some lines of a module, a part of which is marked."""

    first: int
    last: int
    before: str
    pieces: tuple[tuple[str, bool], ...]  # of what is marked: a text, and whether it counts; comments and texts do not
    after: str

    @property
    def marked(self) -> str:
        """All that lies within the passage."""
        return "".join(text for text, _ in self.pieces)


def render(findings: list[Findings], threshold: float, notes: list[str]) -> str:
    """Return the page; `notes` are sentences about the taking in."""
    return page.render(
        "similarity.html",
        findings=findings,
        threshold=threshold,
        notes=notes,
        most=MOST_PAIRS,
        sides=sides,
        found=sum(len(each.pairs) for each in findings),
        references=sum(len(each.references) for each in findings),
    )


def sides(likeness: Likeness, left: Module, right: Module) -> list[tuple[Snippet, Snippet]]:
    """Return the shared passages of two modules side by side: the longest ones, in the order of the left module."""
    longest = sorted(likeness.passages, key=lambda passage: -passage.length)[:MOST_PASSAGES]
    return [_sides(passage, left, right) for passage in sorted(longest, key=lambda passage: passage.left)]


def _sides(passage: Passage, left: Module, right: Module) -> tuple[Snippet, Snippet]:
    return _snippet(left, passage.left, passage.length), _snippet(right, passage.right, passage.length)


def _snippet(module: Module, at: int, length: int) -> Snippet:
    first, last = module.tokens[at], module.tokens[at + length - 1]
    lines = module.source.split("\n")[first.line - 1 : last.end_line]
    end = last.end_line
    if last.text == ";":  # the end of a line, which stands behind its last character
        lines[-1:] = [lines[-1][: last.column]]
    tail = lines[-1][last.end_column :] if last.text != ";" else ""
    lines[-1] = lines[-1][: len(lines[-1]) - len(tail)] if tail else lines[-1]
    if len(lines) > MOST_LINES:
        tail, lines = f"\n[{len(lines) - MOST_LINES} more lines]", lines[:MOST_LINES]
    head, lines[0] = lines[0][: first.column], lines[0][first.column :]
    return Snippet(first.line, end, head, tuple(_pieces(module.tokens[at : at + length], lines)), tail)


def _pieces(tokens: list[Token], lines: list[str]) -> list[tuple[str, bool]]:
    """Return the lines of a passage in pieces: its tokens with the spaces between them, and what stands between."""
    text, starts = "\n".join(lines), [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    top, left = tokens[0].line, tokens[0].column  # the first line begins at its first token

    def place(line: int, column: int) -> int:
        row = line - top
        return min(len(text), starts[row] + column - (0 if row else left)) if row < len(lines) else len(text)

    pieces: list[tuple[str, bool]] = []
    end = 0
    for token in tokens:
        start = max(end, place(token.line, token.column))
        between, end = text[end:start], max(start, place(token.end_line, token.end_column))
        if pieces and not between.strip():
            pieces[-1] = (pieces[-1][0] + between + text[start:end], True)
        else:
            pieces += [(between, False)] if between else []
            pieces.append((text[start:end], True))
    return [*pieces, (text[end:], False)] if text[end:] else pieces
