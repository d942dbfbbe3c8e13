"""m08_training: checkpoints and the loop."""

import functools
import itertools
import random

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT64,
    achieve,
    asked,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_tensor,
)
from grader.judge.probes import model

from . import oracle, probes
from .steps import bigram

UP_TO = "`steps` is taken for the number of the last step: it says how many are made, from start + 1 on"
UNCLIPPED = "nothing is clipped: max_norm has to be handed on to train_step"
CLIPPED_AT_1 = "gradients are clipped to 1, whatever max_norm says: hand it on to train_step"
ONE_BATCH = "one batch is fetched, and used in every step"
LOST = "something that the next step depends on is not in the checkpoint: weights, moments, counts, random numbers"


@pytest.mark.task("m08.5")
@pytest.mark.holds(
    "Write all that the next steps depend on: weights, optimizer, step, torch's and Python's random numbers.",
    "Bring model, optimizer and random numbers to where they were when the file was written; return its step.",
)
def test_weights_and_step_come_back(student, draw):
    """A checkpoint brings the weights of the moment it was saved into another model, and returns the step."""
    planted, table, made, optimizer = bigram(student, draw)
    path = student.file("checkpoint.pt", b"")
    student.save_checkpoint(path, made, optimizer, 41)
    student.train_step(made, optimizer, oracle.some_batches(draw, 7, [15]))
    other = planted.bigram(torch.zeros(7, 7))
    later = {"the step returned is the one after: return the one that was saved": 42, "the step is not returned": None}
    step = student.load_checkpoint(path, other, planted.descent(other, 1.0))
    expect_equal(step, 41, misses=later, what="the step")
    lost = {"the model's weights are not brought back": torch.zeros(7, 7)}
    expect_close(planted.state(other)["table"], table, atol=FLOAT64, misses=lost, what="the table of weights")


@pytest.mark.task("m08.5")
@pytest.mark.holds(
    "Write all that the next steps depend on: weights, optimizer, step, torch's and Python's random numbers.",
    "Bring model, optimizer and random numbers to where they were when the file was written; return its step.",
)
def test_the_optimizer_comes_back(student, draw):
    """Whatever the optimizer's state_dict holds (here momentum, and the lr) is there again."""
    planted, table, made, _ = bigram(student, draw)
    batches, path = oracle.some_batches(draw, 7, [15, 15]), student.file("checkpoint.pt", b"")
    optimizer, other = planted.descent(made, 0.5, 0.9), planted.bigram(torch.zeros(7, 7))
    student.train_step(made, optimizer, batches[:1])
    student.save_checkpoint(path, made, optimizer, 1)
    second = planted.descent(other, 0.1, 0.9)
    student.load_checkpoint(path, other, second)
    student.train_step(other, second, batches[1:])
    middle = oracle.stepped(table, batches[:1], 0.5)
    speed = (table - middle) / 0.5
    plain = oracle.stepped(middle, batches[1:], 0.5)
    misses = {
        "the optimizer's state is lost": lambda: oracle.stepped(middle, batches[1:], 0.1),
        "the optimizer's momentum is lost": plain,
        "the optimizer's lr is lost": lambda: oracle.stepped(middle, batches[1:], 0.1) - 0.1 * 0.9 * speed,
    }
    expected = plain - 0.5 * 0.9 * speed
    expect_close(
        planted.state(other)["table"], expected, atol=FLOAT32_LAYER, misses=misses, what="the next table of weights"
    )


@pytest.mark.task("m08.5")
@pytest.mark.holds(
    "Write all that the next steps depend on: weights, optimizer, step, torch's and Python's random numbers.",
    "Bring model, optimizer and random numbers to where they were when the file was written; return its step.",
)
def test_random_numbers_go_on_from_the_checkpoint(student, draw):
    """After loading, torch and Python draw the numbers they drew after saving."""
    planted, _, made, optimizer = bigram(student, draw)
    path, seed = student.file("checkpoint.pt", b""), draw.random.getrandbits(32)
    planted.roll(seed)
    student.save_checkpoint(path, made, optimizer, 3)
    planted.dice()
    student.load_checkpoint(path, made, optimizer)
    actual, chance = planted.dice(), random.Random(seed)
    expected = {"torch": torch.rand(8, generator=torch.Generator().manual_seed(seed))}
    expected["Python"] = torch.tensor([chance.random() for _ in range(8)])
    for name, wanted in expected.items():
        numbers = torch.as_tensor(actual[name])
        misses = {oracle.FORGOTTEN_DICE[name]: numbers}
        expect_close(numbers, wanted, atol=FLOAT64, misses=misses, what=f"what {name} draws next")


@pytest.mark.task("m08.5")
@pytest.mark.holds(
    "Write all that the next steps depend on: weights, optimizer, step, torch's and Python's random numbers.",
    "Bring model, optimizer and random numbers to where they were when the file was written; return its step.",
)
def test_five_and_five_steps_are_ten(student, draw):
    """Ten steps with AdamW and dropout end at the same weights when a checkpoint stands between the fifth and sixth."""
    planted, trusted = student.plant(probes), student.plant(model)
    start = oracle.start(draw)
    batches = oracle.some_batches(draw, oracle.SIZES["vocab_size"], [24] * 10, seq=8)
    names = ("AdamW", "decay_groups", "train_step", "save_checkpoint", "load_checkpoint")
    functions = {name: getattr(student, name) for name in names}
    # Without dropout the judge knows where ten steps lead. If those without a break don't, no checkpoint is to blame.
    models = [trusted.build(oracle.SIZES, oracle.start(draw) if n else start) for n in range(2)]
    found = planted.resumed(functions, *models, batches, student.file("checkpoint.pt", b""), 1e-2)
    for run, mistake in (("whole", None), ("resumed", LOST)):
        for name, value in oracle.ten_steps(start, batches, 1e-2).items():
            if name.endswith("c_attn.bias"):
                continue  # a key's bias changes nothing, and what is left of its gradient is rounding
            expect_tensor(found[run].get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
            gap = float((found[run][name] - value).abs().max())
            message = f"{name} is {gap:.2g} off after {'ten' if run == 'whole' else 'five and five'} steps."
            expect(gap < 2e-3, message, mistake=mistake, evidence="value")  # rounding makes up to 3e-4
    models = [trusted.build(oracle.SIZES, oracle.start(draw) if n else start, dropout=0.2) for n in range(2)]
    found = planted.resumed(functions, *models, batches, student.file("checkpoint.pt", b""), 1e-2)
    for name, value in start.items():
        whole, resumed = found["whole"].get(name), found["resumed"].get(name)
        for reported in (whole, resumed):
            expect_tensor(reported, shape=tuple(value.shape), dtype=torch.float32, what=name)
        expect(not torch.equal(whole, value), f"{name} has not moved in ten steps.", evidence="value")
        gap = float((whole - resumed).abs().max())
        what = f"{name} differs by up to {gap:.2g} after the break."
        expect(gap < 1e-5, what, mistake=LOST, evidence="value")  # a step is 1e-2 long


def expect_trained(student, draw, schedule=None, **options):
    """Train a table on drawn batches, compare weights, losses and what was called, and return the losses."""
    planted, table, made, _ = bigram(student, draw)
    optimizer = planted.descent(made, 2.0, spare=1)  # a group that nothing moves, and that has its rate all the same
    count = options["steps"] * options.get("accumulation", 1)
    batches = oracle.some_batches(draw, 7, [5 + n % 9 for n in range(count + 3)])
    fetched, told, rated = itertools.count(), [], []
    next_batch = student.callback(lambda: batches[next(fetched)])
    on_step = student.callback(lambda step, loss: told.append([step, loss]), asked.of(int), asked.of(float))
    if schedule is not None:

        def rate(step):
            rated.append(step)
            return schedule(step)

        options["schedule"] = student.callback(rate, asked.of(int))
    losses = student.train(made, optimizer, next_batch, on_step=on_step, **options)
    first, size = options.get("start", 0) + 1, options.get("accumulation", 1)
    steps = list(range(first, first + options["steps"]))
    rates = [schedule(step) if schedule else 2.0 for step in steps]
    expected, after = oracle.many_steps(table, batches, size, rates, options.get("max_norm", 1.0))
    used = next(fetched)
    fetches = {"a batch more is fetched than there are steps": count + 1}
    fetches[UP_TO] = max(options["steps"] - first + 1, 0) * size
    fetches["one batch is fetched for each step: fetch as many as `accumulation` says"] = len(steps)
    fetches[ONE_BATCH] = 1
    expect_equal(used, count, misses=fetches, what="the number of batches fetched")
    misses = {"steps are numbered from start instead of start + 1": [s - 1 for s in steps]}
    misses["start is ignored"] = list(range(1, options["steps"] + 1))
    misses[UP_TO] = list(range(first, options["steps"] + 1))
    heard = [loss for _, loss in told]
    expect_equal([step for step, _ in told], steps, misses=misses, what="the list of steps that on_step hears of")
    last = {"only the last loss is returned: return one for each step": heard} if losses == heard[-1:] else {}
    expect_equal(heard, losses, misses=last, what="the list of losses that on_step hears of")
    if schedule is not None:
        expect_equal(rated, steps, misses=misses, what="the list of steps that schedule is asked for")
        missed = {
            "lr is set after the step instead of before it": [[rate] * 2 for rate in (2.0, *rates[:-1])],
            "a rate of 0 is not set: 0 is a rate like others": [
                [rate or (rates[n - 1] if n else 2.0)] * 2 for n, rate in enumerate(rates)
            ],
            "only the first group gets the rate": [[rate, 2.0] for rate in rates],
            "only the last group gets the rate": [[2.0, rate] for rate in rates],
        }
        what = "the list of the groups' rates in use"
        expect_equal(optimizer.rates, [[rate] * 2 for rate in rates], misses=missed, what=what)
    if not steps:
        expect_equal(losses, [], what="the list of losses")
    else:
        near = {
            mistake: functools.partial(oracle.many_steps, table, batches, size, rates, max_norm)
            for mistake, max_norm in {UNCLIPPED: None, CLIPPED_AT_1: 1.0}.items()
        }
        wrong = {mistake: (lambda both=both: both()[0]) for mistake, both in near.items()}
        got = torch.tensor(losses, dtype=torch.float64)
        expect_close(got, expected, atol=FLOAT32_LAYER, misses=wrong, what="the list of losses")
        wrong = {mistake: (lambda both=both: both()[1]) for mistake, both in near.items()}
        actual = planted.state(made)["table"]
        expect_close(actual, after, atol=FLOAT32_LAYER, misses=wrong, what="the table of weights")


@pytest.mark.task("m08.6")
@pytest.mark.holds("Make `steps` steps, numbered from start + 1, each on `accumulation` batches; return their losses.")
def test_the_loop_makes_one_step_for_each_batch(student, draw):
    """Six steps on six batches: the weights, the losses, the batches asked for and the steps reported are right."""
    expect_trained(student, draw, steps=6)
    expect_trained(student, draw, steps=0)


@pytest.mark.task("m08.6")
@pytest.mark.holds(
    "Make `steps` steps, numbered from start + 1, each on `accumulation` batches; return their losses.",
    "Before a step schedule(number) sets the lr of every group; after it on_step(number, loss) hears of it.",
)
def test_the_loop_schedules_accumulates_and_clips(student, draw):
    """Each step has the rate of its number, counted on from start, `accumulation` batches, and clipped gradients."""
    options = {"steps": 4, "start": 5, "accumulation": 3, "max_norm": 0.1}
    expect_trained(student, draw, lambda step: 0.0 if step == 7 else 8.0 / step, **options)  # 0 is a rate like others


@pytest.mark.task("m08.6")
def test_the_loop_clips_at_one_unless_told_otherwise(student, draw):
    """Without a word about max_norm a step's gradients are clipped to the norm 1, and with None they are not."""
    planted, table = student.plant(probes), 9 * torch.eye(7).roll(1, dims=1)
    token = draw.integers(0, 7, 1, 1)
    batch = token, (token + 2) % 7  # as good as ruled out by the table: the gradient is about 1.4 long
    for options in ({}, {"max_norm": None}):
        made = planted.bigram(table)
        student.train(made, planted.descent(made, 2.0), student.callback(lambda: batch), steps=1, **options)
        clipped, whole = (oracle.stepped(table, [batch], 2.0, max_norm=norm) for norm in (1.0, None))
        expected, other = (whole, clipped) if options else (clipped, whole)
        misses = {"max_norm=None clips nothing, and its default is 1.0": other}
        actual = planted.state(made)["table"]
        expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses, what="the table of weights")


def learn(student, draw, steps, rate, batches, sizes=oracle.SIZES):
    """Train a GPT with all that the student has built; return the start and what was learned."""
    planted, start = student.plant(probes), oracle.start(draw)
    trusted = student.plant(model).build(sizes, start)
    gpt = planted.finished(trusted, sizes, start, draw.integers(0, sizes["vocab_size"], 8, 24))
    optimizer = planted.optimizer({name: getattr(student, name) for name in ("AdamW", "decay_groups")}, gpt, rate)
    schedule = planted.plan(student.learning_rate, peak=rate, floor=rate / 10, warmup=steps // 10, total=steps)
    student.train(gpt, optimizer, student.callback(batches), steps=steps, schedule=schedule, max_norm=1.0)
    learned = planted.state(gpt)
    for name, value in start.items():
        expect_tensor(learned.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
    return start, {name: learned[name] for name in start}


@pytest.mark.task("m08.6")
@pytest.mark.limits(seconds=30)
def test_one_batch_is_learned_by_heart(student, draw, data):
    """Forty steps on the same eight stories bring their loss below a fifth of what it was."""
    stories = oracle.stories(data, draw.permutation(oracle.SIZES["vocab_size"]))[0][draw.permutation(1000)[:8]]
    start, learned = learn(student, draw, 40, 1e-2, lambda: (stories[:, :-1], stories[:, 1:]))
    before, after = oracle.heldout_loss(start, stories), oracle.heldout_loss(learned, stories)
    said = f"The loss went from {before:.2f} to {after:.2f}; expected less than {before / 5:.2f}."
    mistake = "the weights do not move along the gradient of this batch" if after > before - 1 else None
    expect_bound(after / before, said, below=0.2, mistake=mistake)


@pytest.mark.task("m08.6")
@pytest.mark.limits(seconds=60)
def test_stories_are_learned_from_and_not_by_heart(student, draw, data):
    """After 160 steps on the openings of stories, those of stories never seen cost less than 1.3 nats a word."""
    train, heldout = oracle.stories(data, draw.permutation(oracle.SIZES["vocab_size"]))

    fetched = []

    def batch():
        fetched.append(1)
        rows = train[draw.integers(0, len(train), 24)]
        return rows[:, :-1], rows[:, 1:]

    _, learned = learn(student, draw, 160, 2e-2, batch)
    loss = oracle.heldout_loss(learned, heldout)
    said = f"Held-out stories cost {loss:.2f}; expected less than {oracle.LEARNED}."
    expect_bound(loss, said, below=oracle.LEARNED, mistake=ONE_BATCH if len(fetched) == 1 else None)
    achieve(
        f"After 160 of your steps, stories never seen cost {loss:.2f} nats a word. The bound is {oracle.LEARNED}; "
        f"knowing only how common words are costs {oracle.entropy(heldout):.2f}."
    )


@pytest.mark.task("m08.6")
@pytest.mark.limits(seconds=30)
def test_from_shuffled_targets_there_is_nothing_to_learn(student, draw, data):
    """With targets drawn at random a model learns how common words are, and no more than that."""
    train, heldout = oracle.stories(data, draw.permutation(oracle.SIZES["vocab_size"]))

    def batch():
        rows, targets = train[draw.integers(0, len(train), 24)], train[:, 1:].flatten()
        return rows[:, :-1], targets[draw.integers(0, len(targets), 24, 24)]

    _, learned = learn(student, draw, 50, 1e-2, batch)
    loss, least = oracle.heldout_loss(learned, heldout), oracle.entropy(heldout)
    said = (
        f"Held-out stories cost {loss:.2f}, which cannot be learned from targets that have nothing to do with inputs."
    )
    mistake = "the targets are made from the inputs; they come from next_batch"
    expect_bound(loss - least, said, above=0.0, mistake=mistake)
    said = f"Held-out stories cost {loss:.2f}; how common words are would bring {least:.2f}, more or less."
    expect_bound(loss - least, said, below=0.5)
