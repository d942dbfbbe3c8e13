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
    # TODO(m14.1): which matrices compete?
    raise NotImplementedError("m14.1")


def magnitude_mask(weight: Float[Tensor, "..."], sparsity: float) -> Bool[Tensor, "..."]:
    """Let the lowest magnitudes go. Example: [[3, -1], [0.5, -4]] and 0.5 give [[True, False], [False, True]]."""
    raise NotImplementedError("m14.1")


def global_masks(weights: Mapping[str, Float[Tensor, "..."]], sparsity: float) -> dict[str, Bool[Tensor, "..."]]:
    """Return a mask for each of several weights, by its name: all of them compete, and the first weight stands first.

    Example: {"a": [4, 3], "b": [1, -2]} and 0.5 give {"a": [True, True], "b": [False, False]}.
    """
    raise NotImplementedError("m14.1")


def mask_2_4(weight: Weight) -> Bool[Tensor, "d_out d_in"]:
    """Let two of each four go that lie side by side in a row: those of lowest magnitude.

    Example: [[1, -4, 3, 2]] gives [[False, True, True, False]]. Raises ValueError, naming d_in, unless 4 divides it.
    """
    # TODO(m14.2): rank each four by itself.
    raise NotImplementedError("m14.2")


def compress_2_4(weight: Weight, mask: Bool[Tensor, "d_out d_in"]) -> tuple[Values, Places]:
    """Store what a 2:4 mask lets stay: the values, in their order and dtype, and the place (0..3) of each in its four.

    A place takes two bits. A byte holds four places, the first in its lowest bits, and 0 in bits to spare: n_bytes is
    half / 4, rounded up. Example: the row [1, -4, 3, 2] and its mask above give [-4, 3] and the byte 0b1001.
    Raises ValueError unless 4 divides d_in and exactly two of each four stay.
    """
    raise NotImplementedError("m14.2")


def decompress_2_4(values: Values, places: Places) -> Weight:
    """Undo compress_2_4, with 0 elsewhere. Raises ValueError, naming half and n_bytes, unless these belong together."""
    raise NotImplementedError("m14.2")


def wanda_scores(weight: Weight, x: Float[Tensor, "... d_in"]) -> Weight:
    """Score each weight by its magnitude times the 2-norm, over all tokens, of the input that it multiplies: x[..., i].

    Half precision is scored in float32, any other dtype in its own. (Sun et al. 2024, section 3.)
    Example: weight [[1, -3]] and two tokens x [[3, 0], [4, 1]] give [[5, 3]].
    """
    # TODO(m14.3): a weight matters as much as what it multiplies.
    raise NotImplementedError("m14.3")


def wanda_mask(weight: Weight, x: Float[Tensor, "... d_in"], sparsity: float) -> Bool[Tensor, "d_out d_in"]:
    """Let the weights of lowest score go, in each row by itself: n is d_in, and all outputs keep as many inputs."""
    raise NotImplementedError("m14.3")


def neuron_scores(mlp: nn.Module) -> Float[Tensor, "d_ff"]:
    """Score a neuron by the 2-norm of its weights in mlp.c_fc times that of those in mlp.c_proj, biases left out."""
    # TODO(m14.4): what is a neuron's row, and what is its column?
    raise NotImplementedError("m14.4")


def prune_neurons(mlp: nn.Module, keep: Sequence[int]) -> None:
    """Cut an MLP down to the neurons in `keep`, in that order: c_fc and c_proj are smaller nn.Linear from now on.

    What is left of weights and biases has its old numbers, dtype, device and requires_grad; c_proj's bias is left
    whole. So mlp(x) gives what it gave before with 0 for all that c_proj got from the other neurons.
    Raises ValueError, naming it, for a neuron that is not there (-1, say) or comes twice; also when keep is empty.
    """
    raise NotImplementedError("m14.4")


def prune_heads(attention: nn.Module, keep: Sequence[int]) -> None:
    """Cut an attention down to the heads in `keep`, in that order, as prune_neurons cuts an MLP, errors included.

    c_attn gives all queries, then all keys, then all values, head after head in each; c_proj reads the heads side by
    side. n_heads becomes len(keep). A head stays as wide as it was: c_proj.in_features / n_heads.
    """
    raise NotImplementedError("m14.4")


def cubic_sparsity(step: int, begin: int, end: int, final: float, initial: float = 0.0) -> float:
    """Return a step's sparsity: `initial` up to begin, `final` from end on, between them a rise that slows down.

    There it is final + (initial - final) * (1 - t)**3, and t goes evenly from 0 at begin to 1 at end. (Zhu and Gupta
    2017.) Raises ValueError, naming both, unless begin < end.
    Example: begin 0, end 4 and final 0.8 give 0, 0.7 and 0.8 for the steps 0, 2 and 4.
    """
    # TODO(m14.5): the share that is still to go shrinks with a cube.
    raise NotImplementedError("m14.5")


def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Write 0 where a mask is False, over NaN too (0 * NaN is NaN), into the model's own parameters of these names.

    Raises ValueError, naming it, for a name without a parameter or a mask of another shape; nothing is changed then.
    """
    raise NotImplementedError("m14.5")


def finetune(
    model: nn.Module, masks: Masks, batches: Iterable[Any], loss: Callable[..., Tensor], optimizer: Optimizer
) -> list[float]:  # fmt: skip
    """Train on, a step for each batch as it comes, with masked weights at exactly 0; return each step's loss.

    They are 0 before loss(model, batch) is asked, the first time too, and 0 again after optimizer.step(), whatever
    momentum it brings along; without a batch they are 0 as well. Gradients from before take no part.
    """
    raise NotImplementedError("m14.5")
