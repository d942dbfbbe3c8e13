"""The reference for m06_gpt: a small trusted GPT with a switch for every classic mistake, and GPT-2 part by part."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grader.judge import expect, expect_raises
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
UNREACHED = "torch's own start of a bias is left: init_weights sets it to 0"
AT_ADDRESS = "parameters are told apart by data_ptr(), which is 0 for all of them on the meta device"
LAST_AT_ADDRESS = f"{AT_ADDRESS} (the last one is left)"
EXTRA = "there is state that GPT-2 does not have"
STRICT = {
    "is missing": "a tensor that the checkpoint lacks keeps what the model had: compare the keys both ways",
    "is one too many": "a tensor that the model has no place for is passed over: compare the keys both ways",
    "has another shape": "shapes are not compared: copy_ alone stretches a single number over a whole vector",
    "differs from wte.weight": "lm_head.weight is dropped unseen: such a checkpoint has two matrices, the model one",
}
CUT = "the graph is cut: detach(), .data, .item(), numpy or no_grad stands on the way"
NOT_SEEN = "torch does not see this part: the blocks belong into an nn.ModuleList, and every part into an attribute"
TWO_TENSORS = "wte and lm_head are two tensors: lm_head.weight must be wte.weight itself, the same Parameter"
COPIED = "the head has a copy of wte.weight: share the Parameter itself, not its values"
SAME_DICE = "the random numbers are seeded inside: two models start with the same weights"
NOT_CALLED = "the constructor does not end with init_weights(self)"
UNEVEN = "a new model should know nothing: embeddings are drawn with standard deviation 0.02, not torch's 1.0"
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


# ── counting and starting ─────────────────────────────────────────────────────────────────────────────────────────────


def number_of_parameters(sizes: dict[str, Any], **changes: Any) -> int:
    """Count what a tied GPT of these sizes has, by arithmetic."""
    vocab, context, width, layers, inner = (
        sizes[key] for key in ("vocab_size", "context_length", "d_model", "n_layers", "d_ff")
    )
    norms, attention = 4 * width, 3 * width**2 + 3 * width + width**2 + width
    mlp = 2 * width * inner + inner + width
    tables = (vocab * changes.get("heads", 1) + context) * width
    return tables + changes.get("layers", layers) * (norms + attention + mlp) + 2 * width + changes.get("more", 0)


def count_misses(sizes: dict[str, Any]) -> dict[str, int]:
    """Count as the classic mistakes do."""
    vocab = sizes["vocab_size"]
    return {
        "wte and lm_head count twice: they are one tensor, and must be counted as one": number_of_parameters(
            sizes, heads=2
        ),
        "lm_head has a bias: pass bias=False": number_of_parameters(sizes, more=vocab),
        "lm_head has a bias and a tensor of its own": number_of_parameters(sizes, heads=2, more=vocab),
        NOT_SEEN: number_of_parameters(sizes, layers=0),
        "the blocks are missing, and wte and lm_head count twice": number_of_parameters(sizes, layers=0, heads=2),
        "wte is left out of the count": number_of_parameters(sizes, heads=0),
        "one block stands in every place: make a new one for each layer": number_of_parameters(sizes, layers=1),
        "frozen parameters are not counted": number_of_parameters(sizes, more=-2 * sizes["d_model"]),
        "buffers are counted": number_of_parameters(sizes, more=5),
        "state_dict() is counted: it has buffers, and a shared tensor under both of its names": number_of_parameters(
            sizes, heads=2, more=5
        ),
        AT_ADDRESS: vocab * sizes["d_model"],
        LAST_AT_ADDRESS: sizes["d_model"],
    }


def expect_initialised(state: State, sizes: dict[str, Any], instead: str | None = None) -> None:
    """Compare the mean and the spread of every tensor with what GPT-2's initialisation gives.

    The smallest matrix has 6,144 numbers: its spread is off by 0.9 % of itself (one standard deviation), and 8 % are
    allowed. `instead` is the mistake when nothing better is known.
    """
    narrow = 0.02 / math.sqrt(2 * sizes["n_layers"])
    for key, value in state.items():
        if key.endswith("bias") or "ln_" in key:
            fixed = 1.0 if key.endswith("weight") else 0.0
            misses = {"norms start with weight 1, biases with 0": 1.0 - fixed}
            mistake = next((words for words, wrong in misses.items() if bool((value == wrong).all())), instead)
            mistake = mistake or (UNREACHED if "ln_" not in key else None)
            said = f"{key} should start as {fixed:g} throughout, and starts with {value.flatten()[:4].tolist()}."
            expect(bool((value == fixed).all()), said, mistake=mistake, evidence="value")
            continue
        spread, wanted = float(value.double().std()), narrow if key.endswith("c_proj.weight") else 0.02
        said = f"The standard deviation of {key} is {spread:.3g}, expected {wanted:.3g}."
        mistake = spread_miss(spread, key, value.shape[-1], sizes["n_layers"]) or instead
        expect(abs(spread / wanted - 1) < 0.08, said, mistake=mistake, evidence="value")
        centre = float(value.double().mean()) / wanted * math.sqrt(value.numel())
        said = f"The mean of {key} is {float(value.double().mean()):.3g}, expected about 0."
        expect(abs(centre) < 6, said, mistake="the mean of the normal distribution is not 0", evidence="value")


def spread_miss(spread: float, key: str, d_in: int, n_layers: int) -> str | None:
    """Return the classic mistake that gives a tensor this spread."""
    misses = {}
    if key.endswith("c_proj.weight"):
        misses = {
            "the projections into the residual stream (c_proj) are not scaled down": 0.02,
            "two projections per layer write into the stream: divide by sqrt(2 * n_layers), not by sqrt(n_layers)": (
                0.02 / math.sqrt(n_layers)
            ),
            "divided by 2 * n_layers; its square root is meant": 0.02 / (2 * n_layers),
            "multiplied by sqrt(2 * n_layers) instead of divided": 0.02 * math.sqrt(2 * n_layers),
        }
    misses |= {
        "this is torch's own start of nn.Linear: init_weights does not reach it": 1 / math.sqrt(3 * d_in),
        "this is torch's own start of an embedding (standard deviation 1)": 1.0,
        "0.02 is the standard deviation, not the variance": math.sqrt(0.02),
        "a uniform distribution from -0.02 to 0.02; a normal one is meant": 0.02 / math.sqrt(3),
        "every matrix is scaled down; only c_proj, which writes into the stream, should be": (
            0.02 / math.sqrt(2 * n_layers)
        ),
        "everything is zero": 0.0,
    }
    return next((words for words, wrong in misses.items() if math.isclose(spread, wrong, rel_tol=0.08)), None)


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
            misses["ignore_index is not used"] = shared(everything)
            misses["ignore_index is not handed on to cross_entropy"] = shared(
                everything * targets.numel() / counts.sum()
            )
    return misses


# ── checkpoints ───────────────────────────────────────────────────────────────────────────────────────────────────────


def checkpoint_sizes(weights: Any) -> dict[str, Any]:
    """Return the sizes of a checkpoint, as GPTConfig takes them."""
    return weights.sizes | {"d_ff": weights.config.get("n_inner")}


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
