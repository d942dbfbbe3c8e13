"""A checkpoint's config.json: the sizes are taken from it, and what the course's GPT cannot follow is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.files import read_json, reason
from grader.judge.errors import WeightsError

SIZES = ("n_embd", "n_head", "n_layer", "n_positions", "vocab_size")
# Other names that transformers' GPT2Config takes for the same things (its `attribute_map`).
ALIASES = {
    "hidden_size": "n_embd",
    "max_position_embeddings": "n_positions",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}
MOST = {"n_embd": 2**15, "n_head": 2**12, "n_layer": 1000, "n_positions": 2**20, "vocab_size": 2**21, "n_inner": 2**18}
# What checks put in: all of GPT-2's tokens, and windows of text as long as m13's.
LEAST = {"vocab_size": 50257, "n_positions": 64}
TANH_GELU = ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate")  # one formula
EPSILON = 1e-5
# Every other key that changes the numbers of transformers' GPT2LMHeadModel: its values that the course's GPT has, too,
# the default first, and what that GPT does. tie_word_embeddings is decided by the tensors. reorder_and_upcast_attn, the
# dtype and the kind of attention change roundings alone: everything here is float32. is_causal is not GPT-2's own key;
# transformers looks for it when it makes the mask.
FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
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
    path = folder / "config.json"
    try:
        config = read_json(path, 2**20)
    except FileNotFoundError:
        raise WeightsError(f"{folder} has no config.json; --weights wants a folder in Hugging Face's layout.") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({reason(error)}).") from None
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is no GPT-2 configuration: it holds no object.")
    _same(path, config)
    config = _own_names(path, config)
    _check_sizes(path, config)
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


def _check_sizes(path: Path, config: dict[str, Any]) -> None:
    missing = [key for key in SIZES if type(config.get(key)) is not int]
    if missing:
        raise WeightsError(f"{path} is no GPT-2 configuration: it lacks {', '.join(missing)}.")
    if config.get("n_inner") is None:
        config.pop("n_inner", None)
    for key in (*SIZES, "n_inner"):
        least = LEAST.get(key, 1)
        if key not in config or (type(config[key]) is int and least <= config[key] <= MOST[key]):
            continue
        wanted = f"a whole number from {least} to {MOST[key]}"
        why = ", since the checks use all of GPT-2's tokens" if key == "vocab_size" else ""
        raise WeightsError(f"{path} has {key} = {shown(config[key])}; --weights takes {wanted}{why}.")
    if config["n_embd"] % config["n_head"]:
        raise WeightsError(
            f"{path} has n_embd = {config['n_embd']}, which its n_head = {config['n_head']} does not divide."
        )


def _same(path: Path, config: dict[str, Any]) -> None:
    """Raise WeightsError for a key that makes another model of it than the course's."""
    for key, (values, why) in FIXED.items():
        value = config.get(key, values[0])
        # True is not 1 here: transformers itself refuses a number in its place.
        if not any(value == own and isinstance(value, bool) == isinstance(own, bool) for own in values):
            raise WeightsError(f"{path} has {key} = {shown(value)}, and {why}: its numbers would be others.")


def shown(value: Any) -> str:
    """Return a JSON value in few characters of one line."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
