"""log_softmax is x less its logsumexp; pairs are counted one by one, and the median is NumPy's."""

import time

import numpy as np
import torch


def softmax(x, dim=-1):
    z = x - torch.max(x, dim=dim, keepdim=True).values
    powers = z.exp()
    return powers / powers.sum(dim=dim, keepdim=True)


def log_softmax(x, dim=-1):
    largest = torch.max(x, dim=dim, keepdim=True)[0]
    return x - (largest + torch.log(torch.sum(torch.exp(x - largest), dim, True)))


def cross_entropy(logits, targets):
    n, vocab_size = logits.size()
    if targets.size() != torch.Size([n]):
        raise ValueError(f"{logits.size()} vs {targets.size()}")
    bad = (targets < 0) | (targets >= vocab_size)
    if bad.any():
        raise ValueError("target %d, vocab_size %d" % (targets[bad][0], vocab_size))
    return -log_softmax(logits, dim=1).gather(1, targets.unsqueeze(1)).squeeze(1).mean()


def gradient_step(weight, x, targets, learning_rate):
    logits = x @ weight.t()
    loss = cross_entropy(logits, targets)
    dlogits = softmax(logits, 1)
    dlogits[range(x.shape[0]), targets] -= 1
    dlogits /= x.shape[0]
    return loss, weight - learning_rate * (dlogits.t() @ x)


def count_bigrams(ids, vocab_size):
    counts = torch.zeros((vocab_size, vocab_size), dtype=torch.int64, device=ids.device)
    for id in ids.tolist():
        if id < 0 or id >= vocab_size:
            raise ValueError(f"{id} {vocab_size}")
    for first, second in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        counts[first, second] += 1
    return counts


def bigram_by_counting(ids, vocab_size):
    counts = count_bigrams(ids, vocab_size).float()
    shares = counts / counts.sum(1, keepdim=True)
    shares[counts.sum(1) == 0] = 1.0 / vocab_size
    return shares


def bigram_by_training(ids, vocab_size, steps, learning_rate):
    xs, ys = ids[:-1], ids[1:]
    one_hot = torch.zeros(len(xs), vocab_size, device=ids.device).scatter_(1, xs[:, None], 1.0)
    weight = torch.zeros((vocab_size, vocab_size), device=ids.device)
    for _ in range(steps):
        _, weight = gradient_step(weight, one_hot, ys, learning_rate)
    return weight.T.contiguous()


def pick_device(preferred=None, available=None):
    if available is None:

        def available(kind):
            return {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}[kind]()

    if preferred is not None:
        device = torch.device(preferred)
        if device.type != "cpu" and not available(device.type):
            raise ValueError(f"{preferred} not available")
        return device
    if available("cuda"):
        return torch.device("cuda")
    return torch.device("mps" if available("mps") else "cpu")


def time_call(function, device="cpu", repeats=5, warmup=1, synchronize=None, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError(f"repeats={repeats}")
    if warmup < 0:
        raise ValueError(f"warmup={warmup}")
    if synchronize is None:
        kind = torch.device(device).type
        synchronize = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(kind, lambda: None)
    for _ in range(warmup):
        function()
        synchronize()
    times = []
    for _ in range(repeats):
        synchronize()
        before = clock()
        function()
        synchronize()
        times.append(clock() - before)
    return float(np.median(times))
