"""Which tensors a GPT-2 has, under which names files have them, and one sentence for a file that has others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grader.judge.errors import WeightsError

PREFIX = "transformer."
HEAD = "lm_head.weight"
MASKS = (".attn.bias", ".attn.masked_bias")  # buffers that old files hold beside the weights
FLOATS = ("F16", "BF16", "F32", "F64")  # as safetensors calls them


@dataclass(frozen=True)
class Header:
    """What a file says of a tensor before its numbers are read."""

    shape: tuple[int, ...]
    dtype: str


def gpt2_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a GPT-2 with this config, by its name in Hugging Face's layout."""
    width, inner = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]
    shapes: dict[str, tuple[int, ...]] = {
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
    return shapes


def all_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the same with the head, which a file may hold too."""
    return gpt2_shapes(config) | {HEAD: (config["vocab_size"], config["n_embd"])}


def is_mask(key: str) -> bool:
    """Whether a key is that of a causal mask, which is no weight."""
    return key.endswith(MASKS)


def cleaned(key: str) -> str:
    """Return a key without what wrappers leave in it: torch.compile's `_orig_mod.` anywhere, and DDP's `module.`.

    Example: "module._orig_mod.transformer.wte.weight" -> "transformer.wte.weight".
    """
    return ".".join(part for part in key.split(".") if part != "_orig_mod").removeprefix("module.")


def clean_names(where: Any, found: Iterable[str]) -> dict[str, str]:
    """Return the key of each of a file's tensors that is a weight, as it is called without wrappers.

    Raises WeightsError where two have one name, or only some of them have the `transformer.` prefix.
    """
    names = {key: cleaned(key) for key in found if not is_mask(key)}
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise WeightsError(f"{where} holds {twice[0]} more than once.")
    bare = {name: name.startswith(PREFIX) for name in names.values() if name != HEAD}
    if len(set(bare.values())) > 1:
        with_it, without = (next(name for name in bare if bare[name] is prefixed) for prefixed in (True, False))
        raise WeightsError(f"{where} mixes two layouts: {with_it} has the prefix {PREFIX!r}, and {without} has none.")
    return names


def check_layout(where: Any, found: Mapping[str, Header], config: Mapping[str, Any]) -> None:
    """Raise WeightsError unless these tensors, by their clean names, are those of a GPT-2 with this config."""
    expected = all_shapes(config)
    own = {key if key == PREFIX + HEAD else key.removeprefix(PREFIX): header for key, header in found.items()}
    if lost := _other_prefix(own):
        raise WeightsError(
            f"{where} is no GPT-2 checkpoint: its tensors are called {lost}wte.weight and so on, expected without "
            f"{lost!r}; save the model's own state_dict."
        )
    for key in [*expected, *own]:
        if key == HEAD and key not in own:
            if config.get("tie_word_embeddings", True) is not True:
                raise WeightsError(f"{where} lacks {HEAD}, though its config.json says tie_word_embeddings = false.")
            continue
        if key not in own:
            raise WeightsError(f"{where} is no GPT-2 checkpoint: {key} is missing.")
        if key not in expected:
            raise WeightsError(f"{where} is no GPT-2 checkpoint: {key[:100]} is one tensor too many.")
        shape, wanted = own[key].shape, expected[key]
        if shape != wanted:
            turned = len(shape) == 2 and shape[::-1] == wanted and not key.startswith("w")
            hint = "; that is nn.Linear's layout, and Hugging Face's Conv1D keeps (in, out)" if turned else ""
            raise WeightsError(
                f"{where} is no GPT-2 checkpoint: {key} has shape {_shown(shape)}, expected {wanted}{hint}."
            )
        if own[key].dtype not in FLOATS:
            raise WeightsError(f"{where} has {key} as {own[key].dtype[:20]}; only floating-point weights are loaded.")


def _other_prefix(own: Mapping[str, Any]) -> str:
    """Return what stands before all names of a model that lies inside another one, or an empty string."""
    for key in own:
        if key.endswith(".wte.weight"):
            prefix = key.removesuffix("wte.weight")
            return prefix[:60] if "wte.weight" not in own else ""
    return ""


def _shown(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 4 else f"{str(shape[:4])[:-1]}, ...)"
