"""Checkpoints that transformers saves: each is loaded as transformers itself loads it, or refused in one sentence."""

from __future__ import annotations

import json
import os

import pytest
import systems
import torch
from safetensors.torch import load_file, save_file

from grader.judge.checkpoints.gpt2 import FIXED
from grader.judge.errors import WeightsError
from grader.judge.oracles import Weights
from grader.judge.probes import checkpoint

SIZES = {"vocab_size": 50257, "n_positions": 64, "n_embd": 8, "n_layer": 2, "n_head": 2}
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"


def saved(folder, *, dtype=None, shard=None, **changes):
    """Have transformers save a small GPT-2 with drawn weights; return the folder."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**(SIZES | changes)))
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) / 4)
    model.to(dtype).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@pytest.fixture
def small(tmp_path):
    """A small checkpoint in one file."""
    return saved(tmp_path)


def used(folder):
    """Have a run look through a checkpoint, as it does before anything is graded; return it."""
    weights = Weights(str(folder))
    weights.to_mount("process")
    weights.check()
    return weights


def refusal(folder):
    """Return the one sentence with which a checkpoint is refused."""
    with pytest.raises(WeightsError) as caught:
        used(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def logits(model):
    """Return what a model makes of some ids."""
    with torch.no_grad():
        return model(torch.arange(64)[None] * 701).logits


def as_transformers_reads_it(folder):
    """Return the logits of transformers' own model, as it is loaded from a folder."""
    from transformers import GPT2LMHeadModel

    return logits(GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval())


FOLLOWED = {  # what is changed at once
    "sizes": {"n_layer": 1, "n_head": 4, "n_positions": 65, "n_embd": 12, "vocab_size": 50304, "n_inner": 20},
    "gelu": {"activation_function": "gelu_fast"},
    "other gelu": {"activation_function": "gelu_pytorch_tanh", "reorder_and_upcast_attn": True},
    "no matter": {
        "resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5, "initializer_range": 0.5, "use_cache": False,
        "summary_type": "mean", "summary_use_proj": False, "summary_activation": "tanh", "bos_token_id": 7,
        "summary_proj_to_labels": False, "summary_first_dropout": 0.5, "eos_token_id": 7, "pad_token_id": 7,
    },
}  # fmt: skip


def test_every_key_of_a_gpt2_config_is_tried():
    """What is followed and what is refused is all that transformers' GPT-2 has of its own."""
    from transformers import GPT2Config

    own = set(GPT2Config.__annotations__) - {"model_type", "keys_to_ignore_at_inference", "attribute_map"}
    tried = {key for changes in FOLLOWED.values() for key in changes} | {*FIXED, "tie_word_embeddings"}
    assert own - tried == set()
    assert tried - own == {
        "is_causal",
        "quantization_config",
        "model_type",
    }  # which transformers looks for in any config


@pytest.mark.parametrize("changes", FOLLOWED.values(), ids=FOLLOWED)
def test_a_config_that_is_taken_gives_transformers_numbers(tmp_path, changes):
    """Other sizes, names of the same GELU, and all that has no say in the numbers: the result is transformers' own."""
    weights = used(saved(tmp_path, **changes))

    assert torch.allclose(logits(weights.model()), as_transformers_reads_it(tmp_path), atol=1e-4)
    assert weights.sizes["d_ff"] == changes.get("n_inner")


def test_a_head_of_its_own_is_refused_and_an_equal_one_is_not(tmp_path):
    """Without tie_word_embeddings the tensors decide: a head that equals wte is as good as a tied one."""
    folder = saved(tmp_path, tie_word_embeddings=False)
    assert "lm_head.weight that differs from its wte.weight" in refusal(folder)

    renamed(folder, lambda tensors: tensors | {"lm_head.weight": tensors[WTE].clone()})
    assert torch.allclose(logits(used(folder).model()), as_transformers_reads_it(folder), atol=1e-4)
    renamed(folder, lambda tensors: {key: value for key, value in tensors.items() if key != "lm_head.weight"})
    assert "lacks lm_head.weight, though its config.json says" in refusal(folder)


@pytest.mark.parametrize("key", FIXED)
def test_a_key_that_changes_the_numbers_is_refused_before_anything_is_read(tmp_path, key):
    """The sentence names the file, the key and its value; no tensor is looked at."""
    values = {"model_type": "llama", "layer_norm_epsilon": 1e-6, "activation_function": "gelu"}
    value = values.get(key, {"bits": 4} if key == "quantization_config" else not FIXED[key][0][0])
    (tmp_path / SAFE).touch()
    (tmp_path / "config.json").write_text(json.dumps(SIZES | {key: value}))

    assert refusal(tmp_path).startswith(f"{tmp_path}/config.json has {key} = {json.dumps(value)}, and ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_layer": 10**9}, "n_layer = 1000000000; --weights takes a whole number from 1 to 1000"),
        ({"n_embd": 0}, "n_embd = 0"),
        ({"n_head": True}, "it lacks n_head"),
        ({"n_head": 3}, "n_embd = 8, which its n_head = 3 does not divide"),
        ({"n_inner": 0}, "n_inner = 0"),
        ({"n_inner": "wide"}, 'n_inner = "wide"'),
        ({"vocab_size": 1000}, "since the checks use all of GPT-2's tokens"),
        ({"n_positions": 32}, "n_positions = 32; --weights takes a whole number from 64"),
        ({"hidden_size": 16}, "n_embd is 8, and hidden_size, which is the same, 16"),
        ({"scale_attn_weights": 1}, "scale_attn_weights = 1"),
        ({"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon = NaN"),
    ],
)
def test_sizes_that_no_check_can_use_are_refused(tmp_path, change, words):
    """A size that is none, too large for anything, too small for the checks, or contradicted, is named."""
    (tmp_path / SAFE).touch()
    (tmp_path / "config.json").write_text(json.dumps(SIZES | change))

    assert words in refusal(tmp_path)


def test_transformers_other_names_for_sizes_are_taken(small):
    """A config with hidden_size and its kin is the same as one with n_embd."""
    names = {"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"}
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({names.get(key, key): value for key, value in config.items()}))

    assert used(small).sizes["d_model"] == 8


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_dtypes_become_float32(tmp_path, dtype):
    """Half and double floats give transformers' numbers, and a worker reads all weights as float32."""
    weights = used(saved(tmp_path, dtype=dtype))

    assert torch.allclose(logits(weights.model()), as_transformers_reads_it(tmp_path), atol=1e-4)
    assert {value.dtype for value in checkpoint.read(weights.file).values()} == {torch.float32}


def test_shards_are_read_as_one_file(tmp_path):
    """Several safetensors files with an index give transformers' numbers, and one file that is removed afterwards."""
    folder = saved(tmp_path, shard="1MB")
    assert len(list(folder.glob("*.safetensors"))) > 1

    weights = used(folder)

    assert torch.allclose(logits(weights.model()), as_transformers_reads_it(folder), atol=1e-4)
    assert {*checkpoint.read(weights.file)} >= {"transformer.wte.weight", "transformer.h.1.mlp.c_proj.bias"}
    weights.close()
    assert not weights.file.parent.exists()


def pickled(folder, shards=1):
    """Save a checkpoint once more as torch does, in one file or several."""
    tensors = load_file(folder / SAFE)
    (folder / SAFE).unlink()
    if shards == 1:
        torch.save(tensors, folder / PICKLED)
        return
    keys, places = sorted(tensors), {}
    for number in range(shards):
        name = f"pytorch_model-{number + 1:05}-of-{shards:05}.bin"
        mine = keys[number::shards]
        torch.save({key: tensors[key] for key in mine}, folder / name)
        places |= dict.fromkeys(mine, name)
    (folder / f"{PICKLED}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_pickled_shards_are_read_in_a_worker(small):
    """What torch.save wrote, in several files of another dtype, has the numbers that it had."""
    expected = used(small).state
    pickled(small, shards=2)

    weights = used(small)

    assert weights.state.keys() == expected.keys()
    assert all(torch.equal(weights.state[key], expected[key]) for key in expected)


class Loud:
    """An object that has a function called when it is unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def test_a_pickle_that_wants_a_call_is_refused(small, capfd):
    """A file that holds more than tensors is refused, and nothing that it asks for is done."""
    pickled(small)
    torch.save({"wte.weight": Loud()}, small / PICKLED)

    assert f"{PICKLED} cannot be read by torch.load: it holds more than tensors" in refusal(small)
    assert "unpickled" not in capfd.readouterr().out


WRAPPED = {
    "compiled": lambda key: f"_orig_mod.{key}",
    "parallel": lambda key: f"module.{key}",
    "both": lambda key: f"module._orig_mod.{key}",
    "blocks": lambda key: key.replace(".mlp.", "._orig_mod.mlp."),
    "bare": lambda key: key.removeprefix("transformer."),
}


def renamed(folder, change):
    """Save a checkpoint anew with other keys or tensors."""
    save_file(change(load_file(folder / SAFE)), folder / SAFE)


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_what_wrappers_leave_in_keys_is_taken_off(small, wrap):
    """Keys of a model that torch.compile or data-parallel training wrapped are read as the model's own."""
    expected = used(small).state
    renamed(small, lambda tensors: {wrap(key): value for key, value in tensors.items()})

    weights = used(small)

    assert weights.state.keys() == expected.keys()
    assert all("_orig_mod" not in key and not key.startswith("module.") for key in checkpoint.read(weights.file))


WTE, BIAS = "transformer.wte.weight", "transformer.h.1.attn.c_proj.bias"
FAULTS = {
    "missing": (lambda t: {k: v for k, v in t.items() if k != BIAS}, "h.1.attn.c_proj.bias is missing"),
    "extra": (lambda t: t | {"transformer.h.0.x": torch.ones(3)}, "h.0.x is one tensor too many"),
    "shape": (lambda t: t | {BIAS: torch.ones(9)}, "c_proj.bias has shape (9,), expected (8,)"),
    "turned": (
        lambda t: {k: v.T.contiguous() if "c_attn.weight" in k else v for k, v in t.items()},
        "that is nn.Linear's layout",
    ),
    "twice": (lambda t: t | {f"module.{WTE}": t[WTE].clone()}, "wte.weight more than once"),
    "mixed": (lambda t: {k.replace("transformer.ln_f", "ln_f"): v for k, v in t.items()}, "mixes two layouts"),
    "inside another": (lambda t: {f"model.{k}": v for k, v in t.items()}, "expected without 'model.transformer.'"),
    "integers": (lambda t: t | {BIAS: torch.ones(8, dtype=torch.int8)}, "c_proj.bias as I8"),
    "not finite": (lambda t: t | {BIAS: torch.full((8,), torch.nan)}, "numbers that are not finite"),
    "own head": (lambda t: t | {"lm_head.weight": t[WTE] + 1}, "lm_head.weight that differs from its wte.weight"),
}


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS)
def test_tensors_that_are_not_the_models_are_named(small, change, words):
    """A tensor that is missing, too many, misshapen, called otherwise or no number is named before anything else."""
    renamed(small, change)

    assert words in refusal(small)


INDEXES = {
    "up": ({"a": "../model.safetensors"}, "names '../model.safetensors'; only *.safetensors files that lie beside it"),
    "root": ({"a": "/etc/passwd"}, "names '/etc/passwd'; only"),
    "dots": ({"a": ".."}, "names '..'; only"),
    "missing": ({"a": "x.safetensors"}, "has no x.safetensors, which model.safetensors.index.json names"),
    "lying": ({"a": "x.safetensors"}, "has an index that says a lies in x.safetensors, which lacks it"),
    "empty": ({}, "is no index"),
    "list": ([1], "is no index"),
    "numbers": ({"a": 1}, "is no index"),
}


@pytest.mark.parametrize(("places", "words"), INDEXES.values(), ids=INDEXES)
def test_an_index_leads_nowhere_else(small, places, words):
    """An index names files beside it that hold what it says; anything else is refused."""
    (small / SAFE).rename(small / ("x.safetensors" if "lies in" in words else "y.safetensors"))
    (small / f"{SAFE}.index.json").write_text(json.dumps({"weight_map": places}))

    assert words in refusal(small)


def test_what_is_no_file_is_refused(small):
    """A folder in the place of the file, or one that is cut, is named."""
    data = (small / SAFE).read_bytes()
    (small / SAFE).write_bytes(data[:-1])
    assert "cannot be read as safetensors" in refusal(small)
    (small / SAFE).unlink()
    (small / SAFE).mkdir()
    assert "it is a folder, not a regular file" in refusal(small)


@systems.pipes
def test_a_pipe_is_not_waited_for(small):
    """A named pipe in the place of the file is refused without opening it."""
    (small / SAFE).unlink()
    os.mkfifo(small / SAFE)

    assert "it is a named pipe, not a regular file" in refusal(small)


@systems.links
def test_links_are_followed_as_in_the_hubs_cache(small, tmp_path_factory):
    """A link to a file is that file; one that leads nowhere, or round in a circle, is named."""
    blob = tmp_path_factory.mktemp("blobs") / "4f3a"
    (small / SAFE).rename(blob)
    (small / SAFE).symlink_to(blob)
    used(small)

    blob.unlink()
    assert "is a link that leads nowhere" in refusal(small)
    (small / SAFE).unlink()
    (small / SAFE).symlink_to(small / SAFE)
    assert "cannot be read" in refusal(small)


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    """`--weights=~/folder` is the folder in the user's home, which no shell has put in; an unknown user is named."""
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    saved(tmp_path / "mine")

    assert used("~/mine").folder == tmp_path / "mine"
    assert "cannot be opened" in refusal("~nobody-of-this-name/mine")
    assert "is a file; name the folder" in refusal(tmp_path / "mine" / SAFE)
