"""What checks compare with: the fixtures, the checkpoints in use, and the reference libraries (imported late)."""

from __future__ import annotations

import builtins
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fixtures

from .checkpoints.checkpoint import Checkpoint
from .checkpoints.gpt2 import GPT2, SIZES, read_config
from .checkpoints.places import LLAMA_NANO, NANO, find_checkpoint
from .errors import WeightsError
from .llama_weights import LlamaWeights

FIXTURES = fixtures.FOLDER


class Data:
    """What fixtures/ holds."""

    def path(self, name: str) -> Path:
        """Return the path of a fixture."""
        return FIXTURES / name

    def text(self, name: str) -> str:
        """Return a fixture as text, its line ends untouched."""
        return self.bytes(name).decode("utf-8")

    def bytes(self, name: str) -> builtins.bytes:
        """Return a fixture as bytes."""
        return (FIXTURES / name).read_bytes()

    @property
    def gpt2_merges(self) -> builtins.bytes:
        """GPT-2's vocab.bpe."""
        return fixtures.VOCAB_BPE.read_bytes()

    @property
    def gpt2_encoder(self) -> builtins.bytes:
        """GPT-2's encoder.json."""
        return fixtures.ENCODER_JSON.read_bytes()

    def tiktoken(self) -> Any:
        """Return tiktoken's own GPT-2 encoding, from its cache in fixtures/; nothing is downloaded."""
        return _tiktoken()


@functools.cache
def _tiktoken() -> Any:
    os.environ["TIKTOKEN_CACHE_DIR"] = str(fixtures.TIKTOKEN_CACHE)
    import tiktoken

    return tiktoken.get_encoding("gpt2")


class Weights(Checkpoint):
    """The checkpoints of a run: this is GPT-2's, and Llama's lies beside it as `llama`.

    `made` are their files by kind, where another process has laid them out already.
    """

    kind = GPT2

    def __init__(self, name: str, llama: str = LLAMA_NANO, made: Mapping[str, Path] | None = None) -> None:
        folder, made = find_checkpoint(name), made or {}
        super().__init__(name, folder, read_config(folder), name == NANO, made.get(self.kind.id))
        self.llama = LlamaWeights(llama, made.get(LlamaWeights.kind.id))

    def close(self) -> None:
        """Remove the files that had to be made."""
        super().close()
        self.llama.close()

    def to_mount(self, level: str) -> dict[str, Path]:
        """Return the files of the checkpoints that are too large to be sent to every worker, by kind.

        Raises WeightsError where workers at this isolation level would not be able to read one.
        """
        return super().to_mount(level) | self.llama.to_mount(level)

    def check(self) -> None:
        """Read the tensors that are not the course's own, so that a broken file is reported before grading."""
        super().check()
        if not self._own and self.other_head():
            raise WeightsError(
                f"{self.folder} has an lm_head.weight that differs from its wte.weight; the course's GPT has one "
                "tensor for both (tie_word_embeddings)."
            )
        self.llama.check()

    @property
    def sizes(self) -> dict[str, Any]:
        """The sizes of the model, by the names that the course uses; d_ff is None where it is 4 * d_model."""
        names = {"vocab_size": "vocab_size", "context_length": "n_positions", "d_model": "n_embd"}
        names |= {"n_layers": "n_layer", "n_heads": "n_head", "d_ff": "n_inner"}
        return {ours: self.config.get(theirs) for ours, theirs in names.items()}

    def linear_state(self, tokens: Any = None) -> dict[str, Any]:
        """Return the tensors with Conv1D's matrices turned round for `nn.Linear`.

        With `tokens` (int64, distinct) the vocabulary is cut down to these, in this order: id i is then `tokens[i]`.
        """
        turned = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")
        state = {
            key: value.T.contiguous() if key.endswith(turned) else value
            for key, value in self.state.items()
            if key != "lm_head.weight"
        }
        if tokens is not None:
            state["wte.weight"] = state["wte.weight"][tokens]
        return state

    def model(self) -> Any:
        """Return transformers' own GPT2LMHeadModel with these weights, in float32 and eval mode."""
        return self._model

    @functools.cached_property
    def _model(self) -> Any:
        import torch
        from transformers import GPT2LMHeadModel

        with torch.device("meta"):
            model = GPT2LMHeadModel(self._gpt2_config())
        own = {self.kind.prefix + key: value for key, value in self.state.items() if key != "lm_head.weight"}
        own["lm_head.weight"] = self.state["wte.weight"]
        missing, unexpected = model.load_state_dict(own, strict=False, assign=True)
        if unexpected or not all(map(self.kind.is_buffer, missing)):
            raise WeightsError(f"{self.folder} is no GPT-2 checkpoint: it has other tensors than GPT-2's.")
        return model.eval()

    def _gpt2_config(self) -> Any:
        from transformers import GPT2Config

        config = GPT2Config(
            **{key: self.config.get(key) for key in (*SIZES, "n_inner")},
            attn_pdrop=0.0,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
        )
        config._attn_implementation = "eager"
        return config
