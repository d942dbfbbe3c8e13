"""The reference for m10_finetuning: what each function gives, and what classic mistakes make of it."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from grader.judge.probes import model

Misses = dict[str, Callable[[], Any]]
Example = tuple[list[int], list[int]]

SIZES = {"vocab_size": 29, "context_length": 11, "d_model": 15, "n_layers": 2, "n_heads": 3}
COUNTED = "the number of real tokens is taken for the last one's place, which holds only for padding on the right"
COLUMN = "the last column is read, padding or not"
BY_VALUE = "padding is told by its value: the end token is lost where it is the padding too"


# ── m10.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def last_places(mask: Tensor) -> Tensor:
    """Return where each row of a mask is True for the last time."""
    return torch.tensor([max(place for place, real in enumerate(row) if real) for row in mask.tolist()])


def picked(hidden: Tensor, places: Tensor) -> Tensor:
    """Return each row's vector at its place."""
    return hidden[torch.arange(len(hidden)), places]


def last_token_misses(hidden: Tensor, mask: Tensor) -> Misses:
    """Compute what the classic mistakes pick."""
    counts, last = mask.sum(dim=1), mask.shape[1] - 1
    mean = torch.einsum("bsd,bs->bd", hidden.double(), mask.double()) / counts[:, None]
    first = torch.tensor([row.index(True) for row in mask.tolist()])
    right = picked(hidden, last_places(mask))
    return {
        "squeeze() without an axis also drops others of length 1: name the axis": right.squeeze,
        "the axis of the positions is left, with one of them: a row has one vector": lambda: right[:, None],
        COLUMN: lambda: hidden[:, -1],
        COUNTED: lambda: picked(hidden, counts - 1),
        "the number of tokens is taken for the last one's place, which is one less": lambda: picked(
            hidden, counts.clamp(max=last)
        ),
        "the first position is read, which has seen nothing but itself": lambda: hidden[:, 0],
        "the first real token is read, which has seen nothing but itself": lambda: picked(hidden, first),
        "the real tokens' vectors are averaged": lambda: mean.to(hidden.dtype),
        "all positions are averaged, padding too": lambda: hidden.mean(dim=1),
        "the token before the last real one is read": lambda: picked(hidden, (last_places(mask) - 1).clamp(min=0)),
        "the mask is read the wrong way round": lambda: picked(
            hidden, torch.tensor([max((i for i, real in enumerate(row) if not real), default=0) for row in mask])
        ),
    }


def random_state(draw: Any, sizes: dict[str, int] | None = None) -> dict[str, Tensor]:
    """Draw the weights of the judge's model, norms around 1, without the tied head."""
    shapes = {name: value.shape for name, value in model.LanguageModel(**(sizes or SIZES)).state_dict().items()}
    state = {name: draw.normal(*shape, scale=0.3) for name, shape in shapes.items() if name != "lm_head.weight"}
    return {name: value + 1 if "ln_" in name and name.endswith("weight") else value for name, value in state.items()}


def hidden(state: dict[str, Tensor], ids: Tensor, sizes: dict[str, int], *, norm: bool = True) -> Tensor:
    """Run the judge's model without its head, in float64."""
    made = model.build(sizes, state).double()
    made.lm_head = nn.Identity()
    if not norm:
        made.ln_f = nn.Identity()
    with torch.no_grad():
        return made(ids)


def class_scores(state: dict[str, Tensor], head: Tensor, ids: Tensor, mask: Tensor, sizes: dict[str, int]) -> Tensor:
    """Return what a classifier of these weights gives, in the head's dtype."""
    return (picked(hidden(state, ids, sizes), last_places(mask)) @ head.double().T).to(head.dtype)


def classifier_misses(state: dict[str, Tensor], head: Tensor, ids: Tensor, mask: Tensor) -> Misses:
    """Compute what the classic mistakes make of a text's scores."""
    vectors, right = hidden(state, ids, SIZES), class_scores(state, head, ids, mask, SIZES)

    def scored(pick: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: (pick().double() @ head.double().T).to(head.dtype)

    misses = {words: scored(pick) for words, pick in last_token_misses(vectors, mask).items()}
    bare = picked(hidden(state, ids, SIZES, norm=False), last_places(mask))
    old = (picked(vectors, last_places(mask)) @ state["wte.weight"].double().T).float()
    return misses | {
        "the vectors are taken before the last norm": scored(lambda: bare),
        "the scores went through a softmax: the loss does that by itself": lambda: right.softmax(dim=-1),
        "the scores went through a log-softmax: the loss does that by itself": lambda: right.log_softmax(dim=-1),
        "the old head's scores for tokens are returned": lambda: old[:, : len(head)],
        "every position is scored; what counts is the last real token": lambda: (vectors @ head.double().T).float(),
    }


def below(names: Sequence[str], parameters: Sequence[str], *, whole: bool = True) -> list[str]:
    """Return the parameters below these names: by whole parts, or by mistake by letters."""
    end = "." if whole else ""
    return [key for key in parameters if any(f"{key}{end}".startswith(f"{name}{end}") for name in names)]


# ── m10.2 and m10.3 ───────────────────────────────────────────────────────────────────────────────────────────────────


def prompt(
    instruction: str,
    given: str | None,
    *,
    gap: str = "\n\n",
    heading: str = "\n",
    end: str = "\n",
    always: bool = False,
) -> str:
    """Write a prompt in Alpaca's form; the switches make the mistakes."""
    parts = [f"### Instruction:{heading}{instruction}"]
    if given or always:
        parts.append(f"### Input:{heading}{given or ''}")
    return gap.join([*parts, f"### Response:{end}"])


def prompt_misses(instruction: str, given: str | None, output: str) -> Misses:
    """Compute what the classic mistakes write."""

    def wrong(**options: Any) -> Callable[[], tuple[str, str]]:
        return lambda: (prompt(instruction, given, **options), output)

    right = prompt(instruction, given)
    return {
        "the part of an empty input is there all the same": wrong(always=True),
        "the prompt does not end with a newline after '### Response:'": wrong(end=""),
        "the prompt ends with a space, which a tokenizer would have put before the answer's first word": wrong(end=" "),
        "there is one newline between two parts instead of an empty line": wrong(gap="\n"),
        "a heading and its text stand on one line": wrong(heading=" "),
        "the input is left out": lambda: (prompt(instruction, None), output),
        "the answer stands in the prompt": lambda: (right + output, output),
        "the completion begins with a newline of its own": lambda: (right, "\n" + output),
        "the completion begins with a space of its own": lambda: (right, " " + output),
        "the completion is stripped": lambda: (right, output.strip()),
    }


def example(before: list[int], after: list[int], end_id: int, *, scored: bool = False) -> Example:
    """Return ids and labels; with `scored` the prompt counts too."""
    after = after if after[-1:] == [end_id] else [*after, end_id]
    return before + after, (before if scored else [-100] * len(before)) + after


def example_misses(before: list[int], after: list[int], end_id: int) -> Misses:
    """Compute what the classic mistakes make of a prompt's and a completion's ids."""
    ids, labels = example(before, after, end_id)
    count = len(before)
    plain = before + after
    return {
        "a second end token is added to a completion that has one": lambda: (
            [*plain, end_id],
            [-100] * count + [*after, end_id],
        ),
        "of several end tokens at a completion's end one is kept: its ids stay as they are": lambda: (
            [*before, *_stripped(after, end_id), end_id],
            [-100] * count + [*_stripped(after, end_id), end_id],
        ),
        "there is no end token: the model never learns to stop": lambda: (plain, [-100] * count + after),
        "the prompt is scored too: its labels must be -100": lambda: (ids, list(ids)),
        "the end token does not count: its label must be itself": lambda: (ids, [*labels[:-1], -100]),
        "the label of the completion's first token is -100": lambda: (ids, [-100] * (count + 1) + labels[count + 1 :]),
        "the prompt's last label counts": lambda: (ids, [-100] * (count - 1) + ids[count - 1 :]),
        "labels are shifted here already: masked_loss does that": lambda: (ids, [*labels[1:], -100]),
        "the prompt's labels are 0, which is a token, and not -100": lambda: (ids, [0] * count + labels[count:]),
        "labels are there for the completion alone: each id needs one": lambda: (ids, labels[count:]),
        "an end token stands between prompt and completion": lambda: (
            [*before, end_id, *ids[count:]],
            [-100] * (count + 1) + labels[count:],
        ),
    }


def _stripped(ids: list[int], end_id: int) -> list[int]:
    while ids and ids[-1] == end_id:
        ids = ids[:-1]
    return ids


def collated(examples: Sequence[Example], pad_id: int, *, left: bool = False) -> list[Tensor]:
    """Return ids, labels and mask."""
    longest = max(len(ids) for ids, _ in examples)
    made: list[list[list[Any]]] = [[], [], []]
    for ids, labels in examples:
        missing = longest - len(ids)
        rows: list[tuple[list[Any], Any]] = [(ids, pad_id), (labels, -100), ([True] * len(ids), False)]
        for into, (row, filler) in zip(made, rows, strict=True):
            into.append([filler] * missing + row if left else row + [filler] * missing)
    return [torch.tensor(rows) for rows in made]


def collate_misses(examples: Sequence[Example], pad_id: int) -> dict[str, Misses]:
    """Compute what the classic mistakes make of the ids, the labels and the mask."""
    ids, labels, mask = collated(examples, pad_id)
    left = collated(examples, pad_id, left=True)
    side = "the padding is on the left"
    return {
        "ids": {side: lambda: left[0], "ids are padded with 0, not with pad_id": lambda: ids.where(mask, 0)},
        "labels": {
            BY_VALUE: lambda: labels.where(ids != pad_id, -100),
            "labels are padded with pad_id: padding then counts": lambda: labels.where(mask, pad_id),
            "labels are padded with 0: padding then counts": lambda: labels.where(mask, 0),
            "the labels are the ids: prompts count too": lambda: ids.where(mask, -100),
            side: lambda: left[1],
        },
        "mask": {
            BY_VALUE: lambda: ids != pad_id,
            "the mask tells which labels count, not which tokens are real": lambda: labels != -100,
            "the mask is True at padding": lambda: ~mask,
            "the mask is True everywhere": lambda: torch.ones_like(mask),
            side: lambda: left[2],
        },
    }


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Average over all labels that count, in float64; 0 when none does."""
    costs, counts = _costs(logits[:, :-1], labels[:, 1:])
    return costs.sum() / max(int(counts.sum()), 1)


def _costs(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    counts = targets != -100
    found = -logits.double().log_softmax(dim=-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return found.where(counts, 0.0), counts


def loss_misses(logits: Tensor, labels: Tensor) -> Misses:
    """Compute what the classic mistakes average."""
    costs, counts = _costs(logits[:, :-1], labels[:, 1:])
    total, count = costs.sum(), counts.sum()
    unshifted, here = _costs(logits, labels)
    back, behind = _costs(logits[:, 1:], labels[:, :-1])
    twice, further = _costs(logits[:, :-2], labels[:, 2:])
    rows = counts.sum(dim=1)
    every, _ = _costs(logits[:, :-1], labels[:, 1:].clamp(min=0))
    logs = logits[:, :-1].double().softmax(dim=-1)
    again, _ = _costs(logs, labels[:, 1:])
    misses: Misses = {
        "nothing is shifted: logits at a position are for the next position's label": lambda: (
            unshifted.sum() / here.sum()
        ),
        "it is shifted the wrong way: logits at a position are for the next one's label": lambda: (
            back.sum() / behind.sum()
        ),
        "it is shifted twice": lambda: twice.sum() / further.sum(),
        "the sum is divided by all positions, also by those that do not count": lambda: total / counts.numel(),
        "the sum is divided by all labels, the first column and those that do not count too": lambda: (
            total / labels.numel()
        ),
        "the sum is divided by the labels that count before the shift": lambda: total / (labels != -100).sum(),
        "rows are averaged first: a short answer's tokens then weigh more": lambda: (
            (costs.sum(dim=1) / rows.clamp(min=1)).sum() / (rows > 0).sum()
        ),
        "the losses are summed, not averaged": lambda: total,
        "the sum is divided by the number of rows": lambda: total / len(labels),
        "-100 is taken for token 0, and counts": lambda: every.mean(),
        "the logits went through a softmax first": lambda: again.sum() / count,
        "the loss is in bits, not in nats": lambda: total / count / math.log(2),
        "the sign is missing": lambda: -total / count,
    }
    kept = torch.float64 if logits.dtype == torch.float64 else torch.float32

    def rounded(give: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: give().to(kept)

    return {words: rounded(give) for words, give in misses.items()}


# ── m10.4 and m10.5 ───────────────────────────────────────────────────────────────────────────────────────────────────


def stops(
    losses: Sequence[float],
    patience: int,
    min_delta: float = 0.0,
    *,
    against: str = "improvement",
    in_row: bool = True,
    equal: bool = False,
    nan: bool = False,
    infinity: bool = False,
    first: bool = False,
    late: int = 0,
) -> list[bool]:
    """Say after each number of losses, from none to all, whether it is enough; the switches make the mistakes."""
    best, in_vain, found, last = math.inf, 0, [patience <= late < 0], math.inf
    for place, value in enumerate(losses):
        bar = (last if against == "before" else best) - min_delta
        better = (not value >= bar if nan else value < bar) or (equal and value == bar)
        better = better or (infinity and value == best == math.inf) or (first and place == 0)
        if better or (against == "lowest" and value < best):
            best = value
        last = value
        in_vain = (0 if in_row else in_vain) if better else in_vain + 1
        found.append(in_vain >= patience + late)
    return found


def kept_stops(losses: Sequence[float], patience: int, min_delta: float) -> list[bool]:
    """Say by mistake that it is enough as soon as it once was."""
    return list(itertools.accumulate(stops(losses, patience, min_delta), lambda before, now: before or now))


def stops_by_min(losses: Sequence[float], patience: int, min_delta: float) -> list[bool]:
    """Compare by mistake the lowest of the last losses with the lowest of those before."""
    ends = range(1, len(losses) - patience + 1)
    found = [min(losses[end : end + patience]) >= min(losses[:end]) - min_delta for end in ends]
    return [False] * (len(losses) + 1 - len(found)) + found


def stop_misses(losses: Sequence[float], patience: int, min_delta: float) -> Misses:
    """Compute when the classic mistakes say it is enough."""

    def wrong(delta: float = min_delta, **options: Any) -> Callable[[], list[bool]]:
        return lambda: stops(losses, patience, delta, **options)

    return {
        "a loss is compared with the one before it, not with the best": wrong(against="before"),
        "it is one loss too late: patience of them in vain are enough": wrong(late=1),
        "it is one loss too early": wrong(late=-1),
        "what came in vain is counted in all, not in a row": wrong(in_row=False),
        "a stop is kept that an improvement came after: what counts are the last losses": lambda: kept_stops(
            losses, patience, min_delta
        ),
        "the lowest of the last losses is compared with the lowest before them: min() with NaN depends on the order, "
        "and small gains lower the bar": lambda: stops_by_min(losses, patience, min_delta),
        "infinity passes for an improvement": wrong(infinity=True),
        "the first loss passes for an improvement whatever it is, NaN too": wrong(first=True),
        "an equal loss passes for an improvement": wrong(equal=True),
        "NaN passes for an improvement": wrong(nan=True),
        "min_delta is ignored": wrong(0.0),
        "min_delta has the wrong sign": wrong(-min_delta),
        "the bar is lowered by losses that are no improvement": wrong(against="lowest"),
    }


def first_lowest(losses: Sequence[float]) -> int:
    """Return where the lowest loss stands, the first of equals; -1 when none is finite."""
    numbers = [index for index, value in enumerate(losses) if math.isfinite(value)]
    return min(numbers, key=lambda index: losses[index], default=-1)


def combinations(grid: dict[str, list[Any]], *, first_fastest: bool = False) -> list[dict[str, Any]]:
    """Return all settings of a grid."""
    names = list(reversed(grid)) if first_fastest else list(grid)
    rows = itertools.product(*(grid[name] for name in names))
    return [{name: dict(zip(names, row, strict=True))[name] for name in grid} for row in rows]


def drawn(seed: int) -> Tensor:
    """Return what torch draws first after it was seeded."""
    return torch.rand(3, generator=torch.Generator().manual_seed(seed))
