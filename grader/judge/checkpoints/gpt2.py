"""What a GPT-2 checkpoint is: its config, as the course's GPT can follow it, and its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.judge.errors import WeightsError

from .config import Fixed, expect_same, expect_sizes, expect_there, read_object, shown
from .layout import HEAD, Kind, Shapes

SIZES = ("n_embd", "n_head", "n_layer", "n_positions", "vocab_size")
# Other names that transformers' GPT2Config takes for the same things (its `attribute_map`).
ALIASES = {
    "hidden_size": "n_embd",
    "max_position_embeddings": "n_positions",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}
# Checks put in all of GPT-2's tokens, and windows of text as long as m13's.
RANGES = {
    "n_embd": (1, 2**15),
    "n_head": (1, 2**12),
    "n_layer": (1, 1000),
    "n_positions": (64, 2**20),
    "vocab_size": (50257, 2**21),
    "n_inner": (1, 2**18),
}
REASONS = {"vocab_size": "the checks use all of GPT-2's tokens"}
TANH_GELU = ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate")  # one formula
EPSILON = 1e-5
# Every other key that changes the numbers of transformers' GPT2LMHeadModel. tie_word_embeddings is decided by the
# tensors. reorder_and_upcast_attn, the dtype and the kind of attention change roundings alone: everything here is
# float32. is_causal is not GPT-2's own key; transformers looks for it when it makes the mask.
FIXED: Fixed = {
    "model_type": (("gpt2",), "what is loaded here is a GPT-2"),
    "activation_function": (TANH_GELU, "the course's GPT has GELU in the form with tanh, gelu_new"),
    "layer_norm_epsilon": ((EPSILON,), "the course's GPT has 1e-05 there"),
    "scale_attn_weights": ((True,), "the course's GPT divides scores by the root of d_head"),
    "scale_attn_by_inverse_layer_idx": ((False,), "the course's GPT scales scores in every layer alike"),
    "add_cross_attention": ((False,), "the course's GPT attends to its own tokens alone"),
    "is_causal": ((True,), "the course's GPT hides later tokens"),
    "quantization_config": ((None,), "only weights in floating point are loaded"),
}


def read_config(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's config.json, its sizes by GPT-2's own names.

    Raises WeightsError with one sentence for what is none, and for a model that the course's GPT is not.
    """
    path, config = read_object(folder, "--weights", "GPT-2")
    expect_same(path, config, FIXED)
    config = _own_names(path, config)
    expect_there(path, config, SIZES, "GPT-2")
    if config.get("n_inner") is None:
        config.pop("n_inner", None)
    expect_sizes(path, config, RANGES, "--weights", REASONS)
    if config["n_embd"] % config["n_head"]:
        raise WeightsError(
            f"{path} has n_embd = {config['n_embd']}, which its n_head = {config['n_head']} does not divide."
        )
    return config


def _own_names(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with transformers' other names for its sizes replaced by GPT-2's."""
    own = {key: value for key, value in config.items() if key not in ALIASES}
    for alias, name in ALIASES.items():
        if alias in config and own.setdefault(name, config[alias]) != config[alias]:
            raise WeightsError(
                f"{path} contradicts itself: {name} is {shown(own[name])}, and {alias}, which is the same, "
                f"{shown(config[alias])}."
            )
    return own


def gpt2_shapes(config: Mapping[str, Any]) -> Shapes:
    """Return the shape of each tensor of a GPT-2 with this config, by its name in Hugging Face's layout."""
    width, inner = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]
    shapes: Shapes = {
        "wte.weight": (config["vocab_size"], width),
        "wpe.weight": (config["n_positions"], width),
        "ln_f.weight": (width,),
        "ln_f.bias": (width,),
    }
    layer = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width)}
    layer |= {"mlp.c_fc": (width, inner), "mlp.c_proj": (inner, width)}
    for n in range(config["n_layer"]):
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{n}.{norm}.weight": (width,), f"h.{n}.{norm}.bias": (width,)}
        for name, shape in layer.items():
            shapes |= {f"h.{n}.{name}.weight": shape, f"h.{n}.{name}.bias": shape[1:]}
    return shapes | {HEAD: (config["vocab_size"], width)}


def conv1d(key: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Return what to say of a matrix that lies the other way round."""
    turned = len(shape) == 2 and shape[::-1] == wanted and not key.startswith("w")
    return "; that is nn.Linear's layout, and Hugging Face's Conv1D keeps (in, out)" if turned else ""


GPT2 = Kind(
    id="gpt2",
    called="GPT-2",
    option="--weights",
    prefix="transformer.",
    embedding="wte.weight",
    dropped=(".attn.bias", ".attn.masked_bias"),  # causal masks: buffers that old files hold beside the weights
    tied_unless_said=True,
    shapes=gpt2_shapes,
    hint=conv1d,
)
