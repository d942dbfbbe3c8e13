"""Unusual: loops over rows and tokens, no fancy indexing; losses by log_softmax; snapshots by deepcopy."""

import copy

import torch
from torch import nn


def last_token(hidden, mask):
    found = []
    for number, (row, real) in enumerate(zip(hidden, mask, strict=True)):
        places = [place for place in range(len(real)) if real[place]]
        if not places:
            raise ValueError("there are only pads in row %d" % number)
        found.append(row[places[-1]])
    return torch.stack(found)


class GPTClassifier(nn.Module):
    def __init__(self, gpt, n_classes):
        super().__init__()
        old = gpt._modules["lm_head"]
        gpt.lm_head = nn.Sequential()  # which gives back what it is given
        self.body = gpt
        self.score = nn.Linear(old.in_features, n_classes, False).to(old.weight)
        if not gpt.training:
            self.training = self.score.training = False

    def forward(self, ids, mask):
        hidden = self.body(ids)
        return self.score(last_token(hidden, mask))


def train_only(model, names):
    names, chosen = tuple(names), []
    for name in names:
        parts = name.split(".")
        if not any(key.split(".")[: len(parts)] == parts for key, _ in model.named_parameters()):
            raise ValueError(name)
    for key, parameter in model.named_parameters():
        parts = key.split(".")
        parameter.requires_grad = any(parts[: name.count(".") + 1] == name.split(".") for name in names)
        if parameter.requires_grad:
            chosen.append(key)
    return chosen


def format_example(example):
    prompt = "### Instruction:\n" + example["instruction"] + "\n\n"
    given = example.get("input", "")
    if given is not None and given != "":
        prompt += "### Input:\n" + given + "\n\n"
    return prompt + "### Response:\n", example["output"]


def encode_example(encode, prompt, completion, end_id):
    ids, labels = [], []
    for token in encode(prompt):
        ids.append(token)
        labels.append(-100)
    answer = encode(completion)
    for token in answer:
        ids.append(token)
        labels.append(token)
    if not answer or answer[-1] != end_id:
        ids.append(end_id)
        labels.append(end_id)
    return ids, labels


def collate(examples, pad_id):
    if len(examples) == 0:
        raise ValueError("nothing to collate")
    longest = max(len(ids) for ids, _ in examples)
    ids = torch.full((len(examples), longest), pad_id)
    labels = torch.full((len(examples), longest), -100)
    mask = torch.zeros(len(examples), longest, dtype=torch.bool)
    for row, (tokens, marks) in enumerate(examples):
        for place, (token, mark) in enumerate(zip(tokens, marks, strict=True)):
            ids[row, place], labels[row, place], mask[row, place] = token, mark, True
    return ids, labels, mask


def masked_loss(logits, labels):
    kind = torch.float64 if logits.dtype == torch.float64 else torch.float32
    logs = logits.to(kind).log_softmax(-1)
    total, count = logs.sum() * 0, 0
    batch, seq = labels.shape
    for row in range(batch):
        for place in range(1, seq):
            label = labels[row, place]
            if label != -100:
                total = total - logs[row, place - 1, label]
                count += 1
    return total / count if count else total


def accuracy(model, batches):
    before = [m.training for m in model.modules()]
    hits = []
    model.train(False)
    for ids, mask, classes in batches:
        with torch.inference_mode():
            scores = model(ids, mask)
        for row, right in zip(scores.tolist(), classes.tolist(), strict=True):
            hits.append(max(range(len(row)), key=row.__getitem__) == right)
    for m, training in zip(model.modules(), before, strict=True):
        m.training = training
    if not hits:
        raise ValueError("no rows")
    return sum(hits) / len(hits)


def enough(losses, patience, min_delta=0.0):
    if patience <= 0:
        raise ValueError("patience %d" % patience)
    waited, best = 0, None
    for loss in losses:
        if -1e300 < loss < 1e300 and (best is None or best - loss > min_delta):
            best, waited = loss, 0
            continue
        waited += 1
    return not waited < patience


def fit(model, train_epoch, validate, *, epochs, patience, min_delta=0.0):
    best_state, best = copy.deepcopy(model.state_dict()), float("inf")
    history = []
    for _ in range(epochs):
        model.train()
        first = train_epoch()
        model.eval()
        with torch.no_grad():
            second = validate()
        history.append((first, second))
        if second < best:
            best, best_state = second, copy.deepcopy(model.state_dict())
        if enough([b for _, b in history], patience, min_delta):
            break
    model.eval()
    model.load_state_dict(best_state)
    return history


def sweep(grid, run, test, seeds):
    if not seeds:
        raise ValueError("no seeds")
    combinations = [{}]
    for name, values in grid.items():
        combinations = [{**before, name: value} for before in combinations for value in values]
    saved = torch.get_rng_state()
    rows = []
    for settings in combinations:
        total = 0.0
        for seed in seeds:
            torch.manual_seed(seed)
            total += run(**settings)
        rows.append((settings, total / len(seeds)))
    best = None
    for row in rows:
        if abs(row[1]) < float("inf") and (best is None or row[1] < best[1]):
            best = row
    if best is None:
        raise ValueError("nothing but nan")
    torch.manual_seed(seeds[0])
    result = test(**best[0])
    torch.set_rng_state(saved)
    return rows, (best[0], result)
