"""m09_scaling: AdamW whose state is shared, and two ranks that train what one process trains."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_one_device,
    expect_tensor,
    sentence,
)

from . import oracle_ranks as oracle
from . import probes
from .oracle_learning import Stories
from .steps import alone, learned, on_ranks, once, part_of

ADAMW = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}


@pytest.mark.task("m09.6")
@pytest.mark.holds(
    "AdamW on all parameters, of whose state each rank keeps its share.",
    "Gradients are the same on all ranks before step(), parameters also after it.",
    "The numbers are AdamW's, whose weight decay stands beside the gradient.",
    "A parameter without a gradient stays.",
    "Forget all gradients.",
    "Move every parameter by one step.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_shares_of_adamw_are_adamw(student, draw, dtype):
    """On three ranks, parameters of 20, 7, 2 and 9 numbers, some without a gradient at times, move as by AdamW."""
    shapes = ((4, 5), (7,), (2,), (3, 3))
    drawn = [draw.normal(*shape, dtype=dtype) for shape in shapes]
    values = [value + value.sign() for value in drawn]  # none near 0, where a tolerance would be wide
    steps = [[draw.normal(*shape, dtype=dtype) for shape in shapes] for _ in range(5)]
    atol = FLOAT32_LAYER if dtype == torch.float32 else FLOAT64
    steps[0][1] = steps[2][0] = steps[3][3] = None
    found = on_ranks(student, 3, "moved", student.ShardedAdamW, values, steps, ADAMW)
    for rank, seen in enumerate(found):
        wanted = oracle.moved(values, steps, ADAMW, rank, 3)
        wrong = once(oracle.MOVES, lambda kind, rank=rank: oracle.moved(values, steps, ADAMW, rank, 3, kind))
        for number, step in enumerate(wanted):
            for place, expected in enumerate(step):
                own = part_of(wrong, number, place)
                what = f"parameter {place} after step {number + 1} on rank {rank}"
                expect(
                    not narrowed(seen[number][place], expected),
                    sentence(what, "has float32's digits."),
                    mistake=oracle.NARROW,
                    evidence="value",
                )
                expect_close(seen[number][place], expected, atol=atol, misses=own, what=what)


def narrowed(found, expected):
    """Whether a float64 result is right as far as float32 goes, and no further."""
    if expected.dtype != torch.float64 or not isinstance(found, torch.Tensor) or found.shape != expected.shape:
        return False
    return FLOAT64 < float((found - expected).abs().max()) < FLOAT32_OP


@pytest.mark.task("m09.6")
@pytest.mark.holds(
    "Of a parameter of n numbers a rank keeps the moments, two for each, of those in shard(n, rank, world), moves "
    "these, and gets the others from their ranks.",
)
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_a_rank_keeps_the_state_of_its_share(student):
    """One of eight ranks keeps less than 45 % of the memory that the state of all numbers would take."""
    count, planted = 2_000_000, student.plant(probes)
    group = alone(student, 0, 8)  # who shares out whole parameters gives rank 0 the first one
    student.probe.give_back()
    before = student.memory_mb()
    held = planted.large(student.ShardedAdamW, count, group, lr=0.1)
    student.probe.give_back()
    grown, whole = student.memory_mb() - before - 4 * count / 2**20, 8 * count / 2**20
    said = f"{grown:.1f} MB are kept beside the parameter; the state of all its numbers is {whole:.1f} MB."
    expect_bound(grown, said, below=0.45 * whole, mistake=oracle.STATE_WHOLE, evidence="measured")
    del held


@pytest.mark.task("m09.6")
@pytest.mark.warm("torch._dynamo")
def test_state_is_made_where_the_parameter_is(student, draw):
    """Moments, and what is sent, lie on the parameter's own device."""
    moved = student.plant(probes).of_tensors("move", student.ShardedAdamW, alone(student, 1, 3))
    args = [draw.normal(4, 5), draw.normal(4, 5)]
    expect_tensor(moved(*args), shape=(4, 5), dtype=torch.float32)
    expect_one_device(student, moved, args, mistake=oracle.DEVICE)


@pytest.mark.task("m09.6")
@pytest.mark.holds("Take the step that one process with all rows would take, and return the mean loss over all rows.")
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_two_ranks_learn_what_one_process_learns(student, draw, data):
    """Half of gpt2-nano learns stories anew, by two ranks with 3 and 2 rows; every weight is that of one process."""
    stories = Stories(draw, data)
    found = learned(student, stories, stories.windows)
    weights = stories.trained()
    for rank, own in enumerate(found):
        for name, expected in weights.items():
            actual = own[name]
            expect_close(actual, expected, atol=FLOAT32_LAYER, rtol=1e-3, what=f"{name} on rank {rank}")
    before, after = stories.loss(stories.start), stories.loss(found[0])
    said = f"A token of stories never seen costs {after:.2f} nats after training, expected less."
    expect_bound(after, said, below=stories.LEARNED)
    achieve(
        f"Two of your ranks, with half of AdamW's state each, have trained what one process trains, weight for weight: "
        f"a token of stories never seen costs {after:.2f} nats, {before:.2f} before."
    )
