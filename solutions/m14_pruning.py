"""m14_pruning: leave most of a trained model's weights out, and keep what it knows.

Most weights hardly matter. You find those by magnitude, or by what flows through them; leave two of every four out
and store the rest; take whole neurons and heads away; and train on while what is gone stays gone.

A mask is a bool tensor of its weight's shape, on its device, and True stays. What is lowest goes; of equals those that
stand first go first, row by row. A sparsity s makes round(s * n) of n go, by Python's round, which takes a half to its
even neighbour; one outside 0..1, NaN too, raises ValueError, naming it. A weight may be an nn.Parameter. No argument
changes, but m14.4's and m14.5's models. Left out: kernels that skip zeros; weights chosen by derivatives (SparseGPT).
Not allowed, since you build them: torch.nn.utils.prune, torch.ao.pruning, torch.sparse's semi-structured tensors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.optim import Optimizer

Weight = Float[Tensor, "d_out d_in"]
Values = Float[Tensor, "d_out half"]
Places = UInt8[Tensor, "d_out n_bytes"]
Masks = Mapping[str, Bool[Tensor, "..."]]


def linear_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return what there is to prune: the weight itself of every nn.Linear, or class derived from it, at any depth.

    Names, such as "h.0.mlp.c_fc.weight", and their order are those of model.named_parameters(). Left out is a weight
    that another module holds as well (GPT-2's lm_head, tied to wte): whoever cuts that, cuts the words too.
    """
    modules = list(model.modules())
    linear = {id(module.weight) for module in modules if isinstance(module, nn.Linear)}
    held = [id(weight) for module in modules for weight in module.parameters(recurse=False)]
    return {
        name: weight
        for name, weight in model.named_parameters()
        if id(weight) in linear and held.count(id(weight)) == 1
    }


def magnitude_mask(weight: Float[Tensor, "..."], sparsity: float) -> Bool[Tensor, "..."]:
    """Let the lowest magnitudes go. Example: [[3, -1], [0.5, -4]] and 0.5 give [[True, False], [False, True]]."""
    scores = weight.abs().flatten()
    return _staying(scores, _count(sparsity, len(scores))).view(weight.shape)


def global_masks(weights: Mapping[str, Float[Tensor, "..."]], sparsity: float) -> dict[str, Bool[Tensor, "..."]]:
    """Return a mask for each of several weights, by its name: all of them compete, and the first weight stands first.

    Example: {"a": [4, 3], "b": [1, -2]} and 0.5 give {"a": [True, True], "b": [False, False]}.
    """
    # One long row of all weights: where a matrix begins and ends means nothing to the ranking.
    row = torch.cat([weight.flatten() for weight in weights.values()])
    parts = iter(magnitude_mask(row, sparsity).split([weight.numel() for weight in weights.values()]))
    return {name: next(parts).view(weight.shape) for name, weight in weights.items()}


def mask_2_4(weight: Weight) -> Bool[Tensor, "d_out d_in"]:
    """Let two of each four go that lie side by side in a row: those of lowest magnitude.

    Example: [[1, -4, 3, 2]] gives [[False, True, True, False]]. Raises ValueError, naming d_in, unless 4 divides it.
    """
    return _staying(_fours(weight.abs()), 2).flatten(1)


def compress_2_4(weight: Weight, mask: Bool[Tensor, "d_out d_in"]) -> tuple[Values, Places]:
    """Store what a 2:4 mask lets stay: the values, in their order and dtype, and the place (0..3) of each in its four.

    A place takes two bits. A byte holds four places, the first in its lowest bits, and 0 in bits to spare: n_bytes is
    half / 4, rounded up. Example: the row [1, -4, 3, 2] and its mask above give [-4, 3] and the byte 0b1001.
    Raises ValueError unless 4 divides d_in and exactly two of each four stay.
    """
    fours = _fours(mask)
    if not bool((fours.sum(-1) == 2).all()):
        raise ValueError("a 2:4 mask lets exactly two of each four stay")
    values = weight[mask].view(len(mask), -1)  # (d_out, d_in) -> (d_out, half), row by row
    places = torch.arange(4, device=mask.device).expand(fours.shape)[fours].view(values.shape)
    places = nn.functional.pad(places, (0, -places.shape[1] % 4)).unflatten(1, (-1, 4))
    return values, (places << _shifts(mask.device)).sum(-1).to(torch.uint8)


def decompress_2_4(values: Values, places: Places) -> Weight:
    """Undo compress_2_4, with 0 elsewhere. Raises ValueError, naming half and n_bytes, unless these belong together."""
    half, n_bytes = values.shape[1], places.shape[1]
    if n_bytes != -(-half // 4):
        raise ValueError(f"{half} values in a row do not have {n_bytes} bytes of places")
    # (d_out, n_bytes) -> (d_out, n_bytes, 4) -> (d_out, half)
    within = (places[..., None] >> _shifts(places.device) & 3).flatten(1)[:, :half]
    start = torch.arange(half, device=values.device) // 2 * 4  # two values for each four
    return values.new_zeros(len(values), 2 * half).scatter(1, start + within, values)


def wanda_scores(weight: Weight, x: Float[Tensor, "... d_in"]) -> Weight:
    """Score each weight by its magnitude times the 2-norm, over all tokens, of the input that it multiplies: x[..., i].

    Half precision is scored in float32, any other dtype in its own. (Sun et al. 2024, section 3.)
    Example: weight [[1, -3]] and two tokens x [[3, 0], [4, 1]] give [[5, 3]].
    """
    # Pitfall: 300 squared is more than float16 holds.
    dtype = torch.promote_types(weight.dtype, torch.float32)
    norms = torch.linalg.vector_norm(x.to(dtype).reshape(-1, x.shape[-1]), dim=0)
    return weight.abs() * norms


def wanda_mask(weight: Weight, x: Float[Tensor, "... d_in"], sparsity: float) -> Bool[Tensor, "d_out d_in"]:
    """Let the weights of lowest score go, in each row by itself: n is d_in, and all outputs keep as many inputs."""
    scores = wanda_scores(weight, x)
    return _staying(scores, _count(sparsity, scores.shape[1]))


def neuron_scores(mlp: nn.Module) -> Float[Tensor, "d_ff"]:
    """Score a neuron by the 2-norm of its weights in mlp.c_fc times that of those in mlp.c_proj, biases left out."""
    # nn.Linear keeps (d_out, d_in): a neuron is a row where it is an output, and a column where it is an input.
    reads, writes = (mlp.get_parameter(f"{name}.weight") for name in ("c_fc", "c_proj"))
    return torch.linalg.vector_norm(reads, dim=1) * torch.linalg.vector_norm(writes, dim=0)


def prune_neurons(mlp: nn.Module, keep: Sequence[int]) -> None:
    """Cut an MLP down to the neurons in `keep`, in that order: c_fc and c_proj are smaller nn.Linear from now on.

    What is left of weights and biases has its old numbers, dtype, device and requires_grad; c_proj's bias is left
    whole. So mlp(x) gives what it gave before with 0 for all that c_proj got from the other neurons.
    Raises ValueError, naming it, for a neuron that is not there (-1, say) or comes twice; also when keep is empty.
    """
    parts: Any = mlp  # to mypy, what a module holds is a tensor or a module
    keep = _kept(keep, parts.c_fc.out_features)
    parts.c_fc, parts.c_proj = _cut(parts.c_fc, rows=keep), _cut(parts.c_proj, columns=keep)


def prune_heads(attention: nn.Module, keep: Sequence[int]) -> None:
    """Cut an attention down to the heads in `keep`, in that order, as prune_neurons cuts an MLP, errors included.

    c_attn gives all queries, then all keys, then all values, head after head in each; c_proj reads the heads side by
    side. n_heads becomes len(keep). A head stays as wide as it was: c_proj.in_features / n_heads.
    """
    parts: Any = attention
    keep, width = _kept(keep, parts.n_heads), parts.c_proj.in_features
    lanes = torch.arange(width).view(parts.n_heads, -1)[keep].flatten()  # c_proj reads the heads side by side
    rows = torch.cat([part * width + lanes for part in range(3)])
    parts.c_attn, parts.c_proj = _cut(parts.c_attn, rows=rows), _cut(parts.c_proj, columns=lanes)
    parts.n_heads = len(keep)


def cubic_sparsity(step: int, begin: int, end: int, final: float, initial: float = 0.0) -> float:
    """Return a step's sparsity: `initial` up to begin, `final` from end on, between them a rise that slows down.

    There it is final + (initial - final) * (1 - t)**3, and t goes evenly from 0 at begin to 1 at end. (Zhu and Gupta
    2017.) Raises ValueError, naming both, unless begin < end.
    Example: begin 0, end 4 and final 0.8 give 0, 0.7 and 0.8 for the steps 0, 2 and 4.
    """
    if not begin < end:
        raise ValueError(f"a rise from step {begin} to step {end} has no steps")
    t = min(max((step - begin) / (end - begin), 0.0), 1.0)
    return final + (initial - final) * (1 - t) ** 3


def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Write 0 where a mask is False, over NaN too (0 * NaN is NaN), into the model's own parameters of these names.

    Raises ValueError, naming it, for a name without a parameter or a mask of another shape; nothing is changed then.
    """
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            raise ValueError(f"there is no parameter {name} of shape {list(mask.shape)}")
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].masked_fill_(~mask, 0.0)


def finetune(
    model: nn.Module, masks: Masks, batches: Iterable[Any], loss: Callable[..., Tensor], optimizer: Optimizer
) -> list[float]:  # fmt: skip
    """Train on, a step for each batch as it comes, with masked weights at exactly 0; return each step's loss.

    They are 0 before loss(model, batch) is asked, the first time too, and 0 again after optimizer.step(), whatever
    momentum it brings along; without a batch they are 0 as well. Gradients from before take no part.
    """
    losses = []
    apply_masks(model, masks)
    for batch in batches:
        value = loss(model, batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        # Pitfall: a masked gradient is not enough. Momentum from before moves a weight without any gradient.
        apply_masks(model, masks)
        losses.append(value.item())
    return losses


def _count(sparsity: float, n: int) -> int:
    """Return how many of n go."""
    if not 0 <= sparsity <= 1:  # false for NaN too
        raise ValueError(f"a sparsity lies in 0..1, and this one is {sparsity}")
    return round(sparsity * n)


def _staying(scores: Tensor, count: int) -> Tensor:
    """Return a mask that lets the `count` lowest of each row (of the last axis) go."""
    # Pitfall: topk promises no order among equals, and a threshold takes all of them or none.
    lowest = scores.argsort(stable=True)[..., :count]
    return torch.ones_like(scores, dtype=torch.bool).scatter(-1, lowest, False)


def _fours(weight: Tensor) -> Tensor:
    """Return a matrix of rows with an axis more, one place for each four. Raises ValueError where a rest is left."""
    if weight.shape[1] % 4 != 0:
        raise ValueError(f"d_in {weight.shape[1]} cannot be cut into fours")
    return weight.unflatten(1, (-1, 4))


def _shifts(device: torch.device) -> Tensor:
    """Return by how many bits the four places of a byte are shifted."""
    return 2 * torch.arange(4, device=device)


def _kept(keep: Sequence[int], count: int) -> list[int]:
    """Return a list of what is kept of 0..count - 1. Raises ValueError for what can't be."""
    keep = list(keep)
    wrong = [number for place, number in enumerate(keep) if number in keep[:place] or not 0 <= number < count]
    if wrong or not keep:
        raise ValueError(f"of {count} there can be kept some, each once, and not {wrong or keep}")
    return keep


def _cut(linear: nn.Linear, rows: Any = slice(None), columns: Any = slice(None)) -> nn.Linear:
    """Return a layer with these outputs and inputs of another."""
    weight = linear.weight[rows][:, columns]
    cut = nn.Linear(weight.shape[1], weight.shape[0], bias=linear.bias is not None, device="meta")
    cut.weight = nn.Parameter(weight, linear.weight.requires_grad)
    if linear.bias is not None:
        cut.bias = nn.Parameter(linear.bias[rows], linear.bias.requires_grad)
    return cut
