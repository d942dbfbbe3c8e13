"""GPT-2 beside transformers' own, part by part: the first part that differs says what is wrong."""

from typing import Any

import torch
from torch import Tensor

from grader.judge import expect_close
from grader.judge.outcomes import CheckFailed

from . import probes as m06_probes
from .oracle import State


def expect_hugging_faces_logits(student: Any, model: Any, ids: Tensor, weights: Any) -> None:
    """Compare the model's logits with transformers' own; a failure names the first part that differs."""
    actual = model(ids)
    expected = weights.answer("logits", (ids,), lambda: logits(weights.model(), ids))  # transformers is slow to import
    misses = {
        "the result is a log-softmax: return the scores as they are": lambda: expected.log_softmax(-1),
    }
    # Sums of float32 in another order: hundreds of roundings, each of one part in ten million.
    atol = 1e-4 * float(expected.abs().median())
    try:
        expect_close(actual, expected, atol=atol, rtol=1e-4, misses=misses, what="the tensor of logits")
    except CheckFailed as failed:
        if failed.mistake is None:
            names = parts(weights.sizes["n_layers"])
            mine = student.plant(m06_probes).listen(model, ids, names)
            first, right, silent = first_difference(mine, listened(weights.model(), ids, names), names)
            failed.mistake = DIFFERENCES.get((first, right, " and ".join(silent))) or DIFFERENCES.get(
                (first, right, "")
            )
            failed.message += f"\nThe first part that differs is {first or 'none'}."
            failed.message += f" That {' and '.join(silent)} ran was not seen." if silent else ""
        raise


@torch.no_grad()
def logits(reference: Any, ids: Tensor) -> Tensor:
    """Return what transformers' model makes of ids."""
    return reference(ids).logits


def parts(n_layers: int) -> list[str]:
    """Name the parts of a GPT in the order in which they finish."""
    blocks = [f"h.{n}{part}" for n in range(n_layers) for part in (".ln_1", ".attn", ".ln_2", ".mlp", "")]
    return ["wte", "wpe", *blocks, "ln_f", "lm_head"]


def listened(reference: Any, ids: Tensor, names: list[str]) -> dict[str, State]:
    """Listen to transformers' model, with its parts under our names."""
    theirs = {name if name == "lm_head" else f"transformer.{name}": name for name in names}
    found = m06_probes.listen(reference, ids, list(theirs))
    return {side: {theirs[name]: value for name, value in found[side].items()} for side in found}


def first_difference(mine: Any, reference: dict[str, State], names: list[str]) -> tuple[str, bool, list[str]]:
    """Return the first part whose output is not the reference's, whether its input is, and what never ran before it.

    Without such a part its name is empty.
    """
    silent: list[str] = []
    for name in names:
        if name not in mine["outputs"]:
            silent.append(name)
            continue
        if same(mine["outputs"][name], reference["outputs"][name]):
            silent.clear()
            continue
        given = mine["inputs"].get(name), reference["inputs"].get(name)
        right = None in given or same(*given)
        return name, right, silent
    return "", False, silent


def same(actual: Any, expected: Any) -> bool:
    """Whether two activations agree, leading axes of length 1 aside."""
    if type(actual) is not Tensor or actual.dtype != expected.dtype or actual.numel() != expected.numel():
        return False
    try:
        actual, expected = torch.broadcast_tensors(actual, expected)
    except RuntimeError:
        return False
    return torch.allclose(actual, expected, atol=1e-3 * float(expected.abs().median()), rtol=1e-3)


def meaning(name: str, input_is_right: bool) -> str:
    """Say what it usually means that this part is the first to differ."""
    block, _, part = name.rpartition(".")
    if input_is_right:
        norm = "it reads the right vectors; its weight and bias (loaded?) or its formula must be wrong"
        return {
            "wte": "is wte.weight the checkpoint's, and is row i the vector of id i?",
            "wpe": "is wpe.weight the checkpoint's, and does the first token have position 0?",
            "ln_1": norm,
            "attn": "it reads the right vectors; are c_attn and c_proj turned round? A square matrix fits both ways",
            "ln_2": norm,
            "mlp": "it reads the right vectors; are c_fc and c_proj turned round, and is GELU the form with tanh?",
            "ln_f": norm,
            "lm_head": "it reads the right vectors; its weight must be wte.weight",
        }.get(part, "its parts are right; what they are added to is not")
    wanted = {
        "wte": "the ids as they are",
        "wpe": "the positions from 0 up",
        "attn": f"what {block}.ln_1 gives",
        "ln_2": f"the sum of the block's input and what {block}.attn gives",
        "mlp": f"what {block}.ln_2 gives",
        "ln_f": "what the last block gives",
        "lm_head": "what ln_f gives",
    }.get(part) or before(block if part == "ln_1" else name)
    return f"it does not read {wanted}"


def before(block: str) -> str:
    """Say what a block has to read."""
    number = int(block.rpartition(".")[2])
    return f"what h.{number - 1} gives" if number else "the sum of what wte and wpe give"


def differences() -> dict[tuple[str, bool, str], str]:
    """Name every first difference that there can be, in a GPT of as many layers as the largest GPT-2 has."""
    names = parts(48)
    found = {("", False, ""): "no part differs by more than a thousandth: look at what happens between them"}
    for name, last in zip(names, ["", *names], strict=False):
        for right in (True, False):
            found[name, right, ""] = f"the first part that differs is {name}: {meaning(name, right)}"
            if last:
                said = f"the first part that differs is {name} ({last} never ran): {meaning(name, right)}"
                found[name, right, last] = said
    return found


DIFFERENCES = differences()
