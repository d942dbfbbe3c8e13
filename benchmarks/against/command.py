"""`nox -s bench -- against COMMIT [PART…] [--rounds N]`: read what is asked for, take turns, print what came of it."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from .build import BenchmarkError, Build, UsageError, beside
from .parts import PARTS, Part, Turn

ROUNDS = 5  # fewer are no figure
GROWN = 1.05  # what grew by more is listed
MOST_LISTED = 20
USAGE = "`against COMMIT [PART…] [--rounds N]` compares this tree with a commit"
Pair = tuple[Turn, Turn]  # of the commit and of this tree, in one round


@dataclass(frozen=True)
class Asked:
    """A part as it was typed: `grade`, or `grade-m04` for one milestone."""

    name: str
    part: Part
    milestone: str = ""

    def milestones(self, there: Build, here: Build) -> list[str]:
        """Return the milestones that both builds have and that are asked for. Raises UsageError."""
        both = [name for name in here.milestones() if name in there.milestones()]
        wanted = self.milestone or self.part.alone
        found = [name for name in both if not wanted or name.split("_")[0] == wanted]
        if not found:
            raise UsageError(f"{self.name}: there is no milestone {wanted} that both builds have.")
        return found


def main(words: list[str]) -> int:
    """Compare this tree with a commit; return the exit code: 0, 1 where a build's command fails, 2 for wrong usage."""
    try:
        commit, asked, rounds = read(words)
        with beside(commit) as (there, here):
            plans = [(one, one.milestones(there, here)) for one in asked]
            print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors", flush=True)
            if rounds < ROUNDS:
                print(f"note: fewer than {ROUNDS} rounds, so these are no figures to quote.", flush=True)
            for one, milestones in plans:
                print(f"\n{one.name}: {one.part.about}", flush=True)
                for line in table(there.name, list(turns(one.part, milestones, there, here, rounds))):
                    print(f"  {line}", flush=True)
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except BenchmarkError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; what was checked out is removed.", file=sys.stderr)
        return 130
    return 0


def read(words: list[str]) -> tuple[str, list[Asked], int]:
    """Return the commit, the parts and the number of rounds that are asked for. Raises UsageError."""
    words, rounds = list(words), ROUNDS
    while "--rounds" in words:
        at = words.index("--rounds")
        number = "".join(words[at + 1 : at + 2])
        if not number.isdecimal() or not 0 < int(number) <= 1000:
            raise UsageError(f"--rounds {number!r} is not a whole number from 1 to 1,000.")
        rounds = int(number)
        del words[at : at + 2]
    if option := next((word for word in words if word.startswith("-")), ""):
        raise UsageError(f"there is no option {option}; {USAGE}.")
    if not words:
        raise UsageError(f"against what? {USAGE}.")
    asked = [_asked(word) for word in words[1:]]
    return words[0], asked or [Asked(part.name, part) for part in PARTS if not part.on_request], rounds


def _asked(word: str) -> Asked:
    for part in PARTS:
        if word == part.name:
            return Asked(word, part)
        if part.for_one and word.startswith(f"{part.name}-m"):
            return Asked(word, part, word.removeprefix(f"{part.name}-"))
    names = ", ".join(part.name for part in PARTS)
    raise UsageError(f"there is no part {word!r}; there are {names}, and most for one milestone, as in grade-m04.")


def turns(part: Part, milestones: list[str], there: Build, here: Build, rounds: int) -> Iterator[Pair]:
    """Take turns, the commit first in one round and this tree in the next; one more round before is not counted."""
    if part.warm:
        for build in (there, here):
            part.turn(build, milestones)
    for number in range(rounds):
        order = (there, here) if number % 2 == 0 else (here, there)
        done = {build.root: part.turn(build, milestones) for build in order}
        yield done[there.root], done[here.root]


def table(commit: str, pairs: list[Pair]) -> Iterator[str]:
    """Yield a line for each figure, then which of many single ones have grown."""
    for label in pairs[0][0].figures:
        sides = [(before.figures[label], after.figures[label]) for before, after in pairs]
        yield f"{label:<46} {commit} {_median(sides, 0):.4g}   here {_median(sides, 1):.4g}   {ratio_words(sides)}"
    common = [name for name in pairs[0][0].single if all(name in turn.single for pair in pairs for turn in pair)]
    sides_of = {name: [(before.single[name], after.single[name]) for before, after in pairs] for name in common}
    ratio_of = {name: statistics.median(each) for name, sides in sides_of.items() if (each := ratios(sides))}
    if not ratio_of:
        return
    grown = sorted((name for name, ratio in ratio_of.items() if ratio > GROWN), key=lambda name: -ratio_of[name])
    fallen = sum(ratio < 1 / GROWN for ratio in ratio_of.values())
    always = sum(min(ratios(sides_of[name])) > GROWN for name in grown)
    yield (
        f"of {len(ratio_of)}, {len(grown)} have a median ratio above {GROWN} ({always} of them in every round), "
        f"and {fallen} one below 1/{GROWN}"
    )
    yield f"the median of all their ratios is {statistics.median(ratio_of.values()):.3f}"
    for name in grown[:MOST_LISTED]:
        sides = sides_of[name]
        yield f"  {_median(sides, 0):8.4g} {_median(sides, 1):8.4g}   {ratio_words(sides)}   {name}"
    if len(grown) > MOST_LISTED:
        yield f"  … and {len(grown) - MOST_LISTED} more"


def ratios(sides: list[tuple[float, float]]) -> list[float]:
    """Return this tree's figure over the commit's, round by round, for the rounds in which both are above zero."""
    return [after / before for before, after in sides if before > 0 and after > 0]


def ratio_words(sides: list[tuple[float, float]]) -> str:
    """Return the median of the ratios, and each of them."""
    each = ratios(sides)
    if not each:
        return "no ratio"
    return f"ratio {statistics.median(each):.3f} ({', '.join(f'{ratio:.2f}' for ratio in each)})"


def _median(sides: list[tuple[float, float]], side: int) -> float:
    return statistics.median(pair[side] for pair in sides)
