"""m11_lora: teach a trained model something new by training two thin matrices beside each big one.

Fine-tuning moves every weight by a little. LoRA bets that the whole move of a matrix W can be written as B @ A, with a
rank of 8 or so, freezes W and trains just A and B: for GPT-2 small a quarter of a percent of the weights. What was
learned fits into a small file, and can be added to W, so that using it costs nothing.

Left out: choosing the rank by itself (AdaLoRA), a quantized base (QLoRA; m13 has the quantization), LoRA on embeddings.
Any nn.Module will do, and torch is all it takes; the package peft is not among the allowed imports.
Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (2021), section 4.1.
"""

from collections.abc import Iterable

import torch
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
        if rank < 1:
            raise ValueError(f"the rank of an adapter is at least 1, not {rank}")
        self.base = base
        self.scale = alpha / rank  # with it, another rank needs no other learning rate
        self.dropout = nn.Dropout(dropout)
        self.merged = False
        # One of the two must be zero, so that the layer starts as it was, and one must not, or neither has a gradient.
        weight = base.weight  # its dtype and device hold for both: the model may have moved long ago
        self.lora_A = nn.Parameter(weight.new_empty(rank, base.in_features).normal_(std=base.in_features**-0.5))
        self.lora_B = nn.Parameter(weight.new_zeros(base.out_features, rank))
        self.train(base.training)

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        """Add the adapter's part to base's; once merged, base is all there is."""
        # Pitfall: a merged base has the adapter's part already, so adding it here would count it twice.
        if self.merged:
            return self.base(x)
        narrow = self.dropout(x) @ self.lora_A.T  # (..., d_in) -> (..., rank)
        return self.base(x) + self.scale * (narrow @ self.lora_B.T)  # never builds B @ A, which is as big as W

    def merge(self) -> None:
        """Add alpha / rank * B @ A to base's weight, in place and without a graph; a merged layer stays as it is."""
        if not self.merged:
            self._shift(1)

    def unmerge(self) -> None:
        """Take it out again, up to rounding; a layer that is not merged stays as it is."""
        if self.merged:
            self._shift(-1)

    @torch.no_grad()
    def _shift(self, sign: int) -> None:
        self.base.weight += sign * self.scale * (self.lora_B @ self.lora_A)
        self.merged = not self.merged


def inject_lora(model: nn.Module, targets: Iterable[str], rank: int, alpha: float, dropout: float = 0.0) -> list[str]:
    """Put a LoRALinear in the place of each nn.Linear that a target fits, and return their names in the model's order.

    A target is the end of a dotted name, in whole parts: "c_proj" fits h.0.attn.c_proj and h.0.mlp.c_proj, "mlp.c_proj"
    only the second, "proj" neither. Other modules are left alone. So are layers that have an adapter already, and what
    is inside of them. The model's outputs are the same as before.
    Raises ValueError, naming the target, before anything is replaced, when one fits no layer, with or without adapter;
    the `base` inside of a LoRALinear is none.
    """
    found: list[str] = []
    targets, used = list(targets), set[str]()
    modules = dict(model.named_modules())
    for name, module in modules.items():
        parent = modules.get(name.rpartition(".")[0])
        # The base of a LoRALinear is an nn.Linear too: without this, a second call would wrap it again.
        if not isinstance(module, nn.Linear | LoRALinear) or isinstance(parent, LoRALinear):
            continue
        # The dot in front makes it whole parts: otherwise "proj" fits everything that ends in these letters.
        fitting = [target for target in targets if f".{name}".endswith(f".{target}")]
        used.update(fitting)
        if fitting and isinstance(module, nn.Linear):
            found.append(name)
    if unused := [target for target in targets if target not in used]:
        raise ValueError(f"no linear layer is called {', '.join(unused)}")
    for name in found:
        parent_name, _, attribute = name.rpartition(".")
        setattr(modules[parent_name], attribute, LoRALinear(modules[name], rank, alpha, dropout))  # type: ignore[arg-type]
    return found


def freeze_base(model: nn.Module) -> None:
    """Let lora_A and lora_B of every LoRALinear need a gradient, and no other parameter, whatever it is called."""
    model.requires_grad_(False)
    for layer in _adapted(model).values():
        layer.lora_A.requires_grad_(True)
        layer.lora_B.requires_grad_(True)


def lora_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Return detached copies of all adapters and of nothing else, by their names in the model.

    Example: a model whose one LoRALinear is h.0.c_fc gives h.0.c_fc.lora_A and h.0.c_fc.lora_B.
    """
    return {name: parameter.detach().clone() for name, parameter in _adapters(model).items()}


def load_lora(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy what lora_state_dict gave into the model's own parameters, which stay the same ones and keep their dtype.

    Raises ValueError when a key is missing, unknown, or has another shape than the model's, naming the key, and when a
    layer is merged, naming the layer: base would keep the old adapter's part. Nothing is changed then.
    """
    own = _adapters(model)
    if wrong := sorted(own.keys() ^ state.keys()):
        raise ValueError(f"model and state don't both have {', '.join(wrong)}")
    for name, parameter in own.items():
        if state[name].shape != parameter.shape:
            raise ValueError(f"{name} has shape {tuple(state[name].shape)}, the model's {tuple(parameter.shape)}")
    if merged := [name for name, layer in _adapted(model).items() if layer.merged]:
        raise ValueError(f"unmerge {', '.join(merged)} first")
    with torch.no_grad():
        for name, parameter in own.items():  # all is checked: from here on nothing can fail halfway
            parameter.copy_(state[name])


def _adapted(model: nn.Module) -> dict[str, LoRALinear]:
    # By class, not by name: a model may have parameters of its own that are called lora-something.
    return {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}


def _adapters(model: nn.Module) -> dict[str, nn.Parameter]:
    return {
        f"{name}.{end}".removeprefix("."): getattr(layer, end)
        for name, layer in _adapted(model).items()
        for end in ("lora_A", "lora_B")
    }
