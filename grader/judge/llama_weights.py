"""The Llama checkpoint in use: the course's llama-nano, or what --weights-llama names."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from .checkpoints.checkpoint import Checkpoint
from .checkpoints.layout import HEAD
from .checkpoints.llama import LLAMA, STRETCH, read_config
from .checkpoints.places import LLAMA_NANO, find_llama
from .errors import WeightsError

# What m15 calls the sizes, and how config.json calls them.
NAMES = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "d_head": "head_dim",
    "d_ff": "intermediate_size",
    "eps": "rms_norm_eps",
    "tied": "tie_word_embeddings",
}


class LlamaWeights(Checkpoint):
    """A Llama checkpoint."""

    kind = LLAMA
    as_saved = True

    def __init__(self, name: str, made: Path | None = None) -> None:
        folder = find_llama(name)
        super().__init__(name, folder, read_config(folder), name == LLAMA_NANO, made)

    def check(self) -> None:
        """Read the tensors now, so that a broken file is reported before anything is graded."""
        super().check()
        if not self._own and self.config["tie_word_embeddings"] and self.other_head():
            raise WeightsError(
                f"{self.folder} has an {HEAD} that differs from its {self.kind.embedding}, though its config.json says "
                "tie_word_embeddings = true."
            )

    @property
    def sizes(self) -> dict[str, Any]:
        """The sizes of the model as keywords of m15's LlamaConfig: all that a plain Llama's config says."""
        sizes = {ours: self.config[theirs] for ours, theirs in NAMES.items()}
        positions = self.config["rope_parameters"]
        stretch = {key: positions[key] for key in STRETCH} if positions["rope_type"] == "llama3" else None
        return sizes | {"theta": positions["rope_theta"], "scaling": stretch}

    @property
    def state(self) -> dict[str, Any]:
        """All weights in float32, named as LlamaForCausalLM saves them: lm_head.weight where the file has it."""
        return {key if key == HEAD else self.kind.prefix + key: value for key, value in self.tensors.items()}

    def model(self) -> Any:
        """Return transformers' own LlamaForCausalLM with these weights, in float32 and eval mode."""
        return self._model

    @functools.cached_property
    def _model(self) -> Any:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM
        from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

        config = LlamaConfig(**{key: value for key, value in self.config.items() if not key.endswith("dtype")})
        config._attn_implementation = "eager"
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
        state = self.state
        if self.config["tie_word_embeddings"]:
            state[HEAD] = state[self.kind.prefix + self.kind.embedding]
        model.load_state_dict(state, assign=True)
        model.model.rotary_emb = LlamaRotaryEmbedding(config)  # its frequencies are no weights
        return model.eval()
