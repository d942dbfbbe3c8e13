"""Which tensors a checkpoint has, under which names files have them, and one sentence for a file that has others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grader.judge.errors import WeightsError

HEAD = "lm_head.weight"
FLOATS = ("F16", "BF16", "F32", "F64")  # as safetensors calls them
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Header:
    """What a file says of a tensor before its numbers are read."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Kind:
    """A kind of model that checkpoints are read of, as Hugging Face lays it out."""

    id: str
    called: str  # in sentences
    option: str  # of the command line, which names a checkpoint
    prefix: str  # of all names but the head's, or of none
    embedding: str  # the table of tokens, by which a checkpoint is known
    dropped: tuple[str, ...]  # how keys end that are buffers and no weights
    tied_unless_said: bool  # whether a config that does not say so has one tensor for the table and the head
    shapes: Callable[[Mapping[str, Any]], Shapes]  # of a config; by names without the prefix, with the head
    hint: Callable[[str, tuple[int, ...], tuple[int, ...]], str] = lambda key, shape, wanted: ""

    def is_buffer(self, key: str) -> bool:
        """Whether a key is that of a buffer, which is no weight."""
        return key.endswith(self.dropped)

    def bare(self, key: str) -> str:
        """Return a key without the prefix."""
        return key.removeprefix(self.prefix)

    def numbers(self, config: Mapping[str, Any]) -> Shapes:
        """Return the shapes of what a model with this config learns, a tied head left out."""
        shapes = self.shapes(config)
        if config.get("tie_word_embeddings", self.tied_unless_said):
            del shapes[HEAD]
        return shapes


def cleaned(key: str) -> str:
    """Return a key without what wrappers leave in it: torch.compile's `_orig_mod.` anywhere, and DDP's `module.`.

    Example: "module._orig_mod.transformer.wte.weight" -> "transformer.wte.weight".
    """
    return ".".join(part for part in key.split(".") if part != "_orig_mod").removeprefix("module.")


def clean_names(where: Any, found: Iterable[str], kind: Kind) -> dict[str, str]:
    """Return the key of each of a file's tensors that is a weight, as it is called without wrappers.

    Raises WeightsError where two have one name, or only some of them have the prefix.
    """
    names = {key: cleaned(key) for key in found if not kind.is_buffer(key)}
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise WeightsError(f"{where} holds {twice[0]} more than once.")
    bare = {name: name.startswith(kind.prefix) for name in names.values() if name != HEAD}
    if len(set(bare.values())) > 1:
        with_it, without = (next(name for name in bare if bare[name] is prefixed) for prefixed in (True, False))
        raise WeightsError(
            f"{where} mixes two layouts: {with_it} has the prefix {kind.prefix!r}, and {without} has none."
        )
    return names


def check_layout(where: Any, found: Mapping[str, Header], config: Mapping[str, Any], kind: Kind) -> None:
    """Raise WeightsError unless these tensors, by their clean names, are those of such a model with this config."""
    expected = kind.shapes(config)
    own = {key if key == kind.prefix + HEAD else kind.bare(key): header for key, header in found.items()}
    none = f"{where} is no {kind.called} checkpoint"
    if lost := _other_prefix(own, kind):
        raise WeightsError(
            f"{none}: its tensors are called {lost}{kind.embedding} and so on, expected without "
            f"{lost!r}; save the model's own state_dict."
        )
    for key in [*expected, *own]:
        if key == HEAD and key not in own:
            if config.get("tie_word_embeddings", kind.tied_unless_said) is not True:
                raise WeightsError(f"{where} lacks {HEAD}, though its config.json says tie_word_embeddings = false.")
            continue
        if key not in own:
            raise WeightsError(f"{none}: {key} is missing.")
        if key not in expected:
            raise WeightsError(f"{none}: {key[:100]} is one tensor too many.")
        shape, wanted = own[key].shape, expected[key]
        if shape != wanted:
            hint = kind.hint(key, shape, wanted)
            raise WeightsError(f"{none}: {key} has shape {_shown(shape)}, expected {wanted}{hint}.")
        if own[key].dtype not in FLOATS:
            raise WeightsError(f"{where} has {key} as {own[key].dtype[:20]}; only floating-point weights are loaded.")


def _other_prefix(own: Mapping[str, Any], kind: Kind) -> str:
    """Return what stands before all names of a model that lies inside another one, or an empty string."""
    for key in own:
        if key.endswith(f".{kind.embedding}"):
            prefix = key.removesuffix(kind.embedding)
            return prefix[:60] if kind.embedding not in own else ""
    return ""


def _shown(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 4 else f"{str(shape[:4])[:-1]}, ...)"
