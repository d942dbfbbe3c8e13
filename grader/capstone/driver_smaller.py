"""Runs inside the worker, beside driver.py: makes a model smaller, and measures it. Planted there as text."""

import copy
import importlib
import math
import time

import torch
from torch import nn

BATCH = 16
ROUNDS = 2  # through what is held out; the fastest batch counts
GROUP = 32  # weights at most that share a scale of int4
SHARE = 0.5  # of weights or neurons that go
RATE = 5e-4


def part(milestone, name):
    """Return a name out of one of the student's modules."""
    return getattr(importlib.import_module(f"exercises.{milestone}"), name)


def measure(model, rows):
    """Return the loss on the held-out rows, and how many tokens a second the model reads."""
    device = next(model.parameters()).device
    ids, labels = rows["heldout"].long().to(device), rows["heldout_labels"].long().to(device)
    fastest = math.inf
    model.eval()
    with torch.no_grad():
        for _ in range(ROUNDS):
            total, count = 0.0, 0
            for start in range(0, len(ids), BATCH):
                some, targets = ids[start : start + BATCH], labels[start : start + BATCH]
                began = time.perf_counter()
                logits = model(some)
                total += float(_loss(logits, targets, "sum"))  # asks for a number: a GPU has finished by then
                fastest = min(fastest, (time.perf_counter() - began) / some.numel())
                count += int((targets != -100).sum())
    return total / max(1, count), 1 / fastest


def _loss(logits, labels, reduction="mean"):
    return nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), reduction=reduction)


def size(model):
    """Return how many bytes there are to be stored, each piece of memory once."""
    return sum({value.data_ptr(): value.nbytes for value in model.state_dict().values()}.values())


# ── ways, each of which returns its loss, its bytes, and its speed if it computes in another way ──────────────────────


def whole(model, rows):
    """Measure a model as it is."""
    loss, speed = measure(model, rows)
    return loss, size(model), speed


def int8(model, rows, keep):
    """Store matrices in int8, by m13's quantize_model."""
    model = copy.deepcopy(model)
    part("m13_quantization", "quantize_model")(model)
    loss, speed = measure(model, rows)
    keep(0, _state(model))
    return loss, size(model), speed


def int4(model, rows):
    """Store matrices in int4, by m13's quantize_int4; it computes with what dequantize_int4 makes of them."""
    names = part("m13_quantization", "quantize_model")(copy.deepcopy(model))
    model, stored = copy.deepcopy(model), size(model)
    with torch.no_grad():
        for name in names:
            weight = model.get_parameter(f"{name}.weight")
            group = next(group for group in range(min(GROUP, weight.shape[1]), 0, -1) if weight.shape[1] % group == 0)
            packed, scales = part("m13_quantization", "quantize_int4")(weight, group)
            stored += sum(t.numel() * t.element_size() for t in (packed, scales)) - weight.numel() * 4
            weight.copy_(part("m13_quantization", "dequantize_int4")(packed, scales, group))
    return measure(model, rows)[0], stored, None


def halved(model, rows):
    """Write 0 in place of half of all weights, by m14's global_masks: so many bytes as before."""
    model = copy.deepcopy(model)
    weights = part("m14_pruning", "linear_weights")(model)
    _mask(weights, part("m14_pruning", "global_masks")(weights, SHARE))
    return measure(model, rows)[0], size(model), None


def fours(model, rows):
    """Leave two of every four weights out, by m14's mask_2_4 and compress_2_4."""
    model = copy.deepcopy(model)
    stored = _fours(model)[1]
    return measure(model, rows)[0], stored, None


def trained(model, rows, plan, tell, keep):
    """Leave two of every four out and train on, by m14's finetune, for the plan's steps or seconds at most."""
    model, started, done = copy.deepcopy(model), time.monotonic(), 0
    masks, stored = _fours(model)
    device, dice = next(model.parameters()).device, torch.Generator().manual_seed(0)

    def batches():
        nonlocal done
        while done < plan["steps"] and time.monotonic() - started < plan["seconds"]:
            some = torch.randint(len(rows["train"]), (BATCH,), generator=dice)
            yield tuple(rows[name][some].long().to(device) for name in ("train", "train_labels"))
            done += 1
            if tell(done):
                return

    optimizer = part("m08_training", "AdamW")(part("m08_training", "decay_groups")(model, 0.0), lr=RATE)
    part("m14_pruning", "finetune")(
        model, masks, batches(), lambda model, batch: _loss(model(batch[0]), batch[1]), optimizer
    )
    loss, _ = measure(model, rows)
    keep(done, _state(model))
    return loss, stored, None


def neurons(model, rows):
    """Take half of the neurons of each MLP away, by m14's neuron_scores and prune_neurons."""
    model = copy.deepcopy(model)
    for block in model.h:
        scores = part("m14_pruning", "neuron_scores")(block.mlp)
        keep = sorted(scores.argsort(descending=True)[: max(1, round(len(scores) * (1 - SHARE)))].tolist())
        part("m14_pruning", "prune_neurons")(block.mlp, keep)
    loss, speed = measure(model, rows)
    return loss, size(model), speed


def _fours(model):
    """Mask a model; return the masks, and how many bytes it takes to store it so."""
    weights, stored = part("m14_pruning", "linear_weights")(model), size(model)
    masks = {name: part("m14_pruning", "mask_2_4")(weight) for name, weight in weights.items()}
    for name, weight in weights.items():
        values, places = part("m14_pruning", "compress_2_4")(weight.detach(), masks[name])
        stored += sum(t.numel() * t.element_size() for t in (values, places)) - weight.numel() * 4
    _mask(weights, masks)
    return masks, stored


def _mask(weights, masks):
    with torch.no_grad():
        for name, weight in weights.items():
            weight.masked_fill_(~masks[name], 0.0)


def _state(model):
    return {name: value.detach().cpu() for name, value in model.state_dict().items()}
