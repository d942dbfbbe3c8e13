"""Unusual: written from stub and guide alone, step by step, in the words of somebody who has never pruned before."""

import torch
from torch import nn


def linear_weights(model):
    # how often is each tensor held?
    count = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                count[id(parameter)] = count.get(id(parameter), 0) + 1
    weights = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and count[id(module.weight)] == 1:
            weights["weight" if name == "" else name + ".weight"] = module.weight
    return weights


def check_sparsity(sparsity):
    if not (sparsity >= 0 and sparsity <= 1):
        raise ValueError(f"sparsity must be between 0 and 1, but is {sparsity}")


def magnitude_mask(weight, sparsity):
    check_sparsity(sparsity)
    how_many = round(sparsity * weight.numel())
    order = torch.sort(weight.detach().reshape(-1).abs(), stable=True)[1]
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    for_go = order[0:how_many]
    mask[for_go] = False
    return mask.reshape(weight.shape)


def global_masks(weights, sparsity):
    everything = torch.cat([w.detach().reshape(-1) for w in weights.values()])
    big_mask = magnitude_mask(everything, sparsity)
    result = {}
    position = 0
    for name in weights:
        size = weights[name].numel()
        result[name] = big_mask[position : position + size].reshape(weights[name].shape)
        position = position + size
    return result


def mask_2_4(weight):
    d_out, d_in = weight.shape
    if d_in % 4 != 0:
        raise ValueError(f"d_in = {d_in} is not divisible by 4")
    fours = weight.detach().abs().reshape(d_out * (d_in // 4), 4)
    order = torch.sort(fours, dim=1, stable=True).indices
    mask = torch.ones_like(fours).bool()
    rows = torch.arange(len(fours), device=weight.device)
    mask[rows, order[:, 0]] = False
    mask[rows, order[:, 1]] = False
    return mask.reshape(d_out, d_in)


def compress_2_4(weight, mask):
    d_out, d_in = weight.shape
    if d_in % 4 != 0:
        raise ValueError(f"d_in = {d_in} is not divisible by 4")
    if not torch.all(mask.reshape(-1, 4).sum(dim=1) == 2):
        raise ValueError("every four needs exactly two that stay")
    values = weight.detach()[mask].reshape(d_out, d_in // 2)
    # 0 1 2 3 0 1 2 3 ... for every row
    numbers = (torch.arange(d_in, device=weight.device) % 4).repeat(d_out, 1)
    numbers = numbers[mask].reshape(d_out, d_in // 2)
    n_bytes = (d_in // 2 + 3) // 4
    places = torch.zeros(d_out, n_bytes, dtype=torch.int64, device=weight.device)
    for i in range(d_in // 2):
        places[:, i // 4] += numbers[:, i] << (2 * (i % 4))
    return values, places.to(torch.uint8)


def decompress_2_4(values, places):
    d_out, half = values.shape
    if places.shape[1] != (half + 3) // 4:
        raise ValueError(f"half = {half} does not fit n_bytes = {places.shape[1]}")
    weight = torch.zeros(d_out, 2 * half, dtype=values.dtype, device=values.device)
    rows = torch.arange(d_out, device=values.device)
    for i in range(half):
        place = (places[:, i // 4].long() >> (2 * (i % 4))) % 4
        weight[rows, 4 * (i // 2) + place] = values[:, i]
    return weight


def wanda_scores(weight, x):
    if weight.dtype in (torch.half, torch.bfloat16):
        weight = weight.float()
    x = x.to(weight.dtype).reshape(-1, x.shape[-1])
    length = (x**2).sum(dim=0) ** 0.5
    return (weight.abs() * length).detach()


def wanda_mask(weight, x, sparsity):
    check_sparsity(sparsity)
    scores = wanda_scores(weight, x)
    how_many = round(sparsity * weight.shape[1])
    mask = torch.ones(weight.shape, dtype=torch.bool, device=weight.device)
    order = torch.argsort(scores, dim=1, stable=True)
    for row in range(len(weight)):
        mask[row, order[row, :how_many]] = False
    return mask


def neuron_scores(mlp):
    into = (mlp.c_fc.weight**2).sum(dim=1).sqrt()
    out = (mlp.c_proj.weight**2).sum(dim=0).sqrt()
    return (into * out).detach()


def check_keep(keep, how_many):
    if len(keep) == 0:
        raise ValueError("keep is empty")
    for k in keep:
        if k < 0 or k >= how_many:
            raise ValueError(f"{k} is not there")
        if list(keep).count(k) > 1:
            raise ValueError(f"{k} comes twice")


def smaller(layer, weight, bias):
    d_out, d_in = weight.shape
    new = nn.Linear(d_in, d_out, bias=bias is not None, device=weight.device, dtype=weight.dtype)
    new.weight.data = weight.detach().clone()
    new.weight.requires_grad = layer.weight.requires_grad
    if bias is not None:
        new.bias.data = bias.detach().clone()
        new.bias.requires_grad = layer.bias.requires_grad
    return new


def prune_neurons(mlp, keep):
    check_keep(keep, mlp.c_fc.weight.shape[0])
    keep = list(keep)
    bias = mlp.c_fc.bias
    mlp.c_fc = smaller(mlp.c_fc, mlp.c_fc.weight[keep], None if bias is None else bias[keep])
    mlp.c_proj = smaller(mlp.c_proj, mlp.c_proj.weight[:, keep], mlp.c_proj.bias)


def prune_heads(attention, keep):
    check_keep(keep, attention.n_heads)
    all_heads = attention.c_proj.in_features
    d_head = all_heads // attention.n_heads
    columns = []
    for head in keep:
        columns += list(range(head * d_head, (head + 1) * d_head))
    queries = columns
    keys = [all_heads + c for c in columns]
    values = [2 * all_heads + c for c in columns]
    rows = queries + keys + values
    bias = attention.c_attn.bias
    attention.c_attn = smaller(attention.c_attn, attention.c_attn.weight[rows], None if bias is None else bias[rows])
    attention.c_proj = smaller(attention.c_proj, attention.c_proj.weight[:, columns], attention.c_proj.bias)
    attention.n_heads = len(keep)


def cubic_sparsity(step, begin, end, final, initial=0.0):
    if begin >= end:
        raise ValueError(f"begin {begin} must be less than end {end}")
    if step < begin:
        return initial
    if step > end:
        return final
    t = (step - begin) / (end - begin)
    return final + (initial - final) * (1 - t) ** 3


def apply_masks(model, masks):
    parameters = dict(model.named_parameters())
    for name in masks:
        if name not in parameters:
            raise ValueError(f"no parameter is called {name}")
        if masks[name].shape != parameters[name].shape:
            raise ValueError(f"the mask of {name} has shape {masks[name].shape}")
    for name in masks:
        with torch.no_grad():
            parameters[name][masks[name] == False] = 0  # noqa: E712


def finetune(model, masks, batches, loss, optimizer):
    apply_masks(model, masks)
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        l = loss(model, batch)  # noqa: E741
        l.backward()
        optimizer.step()
        apply_masks(model, masks)
        losses.append(l.item())
    return losses
