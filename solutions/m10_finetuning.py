r"""m10_finetuning: teach a trained model a task, and know which of its versions to keep.

A model that has read a lot needs few examples: a new head sorts messages, and labels under answers alone make it
answer. The harder half lies around that: when to stop, and which of many runs to believe. Left out: adapters (m11),
preferences (m12). Sources: Radford et al. (2018), section 3.2; the form is Alpaca's (Taori et al. 2023).
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

Ids = Int64[Tensor, "batch seq"]
Mask = Bool[Tensor, "batch seq"]
Example = tuple[list[int], list[int]]  # ids and labels, one for each
Measure = Callable[..., float]
Row = tuple[dict[str, Any], float]  # settings, and a loss that they gave


def last_token(hidden: Float[Tensor, "batch seq d_model"], mask: Mask) -> Float[Tensor, "batch d_model"]:
    """Pick each row's vector where mask is True for the last time: padding may be on any side.

    Example: rows [[1], [2], [3]], [[4], [5], [6]] with masks [True, True, False], [False, True, True] give [2], [6].
    Raises ValueError, naming the row (the first is 0), when all of it is padding.
    """
    # Pitfall: the number of real tokens tells where the last one stands only if all padding is on the right.
    last = (torch.arange(mask.shape[1], device=mask.device) * mask).argmax(dim=1)
    if not bool(mask.any(dim=1).all()):
        raise ValueError(f"row {int(mask.any(dim=1).int().argmin())} is nothing but padding")
    return hidden[torch.arange(len(hidden)), last]


class GPTClassifier(nn.Module):
    """A GPT that gives scores to classes in place of tokens.

    `body` is the very model handed in. In the place of the nn.Linear `lm_head` at its end stands nn.Identity, so that
    body(ids) is what lm_head was given. `score`, a new nn.Linear without bias, makes n_classes of that, in lm_head's
    dtype and on its device; body and score are the only state. What is new is in the model's mode, its parts in theirs.
    """

    def __init__(self, gpt: nn.Module, n_classes: int) -> None:
        super().__init__()
        # The old head's dtype and device hold for the new one: the model may have moved long ago.
        weight = gpt.get_parameter("lm_head.weight")
        self.score = nn.Linear(weight.shape[1], n_classes, bias=False, dtype=weight.dtype, device=weight.device)
        self.train(gpt.training)  # before body is a part of it: of that some parts may be in eval mode, and stay there
        gpt.lm_head = nn.Identity()
        self.body = gpt

    def forward(self, ids: Ids, mask: Mask) -> Float[Tensor, "batch n_classes"]:
        """Score each row at its last real token: only there has a GPT read all of it, padding on the left included."""
        return self.score(last_token(self.body(ids), mask))


def train_only(model: nn.Module, names: Iterable[str]) -> list[str]:
    """Let the parameters below these names need a gradient and no others; list them in the model's order.

    A name is a parameter's or a module's, in whole parts: "h.1" means h.1.ln_1.bias, say, and nothing of h.10.
    Raises ValueError, naming the name, when there is no parameter below one; nothing is changed then.
    """
    parameters = dict(model.named_parameters())
    # The dot behind both makes it whole parts: without it "h.1" is the beginning of "h.10" too.
    below = {name: [key for key in parameters if f"{key}.".startswith(f"{name}.")] for name in names}
    if unused := [name for name, found in below.items() if not found]:
        raise ValueError(f"there is no parameter below {', '.join(unused)}")
    chosen = set(itertools.chain(*below.values()))
    for key, parameter in parameters.items():
        parameter.requires_grad_(key in chosen)
    return [key for key in parameters if key in chosen]


def format_example(example: dict[str, str]) -> tuple[str, str]:
    r"""Write an instruction as prompt and completion; the completion is its output, untouched.

    The prompt has parts with an empty line between them: "### Instruction:\n" and the instruction, "### Input:\n" and
    the input, "### Response:\n". An input that is empty or missing has no part. Example: {"instruction": "Add",
    "input": "1, 2", "output": "3"} gives "### Instruction:\nAdd\n\n### Input:\n1, 2\n\n### Response:\n" and "3".
    """
    parts = [f"### Instruction:\n{example['instruction']}"]
    if example.get("input"):
        parts.append(f"### Input:\n{example['input']}")
    return "\n\n".join([*parts, "### Response:\n"]), example["output"]


def encode_example(encode: Callable[[str], list[int]], prompt: str, completion: str, end_id: int) -> Example:
    """Return the ids of a prompt and its completion, each encoded by itself, and a label for each id.

    An end_id ends the ids: it is added unless the completion's ids end with it. Labels are -100 (don't count) for the
    prompt's ids, else the ids themselves, end_id too; they are not shifted yet. What encode returns stays as it is.
    Example: a prompt [5, 6] and a completion [7] with end_id 0 give [5, 6, 7, 0] and [-100, -100, 7, 0].
    """
    before, after = encode(prompt), list(encode(completion))  # a copy: a tokenizer may keep its lists for next time
    if after[-1:] != [end_id]:
        after.append(end_id)
    return before + after, [-100] * len(before) + after


def collate(examples: Sequence[Example], pad_id: int) -> tuple[Ids, Ids, Mask]:
    """Make a batch (ids, labels, mask) of examples, padded on the right to the longest; they stay as they were.

    Padding is pad_id among the ids, -100 among the labels, False in the mask. Its place makes it padding, and never a
    value: a token that is pad_id stays one, and stays a label. Example: ([7, 0], [7, 0]) and ([8], [8]) with pad_id 0
    give ids [[7, 0], [8, 0]], labels [[7, 0], [8, -100]]. Raises ValueError when there is no example.
    """
    if not examples:
        raise ValueError("a batch has at least one example")
    longest = max(len(ids) for ids, _ in examples)
    rows = [(ids, labels, longest - len(ids)) for ids, labels in examples]
    return (
        torch.tensor([[*ids, *[pad_id] * missing] for ids, _, missing in rows]),
        torch.tensor([[*labels, *[-100] * missing] for _, labels, missing in rows]),
        # Pitfall: `ids != pad_id` would lose the end token, wherever that is the padding too.
        torch.tensor([[True] * len(ids) + [False] * missing for ids, _, missing in rows]),
    )


def masked_loss(logits: Float[Tensor, "batch seq vocab_size"], labels: Ids) -> Float[Tensor, ""]:
    """Average the cross-entropy (in nats) over all labels of the batch that count; -100 does not.

    Logits at a position are for the next one's label: here the shift happens. When no label counts the loss is 0, and
    its gradient 0 everywhere. Half-precision logits are scored in float32, others in their dtype. No argument changes.
    Example: logits [[[0, 0], [0, ln 3], [9, 9]]] with labels [[-100, 0, 1]] lose ln 2 and ln(4/3), 0.4904 on average.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    targets = labels[:, 1:].flatten()
    total = F.cross_entropy(logits[:, :-1].flatten(0, 1), targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)


def accuracy(model: nn.Module, batches: Iterable[tuple[Ids, Mask, Int64[Tensor, "batch"]]]) -> float:
    """Return the share of rows that model(ids, mask), "batch n_classes", gives the highest score at their own class.

    A batch is ids, mask and classes; all rows weigh alike, however they are batched. The model looks in eval mode and
    without a graph, and each of its modules is in its old mode afterwards. Raises ValueError when there is no row.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    right = count = 0
    with torch.no_grad():
        for ids, mask, classes in batches:
            right += int((model(ids, mask).argmax(dim=-1) == classes).sum())
            count += len(classes)
    for module, training in modes:
        module.training = training
    if not count:
        raise ValueError("there is no row to look at")
    return right / count


def enough(losses: Sequence[float], patience: int, min_delta: float = 0.0) -> bool:
    """Say whether to stop now: when the last `patience` validation losses, or more, were all no improvement.

    The first finite loss is an improvement; a later one must be lower than the last improvement by more than min_delta.
    An equal loss is none; NaN and infinity never are. Raises ValueError, naming the number, when patience is below 1.
    Example: 1, 0.8, 0.81, 0.79, 0.85, 0.84, 0.83: patience 1 is over at 0.81, patience 2 at 0.84, patience 3 at 0.83.
    """
    if patience < 1:
        raise ValueError(f"patience is at least 1, not {patience}")
    best, in_vain = math.inf, 0
    for loss in losses:
        # Pitfall: `loss >= best` is False for NaN, which would so pass for an improvement; infinity is below no best.
        if loss < best - min_delta:
            best, in_vain = loss, 0
        else:
            in_vain += 1
    return in_vain >= patience


def fit(
    model: nn.Module, train_epoch: Measure, validate: Measure, *, epochs: int, patience: int, min_delta: float = 0.0
) -> list[tuple[float, float]]:  # fmt: skip
    """Train for `epochs`, or until it is enough; return each epoch's losses: (train_epoch(), validate()).

    train_epoch is called in training mode, validate after it in eval mode and without a graph. In the end the model is
    in eval mode, and the tensors of its state_dict(), the same as ever, hold what the epoch of the lowest validation
    loss left in them (the first of equals; NaN and infinity are none), or without such an epoch what they began with.
    """
    history: list[tuple[float, float]] = []
    lowest, kept = math.inf, _snapshot(model)
    while len(history) < epochs and not enough([loss for _, loss in history], patience, min_delta):
        model.train()
        trained = train_epoch()
        model.eval()
        with torch.no_grad():
            history.append((trained, validate()))
        if history[-1][1] < lowest:
            lowest, kept = history[-1][1], _snapshot(model)
    model.eval()
    model.load_state_dict(kept)
    return history


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    # Pitfall: state_dict() holds the model's own tensors, which the next step changes.
    return {name: value.clone() for name, value in model.state_dict().items()}


def sweep(grid: dict[str, Sequence[Any]], run: Measure, test: Measure, seeds: Sequence[int]) -> tuple[list[Row], Row]:
    """Try all combinations of a grid's values; return a table of (settings, mean validation loss), and the test's row.

    run(**settings) trains anew and returns a validation loss. It is called once for each combination and seed, torch
    seeded by that just before; the last name's values change fastest, seeds faster still. Then, with the first seed,
    test(**settings) is called once, with those of the lowest mean (the first of equals; NaN and infinity are none):
    they and its loss are the row. torch then draws as if nothing had been. Raises ValueError without seed or such mean.
    """
    if not seeds:
        raise ValueError("a sweep needs at least one seed")
    table: list[Row] = []
    with torch.random.fork_rng():
        for values in itertools.product(*grid.values()):
            settings, losses = dict(zip(grid, values, strict=True)), []
            for seed in seeds:
                torch.manual_seed(seed)
                losses.append(run(**settings))
            table.append((settings, sum(losses) / len(losses)))
        numbers = [row for row in table if math.isfinite(row[1])]
        if not numbers:
            raise ValueError("no combination has a validation loss that is finite")
        best, _ = min(numbers, key=lambda row: row[1])
        torch.manual_seed(seeds[0])  # so that what came last has no say in the test
        return table, (best, test(**best))
