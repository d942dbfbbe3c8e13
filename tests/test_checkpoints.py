"""Checkpoints: both layouts, and what is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import support
import torch
from safetensors.torch import save_file

from grader.judge.checkpoints.gpt2 import GPT2
from grader.judge.draw import Draw
from grader.judge.errors import WeightsError
from grader.judge.grading import planned_checks
from grader.judge.oracles import Weights
from grader.judge.planned import Options
from grader.judge.run import Run
from grader.submission import Submission

CONFIG = {
    "n_embd": 12,
    "n_head": 3,
    "n_layer": 2,
    "n_positions": 64,
    "vocab_size": 50257,
    "layer_norm_epsilon": 1e-5,
    "model_type": "gpt2",
}


def tensors():
    """Return a small GPT-2 with random weights, keys as they are without prefix and buffers."""
    generator, d_model, state = torch.Generator().manual_seed(0), CONFIG["n_embd"], {}
    shapes = {
        "ln_1.weight": (d_model,),
        "ln_1.bias": (d_model,),
        "attn.c_attn.weight": (d_model, 3 * d_model),
        "attn.c_attn.bias": (3 * d_model,),
        "attn.c_proj.weight": (d_model, d_model),
        "attn.c_proj.bias": (d_model,),
        "ln_2.weight": (d_model,),
        "ln_2.bias": (d_model,),
        "mlp.c_fc.weight": (d_model, 4 * d_model),
        "mlp.c_fc.bias": (4 * d_model,),
        "mlp.c_proj.weight": (4 * d_model, d_model),
        "mlp.c_proj.bias": (d_model,),
    }
    for layer in range(CONFIG["n_layer"]):
        for name, shape in shapes.items():
            state[f"h.{layer}.{name}"] = torch.randn(shape, generator=generator)
    top = {"wte.weight": (CONFIG["vocab_size"], d_model), "wpe.weight": (CONFIG["n_positions"], d_model)}
    top |= {"ln_f.weight": (d_model,), "ln_f.bias": (d_model,)}
    return state | {name: torch.randn(shape, generator=generator) for name, shape in top.items()}


def with_buffers(state):
    """Return the layout of the hub's own file: no prefix, and the causal mask of every layer as a buffer."""
    size = CONFIG["n_positions"]
    masks = {f"h.{n}.attn.bias": torch.ones(1, 1, size, size).tril() for n in range(CONFIG["n_layer"])}
    fills = {f"h.{n}.attn.masked_bias": torch.tensor(-1e4) for n in range(CONFIG["n_layer"])}
    return state | masks | fills


def with_prefix(state):
    """Return the layout that today's transformers saves: everything below `transformer.`."""
    return {f"transformer.{name}": value for name, value in state.items()}


def checkpoint(folder, state, config=CONFIG):
    """Write a checkpoint and return its folder's name."""
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


LAYOUTS = {
    "plain": lambda state: state,
    "hub": with_buffers,
    "transformers": with_prefix,
    "both": lambda state: with_prefix(with_buffers(state)),
    "half": lambda state: {name: value.half() for name, value in state.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_layouts_of_a_checkpoint_load(tmp_path, layout):
    """With and without prefix, with and without mask buffers, the state is the same: only the buffers are dropped."""
    weights = Weights(checkpoint(tmp_path, LAYOUTS[layout](tensors())))
    weights.check()

    state = weights.state

    assert set(state) == set(tensors())
    for name, value in tensors().items():
        assert state[name].dtype == torch.float32
        assert torch.allclose(state[name], value, atol=2e-3 if layout == "half" else 0)


@pytest.mark.parametrize("layout", ["hub", "transformers"])
def test_an_oracle_is_made_of_either_layout(tmp_path, layout):
    """Transformers' own attention, loaded from either layout, computes causal attention with these weights."""
    state, n_heads = tensors(), CONFIG["n_head"]
    weights = Weights(checkpoint(tmp_path, LAYOUTS[layout](state)))
    x = Draw("0", "weights").normal(2, 5, CONFIG["n_embd"])

    hidden = torch.full((5, 5), -math.inf).triu(1)[None, None]
    with torch.no_grad():
        actual = weights.model().transformer.h[1].attn(x, attention_mask=hidden)[0]

    parts = (x @ state["h.1.attn.c_attn.weight"] + state["h.1.attn.c_attn.bias"]).chunk(3, dim=-1)
    heads = [part.unflatten(-1, (n_heads, -1)).transpose(1, 2) for part in parts]
    mixed = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).flatten(2)
    expected = mixed @ state["h.1.attn.c_proj.weight"] + state["h.1.attn.c_proj.bias"]
    assert torch.allclose(actual, expected, atol=1e-3 * float(expected.abs().median()))


@pytest.mark.parametrize(
    "change",
    [
        {"h.1.attn.c_proj.bias": None},
        {f"h.1.attn.{name}": None for name in ("c_attn.weight", "c_attn.bias", "c_proj.weight", "c_proj.bias")},
        {"h.0.attn.c_attn.weight": torch.zeros(12, 24)},
        {"h.0.attn.extra": torch.zeros(3)},
    ],
    ids=["a missing tensor", "a missing layer", "another shape", "an extra tensor"],
)
def test_a_checkpoint_that_contradicts_its_config_is_refused(tmp_path, change):
    """Tensors missing, too many or of another shape are found before grading: no student is failed for them."""
    state = {name: value for name, value in (tensors() | change).items() if value is not None}
    weights = Weights(checkpoint(tmp_path, state))

    with pytest.raises(WeightsError) as caught:
        weights.check()

    assert "\n" not in str(caught.value)


def test_a_file_cut_in_half_is_refused(tmp_path):
    """Half a safetensors file gives one sentence that names it."""
    weights = Weights(checkpoint(tmp_path, tensors()))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read as safetensors") as caught:
        weights.check()

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"gpt2"', "{}", '{"n_embd": "12", "n_head": 3}', "[" * 100_000, "\udcff"]
)
def test_a_config_that_is_none_is_refused(tmp_path, text):
    """A config.json that is no GPT-2 configuration gives one sentence that names it."""
    checkpoint(tmp_path, tensors())
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(WeightsError, match=r"config\.json") as caught:
        Weights(str(tmp_path))

    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    """A folder without config.json, without model.safetensors, or no folder at all: each is named."""
    with pytest.raises(WeightsError, match=r"has no config\.json"):
        Weights(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(WeightsError, match=r"has no model\.safetensors"):
        Weights(str(tmp_path))
    with pytest.raises(WeightsError, match="is neither gpt2-nano nor gpt2 nor a folder"):
        Weights(str(tmp_path / "nothing"))


@pytest.mark.parametrize("milestone", ["m06_gpt", "m13_quantization"])
def test_limits_grow_with_the_checkpoint_that_a_check_holds(tmp_path, milestone):
    """A check that holds a whole checkpoint may use memory for eight of GPT-2 medium; the others use no more."""
    medium = CONFIG | {"n_embd": 1024, "n_head": 16, "n_layer": 24, "n_positions": 1024, "vocab_size": 50257}
    (tmp_path / "config.json").write_text(json.dumps(medium))
    (tmp_path / "model.safetensors").touch()  # listing the checks reads no weights

    def planned(weights):
        run = Run(Options([milestone]), support.COURSE, Submission(""), None, Weights(weights))
        return {check.id: check.limits for check in planned_checks(run)}

    small, large = planned("gpt2-nano"), planned(str(tmp_path))
    grown = {name for name in small if small[name] != large[name]}

    assert len(grown) == 2
    for name in grown:
        assert small[name].memory_mb < 1536 and 8 * 1353 < large[name].memory_mb < 9 * 1353
        assert 50 < small[name].seconds < 120 < large[name].seconds < 600


def test_a_suite_started_by_hand_has_its_workers_read_the_checkpoint(tmp_path):
    """`pytest grader/suites --weights DIR` mounts a checkpoint, which no file limit then keeps out of a worker."""
    config = CONFIG | {"n_embd": 360, "n_layer": 1}  # 78 MB of weights; a worker may write 64
    state = {name: torch.randn(shape) / 50 for name, shape in GPT2.numbers(config).items()}
    folder = checkpoint(tmp_path, state, config)
    room = support.REPOSITORY / "grader" / "suites" / "m06_gpt"
    asked = ["-k", "gpt2s_weights_in_place", "--isolation", "process", "--submission", "solutions", "--weights", folder]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(room), *asked],
        cwd=support.REPOSITORY, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip

    assert "1 passed" in done.stdout, done.stdout[-3000:]
