"""m11_lora: teach a trained model something new by training two thin matrices beside each big one.

Fine-tuning moves every weight by a little. LoRA bets that the whole move of a matrix W can be written as B @ A, with a
rank of 8 or so, freezes W and trains just A and B: for GPT-2 small a quarter of a percent of the weights. What was
learned fits into a small file, and can be added to W, so that using it costs nothing.

Left out: choosing the rank by itself (AdaLoRA), a quantized base (QLoRA; m13 has the quantization), LoRA on embeddings.
Any nn.Module will do, and torch is all it takes; the package peft is not among the allowed imports.
Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (2021), section 4.1.
"""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """A linear layer with an adapter: base(x) + alpha / rank * B @ A @ x.

    `base` is the very layer that was handed in, bias and all. `lora_A` (rank d_in) and `lora_B` (d_out rank) are
    nn.Parameters of base's dtype on base's device; they and base are the only state. A is drawn at random with a spread
    of about 1 / sqrt(d_in), B is zero. In training mode, `dropout` falls on what A is given, and on nothing else.
    A new layer is in the mode (training or not) that base is in. `merged` says whether base holds the adapter's part:
    only merge and unmerge change that, and neither train() nor eval() does.

    Example: with W = [[1, 2], [3, 4]], no bias, A = [[1, 1]], B = [[1], [-1]] and alpha 2, [1, 1] becomes
    [3, 7] + 2 * [2, -2] = [7, 3].
    Raises ValueError, naming the rank, when it is below 1.
    """

    merged: bool

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        # TODO(m11.1): keep base, make A and B like its weight.
        raise NotImplementedError("m11.1")

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        """Add the adapter's part to base's; once merged, base is all there is."""
        # TODO(m11.1): two thin products beside base.
        raise NotImplementedError("m11.1")

    def merge(self) -> None:
        """Add alpha / rank * B @ A to base's weight, in place and without a graph; a merged layer stays as it is."""
        # TODO(m11.2): shift the weight, once.
        raise NotImplementedError("m11.2")

    def unmerge(self) -> None:
        """Take it out again, up to rounding; a layer that is not merged stays as it is."""
        # TODO(m11.2): and back.
        raise NotImplementedError("m11.2")


def inject_lora(model: nn.Module, targets: Iterable[str], rank: int, alpha: float, dropout: float = 0.0) -> list[str]:
    """Put a LoRALinear in the place of each nn.Linear that a target fits, and return their names in the model's order.

    A target is the end of a dotted name, in whole parts: "c_proj" fits h.0.attn.c_proj and h.0.mlp.c_proj, "mlp.c_proj"
    only the second, "proj" neither. Other modules are left alone. So are layers that have an adapter already, and what
    is inside of them. The model's outputs are the same as before.
    Raises ValueError, naming the target, before anything is replaced, when one fits no layer, with or without adapter;
    the `base` inside of a LoRALinear is none.
    """
    # TODO(m11.3): find all layers first, then replace them.
    raise NotImplementedError("m11.3")


def freeze_base(model: nn.Module) -> None:
    """Let lora_A and lora_B of every LoRALinear need a gradient, and no other parameter, whatever it is called."""
    # TODO(m11.3): everything off, then the adapters on.
    raise NotImplementedError("m11.3")


def lora_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Return detached copies of all adapters and of nothing else, by their names in the model.

    Example: a model whose one LoRALinear is h.0.c_fc gives h.0.c_fc.lora_A and h.0.c_fc.lora_B.
    """
    # TODO(m11.4): the adapters, by name.
    raise NotImplementedError("m11.4")


def load_lora(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy what lora_state_dict gave into the model's own parameters, which stay the same ones and keep their dtype.

    Raises ValueError when a key is missing, unknown, or has another shape than the model's, naming the key, and when a
    layer is merged, naming the layer: base would keep the old adapter's part. Nothing is changed then.
    """
    # TODO(m11.4): check everything, then copy.
    raise NotImplementedError("m11.4")
