"""Llamas that transformers saves, of three sizes, and one of a real model's shapes, as m15's solution reads them."""

from __future__ import annotations

import json

import pytest
import support
import torch
from safetensors.torch import save_file

from grader.judge.checkpoints.llama import llama_shapes
from grader.judge.grading import grade, planned_checks
from grader.judge.oracles import Weights
from grader.judge.planned import Options
from grader.judge.probes import checkpoint
from grader.judge.run import Run
from grader.sandbox import levels
from grader.submission import Submission
from solutions.m15_llama import Llama, LlamaConfig, load_llama

STRETCHED = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
THREE = {
    "tiny, tied": ({"hidden_size": 24, "intermediate_size": 20, "num_attention_heads": 6, "num_key_value_heads": 2,
                    "num_hidden_layers": 1, "tie_word_embeddings": True}, torch.float32, None),
    "small, in shards": ({"hidden_size": 48, "intermediate_size": 100, "num_attention_heads": 4, "head_dim": 20,
                          "num_key_value_heads": 1, "num_hidden_layers": 3}, torch.bfloat16, "60KB"),
    "larger, stretched": ({"hidden_size": 160, "intermediate_size": 300, "num_attention_heads": 5,
                           "num_hidden_layers": 4, "rope_parameters": STRETCHED}, torch.float16, None),
}  # fmt: skip


@pytest.mark.parametrize(("sizes", "dtype", "shard"), THREE.values(), ids=THREE)
def test_llamas_that_transformers_saves_are_read(tmp_path, sizes, dtype, shard):
    """Of three sizes, in one file or several, the solution's logits are those of transformers' own model."""
    from transformers import LlamaConfig as TheirConfig
    from transformers import LlamaForCausalLM

    torch.manual_seed(15)
    usual = {"vocab_size": 101, "initializer_range": 0.1, "max_position_embeddings": 512, "rms_norm_eps": 1e-5}
    theirs = LlamaForCausalLM(TheirConfig(**usual, **sizes)).to(dtype)
    theirs.save_pretrained(tmp_path, **({"max_shard_size": shard} if shard else {}))
    assert len(list(tmp_path.glob("*.safetensors"))) == 1 or shard
    weights = Weights("gpt2-nano", str(tmp_path)).llama
    ids = torch.randint(101, (2, 90))

    mine = Llama(LlamaConfig(**weights.sizes))
    load_llama(mine, checkpoint.read(weights.file, as_saved=True))
    with torch.no_grad():
        found, expected = mine.eval()(ids), LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)(ids).logits
    weights.close()

    assert torch.allclose(found, expected, atol=1e-2 * float(expected.abs().median()))
    assert float((found - expected).abs().median()) < 1e-5


CUT = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "bfloat16", "tie_word_embeddings": True,
    "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 2, "head_dim": 64,
    "num_attention_heads": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072,
    "rope_theta": 500000.0, "hidden_act": "silu",
    "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 8192},
}  # fmt: skip


def written(folder):
    """Write two layers of Llama 3.2 1B with random weights, 769 MB, laid out as on the hub; return its folder."""
    generator = torch.Generator().manual_seed(1)
    state = {}
    for name, shape in llama_shapes(CUT).items():
        if name != "lm_head.weight":
            value = torch.empty(shape).normal_(1.0 if len(shape) == 1 else 0.0, 0.02, generator=generator)
            state[f"model.{name}"] = value.bfloat16()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CUT))
    for path in (*folder.iterdir(), folder, folder.parent, folder.parent.parent):
        path.chmod(path.stat().st_mode | 0o055)  # the user level's workers pass through
    return str(folder)


def test_two_layers_of_a_real_model_are_read_where_they_lie(tmp_path):
    """The checks that hold a whole Llama pass the solution on a mounted checkpoint of Llama 3.2 1B's own shapes."""
    weights = Weights("gpt2-nano", written(tmp_path))
    names = holding(weights)
    sources = support.with_needs("m15_llama", support.source("solutions", "m15_llama"))
    submission = Submission("solutions", {name: text.encode() for name, text in sources.items()})
    workers = levels.choose("auto", "cpu", lambda note: None)
    workers.checkpoints = weights.to_mount(workers.level)
    try:
        result = grade(Options(["m15_llama"], names), support.COURSE, submission, workers, weights)
    finally:
        workers.close()

    assert names and len(support.checks(result)) >= len(names)
    assert support.complaints(result) == []


def holding(weights):
    """Return the checks whose limits grow with a Llama checkpoint."""

    def planned(chosen):
        run = Run(Options(["m15_llama"]), support.COURSE, Submission(""), None, chosen)
        return {check.id: check.limits for check in planned_checks(run)}

    usual, grown = planned(support.weights()), planned(weights)
    return {name.partition("[")[0] for name in usual if usual[name] != grown[name]}
