"""Lines that are IPython's and not Python's, told apart as IPython tells them: where a statement could begin."""

from __future__ import annotations

import re

# %timeit f(x), !pip install that \ and its next line, ?f, f?
_MAGIC = re.compile(r"([ \t]*)(?:[%!?](?:\\\n|[^\n])*|[\w.]+\?{1,2}[ \t]*)(?:\n|\Z)")
# What a bracket, a line's end or a % may be inside of; an end that is missing is the text's own.
_TOKEN = re.compile(
    r'''"""(?:[^\\"]|\\.|"(?!""))*(?:"""|\\?\Z)|\'\'\'(?:[^\\']|\\.|'(?!''))*(?:\'\'\'|\\?\Z)'''
    r"""|"(?:[^\\"\n]|\\.)*"?|'(?:[^\\'\n]|\\.)*'?|\#[^\n]*|\\\n|[^"'#\\()\[\]{}\n]+|.""",
    re.DOTALL,
)


def without(text: str) -> tuple[str, list[int]]:
    r"""Return a cell's text without the lines that are IPython's, each an empty one now, and which lines they were.

    A block keeps a `pass` in the place of one, so that nothing else of it changes. A % that goes on with an expression,
    or stands in a text of several lines, is Python's. Time is linear in the text.

    Example: "%time f()\nx = (7\n % 4)" -> ("\nx = (7\n % 4)", [1]).
    """
    kept, magics, depth, line, at = [], [], 0, 1, 0
    fresh = True  # a statement could begin here
    while at < len(text):
        magic = _MAGIC.match(text, at) if fresh else None
        if magic is not None:
            magics.append(line)
            piece = magic[0]
            kept.append((f"{magic[1]}pass" if magic[1] else "") + "\n" * piece.count("\n"))
        else:
            token = _TOKEN.match(text, at)
            assert token is not None  # its last choice is any one character
            piece = token[0]
            depth = max(0, depth + (piece in "([{") - (piece in ")]}"))
            fresh = piece == "\n" and not depth
            kept.append(piece)
        line += piece.count("\n")
        at += len(piece)
    return "".join(kept), magics
