"""The table of docs/strength.md, from what was measured and what stands in the tree."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

from . import known as results
from . import margins, names
from .measure import NOBODY
from .proofs import REPOSITORY, support

PAGE = REPOSITORY / "docs" / "strength.md"
SECURITY = REPOSITORY / "docs" / "security.md"  # which says of how many tasks a table of answers earns none
COLUMNS = (
    "milestone",
    "checks",
    "written mutants killed",
    "by the named check",
    "first name right / wrong / none",
    "generated mutants killed",
    "equivalent",
    "on a GPU alone",
    "kill rate",
    "checks no mutant fails",
    "alternates accepted",
    "degenerate points",
    "tasks a table answers",
    "seeds / flakes",
    "alternates' seeds / flakes",
    "least margin",
)
NOT_YET = "not measured yet"
INTRO = """\
# How strong the suites are

For whoever doubts a check, or changes one.
`nox -s strength` measures what changed since the last time and writes this page;
`nox -s strength -- --table` only writes it.

- **written mutants**: the classic mistakes (`tests/milestones/`); *killed* by the check that each names, or by another.
- **first name**: the whole milestone is graded with each written mutant, and only the first *Likely mistake* of the
  report counts: *right* is the mutant's own sentence, *wrong* another one, *none* no sentence at all. At least 90 % are
  right, and none is wrong.
- **generated mutants**: made by rule from the solution (`benchmarks/strength/operators.py`): a comparison, an operator
  or a constant changed, a statement or a call dropped, arguments swapped and so on; each is a whole submission that at
  least one check must reject. *90 / 150 of 200* means that 150, drawn with a fixed seed, were tried and 90 rejected.
- **equivalent**: survivors that are no mistake; each is listed below with its reason. **On a GPU alone**: those that
  are a mistake only where there is one, listed too. The **kill rate** leaves out both.
- **checks no mutant fails**: such a check proves nothing, and goes or gets its mutant.
- **degenerate points**: what zeros, the input back, noise, a broadcasting scalar and None earn, together.
- **tasks a table answers**: those of whose checks everything that is asked with a new seed was asked with one of three
  known seeds before, so that a table of answers would earn them (`benchmarks/strength/tables.py`).
- **seeds / flakes**: with how many seeds the solution was graded, and how many checks failed with one of them; and with
  how many each alternate, and how often one that passes with the first seed failed with another.
- **least margin**: what varies by chance (shares of what is drawn, losses of what was learned, ratios of costs) has
  bounds; this is the least distance that the solution or an alternate kept from one with any seed, in units of the
  value's own standard deviation. At least 5; each bound stands below.

A † marks figures that were measured before the last change to what they are about.
"""


def count_on_the_security_page() -> None:
    """Write into the page on security for how many tasks a table of answers was tried."""
    tried = sum(results.load(milestone).get("tables", {}).get("tasks", 0) for milestone in support.MILESTONES)
    page = SECURITY.read_text(encoding="utf-8")
    counted = re.sub(r"of the course's \d+ tasks", f"of the course's {tried} tasks", page)
    SECURITY.write_text(counted, encoding="utf-8")


def render() -> str:
    """Return the page."""
    lines = [INTRO, "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(name)) + " |" for name in support.MILESTONES]
    for name in support.MILESTONES:
        lines += details(name)
    return "\n".join(lines) + "\n"


def row(milestone: str) -> list[str]:
    """Return the cells of one milestone."""
    known, present = results.load(milestone), results.keys(milestone)
    own = results.mutants(milestone)
    written = {mutant["name"] for mutant in results.written(milestone, known.get("written", {}))}
    whole = {
        "written": len(written) == len(own),
        "alternates": len(results.alternates(milestone, known.get("alternates", {})))
        == len(support.alternates(milestone)),
    }

    def cell(part: str, say: Callable[[Any], object]) -> str:
        """Return a cell, or that it is not measured yet, with a mark where its subject has changed since."""
        if part not in known:
            return NOT_YET
        true = known[part]["key"] == present[part] and whole.get(part, True)
        return str(say(known[part])) + ("" if true else "†")

    cells = [
        f"[{milestone}](../exercises/{milestone}.md)",
        cell("seeds", lambda part: len(part["checks"])),
        cell("written", lambda part: killed(part["fates"], len(own))),
        cell("written", lambda part: by_the_named(part["fates"], own)),
        cell("written", lambda part: names.tally(names.verdicts(own, part.get("first", {})))),
    ]
    if "generated" in known:
        fates, available = known["generated"]["fates"], known["generated"]["available"]
        dead, harmless, alive = tally(milestone, fates)
        elsewhere = len(fates) - dead - harmless - alive
        of = f"{len(fates)}" if len(fates) == available else f"{len(fates)} of {available}"
        rate, idle = 100 * dead / max(dead + alive, 1), len(results.unfailed(known))
        figures = f"{dead} / {of}", f"{harmless}", f"{elsewhere}", f"{rate:.1f} %", f"{idle}"
        cells += [cell("generated", functools.partial(lambda text, _: text, text)) for text in figures]
    else:
        cells += [NOT_YET, "", "", "", ""]
    cells += [
        cell("alternates", lambda part: accepted(part["fates"], len(support.alternates(milestone)))),
        cell("degenerate", lambda part: f"{sum(part['earned'].values()):g}"),
        cell("tables", lambda part: f"{len(part['answerable'])} of {part['tasks']}"),
        cell("seeds", lambda part: f"{part['tried']} / {len(part['flakes'])}"),
        cell("alternates", steady),
        cell("alternates", lambda part: least(known.get("seeds", {}), part)),
    ]
    return cells


def least(*parts: dict[str, Any]) -> str:
    """Return the least margin of a milestone."""
    found = [found for found, _, _ in margins.worst(*parts).values()]
    return spelt(min(found)) if found else "no bound"


def spelt(margin: float) -> str:
    """Return a margin in words: what never varied has none."""
    return f"{margin:.1f}" if math.isfinite(margin) else "nothing varies"


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
    harmless, elsewhere = results.equivalent(milestone), results.on_gpu(milestone)
    survivors = [name for name, check in fates.items() if check == NOBODY]
    alive = sum(name not in harmless and name not in elsewhere for name in survivors)
    return len(fates) - len(survivors), sum(name in harmless for name in survivors), alive


def details(milestone: str) -> list[str]:
    """Return the lists of one milestone: misnamed mutants, bounds, idle checks, survivors, equivalent."""
    known = results.load(milestone)
    fates = known.get("generated", {}).get("fates", {})
    harmless, elsewhere = results.equivalent(milestone), results.on_gpu(milestone)
    survivors = sorted(name for name, check in fates.items() if check == NOBODY)
    alive = [name for name in survivors if name not in harmless and name not in elsewhere]
    excused = [name for name in survivors if name in harmless]
    unseen = [name for name in survivors if name in elsewhere]
    idle = results.unfailed(known) if fates else []
    misnamed = misnames(results.mutants(milestone), known.get("written", {}).get("first", {}))
    bounds = kept_from(margins.worst(known.get("seeds", {}), known.get("alternates", {})))
    if not (misnamed or bounds or survivors or idle):
        return []
    lines = ["", f"## {milestone}"]
    if misnamed:
        lines += ["", "Written mutants whose first name is not their own:", "", *misnamed]
    if bounds:
        lines += ["", "| bound | least margin | kept by | asked |", "|---|---|---|---|", *bounds]
    if idle:
        lines += ["", "Checks that no mutant fails:", "", *(f"- `{name}`" for name in idle)]
    if alive:
        lines += ["", "Generated mutants that survive:", "", *(f"- {code(name)}" for name in alive)]
    if excused:
        lines += ["", "Equivalent:", "", *(f"- {code(name)}: {harmless[name]}" for name in excused)]
    if unseen:
        lines += ["", "On a GPU alone:", "", *(f"- {code(name)}: {elsewhere[name]}" for name in unseen)]
    return lines


def misnames(own: list[dict[str, Any]], first: dict[str, str]) -> list[str]:
    """Return a line for each written mutant that is named wrongly or not at all."""
    found = names.verdicts(own, first)
    return [
        f"- {name} ({kind}): {first[name] or 'no mistake is named'}"
        for kind in (names.WRONG, names.UNNAMED)
        for name in sorted(name for name, verdict in found.items() if verdict == kind)
    ]


def kept_from(worst: dict[str, tuple[float, str, int]]) -> list[str]:
    """Return a line for each bound: the least margin, who kept it, and how often that one was asked."""
    return [
        f"| {bound.replace(' | ', ', ')} | {spelt(margin)} | {module} | {count} |"
        for bound, (margin, module, count) in worst.items()
    ]


def code(text: str) -> str:
    """Return a text as Markdown code, backticks in it or not."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
