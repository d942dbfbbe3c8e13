"""Unusual: written from stub and guide alone, NumPy here and there, lists of everything."""

import itertools

import numpy as np
import torch
import torch.nn as nn
from torch.nn.functional import cross_entropy, pad


def last_token(hidden, mask):
    positions = torch.where(mask, torch.arange(mask.size(1), device=mask.device), -1)
    last = positions.max(dim=1)[0]
    empty = torch.nonzero(last < 0).flatten().tolist()
    if empty:
        raise ValueError(f"the rows {empty} have no tokens at all")
    return torch.stack([row[place] for row, place in zip(hidden, last.tolist(), strict=True)])


class GPTClassifier(nn.Module):
    def __init__(self, gpt: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.body = gpt
        head = gpt.lm_head
        self.body.lm_head = nn.Identity()
        self.score = nn.Linear(head.in_features, n_classes, bias=False)
        self.score = self.score.to(head.weight.device).to(head.weight.dtype)
        self.training = gpt.training
        self.score.train(gpt.training)

    def forward(self, ids, mask):
        return self.score(last_token(self.body(ids), mask))


def train_only(model, names):
    names = list(names)
    parameters = list(model.named_parameters())

    def matches(key, name):
        return key == name or key[: len(name) + 1] == name + "."

    for name in names:
        if sum(matches(key, name) for key, _ in parameters) == 0:
            raise ValueError(f"unknown name {name}")
    result = []
    for key, parameter in parameters:
        wanted = False
        for name in names:
            wanted = wanted or matches(key, name)
        parameter.requires_grad_(wanted)
        if wanted:
            result += [key]
    return result


def format_example(example):
    lines = ["### Instruction:", example["instruction"], ""]
    if example.get("input") not in (None, ""):
        lines += ["### Input:", example["input"], ""]
    lines += ["### Response:", ""]
    return "\n".join(lines), example["output"]


def encode_example(encode, prompt, completion, end_id):
    a, b = encode(prompt), encode(completion)
    end = [] if len(b) and b[-1] == end_id else [end_id]
    return [*a, *b, *end], [*np.full(len(a), -100).tolist(), *b, *end]


def collate(examples, pad_id):
    if len(examples) < 1:
        raise ValueError("nothing here")
    lengths = np.array([len(ids) for ids, _ in examples])
    n = int(lengths.max())
    ids = np.full((len(examples), n), pad_id, dtype=np.int64)
    labels = np.full((len(examples), n), -100, dtype=np.int64)
    for row, (tokens, marks) in enumerate(examples):
        ids[row, : len(tokens)] = tokens
        labels[row, : len(marks)] = marks
    mask = np.arange(n)[None, :] < lengths[:, None]
    return torch.from_numpy(ids), torch.from_numpy(labels), torch.from_numpy(mask)


def masked_loss(logits, labels):
    if logits.dtype in {torch.half, torch.bfloat16}:
        logits = logits.to(torch.float32)
    shifted = pad(labels[..., 1:], (0, 1), value=-100)
    each = cross_entropy(logits.transpose(1, 2), shifted, reduction="none")
    many = (shifted != -100).sum()
    return each.sum() if many == 0 else each.sum() / many


def accuracy(model, batches):
    awake = [module for module in model.modules() if module.training]
    model.eval()
    rights, alls = [], []
    for ids, mask, classes in batches:
        with torch.no_grad():
            guess = model(ids, mask).numpy().argmax(-1)
        rights.append(int(np.sum(guess == classes.numpy())))
        alls.append(len(guess))
    for module in awake:
        module.training = True
    if sum(alls) == 0:
        raise ValueError("no rows were given")
    return sum(rights) / sum(alls)


def enough(losses, patience, min_delta=0.0):
    if not patience > 0:
        raise ValueError(f"a patience of {patience} makes no sense")
    in_vain, best = 0, float("inf")
    for loss in losses:
        in_vain += 1
        if loss < best - min_delta:
            best = loss
            in_vain = 0
    return in_vain >= patience


def fit(model, train_epoch, validate, *, epochs, patience, min_delta=0.0):
    def take():
        parts = itertools.chain(model.named_parameters(), model.named_buffers())
        return {name: value.detach().clone() for name, value in parts}

    best_loss, best, train_losses, losses = np.inf, take(), [], []
    for _ in range(epochs):
        model.train()
        train_losses.append(train_epoch())
        model.eval()
        with torch.no_grad():
            losses.append(validate())
        if losses[-1] < best_loss:
            best_loss, best = losses[-1], take()
        if enough(losses, patience, min_delta=min_delta):
            break
    model.eval()
    for name, value in itertools.chain(model.named_parameters(), model.named_buffers()):
        value.data.copy_(best[name])
    return list(zip(train_losses, losses, strict=True))


def sweep(grid, run, test, seeds):
    before = torch.get_rng_state()
    table = []
    if len(seeds) == 0:
        raise ValueError("sweep without seeds")
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        losses = []
        for seed in seeds:
            torch.manual_seed(seed)
            losses.append(run(**settings))
        table.append((settings, sum(losses) / len(losses)))
    means = np.nan_to_num(np.array([mean for _, mean in table]), nan=np.inf, posinf=np.inf)
    if not (means < np.inf).any():
        raise ValueError("there is no number among the losses")
    settings = table[int(np.argmin(means))][0]
    torch.manual_seed(next(iter(seeds)))
    answer = test(**settings)
    torch.set_rng_state(before)
    return table, (settings, answer)
