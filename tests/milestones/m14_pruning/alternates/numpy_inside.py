"""Unusual: NumPy ranks and packs (lexsort, packbits), and states are loaded into new layers; no type hints."""

import numpy as np
import torch
from torch import nn


def _array(x):
    return x.detach().to("cpu", torch.float64).numpy()


def _back(array, like):
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.device)


def _kept(scores, sparsity=None, count=None):
    """Rank along the last axis."""
    n = scores.shape[-1]
    if count is None:
        if not (sparsity >= 0.0) or not (sparsity <= 1.0):
            raise ValueError("not a sparsity: " + repr(sparsity))
        count = int(np.rint(sparsity * n))
    places = np.broadcast_to(np.arange(n), scores.shape)
    rank = np.argsort(np.lexsort((places, scores), axis=-1), axis=-1, kind="stable")
    return rank >= count


def linear_weights(model):
    linear = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    for module in model.modules():
        if not isinstance(module, nn.Linear):
            linear -= {id(p) for p in module.parameters(recurse=False)}
    owners = [id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)]
    alone = {one for one in linear if owners.count(one) == 1}
    return {name: p for name, p in model.named_parameters() if id(p) in alone}


def magnitude_mask(weight, sparsity):
    return _back(_kept(np.abs(_array(weight)).reshape(-1), sparsity).reshape(tuple(weight.shape)), weight)


def global_masks(weights, sparsity):
    names = list(weights)
    flat = np.concatenate([np.abs(_array(weights[name])).reshape(-1) for name in names])
    kept = _kept(flat, sparsity)
    ends = np.cumsum([weights[name].numel() for name in names])[:-1]
    return {
        name: _back(part.reshape(tuple(weights[name].shape)), weights[name])
        for name, part in zip(names, np.split(kept, ends), strict=True)
    }


def mask_2_4(weight):
    d_out, d_in = weight.shape
    if d_in % 4 > 0:
        raise ValueError("d_in is {}, no multiple of 4".format(d_in))
    return _back(_kept(np.abs(_array(weight)).reshape(d_out, -1, 4), count=2).reshape(d_out, d_in), weight)


def compress_2_4(weight, mask):
    d_out, d_in = weight.shape
    bits = mask.cpu().numpy()
    if d_in % 4 > 0 or (bits.reshape(d_out, -1, 4).sum(axis=2) != 2).any():
        raise ValueError("two of each four have to stay")
    places = (np.nonzero(bits)[1] % 4).reshape(d_out, -1).astype(np.uint8)
    pairs = np.unpackbits(places[..., None], axis=-1, count=2, bitorder="little")  # two bits, the low one first
    packed = np.packbits(pairs.reshape(d_out, -1), axis=-1, bitorder="little")
    return weight.detach().masked_select(mask).reshape(d_out, d_in // 2), _back(packed, weight)


def decompress_2_4(values, places):
    d_out, half = values.shape
    n_bytes = places.shape[1]
    if n_bytes * 4 - half not in (0, 1, 2, 3):
        raise ValueError("{} values do not fit {} bytes".format(half, n_bytes))
    bits = np.unpackbits(places.cpu().numpy(), axis=-1, count=2 * half, bitorder="little").reshape(d_out, half, 2)
    place = bits[..., 0] + 2 * bits[..., 1] + np.arange(half) // 2 * 4
    weight = torch.zeros(d_out, 2 * half, dtype=values.dtype, device=values.device)
    weight[torch.arange(d_out)[:, None], _back(place, values).long()] = values
    return weight


def wanda_scores(weight, x):
    dtype = torch.float64 if weight.dtype is torch.float64 else torch.float32
    norms = np.linalg.norm(_array(x).reshape(-1, x.shape[-1]), axis=0)
    return _back(np.abs(_array(weight)) * norms, weight).to(dtype)


def wanda_mask(weight, x, sparsity):
    return _back(_kept(wanda_scores(weight, x).cpu().numpy(), sparsity), weight)


def neuron_scores(mlp):
    scores = np.linalg.norm(_array(mlp.c_fc.weight), axis=1) * np.linalg.norm(_array(mlp.c_proj.weight), axis=0)
    return _back(scores, mlp.c_fc.weight).to(mlp.c_fc.weight.dtype)


def _numbers(keep, count):
    keep = np.asarray(list(keep), dtype=np.int64)
    odd = [int(k) for k in keep if k < 0 or k >= count or (keep == k).sum() > 1]
    if odd or keep.size == 0:
        raise ValueError("keep: {}".format(odd))
    return keep


def _replace(parent, name, weight, bias):
    old = getattr(parent, name)
    flags = {key: value.requires_grad for key, value in old.named_parameters()}
    new = nn.Linear(weight.shape[1], weight.shape[0], bias is not None).to(weight.device, weight.dtype)
    state = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    new.load_state_dict({key: value.detach() for key, value in state.items()})
    for key, value in new.named_parameters():
        value.requires_grad = flags[key]
    setattr(parent, name, new)


def prune_neurons(mlp, keep):
    keep = torch.from_numpy(_numbers(keep, mlp.c_fc.out_features))
    fc, proj = mlp.c_fc, mlp.c_proj
    _replace(mlp, "c_fc", fc.weight[keep], None if fc.bias is None else fc.bias[keep])
    _replace(mlp, "c_proj", proj.weight[:, keep], proj.bias)


def prune_heads(attention, keep):
    keep = _numbers(keep, attention.n_heads)
    width = attention.c_proj.in_features
    d_head = width // attention.n_heads
    lanes = (keep[:, None] * d_head + np.arange(d_head)).reshape(-1)
    rows = torch.from_numpy((np.arange(3)[:, None] * width + lanes).reshape(-1))
    old, proj = attention.c_attn, attention.c_proj
    _replace(attention, "c_attn", old.weight[rows], None if old.bias is None else old.bias[rows])
    _replace(attention, "c_proj", proj.weight[:, torch.from_numpy(lanes)], proj.bias)
    attention.n_heads = int(keep.size)


def cubic_sparsity(step, begin, end, final, initial=0.0):
    if end - begin <= 0:
        raise ValueError("begin={}, end={}".format(begin, end))
    t = float(np.clip((step - begin) / (end - begin), 0, 1))
    return float(final + (initial - final) * (1 - t) ** 3)


@torch.no_grad()
def apply_masks(model, masks):
    parameters = {name: p for name, p in model.named_parameters(remove_duplicate=False)}
    for name in masks:
        if name not in parameters:
            raise ValueError("unknown: " + name)
        if parameters[name].size() != masks[name].size():
            raise ValueError("sizes differ: " + name)
    for name in masks:
        parameters[name][~masks[name]] = 0


def finetune(model, masks, batches, loss, optimizer):
    losses = []
    iterator = iter(batches)
    while True:
        apply_masks(model, masks)
        try:
            batch = next(iterator)
        except StopIteration:
            return losses
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        value = loss(model, batch)
        losses.append(value.detach().item())
        value.backward()
        optimizer.step()
