"""The references of m09_scaling agree with torch's own, and what its guide says of torch is so."""

from __future__ import annotations

import re
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DistributedSampler

from grader.judge.draw import Draw
from grader.suites.m09_scaling import oracle, oracle_ranks, probes
from solutions import m09_scaling as m09

from .test_guide import WORDS

OPTIONS = {"init_scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.25, "growth_interval": 2}


class Torchs:
    """torch's own scaler under the names of ours."""

    def __init__(self, **options):
        self._own = torch.amp.GradScaler("cpu", **options)
        self._own.scale(torch.zeros(()))  # it makes its number when it is first used

    @property
    def scale(self):
        """The number by which losses are multiplied."""
        return self._own.get_scale()

    def unscale_(self, params):
        """Divide, and say if all is finite."""
        self._params = [param for param in params if param.grad is not None]
        self._optimizer = torch.optim.SGD(self._params, 0.1)
        self._own.unscale_(self._optimizer)
        return all(bool(param.grad.isfinite().all()) for param in self._params)

    def step(self, _):
        """Take the step, or not."""
        before = [param.detach().clone() for param in self._params]
        self._own.step(self._optimizer)
        return any(not torch.equal(old, param) for old, param in zip(before, self._params, strict=True))

    def update(self):
        """Set the number for the next step."""
        self._own.update()


def test_torchs_scaler_agrees():
    """Scale, answers and weights through overflows of each kind are those of torch's GradScaler."""
    draw = Draw(3, "scaler")
    steps = [[draw.normal(3, 2), draw.normal(4)] for _ in range(11)]
    for number, value in ((1, "inf"), (5, "nan"), (9, "-inf")):
        steps[number][number % 2].view(-1)[1] = float(value)
    start = [draw.normal(3, 2), draw.normal(4)]
    found = probes.scaled(Torchs, start, OPTIONS, steps, 0.1, None)
    wanted = oracle.scaling(start, steps, 0.1, OPTIONS, None)

    assert oracle.history(found) == oracle.history(wanted)
    assert torch.allclose(oracle.weights_of(found), oracle.weights_of(wanted), atol=1e-5)


def test_torchs_autocast_agrees():
    """Where all layers are linear, or do not care, the loss is that of torch's autocast on a processor."""
    draw = Draw(3, "autocast")
    parts = [(draw.normal(7, 5), draw.normal(7)), (draw.normal(4, 7), None)]
    x, targets = draw.normal(9, 5), draw.integers(0, 4, 9)
    layers = probes.layers(parts)
    with torch.autocast("cpu", torch.bfloat16):
        logits = layers[1](torch.relu(layers[0](x)))
        expected = F.cross_entropy(logits, targets)

    assert logits.dtype == torch.bfloat16 and expected.dtype == torch.float32
    actual = m09.mixed_loss([layers[0], nn.ReLU(), layers[1]], x, targets, torch.bfloat16)
    assert torch.equal(actual, expected)


def test_torchs_buckets_agree():
    """What torch itself buckets by, puts parameters of these sizes into the same buckets."""
    draw = Draw(3, "buckets")
    for _ in range(20):
        sizes = draw.integers(1, 60, 12).tolist()
        params = [torch.zeros(size) for size in sizes]
        found, _ = torch.distributed._compute_bucket_assignment_by_size(params, [160, 440], [False] * len(params))

        assert found == oracle_ranks.buckets(sizes, 40, 110)


def test_torchs_adamw_agrees():
    """Parameters with and without gradients move as by torch's AdamW."""
    draw = Draw(3, "adamw")
    values = [draw.normal(3, 2), draw.normal(5)]
    steps = [[draw.normal(3, 2), draw.normal(5)] for _ in range(4)]
    steps[1][0] = steps[2][1] = None
    options = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}
    params = [nn.Parameter(value.clone()) for value in values]
    optimizer = torch.optim.AdamW(params, **options)
    for step, wanted in zip(steps, oracle_ranks.moved(values, steps, options, 0, 1), strict=True):
        for param, gradient in zip(params, step, strict=True):
            param.grad = None if gradient is None else gradient.clone()
        optimizer.step()
        assert all(torch.allclose(param, value, atol=1e-6) for param, value in zip(params, wanted, strict=True))


def test_what_the_guide_says_of_torchs_scaler_is_so():
    """A step that was left out returns None; without a GPU a scaler without arguments is switched off, and warns."""
    assert "its `step` returns None after a step that it left out" in WORDS
    param = nn.Parameter(torch.ones(2))
    scaler, optimizer = torch.amp.GradScaler("cpu"), torch.optim.SGD([param], 0.1)
    scaler.scale(torch.ones(())).backward = None
    param.grad = torch.tensor([float("inf"), 1.0])
    assert scaler.step(optimizer) is None and param.tolist() == [1.0, 1.0]
    if not torch.cuda.is_available():
        with pytest.warns(UserWarning, match="[Dd]isabl"):
            assert not torch.amp.GradScaler().is_enabled()


def test_what_the_guide_says_of_torchs_autocast_is_so():
    """Given bfloat16, a layer norm under CPU autocast gives bfloat16 back."""
    assert "a layer norm under CPU autocast that is given bfloat16 gives bfloat16 back" in WORDS
    with torch.autocast("cpu", torch.bfloat16):
        given = nn.Linear(4, 4)(torch.randn(2, 4))
        assert given.dtype == torch.bfloat16 and nn.LayerNorm(4)(given).dtype == torch.bfloat16


def test_what_the_guide_says_of_torchs_checkpoint_is_so():
    """Without use_reentrant torch warns, and takes a variant that gives nothing where no argument wants a gradient."""
    from torch.utils.checkpoint import checkpoint

    assert "without `use_reentrant` it takes the older one and warns" in WORDS
    weight = torch.randn(3, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = checkpoint(lambda x: (x * weight).sum(), torch.randn(3))

    assert any("use_reentrant" in str(warning.message) for warning in caught)
    assert not out.requires_grad
    assert checkpoint(lambda x: (x * weight).sum(), torch.randn(3), use_reentrant=False).requires_grad


def test_what_the_guide_says_of_torchs_samplers_is_so():
    """Of five rows both ranks get three: one row comes twice."""
    assert "its samplers repeat rows to make them equal" in WORDS
    found = [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in range(2)]

    assert [len(rows) for rows in found] == [3, 3] and len({row for rows in found for row in rows}) == 5


def test_the_guide_names_the_version_that_is_installed():
    """What the guide says of torch was seen with the version tested here."""
    version = ".".join(torch.__version__.split(".")[:2])

    assert set(re.findall(r"torch (\d+\.\d+)", WORDS)) == {version}
