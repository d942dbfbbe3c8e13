"""What checks compare with: the fixtures, the GPT-2 checkpoint in use, and the reference libraries (imported late)."""

from __future__ import annotations

import builtins
import functools
import hashlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fixtures
from grader.sandbox.limits import Limits

from .checkpoints.config import SIZES, read_config
from .checkpoints.layout import HEAD, PREFIX, gpt2_shapes, is_mask
from .checkpoints.one_file import OneFile
from .checkpoints.pickled import check_readable
from .checkpoints.places import NANO, SAFE, find_checkpoint, find_files
from .errors import WeightsError
from .kept_answers import KeptAnswers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .student import Student

FIXTURES = fixtures.FOLDER
REFERENCE_SECONDS = 50  # transformers is imported, and its model made, while a check that holds a checkpoint runs
MB_A_SECOND = 40  # of a checkpoint, on a slow and busy machine: made, filled, compared


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


class Weights:
    """A GPT-2 checkpoint in Hugging Face's layout.

    `made` is its one file, where another process has laid it out already.
    `answers` is where the reference libraries' answers are kept between runs, if they are.
    """

    answers: KeptAnswers | None = None

    def __init__(self, name: str, made: Path | None = None) -> None:
        self.name, self._made = name, made
        self.folder = find_checkpoint(name)
        self.config: dict[str, Any] = read_config(self.folder)
        self._files = find_files(self.folder)

    @functools.cached_property
    def _one(self) -> OneFile:
        return OneFile(self._files, self.config)

    @property
    def file(self) -> Path:
        """The file that holds all tensors; the first look raises WeightsError unless they are those of the config."""
        if self.name == NANO:
            return self.folder / SAFE
        return self._made or self._one.path

    def close(self) -> None:
        """Remove the file, if it had to be made."""
        if one := vars(self).get("_one"):
            one.close()

    def to_mount(self, level: str) -> Path | None:
        """Return the file of a checkpoint that is too large to be sent to every worker: they read it themselves.

        Raises WeightsError where at this isolation level they would not be able to.
        """
        if self.name == NANO:
            return None
        check_readable(self.file, level)
        return self.file

    def room_for(self, limits: Limits, copies: int) -> Limits:
        """Return the limits of a check whose worker holds so many copies of the checkpoint, in float32.

        Memory and time grow with the checkpoint's size; gpt2-nano's is 13 MB, GPT-2 small's 475 MB.
        """
        size = copies * sum(4 * math.prod(shape) for shape in gpt2_shapes(self.config).values()) / 2**20
        return limits.changed(
            memory_mb=limits.memory_mb + math.ceil(size),
            seconds=limits.seconds + REFERENCE_SECONDS + size / MB_A_SECOND,
        )

    def check(self) -> None:
        """Read the tensors now, so that a broken file is reported before anything is graded."""
        import torch

        for key, value in self.state.items():
            if not torch.isfinite(value).all():
                raise WeightsError(f"{self.folder} has a {key} with numbers that are not finite.")
        if HEAD in self.state and not torch.equal(self.state[HEAD], self.state["wte.weight"]):
            raise WeightsError(
                f"{self.folder} has an {HEAD} that differs from its wte.weight; the course's GPT has one tensor for "
                "both (tie_word_embeddings)."
            )

    @functools.cached_property
    def state(self) -> dict[str, Any]:
        """All tensors in float32, keys without the `transformer.` prefix, the causal-mask buffers left out."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(self.file)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{self.file} cannot be read as safetensors ({error}); save it again.") from None
        return {key.removeprefix(PREFIX): value.float() for key, value in tensors.items() if not is_mask(key)}

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

    def inside(self, student: Student) -> Any:
        """Return a handle to a dict of all tensors that stays in the worker, as the file names and lays them out.

        It can be passed to the student's functions like a dict that was sent; all weights are float32.
        """
        from .probes import checkpoint

        path = student.large_file(self.file) or student.file(self.file.name, self.file.read_bytes())
        return student.plant(checkpoint).read(path)

    def model(self) -> Any:
        """Return transformers' own GPT2LMHeadModel with these weights, in float32 and eval mode."""
        return self._model

    @functools.cached_property
    def _model(self) -> Any:
        import torch
        from transformers import GPT2LMHeadModel

        with torch.device("meta"):
            model = GPT2LMHeadModel(self._gpt2_config())
        own = {f"transformer.{key}": value for key, value in self.state.items() if key != "lm_head.weight"}
        own["lm_head.weight"] = self.state["wte.weight"]
        missing, unexpected = model.load_state_dict(own, strict=False, assign=True)
        if unexpected or not all(map(is_mask, missing)):
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

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of the one file and of what its config says."""
        with self.file.open("rb") as file:
            tensors = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(f"{tensors} {sorted(self.config.items())!r}".encode()).hexdigest()

    def answer(self, question: str, given: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        """Return the tensor that `compute()` makes with transformers' model of these weights.

        It depends on nothing but the weights and what is `given`. For whoever practises it may be the one that an
        earlier run computed, so that transformers isn't imported: it takes longer than all checks of a milestone.
        """
        if self.answers is None:
            return compute()
        return self.answers.of(question, (self.digest, given), compute)
