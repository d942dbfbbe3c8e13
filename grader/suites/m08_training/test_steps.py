"""m08_training: steps on micro-batches, and evaluation."""

import pytest
import torch

from grader.judge import (
    FLOAT32_OP,
    FLOAT64,
    StudentError,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
)

from . import oracle, probes
from .steps import bigram


def expect_step(student, draw, counts, **options):
    """Make one step on micro-batches with so many targets that count, and compare the weights and the loss."""
    planted, table, made, optimizer = bigram(student, draw)
    batches = oracle.some_batches(draw, 7, counts)
    if "dirt" in options:
        planted.dirty(made, options.pop("dirt"))
    loss = student.train_step(made, optimizer, batches, **options)
    misses = oracle.step_misses(table, batches, 2.0, **options)
    wanted = oracle.stepped(table, batches, 2.0, **options)
    expect_close(planted.state(made)["table"], wanted, atol=FLOAT32_OP, misses=misses, what="the table of weights")
    expected, misses = float(oracle.mean_loss(table.double(), batches)), oracle.loss_misses(table, batches)
    expect_close(loss, expected, atol=FLOAT32_OP * 5, misses=misses, what="the loss returned")


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "A model is any nn.Module from ids (batch seq) to logits (batch seq vocab_size).",
    "Make one step, in training mode, on micro-batches as if they were one batch; return the mean loss before it.",
)
def test_a_step_lowers_the_mean_loss(student, draw):
    """One batch: the optimizer steps along the gradient of the mean loss, which is returned as it was before."""
    expect_step(student, draw, [15])


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "Make one step, in training mode, on micro-batches as if they were one batch; return the mean loss before it.",
)
def test_four_micro_batches_make_one_big_batch(student, draw):
    """Four micro-batches of the same size move the weights exactly as one batch of all their sequences does."""
    expect_step(student, draw, [15, 15, 15, 15])


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "A target of -100 does not count.",
    "The mean is over the targets that count, of all together: 1 in the first and 3 in the second weigh 1/4 each.",
)
def test_every_target_weighs_the_same(student, draw):
    """Micro-batches with 15, 2 and 7 targets that count weigh by their targets."""
    expect_step(student, draw, [15, 2, 7])


@pytest.mark.task("m08.3")
def test_a_micro_batch_may_have_nothing_that_counts(student, draw):
    """A micro-batch whose targets are all -100 changes nothing beside one that has some."""
    expect_step(student, draw, [0, 9])


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "Gradients from before don't matter; each graph is freed before the next is made; max_norm clips all of "
    "the model's.",
)
def test_gradients_from_before_do_not_count(student, draw):
    """What was left in grad before the step has no part in it."""
    expect_step(student, draw, [15, 15], dirt=3.0)


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "Gradients from before don't matter; each graph is freed before the next is made; max_norm clips all of "
    "the model's.",
)
def test_the_sum_is_clipped_before_the_step(student, draw):
    """With max_norm it is the accumulated gradient that is clipped, and the optimizer steps along what is left."""
    expect_step(student, draw, [15, 4], max_norm=0.05)


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "Gradients from before don't matter; each graph is freed before the next is made; max_norm clips all "
    "of the model's.",
)
def test_the_norm_is_that_of_the_whole_model(student, draw):
    """Parameters that the optimizer does not have count in the norm that max_norm is compared with."""
    table, shift = draw.normal(7, 7), draw.normal(7)
    made, optimizer = student.plant(probes).half_optimized(table, shift, 2.0)
    batches = oracle.some_batches(draw, 7, [15, 4])
    student.train_step(made, optimizer, batches, max_norm=0.05)
    after, (expected, own) = student.plant(probes).state(made), oracle.shifted_steps(table, shift, batches, 2.0, 0.05)
    misses = {"only the optimizer's parameters are clipped: the norm is that of all of the model's": own}
    expect_close(after["table"], expected, atol=FLOAT32_OP, misses=misses, what="the table of weights")


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "Gradients from before don't matter; each graph is freed before the next is made; max_norm clips all of "
    "the model's.",
)
def test_each_graph_is_freed_before_the_next(student, draw):
    """When a micro-batch goes forward, nothing of an earlier one's graph is alive."""
    planted, _, made, optimizer = bigram(student, draw)
    alive = planted.graphs(student.train_step, made, optimizer, oracle.some_batches(draw, 7, [15] * 4))
    mistake = "backward is called once at the end: call it for each micro-batch, and memory stays that of one"
    growing = len(alive) == 4 and alive[0] < alive[1] < alive[2] < alive[3]
    said = f"Tensors of earlier graphs alive at the forward passes: {alive}."
    expect(alive == [0] * 4, said, mistake=mistake if growing else None)


@pytest.mark.task("m08.3")
@pytest.mark.holds(
    "Make one step, in training mode, on micro-batches as if they were one batch; return the mean loss before it.",
    "Raises ValueError when no target counts.",
)
def test_a_step_trains_in_training_mode(student, draw):
    """The step puts the model in training mode, all of it, and refuses micro-batches in which no target counts."""
    _, _, made, optimizer = bigram(student, draw)
    made.eval()
    student.train_step(made, optimizer, oracle.some_batches(draw, 7, [15, 15]))
    mistake = "the model is not put in training mode"
    expect_equal(made.calls, [[True, True, True]] * 2, what="the list (training, dropout's, gradients on)", misses={
        mistake: [[False, False, True]] * 2})  # fmt: skip
    expect_raises("ValueError", student.train_step, made, optimizer, oracle.some_batches(draw, 7, [0, 0]))


@pytest.mark.task("m08.4")
@pytest.mark.holds(
    "A target of -100 does not count.",
    "Return the mean loss over all targets that count, in eval mode.",
    "ValueError when there is none.",
)
def test_the_mean_is_over_tokens(student, draw):
    """Batches of different sizes and with ignored targets count by their tokens, and all of them count."""
    _, table, made, _ = bigram(student, draw)
    for batches in (
        oracle.some_batches(draw, 7, [15, 3, 0, 8]),
        [*oracle.some_batches(draw, 7, [21], seq=9), *oracle.some_batches(draw, 7, [2], seq=4)],
    ):
        loss = student.evaluate(made, student.iterator(batches))
        expected, misses = float(oracle.mean_loss(table.double(), batches)), oracle.loss_misses(table, batches)
        expect_close(loss, expected, atol=FLOAT32_OP * 5, misses=misses, what="the loss")
    expect_raises("ValueError", student.evaluate, made, oracle.some_batches(draw, 7, [0]))


@pytest.mark.task("m08.4")
@pytest.mark.holds(
    "Return the mean loss over all targets that count, in eval mode.",
    "No trace is left: no graph, gradients as before, every inner module's mode as before (even when the model "
    "raises), and torch's random numbers go on as if nothing had been, whatever model and batches drew.",
)
def test_dropout_is_off_and_no_graph_is_made(student, draw):
    """Evaluation runs in eval mode with gradients off: dropout changes nothing."""
    _, table, made, _ = bigram(student, draw, dropout=0.5)
    batches = oracle.some_batches(draw, 7, [15, 15])
    loss = student.evaluate(made, batches)
    misses = {
        "eval() is not called: dropout is active": [[True, True, False]] * 2,
        "no_grad is missing: a graph is made": [[False, False, True]] * 2,
        "neither eval() nor no_grad": [[True, True, True]] * 2,
    }
    expect_equal(
        made.calls,
        [[False, False, False]] * 2,
        misses=misses,
        what="the list (training, dropout's, gradients on)",
    )
    expected = float(oracle.mean_loss(table.double(), batches))
    expect_close(loss, expected, atol=FLOAT32_OP * 5, what="the loss")


@pytest.mark.task("m08.4")
@pytest.mark.holds(
    "No trace is left: no graph, gradients as before, every inner module's mode as before (even when the model "
    "raises), and torch's random numbers go on as if nothing had been, whatever model and batches drew.",
)
def test_every_module_is_left_in_its_mode(student, draw):
    """A training model trains on, one in eval mode stays there, a part that slept sleeps on, also after an error."""
    planted, _, made, _ = bigram(student, draw)
    good, bad = (torch.ones(2, 3).long(), torch.ones(2, 3).long()), (torch.full((2, 3), 99), torch.ones(2, 3).long())
    for training, dropping in ((True, True), (True, False), (False, False), (False, True)):
        for batches in ([good], [good, bad]):
            made.train(training)
            made.drop.train(dropping)
            before = {"the model": training, "drop": dropping}
            try:
                student.evaluate(made, batches)
            except StudentError as error:
                if error.kind != "IndexError" or len(batches) == 1:
                    raise
            misses = {
                "the model stays in eval mode when it raises: restore the mode in a finally": {},
                "the model is always put in training mode": {"the model": True, "drop": True},
                "one mode is remembered for all modules: each may have its own": dict.fromkeys(before, training),
                "the model is left in eval mode": dict.fromkeys(before, False),
            }
            if len(batches) == 2:
                misses["the model stays in eval mode when it raises: restore the mode in a finally"] = misses.pop(
                    "the model is left in eval mode"
                )
            expect_equal(planted.modes(made), before, misses=misses, what="what is in training mode")


@pytest.mark.task("m08.4")
@pytest.mark.holds(
    "No trace is left: no graph, gradients as before, every inner module's mode as before (even when the model "
    "raises), and torch's random numbers go on as if nothing had been, whatever model and batches drew.",
)
def test_gradients_and_random_numbers_stay(student, draw):
    """Gradients wait where they were, and torch draws on as before, even if the batches have drawn numbers."""
    planted, table, made, _ = bigram(student, draw)
    planted.dirty(made, 0.75)
    found = planted.drawing(student.evaluate, made, oracle.some_batches(draw, 7, [15, 15]))
    left = planted.gradients(made)[0]
    expect(left is not None, "The gradients are gone.", mistake="evaluate clears the gradients")
    expect_close(left, torch.full_like(table, 0.75), atol=FLOAT64, what="the gradient after evaluation")
    moved = not torch.equal(found["before"], found["after"])
    mistake = "torch's random state must be kept and brought back: batches in random order draw from it"
    expect(not moved, "After evaluation torch draws other numbers than without it.", mistake=mistake)
