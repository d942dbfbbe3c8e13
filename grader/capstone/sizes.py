"""The sizes of a capstone's model, as far as somebody has chosen them."""

from __future__ import annotations

import argparse

from grader.judge.errors import UsageProblem

DEFAULTS = {"vocab_size": 2048, "context_length": 128, "d_model": 128, "n_layers": 4, "n_heads": 4}
# What each may be: a vocabulary has all bytes and the end of a text, and its ids are kept in 16 bits.
BOUNDS = {
    "vocab_size": (257, 65_536),
    "context_length": (16, 2048),
    "d_model": (4, 1024),
    "n_layers": (1, 64),
    "n_heads": (1, 64),
}
MOST = 4_200_000  # numbers that are kept at once, some 17 MB: the 256 MB that a worker may send hold 14 of them


def option(name: str) -> str:
    """Return how a size is called on a command line."""
    return f"--{name.replace('_', '-')}"


def chosen(options: argparse.Namespace) -> dict[str, int]:
    """Return the sizes that were named."""
    return {name: getattr(options, name) for name in DEFAULTS if getattr(options, name) is not None}


def check(named: dict[str, int]) -> None:
    """Raise UsageProblem for sizes of which there is no model, or one that is too large to be kept as it learns."""
    for name, size in named.items():
        low, high = BOUNDS[name]
        if not low <= size <= high:
            raise UsageProblem(f"{option(name)} {size} is no such size here: {low} to {high:,}.")
    sizes = DEFAULTS | named
    width, heads = sizes["d_model"], sizes["n_heads"]
    if width % 4 or width % heads:
        raise UsageProblem(f"--d-model {width} cannot be divided by 4 and by --n-heads {heads}.")
    if (numbers := kept_numbers(sizes)) > MOST:
        raise UsageProblem(
            f"A model of these sizes has some {numbers:,} numbers; {MOST:,} are the most that are kept as it learns."
        )


def kept_numbers(sizes: dict[str, int]) -> int:
    """Return how many numbers a model's weights are, nearly; its table of tokens stands there twice."""
    width = sizes["d_model"]
    tables = 2 * sizes["vocab_size"] + sizes["context_length"]
    return width * tables + sizes["n_layers"] * (12 * width * width + 13 * width)
