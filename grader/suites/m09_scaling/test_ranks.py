"""m09_scaling: buckets of gradients, rows that are shared, and AdamW whose state is shared."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    expect,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_tensor,
)

from . import oracle_ranks as oracle
from . import probes
from .steps import Summed, alone, expect_no_other, misses, on_ranks, once, part_of, told

OTHERS = "the model has other parameters than before: write into those that are there"
BUFFERS = "buffers are left as they were: rank 0's hold for all, as its parameters do"
PARAMETERS = "parameters are left as they were: rank 0's hold for all"
ELSEWHERE = "another rank's model is taken: it is rank 0's that all start from"
UNSAVED = "a buffer that is not saved is left as it was: buffers() has it, and state_dict() has not"
MEAN_START = "the ranks' parameters are averaged: all take rank 0's"


# ── m09.4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_buckets(student, sizes, first_cap, cap):
    """Ask for buckets and compare them."""
    wrong = misses(oracle.HOLDS, lambda kind: oracle.buckets(sizes, first_cap, cap, kind))
    wanted, actual = oracle.buckets(sizes, first_cap, cap), student.make_buckets(sizes, first_cap, cap)
    expect_equal(actual, wanted, misses=wrong, what=f"the list of buckets of {sizes}")


@pytest.mark.task("m09.4")
@pytest.mark.holds("Example: [40, 80, 20, 1200], 100 and 200 give [[0, 1], [2, 3]].")
def test_the_buckets_of_the_docstring(student):
    """Sizes 40, 80, 20 and 1200 fill a first bucket of 100 and another of 200."""
    assert oracle.buckets([40, 80, 20, 1200], 100, 200) == [[0, 1], [2, 3]]
    expect_buckets(student, [40, 80, 20, 1200], 100, 200)


@pytest.mark.task("m09.4")
@pytest.mark.holds(
    "Put parameters into buckets in the order given: lists of places in `sizes`.",
    "A bucket is full when its sizes add up to its cap or more; the next place begins a new one.",
    "The first bucket has a cap of its own, a small one: it sets out early.",
)
def test_buckets_are_filled_to_their_caps(student, draw):
    """Drawn sizes, some that fill a bucket exactly, one that is too large for any, and none at all."""
    for _ in range(4):
        expect_buckets(student, draw.integers(1, 60, 14).tolist(), 40, 110)
    expect_buckets(student, [20, 20, 7, 50, 60, 110, 3, 300, 2, 500], 40, 110)
    expect_buckets(student, [90], 40, 110)
    expect_buckets(student, [], 40, 110)


SHAPES = [(3, 4), (5,), (2, 3, 2), (1,), (6, 2)]
PARTS = [[4, 1], [0, 2, 3]]  # a bucket need not have its places in order


@pytest.mark.task("m09.4")
@pytest.mark.holds(
    "Give every parameter the mean, over all ranks, of its gradients.",
    "Each bucket in turn is one all_reduce of one long row: its parameters' gradients, flat, one after the other.",
    "A parameter without a gradient counts as zeros, and has one afterwards: on another rank there may be one.",
)
def test_gradients_are_averaged_bucket_by_bucket(student, draw):
    """The judge plays the other two of three ranks: it gets one row a bucket, and every gradient becomes the mean."""
    for missing in ((), (1, 2), (0, 4)):
        ranks = [[draw.normal(*shape) for shape in SHAPES] for _ in range(3)]
        for place in missing:
            ranks[1][place] = None
        rows = [oracle.rows(SHAPES, grads, PARTS) for grads in ranks]
        others = Summed([one + other for one, other in zip(rows[0], rows[2], strict=True)], rows[1], 3)
        group = told(student, 1, 3, others)
        found = student.plant(probes).averaged(student.average_gradients, ranks[1], SHAPES, PARTS, group)
        expect_rows(others, rows[1], missing)
        wanted = oracle.averaged(SHAPES, ranks, 1)
        wrong = {kind: oracle.averaged(SHAPES, ranks, 1, kind) for kind in oracle.MEANS}
        for place, expected in enumerate(wanted):
            what = f"the gradient of parameter {place}"
            none = oracle.STAYS_NONE if place in missing else None
            expect(found[place] is not None, f"Parameter {place} has no gradient.", mistake=none)
            own = {words: values[place] for words, values in wrong.items()}
            expect_close(found[place], expected, atol=FLOAT32_OP, misses=own, what=what)


@pytest.mark.task("m09.4")
@pytest.mark.warm("torch._dynamo")
def test_zeros_for_a_gradient_are_made_where_the_parameter_is(student, draw):
    """Where a parameter has no gradient its zeros lie on its own device."""
    averaged = student.plant(probes).of_tensors("average", student.average_gradients, alone(student, 1, 3))
    args = [draw.normal(4, 5), draw.normal(4, 5)]
    expect_tensor(averaged(*args), shape=(4, 5), dtype=torch.float32)
    expect_one_device(student, averaged, args, mistake=oracle.DEVICE)


def expect_rows(others, wanted, missing):
    """Compare what was sent with the rows that belong to the buckets."""
    expect_no_other(others, oracle.ONE_SUM)
    sent, lengths = others.sent, [len(row) for row in wanted]
    found, sizes = [row.numel() for row in sent], [torch.Size(shape).numel() for shape in SHAPES]
    ordered = [sizes[place] for bucket in PARTS for place in bucket]
    there = [sizes[place] for bucket in PARTS for place in bucket if place not in missing]
    short = [sum(sizes[place] for place in bucket if place not in missing) for bucket in PARTS]
    mistake = oracle.EACH if found in (ordered, there, sizes) else None if found else oracle.OWN
    mistake = oracle.ALL if found == [sum(ordered)] else oracle.SKIPPED if missing and found == short else mistake
    said = f"The rows sent are {found} long, expected {lengths}."
    expect(found == lengths, said, mistake=mistake, evidence="value")
    for bucket, row, expected, divided in zip(PARTS, sent, wanted, others.divided, strict=True):
        expected = expected / divided
        parts = dict(zip(bucket, expected.split([sizes[place] for place in bucket]), strict=True))
        own = {oracle.SORTED: torch.cat([parts[place] for place in sorted(bucket)])}
        expect_close(row.flatten(), expected, atol=FLOAT32_OP, misses=own, what=f"the row of bucket {bucket}")


# ── m09.5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m09.5")
@pytest.mark.holds(
    "Return a rank's share of 0 to n - 1: neighbours, in the order of ranks, and the first n % world get one more.",
    "Example: 7 among 3 are range(0, 3), range(3, 5) and range(5, 7).",
)
def test_shares_differ_by_at_most_one(student):
    """Of 7 among 3, and of other numbers with and without a rest, each rank has its neighbours as a range."""
    for n, world in ((7, 3), (5, 4), (11, 4), (12, 4), (1, 1), (2, 3), (23, 5), (0, 2)):
        found = [student.shard(n, rank, world) for rank in range(world)]
        shares = student.plant(probes).ranges(found)
        wanted = [["range", list(oracle.shard(n, rank, world))] for rank in range(world)]
        wrong = misses(
            oracle.SHARES,
            lambda kind, n=n, world=world: [
                ["range", list(oracle.shard(n, rank, world, kind))] for rank in range(world)
            ],
        )
        lists = [part for _, part in shares] == [part for _, part in wanted] and shares != wanted
        expect(not lists, "shard returns no range.", mistake=oracle.LISTED)
        expect_equal(shares, wanted, misses=wrong, what=f"the list of shares of {n} among {world}")


def net(draw):
    """Draw the state of a probes.Net; what its norm counts is in it."""
    state = {"first.weight": draw.normal(6, 5), "first.bias": draw.normal(6), "gain": draw.normal(6)}
    state |= {"second.weight": draw.normal(4, 6), "second.bias": draw.normal(4)}
    state |= {"norm.weight": draw.normal(6), "norm.bias": draw.normal(6), "norm.running_mean": draw.normal(6)}
    return state | {"norm.running_var": draw.normal(6).abs(), "norm.num_batches_tracked": draw.integers(3, 99)}


@pytest.mark.task("m09.5")
@pytest.mark.holds("Give the model rank 0's parameters and buffers, in place, wherever it was made.")
def test_all_ranks_start_from_rank_0s_model(student, draw):
    """Three models with weights and counts of their own all have those of the first, in the parameters they had."""
    states = [net(draw) for _ in range(3)]
    for rank, found in enumerate(on_ranks(student, 3, "started", student.share_start, states)):
        for name, wanted in (states[0] | {"unsaved": states[0]["gain"] + 1}).items():
            counts = name.startswith(("norm.r", "norm.num"))
            what, own = f"{name} on rank {rank}", {}
            if name == "unsaved":
                own = {UNSAVED: states[rank]["gain"] + 1} if rank else {}
            elif rank:
                own = {BUFFERS if counts else PARAMETERS: states[rank][name]}
                own |= {ELSEWHERE: states[-1][name]} if rank < len(states) - 1 else {}
            elif not counts and name in states[0]:
                own[ELSEWHERE] = states[-1][name]
            if wanted.is_floating_point() and not counts and name in states[0]:
                own[MEAN_START] = torch.stack([state[name] for state in states]).mean(0)
            if wanted.is_floating_point():
                expect_close(found["state"][name], wanted, atol=FLOAT32_OP, misses=own, what=what)
            else:
                expect_equal(found["state"][name], wanted, misses=own, what=what)
        expect(found["same"] is True, "The model has other parameters than before.", mistake=OTHERS)


def trained(draw):
    """Return the part of a state that is trained, with what else the net needs, and batches for three ranks."""
    state = net(draw)
    names = [name for name in probes.Net(state).state_dict() if not name.startswith("norm.")]
    batches = [[(draw.normal(rows, 5), draw.normal(rows, 4)) for rows in (3, 2, 2)] for _ in range(3)]
    for number, ((first, _), (second, _), _) in enumerate(batches):
        first[0, 0] = first[0, 0].abs() + 0.1  # somebody uses the gain in each step,
        if number:
            second[:, 0] = -second[:, 0].abs() - 0.1  # and rank 1 in none but the first
    return state, {name: state[name] for name in names}, batches


@pytest.mark.task("m09.5")
@pytest.mark.holds(
    "Take the step that one process with all rows would take, and return the mean loss over all rows.",
    "x and targets are this rank's own rows: each has some, and not all have as many.",
    "loss(model, x, targets) is the mean over the rows given.",
    "The whole gradient's norm is clipped to max_norm.",
    "Gradients from before take no part.",
)
@pytest.mark.parametrize("max_norm", [1e9, 0.5], ids=["unclipped", "clipped"])
@pytest.mark.warm("torch._dynamo")  # which torch's optimizers import when the first is made
def test_ranks_take_the_step_of_one_process(student, draw, max_norm):
    """Three ranks with 3, 2 and 2 rows take the steps and name the losses of one process with seven; so does one."""
    state, weights, batches = trained(draw)
    expect_stepped(student, state, weights, batches, max_norm)
    expect_stepped(student, state, weights, [parts[:1] for parts in batches], max_norm)


def expect_stepped(student, state, weights, batches, max_norm):
    """Take a step for each batch on as many ranks as it has parts, and compare weights and losses."""
    given = batches, 0.05, max_norm
    found = on_ranks(student, len(batches[0]), "stepped", student.data_parallel_step, state, *given)
    for rank, own in enumerate(found):
        wanted = oracle.stepped(weights, *given, rank)
        wrong = once(oracle.STEPS, lambda kind, rank=rank: oracle.stepped(weights, *given, rank, kind))
        for name, expected in wanted["weights"].items():
            parts, what = part_of(wrong, "weights", name), f"{name} on rank {rank}"
            expect_close(own["weights"][name], expected, atol=FLOAT32_LAYER, misses=parts, what=what)
        expect_losses(own["losses"], wanted, weights, batches[0], rank)


def expect_losses(found, wanted, weights, parts, rank):
    """Compare the losses that a rank names."""
    each = torch.tensor([float(oracle.regression(weights, *part)) for part in parts], dtype=torch.float64)
    rows = torch.tensor([len(x) for x, _ in parts])
    wrong = {oracle.OWN_LOSS: each[rank], oracle.PLAIN_LOSS: each.mean()}
    wrong[oracle.PART_LOSS] = each[rank] * rows[rank] / rows.sum()
    for number, (loss, expected) in enumerate(zip(found, wanted["losses"], strict=True)):
        tensor = oracle.LOSS_TENSOR if isinstance(loss, torch.Tensor) else None
        expect(isinstance(loss, float), "data_parallel_step returns no float.", mistake=tensor)
        own = dict(wrong) if number == 0 else {}
        own[oracle.AFTER_LOSS] = torch.tensor(wanted["after"][number], dtype=torch.float64)
        expected, loss = torch.tensor(expected, dtype=torch.float64), torch.tensor(loss, dtype=torch.float64)
        expect_close(loss, expected, atol=1e-5, rtol=1e-5, misses=own, what=f"loss {number} on rank {rank}")
