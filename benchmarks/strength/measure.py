"""Measure one milestone's suite: every kind of submission that it must reject or accept, graded in the real sandbox.

Right modules are graded with many seeds. Only the first of them and what the judge measures itself (time, memory) are
tried in the sandbox: the rest runs inside the judge, which takes half as long, and again in the sandbox where it fails.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from grader import record

from . import known, margins, names
from .crowd import Crowd, Graded
from .operators import Generated, generate
from .proofs import Trial, degenerate, function, proving, support

ORDER = 20  # seeds the order in which generated mutants are tried: a run cut short has tried a fair sample
DEAR = 0.7  # a check that takes more seconds on the solution is asked about a generated mutant after all others
BATCH = 10  # seeds; what was found with them is kept before more are tried
KNOWN_SEEDS = 3  # whose questions and answers a table is made of
NOBODY = ""
SOLUTION = "the solution"


def batches(done: int, seeds: int) -> list[range]:
    """Return the seeds that were not tried yet, as many at a time as are lost when somebody stops it."""
    return [range(start, min(start + BATCH, seeds)) for start in range(done, seeds, BATCH)]


class Milestone:
    """One milestone's measurements."""

    def __init__(self, name: str, crowd: Crowd, say: Callable[[str], None] = print) -> None:
        self.name, self.crowd, self.say = name, crowd, say
        self.known = known.load(name)
        self.present = known.keys(name)
        self.solution = support.source("solutions", name)
        self.tasks = support.checks_by_task(name)
        self.checks = sorted(set().union(*self.tasks.values()))
        self.hints: dict[str, str] = {}

    def fresh(self, part: str) -> dict[str, Any]:
        """Return a part as far as it is known and still true; otherwise an empty one."""
        found = self.known.get(part, {})
        if found.get("key") != self.present[part]:
            # What was true of another version is no result, but says which check to ask first.
            self.hints.update({name: check for name, check in found.get("fates", {}).items() if check})
            found = {"key": self.present[part]}
        self.known[part] = found
        return dict.__getitem__(self.known, part)

    def keep(self) -> None:
        """Keep what was found so far."""
        known.save(self.name, self.known)

    def measure(self, seeds: int, most: int, until: float) -> None:
        """Measure every part that is not known, and keep the results."""
        self.solved(max(seeds, 1))
        self.written()
        self.accepted(max(seeds, 1))
        self.degenerates()
        self.tables()
        if most:
            self.generated(most, until)
        self.unfailed()
        self.keep()

    # ── what is right ─────────────────────────────────────────────────────────────────────────────────────────────

    def solved(self, seeds: int) -> None:
        """Grade the solution with several seeds: what fails there is a flake."""
        part = self.fresh("seeds")
        part["checks"] = self.checks
        if "measured" not in part:
            (first,) = next(self.crowd.graded(self.name, [Trial(self.solution, (frozenset(self.checks),))]))
            ended = first.groups[0]
            part["dear"] = sorted({function(check.id) for check in ended if check.seconds > DEAR})
            part["measured"] = sorted({function(check.id) for check in ended if record.MEASURED in check.evidence})
        flakes = part.setdefault("flakes", {})
        for some in batches(part.get("tried", 0), seeds):
            for graded, seed in self.seeded(part, SOLUTION, self.solution, some):
                for check in graded.rejected:
                    flakes[check.id] = sorted({*flakes.get(check.id, []), seed})
                    self.say(f"  {self.name}: the solution fails {check.id} with seed {seed}: {check.message}")
            part["tried"] = some.stop
            self.keep()

    def accepted(self, seeds: int) -> None:
        """Grade the alternates, each with several seeds: what passes with one and fails with another is a flake."""
        part = self.fresh("alternates")
        of, fates, tried, flakes = (part.setdefault(name, {}) for name in ("of", "fates", "tried", "flakes"))
        current = {path.stem: path for path in known.alternates(self.name, part)}
        for stem in [stem for stem in {*fates, *tried, *of} if stem not in current]:
            for findings in (of, fates, tried, flakes, *part.get("bounds", {}).values()):
                findings.pop(stem, None)
        for path in support.alternates(self.name):
            source, stem = path.read_text(encoding="utf-8"), path.stem
            of[stem] = known.alternate_digest(path)
            for some in batches(tried.get(stem, 0), seeds):
                failed = set()
                for graded, seed in self.seeded(part, stem, source, some):
                    for check in graded.rejected:
                        failed.add(seed)
                        if seed == 0:
                            fates.setdefault(stem, function(check.id))
                        said = f"fails {check.id} with seed {seed}: {check.message}"
                        self.say(f"  {self.name}: the alternate {stem} {said}")
                fates.setdefault(stem, NOBODY)
                if wrong := [seed for seed in some if (seed in failed) != bool(fates[stem])]:
                    flakes[stem] = [*flakes.get(stem, []), *wrong]
                tried[stem] = some.stop
                self.keep()

    def seeded(self, part: dict[str, Any], name: str, source: str, seeds: range) -> Iterator[tuple[Graded, int]]:
        """Grade a right module with some seeds, and note its bounds; yield what was found."""
        measured = frozenset(self.known["seeds"]["measured"])
        plain, everything = frozenset(self.checks) - measured, frozenset(self.checks)
        trials = [
            Trial(source, (group,), seed=str(seed), level=level)
            for seed in seeds
            for level, group in ([("auto", everything)] if seed == 0 else [("inline", plain), ("auto", measured)])
            if group
        ]
        bounds, again = part.setdefault("bounds", {}), list[Trial]()
        for some in self.crowd.graded(self.name, trials):
            for graded in some:
                trial = trials[graded.number]
                margins.add(bounds, name, graded.bounds)
                if trial.level == "inline" and graded.rejected:  # there is no sandbox, and that may be why
                    group = frozenset(function(check.id) for check in graded.rejected)
                    again.append(Trial(source, (group,), seed=trial.seed))
                else:
                    yield graded, int(trial.seed)
        for some in self.crowd.graded(self.name, again):
            for graded in some:
                yield graded, int(again[graded.number].seed)

    # ── what is wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    def written(self) -> None:
        """Grade each written mutant by the check it names, and by all checks until one says what the mistake is."""
        part = self.fresh("written")
        of, fates, first = (part.setdefault(name, {}) for name in ("of", "fates", "first"))
        current = {mutant["name"] for mutant in known.written(self.name, part)}
        for name in [name for name in fates if name not in current]:
            for findings in (of, fates, first):
                findings.pop(name, None)
        new = [mutant for mutant in known.mutants(self.name) if mutant["name"] not in current]
        trials = [
            Trial(
                support.mutate(self.name, mutant), (frozenset({mutant["check"]}), frozenset(self.checks)), proving.NAMED
            )
            for mutant in new
        ]
        for some in self.crowd.graded(self.name, trials):
            for graded in some:
                self.note_written(part, new[graded.number], graded)
            self.keep()

    def note_written(self, part: dict[str, Any], mutant: dict[str, Any], graded: Graded) -> None:
        """Note which check rejects a written mutant, and the first name that its whole report has."""
        name = mutant["name"]
        check = graded.rejected[0] if graded.rejected else None
        first = next((check.mistake for check in graded.groups[1] if check.mistake), "")
        part["of"][name] = known.mutant_digest(mutant)
        part["fates"][name] = function(check.id) if check else NOBODY
        part["first"][name] = first
        if not check or function(check.id) != mutant["check"]:
            self.say(f"  {self.name}: the mutant {name!r} is not rejected by {mutant['check']}")
        if names.verdict(mutant, first or "") != names.RIGHT:
            self.say(f"  {self.name}: the mutant {name!r} is first told: {first or 'nothing'}")

    def degenerates(self) -> None:
        """Grade the submissions that answer without thinking."""
        part = self.fresh("degenerate")
        earned = part.setdefault("earned", {})
        kinds = [kind for kind in degenerate.KINDS if kind not in earned]
        groups = tuple(map(frozenset, self.tasks.values()))
        trials = [Trial(degenerate.degenerate(self.solution, kind), groups, proving.REJECTED) for kind in kinds]
        points = [task.points for task in support.COURSE.milestone(self.name).tasks]
        for some in self.crowd.graded(self.name, trials):
            for graded in some:
                passed = [all(check.outcome == record.PASSED for check in checks) for checks in graded.groups]
                earned[kinds[graded.number]] = float(sum(p for p, whole in zip(points, passed, strict=True) if whole))
        self.keep()

    def tables(self) -> None:
        """Find the tasks that a table of answers to known seeds would earn with another one."""
        from .tables import answerable

        part = self.fresh("tables")
        if "answerable" not in part:
            found = answerable(self.name, KNOWN_SEEDS)
            part |= {"tasks": len(found), "answerable": sorted(task for task, whole in found.items() if whole)}
            for task in part["answerable"]:
                self.say(f"  {self.name}: a table answers all that {task} asks")
        self.keep()

    def generated(self, most: int, until: float) -> None:
        """Grade the generated mutants, until enough or all are done or time is up."""
        part = self.fresh("generated")
        every = generate(self.name, self.solution)
        part["available"] = len(every)
        written = {mutant.name for mutant in every}
        fates = {name: check for name, check in part.setdefault("fates", {}).items() if name in written}
        part["fates"] = fates
        random.Random(ORDER).shuffle(every)
        new = [mutant for mutant in every if mutant.name not in fates][: max(most - len(fates), 0)]
        start = time.monotonic()
        trials = [Trial(mutant.source, (self.in_turn(mutant),), proving.REJECTED) for mutant in new]
        for some in self.crowd.graded(self.name, trials):
            for graded in some:
                self.note_generated(fates, new[graded.number], graded.rejected)
            self.keep()
            if time.monotonic() > until:
                self.say(f"  {self.name}: time is up after {len(fates)} of {len(every)} generated mutants")
                break
        if new:
            self.say(f"  {self.name}: {len(new)} generated mutants in {time.monotonic() - start:.0f} s")

    def note_generated(self, fates: dict[str, str], mutant: Generated, rejected: list[record.Check]) -> None:
        """Note which check rejects a generated mutant, if any."""
        fates[mutant.name] = function(rejected[0].id) if rejected else NOBODY
        if not rejected and mutant.name not in known.equivalent(self.name) | known.on_gpu(self.name):
            self.say(f"  {self.name}: survives: {mutant.name}")
        elif rejected and rejected[0].outcome == record.GRADER_ERROR:
            check = rejected[0]
            self.say(f"  {self.name}: {check.id} ends in a grader error for {mutant.name}: {check.message}")

    def in_turn(self, mutant: Generated) -> tuple[str, ...]:
        """Return the checks in a mutant's own order: what rejected it before, its task's, others, dear ones."""
        hint, near, dear = self.hints.get(mutant.name), self.nearest(mutant.owner), self.known["seeds"]["dear"]
        return tuple(sorted(self.checks, key=lambda name: (name != hint, name in dear, name not in near, name)))

    def nearest(self, owner: str) -> set[str]:
        """Return the checks of the task that implements a function or class, or nothing."""
        wanted = {owner, owner.partition(".")[0]}
        for task in support.COURSE.milestone(self.name).tasks:
            if wanted & {*task.implements, *(name.partition(".")[0] for name in task.implements)}:
                return self.tasks.get(task.id, set())
        return set()

    def unfailed(self) -> None:
        """Ask every mutant about the checks that have rejected none so far."""
        part = self.fresh("only")
        rejects, asked = part.setdefault("rejects", {}), part.setdefault("asked", [])
        idle = set(known.unfailed(self.known))
        if not idle or sorted(idle) == asked:
            return
        fates = self.known.get("generated", {}).get("fates", {})
        candidates = [(mutant["name"], support.mutate(self.name, mutant)) for mutant in known.mutants(self.name)]
        candidates += [(m.name, m.source) for m in generate(self.name, self.solution) if fates.get(m.name)]
        for some in self.crowd.graded(self.name, [Trial(source, (frozenset(idle),)) for _, source in candidates]):
            for graded in some:
                for check in graded.rejected:
                    rejects.setdefault(function(check.id), candidates[graded.number][0])
            if idle <= set(rejects):
                break
        part["asked"] = sorted(idle - set(rejects))
        for name in part["asked"]:
            self.say(f"  {self.name}: no mutant fails {name}")
