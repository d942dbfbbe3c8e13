"""The reference of m15_llama agrees with transformers' own classes and with torch, and what is said of them is so."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from grader.judge.draw import Draw
from grader.suites.m15_llama import oracle, oracle_model, oracle_transformers
from solutions import m15_llama as m15

SIZES = oracle_model.SIZES


@pytest.mark.parametrize("name", list(oracle_model.KIN))
def test_the_reference_gives_transformers_logits(name):
    """Llama, Llama 3, Mistral, Gemma and Phi-3 agree with transformers' own classes, with three seeds."""
    sizes = SIZES | oracle_model.KIN[name]
    for seed in "012":
        draw = Draw(seed, name)
        ids, state = draw.integers(0, sizes["vocab_size"], 2, 13), oracle_model.random_state(draw, sizes)
        expected = oracle_model.logits(ids, state, sizes)
        found = oracle_transformers.hugging_face(name, ids, state, sizes)
        assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scaling", [None, oracle_model.STRETCHED], ids=["plain", "stretched"])
def test_frequencies_are_transformers(scaling):
    """The frequencies are those of LlamaRotaryEmbedding, stretched and not."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    parameters = {"rope_theta": 500.0, "rope_type": "default"} | (scaling or {})
    config = LlamaConfig(hidden_size=96, num_attention_heads=3, rope_parameters=parameters, max_position_embeddings=64)
    expected = LlamaRotaryEmbedding(config).inv_freq
    assert torch.allclose(oracle.frequencies(32, 500.0, scaling), expected, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize(("d_head", "factor", "stay"), [(128, 8.0, 29), (64, 32.0, 15)], ids=["8B", "1B"])
def test_most_frequencies_of_llama_3_change(d_head, factor, stay):
    """Of Llama 3.1 8B's 64 frequencies 29 stay, and of 3.2 1B's 32 there are 15, as a check says of them."""
    llama3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    found = oracle.frequencies(d_head, 5e5, llama3 | {"factor": factor})
    assert int((found == oracle.frequencies(d_head, 5e5)).sum()) == stay


def test_the_parts_are_torchs():
    """The norm is F.rms_norm, and grouped attention is torch's own with enable_gqa."""
    draw = Draw("0", "parts")
    x, weight = draw.normal(3, 5, 4), draw.normal(4)
    assert torch.allclose(oracle.rms_norm(x, weight, 0.1), F.rms_norm(x, (4,), weight, 0.1), atol=1e-6)
    query, key, value = draw.normal(2, 6, 7, 4), draw.normal(2, 2, 7, 4), draw.normal(2, 2, 7, 4)
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    assert torch.allclose(oracle.grouped(query, key, value), expected, atol=1e-6)


def test_what_the_guide_says_of_transformers_is_so():
    """Theta's place, and how often its norm differs from torch's in bfloat16."""
    from transformers import GemmaConfig, LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    config = LlamaConfig(rope_theta=77.0)
    assert config.rope_parameters["rope_theta"] == 77.0
    assert not hasattr(config, "rope_theta")
    assert GemmaConfig().tie_word_embeddings and not LlamaConfig().tie_word_embeddings
    draw = Draw("0", "bfloat16")
    x, weight = draw.normal(200, 64).bfloat16(), (draw.normal(64) * 0.3 + 1).bfloat16()
    norm = LlamaRMSNorm(64, eps=1e-5).bfloat16()
    norm.weight.data = weight
    share = float((norm(x) != F.rms_norm(x, (64,), weight, 1e-5)).double().mean())
    assert 0.15 < share < 0.35


def test_the_solution_counts_as_transformers_do():
    """A model of some sizes has as many numbers as transformers' own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=37, hidden_size=24, num_hidden_layers=2, num_attention_heads=6,
                         num_key_value_heads=2, head_dim=8, intermediate_size=40)  # fmt: skip
    expected = sum(parameter.numel() for parameter in LlamaForCausalLM(config).parameters())
    found = sum(parameter.numel() for parameter in m15.Llama(m15.LlamaConfig(**SIZES)).parameters())
    assert found == expected == oracle_model.count(SIZES)
