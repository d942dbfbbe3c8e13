"""A whole GPT beside its quantized self: the stories it reads, its layers, its bytes and its loss."""

import json
import re
from typing import Any

import torch
from torch import Tensor

from .oracle import Pair

SENT_BACK = 160 * 2**20  # integers; the judge takes answers of up to 192 MB


MARGIN = 0.01  # nats a token; in five runs int8 by row moved the loss, which is about 0.5, by at most 0.0012
LINEAR = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")


def stories(data: Any, draw: Any, windows: int = 12, length: int = 65) -> Pair:
    """Draw windows of held-out text; returns the tokens that they use, in random order, and windows of places there.

    Only windows whose words are each one of GPT-2's tokens are drawn: looking them up is all the tokenizer it takes.
    """
    words = re.findall(r" ?[A-Za-z]+| ?[0-9]+| ?[.,!?\";:]+|'[a-z]+|\s", data.text("stories_heldout.txt"))
    vocab = json.loads(data.gpt2_encoder)
    ids = [vocab.get(word.replace(" ", "\u0120").replace("\n", "\u010a"), -1) for word in words]
    unknown = torch.tensor(ids).lt(0).cumsum(0)
    starts = (unknown[length:] == unknown[:-length]).nonzero().flatten() + 1  # with nothing unknown after the start
    picked = starts[draw.permutation(len(starts))[:windows]]
    text = torch.tensor(ids)[picked[:, None] + torch.arange(length)]
    used = text.unique()
    tokens = used[draw.permutation(len(used))]
    places = torch.full((len(vocab),), -1)
    places[tokens] = torch.arange(len(tokens))
    return tokens, places[text]


def loss(logits: Tensor, windows: Tensor) -> float:
    """Return the mean loss in nats a token."""
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()))


def layer_names(n_layers: int) -> list[str]:
    """Return the names of the linear layers of a GPT but for its head, in order."""
    return [
        f"h.{n}.{part}" for n in range(n_layers) for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    ]


def first_layers(weights: Any, tokens: Tensor) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights and sizes of a checkpoint's GPT for these tokens, with as many of its layers as can be sent.

    Of gpt2-nano and GPT-2 small that is all of them. What a layer computes does not depend on those above it.
    """
    state = weights.linear_state(tokens)
    each = sum(value.numel() for name, value in state.items() if name.startswith("h.0.") and name.endswith(LINEAR))
    layers = max(1, min(weights.sizes["n_layers"], SENT_BACK // each))
    kept = tuple(f"h.{n}." for n in range(layers))
    state = {name: value for name, value in state.items() if name.startswith(kept) or not name.startswith("h.")}
    return state, weights.sizes | {"vocab_size": len(tokens), "n_layers": layers}


def bytes_after(state: dict[str, Tensor]) -> int:
    """Return how many bytes a GPT takes once the matrices of its layers are int8, with a float32 scale for each row."""
    matrices = [value for name, value in state.items() if name.endswith(LINEAR)]
    others = [value for name, value in state.items() if not name.endswith(LINEAR)]
    return sum(value.numel() + 4 * len(value) for value in matrices) + sum(4 * value.numel() for value in others)
