"""m19_library: the trainer, its steps, its events, and how it goes on where it was saved."""

import pytest
import torch

from grader.judge import FLOAT64, expect, expect_answer, expect_close, expect_equal

from . import oracle_runs as oracle
from . import probes_runs
from .steps import folder_with

EVAL = "a step is made in eval mode, once somebody has looked at the model: put it in training mode for each step"
NEVER = "the model is never put in training mode: train does it"
STILL = "`stop` is still True when training goes on: each train begins with it False"
IN_STEPS = "what was seen of an epoch is counted in steps, not in batches"
NO_EPOCH_END = "on_epoch_end is not heard when training stops"
DEAF = "a callback that lacks one of the methods breaks training: it is passed over"
NOT_STOPPED = "`stop` is not looked at"
EPOCHS_END = "`stop` is looked at between epochs alone: training ends after the step"
NO_END = "on_epoch_end or on_train_end is not heard when training stops"
AGAIN = "training begins its epoch anew after a stop: what was seen is passed over"
LOST = "something that the next step depends on is not restored"
NO_OPTIMIZER = "the optimizer is not resumed: its momentum begins at 0"
WEIGHTS = "the weights are not resumed"
SEEN = "the epoch begins anew after a resume: batches that were seen are passed over"
BUFFERS = "buffers are not resumed: state_dict has them beside the parameters"
SKIPPED = "the rest of the epoch is lost after a resume"
DICE = "random numbers do not go on where they were when it was saved"


def case(draw, counts=(5, 7)):
    """Return a weight to begin with, and the batches of some epochs."""
    return draw.normal(3, dtype=torch.float64), oracle.data(draw, list(counts))


def expect_run(found, weight, epochs, accumulation):
    """Compare the weight and all losses with the reference's."""
    right, losses = oracle.run(weight, epochs, accumulation)
    misses = {how: oracle.run(weight, epochs, accumulation, how)[0] for how in oracle.IN_WEIGHTS}
    misses |= {how: oracle.run(weight, other, accumulation)[0] for how, other in oracle.others(epochs).items()}
    expect_close(found["weight"], right, atol=FLOAT64, misses=misses, what="the weight after training")
    said = found["losses"]
    plain = type(said) is list and all(type(loss) is float for loss in said)
    tensors = type(said) is list and any(type(loss) is torch.Tensor for loss in said)
    mistake = "the losses are tensors: they are floats" if tensors else None
    expect(plain, "`losses` is no list of floats.", mistake=mistake, evidence="value")
    exact = {how: oracle.run(weight, epochs, accumulation, how)[1] for how in oracle.IN_LOSSES}
    misses = {how: torch.tensor(values, dtype=torch.float64) for how, values in exact.items()}
    given, wanted = (torch.tensor(values, dtype=torch.float64) for values in (said, losses))
    expect_close(given, wanted, atol=FLOAT64, misses=misses, what="the list of losses")


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Train a model on batches(epoch) of epochs 0, 1, and so on: a step on each `accumulation` of them, or on the rest.",
    "A step's loss is the mean of loss(model, batch) over its batches; it goes along the gradient of that and no "
    "other.",
    "`step` counts the steps made, `epoch` is the number of this epoch, `losses` has the loss of each step, a float.",
    "Train, in training mode, until so many epochs are over, from wherever it is; return the losses of all.",
)
@pytest.mark.parametrize("accumulation", [1, 2, 3, 9])
def test_a_step_goes_along_the_mean_of_its_batches(student, draw, accumulation):
    """After two epochs the weight is that of gradient descent on groups of batches, an epoch's rest a group too."""
    weight, epochs = case(draw)
    found = student.plant(probes_runs).run(student.Trainer, weight, epochs, accumulation, len(epochs))
    expect_run(found, weight, epochs, accumulation)
    expect_equal(found["returned"], found["losses"], what="what train returns")
    steps = len(oracle.groups(epochs, accumulation))
    expect_equal(found["step"], steps, misses={"`step` counts batches": 12}, what="trainer.step")


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "A step's loss is the mean of loss(model, batch) over its batches; it goes along the gradient of that and no "
    "other.",
)
def test_gradients_from_before_do_not_count(student, draw):
    """Gradients that lie in the model when training begins change nothing."""
    weight, epochs = case(draw, (3,))
    found = student.plant(probes_runs).run(student.Trainer, weight, epochs, 2, 1, True)
    expect_run(found, weight, epochs, 2)


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Callbacks hear of all that happens: on_train_begin; in each epoch on_epoch_begin; in each step "
    "on_step_begin, on_substep_end after every batch but its last, and on_step_end; on_epoch_end; on_train_end.",
    "Each is called with the trainer, for one callback after the other, in their order; one that a callback "
    "lacks is passed over.",
    "`step` counts the steps made, `epoch` is the number of this epoch, `losses` has the loss of each step, a float.",
)
@pytest.mark.parametrize("deaf", [(), ("on_step_begin", "on_epoch_end")], ids=["all", "some"])
def test_callbacks_hear_of_everything(student, draw, deaf):
    """Two callbacks hear all events in their order, with steps, epoch and losses as they are; some may be lacking."""
    weight, epochs = case(draw, (3, 5))
    events, given = student.plant(probes_runs).events, (student.Trainer, weight, epochs, 2, 2)
    found = expect_answer(events, *given, deaf, simpler=(*given, ()), mistake=DEAF if deaf else None)
    right = oracle.heard([3, 5], 2, deaf)
    found = [[*one[:3], min(one[3], 1) if one[1] == "on_train_end" else one[3], one[4]] for one in found]
    right = [[*one[:3], min(one[3], 1) if one[1] == "on_train_end" else one[3], one[4]] for one in right]
    expect_equal(found, right, misses=oracle.heard_misses(right), what="the list of events")


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Train, in training mode, until so many epochs are over, from wherever it is; return the losses of all.",
)
def test_every_step_is_in_training_mode(student, draw):
    """The model is in training mode in each step, also when a callback has put it in eval mode."""
    weight, epochs = case(draw, (3, 2))
    modes = student.plant(probes_runs).looked_at(student.Trainer, weight, epochs, 2, 2)
    expect_equal(
        modes,
        [True] * 5,
        misses={EVAL: [True, True, *[False] * 3], NEVER: [False] * 5},
        what="whether it trained, at each call,",
    )
    expect_run(student.plant(probes_runs).run(student.Trainer, weight, epochs, 2, 2), weight, epochs, 2)


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Who sets `stop` to True ends training after this step; its epoch and training still end as always.",
    "Train, in training mode, until so many epochs are over, from wherever it is; return the losses of all.",
)
def test_who_says_stop_ends_training(student, draw):
    """After the step in which stop is set no other is made, both ends are heard, and a further train goes on there."""
    weight, epochs = case(draw, (7, 5))
    planted = student.plant(probes_runs)
    found = planted.stopped(student.Trainer, weight, epochs, 2, 2, 2, False)
    heard = [[one[1], one[2], one[4]] for one in found["heard"]]
    ends = [["on_step_end", step, step] for step in (1, 2)] + [
        [event, 2, 2] for event in ("on_epoch_end", "on_train_end")
    ]
    told = {event for event, *_ in ends}
    every, one = (
        [[one[1], one[2], one[4]] for one in oracle.heard(counts, 2) if one[0] == "first" and one[1] in told]
        for counts in ([7, 5], [7])
    )
    cut = {
        NO_END: ends[:2],
        NO_EPOCH_END: [*ends[:2], ends[3]],
        "on_train_end is not heard when training stops": ends[:3],
    }
    cut |= {NOT_STOPPED: every, EPOCHS_END: one}
    expect_equal(heard, ends, misses=cut, what="the list of events")
    expect_run(found, weight, [epochs[0][:4]], 2)
    on = planted.stopped(student.Trainer, weight, epochs, 2, 2, 2, True)
    right, _ = oracle.run(weight, epochs, 2)
    anew = oracle.run(weight, [epochs[0][:4], *epochs], 2)[0]
    lost = oracle.run(weight, [epochs[0][:4], *epochs[1:]], 2)[0]
    short = oracle.run(weight, [epochs[0][:4], epochs[0][2:], *epochs[1:]], 2)[0]
    stuck = oracle.run(weight, [epochs[0][:4]], 2)[0]
    misses = {AGAIN: anew, IN_STEPS: short, STILL: stuck, "the rest of the epoch is lost after a stop": lost}
    expect_close(on["weight"], right, atol=FLOAT64, misses=misses, what="the weight after a stop and a further train")


def resumed(student, draw, at, options, before=None, counts=(5, 4, 3)):
    """Resume a run; return what the first has come to, the second, where that began, and what it asked for."""
    weights, epochs = [draw.normal(3, dtype=torch.float64) for _ in range(2)], oracle.data(draw, list(counts))
    folder, seeds = f"{folder_with(student, {})}/run/one", draw.random.sample(range(1000), 2)
    planted = student.plant(probes_runs)
    given = student.Trainer, weights, epochs, 2, len(counts), at, folder, seeds, options, before
    return weights, epochs, planted.resumed(*given)


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Write, at a step's end or outside of training, all that the next steps depend on; the folder is made.",
    "Bring a new trainer to where another was when it was saved, amid an epoch too: it makes the same next steps.",
    "Batches that were seen are asked for and passed over; torch's and Python's random numbers go on after that.",
)
@pytest.mark.parametrize("at", [1, 3, 4], ids=["amid", "epochs_end", "next_epoch"])
def test_a_run_goes_on_where_it_was_saved(student, draw, at):
    """A new trainer makes the very steps that followed: weights, momentum, losses, steps, epoch and batches go on."""
    weights, epochs, (whole, again, place, _) = resumed(student, draw, at, {})
    expect_run(whole, weights[0], epochs, 2)
    groups = oracle.groups(epochs, 2)
    start = oracle.run(weights[0], groups[:at], 2)[0]
    expect_close(place["weight"], start, atol=FLOAT64, misses={WEIGHTS: weights[1]}, what="the weight after resume")
    expect_equal(place["step"], at, misses={"`step` is not resumed": 0}, what="trainer.step after resume")
    seen = sum(map(len, groups[:at]))
    expect_equal(place["count"], seen, misses={BUFFERS: 0}, what="the model's buffer, its calls, after resume")
    right, losses = oracle.run(weights[0], epochs, 2)
    misses = {
        NO_OPTIMIZER: _without_momentum(weights[0], groups, at),
        SEEN: _anew(weights[0], epochs, at),
        SKIPPED: _cut(weights[0], epochs, at),
    }
    expect_close(again["weight"], right, atol=FLOAT64, misses=misses, what="the weight of the resumed run")
    given = torch.tensor(again["losses"], dtype=torch.float64)
    wanted = torch.tensor(losses, dtype=torch.float64)
    misses = {"the losses from before are lost": wanted[at:]}
    expect_close(given, wanted, atol=FLOAT64, misses=misses, what="the list of losses of the resumed run")


def _without_momentum(weight, groups, at):
    first = oracle.run(weight, groups[:at], 2)[0]
    return oracle.run(first, groups[at:], 2)[0]


def _split(epochs, at):
    """Return the groups before a step, and which epoch it is in."""
    steps = [len(oracle.groups([epoch], 2)) for epoch in epochs]
    epoch = 0
    while at > sum(steps[: epoch + 1]):
        epoch += 1
    return oracle.groups(epochs, 2)[:at], epoch


def _anew(weight, epochs, at):
    before, epoch = _split(epochs, at)
    return oracle.run(weight, [*before, *epochs[epoch:]], 2)[0]


def _cut(weight, epochs, at):
    before, epoch = _split(epochs, at)
    return oracle.run(weight, [*before, *epochs[epoch + 1 :]], 2)[0]


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Bring a new trainer to where another was when it was saved, amid an epoch too: it makes the same next steps.",
    "Batches that were seen are asked for and passed over; torch's and Python's random numbers go on after that.",
)
@pytest.mark.parametrize("noise", ["torch", "python", "loader"])
def test_chance_goes_on_where_it_was(student, draw, noise):
    """With dropout, Python's random numbers, or batches that draw when asked for, the resumed run is the same run."""
    options = {"torch": {"rate": 0.4}, "python": {"noise": 0.5}, "loader": {"rate": 0.4, "noise": 0.5, "dice": True}}
    for at in (1, 2):
        _, _, (whole, again, _, _) = resumed(student, draw, at, options[noise])
        same = torch.equal(whole["weight"], again["weight"])
        said = f"Saved behind step {at}, the run comes to {again['weight'].tolist()}, and came to "
        expect(same, f"{said}{whole['weight'].tolist()} without.", mistake=DICE, evidence="value")
        expect_equal(again["losses"], whole["losses"], what="the list of losses of the resumed run")


@pytest.mark.task("m19.5")
@pytest.mark.holds(
    "Write, at a step's end or outside of training, all that the next steps depend on; the folder is made.",
    "Bring a new trainer to where another was when it was saved, amid an epoch too: it makes the same next steps.",
    "Batches that were seen are asked for and passed over; torch's and Python's random numbers go on after that.",
)
def test_a_finished_run_is_trained_further(student, draw):
    """Saved after two epochs, and not within one, a run of three goes on with the third alone, chance included."""
    options = {"rate": 0.3, "noise": 0.2, "dice": True}
    _, _, (whole, again, place, asked) = resumed(student, draw, None, options, before=2)
    expect_equal([place["step"], place["epoch"]], [5, 2], what="[step, epoch] after resume")
    expect_equal(
        asked, [2], misses={"epochs that are over are asked for again": [0, 1, 2]}, what="the epochs asked for"
    )
    same = torch.equal(whole["weight"], again["weight"])
    said = f"The run comes to {again['weight'].tolist()}, and came to {whole['weight'].tolist()} without a break."
    expect(same, said, mistake=DICE, evidence="value")
