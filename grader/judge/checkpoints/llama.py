"""What a Llama checkpoint is: its config, as the course's Llama can follow it, and its tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.judge.errors import WeightsError

from .config import Fixed, expect_same, expect_sizes, expect_there, read_object, shown
from .layout import HEAD, Kind, Shapes

SIZES = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
RANGES = {
    "hidden_size": (1, 2**16),
    "intermediate_size": (1, 2**18),
    "num_attention_heads": (1, 2**12),
    "num_key_value_heads": (1, 2**12),
    "num_hidden_layers": (1, 1000),
    "head_dim": (2, 2**12),
    "max_position_embeddings": (1, 2**30),
    "vocab_size": (1, 2**21),
}
POSITIONS, EPSILON, THETA = 2048, 1e-6, 10_000.0  # transformers' own, where a config says nothing
STRETCH = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
# Every other key that changes the numbers of transformers' LlamaForCausalLM. partial_rotary_factor and layer_types are
# not Llama's own; transformers looks for them when it makes frequencies, and for is_causal when it makes the mask.
FIXED: Fixed = {
    "model_type": (("llama",), "what is loaded here is a Llama"),
    "hidden_act": (("silu", "swish"), "a Llama's gate is SiLU"),
    "attention_bias": ((False,), "the course's Llama has no biases"),
    "mlp_bias": ((False,), "the course's Llama has no biases"),
    "partial_rotary_factor": ((None, 1), "the course's Llama turns the whole of each head"),
    "layer_types": ((None,), "the course's Llama has layers of one kind"),
    "is_causal": ((True,), "the course's Llama hides later tokens"),
    "quantization_config": ((None,), "only weights in floating point are loaded"),
}


def read_config(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's config.json, with what it leaves to transformers put in.

    Raises WeightsError with one sentence for what is none, and for a model that the course's Llama is not.
    """
    path, found = read_object(folder, "--weights-llama", "Llama")
    expect_same(path, found, FIXED)
    config = {key: value for key, value in found.items() if value is not None}
    expect_there(path, config, SIZES, "Llama")
    config.setdefault("num_key_value_heads", config["num_attention_heads"])
    config.setdefault("max_position_embeddings", POSITIONS)
    expect_sizes(path, config, RANGES, "--weights-llama")
    for whole, part in (("hidden_size", "num_attention_heads"), ("num_attention_heads", "num_key_value_heads")):
        if config[whole] % config[part]:
            raise WeightsError(
                f"{path} has {whole} = {config[whole]}, which its {part} = {config[part]} does not divide."
            )
    config.setdefault("head_dim", config["hidden_size"] // config["num_attention_heads"])
    if config["head_dim"] % 2:
        raise WeightsError(f"{path} has head_dim = {config['head_dim']}; what is turned in pairs has an even width.")
    config["rms_norm_eps"] = _number(path, "rms_norm_eps", config.get("rms_norm_eps", EPSILON))
    if not isinstance(config.setdefault("tie_word_embeddings", False), bool):
        raise WeightsError(
            f"{path} has tie_word_embeddings = {shown(config['tie_word_embeddings'])}, no true or false."
        )
    theta, stretch = _positions(path, config)
    for name in ("rope_scaling", "rope_theta", "original_max_position_embeddings"):  # where older files have these
        config.pop(name, None)
    kind = {"rope_type": "default" if stretch is None else "llama3", "rope_theta": theta}
    return config | {"rope_parameters": kind | (stretch or {})}


def _positions(path: Path, config: Mapping[str, Any]) -> tuple[float, dict[str, float] | None]:
    """Return theta, and what stretches Llama 3.1's frequencies, as transformers reads new and old keys."""
    name = "rope_scaling" if config.get("rope_scaling") else "rope_parameters"
    found = config.get(name) or {}
    if not isinstance(found, dict):
        raise WeightsError(f"{path} has {name} = {shown(found)}, which is no object.")
    theta = _number(path, "rope_theta", found.get("rope_theta", config.get("rope_theta", THETA)))
    kind = found.get("rope_type", found.get("type", "default"))
    expect_same(path, found, {"partial_rotary_factor": FIXED["partial_rotary_factor"]})
    if kind == "default":
        return theta, None
    if kind != "llama3":
        raise WeightsError(
            f"{path} stretches positions by {shown(kind)}, and the course's Llama knows Llama 3.1's way alone, llama3."
        )
    original = "original_max_position_embeddings"
    found = {original: config["max_position_embeddings"]} | found
    found |= {original: config[original]} if original in config else {}
    if missing := [key for key in STRETCH if key not in found]:
        raise WeightsError(f"{path} lacks {', '.join(missing)} in its {name}, which llama3 needs.")
    return theta, {key: _number(path, key, found[key]) for key in STRETCH}


def _number(path: Path, key: str, value: Any) -> float:
    if type(value) in (int, float) and math.isfinite(value) and value > 0:
        return value
    raise WeightsError(f"{path} has {key} = {shown(value)}; that takes a number above 0.")


def llama_shapes(config: Mapping[str, Any]) -> Shapes:
    """Return the shape of each tensor of a Llama with this config, by its name in Hugging Face's layout."""
    width, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    rows, shared = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes: Shapes = {"embed_tokens.weight": (config["vocab_size"], width), "norm.weight": (width,)}
    layer = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (rows, width),
        "self_attn.k_proj": (shared, width),
        "self_attn.v_proj": (shared, width),
        "self_attn.o_proj": (width, rows),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    for n in range(config["num_hidden_layers"]):
        shapes |= {f"layers.{n}.{name}.weight": shape for name, shape in layer.items()}
    return shapes | {HEAD: (config["vocab_size"], width)}


LLAMA = Kind(
    id="llama",
    called="Llama",
    option="--weights-llama",
    prefix="model.",
    embedding="embed_tokens.weight",
    dropped=(".rotary_emb.inv_freq",),  # frequencies: buffers that old files hold beside the weights
    tied_unless_said=False,
    shapes=llama_shapes,
)
