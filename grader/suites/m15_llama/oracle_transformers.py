"""What transformers' own classes compute: m15_llama's second reference, for Llama and each of its kin."""

from typing import Any

import torch
from torch import Tensor

from . import oracle, oracle_files, oracle_model
from .oracle_model import State


def hugging_face(name: str, ids: Tensor, state: State, sizes: dict[str, Any]) -> Tensor:
    """Return the logits of transformers' own class of that kin, with these weights."""
    full = oracle_model.settings(sizes)
    n_heads, n_kv_heads, d_head = oracle.heads(full)
    parameters: dict[str, Any] = {"rope_theta": full["theta"], "rope_type": "default"}
    if full["scaling"]:
        parameters |= full["scaling"]
    options = {
        "vocab_size": full["vocab_size"],
        "hidden_size": full["d_model"],
        "num_hidden_layers": full["n_layers"],
        "num_attention_heads": n_heads,
        "num_key_value_heads": n_kv_heads,
        "head_dim": d_head,
        "intermediate_size": full["d_ff"],
        "rms_norm_eps": full["eps"],
        "rope_parameters": parameters,
        "tie_word_embeddings": full["tied"],
        "max_position_embeddings": 128,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "attn_implementation": "eager",
    }
    with torch.no_grad():
        return _model(name, options, full["window"], state)(ids).logits


def _model(name: str, options: dict[str, Any], window: int | None, state: State) -> Any:
    """Return a model of transformers with these weights, in eval mode."""
    import transformers

    if name in ("mistral", "phi3"):
        options = options | {"sliding_window": window}
    if name == "gemma":
        options = options | {"hidden_act": "gelu_pytorch_tanh"}
    config, model = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "llama3": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
        "gemma": (transformers.GemmaConfig, transformers.GemmaForCausalLM),
        "phi3": (transformers.Phi3Config, transformers.Phi3ForCausalLM),
    }[name]
    reference = model(config(**options))
    theirs = oracle_files.fused(state) if name == "phi3" else state
    theirs = {key if key == "lm_head.weight" else f"model.{key}": value for key, value in theirs.items()}
    reference.load_state_dict(theirs)
    return reference.eval()


@torch.no_grad()
def their_logits(checkpoint: Any, ids: Tensor) -> Tensor:
    """Return the logits of transformers' own model with a checkpoint's weights."""
    return checkpoint.model()(ids).logits


@torch.no_grad()
def their_text(checkpoint: Any, prompt: Tensor, new: int) -> Tensor:
    """Return the prompt and the likeliest tokens after it, each by transformers' own model."""
    text = prompt
    for _ in range(new):
        text = torch.cat([text, checkpoint.model()(text).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    return text
