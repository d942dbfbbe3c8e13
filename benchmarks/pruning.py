"""What gpt2-nano loses with its weights, by the solution of m14, and what each way of leaving some out saves.

First the curve of the guide: the loss on held-out stories against the share of weights that is gone. Then its table:
bytes, loss, and tokens a second of processor time, beside the model as it is and m13's int8. Times are taken by turns,
on one thread.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.judge.probes import model as gpt
from grader.suites.m14_pruning.oracle_learning import Stories
from solutions import m13_quantization as m13
from solutions import m14_pruning as m14

SHARES = (0.2, 0.4, 0.5, 0.6, 0.8)
ROUNDS = 9
SMALL = {"vocab_size": 64, "context_length": 64, "d_model": 768, "n_layers": 2, "n_heads": 12}  # GPT-2's own widths
State = dict[str, Tensor]


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    torch.set_num_threads(1)
    stories = Stories(Draw("0", "guide"), Data())
    yield "held-out loss with all weights, in nats a token", f"{stories.loss(stories.start):.2f}"
    for name, states in curve(stories).items():
        losses = ", ".join(f"{share:.0%} {stories.loss(state):.2f}" for share, state in states.items())
        yield f"without some, {name}", losses
    made = gpt.build(stories.sizes, stories.start)
    ways = made_smaller(made)
    speeds = {size: compared(models, ids) for size, (models, ids) in sized(ways, stories).items()}
    for name, model in ways.items():
        with torch.no_grad():
            loss = nn.functional.cross_entropy(
                model(stories.heldout[:, :-1]).flatten(0, 1), stories.heldout[:, 1:].flatten()
            )
        ratios = ", ".join(f"{speed[name]:.2f} {size}" for size, speed in speeds.items() if name in speed)
        yield name, f"{share(stored(model), made)}, loss {loss:.2f}, speed {ratios}"
    yield "two of each four, compressed", share(compressed(made), made)


def curve(stories: Stories) -> dict[str, dict[float, State]]:
    """Return for each way of choosing the weights that are left, by the share that is gone."""
    weights, inputs = stories.matrices(), flowing(stories)
    lots = Draw("0", "lots")
    ways: dict[str, Callable[[float], dict[str, Tensor]]] = {
        "by magnitude, each matrix by itself": lambda s: {n: m14.magnitude_mask(w, s) for n, w in weights.items()},
        "by magnitude, all matrices together": lambda s: m14.global_masks(weights, s),
        "by Wanda's scores": lambda s: {n: m14.wanda_mask(w, inputs[n], s) for n, w in weights.items()},
        "by lot": lambda s: stories.random_masks(lots, s),
    }
    found = {name: {s: stories.without(way(s)) for s in SHARES} for name, way in ways.items()}
    return found | {"two of each four": {0.5: stories.without({n: m14.mask_2_4(w) for n, w in weights.items()})}}


def flowing(stories: Stories) -> dict[str, Tensor]:
    """Return what flows into each matrix, for some windows of training text."""
    found: dict[str, Tensor] = {}
    made = gpt.build(stories.sizes, stories.start)
    for name in stories.matrices():
        module = made.get_submodule(name.removesuffix(".weight"))
        module.register_forward_pre_hook(lambda _, args, name=name: found.__setitem__(name, args[0]))
    with torch.no_grad():
        made(stories.windows(Draw("0", "flow"), 1)[0][:, :-1])
    return found


def made_smaller(made: Any) -> dict[str, Any]:
    """Return a model as it is, and its copies that each way of leaving something out has made."""
    zeros, integers, half = (copy.deepcopy(made) for _ in range(3))
    m14.apply_masks(zeros, {n: m14.magnitude_mask(w, 0.5) for n, w in m14.linear_weights(zeros).items()})
    m13.quantize_model(integers, skip=("lm_head",))
    for layer in half.h:
        order = m14.neuron_scores(layer.mlp).argsort(descending=True)
        m14.prune_neurons(layer.mlp, order[: len(order) // 2].tolist())
    return {
        "as it is": made,
        "half of the weights 0": zeros,
        "int8 (m13)": integers,
        "half of the neurons gone": half,
    }


def sized(ways: dict[str, Any], stories: Stories) -> dict[str, tuple[dict[str, Any], Tensor]]:
    """Return what is timed: gpt2-nano's copies, and those of layers as wide as GPT-2's, with what they read."""
    torch.manual_seed(0)
    wide = gpt.LanguageModel(**SMALL).eval()
    return {
        "at gpt2-nano's widths": (ways, stories.heldout[:8, :-1]),
        "at GPT-2's": (made_smaller(wide), torch.randint(0, SMALL["vocab_size"], (4, 64))),
    }


def compared(models: dict[str, Any], ids: Tensor) -> dict[str, float]:
    """Time the models by turns; return for each how many times the first one's tokens a second it reaches."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    with torch.no_grad():
        for number in range(ROUNDS + 1):
            for name, model in models.items():
                start = time.process_time()
                for _ in range(4):
                    model(ids)
                if number:  # whatever is left to the first time
                    seconds[name].append(time.process_time() - start)
    first = next(iter(seconds.values()))
    return {
        name: statistics.median(one / own for one, own in zip(first, some, strict=True))
        for name, some in seconds.items()
    }


def compressed(made: Any) -> int:
    """Return the bytes of a model's layers with two of each four weights stored: values and places."""
    saved = 0
    for weight in m14.linear_weights(made).values():
        values, places = m14.compress_2_4(weight, m14.mask_2_4(weight))
        saved += weight.nbytes - values.nbytes - places.nbytes
    return stored(made) - saved


def share(size: int, made: Any) -> str:
    """Say how many bytes these are, and which share of a model's layers."""
    return f"{size:,} bytes ({size / stored(made):.0%})"


def stored(model: Any) -> int:
    """Return the bytes of a model's layers."""
    return m13.stored_bytes(model.h)
