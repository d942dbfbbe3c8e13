"""Unusual: one-hot matrices and einsum instead of indexing, float64 inside, a stopwatch class, keyword-only helpers."""

import time
from statistics import median

import torch
from torch.nn.functional import one_hot


def _shift(x, *, dim):
    wide = x.to(torch.float64)
    return wide - wide.max(dim=dim, keepdim=True).values


def softmax(x, dim=-1):
    powers = _shift(x, dim=dim).exp()
    return torch.div(powers, powers.sum(dim=dim, keepdim=True)).to(x.dtype)


def log_softmax(x, dim=-1):
    shifted = _shift(x, dim=dim)
    return (shifted - torch.log(torch.exp(shifted).sum(dim=dim, keepdim=True))).to(x.dtype)


def _hot(targets, *, n, like):
    if targets.numel() and not (0 <= int(targets.min()) and int(targets.max()) < n):
        worst = int(targets.min()) if int(targets.min()) < 0 else int(targets.max())
        raise ValueError(f"{worst} does not belong to {n} classes")
    return one_hot(targets, n).to(like)


def cross_entropy(logits, targets):
    if logits.shape[:1] != targets.shape:
        raise ValueError(f"shapes {logits.shape} {targets.shape}")
    wide = logits.double()
    hot = _hot(targets, n=logits.shape[1], like=wide)
    return (-torch.einsum("bv,bv->", log_softmax(wide), hot) / logits.shape[0]).to(logits.dtype)


def gradient_step(weight, x, targets, learning_rate):
    logits = torch.einsum("bd,cd->bc", x, weight)
    off = softmax(logits) - _hot(targets, n=weight.shape[0], like=weight)
    change = torch.einsum("bc,bd->cd", off, x).div(x.shape[0])
    return cross_entropy(logits, targets), torch.sub(weight, change, alpha=learning_rate)


def count_bigrams(ids, vocab_size):
    hot = _hot(ids, n=vocab_size, like=torch.empty(0, dtype=torch.float64))
    return torch.einsum("si,sj->ij", hot[:-1], hot[1:]).round().long()


def bigram_by_counting(ids, vocab_size):
    counts = count_bigrams(ids, vocab_size).double()
    counts[counts.sum(1) == 0] = 1
    return (counts / counts.sum(1, keepdim=True)).float()


def bigram_by_training(ids, vocab_size, steps, learning_rate):
    inputs = one_hot(ids[:-1], vocab_size).double()
    weight = torch.zeros(vocab_size, vocab_size, dtype=torch.float64, device=ids.device)
    while steps:
        weight, steps = gradient_step(weight, inputs, ids[1:], learning_rate)[1], steps - 1
    return weight.T.float().contiguous()


def pick_device(preferred=None, available=None):
    known = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if available is not None:
        known |= {"cuda": lambda: available("cuda"), "mps": lambda: available("mps")}
    if preferred is not None:
        chosen = torch.device(preferred)
        if not known[chosen.type]():
            raise ValueError(f"no {chosen} here")
        return chosen
    return torch.device(next(kind for kind, there in known.items() if there()))


class _Stopwatch:
    def __init__(self, wait, clock):
        self.wait, self.clock, self.laps = wait, clock, []

    def __enter__(self):
        self.wait()
        self.began = self.clock()

    def __exit__(self, *error):
        self.wait()
        self.laps.append(self.clock() - self.began)


def time_call(function, device="cpu", repeats=5, warmup=1, synchronize=None, clock=time.perf_counter):
    for number, least in ((repeats, 1), (warmup, 0)):
        if number < least:
            raise ValueError(f"{number} is less than {least}")
    own = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
    watch = _Stopwatch(synchronize or own.get(torch.device(device).type, lambda: None), clock)
    [function() for _ in range(warmup)]
    watch.wait()
    for _ in range(repeats):
        with watch:
            function()
    return median(watch.laps)
