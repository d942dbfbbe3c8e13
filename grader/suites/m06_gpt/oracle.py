"""The reference for m06_gpt: a small trusted GPT with a switch for every classic mistake, and GPT-2 part by part."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grader.judge import expect_raises
from grader.judge.outcomes import CheckFailed
from grader.judge.probes import model as trusted

from . import probes as m06_probes

State = dict[str, Tensor]
Misses = dict[str, Callable[[], Tensor]]

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "context_length": 11,
    "d_model": 12,
    "n_layers": 2,
    "n_heads": 3,
    "d_ff": 20,
}
AWAKE = "dropout is still active after eval(): it must depend on self.training"
ASLEEP = "dropout does not fall on the embedded ids in training"
NOT_HANDED_ON = "config.dropout is not handed on to the blocks"
EXTRA = "there is state that GPT-2 does not have"
STRICT = {
    "is missing": "a tensor that the checkpoint lacks keeps what the model had: compare the keys both ways",
    "is one too many": "a tensor that the model has no place for is passed over: compare the keys both ways",
    "has another shape": "shapes are not compared: copy_ alone stretches a single number over a whole vector",
    "differs from wte.weight": "lm_head.weight is dropped unseen: such a checkpoint has two matrices, the model one",
}
SQUEEZED = "squeeze takes away an axis that has the length 1 by chance"
SQUEEZED_ALL = f"{SQUEEZED} (all such axes)"
LAST_ALONE = "only the last position is scored: every position has a token that follows it"
LAST_WITHOUT_AXIS = f"{LAST_ALONE} (and its axis is lost)"
DTYPE = "the checkpoint's dtype is taken over: copy_ turns each tensor into the dtype of the model's own"
CUT = "the graph is cut: detach(), .data, .item(), numpy or no_grad stands on the way"
NOT_SEEN = "torch does not see this part: the blocks belong into an nn.ModuleList, and every part into an attribute"
TWO_TENSORS = "wte and lm_head are two tensors: lm_head.weight must be wte.weight itself, the same Parameter"
COPIED = "the head has a copy of wte.weight: share the Parameter itself, not its values"
ZERO_BY_ZERO = "no target counts, and a sum of nothing is divided by nothing: divide by at least 1"
VIEW = "view cannot join the axes of a slice: use flatten or reshape"
ALIASED = "the model shares memory with the checkpoint's tensors: copy the values into the model's own parameters"
UNTIED_BY_LOADING = "loading puts a new tensor in the place of the shared one: copy into it (copy_ under no_grad)"
REPLACED = "parameters are replaced by new ones: an optimizer that holds the old ones moves the model no more"
HALF_LOADED = "the model is changed before everything is compared: look at all keys and shapes first, then copy"


# ── a small GPT ───────────────────────────────────────────────────────────────────────────────────────────────────────


def shapes(sizes: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of everything in the state_dict of a model of these sizes, lm_head.weight included."""
    return {key: tuple(value.shape) for key, value in trusted.LanguageModel(**sizes).state_dict().items()}


def random_state(draw: Any, sizes: dict[str, Any]) -> State:
    """Draw weights for a model of these sizes, in the layout of nn.Linear and without lm_head.weight."""
    state = {key: draw.normal(*shape, scale=0.4) for key, shape in shapes(sizes).items() if key != "lm_head.weight"}
    return {key: value + 1 if "ln_" in key and key.endswith("weight") else value for key, value in state.items()}


def hugging_face_layout(state: State) -> State:
    """Turn the matrices of the linear layers round, as Conv1D keeps them."""
    return {key: v.T.contiguous() if key.endswith(m06_probes.CONV1D) else v for key, v in state.items()}


def student_model(student: Any, sizes: dict[str, Any], state: State, dropout: float = 0.0) -> Any:
    """Make the student's model of these sizes, in eval mode and with these weights."""
    model = student.GPT(student.GPTConfig(**sizes, dropout=dropout))
    return student.plant(m06_probes).fill(model, state)


def logits(
    ids: Tensor,
    state: State,
    sizes: dict[str, Any],
    *,
    head: Tensor | None = None,
    positions: int | None = 0,
    order: str = "each once",
    norm: str = "last",
    scale: float = 1.0,
    after: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Run the trusted model with the given weights; the switches make the mistakes."""
    model = trusted.build(sizes, state)
    with torch.no_grad():
        x = model.wte(ids) * scale
        if positions is not None:
            x = x + model.wpe.weight.roll(-positions, 0)[: ids.shape[1]]
        start = x = model.ln_f(x) if norm == "first" else x
        blocks = list(model.h)
        if order == "last for all":
            blocks = [blocks[-1]] * len(blocks)
        for block in reversed(blocks) if order == "reversed" else blocks:
            if order == "side by side":
                x = block(start)
            else:
                x = x + block(x) if order == "added again" else block(x)
        x = model.ln_f(x) if norm == "last" else x
        x = x @ (model.wte.weight if head is None else head).T
        return x if after is None else after(x)


def logits_misses(ids: Tensor, state: State, sizes: dict[str, Any]) -> Misses:
    """Compute what the classic mistakes give for the same ids and weights."""

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: logits(ids, state, sizes, **options)

    return {
        "ln_f is missing: the stream has to be normalised once more before the scores": wrong(norm="none"),
        "ln_f stands before the blocks instead of after them": wrong(norm="first"),
        "the positions are not added": wrong(positions=None),
        "the positions start at 1; the first token's is 0": wrong(positions=1),
        "the blocks run in reverse order": wrong(order="reversed"),
        "every block reads the embedded ids; each must read what the one before it gave": wrong(order="side by side"),
        "a block's output is added to its input; the block has done that already": wrong(order="added again"),
        "one block stands in every place: make a new one for each layer": wrong(order="last for all"),
        "the embedded ids are multiplied by sqrt(d_model), as GPT-2 does not": wrong(scale=sizes["d_model"] ** 0.5),
        "the result is a softmax: return the scores as they are": wrong(after=lambda x: x.softmax(-1)),
        "the result is a log-softmax: return the scores as they are": wrong(after=lambda x: x.log_softmax(-1)),
        SQUEEZED: wrong(after=lambda x: x.squeeze(0)),
        SQUEEZED_ALL: wrong(after=lambda x: x.squeeze()),
        LAST_ALONE: wrong(after=lambda x: x[:, -1:]),
        LAST_WITHOUT_AXIS: wrong(after=lambda x: x[:, -1]),
    }


def gradients(ids: Tensor, state: State, sizes: dict[str, Any], weights: Tensor) -> State:
    """Differentiate `(logits * weights).sum()` by every parameter."""
    model = trusted.build(sizes, state)
    (model(ids) * weights).sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def gradient_at_one_end(ids: Tensor, state: State, sizes: dict[str, Any], weights: Tensor, end: str) -> Tensor:
    """Return the gradient of wte (`end="in"`) or of lm_head (`end="out"`) when they are two tensors."""
    model = trusted.build(sizes, state)
    model.lm_head.weight = torch.nn.Parameter(model.wte.weight.detach().clone())
    (model(ids) * weights).sum().backward()
    found = (model.wte if end == "in" else model.lm_head).weight.grad
    assert found is not None
    return found


def expect_refused(student: Any, model: Any, state: State, key: str, fault: str) -> None:
    """Fail unless load_gpt2 raises ValueError and names the key that is at fault."""
    try:
        expect_raises("ValueError", student.load_gpt2, model, state, mentions=(key,))
    except CheckFailed as failed:
        mistake = STRICT[fault] if failed.message.startswith("The call returned") else None
        raise CheckFailed(f"In this checkpoint {key} {fault}. {failed.message}", mistake) from None


def key_misses(found: list[str], expected: list[str]) -> dict[str, list[str]]:
    """Name what is wrong with the keys of a state_dict."""
    lost, extra = set(expected) - set(found), set(found) - set(expected)
    if lost and all(key.startswith("h.") for key in lost):
        return {NOT_SEEN: found}
    if extra == {"lm_head.bias"} and not lost:
        return {"lm_head has a bias: pass bias=False": found}
    if extra and not lost:
        return {EXTRA: found}
    return {}


# ── the loss ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def loss(scores: Tensor, targets: Tensor, ignore_index: int = -100) -> Tensor:
    """Average the cross-entropy over the targets that count, in float64."""
    counts = targets != ignore_index
    losses = -scores.double().log_softmax(-1).gather(-1, targets.where(counts, 0)[..., None])[..., 0]
    return (losses * counts).sum() / counts.sum().clamp(min=1)


def loss_misses(scores: Tensor, targets: Tensor, ignore_index: int = -100) -> Misses:
    """Compute what the classic mistakes give for the same logits and targets."""
    counts = targets != ignore_index
    each = -scores.double().log_softmax(-1).gather(-1, targets.where(counts, 0)[..., None])[..., 0]
    kept = each * counts

    def shared(value: Tensor) -> Callable[[], Tensor]:
        return lambda: value.to(scores.dtype)

    misses = {
        "targets are shifted once more; targets[b, i] belongs to logits[b, i] already": shared(
            loss(scores[:, :-1], targets[:, 1:], ignore_index)
        ),
        "the losses are summed, not averaged": shared(kept.sum()),
        "the sum is divided by the batch size alone": shared(kept.sum() / len(kept)),
        "the perplexity is returned, e to the power of the loss": shared((kept.sum() / counts.sum()).exp()),
        "the loss is in bits (base 2) instead of nats": shared(kept.sum() / counts.sum() / math.log(2)),
        "the sign is wrong: a loss is minus the log-probability": shared(-kept.sum() / counts.sum()),
        "each score goes into the loss as it is: the softmax is missing": shared(
            -(scores.double().gather(-1, targets.where(counts, 0)[..., None])[..., 0] * counts).sum() / counts.sum()
        ),
        "a softmax stands before cross_entropy, which takes one itself": shared(
            loss(scores.softmax(-1), targets, ignore_index)
        ),
    }
    if not bool(counts.all()):
        misses |= {
            "the sum is divided by the number of all targets, ignored ones included": shared(kept.mean()),
            "every row is averaged by itself; average over all targets at once": shared(
                (kept.sum(-1) / counts.sum(-1).clamp(min=1)).mean()
            ),
        }
        if ignore_index >= 0:
            everything = loss(scores.double(), targets)
            if ignore_index == 0:  # whoever never uses it fails with another index too
                misses["an ignore_index of 0 is taken for none: 0 is an id like others"] = shared(everything)
            misses["ignore_index is not used"] = shared(everything)
            misses["ignore_index is not handed on to cross_entropy"] = shared(
                everything * targets.numel() / counts.sum()
            )
    return misses


# ── checkpoints ───────────────────────────────────────────────────────────────────────────────────────────────────────


def checkpoint(state: State, sizes: dict[str, Any], layout: str) -> State:
    """Lay weights out as one of the files that are about; the mask buffers lie between the others, as there."""
    found: State = {}
    masks = torch.ones(sizes["context_length"], sizes["context_length"]).tril()[None, None]
    for key, value in hugging_face_layout(state).items():
        found[key] = value.half() if layout == "float16" else value
        if "masks" in layout and key.endswith("ln_1.bias"):
            block = key.removesuffix("ln_1.bias")
            found |= {f"{block}attn.bias": masks.to(torch.uint8), f"{block}attn.masked_bias": torch.tensor(-1e4)}
    if "prefixed" in layout:
        found = {f"transformer.{key}": value for key, value in found.items()}
    if "head" in layout and "wte.weight" in state:
        found["lm_head.weight"] = state["wte.weight"].clone()
    return found


def square(state: State) -> State:
    """Return the square matrices alone: those that fit both ways round."""
    return {key: value for key, value in state.items() if value.ndim == 2 and value.shape[0] == value.shape[1]}
