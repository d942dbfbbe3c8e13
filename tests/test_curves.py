"""What a loss did over the steps: noted in a worker where somebody asks, told by it, cut out of lists, and drawn."""

from __future__ import annotations

import marshal
import math

import pytest
import support
import torch
from test_calls import failing
from test_class_report import Elements

from grader.judge import learning
from grader.judge.compare import CheckFailed, expect_close, expect_equal
from grader.pictures import Bound, Curves, Grid, Line
from grader.reports.pages import drawing
from grader.sandbox.inline import InlineWorker

TRAINING = """
import torch

def train(losses):
    for loss in losses:
        leaf = torch.tensor(loss, requires_grad=True)
        (leaf * torch.ones(2)).backward(torch.ones(2))  # no loss: it is more than one number
        (1.0 * leaf).backward()
"""


@pytest.fixture
def worker(monkeypatch):
    """Return a worker in this process, in which torch is afterwards what it was."""
    monkeypatch.setattr(torch.Tensor, "backward", torch.Tensor.backward)
    made = InlineWorker("cpu", capture=True)
    yield made
    made.end()


def plant(worker, *, losses):
    """Plant a helper that trains, and return what calls it."""
    ask = worker.conversation.request
    ask("plant", name="training", code=marshal.dumps(compile(TRAINING, "training", "exec")), losses=losses)
    return lambda given: ask("probe", name="train", args=[given], kwargs={}, planted="training")


def test_each_run_of_a_check_has_its_losses(worker):
    """Losses are noted by the request in which they came, a long run's far apart, and those of the next check anew."""
    train = plant(worker, losses=True)
    for run in ([3.0, 2.5, 2.0, 1.5, 1.0], [9.0, 8.0], [float(step) for step in range(1000)]):
        train(run)

    short, long = worker.conversation.request("losses")

    assert short == [5, [3.0, 2.5, 2.0, 1.5, 1.0]]
    assert (long[0], len(long[1]), long[1][0], long[1][-1]) == (1000, 120, 0.0, 999.0)
    assert [line.name for line in learning.told_by(worker.conversation)] == ["the loss, run 1", "the loss, run 2"]
    worker.conversation.request("roll", dice=1)
    assert worker.conversation.request("losses") == []


def test_unasked_nothing_is_noted(worker):
    """Where nobody keeps what failed, as in every official run, torch stays what it is, and no loss is told."""
    before = torch.Tensor.backward

    plant(worker, losses=False)([3.0, 2.5, 2.0, 1.5, 1.0])

    assert torch.Tensor.backward is before
    assert worker.conversation.request("losses") == []


@pytest.mark.parametrize(
    "told",
    [
        None,
        "losses",
        [[5, [1.0] * 5]] * 4,
        [[5, ["<script>"] * 5]],
        [[5, [1] * 5]],
        [[5, [1.0] * 6]],
        [[True, [1.0]]],
        [[10**9, [1.0] * 5]],
        [[-1, [1.0] * 5]],
        [[500, [1.0] * 121]],
        [5, [1.0] * 5],
    ],
)
def test_what_is_no_run_is_not_drawn(told):
    """A worker may call anything its losses: what is no short list of runs of numbers is left out."""
    assert learning.read(told) == ()


def test_a_learning_check_shows_what_its_loss_did():
    """A loop that makes no step fails with the bound that it missed, and a loss that stood still in all forty steps."""
    source = support.source("solutions", "m08_training")
    spoiled = source.replace("    optimizer.step()\n    return total", "    return total")
    assert spoiled != source

    _, found = failing("m08_training", spoiled, {"test_one_batch_is_learned_by_heart"})

    picture = found["m08.6"].picture
    assert (picture.bound.below, [(line.name, line.steps) for line in picture.lines]) == (0.2, [("the loss", 40)])
    assert len(set(picture.lines[0].values)) == 1
    page = Elements(drawing.drawn(picture))
    assert "The loss, 40 steps: from 5." in page.text and "it must be below 0.2" in page.text


def test_a_list_of_losses_is_a_curve_beside_the_one_expected():
    """Losses that a check compares are drawn over the steps; other numbers of one dimension stay heat maps."""
    right = [3.0, 2.0, 1.5, 1.25]
    wrong = [3.0, 2.0, 2.5, 1.25]
    tensors = torch.tensor(wrong), torch.tensor(right)

    for given in (
        lambda: expect_close(*tensors, atol=1e-3, what="the list of losses of the resumed run"),
        lambda: expect_equal(wrong, right, what="the list of losses"),
    ):
        with pytest.raises(CheckFailed) as failed:
            given()
        assert failed.value.picture() == Curves((Line("got", 4, tuple(wrong)), Line("expected", 4, tuple(right))))
    with pytest.raises(CheckFailed) as failed:
        expect_close(*tensors, atol=1e-3, what="the bias")
    assert isinstance(failed.value.picture(), Grid)


def test_a_curve_says_in_words_what_it_shows():
    """Each line's ends and lowest value are its label and its caption; where a number isn't finite, it is broken."""
    lines = Line("got", 4, (3.0, 1.0, 2.0, 2.5)), Line("<b>", 1000, (3.0, math.nan, 2.0))
    text = drawing.drawn(Curves(lines, Bound(2.5, -math.inf, 1.5)))
    page = Elements(text)

    label, bound = (attributes["aria-label"] for tag, attributes in page.found if tag == "svg")
    assert label.startswith("got, 4 steps: from 3 to 2.5, 1 at its lowest; ")
    assert "1000 steps: from 3 to 2, 2 at its lowest, first no finite number about step 501" in page.text
    assert bound == "2.5; it must be below 1.5"
    assert text.count("<polyline") == 3 and "<b>" not in text and "nan" not in text


def test_what_never_was_a_number_is_said():
    """A loss that is no finite number from the first step on has a sentence, and no line."""
    text = drawing.drawn(Curves((Line("the loss", 5, (math.nan,) * 5),)))

    assert "The loss, 5 steps: never a finite number." in text and "<polyline" not in text
