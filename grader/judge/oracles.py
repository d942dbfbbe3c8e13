"""What checks compare with: the fixtures, the GPT-2 checkpoint in use, and the reference libraries (imported late)."""

from __future__ import annotations

import builtins
import functools
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fixtures
from grader.files import read_json, reason
from grader.sandbox import users
from grader.sandbox.limits import Limits

from .errors import UsageProblem

if TYPE_CHECKING:
    from .student import Student

FIXTURES = fixtures.FOLDER
REFERENCE_SECONDS = 50  # transformers is imported, and its model made, while a check that holds a checkpoint runs
MB_A_SECOND = 40  # of a checkpoint, on a slow and busy machine: made, filled, compared


class WeightsError(UsageProblem):
    """The checkpoint asked for cannot be used; the text is one sentence for the person who asked."""


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
    """A GPT-2 checkpoint in Hugging Face's layout."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = find_checkpoint(name)
        self.config: dict[str, Any] = read_config(self.folder)

    def to_mount(self, level: str) -> Path | None:
        """Return the file of a checkpoint that is too large to be sent to every worker: they read it themselves.

        Raises UsageProblem where at this isolation level they would not be able to.
        """
        if self.name == "gpt2-nano":
            return None
        path = self.folder / "model.safetensors"
        if level == "user" and not users.readable_by_others(path):
            raise UsageProblem(
                f"At the user level students' code runs as a user who cannot read {path}; "
                "copy the checkpoint to where everybody can read it, and name that folder with --weights."
            )
        if level == "bubblewrap" and os.geteuid() == 0 and not path.stat().st_mode & 0o004:
            raise UsageProblem(
                f"Students' code runs as a user who cannot read {path}; let everybody read it (chmod o+r)."
            )
        return path

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
        found = {key: tuple(value.shape) for key, value in self.state.items() if key != "lm_head.weight"}
        expected = gpt2_shapes(self.config)
        for key in [*expected, *found]:
            if found.get(key) != expected.get(key):
                raise WeightsError(
                    f"{self.folder} is no GPT-2 checkpoint: {key} has shape {found.get(key, 'none')}, "
                    f"expected {expected.get(key, 'none')}."
                )

    @functools.cached_property
    def state(self) -> dict[str, Any]:
        """All tensors in float32, keys without the `transformer.` prefix, the causal-mask buffers left out."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / "model.safetensors"
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} cannot be read as safetensors ({error}); fetch or save it again.") from None
        state = {key.removeprefix("transformer."): value.float() for key, value in tensors.items()}
        return {key: value for key, value in state.items() if not key.endswith((".attn.bias", ".attn.masked_bias"))}

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the model, by the names that the course uses."""
        names = {"vocab_size": "vocab_size", "context_length": "n_positions", "d_model": "n_embd"}
        names |= {"n_layers": "n_layer", "n_heads": "n_head"}
        return {ours: self.config[theirs] for ours, theirs in names.items()}

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

        It can be passed to the student's functions like a dict that was sent; float16 has become float32.
        """
        from .probes import checkpoint

        file = self.folder / "model.safetensors"
        path = student.large_file(file) or student.file(file.name, file.read_bytes())
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
        if unexpected or any(not key.endswith((".attn.bias", ".attn.masked_bias")) for key in missing):
            raise WeightsError(f"{self.folder} is no GPT-2 checkpoint: it has other tensors than GPT-2's.")
        return model.eval()

    def _gpt2_config(self) -> Any:
        from transformers import GPT2Config

        names = {"n_embd", "n_head", "n_layer", "n_positions", "vocab_size", "layer_norm_epsilon"}
        config = GPT2Config(
            **{key: value for key, value in self.config.items() if key in names},
            attn_pdrop=0.0,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
        )
        config._attn_implementation = "eager"
        return config

    def attention(self, layer: int) -> Any:
        """Return transformers' own attention module of this layer, in eval mode."""
        return self.model().transformer.h[layer].attn


def find_checkpoint(name: str) -> Path:
    """Return the folder of a checkpoint named on the command line: gpt2-nano, gpt2, or a folder.

    Raises WeightsError with one sentence when it is not there.
    """
    if name == "gpt2-nano":
        return fixtures.GPT2_NANO
    if name == "gpt2":
        return _hub_checkpoint("openai-community/gpt2") or _hub_checkpoint("gpt2") or _fetch_gpt2()
    folder = Path(name)
    if not folder.is_dir():
        raise WeightsError(f"--weights {name} is neither gpt2-nano nor gpt2 nor a folder.")
    return folder


def _hub_checkpoint(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, file) for file in ("config.json", "model.safetensors")]
    return Path(str(found[0])).parent if all(isinstance(path, str) for path in found) else None


def _fetch_gpt2() -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download("openai-community/gpt2", allow_patterns=["config.json", "model.safetensors"]))
    except Exception as error:
        raise WeightsError(
            "--weights gpt2 needs the checkpoint in the Hugging Face cache or a network that reaches the hub "
            f"({type(error).__name__}); the default gpt2-nano needs neither."
        ) from None


def gpt2_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
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


def read_config(folder: Path) -> dict[str, Any]:
    """Read and check a checkpoint's config.json; WeightsError with one sentence when it won't do."""
    path = folder / "config.json"
    try:
        config = read_json(path, 2**20)
    except FileNotFoundError:
        raise WeightsError(f"{folder} has no config.json; --weights wants a folder in Hugging Face's layout.") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({reason(error)}).") from None
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is no GPT-2 configuration: it holds no object.")
    missing = [
        key
        for key in ("n_embd", "n_head", "n_layer", "n_positions", "vocab_size")
        if not isinstance(config.get(key), int)
    ]
    if missing:
        raise WeightsError(f"{path} is no GPT-2 configuration: it lacks {', '.join(missing)}.")
    if not (folder / "model.safetensors").is_file():
        raise WeightsError(f"{folder} has no model.safetensors.")
    return config
