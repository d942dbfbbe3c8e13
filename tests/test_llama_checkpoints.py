"""Llama checkpoints that transformers saves: each is loaded as transformers loads it, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
import math
import types

import pytest
import torch
from safetensors.torch import load_file, save_file

from grader import record, replaying
from grader.classroom.grading.judging import Setup
from grader.judge.checkpoints.llama import FIXED, LLAMA, RANGES, SIZES
from grader.judge.errors import UsageProblem, WeightsError
from grader.judge.oracles import Weights
from grader.judge.probes import checkpoint
from grader.reports import words
from grader.sandbox.limits import Limits

SAFE = "model.safetensors"
SMALL = {
    "vocab_size": 37, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 6,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.1,
}  # fmt: skip
STRETCHED = {
    "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip


def saved(folder, *, dtype=None, shard=None, **changes):
    """Have transformers save a small Llama with drawn weights; return the folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**(SMALL | changes)))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("norm.weight"):
                value.uniform_(0.5, 1.5)
    model.to(dtype).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def rewritten(folder, change):
    """Write a checkpoint's config.json anew."""
    path = folder / "config.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    return folder


def used(folder):
    """Have a run look through a checkpoint, as it does before anything is graded; return it."""
    weights = Weights("gpt2-nano", str(folder))
    weights.to_mount("process")
    weights.check()
    return weights.llama


def refusal(folder):
    """Return the one sentence with which a checkpoint is refused."""
    with pytest.raises(WeightsError) as caught:
        used(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def logits(model, seq=50):
    """Return what a model makes of some ids."""
    with torch.no_grad():
        found = model(torch.arange(seq)[None] * 11 % 37)
    return found if isinstance(found, torch.Tensor) else found.logits


def as_transformers_reads_it(folder):
    """Return the logits of transformers' own model, as it is loaded from a folder."""
    from transformers import LlamaForCausalLM

    return logits(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())


FOLLOWED = {  # what is changed at once
    "sizes": {"num_hidden_layers": 1, "num_key_value_heads": 3, "head_dim": 10, "vocab_size": 41},
    "heads of their own": {"num_key_value_heads": None, "hidden_size": 36, "intermediate_size": 33},
    "theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}, "rms_norm_eps": 1e-2},
    "stretched": {"rope_parameters": STRETCHED},
    "tied": {"tie_word_embeddings": True, "dtype": torch.bfloat16},
    "no matter": {
        "hidden_act": "swish", "attention_dropout": 0.5, "use_cache": False, "initializer_range": 0.2,
        "bos_token_id": 7, "pad_token_id": 7, "eos_token_id": [7, 8], "pretraining_tp": 2,
        "max_position_embeddings": 64,
    },
}  # fmt: skip


def test_every_key_of_a_llama_config_is_tried():
    """What is followed and what is refused is all that transformers' Llama has of its own."""
    from transformers import LlamaConfig

    own = set(LlamaConfig.__annotations__)
    tried = {key for changes in FOLLOWED.values() for key in changes} | {*FIXED, *RANGES} | {"dtype"}
    assert own - tried == set()
    assert tried - own <= {"dtype", "partial_rotary_factor", "layer_types", "is_causal", "quantization_config"} | {
        "model_type"
    }


@pytest.mark.parametrize("changes", FOLLOWED.values(), ids=FOLLOWED)
def test_a_config_that_is_taken_gives_transformers_numbers(tmp_path, changes):
    """Other sizes, frequencies and norms, a tied head, and all that has no say: the result is transformers' own."""
    found = used(saved(tmp_path, **changes))

    assert torch.allclose(logits(found.model()), as_transformers_reads_it(tmp_path), atol=1e-4)
    assert all(value.dtype == torch.float32 for value in found.state.values())
    assert {*found.sizes} >= {"vocab_size", "d_head", "n_kv_heads", "eps", "theta", "scaling", "tied"}
    assert None not in {value for key, value in found.sizes.items() if key != "scaling"}


OLDER = {
    "theta beside": (lambda c: c | {"rope_theta": 700.0}, 700.0, None),
    "scaling": (lambda c: c | {"rope_theta": 700.0, "rope_scaling": {**STRETCHED, "rope_theta": 700.0}}, 700.0, 16),
    "type": (
        lambda c: c | {"rope_theta": 9e3, "rope_scaling": {"type": "llama3", **{k: STRETCHED[k] for k in KEPT}}},
        9e3,
        128,
    ),
    "nothing": (lambda c: c, 1e4, None),
    "as of today": (lambda c: c | {"rope_parameters": {**STRETCHED, "rope_theta": 70.0}, "rope_theta": 3.0}, 70.0, 16),
}
KEPT = ("factor", "low_freq_factor", "high_freq_factor")


@pytest.mark.parametrize(("change", "theta", "original"), OLDER.values(), ids=OLDER)
def test_configs_of_all_ages_are_read_as_transformers_reads_them(tmp_path, change, theta, original):
    """Theta and what stretches frequencies stood beside the other keys once, and stand in rope_parameters today."""
    rewritten(saved(tmp_path), lambda config: change({k: v for k, v in config.items() if k != "rope_parameters"}))

    found = used(tmp_path)

    assert found.sizes["theta"] == theta
    stretch = found.sizes["scaling"]
    assert (stretch and stretch["original_max_position_embeddings"]) == original
    assert torch.allclose(logits(found.model()), as_transformers_reads_it(tmp_path), atol=1e-4)


@pytest.mark.parametrize("key", FIXED)
def test_a_key_that_changes_the_numbers_is_refused_before_anything_is_read(tmp_path, key):
    """The sentence names the file, the key and its value; no tensor is looked at."""
    values = {"model_type": "gpt2", "hidden_act": "gelu", "partial_rotary_factor": 0.5, "layer_types": ["full"]}
    value = values.get(key, {"bits": 4} if key == "quantization_config" else not FIXED[key][0][0])
    (tmp_path / SAFE).touch()
    (tmp_path / "config.json").write_text(json.dumps(SMALL | {key: value}))

    assert refusal(tmp_path).startswith(f"{tmp_path}/config.json has {key} = {json.dumps(value)}, and ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dict.fromkeys(SIZES), f"is no Llama configuration: it lacks {', '.join(SIZES)}"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers = 1000000000; --weights-llama takes a whole number from 1"),
        ({"hidden_size": 25}, "hidden_size = 25, which its num_attention_heads = 6 does not divide"),
        ({"num_key_value_heads": 4}, "num_attention_heads = 6, which its num_key_value_heads = 4 does not divide"),
        ({"head_dim": 3}, "head_dim = 3; what is turned in pairs has an even width"),
        ({"rms_norm_eps": "1e-5"}, 'rms_norm_eps = "1e-5"; that takes a number above 0'),
        ({"rope_theta": True}, "rope_theta = true"),
        ({"rope_theta": math.inf}, "rope_theta = Infinity"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings = 1"),
        ({"rope_scaling": [2]}, "rope_scaling = [2], which is no object"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 'stretches positions by "linear"'),
        (
            {"rope_scaling": {"type": "llama3", "factor": 2.0}},
            "lacks low_freq_factor, high_freq_factor in its",
        ),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "has partial_rotary_factor = 0.5"),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(tmp_path, change, says):
    """A size, number or kind of stretching that the course's Llama has not is named with its value."""
    (tmp_path / SAFE).touch()
    (tmp_path / "config.json").write_text(json.dumps(SMALL | change))

    assert says in refusal(tmp_path)


def renamed(folder, change):
    """Save a checkpoint anew with other keys or tensors."""
    save_file(change(load_file(folder / SAFE)), folder / SAFE)


DOWN = "model.layers.1.mlp.down_proj.weight"
FAULTS = {
    "missing": (lambda t: {k: v for k, v in t.items() if k != DOWN}, "layers.1.mlp.down_proj.weight is missing"),
    "extra": (lambda t: t | {"model.layers.0.self_attn.q_proj.bias": torch.ones(24)}, "q_proj.bias is one tensor too"),
    "turned": (lambda t: t | {DOWN: t[DOWN].T.contiguous()}, "has shape (20, 24), expected (24, 20)"),
    "integers": (lambda t: t | {DOWN: torch.ones(24, 20, dtype=torch.int8)}, "down_proj.weight as I8; only floating"),
    "eight bits": (
        lambda t: t | {DOWN: t[DOWN].to(torch.float8_e4m3fn)},
        "down_proj.weight as F8_E4M3; only floating-point weights are loaded",
    ),
    "not finite": (lambda t: t | {DOWN: torch.full((24, 20), torch.inf)}, "numbers that are not finite"),
    "no head": (lambda t: {k: v for k, v in t.items() if k != "lm_head.weight"}, "lacks lm_head.weight, though its"),
    "inside another": (lambda t: {f"language.{k}": v for k, v in t.items()}, "expected without 'language.model.'"),
}


@pytest.mark.parametrize(("change", "says"), FAULTS.values(), ids=FAULTS)
def test_tensors_that_are_not_the_models_are_named(tmp_path, change, says):
    """A tensor that is missing, too many, misshapen, called otherwise or no number is named before anything else."""
    renamed(saved(tmp_path), change)

    assert says in refusal(tmp_path)


def test_a_head_that_differs_from_a_tied_table_is_refused(tmp_path):
    """Where the config ties both, an lm_head in the file equals the table, or the checkpoint contradicts itself."""
    saved(tmp_path, tie_word_embeddings=True)
    table = "model.embed_tokens.weight"
    renamed(tmp_path, lambda tensors: tensors | {"lm_head.weight": tensors[table].clone()})
    used(tmp_path)

    renamed(tmp_path, lambda tensors: tensors | {"lm_head.weight": tensors[table] + 1})
    assert "lm_head.weight that differs from its embed_tokens.weight, though its config.json says" in refusal(tmp_path)


def test_names_that_are_none_are_refused(tmp_path):
    """A folder that is not there, a file, a folder without config.json or tensors, and a missing shard are named."""
    assert "is neither llama-nano nor a folder" in refusal(tmp_path / "none")
    assert f"{tmp_path} has no config.json; --weights-llama wants a folder" in refusal(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    assert "has no model.safetensors" in refusal(tmp_path)
    assert "is a file; name the folder" in refusal(tmp_path / "config.json")

    folder = saved(tmp_path / "sharded", shard="5KB")
    shard = sorted(folder.glob("model-*.safetensors"))[1]
    shard.unlink()
    assert f"has no {shard.name}, which model.safetensors.index.json names" in refusal(folder)


def test_frequencies_that_old_files_hold_are_dropped(tmp_path):
    """Files of the first Llamas hold each layer's frequencies, which are no weights."""
    expected = used(saved(tmp_path)).state
    old = {f"model.layers.{n}.self_attn.rotary_emb.inv_freq": torch.ones(2) for n in range(2)}
    renamed(tmp_path, lambda tensors: tensors | old)

    found = used(tmp_path).state

    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_shards_become_one_file_of_their_own_dtype(tmp_path):
    """A worker reads one file, in which every tensor has the numbers and the dtype that it had."""
    folder = saved(tmp_path, dtype=torch.bfloat16, shard="3KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 3

    weights = used(folder)
    read = checkpoint.read(weights.file, as_saved=True)

    assert {value.dtype for value in read.values()} == {torch.bfloat16}
    assert read.keys() == weights.state.keys()
    assert all(torch.equal(read[key].float(), value) for key, value in weights.state.items())
    weights.close()
    assert not weights.file.parent.exists()


def test_limits_grow_with_the_checkpoint():
    """A check that holds four of Llama 3.2 1B may use 4 × 4,714 MB, and llama-nano's own hardly more than usual."""
    small = Weights("gpt2-nano").llama
    large = types.SimpleNamespace(kind=LLAMA, config=ONE_BILLION)
    room = {name: type(small).room_for(found, Limits(), 4) for name, found in (("small", small), ("large", large))}

    assert room["small"].memory_mb - Limits().memory_mb == math.ceil(4 * 4 * 3_401_344 / 2**20)
    assert room["large"].memory_mb - Limits().memory_mb == math.ceil(4 * 4 * 1_235_814_400 / 2**20)
    assert room["large"].seconds > 480


ONE_BILLION = {
    "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64,
    "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": True,
}  # fmt: skip
SEVEN_BILLION = {
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "head_dim": 128,
    "num_attention_heads": 32, "num_key_value_heads": 32, "tie_word_embeddings": False,
}  # fmt: skip
EIGHT_BILLION = SEVEN_BILLION | {"vocab_size": 128256, "intermediate_size": 14336, "num_key_value_heads": 8}


def test_real_sizes_are_counted_exactly():
    """The shapes that are expected of Llama 2 7B, Llama 3 8B and Llama 3.2 1B have the numbers that these have."""
    counts = [
        sum(math.prod(shape) for shape in LLAMA.numbers(config).values())
        for config in (SEVEN_BILLION, EIGHT_BILLION, ONE_BILLION)
    ]

    assert counts == [6_738_415_616, 8_030_261_248, 1_235_814_400]


RECORD = record.Record("1 0", "mine", "0", "cpu", "process")


def test_a_record_says_which_checkpoint_only_where_it_is_another():
    """With llama-nano a record is what it was before there were Llamas; another one's name is kept and shown."""
    other = dataclasses.replace(RECORD, weights_llama="/data/llama")

    assert "weights_llama" not in record.to_json(RECORD)
    assert record.from_json(record.to_json(RECORD)) == RECORD
    assert record.from_json(record.to_json(other)) == other
    assert (words.weights(RECORD), words.weights(other)) == ("gpt2-nano", "gpt2-nano and /data/llama")


def test_a_record_does_not_choose_a_checkpoint():
    """Whoever replays a record with another Llama has to name it."""
    asked = types.SimpleNamespace(submission=None, device=None, weights=None, weights_llama=None, prerequisites=None)
    other = dataclasses.replace(RECORD, submission="exercises", weights_llama="/data/llama")

    with pytest.raises(UsageProblem, match=r"with the Llama checkpoint /data/llama, .* name it with --weights-llama"):
        replaying.wanted(other, asked)
    asked.weights_llama = "/data/llama"
    assert replaying.wanted(other, asked).weights_llama == "/data/llama"


def test_a_class_is_graded_under_the_checkpoint_that_is_named():
    """What a class's result depends on names another Llama, and says nothing of llama-nano."""
    usual = Setup("1 0", "process", "cpu", "gpt2-nano", "submission", False, "0", False)
    other = dataclasses.replace(usual, weights_llama="/data/llama")

    assert "weights_llama" not in json.loads(usual.conditions())
    assert json.loads(other.conditions())["weights_llama"] == "/data/llama"
