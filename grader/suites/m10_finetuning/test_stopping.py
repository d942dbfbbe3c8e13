"""m10_finetuning: when it is enough, which weights are kept, and which of many runs is believed."""

import math
from typing import Any

import pytest
import torch

from grader.judge import (
    FLOAT32_OP,
    counted,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
)

from . import oracle, probes

NAN, INF = float("nan"), float("inf")
PEEKING = "every setting is tested: what chose by the test has nothing left to measure with"
FALLS = [1.0, 0.8, 0.81, 0.79, 0.85, 0.84, 0.83]


def expect_stops(student, losses, patience, min_delta=0.0):
    """Ask after each loss whether it is enough, and compare."""
    expected = oracle.stops(losses, patience, min_delta)
    given = [losses[:count] for count in range(len(losses) + 1)]
    actual = [student.enough(some, patience, min_delta) for some in given]
    misses = oracle.stop_misses(losses, patience, min_delta)
    what = f"enough after none, one, two ... of {losses} with patience {patience} and min_delta {min_delta}"
    expect_equal(actual, expected, misses=misses, what=what)


@pytest.mark.task("m10.4")
@pytest.mark.holds(
    "Example: 1, 0.8, 0.81, 0.79, 0.85, 0.84, 0.83: patience 1 is over at 0.81, patience 2 at 0.84, patience "
    "3 at 0.83.",
)
def test_the_losses_of_the_docstring(student):
    """With the docstring's losses patience of 1, 2 and 3 is over at the third, sixth and seventh."""
    for patience, length in ((1, 3), (2, 6), (3, 7)):
        for count in (length - 1, length):
            what = f"enough({FALLS[:count]}, {patience})"
            expect_equal(student.enough(FALLS[:count], patience), count == length, what=what)


@pytest.mark.task("m10.4")
@pytest.mark.holds(
    "Say whether to stop now: when the last `patience` validation losses, or more, were all no improvement.",
    "The first finite loss is an improvement; a later one must be lower than the last improvement by more than "
    "min_delta.",
    "An equal loss is none; NaN and infinity never are.",
)
def test_patience_is_for_losses_in_a_row(student, draw):
    """What is no improvement counts in a row, measured against the last improvement, and by more than min_delta."""
    drawn = [round(float(value), 1) for value in draw.normal(12, scale=0.5) + 3]
    # Each of these three sets apart what the longer ones below would call by two names.
    expect_stops(student, [3.0, 3.5, 2.5, 3.0, 2.75, 2.875, 2.0, 2.25], 2)  # enough, and then an improvement after all
    expect_stops(student, [3.0, 3.0, NAN, NAN], 2)
    expect_stops(student, [NAN, NAN, NAN, 3.0, 3.0, 3.0], 2)
    for patience in (1, 2, 3):
        expect_stops(student, drawn, patience)
        expect_stops(student, [4.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.5, 2.0], patience)  # equal ones
        expect_stops(student, [NAN, NAN, 3.0, NAN, 2.0, NAN, NAN, NAN, 1.0], patience)
        expect_stops(student, [INF, INF, 3.0, INF, 2.0, INF, NAN, INF, 1.0], patience)
        expect_stops(student, [4.0, 4.25, 3.5, 3.75, 4.0, 3.25, 3.125, 2.0, 2.5], patience, 0.5)
        expect_stops(student, [4.0, 3.75, 3.5, 3.25, 3.0, 2.75, 2.5, 2.5], patience, 0.5)  # small steps that add up
        expect_stops(student, [3.0, 3.5, 3.25, 3.0, 2.75, 3.5, 3.25, 3.0], patience)


@pytest.mark.task("m10.4")
@pytest.mark.holds("Raises ValueError, naming the number, when patience is below 1.")
def test_patience_is_at_least_one(student):
    """A patience of 0 or less raises ValueError, which names it."""
    for patience in (0, -3):
        expect_raises("ValueError", student.enough, [1.0], patience, mentions=(str(patience),), fine=([1.0], 1))


def expect_fitted(student, draw, losses, patience, epochs, min_delta=0.0):
    """Fit a model with these validation losses, and compare everything that is left."""
    start = draw.normal(2, 3)
    found = student.plant(probes).fitting(student.fit, start, losses, epochs, patience, min_delta)
    ran, easier, harder = (
        min(epochs, next((n for n, over in enumerate(oracle.stops(losses, patience, delta)) if over), len(losses)))
        for delta in (min_delta, 0.0, min_delta or 1.0)
    )
    history, seen = found["history"], found["seen"]
    wanted = [(10.0 + n + 1, losses[n]) for n in range(ran)]
    misses = {
        "training goes on after it is enough": [(11.0 + n, losses[n]) for n in range(min(epochs, len(losses)))],
        "min_delta is not handed on": [(11.0 + n, losses[n]) for n in range(easier)],
        "min_delta is not 0 where nobody gives one": [(11.0 + n, losses[n]) for n in range(harder)],
        "losses are returned as (in validation, in training)": [(b, a) for a, b in wanted],
        "the validation losses alone are returned": [b for _, b in wanted],
        "the last epoch is missing": wanted[:-1],
    }
    expect_equal(texts(history), texts(wanted), misses={w: texts(v) for w, v in misses.items()}, what="the history")
    order = [name for name, *_ in seen]
    expect_equal(order, ["training", "validation"] * ran, what="the order of the calls")
    for name, modes, graph in seen:
        right = [True] if name == "training" else [False]
        mistake = "train() or eval() is missing: what was set for one half stays for the other"
        expect(modes == right, f"In {name} the modules' training flags are {modes}.", mistake=mistake)
        graphs = "there is no torch.no_grad() around validate" if name == "validation" else None
        expect(graph is (name == "training"), f"In {name} gradients are {'on' if graph else 'off'}.", mistake=graphs)
    best = oracle.first_lowest(losses[:ran])
    kept = best + 1
    weights = {count: start + count * (count + 1) // 2 for count in range(epochs + 1)}
    misses = {
        "the last epoch's weights are left, not the best's": weights[ran],
        "weights are kept only where min_delta calls it an improvement": weights[improved(losses[:ran], min_delta)],
        "the best weights are kept a copy too late: after the next epoch": weights[min(kept + 1, epochs)],
        "of equal losses the last one's weights are kept": weights[
            max((n + 1 for n in range(ran) if losses[n] == losses[best]), default=0)
        ],
        "the weights from before the best epoch are kept": weights[max(kept - 1, 0)],
        "the first epoch's weights are kept": weights[min(1, epochs)],
    }
    if INF in losses[:ran]:
        misses["infinity passes for the lowest loss"] = weights[losses.index(INF) + 1]
    expect_close(found["state"]["weight"], weights[kept], atol=FLOAT32_OP, misses=misses, what="the weights")
    buffers = {"buffers are not brought back with the parameters: state_dict() has both": torch.tensor(ran)}
    expect_equal(found["state"]["epochs"], torch.tensor(kept), misses=buffers, what="the buffer, which counts epochs,")
    mistake = "new tensors take the place of the model's own, which an optimizer holds: copy into these"
    expect(found["same"] is True, "After fit the model has other parameters or buffers than before.", mistake=mistake)
    expect(found["training"] == [], f"After fit {found['training']} are in training mode.")


def improved(losses, min_delta):
    """Return the number of the last epoch that was an improvement, 0 where none was."""
    best, last = math.inf, 0
    for number, loss in enumerate(losses, 1):
        if loss < best - min_delta:
            best, last = loss, number
    return last


def texts(history):
    """Return a history with NaN as a word, since NaN equals nothing."""
    if not isinstance(history, list):
        return history
    return [
        tuple("NaN" if isinstance(part, float) and math.isnan(part) else part for part in row)
        if isinstance(row, tuple)
        else row
        for row in history
    ]


@pytest.mark.task("m10.4")
@pytest.mark.holds(
    "Train for `epochs`, or until it is enough; return each epoch's losses: (train_epoch(), validate()).",
    "train_epoch is called in training mode, validate after it in eval mode and without a graph.",
)
def test_training_ends_in_time(student, draw):
    """An epoch is training in its mode, then validation in its own, until patience or the number of epochs is over."""
    expect_fitted(student, draw, [3.0, 2.875, 2.75, 2.625, 2.75, 2.6875, 1.0, 0.5], 2, 8)  # in small steps
    expect_fitted(student, draw, [3.0, 2.0, 2.5, 1.5, 1.25, 1.0], 2, 4)
    expect_fitted(student, draw, [3.0, 2.0, 1.75, 1.6, 2.0, 1.9, 1.0], 2, 7, 0.5)  # 1.6 is no improvement, and the best


@pytest.mark.task("m10.4")
@pytest.mark.holds(
    "In the end the model is in eval mode, and the tensors of its state_dict(), the same as ever, hold what the epoch "
    "of the lowest validation loss left in them (the first of equals; NaN and infinity are none), or without such an "
    "epoch what they began with.",
)
def test_the_best_epochs_weights_are_left(student, draw):
    """The model ends with the weights and buffers of its best epoch, not with the last ones, and in eval mode."""
    for losses, patience in (
        ([3.0, 2.0, 2.5, 2.25, 2.75], 3),
        ([3.0, 2.0, 2.5, 2.0, 2.25], 5),
        ([NAN, 2.0, NAN, 3.0], 5),
        ([NAN, NAN, NAN], 5),
        ([NAN, INF, INF, INF], 5),
        ([], 1),
    ):
        expect_fitted(student, draw, losses, patience, len(losses))


GRID: dict[str, list[Any]] = {"rate": [0.1, 0.2], "size": ["small", "large"], "decay": [0]}


def swept(student, losses, seeds, grid=None):
    """Sweep over a grid with these losses."""
    return student.plant(probes).sweeping(student.sweep, grid or GRID, losses, seeds)


@pytest.mark.task("m10.5")
@pytest.mark.holds(
    "Try all combinations of a grid's values; return a table of (settings, mean validation loss), and the test's row.",
    "It is called once for each combination and seed, torch seeded by that just before; the last name's values change "
    "fastest, seeds faster still.",
)
def test_every_combination_is_tried_with_every_seed(student, draw):
    """Each combination is run once with each seed, in the order of nested loops, and the table has their means."""
    losses = [4.0, 5.0, 3.0, 1.0, 2.0, 3.0, 8.0, 7.0]
    first, further = draw.integers(1, 10_000, 2).tolist()
    seeds = [first, first + further]
    found = swept(student, losses, seeds)
    rows = oracle.combinations(GRID)
    runs = [["run", row] for row in rows for _ in range(2)]
    calls = [call for call in found["calls"] if call[0] == "run"]
    missed = {
        "the first name's values change fastest, not the last one's": [
            ["run", row] for row in oracle.combinations(GRID, first_fastest=True) for _ in range(2)
        ],
        "all combinations are run with one seed before the next": [["run", row] for _ in range(2) for row in rows],
        "each combination is run once, not once for each seed": [["run", row] for row in rows],
    }
    expect_equal(calls, runs, misses=missed, what="the list of runs")
    means = [4.5, 2.0, 2.5, 7.5]
    expect_table(found, list(zip(rows, means, strict=True)), losses)
    wanted = [seed for _ in rows for seed in seeds]
    draws = torch.stack(found["draws"])
    misses = {
        "torch is seeded once, and not before every run": once(wanted[:1], 8),
        "torch is seeded once for each combination, and not before every run": torch.cat([once(wanted[:1], 2)] * 4),
        "all runs have the first seed": torch.stack([oracle.drawn(first)] * 8),
    }
    expected = torch.stack([oracle.drawn(seed) for seed in wanted])
    expect_close(draws, expected, atol=FLOAT32_OP, misses=misses, what="what the runs drew from torch")


def once(seeds, count):
    """Return what is drawn by `count` runs after one seed."""
    generator = torch.Generator().manual_seed(seeds[0])
    return torch.stack([torch.rand(3, generator=generator) for _ in range(count)])


def expect_table(found, rows, losses):
    """Compare the table with what it must be."""
    shown = isinstance(found["result"], tuple) and len(found["result"]) == 2
    expect(shown, "sweep returns no tuple of a table and a row.", evidence="value")
    per = len(losses) // len(rows)
    parts = [losses[n * per : (n + 1) * per] for n in range(len(rows))]
    settings = [row for row, _ in rows]
    misses = {
        "the losses of the seeds are added up, not averaged": list(zip(settings, map(sum, parts), strict=True)),
        "the best seed's loss is kept, not the mean": list(zip(settings, map(min, parts), strict=True)),
        "the last seed's loss is kept, not the mean": [(row, p[-1]) for row, p in zip(settings, parts, strict=True)],
        "the table is sorted; it keeps the order of the runs": sorted(rows, key=lambda row: row[1]),
    }
    expect_equal(found["result"][0], rows, misses=misses, what="the table")


@pytest.mark.task("m10.5")
@pytest.mark.holds(
    "run(**settings) trains anew and returns a validation loss.",
    "Then, with the first seed, test(**settings) is called once, with those of the lowest mean (the first of equals; "
    "NaN and infinity are none): they and its loss are the row.",
)
def test_the_test_is_asked_once_at_the_end(student):
    """The test is asked once, after all runs, for the settings with the lowest mean, and decides nothing."""
    rows = oracle.combinations(GRID)
    for means in ([4.0, 2.0, 3.0, 5.0], [4.0, 3.0, 3.0, 3.5], [NAN, 3.0, INF, 2.0], [1.0, NAN, 2.0, 3.0]):
        found = swept(student, means, [5])
        best = oracle.first_lowest(means)
        worst = max((n for n, mean in enumerate(means) if math.isfinite(mean)), key=lambda n: means[n])
        calls = found["calls"]
        tested = [number for number, (name, _) in enumerate(calls) if name == "test"]
        mistake = PEEKING if len(tested) > 1 else None if tested else "nothing is tested"
        said = f"Of {counted(len(calls), 'call')} those of test are at {tested}; expected one at the end, at [4]."
        expect(tested == [4], said, mistake=mistake, evidence="value")
        diverged = {"NaN is chosen, since nothing is lower than NaN": ["test", rows[0]]} if math.isnan(means[0]) else {}
        others = diverged | {
            "the highest mean wins; a loss is better when it is lower": ["test", rows[worst]],
            "of equal means the last wins": ["test", rows[max(n for n, m in enumerate(means) if m == means[best])]],
            "the last combination is tested, not the best": ["test", rows[-1]],
            "the first combination is tested, not the best": ["test", rows[0]],
        }
        expect_equal(calls[4], ["test", rows[best]], misses=others, what="the settings that are tested")
        shown = isinstance(found["result"], tuple) and len(found["result"]) == 2
        expect(shown, "sweep returns no tuple of a table and a row.", evidence="value")
        lost = {"the validation loss comes back in the place of the test's": (rows[best], means[best])}
        expect_equal(found["result"][1], (rows[best], 0.5), misses=lost, what="the row")


@pytest.mark.task("m10.5")
@pytest.mark.holds(
    "Then, with the first seed, test(**settings) is called once, with those of the lowest mean (the first of equals; "
    "NaN and infinity are none): they and its loss are the row.",
)
def test_the_test_is_seeded_too(student):
    """What the test draws is drawn from the first seed, whatever ran last."""
    found = swept(student, [4.0, 5.0, 3.0, 1.0, 2.0, 3.0, 8.0, 7.0], [3, 11])
    misses = {
        "torch is not seeded for the test, which goes on where the last run stopped": once([11], 2)[1:],
        "the test has the last seed, not the first": oracle.drawn(11)[None],
        "torch's random numbers are put back before the test, not after it": oracle.drawn(probes.OWN_SEED)[None],
    }
    drawn = torch.stack([oracle.drawn(3)])
    tested = torch.stack(found["tested"]) if found["tested"] else None
    expect_close(tested, drawn, atol=FLOAT32_OP, misses=misses, what="what the test drew from torch")


@pytest.mark.task("m10.5")
@pytest.mark.holds("torch then draws as if nothing had been.")
def test_random_numbers_go_on_after_a_sweep(student):
    """Whatever the runs draw and seed, torch's random numbers are afterwards where they were."""
    found = swept(student, [4.0, 2.0, 3.0, 5.0], [5])
    mistake = "the last seed is left behind: whatever is drawn next is drawn from it"
    same = torch.equal(found["after"], found["before"])
    expect(same, "After the sweep torch draws other numbers than before.", mistake=mistake, evidence="value")


@pytest.mark.task("m10.5")
@pytest.mark.holds("Raises ValueError without seed or such mean.")
def test_a_sweep_needs_a_number(student):
    """When no mean is finite, a name has no values, or there is no seed, ValueError is raised."""
    fine = student, [4.0] * 4, [5]
    expect_raises("ValueError", swept, student, [NAN] * 4, [5], fine=fine, what="sweep with NaN for every loss")
    expect_raises("ValueError", swept, student, [INF] * 4, [5], fine=fine, what="sweep with infinity for every loss")
    expect_raises("ValueError", swept, student, [], [], fine=fine, what="sweep without seeds")
    expect_raises("ValueError", swept, student, [], [5], {"rate": []}, fine=fine, what="sweep over no combinations")
