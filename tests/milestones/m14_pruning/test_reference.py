"""The references of m14_pruning agree with torch's own pruning, and what the guide says of that library is so."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from grader.judge.draw import Draw
from grader.suites.m14_pruning import oracle, oracle_fours, oracle_structure, probes

from .test_guide import WORDS


def linear(weight):
    """Return a layer with this weight and no bias."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.load_state_dict({"weight": weight})
    return layer


@pytest.mark.parametrize("sparsity", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_torchs_masks_by_magnitude_agree(sparsity):
    """l1_unstructured lets the same weights go where no two are equal, and as many also where a half is rounded."""
    draw = Draw(5, f"magnitude {sparsity}")
    for shape in ((3, 5), (7, 1), (5, 1), (6, 8)):
        weight = draw.normal(*shape)
        layer = prune.l1_unstructured(linear(weight), "weight", sparsity)

        assert torch.equal(layer.weight_mask.bool(), oracle.magnitude(weight, sparsity))


def test_torchs_masks_of_several_weights_agree():
    """global_unstructured lets the same weights go where no two are equal."""
    draw = Draw(5, "global")
    weights = {"b": draw.normal(3, 5), "a": draw.normal(4, 2, scale=0.2), "c": draw.normal(6, 6)}
    layers = {name: linear(weight) for name, weight in weights.items()}
    pairs = [(layer, "weight") for layer in layers.values()]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=0.6)

    expected = oracle.all_together(weights, 0.6)
    assert {name: layer.weight_mask.bool().tolist() for name, layer in layers.items()} == {
        name: mask.tolist() for name, mask in expected.items()
    }


def test_torchs_mask_of_fours_agrees():
    """WeightNormSparsifier with two zeros in blocks of (1, 4) lets the same weights go where no two are equal."""
    from torch.ao.pruning import WeightNormSparsifier

    weight = Draw(5, "fours").normal(6, 16)
    model = nn.Sequential(linear(weight))
    sparsifier = WeightNormSparsifier(1.0, (1, 4), 2)
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()

    assert torch.equal(model[0].parametrizations.weight[0].mask.bool(), oracle_fours.fours(weight))


def test_a_silenced_model_and_a_smaller_one_agree():
    """Layers of the remaining neurons and heads give what the reference computes with the others silenced."""
    draw = Draw(5, "structure")
    mlp, x = oracle_structure.mlp_state(draw, 5, 9), draw.normal(2, 6, 5)
    made = probes.mlp(oracle_structure.cut_mlp(mlp, [7, 0, 3]))
    assert torch.allclose(made(x), oracle_structure.run_mlp(x, oracle_structure.silent_mlp(mlp, [7, 0, 3])), atol=1e-5)
    state, x = oracle_structure.attention_state(draw, 7, 4, 3), draw.normal(2, 6, 7)
    made = probes.attention(oracle_structure.cut_heads(state, 4, [3, 1]), 2)
    expected = oracle_structure.run_heads(x, oracle_structure.silent_heads(state, 4, [3, 1]), 4)
    assert torch.allclose(made(x), expected, atol=1e-5)


def test_what_the_guide_says_of_torchs_pruning_is_so():
    """A second call prunes what is left, and a weight that moved is seen after the next forward."""
    layer = linear(torch.arange(1.0, 9.0).reshape(2, 4))
    for left in (4, 2):
        prune.l1_unstructured(layer, "weight", 0.5)
        assert int(layer.weight_mask.sum()) == left
    layer.weight_orig.data += 1
    before = layer.weight.clone()
    layer(torch.zeros(1, 4))

    assert "twice one half leaves a quarter" in WORDS
    assert "`layer.weight` shows it only after the next forward" in WORDS
    assert not torch.equal(layer.weight, before)


def test_what_the_guide_says_of_torchs_sparse_tensors_is_so():
    """A tensor on the CPU cannot be made semi-structured sparse by torch."""
    weight = Draw(5, "sparse").normal(64, 64).half()

    with pytest.raises(RuntimeError, match="CUDA"):
        torch.sparse.to_sparse_semi_structured(weight * oracle_fours.fours(weight))


def test_the_guide_names_the_version_that_is_installed():
    """What the guide says of torch was seen with the version tested here."""
    version = ".".join(torch.__version__.split(".")[:2])

    assert set(re.findall(r"torch (\d+\.\d+)", WORDS)) == {version}
