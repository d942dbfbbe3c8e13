"""Measure one milestone's suite: every kind of submission that it must reject or accept, graded in the real sandbox."""

from __future__ import annotations

import ast
import hashlib
import json
import random
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader import record

from .operators import Generated, generate
from .proofs import REPOSITORY, degenerate, support

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
ORDER = 20  # seeds the order in which generated mutants are tried: a run cut short has tried a fair sample
DEAR = 0.7  # a check that takes more seconds on the solution is asked about a generated mutant after all others
KNOWN_SEEDS = 3  # whose questions and answers a table is made of
NOBODY = ""

# ── what is known ─────────────────────────────────────────────────────────────────────────────────────────────────


def load(milestone: str) -> dict[str, Any]:
    """Return what is known of a milestone; each part carries the hash of what it was measured on."""
    path = RESULTS / f"{milestone}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def save(milestone: str, known: dict[str, Any]) -> None:
    """Keep what is known of a milestone."""
    text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True)
    (RESULTS / f"{milestone}.json").write_text(text + "\n", encoding="utf-8")


def equivalent(milestone: str) -> dict[str, str]:
    """Return the generated mutants that are no mistake: name → reason."""
    path = support.PROOFS / milestone / "equivalent.toml"
    return dict(tomllib.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def mutants(milestone: str) -> list[dict[str, str]]:
    """Return a milestone's written mutants."""
    path = support.PROOFS / milestone / "mutants.toml"
    return list(tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]) if path.is_file() else []


def key(milestone: str, *more: Path) -> str:
    """Return the hash of a milestone's solution, of what that is made of, of its suite, and of more files."""
    course, digest = support.COURSE, hashlib.sha256()
    entry = course.milestone(milestone)
    solutions = [REPOSITORY / "solutions" / f"{name}.py" for name in course.with_needs(entry)]
    for files in (solutions, entry.room.glob("*.py")):
        for definition in sorted(found for path in files for found in definitions(path)):
            digest.update(definition.encode() + b"\0")
    for path in more:
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:16]


def definitions(path: Path) -> list[str]:
    """Return what a module defines, each as text: in which file it stands, and from where it imports, is no change."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [ast.dump(node) for node in body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]


def keys(milestone: str) -> dict[str, str]:
    """Return the present hash of each part."""
    return {
        "written": key(milestone, support.PROOFS / milestone / "mutants.toml"),
        "generated": key(milestone),  # each fate stands under a name that says what was changed
        "alternates": key(milestone, *support.alternates(milestone)),
        "degenerate": key(milestone, support.TESTS / "degenerate.py"),
        "seeds": key(milestone),
        "tables": key(milestone),
    }


# ── grading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def function(check: record.Check) -> str:
    """Return the name of a check without its parameters."""
    return check.id.partition("[")[0]


def tasks(result: record.Record) -> dict[str, set[str]]:
    """Return the checks of each task."""
    return {task.id: {function(check) for check in task.checks} for m in result.milestones for task in m.tasks}


# ── the parts ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Milestone:
    """One milestone's measurements."""

    def __init__(self, name: str, say: Callable[[str], None] = print) -> None:
        self.name, self.say = name, say
        self.known = load(name)
        self.present = keys(name)
        self.solution = support.source("solutions", name)
        self.hints: dict[str, str] = {}
        self.dear: set[str] = set()

    def fresh(self, part: str) -> dict[str, Any]:
        """Return a part as far as it is known and still true; otherwise an empty one."""
        found = self.known.get(part, {})
        if found.get("key") != self.present[part]:
            # What was true of another version is no result, but says which check to ask first.
            self.hints.update({name: check for name, check in found.get("fates", {}).items() if check})
            found = {"key": self.present[part]}
        self.known[part] = found
        return dict.__getitem__(self.known, part)

    def measure(self, seeds: int, most: int, until: float) -> None:
        """Measure every part that is not known, and keep the results."""
        checks = self.seeds(seeds)
        if checks is None:
            return
        self.written(checks)
        self.accepted(seeds)
        self.degenerates()
        self.tables()
        if most:
            self.generated(checks, most, until)
        self.unfailed(checks)
        save(self.name, self.known)

    def seeds(self, count: int) -> dict[str, set[str]] | None:
        """Grade the solution with several seeds: what fails there is a flake. Return the checks of each task."""
        part = self.fresh("seeds")
        part.setdefault("flakes", {})
        result = None
        for seed in range(max(count, 1)):
            if seed and seed < part.get("tried", 0):
                continue
            result = support.grade_one(self.name, self.solution, seed=str(seed))
            for check in support.checks(result):
                if check.outcome != record.PASSED:
                    part["flakes"].setdefault(check.id, []).append(seed)
                    part["flakes"][check.id] = sorted(set(part["flakes"][check.id]))
                    self.say(f"  {self.name}: the solution fails {check.id} with seed {seed}: {check.message}")
            part["tried"] = max(part.get("tried", 0), seed + 1)
            if seed == 0:
                first = result
        known = tasks(first)
        self.dear = {function(check) for check in support.checks(first) if check.seconds > DEAR}
        part["checks"] = sorted(set().union(*known.values()))
        save(self.name, self.known)
        return known

    def written(self, checks: dict[str, set[str]]) -> None:
        """Grade each written mutant by the check it names, and by all of them where that one accepts it."""
        part = self.fresh("written")
        fates = part.setdefault("fates", {})
        for mutant in mutants(self.name):
            if mutant["name"] in fates:
                continue
            source = support.mutate(self.name, mutant)
            check = support.rejected_by(self.name, source, {mutant["check"]}) or support.rejected_by(self.name, source)
            fates[mutant["name"]] = function(check) if check else NOBODY
            if not check or function(check) != mutant["check"]:
                self.say(f"  {self.name}: the mutant {mutant['name']!r} is not rejected by {mutant['check']}")
        save(self.name, self.known)

    def accepted(self, seeds: int) -> None:
        """Grade the alternates, each with several seeds: what passes with one and fails with another is a flake."""
        part = self.fresh("alternates")
        fates, tried, flakes = (part.setdefault(name, {}) for name in ("fates", "tried", "flakes"))
        for path in support.alternates(self.name):
            for seed in range(tried.get(path.stem, 0), max(seeds, 1)):
                check = support.rejected_by(self.name, path.read_text(encoding="utf-8"), seed=seed)
                if check:
                    self.say(f"  {self.name}: the alternate {path.stem} fails {check.id} with seed {seed}")
                if seed == 0:
                    fates[path.stem] = function(check) if check else NOBODY
                if bool(check) != bool(fates[path.stem]):
                    flakes.setdefault(path.stem, []).append(seed)
                tried[path.stem] = seed + 1
                save(self.name, self.known)

    def degenerates(self) -> None:
        """Grade the submissions that answer without thinking."""
        part = self.fresh("degenerate")
        earned = part.setdefault("earned", {})
        for kind in degenerate.KINDS:
            if kind not in earned:
                earned[kind] = support.grade_one(self.name, degenerate.degenerate(self.solution, kind)).earned
        save(self.name, self.known)

    def tables(self) -> None:
        """Find the tasks that a table of answers to known seeds would earn with another one."""
        from .tables import answerable

        part = self.fresh("tables")
        if "answerable" not in part:
            found = answerable(self.name, KNOWN_SEEDS)
            part |= {"tasks": len(found), "answerable": sorted(task for task, whole in found.items() if whole)}
            for task in part["answerable"]:
                self.say(f"  {self.name}: a table answers all that {task} asks")
        save(self.name, self.known)

    def generated(self, checks: dict[str, set[str]], most: int, until: float) -> None:
        """Grade the generated mutants, until enough or all are done or time is up."""
        part = self.fresh("generated")
        fates = part.setdefault("fates", {})
        every = generate(self.name, self.solution)
        part["available"] = len(every)
        names = {mutant.name for mutant in every}
        fates = part["fates"] = {name: check for name, check in fates.items() if name in names}
        random.Random(ORDER).shuffle(every)
        start, tried = time.monotonic(), 0
        for mutant in every:
            if mutant.name in fates:
                continue
            if len(fates) >= most:
                break
            if time.monotonic() > until:
                self.say(f"  {self.name}: time is up after {len(fates)} of {len(every)} generated mutants")
                break
            check = self.fate(mutant, checks)
            fates[mutant.name] = function(check) if check else NOBODY
            tried += 1
            if check is None and mutant.name not in equivalent(self.name):
                self.say(f"  {self.name}: survives: {mutant.name}")
            elif check is not None and check.outcome == record.GRADER_ERROR:
                self.say(f"  {self.name}: {check.id} ends in a grader error for {mutant.name}: {check.message}")
            if tried % 20 == 0:
                save(self.name, self.known)
        if tried:
            self.say(f"  {self.name}: {tried} generated mutants in {time.monotonic() - start:.0f} s")
        save(self.name, self.known)

    def fate(self, mutant: Generated, checks: dict[str, set[str]]) -> record.Check | None:
        """Return the check that rejects a generated mutant: its own task's are asked first, dear ones last."""
        hint = self.hints.get(mutant.name)
        if hint and hint in set().union(*checks.values()):
            check = support.rejected_by(self.name, mutant.source, {hint})
            if check:
                return check
        near = self.nearest(mutant.owner, checks)
        rest = set().union(*checks.values()) - near
        for some in (near - self.dear, rest - self.dear, near & self.dear, rest & self.dear):
            check = support.rejected_by(self.name, mutant.source, some) if some else None
            if check:
                return check
        return None

    def nearest(self, owner: str, checks: dict[str, set[str]]) -> set[str]:
        """Return the checks of the task that implements a function or class, or nothing."""
        names = {owner, owner.partition(".")[0]}
        for task in support.COURSE.milestone(self.name).tasks:
            if names & {*task.implements, *(name.partition(".")[0] for name in task.implements)}:
                return checks.get(task.id, set())
        return set()

    def unfailed(self, checks: dict[str, set[str]]) -> None:
        """Ask every mutant about the checks that have rejected none so far."""
        part = self.known.setdefault("only", {})
        if part.get("key") != self.present["written"]:
            part = self.known["only"] = {"key": self.present["written"]}
        rejects = part.setdefault("rejects", {})
        idle = set(unfailed(self.known))
        if not idle:
            return
        candidates = [(mutant["name"], support.mutate(self.name, mutant)) for mutant in mutants(self.name)]
        asked = part.setdefault("asked", [])
        if sorted(idle) == asked:
            return
        generated_fates = self.known.get("generated", {}).get("fates", {})
        candidates += [
            (mutant.name, mutant.source)
            for mutant in generate(self.name, self.solution)
            if generated_fates.get(mutant.name)
        ]
        for name, source in candidates:
            while idle:
                check = support.rejected_by(self.name, source, idle)
                if check is None:
                    break
                rejects[function(check)] = name
                idle.discard(function(check))
            if not idle:
                break
        part["asked"] = sorted(idle)
        for name in sorted(idle):
            self.say(f"  {self.name}: no mutant fails {name}")


def unfailed(known: dict[str, Any]) -> list[str]:
    """Return the checks that no mutant is known to fail."""
    failed = set(known.get("only", {}).get("rejects", {}))
    for part in ("written", "generated"):
        failed |= set(known.get(part, {}).get("fates", {}).values())
    return sorted(set(known.get("seeds", {}).get("checks", [])) - failed)
