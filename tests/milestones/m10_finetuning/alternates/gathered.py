"""Unusual: flips and gathers, every position scored, a loss by logsumexp, weights kept in a file."""

import io
import itertools
import math
import statistics

import torch
from torch import Tensor, nn


def last_token(hidden: Tensor, mask: Tensor) -> Tensor:
    batch, seq, d_model = hidden.shape
    lonely = [i for i, count in enumerate(mask.sum(1).tolist()) if count == 0]
    if lonely:
        raise ValueError(f"rows without a token: {lonely}")
    from_the_right = mask.flip(1).int().argmax(1)
    index = (seq - 1 - from_the_right).view(batch, 1, 1).expand(batch, 1, d_model)
    return hidden.gather(1, index).squeeze(1)


class Nothing(nn.Module):
    def forward(self, x):
        return x


class GPTClassifier(nn.Module):
    def __init__(self, gpt, n_classes):
        super().__init__()
        head = gpt.lm_head
        gpt.lm_head = Nothing()
        self.add_module("score", nn.Linear(head.weight.size(1), n_classes, bias=False))
        self.score.to(dtype=head.weight.dtype, device=head.weight.device)
        with torch.no_grad():
            self.score.weight.normal_(0, 0.02)
        modes = [part.training for part in gpt.modules()]
        self.add_module("body", gpt)
        self.train(gpt.training)
        for part, mode in zip(gpt.modules(), modes, strict=True):
            part.training = mode

    def forward(self, ids, mask):
        every = self.score(self.body(ids))  # scores of all positions, of which one is kept
        return last_token(every, mask)


def train_only(model, names):
    wanted = {name: False for name in names}
    keys = [name for name, _ in model.named_parameters()]

    def ancestors(key):
        parts = key.split(".")
        return {".".join(parts[:n]) for n in range(1, len(parts) + 1)}

    for key in keys:
        for name in ancestors(key) & set(wanted):
            wanted[name] = True
    for name, found in wanted.items():
        if not found:
            raise ValueError(f"{name!r} has no parameters")
    chosen = [key for key in keys if ancestors(key) & set(wanted)]
    model.requires_grad_(False)
    for key in chosen:
        model.get_parameter(key).requires_grad_()
    return chosen


def format_example(example):
    headed = [("Instruction", example["instruction"]), ("Input", example.get("input")), ("Response", None)]
    text = "".join(f"### {name}:\n{body}\n\n" for name, body in headed[:2] if body)
    return text + "### Response:\n", example["output"]


def encode_example(encode, prompt, completion, end_id):
    question, answer = tuple(encode(prompt)), tuple(encode(completion))
    end = () if answer and answer[-1] == end_id else (end_id,)
    ids = question + answer + end
    return list(ids), [-100 if place < len(question) else token for place, token in enumerate(ids)]


def collate(examples, pad_id):
    if not len(examples):
        raise ValueError("empty batch")
    pad = nn.utils.rnn.pad_sequence
    ids = [torch.as_tensor(i, dtype=torch.long) for i, _ in examples]
    labels = [torch.as_tensor(marks, dtype=torch.long) for _, marks in examples]
    lengths = torch.tensor([len(i) for i in ids])
    mask = torch.arange(int(lengths.max())).expand(len(ids), -1) < lengths.unsqueeze(1)
    return pad(ids, True, pad_id), pad(labels, True, -100), mask


def masked_loss(logits, labels):
    logits, targets = logits[:, :-1], labels[:, 1:]
    if logits.dtype != torch.float64:
        logits = logits.to(torch.float32)
    weight = (targets != -100).to(logits.dtype)
    safe = targets.masked_fill(targets == -100, 0)
    costs = torch.logsumexp(logits, -1) - logits.gather(-1, safe.unsqueeze(-1)).squeeze(-1)
    return (costs * weight).sum() / weight.sum().clamp_min(1.0)


def accuracy(model, batches):
    sleeping = {id(m) for m in model.modules() if not m.training}
    model.eval()
    with torch.no_grad():
        parts = [(model(ids, mask).max(-1).indices.eq(classes)) for ids, mask, classes in batches]
    for m in model.modules():
        m.training = id(m) not in sleeping
    every = torch.cat([torch.zeros(0, dtype=torch.bool), *parts])
    if every.numel() == 0:
        raise ValueError("accuracy of no rows")
    return every.double().mean().item()


def enough(losses, patience, min_delta=0.0):
    if patience < 1:
        raise ValueError(f"patience={patience}")
    last, best = -1, math.inf
    for place, loss in enumerate(losses):
        if best - loss > min_delta:
            last, best = place, loss
    return len(losses) - 1 - last >= patience


def fit(model, train_epoch, validate, *, epochs, patience, min_delta=0.0):
    def save():
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        return file

    history, files = [], [(math.inf, save())]
    for _epoch in range(epochs):
        if enough([pair[1] for pair in history], patience, min_delta):
            break
        loss = model.train() and train_epoch()
        with torch.no_grad():
            heldout = model.eval() and validate()
        history.append((loss, heldout))
        if heldout < files[-1][0]:
            files.append((heldout, save()))
    model.eval()
    file = files[-1][1]
    file.seek(0)
    model.load_state_dict(torch.load(file, weights_only=True))
    return history


def sweep(grid, run, test, seeds):
    before = torch.random.get_rng_state()
    try:
        table = []
        for values in itertools.product(*list(grid.values())):
            settings = {name: value for name, value in zip(grid.keys(), values, strict=True)}

            def once(seed, settings=settings):
                torch.random.manual_seed(seed)
                return float(run(**settings))

            table.append((settings, statistics.fmean([once(seed) for seed in seeds])))
        ranked = sorted((row for row in table if -math.inf < row[1] < math.inf), key=lambda row: row[1])
        if not ranked:
            raise ValueError("all runs have diverged")
        winner = ranked[0][0]
        torch.random.manual_seed(seeds[0])
        return table, (winner, test(**winner))
    finally:
        torch.random.set_rng_state(before)
