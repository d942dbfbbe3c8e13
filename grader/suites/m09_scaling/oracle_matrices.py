"""The reference for m09_scaling's shared matrices and its ring: one layer, one sum, and what each rank sends for it."""

from typing import Any

import torch
from torch import Tensor

from .oracle_ranks import CHUNKS, LAST, shard

# ── m09.7 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

STRIPES = "ranks take turns at the rows: a share is made of neighbours"
HALVES = "queries, keys and values are shared as one matrix: each part is shared by itself"
BIAS_FIRST = "the bias is not cut like the rows: the first numbers are taken on every rank"
SHARED_MEMORY = "the parameters are parts of the layer that was given: keep copies"
OUTPUTS = (STRIPES, HALVES, CHUNKS, LAST, BIAS_FIRST, SHARED_MEMORY)
ALONE = "x gets this rank's part of the gradient: all ranks' parts are added up"
AVERAGED_BACK = "the gradient of x is averaged over the ranks: it is a sum"
BIAS_EACH = "every rank adds the bias before the sum: it counts once"
BIAS_IN_PARTS = "each rank adds a part of the bias before the sum, and its gradient is a part: add the whole after it"
BIAS_SHARED = "the bias is that of the layer that was given: keep a copy"
AVERAGED = "the parts are averaged: the whole is their sum"
BIAS_LOST = "the bias is left out"
PARTIAL = "the parts are not added up"
SUMMED_BACK = "the gradient is added up over the ranks once more: all have the same one already"
CUT_OFF = "no gradient passes through the sum"
MORE = "there are more sums than one each way"
ONE_SUM = "the group is asked for something else: a sum is one all_reduce"
INPUTS = (BIAS_EACH, BIAS_IN_PARTS, BIAS_SHARED, AVERAGED, BIAS_LOST, PARTIAL, SUMMED_BACK, CUT_OFF, SHARED_MEMORY)


def rows_of(d_out: int, rank: int, world: int, parts: int = 1, wrong: str = "") -> list[int]:
    """Return the rows of a column-parallel rank."""
    if wrong == STRIPES:
        return list(range(rank, d_out, world))
    if wrong == HALVES:
        return list(shard(d_out, rank, world))
    size = d_out // parts
    cut = wrong if wrong in (CHUNKS, LAST) else ""
    return [part * size + row for part in range(parts) for row in shard(size, rank, world, cut)]


def column(
    weight: Tensor, bias: Tensor | None, x: Tensor, weights: list[Tensor], rank: int, parts: int = 1, wrong: str = ""
) -> dict[str, Any]:
    """Return what a rank's share of the outputs gives, and the gradients; weights[rank] weighs its outputs."""
    world, d_out = len(weights), len(weight)
    rows = rows_of(d_out, rank, world, parts, wrong)
    own_bias = None if bias is None else bias[: len(rows)] if wrong == BIAS_FIRST else bias[rows]
    y = x @ weight[rows].T + (0 if own_bias is None else own_bias)
    back = x.new_zeros(*x.shape[:-1], d_out)
    for other in range(world):
        if other == rank or wrong != ALONE:
            back[..., rows_of(d_out, other, world, parts)] = weights[other]
    gradient = back @ weight / (world if wrong == AVERAGED_BACK else 1)
    flat = weights[rank].flatten(0, -2)
    kept = torch.zeros_like(weight) if wrong == SHARED_MEMORY else weight
    own = {"weight": kept[rows]} | ({} if own_bias is None else {"bias": own_bias})
    slopes = {"weight": flat.T @ x.flatten(0, -2)} | ({} if bias is None else {"bias": flat.sum(0)})
    return {"y": y, "x": gradient, "own": own, "gradients": slopes}


def row(
    weight: Tensor, bias: Tensor | None, x: Tensor, weights: Tensor, rank: int, world: int, wrong: str = ""
) -> dict[str, Any]:
    """Return what a rank of a row-parallel layer gives, all of whose ranks weigh y by the same weights."""
    columns = shard(weight.shape[1], rank, world)
    own = slice(columns.start, columns.stop)
    if wrong == SHARED_MEMORY:
        weight = torch.zeros_like(weight)
    added: Any = 0 if bias is None or wrong in (BIAS_LOST, BIAS_SHARED) else bias
    y = x @ weight.T
    if wrong == PARTIAL:
        y = x[..., own] @ weight[:, own].T
    if wrong == AVERAGED:
        y = y / world
    y = y + added * (world if wrong == BIAS_EACH else 1)
    back = weights * (world if wrong == SUMMED_BACK else 0 if wrong == CUT_OFF else 1)
    flat = back.flatten(0, -2)
    held = torch.zeros_like(bias) if bias is not None and wrong == BIAS_SHARED else bias
    parameters = {"weight": weight[:, own]} | ({} if held is None else {"bias": held})
    slopes = {"weight": flat.T @ x[..., own].flatten(0, -2)}
    often = {BIAS_EACH: world, BIAS_IN_PARTS: 1 / world}.get(wrong, 1)
    slopes |= {} if bias is None else {"bias": weights.flatten(0, -2).sum(0) * often}
    return {"y": y, "x": back @ weight[:, own], "own": parameters, "gradients": slopes}


def mlp(matrices: list[tuple[Tensor, Tensor]], x: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Return what an MLP gives, and the gradient of x."""
    (fc, fc_bias), (proj, proj_bias) = matrices
    x = x.clone().requires_grad_()
    y = torch.nn.functional.gelu(x @ fc.T + fc_bias) @ proj.T + proj_bias
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    return {"y": y.detach(), "x": gradient}


# ── m09.8 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

SHORT = "the ring stops one round too early"
OVERWRITES = "what comes in the first rounds takes the place of a piece: it is added to it"
WRONG_FIRST = "a rank begins with another piece than its own number"
ADDS = "what comes in the second rounds is added: it is whole, and takes the piece's place"
WHOLE = "x is sent whole in every round: one piece is enough"
BACKWARDS = "pieces go to the rank before, and come from the next one"
CUT = "x is not cut by shard"
FLAT = "the sum is one long row: it has the shape of x"
OWN_X = "x comes back: nothing was added up"
MEAN = "the sum is divided by the number of ranks"
SILENT = "nothing is sent: each rank sends a piece in each round"
BY_GROUP = "the group's own functions do the work: send and recv alone are to be called"
AWAY = "x itself is added to: work on a copy"
RINGS = (SHORT, OVERWRITES, WRONG_FIRST, ADDS)


def pieces_of(x: Tensor, world: int) -> list[Tensor]:
    """Return the pieces of a flattened x."""
    return [piece.clone() for piece in x.flatten().tensor_split(world)]


def messages(xs: list[Tensor]) -> list[list[Tensor]]:
    """Return what each rank sends in each round."""
    world = len(xs)
    pieces = [pieces_of(x, world) for x in xs]
    sent: list[list[Tensor]] = [[] for _ in xs]
    for turn in range(2 * (world - 1)):
        first, turn = turn < world - 1, turn % (world - 1)
        places = [(rank - turn) % world if first else (rank + 1 - turn) % world for rank in range(world)]
        out = [pieces[rank][place].clone() for rank, place in enumerate(places)]
        for rank in range(world):
            sent[rank].append(out[rank])
            before = (rank - 1) % world
            place = places[before]
            pieces[rank][place] = pieces[rank][place] + out[before] if first else out[before]
    return sent


def ringed(x: Tensor, rank: int, world: int, coming: list[Tensor], wrong: str = "") -> tuple[list[Tensor], Tensor]:
    """Return what a rank sends and ends with, when this is what comes from the one before."""
    pieces, sent, come = pieces_of(x, world), list[Tensor](), iter(coming)
    shift = wrong == WRONG_FIRST
    for turn in range(world - 1 - (wrong == SHORT)):
        sent.append(pieces[(rank - turn + shift) % world].clone())
        place, got = (rank - turn - 1 + shift) % world, next(come)
        pieces[place] = got if wrong == OVERWRITES else _added(pieces[place], got)
    for turn in range(world - 1 - (wrong == SHORT)):
        sent.append(pieces[(rank + 1 - turn + shift) % world].clone())
        place, got = (rank - turn + shift) % world, next(come)
        pieces[place] = _added(pieces[place], got) if wrong == ADDS else got
    return sent, torch.cat(pieces)


def _added(piece: Tensor, got: Tensor) -> Tensor:
    return piece + got if piece.shape == got.shape else got
