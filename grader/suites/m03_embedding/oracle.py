"""What m03's checks compare with: tables looked up, waves in complex numbers, and the classic mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grader.judge import StudentError, expect, expect_bound, expect_raises
from grader.suites.shared.drawn import shape_mistake

Misses = dict[str, Callable[[], Tensor]]

CUT = "no gradient arrives: the rows are detached (.data, .detach(), no_grad), or the table is no nn.Parameter"
NOT_LEARNT = "the table is not registered as an nn.Parameter, so that nothing trains it"
EXTRA = "there is state beside the table"
GROWS = "a one-hot vector is multiplied with the whole table: index the table instead"
KEYWORD = "wte or wpe is called by keyword: what can be called as wte(ids) and wpe(seq, start) may call these otherwise"
NO_IDS = "no ids at all (seq 0) are not provided for"
NO_LAST = "the last position cannot be reached: start + seq may be as large as context_length"
LOOKS_INSIDE = "wte and wpe are asked for something else than to be called; they need not be modules with a `weight`"
ELSEWHERE = "the device is not passed on"
WRAPS_ID = "a negative id counts from the end of the table, as torch's indices do: refuse it yourself"
CLAMPS_ID = "an id outside is moved to the nearest that has a row"
MODULO_ID = "an id outside wraps around (% vocab_size)"
ONCE = "the gradients of an id that occurs twice do not add up: only one occurrence counts"
ONCE_FIRST = f"{ONCE} (the first)"


def state_misses(found: list[str]) -> dict[str, list[str]]:
    """Name what is wrong with the keys of a table's state_dict."""
    if "weight" in found:
        return {EXTRA: found}
    return {"the table has another name than `weight`": found} if found else {NOT_LEARNT: found}


def lookup_misses(table: Tensor, ids: Tensor) -> Misses:
    """Look ids up as the classic mistakes do."""
    rows = table[ids]
    return {
        "rows are counted from 1: id 0 has the first row": lambda: table[ids - 1],
        "batch and seq are swapped": lambda: rows.transpose(0, 1),
        "the vectors are multiplied by sqrt(d_model), which GPT-2 does not do": lambda: rows * table.shape[1] ** 0.5,
        "the rows of a sequence are averaged": lambda: rows.mean(1),
        "the rows of a sequence are added up, as a product with counts does": lambda: rows.sum(1),
    }


def gradient_misses(table: Tensor, ids: Tensor, weights: Tensor) -> Misses:
    """Hand gradients back to the rows as the mistakes do: one occurrence of an id counts, or their mean."""
    total, count, last = torch.zeros_like(table), torch.zeros(len(table), 1), torch.zeros_like(table)
    first = torch.zeros_like(table)
    pairs = list(zip(ids.flatten().tolist(), weights.flatten(0, 1), strict=True))
    for row, weight in pairs:
        total[row] += weight
        count[row] += 1
        last[row] = weight
    for row, weight in reversed(pairs):
        first[row] = weight
    return {
        CUT: lambda: torch.zeros_like(table),
        "row 0 learns nothing, as with a padding_idx: every row is learned": lambda: torch.cat(
            [torch.zeros_like(total[:1]), total[1:]]
        ),
        ONCE: lambda: last,
        ONCE_FIRST: lambda: first,
        "the gradients of an id that occurs twice are averaged instead of added": lambda: total / count.clamp(min=1),
    }


def gradient(student: Any, layer: Any, args: list[Any], weights: Tensor) -> Tensor:
    """Return the gradient that arrives at a layer's table, or say that none does."""
    try:
        found = student.probe.gradients(layer, args, weights)["parameters"].get("weight")
    except StudentError as error:
        expect("require grad" not in error.text, "The result has no gradient.", mistake=CUT)
        raise
    expect(isinstance(found, Tensor), "No gradient arrives at `weight`.", mistake=CUT)
    return found


def expect_normal(values: Tensor, std: float) -> None:
    """Fail unless values, some 100,000 of them, can come from a normal distribution with mean 0 and this width."""
    values = values.double().flatten()
    width, mean = float(values.std()), float(values.mean())
    inside = float((values.abs() < std).double().mean())
    mistake = shape_mistake(values)
    if mistake is None and 0.9 < width < 1.1:
        mistake = "the table is drawn with standard deviation 1: make it a fiftieth as large"
    elif mistake is None and abs(width - std**2) < 0.02 * std**2:
        mistake = "0.02 is squared, and it is the standard deviation already"
    elif mistake is None and abs(width - std**0.5) < 0.02 * std**0.5:
        mistake = "0.02 is the standard deviation, not the variance"
    # Of 100,000 draws these three have the standard deviations 0.0022 and 0.0032 of std, and 0.0015.
    message = f"The standard deviation of a fresh table is {width:.3g}, expected {std}."
    expect_bound(width / std, message, above=0.975, below=1.025, mistake=mistake)
    message = f"The mean of a fresh table is {mean:.2g}, expected 0."
    mistake = "the numbers are not centred on 0"
    expect_bound(mean / std, message, above=-0.035, below=0.035, mistake=mistake)
    message = f"{inside:.1%} of a fresh table lies within one standard deviation, expected 68.3%: that is not normal."
    expect_bound(inside, message, above=0.6677, below=0.6977, mistake=shape_mistake(values))


def expect_refusal(
    kind: str, function: Callable[..., Any], *args: Any, mentions: tuple[str, ...], misses: dict[str, Tensor]
) -> None:
    """Fail unless the call raises; what it returns instead names the mistake."""
    try:
        value = function(*args)
    except StudentError:
        expect_raises(kind, function, *args, mentions=mentions)
        return
    same = [words for words, given in misses.items() if isinstance(value, Tensor) and torch.equal(value, given)]
    shape = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else "something"
    expect(False, f"The call returned {shape}; expected it to raise {kind}.", mistake=same[0] if same else None)


def position_misses(table: Tensor, seq: int, start: int) -> Misses:
    """Take positions as the classic mistakes do."""
    at = torch.arange(seq)
    return {
        "start is ignored: every sequence begins at position 0": lambda: table[at],
        "positions are counted from 1: the first of all is 0": lambda: table[(at + start + 1) % len(table)],
        "start is taken for the end: the rows before it are returned": lambda: table[max(start - seq, 0) : start],
        "seq is taken for the position where to stop": lambda: table[start:seq],
        "there is an axis for the batch, which positions know nothing of": lambda: table[None, start : start + seq],
        "the whole table is returned": lambda: table,
    }


def overlong_misses(table: Tensor, seq: int, start: int) -> dict[str, Tensor]:
    """Take more positions than there are, as the classic mistakes do."""
    at, last = torch.arange(start, start + seq), len(table) - 1
    return {
        "a slice beyond the end is silently shorter: compare start + seq with context_length first": table[
            start : start + seq
        ],
        "positions beyond the end wrap around": table[at % len(table)],
        "positions beyond the end repeat the last row": table[at.clamp(max=last)],
        "a sequence that is too long is cut off at the front": table[-seq:],
    }


def waves(context_length: int, d_model: int, *, first: int = 0, shape: str = "by turns", swap: bool = False) -> Tensor:
    """Compute sinusoidal positions in complex128: e^(i angle) has the cosine and the sine in it."""
    pair = torch.arange(0, d_model, 2, dtype=torch.float64)
    return _waves(context_length, 10_000 ** (pair / d_model), first=first, shape=shape, swap=swap)


def _waves(
    context_length: int, slowness: Tensor, *, first: int = 0, shape: str = "by turns", swap: bool = False
) -> Tensor:
    position = torch.arange(first, first + context_length, dtype=torch.float64)
    turned = torch.polar(torch.ones(()).double(), position[:, None] / slowness)
    halves = [turned.real, turned.imag] if swap else [turned.imag, turned.real]
    table = torch.cat(halves, dim=1) if shape == "halves" else torch.stack(halves, dim=2).flatten(1)
    return table.float()


def wave_misses(context_length: int, d_model: int) -> Misses:
    """Compute sinusoidal positions as the classic mistakes do."""
    pair = torch.arange(0, d_model, 2, dtype=torch.float64)
    column = torch.arange(d_model, dtype=torch.float64)
    turn = torch.arange(context_length, dtype=torch.float64)[:, None]
    even = torch.arange(d_model) % 2 == 0

    def each_column(angle: Tensor) -> Tensor:
        return torch.where(even, angle.sin(), angle.cos()).float()

    def wrong(slowness: Tensor) -> Callable[[], Tensor]:
        return lambda: _waves(context_length, slowness)

    return {
        "sines and cosines are swapped: even columns hold sines": lambda: waves(context_length, d_model, swap=True),
        "sines fill the left half and cosines the right one; they stand by turns": lambda: waves(
            context_length, d_model, shape="halves"
        ),
        "positions are counted from 1: the first of all is 0": lambda: waves(context_length, d_model, first=1),
        "every column has an angle of its own; both columns of a pair share that of the even one": lambda: each_column(
            turn / 10_000 ** (column / d_model)
        ),
        "the exponent is i / d_model instead of 2 * i / d_model": wrong(10_000 ** (pair / 2 / d_model)),
        "the exponent has a factor of 2 too many: the even column itself is 2 * i": wrong(
            10_000 ** (2 * pair / d_model)
        ),
        "the angle is multiplied by the power of 10000 instead of divided": wrong(10_000 ** (-pair / d_model)),
        "the exponent runs to 1: it is divided by the number of pairs less one": wrong(
            10_000 ** (pair / max(d_model - 2, 1))
        ),
        "the base is 1000 instead of 10000": wrong(1_000 ** (pair / d_model)),
        "all columns are sines": lambda: (turn / 10_000 ** (pair / d_model).repeat_interleave(2)).sin().float(),
        "positions and columns are swapped": lambda: waves(context_length, d_model).T,
    }


def far_misses(context_length: int, d_model: int, found: int) -> Misses:
    """Compute positions from angles that were rounded to half precision, or only the first so many of them."""
    position, pair = torch.arange(context_length)[:, None], torch.arange(0, d_model, 2, dtype=torch.float64)

    def rounded(dtype: torch.dtype) -> Callable[[], Tensor]:
        angle = (position / 10_000 ** (pair / d_model)).to(dtype)
        return lambda: torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).float()

    return {
        "there are only so many positions, however many are asked for: a table of fixed length is cut": lambda: waves(
            min(found, context_length), d_model
        ),
        "the angles are rounded to bfloat16, which cannot tell large positions apart": rounded(torch.bfloat16),
        "the angles are rounded to float16, which cannot tell large positions apart": rounded(torch.float16),
    }


def rows(table: Tensor, seq: int, start: int = 0) -> Tensor:
    """Return the rows of the positions; ValueError when there are too few."""
    if not 0 <= start <= start + seq <= len(table):
        raise ValueError(f"positions {start} to {start + seq - 1} of {len(table)}")
    return table[start : start + seq]


def sum_misses(tokens: Tensor, positions: Tensor, ids: Tensor, start: int) -> Misses:
    """Put tokens and positions together as the classic mistakes do."""
    batch, seq = ids.shape
    vectors, width = tokens[ids], tokens.shape[1]
    here = positions[start : start + seq]
    return {
        "the positions are missing": lambda: vectors,
        "the tokens are missing": lambda: here.expand_as(vectors),
        "start is ignored: every sequence begins at position 0": lambda: vectors + positions[:seq],
        "positions are counted from 1: the first of all is 0": lambda: vectors + positions[start + 1 : start + seq + 1],
        "the position is that of the sequence in the batch, not of the token in the sequence": lambda: (
            vectors + positions[start : start + batch, None]
        ),
        "every token has the position of the first": lambda: vectors + here[:1],
        "every token has the position of the last": lambda: vectors + here[-1:],
        "positions are looked up by id: they must not depend on the tokens": lambda: (
            vectors + positions[ids % len(positions)]
        ),
        "the positions run backwards": lambda: vectors + here.flip(0),
        "the two are multiplied instead of added": lambda: vectors * here,
        "the two are averaged instead of added": lambda: (vectors + here) / 2,
        "the position is subtracted": lambda: vectors - here,
        "the token vectors are multiplied by sqrt(d_model), which GPT-2 does not do": lambda: (
            vectors * width**0.5 + here
        ),
        "the two stand side by side instead of being added": lambda: torch.cat(
            [vectors, here.expand_as(vectors)], dim=-1
        ),
    }
