"""The model that a service speaks for, made of the student's own parts: the capstone's, or else gpt2-nano."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import fixtures
from fixtures import END_OF_TEXT
from grader.capstone import kept
from grader.judge.checkpoints.places import NANO

STORY = "There once was a"  # how gpt2-nano's stories begin


@dataclass
class Served:
    """A model and what reads and writes for it."""

    name: str  # by which a client asks for it
    says: str  # what it is, in one sentence
    begins: str  # how a text of its may begin
    build: Any  # returns a fresh copy of the model, in eval mode
    tokenizer: Any
    context_length: int

    def __post_init__(self) -> None:
        self.model = self.build()
        (self.end,) = self.tokenizer.encode(END_OF_TEXT)


def chosen(named: str | None) -> kept.Model | None:
    """Return the kept model that somebody named, or the capstone's where there is one; None stands for gpt2-nano.

    Raises UsageProblem for a folder that holds none.
    """
    if named == NANO or (named is None and not (Path(kept.FOLDER) / kept.FACTS).exists()):
        return None
    return kept.read(Path(named or kept.FOLDER))


def bring(modules: dict[str, ModuleType], model: kept.Model | None) -> Served:
    """Make the model of the student's modules. Raises whatever these raise."""
    return _own(modules, model) if model is not None else _shipped(modules)


def _own(modules: dict[str, ModuleType], model: kept.Model) -> Served:
    parts = modules["m06_gpt"]

    def build() -> Any:
        made = parts.GPT(parts.GPTConfig(**model.sizes))
        made.load_state_dict(model.weights)
        return made.eval()

    tokenizer = modules["m01_tokenizer"].Tokenizer(model.vocab, model.merges, [END_OF_TEXT])
    loss = f", held-out loss {model.heldout:.2f}" if model.heldout is not None else ""
    says = f"Your capstone's model ({model.step:,} steps{loss}). It knows nothing but {model.corpus}."
    return Served("capstone", says, model.prompt, build, tokenizer, model.sizes["context_length"])


def _shipped(modules: dict[str, ModuleType]) -> Served:
    from grader.judge.oracles import Weights

    weights, parts = Weights(NANO), modules["m06_gpt"]
    sizes = {name: size for name, size in weights.sizes.items() if size is not None}

    def build() -> Any:
        made = parts.GPT(parts.GPTConfig(**sizes))
        parts.load_gpt2(made, weights.state)
        return made.eval()

    tokenizer = modules["m01_tokenizer"].load_gpt2(fixtures.VOCAB_BPE, fixtures.ENCODER_JSON)
    says = "gpt2-nano, the course's own small model, on your code. It knows nothing but small stories."
    return Served(NANO, says, STORY, build, tokenizer, sizes["context_length"])
