"""The table of docs/strength.md, from what was measured and what stands in the tree."""

from __future__ import annotations

from typing import Any

from . import measure
from .measure import NOBODY
from .proofs import support

PAGE = measure.REPOSITORY / "docs" / "strength.md"
COLUMNS = (
    "milestone",
    "checks",
    "written mutants killed",
    "by the named check",
    "named to the student",
    "generated mutants killed",
    "equivalent",
    "kill rate",
    "checks no mutant fails",
    "alternates accepted",
    "degenerate points",
    "tasks a table answers",
    "seeds / flakes",
    "alternates' seeds / flakes",
)
NOT_YET = "not measured yet"
INTRO = """\
# How strong the suites are

For whoever doubts a check, or changes one.
`nox -s strength` measures what changed since the last time and writes this page;
`nox -s strength -- --table` only writes it.

- **written mutants**: the classic mistakes (`tests/milestones/`); *killed* by the check that each names, or by another.
- **named to the student**: those whose report must say in words what the mistake is.
- **generated mutants**: made by rule from the solution (`benchmarks/strength/operators.py`): a comparison, an operator
  or a constant changed, a statement or a call dropped, arguments swapped and so on; each is a whole submission that at
  least one check must reject. *90 / 150 of 200* means that 150, drawn with a fixed seed, were tried and 90 rejected.
- **equivalent**: survivors that are no mistake; each is listed below with its reason. The **kill rate** leaves them
  out.
- **checks no mutant fails**: such a check proves nothing, and goes or gets its mutant.
- **degenerate points**: what zeros, the input back, noise, a broadcasting scalar and None earn, together.
- **tasks a table answers**: those of whose checks everything that is asked with a new seed was asked with one of three
  known seeds before, so that a table of answers would earn them (`benchmarks/strength/tables.py`).
- **seeds / flakes**: with how many seeds the solution was graded, and how many checks failed with one of them; and with
  how many each alternate, and how often one that passes with the first seed failed with another.

A † marks figures that were measured before the last change to what they are about.
"""


def render() -> str:
    """Return the page."""
    lines = [INTRO, "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(name)) + " |" for name in support.MILESTONES]
    for name in support.MILESTONES:
        lines += details(name)
    return "\n".join(lines) + "\n"


def row(milestone: str) -> list[str]:
    """Return the cells of one milestone."""
    known, present = measure.load(milestone), measure.keys(milestone)
    own = measure.mutants(milestone)
    cells = [
        f"[{milestone}](../exercises/{milestone}.md)",
        cell(known, present, "seeds", lambda part: str(len(part["checks"]))),
        cell(known, present, "written", lambda part: killed(part["fates"], len(own))),
        cell(known, present, "written", lambda part: str(by_the_named(part["fates"], own))),
        str(sum("told" in mutant for mutant in own)),
    ]
    if "generated" in known:
        fates, available = known["generated"]["fates"], known["generated"]["available"]
        dead, harmless, alive = tally(milestone, fates)
        of = f"{len(fates)}" if len(fates) == available else f"{len(fates)} of {available}"
        mark = "" if known["generated"]["key"] == present["generated"] else "†"
        rate = 100 * dead / max(dead + alive, 1)
        idle = f"{len(measure.unfailed(known))}{mark}"
        cells += [f"{dead} / {of}{mark}", str(harmless), f"{rate:.1f} %{mark}", idle]
    else:
        cells += [NOT_YET, "", "", ""]
    cells += [
        cell(known, present, "alternates", lambda part: accepted(part["fates"], len(support.alternates(milestone)))),
        cell(known, present, "degenerate", lambda part: f"{sum(part['earned'].values()):g}"),
        cell(known, present, "tables", lambda part: f"{len(part['answerable'])} of {part['tasks']}"),
        cell(known, present, "seeds", lambda part: f"{part['tried']} / {len(part['flakes'])}"),
        cell(known, present, "alternates", steady),
    ]
    return cells


def cell(known: dict[str, Any], present: dict[str, str], part: str, say: Any) -> str:
    """Return a cell, or that it is not measured yet, with a mark where its subject has changed since."""
    if part not in known:
        return NOT_YET
    return str(say(known[part])) + ("" if known[part]["key"] == present[part] else "†")


def killed(fates: dict[str, str], written: int) -> str:
    """Return how many of the written mutants are killed."""
    return f"{sum(check != NOBODY for check in fates.values())} / {written}"


def by_the_named(fates: dict[str, str], own: list[dict[str, str]]) -> int:
    """Return how many mutants are killed by the check they name."""
    return sum(fates.get(mutant["name"]) == mutant["check"] for mutant in own)


def accepted(fates: dict[str, str], written: int) -> str:
    """Return how many of the alternates pass."""
    return f"{sum(check == NOBODY for check in fates.values())} / {written}"


def steady(part: dict[str, Any]) -> str:
    """Return with how many seeds every alternate was graded, and how many of those runs were flakes."""
    tried = part.get("tried", {})
    least = min((tried.get(name, 1) for name in part["fates"]), default=0)
    return f"{least} / {sum(map(len, part.get('flakes', {}).values()))}"


def tally(milestone: str, fates: dict[str, str]) -> tuple[int, int, int]:
    """Return how many generated mutants are killed, equivalent, and alive without an excuse."""
    harmless = measure.equivalent(milestone)
    survivors = [name for name, check in fates.items() if check == NOBODY]
    excused = sum(name in harmless for name in survivors)
    return len(fates) - len(survivors), excused, len(survivors) - excused


def details(milestone: str) -> list[str]:
    """Return the lists of one milestone: equivalent mutants, survivors, checks that no mutant fails."""
    known = measure.load(milestone)
    fates = known.get("generated", {}).get("fates", {})
    harmless = measure.equivalent(milestone)
    survivors = sorted(name for name, check in fates.items() if check == NOBODY)
    alive = [name for name in survivors if name not in harmless]
    excused = [name for name in survivors if name in harmless]
    idle = measure.unfailed(known) if fates else []
    if not (alive or excused or idle):
        return []
    lines = ["", f"## {milestone}"]
    if idle:
        lines += ["", "Checks that no mutant fails:", "", *(f"- `{name}`" for name in idle)]
    if alive:
        lines += ["", "Generated mutants that survive:", "", *(f"- {code(name)}" for name in alive)]
    if excused:
        lines += ["", "Equivalent:", "", *(f"- {code(name)}: {harmless[name]}" for name in excused)]
    return lines


def code(text: str) -> str:
    """Return a text as Markdown code, backticks in it or not."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
