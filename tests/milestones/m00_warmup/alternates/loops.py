"""Unusual: loops over rows, columns and pairs, one-dimensional vectors only, no type hints."""

import time

import torch


def _row(x):
    top = max(x.tolist())
    return x - top, (x - top).exp().sum()


def _along(x, dim, function):
    moved = x.movedim(dim, -1)
    rows = [function(row) for row in moved.reshape(-1, moved.shape[-1])]
    return torch.stack(rows).reshape(moved.shape).movedim(-1, dim)


def softmax(x, dim=-1):
    return _along(x, dim, lambda row: _row(row)[0].exp() / _row(row)[1])


def log_softmax(x, dim=-1):
    return _along(x, dim, lambda row: _row(row)[0] - _row(row)[1].log())


def cross_entropy(logits, targets):
    if targets.dim() != 1 or len(targets) != len(logits):
        raise ValueError("%s and %s" % (list(logits.shape), list(targets.shape)))
    total = 0.0
    for row, target in zip(logits, targets.tolist(), strict=True):
        if target not in range(len(row)):
            raise ValueError("target %d of %d" % (target, len(row)))
        total = total - log_softmax(row)[target]
    return total / len(logits)


def gradient_step(weight, x, targets, learning_rate):
    gradient = torch.zeros_like(weight)
    for row, target in zip(x, targets.tolist(), strict=True):
        chances = softmax(weight @ row)
        for c in range(len(weight)):
            gradient[c] += (chances[c] - float(c == target)) * row
    return cross_entropy(x @ weight.T, targets), weight - gradient * (learning_rate / len(x))


def count_bigrams(ids, vocab_size):
    table = [[0] * vocab_size for _ in range(vocab_size)]
    for token in ids.tolist():
        if not 0 <= token < vocab_size:
            raise ValueError("id %d of %d" % (token, vocab_size))
    for first, second in zip(ids.tolist(), ids.tolist()[1:], strict=False):
        table[first][second] += 1
    return torch.tensor(table, dtype=torch.int64)


def bigram_by_counting(ids, vocab_size):
    rows = []
    for row in count_bigrams(ids, vocab_size).tolist():
        rows.append([count / sum(row) if sum(row) else 1 / vocab_size for count in row])
    return torch.tensor(rows)


def bigram_by_training(ids, vocab_size, steps, learning_rate):
    # Row by row, from the counts: the same mean over all pairs, summed in another order.
    counts = count_bigrams(ids, vocab_size).float()
    logits = torch.zeros(vocab_size, vocab_size)
    for _ in range(steps):
        for i in range(vocab_size):
            logits[i] -= learning_rate * (counts[i].sum() * softmax(logits[i]) - counts[i]) / counts.sum()
    return logits


def pick_device(preferred=None, available=None):
    def there(kind):
        if kind == "cpu":
            return True
        if available is not None:
            return available(kind)
        return torch.backends.mps.is_available() if kind == "mps" else torch.cuda.is_available()

    for name in [preferred] if preferred else ["cuda", "mps", "cpu"]:
        if there(str(name).split(":")[0]):
            return torch.device(name)
    raise ValueError("there is no " + str(preferred))


def time_call(function, device="cpu", repeats=5, warmup=1, synchronize=None, clock=time.perf_counter):
    if repeats <= 0 or warmup < 0:
        raise ValueError("%d repeats, %d to warm up" % (repeats, warmup))
    kind = torch.device(device).type
    if synchronize is None and kind == "cuda":
        synchronize = torch.cuda.synchronize
    elif synchronize is None and kind == "mps":
        synchronize = torch.mps.synchronize
    times = []
    for turn in range(warmup + repeats):
        if turn < warmup:
            function()
            if synchronize:
                synchronize()
            continue
        if synchronize:
            synchronize()
        begin = clock()
        function()
        if synchronize:
            synchronize()
        times.append(clock() - begin)
    times.sort()
    return (times[(repeats - 1) // 2] + times[repeats // 2]) / 2
