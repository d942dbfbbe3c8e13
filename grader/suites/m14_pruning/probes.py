"""Trusted code that the checks of m14_pruning plant in the worker. What it reports is a claim."""

import torch
import torch.nn.functional as F
from torch import nn


def state(module):
    """Return a module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


# ── what there is to prune ────────────────────────────────────────────────────────────────────────────────────────────


class Own(nn.Linear):
    """A linear layer of a class of its own."""


class Tree(nn.Module):
    """Linear layers at several depths, other matrices, and a head that may be tied to the embedding."""

    def __init__(self, tied):
        super().__init__()
        self.wte, self.first = nn.Embedding(11, 6), nn.Linear(6, 6)
        self.h = nn.ModuleList(nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6, bias=n == 1)) for n in range(3))
        self.mixer, self.table = nn.Conv1d(6, 6, 1), nn.Parameter(torch.randn(6, 6))
        deep = nn.Sequential(nn.Sequential(nn.Linear(6, 4)), nn.Bilinear(4, 4, 6))
        self.parts = nn.ModuleDict({"deep": deep, "own": Own(6, 3)})
        self.lm_head = nn.Linear(6, 11, bias=False)
        if tied:
            self.lm_head.weight = self.wte.weight


def found(linear_weights, tied, alone=False):
    """Return the names that linear_weights gives for a tree, or for one layer, and if each is the parameter itself."""
    tree = nn.Linear(3, 2) if alone else Tree(tied)
    weights, own = linear_weights(tree), dict(tree.named_parameters())
    return {"names": list(weights), "same": [name in own and value is own[name] for name, value in weights.items()]}


def of_parameter(wants, function, weight, *rest):
    """Ask a function with a weight, or each weight of a dict, as a parameter that wants a gradient or does not."""
    if isinstance(weight, dict):
        return function({name: nn.Parameter(value, wants) for name, value in weight.items()}, *rest)
    return function(nn.Parameter(weight, wants), *rest)


def masked(student, gpt, sparsity):
    """Return the masks of a GPT's linear layers, which need gradients."""
    return student["global_masks"](student["linear_weights"](gpt), sparsity)


# ── what is cut ───────────────────────────────────────────────────────────────────────────────────────────────────────


class MLP(nn.Module):
    """Two linear layers with GPT-2's GELU between them."""

    def __init__(self, d_model, d_ff, bias):
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(d_model, d_ff, bias=bias), nn.Linear(d_ff, d_model, bias=bias)

    def forward(self, x):
        """(..., d_model) in and out."""
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Attention(nn.Module):
    """Causal attention that takes all sizes but the number of heads from its layers."""

    def __init__(self, d_model, n_heads, width, bias):
        super().__init__()
        self.n_heads = n_heads
        self.c_attn, self.c_proj = nn.Linear(d_model, 3 * width, bias=bias), nn.Linear(width, d_model, bias=bias)

    def forward(self, x):
        """(batch, seq, d_model) in and out."""
        batch, seq, _ = x.shape
        query, key, value = self.c_attn(x).view(batch, seq, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


def mlp(weights):
    """Return an MLP with these weights, in their dtype."""
    d_ff, d_model = weights["c_fc.weight"].shape
    return _filled(MLP(d_model, d_ff, "c_fc.bias" in weights), weights)


def attention(weights, n_heads):
    """Return an attention with these weights, in their dtype."""
    d_model, width = weights["c_proj.weight"].shape
    return _filled(Attention(d_model, n_heads, width, "c_attn.bias" in weights), weights)


def _filled(module, weights):
    module.to(weights["c_proj.weight"].dtype).load_state_dict(weights)
    return module


def shapes(module):
    """Return what the layers of a module say of themselves, and whether each is an nn.Linear."""
    parts = [(name, part) for name, part in module.named_modules() if name]
    return {name: [isinstance(part, nn.Linear), part.in_features, part.out_features] for name, part in parts}


def moved(prune, module, keep, device, frozen):
    """Freeze parameters, move a module, prune it; return the dtype, device and requires_grad of what is left."""
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    module.to(device)
    prune(module, keep)
    return {name: [p.dtype, p.device.type, p.requires_grad] for name, p in module.named_parameters()}


def shrink(student, gpt, neurons, heads):
    """Prune a GPT's MLPs and attentions, layer by layer; return how many numbers are left in its layers."""
    for layer, few, some in zip(gpt.h, neurons, heads, strict=True):
        student["prune_neurons"](layer.mlp, few)
        student["prune_heads"](layer.attn, some)
    return sum(parameter.numel() for parameter in gpt.h.parameters())


# ── what is trained on ────────────────────────────────────────────────────────────────────────────────────────────────


class Net(nn.Module):
    """Two layers and a gain."""

    def __init__(self, weights):
        super().__init__()
        self.first = nn.Linear(weights["first.weight"].shape[1], weights["first.weight"].shape[0])
        self.second = nn.Linear(weights["second.weight"].shape[1], weights["second.weight"].shape[0], bias=False)
        self.gain = nn.Parameter(torch.ones(len(weights["gain"])))
        self.load_state_dict(weights)

    def forward(self, x):
        """(batch, d_in) to (batch, d_out)."""
        return self.second(torch.tanh(self.first(x)) * self.gain)


def squares(model, batch):
    """Return the mean squared error on a batch (x, y)."""
    x, y = batch
    return (model(x) - y).square().mean()


def net(weights):
    """Return a Net."""
    return Net(weights)


def applied(apply_masks, weights, masks, frozen=False):
    """Apply masks to a Net; return its state, and whether it holds the very parameters that it held before."""
    model = Net(weights)
    model.requires_grad_(not frozen)
    before = dict(model.named_parameters())
    apply_masks(model, masks)
    after = dict(model.named_parameters())
    same = all(after.get(name) is parameter for name, parameter in before.items())
    wanting = [name for name, parameter in after.items() if parameter.requires_grad]
    return {"state": state(model), "same": same, "wanting": wanting}


def tuned(finetune, weights, masks, before, batches, kind):
    """Train a Net freely on the batches before, then by `finetune` on the others, with one optimizer; tell all of it.

    The free steps leave momentum and gradients behind. `seen` tells, in their order, of each batch that is taken, and
    of each loss that is asked, with the largest masked weight at that time.
    """
    model, seen = Net(weights), []
    optimizer = optimizer_for(model, kind)
    for batch in before:
        optimizer.zero_grad()
        squares(model, batch).backward()
        optimizer.step()

    def each():
        for number, batch in enumerate(batches):
            seen.append(["batch", number])
            yield batch

    def loss(model, batch):
        own = dict(model.named_parameters())
        seen.append(
            ["loss", max((float(own[name].detach()[~mask].abs().max()) for name, mask in masks.items()), default=0.0)]
        )
        return squares(model, batch)

    losses = finetune(model, masks, each(), loss, optimizer)
    return {"losses": losses, "state": state(model), "seen": seen}


def optimizer_for(model, kind):
    """Return an optimizer with momentum for a model."""
    if kind == "sgd":
        return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return torch.optim.Adam(model.parameters(), lr=0.02, betas=(0.9, 0.95))


def gradually(student, gpt, windows, final, rate, begin, end):
    """Prune a GPT, more at each step from begin to end, and train it in between; return its state.

    `windows` are (steps, batch, seq + 1), and the rate falls to 0 over them.
    """
    weights = student["linear_weights"](gpt)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=rate, betas=(0.9, 0.95))
    gpt.train()
    for step, window in enumerate(windows):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / len(windows))
        sparsity = student["cubic_sparsity"](step + 1, begin, end, final)
        masks = student["global_masks"](weights, sparsity)
        student["finetune"](gpt, masks, [window], _next_tokens, optimizer)
    return state(gpt.eval())


def _next_tokens(model, window):
    return F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
