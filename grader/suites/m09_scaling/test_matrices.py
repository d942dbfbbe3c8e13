"""m09_scaling: layers whose matrix is shared, and a sum that goes round in a ring."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_tensor,
    expect_unchanged,
    sentence,
)

from . import oracle_matrices as oracle
from . import probes
from .oracle_ranks import DEVICE
from .steps import Ring, Summed, alone, expect_no_other, on_ranks, told


def expect_used(found, wanted, wrong, rank, names=("own", "y", "gradients", "x")):
    """Compare a rank's parameters, what its layer gave, their gradients, and what came back to x."""
    words = {"y": "the output", "x": "the gradient of x", "own": "", "gradients": "the gradient of "}
    for name in names:
        if name in ("y", "x"):
            own = {words: miss[name] for words, miss in wrong.items()}
            what = f"{words[name]} on rank {rank}"
            expect_close(found[name], wanted[name], atol=FLOAT32_LAYER, misses=own, what=what)
            continue
        expect_equal(sorted(found[name]), sorted(wanted[name]), what="the list of parameters")
        for part, expected in wanted[name].items():
            own = {words: miss[name][part] for words, miss in wrong.items() if part in miss[name]}
            what = f"{words[name]}{part} on rank {rank}"
            there = isinstance(found[name][part], torch.Tensor)
            # Behind the sum that cuts the graph off lie a row-parallel layer's weight and x, and nothing else.
            cut_off = oracle.CUT_OFF in wrong and (name, part) == ("gradients", "weight") and found["x"] is None
            expect(there, sentence(what, "is no tensor."), mistake=oracle.CUT_OFF if cut_off else None)
            expect_close(found[name][part], expected, atol=FLOAT32_LAYER, misses=own, what=what)


# ── m09.7 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_column(student, draw, world, d_out, parts, biased=True):
    """Use a column-parallel layer on all ranks and compare."""
    weight, bias, x = draw.normal(d_out, 5), draw.normal(d_out) if biased else None, draw.normal(2, 3, 5)
    weights = [draw.normal(2, 3, len(oracle.rows_of(d_out, rank, world, parts))) for rank in range(world)]
    options = {"parts": parts} if parts > 1 else {}
    make = student.ColumnParallelLinear
    found = on_ranks(student, world, "shared", make, weight, bias, [x] * world, weights, options)
    for rank, own in enumerate(found):
        given = weight, bias, x, weights, rank, parts
        expect_used(own, oracle.column(*given), columns_missed(*given), rank)


def columns_missed(weight, bias, x, weights, rank, parts):
    """Return what the mistakes give that give anything of a shape."""
    found = {}
    for kind in (*oracle.OUTPUTS, oracle.ALONE, oracle.AVERAGED_BACK):
        try:
            found[kind] = oracle.column(weight, bias, x, weights, rank, parts, kind)
        except RuntimeError:  # other rows than there are weights for
            continue
    return found


@pytest.mark.task("m09.7")
@pytest.mark.holds(
    "A rank's share of the outputs of an nn.Linear: all ranks give it the same x, and get different columns of y.",
    "Keep copies of the rows shard(d_out, rank, world) of weight and bias, as parameters of these names (or None).",
    "Return this rank's outputs; no rank has to wait.",
    "Backwards, x gets the sum of what all ranks send it.",
)
def test_ranks_share_the_outputs_of_a_layer(student, draw):
    """Three ranks have 3, 2 and 2 of seven outputs, and x gets the gradient that it gets from all of them."""
    expect_column(student, draw, 3, 7, 1)
    expect_column(student, draw, 2, 6, 1, biased=False)


@pytest.mark.task("m09.7")
@pytest.mark.holds(
    "A linear of several `parts` (queries, keys, values: 3), equally tall, is shared part by part: such rows of each.",
)
def test_queries_keys_and_values_are_shared_each_by_itself(student, draw):
    """Of a matrix of queries, keys and values each rank has its rows of all three."""
    expect_column(student, draw, 2, 12, 3)
    expect_column(student, draw, 3, 15, 3)


@pytest.mark.task("m09.7")
@pytest.mark.holds(
    "A rank's share of the inputs of an nn.Linear: each gives it other columns of x, and all get the same y.",
    "Keep copies of the columns shard(d_in, rank, world) of the weight, and of the whole bias, as parameters.",
    "Return the whole output: one all_reduce, and the bias once.",
)
def test_ranks_share_the_inputs_of_a_layer(student, draw):
    """Three ranks with 3, 2 and 2 of seven inputs all get the whole output, and gradients of their own columns."""
    for world, biased in ((3, True), (2, False)):
        weight, bias, x = draw.normal(5, 7), draw.normal(5) if biased else None, draw.normal(2, 3, 7)
        weights = draw.normal(2, 3, 5)
        parts = x.tensor_split(world, dim=-1)
        given = weight, bias, [part.clone() for part in parts], [weights] * world
        found = on_ranks(student, world, "shared", student.RowParallelLinear, *given, {})
        for rank, own in enumerate(found):
            one = weight, bias, x, weights, rank, world
            wrong = {kind: oracle.row(*one, kind) for kind in oracle.INPUTS}
            expect_used(own, oracle.row(*one), wrong, rank)


@pytest.mark.task("m09.7")
@pytest.mark.holds(
    "Return this rank's outputs; no rank has to wait.",
    "Return the whole output: one all_reduce, and the bias once.",
    "Backwards, no rank has to wait.",
)
def test_an_mlp_costs_one_sum_each_way(student, draw):
    """Column- and row-parallel with GELU between are the whole MLP, for one sum forwards and one backwards."""
    matrices = [(draw.normal(11, 5), draw.normal(11)), (draw.normal(5, 11), draw.normal(5))]
    x, weights = draw.normal(2, 3, 5), draw.normal(2, 3, 5)
    wanted, makes = oracle.mlp(matrices, x, weights), (student.ColumnParallelLinear, student.RowParallelLinear)
    for rank, found in enumerate(on_ranks(student, 3, "mlp", *makes, matrices, x, weights)):
        expect_close(found["y"], wanted["y"], atol=FLOAT32_LAYER, what=f"the MLP's output on rank {rank}")
        expect_close(found["x"], wanted["x"], atol=FLOAT32_LAYER, what=f"the gradient of x on rank {rank}")
    others = Summed([torch.zeros(60)])
    student.plant(probes).mlp(told(student, 1, 3, others), *makes, matrices, x, weights)
    expect_no_other(others, oracle.ONE_SUM)
    shapes, one = [list(sent.shape) for sent in others.sent], [2, 3, 5]
    more = {oracle.MORE: [one] * len(shapes)} if len(shapes) > 2 else {}
    expect_equal(shapes, [one, one], misses=more, what="the list of sums, by shape,")


# ── m09.8 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m09.8")
@pytest.mark.holds(
    "Return the sum of all ranks' x by group.send and group.recv alone: to the next rank, from the one before.",
    "Flat, x is cut into `world` pieces by shard.",
    "In round s, from 0 to world - 2, a rank sends piece rank - s and adds what it gets to piece rank - s - 1.",
    "Then each piece is whole somewhere, and in as many rounds more it sends piece rank + 1 - s and puts what it gets "
    "in the place of piece rank - s.",
    "(Piece numbers are meant modulo world.)",
    "So a rank sends each piece about twice, however many ranks there are.",
)
@pytest.mark.parametrize(("rank", "world"), [(0, 3), (2, 3), (1, 4), (1, 2)])
def test_pieces_go_round_and_come_back_whole(student, draw, rank, world):
    """The judge plays the other ranks: each round it gets the right piece, and the pieces it gives become a sum."""
    shape = (2, 2 * world, 2) if rank else (4 * world + 1,)
    xs = [draw.normal(*shape) for _ in range(world)]
    sent = oracle.messages(xs)
    others = Ring(rank, world, sent[rank - 1])
    actual = student.ring_all_reduce(xs[rank], told(student, rank, world, others))
    others.expect_sent(sent[rank], xs[rank])
    found = {kind: oracle.ringed(xs[rank], rank, world, sent[rank - 1], kind)[1] for kind in oracle.RINGS}
    wrong = {kind: row.view(shape) for kind, row in found.items() if row.numel() == xs[rank].numel()}
    wrong |= {oracle.FLAT: sum(xs).flatten(), oracle.OWN_X: xs[rank], oracle.MEAN: sum(xs) / world}
    expect_close(actual, sum(xs), atol=FLOAT32_LAYER, misses=wrong, what="the sum")


@pytest.mark.task("m09.8")
@pytest.mark.holds(
    "Return the sum of all ranks' x by group.send and group.recv alone: to the next rank, from the one before.",
    "x has at least `world` numbers, and does not change.",
)
def test_real_ranks_pass_their_pieces_on(student, draw):
    """Two, three and four ranks that speak by real messages all end with the sum, in x's dtype, and keep their x."""
    sizes = {2: (5,), 3: (7, 2), 4: (4,)}
    for world, shape in sizes.items():
        dtype = torch.float64 if world == 3 else torch.float32
        xs = [draw.normal(*shape, dtype=dtype) for _ in range(world)]
        for rank, found in enumerate(on_ranks(student, world, "ringed", student.ring_all_reduce, xs)):
            own = {oracle.OWN_X: xs[rank], oracle.MEAN: sum(xs) / world, oracle.FLAT: sum(xs).flatten()}
            atol = FLOAT64 if dtype == torch.float64 else FLOAT32_OP
            expect_close(found["sum"], sum(xs), atol=atol, misses=own, what=f"the sum on rank {rank} of {world}")
            expect_unchanged(found["x"], xs[rank], what="x after the call", misses={oracle.AWAY: found["sum"]})
    numbers = 4 * 1000
    most = max(sum(len(piece) for piece in sent) for sent in oracle.messages([torch.zeros(numbers)] * 4))
    achieve(
        f"Four ranks add up {numbers:,} numbers and each of yours sends {most:,}; sent to everybody it would be "
        f"{3 * numbers:,}."
    )


@pytest.mark.task("m09.8")
@pytest.mark.warm("torch._dynamo")
def test_pieces_stay_where_x_is(student, draw):
    """What is sent, received and put together lies on the device of x."""
    ring = student.plant(probes).of_tensors("ring", student.ring_all_reduce, alone(student, 1, 3))
    args = [draw.normal(4, 5), draw.normal(4, 5)]
    expect_tensor(ring(*args), shape=(4, 5), dtype=torch.float32)
    expect_one_device(student, ring, args, mistake=DEVICE)
