"""What becomes of ranks that raise, end or leave out a call: one sentence for that check, and the next begins clean."""

from __future__ import annotations

import re

import pytest
import support
import torch

from grader import record
from grader.suites.shared import ranks

SOLUTION = support.source("solutions", "m09_scaling")
CHECKS = {
    "test_all_ranks_start_from_rank_0s_model": "RuntimeError: on rank 1: its process ended without an answer",
    "test_ranks_take_the_step_of_one_process": "ZeroDivisionError: on rank 2: .*line \\d+ of m09_scaling.py",
    "test_shares_of_adamw_are_adamw": "Not implemented yet.",
    "test_ranks_share_the_outputs_of_a_layer": "",
    "test_real_ranks_pass_their_pieces_on": "SystemExit",
}
TROUBLE = """

import os

_step, _ring = data_parallel_step, ring_all_reduce


def share_start(model, group):
    if group.rank == 1:
        os._exit(0)
    for value in model.parameters():
        group.broadcast(value, 0)


def data_parallel_step(model, loss, x, targets, optimizer, group, max_norm):
    if group.rank == 2:
        1 / 0
    return _step(model, loss, x, targets, optimizer, group, max_norm)


class ShardedAdamW:
    def __init__(self, params, group, **options):
        raise NotImplementedError("m09.6")


def ring_all_reduce(x, group):
    raise SystemExit(3)
"""


def test_the_rank_that_fails_is_named():
    """A rank that ends, raises or exits is named with what it did, a stub's is not started, and the others pass."""
    result = support.grade({"m09_scaling": SOLUTION + TROUBLE}, only=set(CHECKS))
    found = {check.id.partition("[")[0]: check for check in support.checks(result)}

    assert set(found) == set(CHECKS)
    for name, said in CHECKS.items():
        assert re.search(said, found[name].message), found[name].message
    assert found["test_shares_of_adamw_are_adamw"].outcome == record.NOT_STARTED
    assert found["test_ranks_share_the_outputs_of_a_layer"].outcome == record.PASSED


def test_ranks_that_are_threads_end_alike():
    """Where ranks are threads, a rank's own error is raised too, and not what it brought upon the others."""

    def work(group):
        if group.rank == 1:
            raise KeyError("mine")
        return group.all_reduce(torch.ones(2))

    with pytest.raises(KeyError, match="on rank 1"):
        ranks.ranks(3, work)


def test_a_call_left_out_is_said_as_such(monkeypatch):
    """Ranks that wait for one that does not come are told why, when their patience is at its end."""
    monkeypatch.setattr(ranks, "PATIENCE", 1)

    with pytest.raises(RuntimeError, match="all ranks make the same calls in the same order"):
        ranks.ranks(2, lambda group: group.rank or group.all_reduce(torch.ones(2)).tolist())


def test_calls_that_do_not_fit_together_are_named():
    """Ranks that are threads and call one another with other sizes are told so, and Python goes on."""
    with pytest.raises(ValueError, match="rank 1 asks for all_reduce with a tensor of 1 float32 where this one"):
        ranks.ranks(2, lambda group: group.all_reduce(torch.ones(2 - group.rank)))


def test_what_a_group_gives_is_new_and_in_order():
    """Sums, lists, copies and messages of three ranks, of several dtypes and shapes, leave their arguments alone."""

    def work(group):
        x = torch.arange(4.0).view(2, 2).T * (group.rank + 1)
        kept = x.clone()
        found = [group.all_reduce(x), group.all_gather(x), group.broadcast(x, 2)]
        group.send(x, (group.rank + 1) % 3)
        group.send(x + 1, (group.rank + 1) % 3)
        found += [group.recv(x, (group.rank - 1) % 3), group.recv(x, (group.rank - 1) % 3)]
        counts = group.all_reduce(torch.tensor(group.rank))
        return found, torch.equal(x, kept), counts

    base = torch.arange(4.0).view(2, 2).T
    for rank, (found, same, counts) in enumerate(ranks.ranks(3, work)):
        before = (rank - 1) % 3 + 1
        assert same and counts.item() == 3 and counts.dtype == torch.int64
        assert torch.equal(found[0], 6 * base) and torch.equal(found[2], 3 * base)
        assert [torch.equal(part, base * n) for n, part in enumerate(found[1], start=1)] == [True] * 3
        assert torch.equal(found[3], base * before) and torch.equal(found[4], base * before + 1)
