"""Unusual: a base class, cumulative sums, logits picked by a mask, recursion for loops, one copy written over."""

import torch
import torch.nn.functional as F
from torch import nn


def last_token(hidden, mask):
    seen = mask.long().cumsum(dim=1)
    total = seen[:, -1:]
    if (total == 0).any():
        raise ValueError("no real token in row " + str((total == 0).flatten().nonzero()[0].item()))
    is_last = mask & (seen == total)  # the first place at which all have been seen
    return hidden[is_last]


class _Base(nn.Module):
    def hidden(self, ids):
        return self.body(ids)

    def forward(self, ids, mask):
        return F.linear(last_token(self.hidden(ids), mask), self.score.weight)


class GPTClassifier(_Base):
    def __init__(self, gpt, n_classes):
        super().__init__()
        width = gpt.lm_head.weight.shape[-1]
        kind = dict(dtype=gpt.lm_head.weight.dtype, device=gpt.lm_head.weight.device)
        self.body, self.score = gpt, nn.Linear(width, n_classes, bias=False, **kind).train(gpt.training)
        self.body.lm_head, self.training = nn.Identity(), gpt.training


def train_only(model, names):
    names = list(names)
    table = {key: any(key == n or key.startswith(n + ".") for n in names) for key, _ in model.named_parameters()}
    missing = {n for n in names if not any(key == n or key.startswith(n + ".") for key in table)}
    if missing:
        raise ValueError("nothing is called " + " or ".join(sorted(missing)))
    for key, parameter in model.named_parameters():
        parameter.requires_grad = table[key]
    return [key for key, on in table.items() if on]


TEMPLATE = "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
SHORT = "### Instruction:\n{instruction}\n\n### Response:\n"


def format_example(example):
    template = TEMPLATE if example.get("input") else SHORT
    return template.format(**example), example["output"]


def encode_example(encode, prompt, completion, end_id):
    head, tail = encode(prompt), encode(completion)
    if len(tail) == 0 or tail[len(tail) - 1] != end_id:
        tail = [*tail, end_id]
    labels = [-100 for _ in head]
    labels.extend(tail)
    return [*head, *tail], labels


def collate(examples, pad_id):
    try:
        width = max(len(ids) for ids, _ in examples)
    except ValueError:
        raise ValueError("collate needs examples") from None

    def stretch(row, filler):
        return F.pad(torch.tensor(row, dtype=torch.int64), (0, width - len(row)), value=filler)

    ids = torch.stack([stretch(ids, pad_id) for ids, _ in examples])
    labels = torch.stack([stretch(labels, -100) for _, labels in examples])
    mask = torch.stack([stretch([1] * len(ids), 0) for ids, _ in examples]).bool()
    return ids, labels, mask


def masked_loss(logits, labels):
    shifted = F.pad(labels, (0, 1), value=-100)[:, 1:]  # the last position has nobody to speak about
    keep = shifted.ne(-100)
    if not keep.any():
        return (logits if logits.dtype == torch.float64 else logits.float()).sum() * 0
    chosen = logits[keep]
    return F.cross_entropy(chosen if chosen.dtype == torch.float64 else chosen.float(), shifted[keep])


def accuracy(model, batches):
    modes = {name: module.training for name, module in model.named_modules()}
    model.eval()
    right, rows = torch.zeros((), dtype=torch.int64), 0
    with torch.no_grad():
        for ids, mask, classes in batches:
            right += (torch.argmax(model(ids, mask), dim=1) == classes).sum()
            rows += classes.numel()
    for name, module in model.named_modules():
        module.training = modes[name]
    if rows == 0:
        raise ValueError("nothing to count")
    return right.item() / rows


def enough(losses, patience, min_delta=0.0):
    if patience < 1:
        raise ValueError("patience must be positive, got " + repr(patience))

    def go(place, best, vain):
        if place == len(losses):
            return vain >= patience
        better = losses[place] + min_delta < best
        return go(place + 1, losses[place] if better else best, 0 if better else vain + 1)

    return go(0, float("inf"), 0)


@torch.no_grad()
def _copy(source, into):
    for name, value in source.items():
        into[name].copy_(value)


def fit(model, train_epoch, validate, *, epochs, patience, min_delta=0.0):
    live = model.state_dict(keep_vars=True)
    kept = {name: torch.empty_like(value) for name, value in live.items()}
    _copy(live, kept)
    lowest, history, heldout = float("inf"), [], []
    while len(history) < epochs:
        model.train()
        history.append([train_epoch()])
        model.eval()
        with torch.no_grad():
            heldout.append(validate())
        history[-1].append(heldout[-1])
        if heldout[-1] < lowest:
            lowest = heldout[-1]
            _copy(live, kept)
        if enough(heldout, patience, min_delta):
            break
    model.eval()
    _copy(kept, live)
    return [tuple(pair) for pair in history]


def sweep(grid, run, test, seeds):
    names, table = list(grid), []

    def descend(settings):
        if len(settings) < len(names):
            name = names[len(settings)]
            for value in grid[name]:
                descend({**settings, name: value})
            return
        losses = []
        for seed in seeds:
            torch.manual_seed(seed)
            losses.append(run(**settings))
        table.append((settings, sum(losses) / len(losses)))

    if list(seeds) == []:
        raise ValueError("there must be a seed")
    with torch.random.fork_rng(devices=[]):
        descend({})
        good = {n: loss for n, (_, loss) in enumerate(table) if loss - loss == 0}
        if not good:
            raise ValueError("no mean is a number")
        best = table[min(good, key=good.get)][0]
        torch.manual_seed(seeds[0])
        final = test(**best)
    return table, (best, final)
