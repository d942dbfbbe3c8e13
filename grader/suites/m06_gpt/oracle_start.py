"""What m06_gpt's count and first weights are compared with, and what the classic mistakes make of them."""

import math
from typing import Any

import torch

from grader.judge import expect, expect_bound
from grader.suites.shared.drawn import TRUNCATED

from .oracle import NOT_SEEN, State

UNREACHED = "torch's own start of a bias is left: init_weights sets it to 0"
LEFT = "init_weights leaves it as it was"
SHORTENED = 0.8796  # times its standard deviation is that of a normal distribution truncated there
AT_ADDRESS = "parameters are told apart by data_ptr(), which is 0 for all of them on the meta device"
LAST_AT_ADDRESS = f"{AT_ADDRESS} (the last one is left)"
UNEVEN = "a new model should know nothing: embeddings are drawn with standard deviation 0.02, not torch's 1.0"
SAME_DICE = "the random numbers are seeded inside: two models start with the same weights"


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
        "the positions are left out of the count (nanoGPT's number, without embeddings of positions)": (
            number_of_parameters(sizes | {"context_length": 0})
        ),
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


def expect_initialised(state: State, sizes: dict[str, Any], before: State | None = None) -> None:
    """Compare the mean and the spread of every tensor with what GPT-2's initialisation gives.

    The smallest matrix has 8,100 numbers: its spread is off by 0.8 % of itself (one standard deviation), and 8 % are
    allowed. `before` is what the tensors were before they were drawn.
    """
    narrow = 0.02 / math.sqrt(2 * sizes["n_layers"])
    for key, value in state.items():
        left = LEFT if before is not None and torch.equal(value, before[key]) else None
        if key.endswith("bias") or "ln_" in key:
            fixed = 1.0 if key.endswith("weight") else 0.0
            misses = {"norms start with weight 1, biases with 0": 1.0 - fixed}
            mistake = left or next((words for words, wrong in misses.items() if bool((value == wrong).all())), None)
            mistake = mistake or (UNREACHED if "ln_" not in key else None)
            said = f"{key} should start as {fixed:g} throughout, and starts with {value.flatten()[:4].tolist()}."
            expect(bool((value == fixed).all()), said, mistake=mistake, evidence="value")
            continue
        spread, wanted = float(value.double().std()), narrow if key.endswith("c_proj.weight") else 0.02
        said = f"The standard deviation of {key} is {spread:.3g}, expected {wanted:.3g}."
        mistake = left or spread_miss(spread, key, value.shape, sizes["n_layers"])
        expect_bound(spread / wanted, said, above=0.92, below=1.08, mistake=mistake)
        centre = float(value.double().mean()) / wanted * math.sqrt(value.numel())
        said = f"The mean of {key} is {float(value.double().mean()):.3g}, expected about 0."
        expect_bound(centre, said, above=-10, below=10, mistake="the mean of the normal distribution is not 0")


def spread_miss(spread: float, key: str, shape: torch.Size, n_layers: int) -> str | None:
    """Return the classic mistake that gives a tensor nearest to this spread, or None."""
    d_out, d_in = shape
    misses = {}
    if key == "wpe.weight":
        misses["the table of positions has standard deviation 0.02 too, and not 0.01"] = 0.01
    narrow = 0.02 / math.sqrt(2 * n_layers)
    if key.endswith("c_proj.weight"):
        misses = {
            "the projections into the residual stream (c_proj) are not scaled down": 0.02,
            "two projections per layer write into the stream: divide by sqrt(2 * n_layers), not by sqrt(n_layers)": (
                0.02 / math.sqrt(n_layers)
            ),
            "divided by 2 * n_layers; its square root is meant": 0.02 / (2 * n_layers),
            "multiplied by sqrt(2 * n_layers) instead of divided": 0.02 * math.sqrt(2 * n_layers),
            TRUNCATED: SHORTENED * narrow,
        }
    else:
        misses |= {
            "every matrix is scaled down; only c_proj, which writes into the stream, should be": narrow,
            TRUNCATED: SHORTENED * 0.02,
        }
    misses |= {
        "this is torch's own start of nn.Linear: init_weights does not reach it": 1 / math.sqrt(3 * d_in),
        "this is torch's own start of an embedding (standard deviation 1)": 1.0,
        "0.02 is the standard deviation, not the variance": math.sqrt(0.02),
        "0.02 is the standard deviation, not its square": 0.02**2,
        "a uniform distribution from -0.02 to 0.02; a normal one is meant": 0.02 / math.sqrt(3),
        "this is Xavier's (Glorot's) start; GPT-2's standard deviation is 0.02": math.sqrt(2 / (d_in + d_out)),
        "this is Kaiming's (He's) start; GPT-2's standard deviation is 0.02": math.sqrt(2 / d_in),
        "everything is zero": 0.0,
    }
    nearest = min(misses, key=lambda words: abs(spread - misses[words]))
    return nearest if math.isclose(spread, misses[nearest], rel_tol=0.04) else None
