"""How alike two modules are: the share of tokens that stand in long runs which both have.

Names that a student chooses, comments, docstrings, texts, imports and layout do not count, and the order of functions
does not either, so that renaming and rearranging change nothing. What was handed out (stubs, the guides' examples) is
taken away first. The idea is that of fingerprints over runs of k tokens (Schleimer, Wilkerson and Aiken, "Winnowing",
SIGMOD 2003); modules here are so small that every run is kept, and nothing depends on a hash.
"""

from __future__ import annotations

import builtins
import functools
import io
import keyword
import re
import token as kinds
import tokenize
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

RUN = 16  # tokens that have to agree in a row
STUB_RUN = 8  # tokens in a row that have to be the stub's to be nobody's own: a signature is short
FEWEST = 60  # tokens of one's own below which a likeness says nothing
_SKIPPED = (kinds.COMMENT, kinds.NL, kinds.INDENT, kinds.DEDENT, kinds.ENDMARKER)
_KEPT_NAMES = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"torch", "nn", "F", "np", "numpy", "math", "self"}
_FENCE = re.compile(r"^```(?:python|py)\n(.*?)^```", re.M | re.S)
_FSTRING = (getattr(kinds, "FSTRING_START", -1), getattr(kinds, "FSTRING_END", -1))

Runs = frozenset[str]  # each the texts of its tokens, joined: a text remembers its hash, which a tuple does not


@dataclass(frozen=True)
class Token:
    """One token that counts, and where it stands."""

    text: str  # normalised
    line: int  # of its first and last character, counted from 1
    column: int
    end_line: int
    end_column: int


@dataclass
class Module:
    """One student's module, ready to be compared."""

    source: str
    tokens: list[Token]
    handed_out: list[bool]  # for each token: whether it stands in a run that was handed out
    positions: dict[str, list[int]] = field(default_factory=dict)  # of runs with something of one's own

    @functools.cached_property
    def own(self) -> int:
        """Tokens that were not handed out."""
        return self.handed_out.count(False)

    @functools.cached_property
    def own_mask(self) -> int:
        """The same tokens as bits, the first one lowest."""
        return sum(1 << at for at, handed_out in enumerate(self.handed_out) if not handed_out)

    @functools.cached_property
    def masks(self) -> dict[str, int]:
        """For each run the tokens that stand in it, wherever it occurs, as bits: a class is many pairs."""
        whole = (1 << RUN) - 1
        return {
            run: functools.reduce(int.__or__, (whole << at for at in places)) for run, places in self.positions.items()
        }

    @property
    def long_enough(self) -> bool:
        """Say whether there is enough of one's own for a likeness to say anything."""
        return self.own >= FEWEST


@dataclass(frozen=True)
class Passage:
    """A run of tokens that two modules share: where it begins in each, and how many tokens it has."""

    left: int
    right: int
    length: int


@dataclass(frozen=True)
class Likeness:
    """How alike two modules are."""

    score: float  # shared tokens of both, of all tokens of both
    left: float  # share of the left module's own tokens that the right one has as well
    right: float
    passages: tuple[Passage, ...]


def prepare(source: bytes, boilerplate: Runs = frozenset(), contract: frozenset[str] = frozenset()) -> Module:
    """Return a module ready to be compared; `contract` holds the names that the stub prescribes.

    A source that is no Python is taken as far as its tokens can be read.
    """
    text = source.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    found = tokens(text, contract)
    texts = [each.text for each in found]
    handed_out = [False] * len(found)
    for length in (STUB_RUN, RUN):
        for at, run in enumerate(_runs(texts, length)):
            if run in boilerplate:
                handed_out[at : at + length] = [True] * length
    positions: dict[str, list[int]] = {}
    for at, run in enumerate(_runs(texts, RUN)):
        if not all(handed_out[at : at + RUN]):
            positions.setdefault(run, []).append(at)
    return Module(text, found, handed_out, positions)


def boilerplate(stub: bytes, guide: str = "", contract: frozenset[str] = frozenset()) -> Runs:
    """Return the runs of what was handed out: the stub, and the Python in the guide's fences."""
    texts = [each.text for each in tokens(stub.decode("utf-8", errors="replace"), contract)]
    found = {*_runs(texts, STUB_RUN), *_runs(texts, RUN)}
    for example in _FENCE.findall(guide):
        found.update(_runs([each.text for each in tokens(example, contract)], RUN))
    return frozenset(found)


def names(stub: bytes) -> frozenset[str]:
    """Return the names that a stub prescribes: nobody's own choice."""
    text = stub.decode("utf-8", errors="replace")
    return frozenset(each.string for each in _readable(text) if each.type == kinds.NAME)


def score(left: Module, right: Module) -> float:
    """Return how alike two modules are: shared tokens of both, of all tokens of both, from 0 to 1."""
    both = left.own + right.own
    common = left.positions.keys() & right.positions.keys()
    shared = _covered(left, common) + _covered(right, common)
    return shared / both if both else 0.0


def compare(left: Module, right: Module) -> Likeness:
    """Return how alike two modules are, and their shared passages in the order of the left one."""
    common = left.positions.keys() & right.positions.keys()
    covered_left, covered_right = _covered(left, common), _covered(right, common)
    return Likeness(
        score=score(left, right),
        left=covered_left / left.own if left.own else 0.0,
        right=covered_right / right.own if right.own else 0.0,
        passages=tuple(_passages(left, right, common)),
    )


def _covered(module: Module, common: Set[str]) -> int:
    """Return how many of a module's own tokens stand in these runs."""
    marks = 0
    for run in common:
        marks |= module.masks[run]
    return (marks & module.own_mask).bit_count()


def _runs(texts: list[str], length: int) -> list[str]:
    return ["\n".join(texts[at : at + length]) for at in range(len(texts) - length + 1)]


def _passages(left: Module, right: Module, common: Set[str]) -> Iterable[Passage]:
    starts = {at: run for run in common for at in left.positions[run]}
    at = 0
    while at < len(left.tokens):
        run = starts.get(at)
        if run is None:
            at += 1
            continue
        longest = max((_extent(left, right, at, other), -other) for other in right.positions[run])
        yield Passage(at, -longest[1], longest[0])
        at += longest[0]


def _extent(left: Module, right: Module, at: int, other: int) -> int:
    length = 0
    while (
        at + length < len(left.tokens)
        and other + length < len(right.tokens)
        and left.tokens[at + length].text == right.tokens[other + length].text
    ):
        length += 1
    return length


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tokens(text: str, contract: frozenset[str] = frozenset()) -> list[Token]:
    """Return the tokens of a source that count, each normalised."""
    found: list[Token] = []
    for statement in _statements(text):
        if _is_import(statement) or _is_docstring(statement):
            continue
        for at, each in enumerate(statement):
            before = statement[at - 1].string if at else ""
            further = statement[at - 2].string if at > 1 else ""
            after = statement[at + 1].string if at + 1 < len(statement) else ""
            shown = _normal(each, before, further, after, contract)
            found.append(Token(shown, *each.start, *each.end))
    return found


def _statements(text: str) -> Iterable[list[tokenize.TokenInfo]]:
    """Return the tokens line by line of Python's, f-strings as one token each."""
    line: list[tokenize.TokenInfo] = []
    depth, begin = 0, (0, 0)
    for each in _readable(text):
        if each.type == _FSTRING[0]:
            begin = each.start if depth == 0 else begin
            depth += 1
        elif each.type == _FSTRING[1]:
            depth -= 1
            if depth == 0:
                line.append(tokenize.TokenInfo(kinds.STRING, "f''", begin, each.end, each.line))
        elif depth == 0 and each.type == kinds.NEWLINE:
            line.append(each)
            yield line
            line = []
        elif depth == 0 and each.type not in _SKIPPED:
            line.append(each)
    if line:
        yield line


def _readable(text: str) -> Iterable[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def _is_import(statement: list[tokenize.TokenInfo]) -> bool:
    return statement[0].string in ("import", "from")


def _is_docstring(statement: list[tokenize.TokenInfo]) -> bool:
    return all(each.type in (kinds.STRING, kinds.NEWLINE) for each in statement)


def _normal(each: tokenize.TokenInfo, before: str, further: str, after: str, contract: frozenset[str]) -> str:
    if each.type == kinds.NEWLINE:
        return ";"
    if each.type == kinds.STRING:
        return "text"
    if each.type != kinds.NAME or each.string in _KEPT_NAMES or each.string in contract:
        return each.string
    if before == "." and further != "self":
        return each.string  # somebody else's attribute: torch's, a tensor's
    if after == "=" and before in ("(", ","):
        return each.string  # a keyword of a call
    return "name"
