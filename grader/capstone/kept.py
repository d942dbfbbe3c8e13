"""The model that a capstone leaves behind, on disk: weights as safetensors, and what else it takes as JSON.

All of it came out of the sandbox as plain data, and nothing is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import files
from grader.judge.errors import UsageProblem
from grader.reports.text_file import write_report

FOLDER = ".scratchwork/capstone"  # where it lies unless another place is named
SCHEMA = "scratchwork-model/1"
WEIGHTS, FACTS, ROWS = NAMES = "model.safetensors", "model.json", "rows.safetensors"
LARGEST = 256 * 2**20  # bytes of either
MOST_NAMES, MOST_TOKENS, MOST_ROWS = 4096, 65_536, 1024
TABLE, HEAD = "wte.weight", "lm_head.weight"
SIZES = {"vocab_size", "context_length", "d_model", "n_layers", "n_heads"}

Vocabulary = dict[int, bytes]
Merges = list[tuple[bytes, bytes]]


@dataclass
class Model:
    """A tokenizer and a model, at a step of its training."""

    vocab: Vocabulary
    merges: Merges
    sizes: dict[str, int]
    weights: dict[str, Any]
    step: int = 0
    heldout: float | None = None
    corpus: str = ""
    prompt: str = ""  # how one of its stories may begin, or what it may be told to do
    rows: dict[str, Any] = field(default_factory=dict)  # some of what it learned from, and what its loss is of
    answers: bool = False  # whether it has learned to do what it is told, in the form of m10


def tokenizer(found: Any) -> tuple[Vocabulary, Merges]:
    """Look at what came back as vocabulary and merges. Raises ValueError for anything else."""
    match found:
        case (dict(vocab), list(merges)) if len(vocab) <= MOST_TOKENS and len(merges) <= MOST_TOKENS:
            pairs = all(type(pair) is tuple and [type(part) for part in pair] == [bytes, bytes] for pair in merges)
            if pairs and all(type(id) is int and type(token) is bytes for id, token in vocab.items()):
                return vocab, merges
    raise ValueError("it is not a vocabulary (id to bytes) and a list of merges (pairs of bytes)")


def weights(found: Any) -> dict[str, Any]:
    """Look at what came back as a model's weights. Raises TypeError or ValueError for anything else."""
    import torch

    if type(found) is not dict or len(found) > MOST_NAMES:
        raise TypeError("the weights are no table of tensors by their names")
    for name, value in found.items():
        if type(name) is not str or len(name) > 200 or type(value) is not torch.Tensor:
            raise TypeError("the weights are no table of tensors by their names")
    if sum(value.numel() * value.element_size() for value in found.values()) > LARGEST:
        raise ValueError("the weights are more than can be kept")
    return found


def rows(found: Any, sizes: dict[str, int]) -> dict[str, Any]:
    """Look at what came back as rows of ids and of labels, "rows seq" in int32. Raises ValueError for anything else."""
    import torch

    names = [f"{side}{what}" for side in ("train", "heldout") for what in ("", "_labels")]
    if type(found) is not dict or sorted(found) != sorted(names):
        raise ValueError("they are no table of ids and labels")
    for name, value in found.items():
        if type(value) is not torch.Tensor or value.dtype != torch.int32 or value.dim() != 2 or not value.numel():
            raise ValueError("they are not int32 of two axes")
        low = -100 if name.endswith("_labels") else 0
        if len(value) > MOST_ROWS or value.shape[1] > sizes["context_length"]:
            raise ValueError("they are more than the model reads")
        if not low <= int(value.min()) <= int(value.max()) < sizes["vocab_size"]:
            raise ValueError("they are no ids of the model's")
        if value.shape != found[name.partition("_")[0]].shape:
            raise ValueError("there is not a label for each id")
    return found


def keep(model: Model, folder: Path) -> None:
    """Write a model; whoever reads meanwhile finds the old files or the new ones. Raises ReportError."""
    import torch
    from safetensors.torch import save

    facts = {
        "schema": SCHEMA,
        "step": model.step,
        "heldout": model.heldout,
        "corpus": model.corpus,
        "prompt": model.prompt,
        "answers": model.answers,
        "sizes": model.sizes,
        "vocab": [[id, token.hex()] for id, token in model.vocab.items()],
        "merges": [[left.hex(), right.hex()] for left, right in model.merges],
    }
    state = dict(model.weights)
    if HEAD in state and TABLE in state and torch.equal(state[HEAD], state[TABLE]):
        del state[HEAD]  # tied: one tensor of two names
    if model.rows:
        write_report(folder / ROWS, save({name: value.contiguous() for name, value in model.rows.items()}))
    write_report(folder / WEIGHTS, save({name: value.contiguous() for name, value in state.items()}))
    write_report(folder / FACTS, json.dumps(facts).encode())


def read(folder: Path) -> Model:
    """Read a model back. Raises UsageProblem where there is none, or one that cannot be used."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not (folder / FACTS).exists():
        raise UsageProblem(f"There is no trained model in {folder} yet; nox -s capstone trains one.")
    try:
        facts = files.read_json(folder / FACTS, LARGEST)
        model = _model(facts)
        model.weights = _in_floats(weights(load(files.read(folder / WEIGHTS, LARGEST))))
        _fit(model)
        if (folder / ROWS).exists():
            model.rows = rows(load(files.read(folder / ROWS, LARGEST)), model.sizes)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        reason = files.reason(error) if isinstance(error, OSError | ValueError) else "it is damaged"
        raise UsageProblem(
            f"The model in {folder} cannot be used ({reason}); nox -s capstone trains another."
        ) from None
    return model


def _in_floats(state: dict[str, Any]) -> dict[str, Any]:
    """Return weights as a model takes them: those in int8, with a scale for each row beside them, in floats again."""
    import torch

    found = dict(state)
    for name, value in state.items():
        scale = state.get(f"{name.removesuffix('.weight')}.scale")
        if scale is not None and value.dtype == torch.int8 and name.endswith(".weight"):
            found[name] = value.float() * scale
            del found[f"{name.removesuffix('.weight')}.scale"]
    if TABLE in found:
        found.setdefault(HEAD, found[TABLE])
    return found


def _fit(model: Model) -> None:
    """Raise ValueError for weights of another vocabulary or width than the sizes beside them."""
    table, expected = model.weights.get(TABLE), [model.sizes["vocab_size"], model.sizes["d_model"]]
    if table is not None and list(table.shape) != expected:
        raise ValueError(f"its table of tokens has shape {list(table.shape)}, and beside it stands {expected}")


def _model(facts: Any) -> Model:
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise ValueError(f"it is no model of schema {SCHEMA}")
    sizes, step, heldout = facts["sizes"], facts["step"], facts["heldout"]
    if set(sizes) != SIZES or not all(type(size) is int and 0 < size <= 2**20 for size in sizes.values()):
        raise ValueError("its sizes are none")
    if type(step) is not int or not (heldout is None or type(heldout) in (int, float)):
        raise ValueError("its step or loss is none")
    vocab = {id: bytes.fromhex(token) for id, token in facts["vocab"]}
    merges = [(bytes.fromhex(left), bytes.fromhex(right)) for left, right in facts["merges"]]
    found = tokenizer((vocab, merges))
    if max(found[0], default=0) >= sizes["vocab_size"]:
        raise ValueError(
            f"its tokenizer has ids up to {max(found[0])}, and its weights are for {sizes['vocab_size']} tokens"
        )
    corpus, prompt, answers = str(facts["corpus"]), str(facts["prompt"]), facts.get("answers") is True
    return Model(*found, sizes, {}, step, heldout, corpus, prompt, answers=answers)
