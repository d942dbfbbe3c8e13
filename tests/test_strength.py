"""docs/strength.md says what is so: the figures against the tree, and stored fates tried again by sample."""

from __future__ import annotations

import functools
import math
import random
import re

import proving
import pytest
import support

from benchmarks.strength import crowd, known, margins, measure, names, operators, table, tables
from grader.judge import bounds

AGAIN = "run `nox -s strength` (with `-- --table` to measure nothing and only write the page)"
SAMPLE = 2  # stored rejections a milestone that are tried again; each takes a fraction of a second


@functools.cache
def generated(milestone):
    """Return a milestone's generated mutants by their names."""
    return {mutant.name: mutant for mutant in operators.generate(milestone, support.source("solutions", milestone))}


def measured(milestone, part="generated"):
    """Return a part of what was measured, or skip where there is nothing that is still about the present files."""
    found = known.load(milestone).get(part, {})
    if found.get("key") != known.keys(milestone)[part]:
        pytest.skip(f"{milestone} was not measured, or has changed since; the page says so")
    return found


def test_the_page_says_what_was_measured():
    """The committed page is the one that the stored results and the tree make."""
    assert table.PAGE.read_text(encoding="utf-8") == table.render(), AGAIN


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_the_row_counts_what_stands_in_the_tree(milestone):
    """Checks, mutants and alternates of a row are as many as there are files and functions."""
    line = next(line for line in table.PAGE.read_text(encoding="utf-8").splitlines() if f"[{milestone}]" in line)
    row = dict(zip(table.COLUMNS, [cell.strip() for cell in line.strip("|").split("|")], strict=True))
    own = [mutant for name, mutant in support.mutants() if name == milestone]

    for column, count in (
        ("checks", len(support.suite(milestone))),
        ("written mutants killed", len(own)),
        ("alternates accepted", len(support.alternates(milestone))),
    ):
        if row[column] != table.NOT_YET and not row[column].endswith("†"):
            assert row[column].rpartition(" ")[2] == str(count), f"{column}: {AGAIN}"


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_what_was_rejected_still_is(milestone):
    """Some generated mutants, drawn with a fixed seed, are rejected by the check that is stored for them."""
    fates = sorted((name, check) for name, check in measured(milestone)["fates"].items() if check)

    for name, check in random.Random(milestone).sample(fates, SAMPLE):
        assert name in generated(milestone), f"{name} can no longer be made: {AGAIN}"
        assert support.rejected_by(milestone, generated(milestone)[name].source, {check}), f"{check} accepts {name}"


def test_what_survived_still_does():
    """One mutant that is stored as a survivor, drawn with a fixed seed, passes its whole suite."""
    survivors = [
        (milestone, name)
        for milestone in support.MILESTONES
        if known.load(milestone).get("generated", {}).get("key") == known.keys(milestone)["generated"]
        for name, check in sorted(known.load(milestone)["generated"]["fates"].items())
        if not check
    ]
    if not survivors:
        pytest.skip("no survivor is stored that is about the present files")
    milestone, name = random.Random(3).choice(survivors)

    assert support.rejected_by(milestone, generated(milestone)[name].source) is None, f"{milestone}: {name}"


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_the_suite_is_strong_enough(milestone):
    """Of the generated mutants that are a mistake, at least 95 % are rejected, and each check rejects some mutant."""
    fates = measured(milestone)["fates"]
    dead, _, alive = table.tally(milestone, fates)

    assert dead >= 0.95 * (dead + alive)
    assert known.unfailed(known.load(milestone)) == []


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_written_mutants_and_alternates_had_their_due(milestone):
    """Every written mutant was rejected, every alternate accepted, and nothing degenerate earned a point."""
    assert measure.NOBODY not in measured(milestone, "written")["fates"].values()
    assert set(measured(milestone, "alternates")["fates"].values()) == {measure.NOBODY}
    assert set(measured(milestone, "degenerate")["earned"].values()) == {0}


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_the_first_name_is_the_mistakes_own(milestone):
    """Of the written mutants at least nine in ten are first told what they are, and none is told something else."""
    found = names.verdicts(known.mutants(milestone), measured(milestone, "written")["first"])

    assert [name for name, verdict in found.items() if verdict == names.WRONG] == []
    assert list(found.values()).count(names.RIGHT) >= names.LEAST * len(found)


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_right_code_stays_away_from_every_bound(milestone):
    """What varies by chance stayed five standard deviations away from its bounds, with every module and seed."""
    parts = measured(milestone, "seeds"), measured(milestone, "alternates")

    assert {bound: found for bound, found in margins.worst(*parts).items() if found[0] < margins.LEAST} == {}


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_table_of_answers_earns_no_task(milestone):
    """Each task asks something with a new seed that it asked with none of the seeds that a table was made of."""
    assert measured(milestone, "tables")["answerable"] == []


def test_the_security_page_counts_the_tasks_that_a_table_was_tried_on():
    """docs/security.md says for how many tasks a table of answers was tried: all of them."""
    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    tried = sum(known.load(milestone).get("tables", {}).get("tasks", 0) for milestone in support.MILESTONES)

    assert f"of the course's {tried} tasks" in page, AGAIN


def test_what_a_table_answers_is_found():
    """Checks that ask the same with every seed are answered by a table, those that draw are not."""
    known, new = tables.questions("m03_embedding", 0), tables.questions("m03_embedding", 1)
    fixed = tables.questions("m03_embedding", 0)

    assert known == fixed
    assert [task for task, asked in new.items() if asked <= known[task]] == []
    assert all(asked & known[task] for task, asked in new.items())


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_what_is_called_equivalent_survived(milestone):
    """A mutant is excused for a stated reason, and only where no check rejects it."""
    fates = measured(milestone)["fates"]
    for name, reason in (known.equivalent(milestone) | known.on_gpu(milestone)).items():
        assert len(reason.split()) >= 3, name
        assert fates.get(name) == measure.NOBODY, f"{name} was rejected, or can't be made: take it off the list"


EXAMPLE = '''
def clip(x: "Tensor[3]", low: int = 2) -> "Tensor[3]":
    """Say 5 words about it."""
    if low < 1:
        raise ValueError(f"{low - 1}")
    return x[1:].clone() - low
'''


def test_a_line_may_move_without_a_change_of_names():
    """A mutant is called after its line and its change, wherever the line stands."""
    names = [mutant.name for mutant in operators.generate("m", EXAMPLE)]
    moved = [mutant.name for mutant in operators.generate("m", f"# moved\n\n\nimport math\n{EXAMPLE}")]

    assert len(set(names)) == len(names)
    assert moved == names


def test_each_operator_leaves_alone_what_a_contract_leaves_open():
    """Each mutant is one valid change; annotations, docstrings and the words of an error stay."""
    mutants = operators.generate("m", EXAMPLE)

    for mutant in mutants:
        compile(mutant.source, mutant.name, "exec")
        assert mutant.source.count("'Tensor[3]'") == 2 and "Say 5 words" in mutant.source
        assert "{low - 1}" in mutant.source or "raise" not in mutant.source
    kinds = {re.search(r" \| ([a-z ]+): ", mutant.name).group(1) for mutant in mutants}
    assert kinds == {"constant", "compare", "dropped", "arithmetic", "swapped", "slice", "call removed"}
    assert all(mutant.owner == "clip" for mutant in mutants)


def test_a_name_is_right_wrong_or_missing():
    """Of several sentences that a mutant allows any is right; a sentence is wrong where the mutant has none."""
    several, unnamed = {"name": "m", "told": ["the mask", "the future"]}, {"name": "m"}

    assert names.verdict(several, "it sees the future") == names.verdict({"told": "mask"}, "a mask") == names.RIGHT
    assert names.verdict(several, "no scaling") == names.verdict(unnamed, "no scaling") == names.WRONG
    assert names.verdict(several, "") == names.verdict(unnamed, "") == names.UNNAMED
    assert names.tally({"a": names.RIGHT, "b": names.UNNAMED}) == "1 / 0 / 1 (50 %)"


def test_a_margin_is_the_least_gap_in_units_of_its_spread():
    """Gaps of 4 and 6 spread by 1, so that the nearer one is 4 spreads away; what never varies has no margin."""
    stored = {}
    for value in (0.4, 0.6):
        margins.add(stored, "one", [("test_x", f"{value:.0%} are zero", 0.0, 10 * value, math.inf)])
        margins.add(stored, "steady", [("test_x", "9% are zero", 0.0, 5.0, math.inf)])
    ((bound, (margin, module, count)),) = margins.worst({"bounds": stored}).items()

    assert bound == "test_x | above | … are zero"
    assert len({margins.wording(f"The mean is {mean}, not 0.") for mean in ("0.02", "-3", "1e-05", "-2.5e-7")}) == 1
    assert (module, count) == ("one", 2) and margin == pytest.approx(4)
    assert math.isinf(margins.margin(stored[bound]["steady"]))


def test_a_bound_is_heard_with_the_check_that_asks():
    """Whoever measures hears of each bound: which check, what it says, the value and where it may lie."""
    heard = []
    check = "test_a_fresh_table_is_normal_and_small"
    trial = proving.Trial(support.source("solutions", "m03_embedding"), (frozenset({check}),), level="inline")
    proving.tried("m03_embedding", [trial], lambda place, kept: heard.append((place, kept)))

    assert {(place, name) for place, (name, *_) in heard} == {(0, check)} and len(heard) == 3
    assert all(above < value < below for _, (_, _, above, value, below) in heard)
    assert bounds.listener is None


def test_seeds_are_kept_some_at_a_time():
    """What was tried is not tried again, and the last batch ends with the last seed."""
    assert measure.batches(7, 25) == [range(7, 17), range(17, 25)]
    assert measure.batches(25, 20) == []


def test_what_is_graded_on_all_cores_is_what_is_graded_here():
    """Each trial comes back once, with its number, the checks that ran, and the bounds that it was held to."""
    milestone, check = "m03_embedding", "test_a_fresh_table_is_normal_and_small"
    solution = support.source("solutions", milestone)
    sources = [solution, solution.replace("0.02 *", "0.05 *"), solution]
    processes = crowd.Crowd()
    try:
        trials = [proving.Trial(source, (frozenset({check}),), level="inline") for source in sources]
        found = {graded.number: graded for some in processes.graded(milestone, trials) for graded in some}
    finally:
        processes.close()

    assert [bool(found[number].rejected) for number in range(3)] == [False, True, False]
    assert [len(found[number].bounds) for number in range(3)] == [3, 1, 3]
