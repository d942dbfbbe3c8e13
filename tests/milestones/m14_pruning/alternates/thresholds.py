"""Unusual: thresholds with a count of the equals before each; an einsum packs; layers are changed where they are."""

import torch
from torch import nn


def linear_weights(model):
    found, names = {}, {id(p): [] for p in model.parameters()}
    for path, module in model.named_modules(remove_duplicate=True):
        for own, value in module._parameters.items():
            if value is not None:
                names[id(value)].append((path + "." + own if path else own, module))
    for name, value in model.named_parameters():
        holders = names[id(value)]
        if len(holders) == 1 and isinstance(holders[0][1], nn.Linear) and name.split(".")[-1] == "weight":
            found[name] = value
    return found


def _keep(scores, count):
    """Along the last axis: all above the count-th lowest stay, and of those that equal it the last ones."""
    if count == 0:
        return scores == scores
    threshold = scores.kthvalue(count, dim=-1, keepdim=True).values
    below, equal = scores < threshold, scores == threshold
    spare = count - below.sum(-1, keepdim=True)
    return ~(below | (equal & (equal.cumsum(-1) <= spare)))


def _how_many(sparsity, n):
    if sparsity >= 0 and sparsity <= 1:
        return int(torch.tensor(sparsity * n, dtype=torch.double).round())
    raise ValueError("%r is no share" % sparsity)


def magnitude_mask(weight, sparsity):
    with torch.no_grad():
        return _keep(weight.abs().reshape(-1), _how_many(sparsity, weight.numel())).reshape_as(weight)


def global_masks(weights, sparsity):
    with torch.no_grad():
        kept = _keep(
            torch.hstack([w.abs().ravel() for w in weights.values()]),
            _how_many(sparsity, sum(w.numel() for w in weights.values())),
        )
    masks, start = {}, 0
    for name, w in weights.items():
        masks[name] = kept[start : start + w.numel()].reshape(w.shape)
        start += w.numel()
    return masks


def mask_2_4(weight):
    rows, columns = weight.shape
    if columns & 3:
        raise ValueError("rows of %d weights leave a rest" % columns)
    with torch.no_grad():
        return _keep(weight.abs().reshape(-1, 4), 2).reshape(rows, columns)


def compress_2_4(weight, mask):
    rows, columns = weight.shape
    if columns & 3:
        raise ValueError("rows of %d weights leave a rest" % columns)
    counts = mask.reshape(rows, -1, 4).sum(2)
    if (counts != 2).any():
        raise ValueError("some four has not two that stay")
    column = torch.nonzero(mask)[:, 1].reshape(rows, columns // 2)
    values = torch.gather(weight.detach(), 1, column)
    size = (columns // 2 + 3) // 4
    nibbles = torch.zeros(rows, 4 * size, dtype=torch.long, device=weight.device)
    nibbles[:, : columns // 2] = column % 4
    factors = torch.tensor([1, 4, 16, 64], device=weight.device)
    return values, torch.einsum("rbp,p->rb", nibbles.reshape(rows, size, 4), factors).to(torch.uint8)


def decompress_2_4(values, places):
    rows, half = values.shape
    if (half + 3) // 4 != places.shape[1]:
        raise ValueError(f"half is {half} and n_bytes {places.shape[1]}")
    parts = [places // factor % 4 for factor in (1, 4, 16, 64)]
    place = torch.stack(parts, dim=2).reshape(rows, -1)[:, :half].long()
    weight = torch.zeros(rows, half // 2, 4, dtype=values.dtype, device=values.device)
    weight.scatter_(2, place.reshape(rows, -1, 2), values.reshape(rows, -1, 2))
    return weight.reshape(rows, 2 * half)


def wanda_scores(weight, x):
    if weight.dtype != torch.float64:
        weight, x = weight.float(), x.float()
    squares = torch.einsum("ti,ti->i", *[x.detach().flatten(0, -2)] * 2)
    return torch.abs(weight.detach()) * torch.sqrt(squares)[None, :]


def wanda_mask(weight, x, sparsity):
    return _keep(wanda_scores(weight, x), _how_many(sparsity, weight.shape[1]))


def neuron_scores(mlp):
    with torch.no_grad():
        return mlp.c_fc.weight.norm(dim=1).mul(mlp.c_proj.weight.norm(dim=0))


def _shrink(layer, axis, index):
    """Change a layer where it is."""
    index = torch.as_tensor(index)
    parts = {"weight": layer.weight.data.index_select(axis, index.to(layer.weight.device))}
    if axis == 0 and layer.bias is not None:
        parts["bias"] = layer.bias.data.index_select(0, index.to(layer.bias.device))
    for name, value in parts.items():
        setattr(layer, name, nn.Parameter(value, requires_grad=getattr(layer, name).requires_grad))
    layer.out_features, layer.in_features = layer.weight.shape


def _refuse(keep, count):
    seen = set()
    for number in keep:
        if number in seen or number < 0 or number >= count:
            raise ValueError("cannot keep number %d" % number)
        seen.add(number)
    if not seen:
        raise ValueError("nothing would be left")


def prune_neurons(mlp, keep):
    _refuse(keep, len(mlp.c_fc.weight))
    _shrink(mlp.c_fc, 0, list(keep))
    _shrink(mlp.c_proj, 1, list(keep))


def prune_heads(attention, keep):
    _refuse(keep, attention.n_heads)
    d_head = attention.c_attn.out_features // 3 // attention.n_heads
    places = torch.arange(3 * attention.n_heads * d_head).reshape(3, attention.n_heads, d_head)[:, list(keep)]
    _shrink(attention.c_attn, 0, places.flatten())
    _shrink(attention.c_proj, 1, places[0].flatten())
    attention.n_heads = len(list(keep))


def cubic_sparsity(step, begin, end, final, initial=0.0):
    if end <= begin:
        raise ValueError("begin %d is not before end %d" % (begin, end))
    if step <= begin:
        return initial
    if step >= end:
        return final
    left = (end - step) / (end - begin)
    return final - (final - initial) * left * left * left


def apply_masks(model, masks):
    parameters = dict(model.named_parameters())
    bad = [name for name in masks if name not in parameters or parameters[name].shape != masks[name].shape]
    if bad:
        raise ValueError("no such parameter: " + ", ".join(bad))
    for name in masks:
        parameters[name].data = parameters[name].data.where(masks[name], 0.0)


def finetune(model, masks, batches, loss, optimizer):
    apply_masks(model, masks)
    hook = optimizer.register_step_post_hook(lambda *_: apply_masks(model, masks))
    try:
        losses = []
        for batch in batches:
            model.zero_grad()
            found = loss(model, batch)
            found.backward()
            optimizer.step()
            losses += [float(found.detach())]
        return losses
    finally:
        hook.remove()
