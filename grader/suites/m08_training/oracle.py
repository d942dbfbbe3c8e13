"""The reference for m08_training: every part in float64, with a switch for each classic mistake, and the stories."""

import collections
import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.judge.probes import model

Misses = dict[str, Callable[[], Tensor]]
Group = dict[str, Any]
Rows = Sequence[Sequence[Tensor | None]]

FORGOTTEN_DICE = {
    name: f"{name}'s random state is not in the checkpoint, or not brought back" for name in ("torch", "Python")
}
NUMBERS = {"lr": 0.02, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.3}


def flat(tensors: Any) -> Tensor:
    """Lay tensors, however deep in lists, side by side."""
    if isinstance(tensors, Tensor):
        return tensors.reshape(-1)
    return torch.cat([flat(part) for part in tensors]) if tensors else torch.empty(0)


# ── schedule and clipping ─────────────────────────────────────────────────────────────────────────────────────────────


def rate(step: float, peak: float, floor: float, warmup: int, total: int, **wrong: Any) -> float:
    """Return the rate of a step; the switches make the mistakes."""
    step += wrong.get("shift", 0)
    if step < warmup:
        low = floor if wrong.get("from_floor") else 0.0
        if wrong.get("nano"):
            return peak * (step + 1) / (warmup + 1)
        return low + (peak - low) * (step + wrong.get("early", 0)) / max(warmup, 1)
    if step > total and not wrong.get("climbs"):
        return 0.0 if wrong.get("falls") else floor
    share = step / total if wrong.get("whole") else (step - warmup) / (total - warmup)
    if wrong.get("stretched"):
        share = (step - warmup) / total
    down = 1 - share if wrong.get("straight") else (1 + math.cos(wrong.get("turns", 1) * math.pi * share)) / 2
    return peak * down if wrong.get("bare") else floor + (peak - (0.0 if wrong.get("above") else floor)) * down


def rate_misses(steps: Sequence[int], numbers: dict[str, Any]) -> Misses:
    """Compute the tables of the classic mistakes."""

    def wrong(**switches: Any) -> Callable[[], Tensor]:
        return lambda: torch.tensor([rate(step, **numbers, **switches) for step in steps], dtype=torch.float64)

    return {
        "the schedule is one step late: step `warmup` has the peak, step `total` the floor": wrong(shift=-1),
        "the schedule is one step early: step `warmup` has the peak, step `total` the floor": wrong(shift=1),
        "the warm-up is one step early: step 0 has rate 0": wrong(early=1),
        "the warm-up is nanoGPT's, (step + 1) / (warmup + 1): it is step / warmup, and 0 at step 0": wrong(nano=True),
        "the warm-up starts at the floor instead of at 0": wrong(from_floor=True),
        "after `total` the cosine climbs again: the rate must stay at the floor": wrong(climbs=True),
        "after `total` the rate is 0 instead of the floor": wrong(falls=True),
        "the floor is ignored: the cosine goes down to 0": wrong(bare=True),
        "a floor of 0 is taken for none: 0 is a floor like others": lambda: torch.tensor(
            [rate(step, **(numbers | {"floor": numbers["floor"] or numbers["peak"] / 10})) for step in steps],
            dtype=torch.float64,
        ),
        "the floor is added to the cosine, but not taken off the peak": wrong(above=True),
        "the cosine counts from step 0 instead of from the end of the warm-up": wrong(whole=True),
        "the cosine is stretched over `total` steps instead of total - warmup": wrong(stretched=True),
        "the cosine goes down and up again: half a cosine ends at the floor": wrong(turns=2),
        "the way down is a straight line instead of a cosine": wrong(straight=True),
    }


def clipped(gradients: Sequence[Tensor | None], max_norm: float, how: str = "together") -> Tensor:
    """Scale gradients to a norm, right or wrong, and lay them side by side."""
    found = [gradient.double() for gradient in gradients if gradient is not None]
    whole = flat(found)
    norm = float(whole.norm())
    ways: dict[str, Callable[[], Tensor]] = {
        "together": lambda: whole * min(1.0, max_norm / norm),
        "each": lambda: flat([g * min(1.0, max_norm / float(g.norm())) for g in found]),
        "values": lambda: whole.clamp(-max_norm, max_norm),
        "squared": lambda: whole * min(1.0, max_norm / norm**2),
        "always": lambda: whole * max_norm / norm,
        "never": lambda: whole,
        "largest": lambda: whole * min(1.0, max_norm / float(whole.abs().max())),
        "unit": lambda: whole / norm,
        "sizes": lambda: whole * min(1.0, max_norm / float(whole.abs().sum())),
        "added": lambda: whole * min(1.0, max_norm / sum(float(g.norm()) for g in found)),
    }
    return ways[how]().float()


def clip_misses(gradients: Sequence[Tensor | None], max_norm: float) -> Misses:
    """Compute what the classic mistakes leave of the gradients."""
    words = {
        "each tensor is clipped by its own norm; the norm is that of all gradients together": "each",
        "each number is clipped by itself; the norm is that of all gradients together": "values",
        "the norm lacks its square root": "squared",
        "gradients that are small enough are scaled up": "always",
        "the gradients are not scaled": "never",
        "the largest number stands in for the norm": "largest",
        "the gradients are scaled to norm 1 instead of max_norm": "unit",
        "absolute values are added up: the norm is the root of the sum of squares": "sizes",
        "the tensors' norms are added up: the norm is that of all numbers together": "added",
    }
    return {mistake: functools.partial(clipped, gradients, max_norm, how) for mistake, how in words.items()}


# ── steps on a table of logits ────────────────────────────────────────────────────────────────────────────────────────

Batch = tuple[Tensor, Tensor]


def some_batches(draw: Any, vocab_size: int, counts: Sequence[int], seq: int = 5) -> list[Batch]:
    """Draw batches of 3 sequences in which exactly so many targets count."""
    batches = []
    for count in counts:
        inputs, targets = draw.integers(0, vocab_size, 3, seq), draw.integers(0, vocab_size, 3, seq)
        targets.view(-1)[draw.permutation(3 * seq)[count:]] = -100
        batches.append((inputs, targets))
    return batches


def losses(table: Tensor, batches: Sequence[Batch]) -> tuple[list[Tensor], list[int]]:
    """Return the summed loss and the number of targets of each batch."""
    sums, counts = [], []
    for inputs, targets in batches:
        logits = table[inputs].flatten(0, 1)
        sums.append(F.cross_entropy(logits, targets.flatten(), ignore_index=-100, reduction="sum"))
        counts.append(int((targets != -100).sum()))
    return sums, counts


def mean_loss(table: Tensor, batches: Sequence[Batch], how: str = "tokens") -> Tensor:
    """Return the mean over all targets, or what the mistakes take for it."""
    sums, counts = losses(table, batches)
    means = [total / max(count, 1) for total, count in zip(sums, counts, strict=True)]
    size = sum(targets.numel() for _, targets in batches)
    ways: dict[str, Callable[[], Any]] = {
        "tokens": lambda: sum(sums) / sum(counts),
        "batches": lambda: sum(means) / len(means),
        "summed": lambda: sum(means),
        "sum": lambda: sum(sums),
        "last": lambda: means[-1],
        "last share": lambda: sums[-1] / sum(counts),
        "first": lambda: means[0],
        "all": lambda: sum(sums) / size,
        "shares": lambda: sum(sums) / len(sums),
        "empty": lambda: sum(sums) * math.nan,
        "perplexity": lambda: torch.exp(torch.as_tensor(sum(sums) / sum(counts))),
    }
    return ways[how]()


SUMMED = "the means of the micro-batches are added up: the loss returned is the mean over all targets"
STEPS = "a step is made for each micro-batch: gradients add up, and one step follows"
CLIPPED_EARLY = "gradients are clipped after each micro-batch: they add up first, and are clipped once"
OWN, ALL = (f"{STEPS} (by the mean of its own targets)", f"{STEPS} (by its share of all targets)")
LOSSES = {
    "a batch in which no target counts gives 0 / 0: divide the summed loss by the count of all": "empty",
    "the means of the micro-batches are added up, not divided: gradients come out too large": "summed",
    "it is the mean of the batches' means: a batch with few targets weighs as much as one with many": "batches",
    "the losses are added up and never divided by the number of targets": "sum",
    "targets of -100 count in the divisor": "all",
    "only the last batch counts": "last",
    "only the first batch counts": "first",
    "gradients are cleared before each micro-batch: so only the last batch counts": "last share",
    "it is divided by the number of batches instead of by the number of targets": "shares",
    "the perplexity is returned, e to the power of the loss": "perplexity",
}


def loss_misses(table: Tensor, batches: Sequence[Batch]) -> Misses:
    """Compute the losses that the mistakes report."""
    ways = {SUMMED if how == "summed" else words: how for words, how in LOSSES.items()}
    return {words: functools.partial(mean_loss, table.double(), batches, how) for words, how in ways.items()}


def many_steps(
    table: Tensor, batches: Sequence[Batch], size: int, rates: Sequence[float], max_norm: float | None
) -> tuple[Tensor, Tensor]:
    """Make a step on `size` batches at each rate; return the losses before the steps, and the table after them."""
    found = []
    for number, rate in enumerate(rates):
        some = batches[number * size : (number + 1) * size]
        found.append(float(mean_loss(table.double(), some)))
        table = stepped(table, some, rate, max_norm=max_norm)
    return torch.tensor(found, dtype=torch.float64), table


def stepped(table: Tensor, batches: Sequence[Batch], lr: float, how: str = "tokens", **options: Any) -> Tensor:
    """Return the table after one step of gradient descent; `max_norm` clips, `dirt` was there before."""
    leaf = table.double().requires_grad_(True)
    (gradient,) = torch.autograd.grad(mean_loss(leaf, batches, how), leaf)
    gradient = gradient + options.get("dirt", 0.0)
    if max_norm := options.get("max_norm"):
        gradient = _within(gradient, max_norm)
    return (leaf.detach() - lr * gradient).float()


def _within(gradient: Tensor, max_norm: float | None) -> Tensor:
    return gradient * min(1.0, (max_norm or math.inf) / max(float(gradient.norm()), 1e-30))


def one_by_one(table: Tensor, batches: Sequence[Batch], lr: float, by: str, max_norm: float | None = None) -> Tensor:
    """Return the table after a step for each micro-batch, by its "own" mean or its share of "all" of them."""
    whole = sum(int((targets != -100).sum()) for _, targets in batches)
    table = table.double()
    for batch in batches:
        leaf = table.requires_grad_(True)
        (summed,), (count,) = losses(leaf, [batch])
        (gradient,) = torch.autograd.grad(summed / (max(count, 1) if by == "own" else whole), leaf)
        table = leaf.detach() - lr * _within(gradient, max_norm)
    return table.float()


def clipped_early(table: Tensor, batches: Sequence[Batch], lr: float, max_norm: float) -> Tensor:
    """Return the table after one step along gradients that were clipped after each micro-batch."""
    leaf, whole = table.double().requires_grad_(True), torch.zeros_like(table, dtype=torch.float64)
    for batch in batches:
        part = losses(leaf, [batch])[0][0] / sum(losses(table, batches)[1])
        whole = _within(whole + torch.autograd.grad(part, leaf)[0], max_norm)
    return (leaf.detach() - lr * whole).float()


def shifted_steps(
    table: Tensor, shift: Tensor, batches: Sequence[Batch], lr: float, max_norm: float
) -> tuple[Tensor, Tensor]:
    """Return the table after a step clipped by the norm of table and shift, and after one clipped by its own alone."""
    leaves = [value.double().requires_grad_(True) for value in (table, shift)]
    gradients = torch.autograd.grad(mean_loss(leaves[0] + leaves[1], batches), leaves)
    norms = float(flat(gradients).norm()), float(gradients[0].norm())
    first, second = (table.double() - lr * gradients[0] * min(1.0, max_norm / norm) for norm in norms)
    return first.float(), second.float()


def step_misses(table: Tensor, batches: Sequence[Batch], lr: float, **options: Any) -> dict[str, Any]:
    """Compute the tables that the mistakes lead to."""
    wrong = functools.partial(stepped, table, batches, lr)
    misses = {words: functools.partial(wrong, how, **options) for words, how in LOSSES.items()} | {
        "gradients from before are still in there: clear them first": functools.partial(wrong, **options, dirt=3.0),
        "the gradients are not clipped, or only after the step": wrong,
    }
    if len(batches) > 1:
        for words, by in {OWN: "own", ALL: "all"}.items():
            misses[words] = functools.partial(one_by_one, table, batches, lr, by, options.get("max_norm"))
        if max_norm := options.get("max_norm"):
            misses[CLIPPED_EARLY] = functools.partial(clipped_early, table, batches, lr, max_norm)
    return misses


# ── stories ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LEARNED = 1.3  # nats a word; counting pairs of words gives 1.59, the solution 1.04 to 1.08 in six runs
SIZES = {"vocab_size": 200, "context_length": 24, "d_model": 32, "n_layers": 2, "n_heads": 4}


def stories(data: Any, order: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first 25 words of each training and each held-out story as ids, numbered in the order drawn.

    The 199 commonest words have ids of their own, all others share one.
    """
    vocab_size, length = SIZES["vocab_size"], SIZES["context_length"] + 1
    texts = [data.text(name).split("<|endoftext|>") for name in ("stories_train.txt", "stories_heldout.txt")]
    words = [[re.findall(r"\w+|[^\w\s]", story)[:length] for story in text] for text in texts]
    counts = collections.Counter(word for story in words[0] for word in story)
    ids = {word: int(order[n]) for n, (word, _) in enumerate(counts.most_common(vocab_size - 1))}
    other = int(order[-1])
    train, heldout = (
        torch.tensor([[ids.get(word, other) for word in story] for story in part if len(story) == length])
        for part in words
    )
    return train, heldout


def start(draw: Any) -> dict[str, Tensor]:
    """Draw a state to start from, as GPT-2's was drawn."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in model.LanguageModel(**SIZES).state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        if name == "lm_head.weight":
            continue
        scale = 0.02 / math.sqrt(2 * SIZES["n_layers"]) if name.endswith("c_proj.weight") else 0.02
        norm = torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        state[name] = draw.normal(*shape, scale=scale) if len(shape) == 2 else norm
    return state


def ten_steps(start: dict[str, Tensor], batches: Sequence[Batch], lr: float) -> dict[str, Tensor]:
    """Train the judge's own model with torch's AdamW, a step on each batch, and return its weights."""
    own = model.build(SIZES, start).train()
    parts = {axes: [value for value in own.parameters() if (value.dim() > 1) is axes] for axes in (True, False)}
    groups = [{"params": parts[True], "weight_decay": 0.1}, {"params": parts[False], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), eps=1e-8)
    for inputs, targets in batches:
        optimizer.zero_grad()
        F.cross_entropy(own(inputs).flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
    return {name: value.detach() for name, value in own.state_dict().items()}


def heldout_loss(learned: dict[str, Tensor], stories: Tensor) -> float:
    """Measure weights in the judge's own model: nats for each word but the first."""
    with torch.no_grad():
        logits = model.build(SIZES, learned)(stories[:, :-1])
        return float(F.cross_entropy(logits.flatten(0, 1), stories[:, 1:].flatten()))


def entropy(stories: Tensor) -> float:
    """Return the loss of the best guess that ignores all context: no such guess can be better on these stories."""
    shares = torch.bincount(stories[:, 1:].flatten()).double() / stories[:, 1:].numel()
    shares = shares[shares > 0]
    return float(-(shares * shares.log()).sum())
