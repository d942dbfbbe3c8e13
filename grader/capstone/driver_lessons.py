"""Runs inside the worker, beside driver.py: teaches a model that is there by examples. Planted there as text."""

import contextlib
import copy
import importlib
import math
import time

import torch

END_OF_TEXT = "<|endoftext|>"
BATCH = 16
BETA = 0.1  # of DPO
MOST_ROWS = 512  # that are kept
PATIENCE = 4  # looks at the held-out loss without an improvement
read: dict = {"train": [], "heldout": []}  # what the examples became


class Enough(Exception):
    """The time is up, or somebody has had enough."""


def part(milestone, name):
    """Return a name out of one of the student's modules."""
    return getattr(importlib.import_module(f"exercises.{milestone}"), name)


def as_prompt(example):
    """Return an instruction as the student's m10 writes it for a model."""
    return part("m10_finetuning", "format_example")({"input": "", "output": "", **example})[0]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_instructions(tokenizer, side, examples, longest, seconds, tell):
    """Make ids and labels of instructions, until the time is up; return how many have no more than `longest` ids."""
    write, encode = part("m10_finetuning", "format_example"), part("m10_finetuning", "encode_example")
    (end,) = tokenizer.encode(END_OF_TEXT)

    def row(example):
        prompt, completion = write(example)
        return encode(tokenizer.encode, END_OF_TEXT + prompt, completion, end)

    return _read(side, examples, seconds, tell, row, lambda row: len(row[0]) <= longest)


def read_pairs(tokenizer, side, examples, longest, seconds, tell):
    """Make ids of pairs, the chosen one first, and where their answers begin; return how many fit, as above."""
    (end,) = tokenizer.encode(END_OF_TEXT)

    def row(example):
        prompt = as_prompt(example) if "instruction" in example else example["prompt"]
        before = list(tokenizer.encode(END_OF_TEXT + prompt))
        return [([*before, *tokenizer.encode(example[name]), end], len(before)) for name in ("chosen", "rejected")]

    return _read(side, examples, seconds, tell, row, lambda row: max(len(ids) for ids, _ in row) <= longest)


def _read(side, examples, seconds, tell, row, fits):
    started = last = time.monotonic()
    read[side] = []
    for done, example in enumerate(examples, start=1):
        if fits(made := row(example)):
            read[side].append(made)
        if (now := time.monotonic()) - last > 0.3:
            last = now
            tell(done)
        if now - started > seconds:
            break
    return len(read[side])


def some_rows(tokenizer):
    """Return rows of what was read, in int32: ids, and the labels of those that follow; padding has the label -100."""
    (end,) = tokenizer.encode(END_OF_TEXT)
    seq = max(len(ids) for side in read.values() for ids, _ in side) - 1
    found: dict = {}
    for side in read:
        rows = read[side][:MOST_ROWS]
        ids = [[*ids[:-1], *[end] * (seq - len(ids) + 1)] for ids, _ in rows]
        labels = [[*labels[1:], *[-100] * (seq - len(labels) + 1)] for _, labels in rows]
        found |= {side: torch.tensor(ids, dtype=torch.int32), f"{side}_labels": torch.tensor(labels, dtype=torch.int32)}
    return found


# ── learning ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def finetune(model, tokenizer, device, plan, tell, check, keep):
    """Learn the answers of instructions by m10: collate, masked_loss, and fit, which says when to stop."""
    collate, masked_loss = part("m10_finetuning", "collate"), part("m10_finetuning", "masked_loss")
    (end,) = tokenizer.encode(END_OF_TEXT)

    def loss(rows):
        ids, labels, _ = collate(rows, end)
        return masked_loss(model(ids.to(device)), labels.to(device))

    def heldout():
        batches = [read["heldout"][start : start + BATCH] for start in range(0, len(read["heldout"]), BATCH)]
        return sum(float(loss(batch)) * len(batch) for batch in batches) / len(read["heldout"]), None

    def fit(train_epoch, validate, epochs):
        part("m10_finetuning", "fit")(model, train_epoch, validate, epochs=epochs, patience=PATIENCE)

    _learn(model, plan, loss, heldout, fit, tell, check, keep)


def align(model, tokenizer, device, plan, tell, check, keep):
    """Learn which of two answers people like better by m12: sequence_logprobs, dpo_loss and implicit_rewards."""
    likely, dpo, rewards = (
        part("m12_preference", name) for name in ("sequence_logprobs", "dpo_loss", "implicit_rewards")
    )
    (end,) = tokenizer.encode(END_OF_TEXT)
    reference = copy.deepcopy(model)

    def scores(pairs):
        """Return what the model says of the chosen and the rejected, then what it said before it learned."""
        rows = [row for which in (0, 1) for row in (pair[which] for pair in pairs)]
        seq = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([[*ids, *[end] * (seq - len(ids))] for ids, _ in rows], device=device)
        mask = torch.tensor([[begin <= at < len(ids) for at in range(seq)] for ids, begin in rows], device=device)
        with torch.no_grad():
            before = likely(reference(ids), ids, mask)
        return [*likely(model(ids), ids, mask).split(len(pairs)), *before.split(len(pairs))]

    def loss(pairs):
        return dpo(*scores(pairs), BETA)

    def heldout():
        total, right = 0.0, 0
        for start in range(0, len(read["heldout"]), BATCH):
            some = read["heldout"][start : start + BATCH]
            chosen, rejected, *before = scores(some)
            total += float(dpo(chosen, rejected, *before, BETA)) * len(some)
            right += int((rewards(chosen, before[0], BETA) > rewards(rejected, before[1], BETA)).sum())
        return total / len(read["heldout"]), right / len(read["heldout"])

    def go_on(train_epoch, validate, epochs):
        for _ in range(epochs):
            train_epoch()
            validate()

    _learn(model, plan, loss, heldout, go_on, tell, check, keep)


def _learn(model, plan, loss, heldout, fit, tell, check, keep):
    """Train by the plan (steps, peak, seconds, every), and keep the weights of the lowest held-out loss.

    `tell(step, loss)` is called after each step, `check(step, loss, share or None)` at each look at what is
    held out, and either may answer that it is enough; `keep(step, weights)` where that was the best look so far.
    """
    started, steps, done, best = time.monotonic(), plan["steps"], 0, math.inf
    dice, enough = torch.Generator().manual_seed(0), False
    order: list = []
    optimizer = part("m08_training", "AdamW")(part("m08_training", "decay_groups")(model, 0.1), lr=plan["peak"])
    learning_rate, clip = part("m08_training", "learning_rate"), torch.nn.utils.clip_grad_norm_

    def batch():
        nonlocal order
        if len(order) < min(BATCH, len(read["train"])):
            order = order + torch.randperm(len(read["train"]), generator=dice).tolist()
        some, order = order[:BATCH], order[BATCH:]
        return [read["train"][place] for place in some]

    def stretch():
        nonlocal done, enough
        total, first = 0.0, done
        while done < min(first + plan["every"], steps) and not enough:
            peak, warmup = plan["peak"], max(1, steps // 20) if steps > 1 else 0
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(done, peak=peak, floor=peak / 10, warmup=warmup, total=steps)
            value = loss(batch())
            optimizer.zero_grad()
            value.backward()
            clip(model.parameters(), 1.0)
            optimizer.step()
            done += 1
            number = float(value.detach())
            total += number
            enough = tell(done, number) or time.monotonic() - started > plan["seconds"]
        return total / max(1, done - first)

    def look():
        nonlocal best
        with torch.no_grad():
            value, share = heldout()
        over = check(done, value, share)
        if done and value < best:
            best = value
            keep(done, {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()})
        if over or enough:
            raise Enough
        return value  # to m10's fit, which so knows the best

    model.eval()
    with contextlib.suppress(Enough):
        look()
        fit(stretch, look, -(-steps // plan["every"]))
