"""Unusual: Python's own sort and long integers do the ranking and the bits; layers are built row by row."""

import math

import torch
from torch import nn


class _Ranking:
    """What goes of a list of scores."""

    def __init__(self, scores, count):
        places = sorted(range(len(scores)), key=scores.__getitem__)  # Python's sort leaves equals in their order
        self.gone = set(places[:count])
        self.n = len(scores)

    def mask(self):
        return [place not in self.gone for place in range(self.n)]


def _number(sparsity, n):
    if math.isnan(sparsity) or sparsity < 0 or sparsity > 1:
        raise ValueError("sparsity " + str(sparsity))
    return round(sparsity * n)


def linear_weights(model):
    parameters = list(model.named_parameters(remove_duplicate=False))
    result = {}
    for module in model.modules():
        if isinstance(module, nn.Linear):
            holders = 0
            for other in model.modules():
                holders += sum(value is module.weight for value in other._parameters.values())
            if holders == 1:
                result[next(name for name, value in parameters if value is module.weight)] = module.weight
    return result


def magnitude_mask(weight, sparsity):
    scores = [abs(value) for value in weight.detach().flatten().tolist()]
    kept = _Ranking(scores, _number(sparsity, len(scores))).mask()
    return torch.tensor(kept, device=weight.device).reshape(weight.shape)


def global_masks(weights, sparsity):
    scores = []
    for weight in weights.values():
        scores.extend(abs(value) for value in weight.detach().flatten().tolist())
    kept = iter(_Ranking(scores, _number(sparsity, len(scores))).mask())
    return {
        name: torch.tensor([next(kept) for _ in range(weight.numel())], device=weight.device).reshape(weight.shape)
        for name, weight in weights.items()
    }


def mask_2_4(weight):
    if weight.shape[1] % 4:
        raise ValueError("4 does not divide " + str(weight.shape[1]))
    rows = []
    for row in weight.detach().abs().tolist():
        kept = []
        for start in range(0, len(row), 4):
            kept += _Ranking(row[start : start + 4], 2).mask()
        rows.append(kept)
    return torch.tensor(rows, device=weight.device)


def compress_2_4(weight, mask):
    columns, codes = [], []
    for row in mask.tolist():
        if len(row) % 4:
            raise ValueError("no fours in %d" % len(row))
        picked = []
        for start in range(0, len(row), 4):
            places = [place for place in range(4) if row[start + place]]
            if len(places) != 2:
                raise ValueError("a four keeps %d" % len(places))
            picked += [start + place for place in places]
        code = 0
        for at, column in enumerate(picked):
            code |= (column & 3) << (2 * at)
        columns.append(picked)
        codes.append(list(code.to_bytes((2 * len(picked) + 7) // 8, "little")))
    index = torch.tensor(columns, device=weight.device)
    return torch.take_along_dim(weight.detach(), index, dim=1), torch.tensor(
        codes, dtype=torch.uint8, device=weight.device
    )


def decompress_2_4(values, places):
    half, size = values.shape[1], places.shape[1]
    if size != (2 * half + 7) // 8:
        raise ValueError("half = %d, n_bytes = %d" % (half, size))
    weight = torch.zeros((values.shape[0], 2 * half), dtype=values.dtype, device=values.device)
    for row, code in enumerate(places.tolist()):
        bits = int.from_bytes(bytes(code), "little")
        for at in range(half):
            weight[row, 4 * (at // 2) + (bits >> 2 * at & 3)] = values[row, at]
    return weight


def wanda_scores(weight, x):
    weight, x = weight.detach(), x.detach()
    if weight.dtype in (torch.float16, torch.bfloat16):
        weight, x = weight.float(), x.float()
    columns = x.reshape(-1, x.shape[-1]).unbind(1)
    lengths = [torch.sqrt(torch.sum(column * column)) for column in columns]
    return torch.stack([weight[:, i].abs() * length for i, length in enumerate(lengths)], dim=1)


def wanda_mask(weight, x, sparsity):
    count = _number(sparsity, weight.shape[1])
    return torch.tensor([_Ranking(row, count).mask() for row in wanda_scores(weight, x).tolist()], device=weight.device)


def neuron_scores(mlp):
    reads, writes = mlp.c_fc.weight.detach(), mlp.c_proj.weight.detach()
    return torch.stack([(reads[n] @ reads[n]).sqrt() * (writes[:, n] @ writes[:, n]).sqrt() for n in range(len(reads))])


def _check(keep, count):
    for place, number in enumerate(keep):
        if number not in range(count) or number in list(keep)[:place]:
            raise ValueError("%d of %d" % (number, count))
    if len(keep) == 0:
        raise ValueError("keep is empty")


def _built(old, weight, bias):
    new = nn.Linear(*reversed(weight.shape), bias=bias is not None, dtype=weight.dtype, device=weight.device)
    with torch.no_grad():
        new.weight.copy_(weight)
        if bias is not None:
            new.bias.copy_(bias)
            new.bias.requires_grad_(old.bias.requires_grad)
    new.weight.requires_grad_(old.weight.requires_grad)
    return new


def prune_neurons(mlp, keep):
    fc, proj = mlp.c_fc, mlp.c_proj
    _check(keep, fc.weight.shape[0])
    rows = torch.stack([fc.weight[n] for n in keep])
    mlp.c_fc = _built(fc, rows, None if fc.bias is None else torch.stack([fc.bias[n] for n in keep]))
    mlp.c_proj = _built(proj, torch.stack([proj.weight[:, n] for n in keep], dim=1), proj.bias)


def prune_heads(attention, keep):
    old, proj, n_heads = attention.c_attn, attention.c_proj, attention.n_heads
    _check(keep, n_heads)
    heads = [part.chunk(n_heads) for part in old.weight.chunk(3)]  # three of n_heads of (d_head, d_model)
    weight = torch.cat([heads[part][head] for part in range(3) for head in keep])
    bias = None
    if old.bias is not None:
        pieces = [part.chunk(n_heads) for part in old.bias.chunk(3)]
        bias = torch.cat([pieces[part][head] for part in range(3) for head in keep])
    columns = proj.weight.chunk(n_heads, dim=1)
    attention.c_attn = _built(old, weight, bias)
    attention.c_proj = _built(proj, torch.cat([columns[head] for head in keep], dim=1), proj.bias)
    attention.n_heads = len(keep)


def cubic_sparsity(step, begin, end, final, initial=0.0):
    if begin >= end:
        raise ValueError("from %d to %d" % (begin, end))
    t = sorted((0.0, (step - begin) / (end - begin), 1.0))[1]
    return initial + (final - initial) * (1 - (1 - t) ** 3)


def apply_masks(model, masks):
    found = {}
    for name, mask in masks.items():
        try:
            found[name] = model.get_parameter(name)
        except AttributeError:
            raise ValueError("no parameter " + name) from None
        if tuple(found[name].shape) != tuple(mask.shape):
            raise ValueError("another shape: " + name)
    for name, parameter in found.items():
        parameter.data.copy_(torch.where(masks[name], parameter.data, torch.zeros_like(parameter.data)))


def finetune(model, masks, batches, loss, optimizer):
    apply_masks(model, masks)

    def step(batch):
        optimizer.zero_grad(set_to_none=True)
        value = loss(model, batch)
        value.backward()
        optimizer.step()
        apply_masks(model, masks)
        return value.item()

    return [step(batch) for batch in batches]
