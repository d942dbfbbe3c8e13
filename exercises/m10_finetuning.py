r"""m10_finetuning: teach a trained model a task, and know which of its versions to keep.

A model that has read a lot needs few examples: a new head sorts messages, and labels under answers alone make it
answer. The harder half lies around that: when to stop, and which of many runs to believe. Left out: adapters (m11),
preferences (m12). Sources: Radford et al. (2018), section 3.2; the form is Alpaca's (Taori et al. 2023).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

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
    # TODO(m10.1): where does a row end?
    raise NotImplementedError("m10.1")


class GPTClassifier(nn.Module):
    """A GPT that gives scores to classes in place of tokens.

    `body` is the very model handed in. In the place of the nn.Linear `lm_head` at its end stands nn.Identity, so that
    body(ids) is what lm_head was given. `score`, a new nn.Linear without bias, makes n_classes of that, in lm_head's
    dtype and on its device; body and score are the only state. What is new is in the model's mode, its parts in theirs.
    """

    def __init__(self, gpt: nn.Module, n_classes: int) -> None:
        super().__init__()
        raise NotImplementedError("m10.1")

    def forward(self, ids: Ids, mask: Mask) -> Float[Tensor, "batch n_classes"]:
        """Score each row at its last real token: only there has a GPT read all of it, padding on the left included."""
        raise NotImplementedError("m10.1")


def train_only(model: nn.Module, names: Iterable[str]) -> list[str]:
    """Let the parameters below these names need a gradient and no others; list them in the model's order.

    A name is a parameter's or a module's, in whole parts: "h.1" means h.1.ln_1.bias, say, and nothing of h.10.
    Raises ValueError, naming the name, when there is no parameter below one; nothing is changed then.
    """
    raise NotImplementedError("m10.1")


def format_example(example: dict[str, str]) -> tuple[str, str]:
    r"""Write an instruction as prompt and completion; the completion is its output, untouched.

    The prompt has parts with an empty line between them: "### Instruction:\n" and the instruction, "### Input:\n" and
    the input, "### Response:\n". An input that is empty or missing has no part. Example: {"instruction": "Add",
    "input": "1, 2", "output": "3"} gives "### Instruction:\nAdd\n\n### Input:\n1, 2\n\n### Response:\n" and "3".
    """
    # TODO(m10.2): the parts that are there, with empty lines between.
    raise NotImplementedError("m10.2")


def encode_example(encode: Callable[[str], list[int]], prompt: str, completion: str, end_id: int) -> Example:
    """Return the ids of a prompt and its completion, each encoded by itself, and a label for each id.

    An end_id ends the ids: it is added unless the completion's ids end with it. Labels are -100 (don't count) for the
    prompt's ids, else the ids themselves, end_id too; they are not shifted yet. What encode returns stays as it is.
    Example: a prompt [5, 6] and a completion [7] with end_id 0 give [5, 6, 7, 0] and [-100, -100, 7, 0].
    """
    raise NotImplementedError("m10.2")


def collate(examples: Sequence[Example], pad_id: int) -> tuple[Ids, Ids, Mask]:
    """Make a batch (ids, labels, mask) of examples, padded on the right to the longest; they stay as they were.

    Padding is pad_id among the ids, -100 among the labels, False in the mask. Its place makes it padding, and never a
    value: a token that is pad_id stays one, and stays a label. Example: ([7, 0], [7, 0]) and ([8], [8]) with pad_id 0
    give ids [[7, 0], [8, 0]], labels [[7, 0], [8, -100]]. Raises ValueError when there is no example.
    """
    # TODO(m10.3): pad three things, each in its own way.
    raise NotImplementedError("m10.3")


def masked_loss(logits: Float[Tensor, "batch seq vocab_size"], labels: Ids) -> Float[Tensor, ""]:
    """Average the cross-entropy (in nats) over all labels of the batch that count; -100 does not.

    Logits at a position are for the next one's label: here the shift happens. When no label counts the loss is 0, and
    its gradient 0 everywhere. Half-precision logits are scored in float32, others in their dtype. No argument changes.
    Example: logits [[[0, 0], [0, ln 3], [9, 9]]] with labels [[-100, 0, 1]] lose ln 2 and ln(4/3), 0.4904 on average.
    """
    raise NotImplementedError("m10.3")


def accuracy(model: nn.Module, batches: Iterable[tuple[Ids, Mask, Int64[Tensor, "batch"]]]) -> float:
    """Return the share of rows that model(ids, mask), "batch n_classes", gives the highest score at their own class.

    A batch is ids, mask and classes; all rows weigh alike, however they are batched. The model looks in eval mode and
    without a graph, and each of its modules is in its old mode afterwards. Raises ValueError when there is no row.
    """
    raise NotImplementedError("m10.3")


def enough(losses: Sequence[float], patience: int, min_delta: float = 0.0) -> bool:
    """Say whether to stop now: when the last `patience` validation losses, or more, were all no improvement.

    The first finite loss is an improvement; a later one must be lower than the last improvement by more than min_delta.
    An equal loss is none; NaN and infinity never are. Raises ValueError, naming the number, when patience is below 1.
    Example: 1, 0.8, 0.81, 0.79, 0.85, 0.84, 0.83: patience 1 is over at 0.81, patience 2 at 0.84, patience 3 at 0.83.
    """
    # TODO(m10.4): an improvement, or one more in vain?
    raise NotImplementedError("m10.4")


def fit(
    model: nn.Module, train_epoch: Measure, validate: Measure, *, epochs: int, patience: int, min_delta: float = 0.0
) -> list[tuple[float, float]]:  # fmt: skip
    """Train for `epochs`, or until it is enough; return each epoch's losses: (train_epoch(), validate()).

    train_epoch is called in training mode, validate after it in eval mode and without a graph. In the end the model is
    in eval mode, and the tensors of its state_dict(), the same as ever, hold what the epoch of the lowest validation
    loss left in them (the first of equals; NaN and infinity are none), or without such an epoch what they began with.
    """
    raise NotImplementedError("m10.4")


def sweep(grid: dict[str, Sequence[Any]], run: Measure, test: Measure, seeds: Sequence[int]) -> tuple[list[Row], Row]:
    """Try all combinations of a grid's values; return a table of (settings, mean validation loss), and the test's row.

    run(**settings) trains anew and returns a validation loss. It is called once for each combination and seed, torch
    seeded by that just before; the last name's values change fastest, seeds faster still. Then, with the first seed,
    test(**settings) is called once, with those of the lowest mean (the first of equals; NaN and infinity are none):
    they and its loss are the row. torch then draws as if nothing had been. Raises ValueError without seed or such mean.
    """
    # TODO(m10.5): every combination, every seed; then choose; then test.
    raise NotImplementedError("m10.5")
