"""Unusual: NumPy does the arithmetic, base-2 powers stand in for e, and results are turned into tensors at the end."""

import math
import time

import numpy as np
import torch


def _shifted(x, dim):
    values = x.detach().cpu().double().numpy()  # first: NumPy has no bfloat16
    return (values - values.max(axis=dim, keepdims=True)) * math.log2(math.e)


def softmax(x, dim=-1):
    powers = np.exp2(_shifted(x, dim))
    return torch.from_numpy(powers / powers.sum(axis=dim, keepdims=True)).to(x)


def log_softmax(x, dim=-1):
    bits = _shifted(x, dim)
    bits = bits - np.log2(np.exp2(bits).sum(axis=dim, keepdims=True))
    return torch.from_numpy(bits * math.log(2)).to(x)


def _checked(ids, size):
    ids = ids.cpu().numpy()
    for bad in ids[(ids < 0) | (ids >= size)]:
        raise ValueError(f"{bad} lies outside of 0..{size - 1} (there are {size})")
    return ids


def cross_entropy(logits, targets):
    if tuple(targets.shape) != (logits.shape[0],):
        raise ValueError(f"{tuple(logits.shape)} / {tuple(targets.shape)}")
    columns = _checked(targets, logits.shape[1])
    logs = log_softmax(logits.double()).numpy()
    return torch.tensor(-np.take_along_axis(logs, columns[:, None], axis=1).mean(), dtype=logits.dtype)


def gradient_step(weight, x, targets, learning_rate):
    w, inputs = weight.double().numpy(), x.double().numpy()
    logits = inputs @ w.T
    loss = cross_entropy(torch.from_numpy(logits), targets)
    off = softmax(torch.from_numpy(logits)).numpy()
    np.subtract.at(off, (np.arange(len(off)), targets.numpy()), 1.0)
    new = w - learning_rate * off.T @ inputs / len(off)
    return loss.to(weight), torch.from_numpy(new).to(weight)


def count_bigrams(ids, vocab_size):
    ids = _checked(ids, vocab_size)
    counts = np.zeros((vocab_size, vocab_size), dtype=np.int64)
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    return torch.from_numpy(counts)


def bigram_by_counting(ids, vocab_size):
    counts = count_bigrams(ids, vocab_size).numpy()
    totals = counts.sum(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        shares = np.nan_to_num(counts / totals, nan=1 / vocab_size)
    return torch.from_numpy(shares.astype(np.float32))


def bigram_by_training(ids, vocab_size, steps, learning_rate):
    x = torch.from_numpy(np.eye(vocab_size, dtype=np.float32)[ids[:-1].numpy()])
    weight = x.new_zeros((vocab_size, vocab_size))
    for _ in range(steps):
        weight = gradient_step(weight, x, ids[1:], learning_rate)[1]
    return weight.transpose(0, 1)


def pick_device(preferred=None, available=None):
    if available is None:

        def available(kind):
            return getattr(torch, kind).is_available() if kind == "cuda" else torch.backends.mps.is_available()

    if preferred is None:
        preferred = "cuda" if available("cuda") else "mps" if available("mps") else "cpu"
    elif torch.device(preferred).type != "cpu" and not available(torch.device(preferred).type):
        raise ValueError(f"no device {preferred!r}")
    return torch.device(preferred)


def time_call(function, device="cpu", repeats=5, warmup=1, synchronize=None, clock=time.perf_counter):
    if min(repeats - 1, warmup) < 0:
        raise ValueError(f"repeats={repeats}, warmup={warmup}")
    if synchronize is None:
        module = {"cuda": torch.cuda, "mps": torch.mps}.get(torch.device(device).type)
        synchronize = module.synchronize if module else (lambda: None)

    def idle():
        synchronize()
        return clock()

    for _ in range(warmup):
        function()
    ticks = []
    for _ in range(repeats):
        ticks.append(idle())
        function()
        ticks.append(idle())
    return float(np.median(np.diff(ticks)[::2]))
