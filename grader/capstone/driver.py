"""Runs inside the worker: strings the student's modules together. Planted there as text; imports only what is there."""

import contextlib
import importlib
import time

import numpy
import torch

END_OF_TEXT = "<|endoftext|>"
ENOUGH = 20_000  # ids without which nothing is learned, however long they take
ROWS, TRAIN_ROWS, HELDOUT_ROWS = 16, 32, 4  # of a batch, and how many batches of either
AT_ONCE = 4  # tokens that are written before they are told
made: dict = {}


def part(milestone, name):
    """Return a name out of one of the student's modules."""
    return getattr(importlib.import_module(f"exercises.{milestone}"), name)


def the(name):
    """Return what was made here, for another driver: it stays in the worker."""
    return made[name]


# ── getting ready ─────────────────────────────────────────────────────────────────────────────────────────────────────


def learn_tokenizer(text, vocab_size):
    """Train the student's tokenizer and return what it is made of: vocabulary and merges."""
    vocab, merges = part("m01_tokenizer", "train_bpe")(text, vocab_size, [END_OF_TEXT])
    use_tokenizer(vocab, merges)
    return vocab, merges


def use_tokenizer(vocab, merges):
    """Make the student's tokenizer of a vocabulary and merges."""
    made["tokenizer"] = part("m01_tokenizer", "Tokenizer")(vocab, merges, [END_OF_TEXT])
    if len(made["tokenizer"].encode(END_OF_TEXT)) != 1:
        raise NotImplementedError("m01.4")  # a story ends with this one token


def write_ids(name, pieces, seconds, tell):
    """Encode one piece after another into a file of 16-bit ids, until the time is up; return how many ids there are.

    `tell(pieces)` hears now and then how many are done.
    """
    started = last = time.monotonic()
    made[name], count = f"{name}.bin", 0
    with open(made[name], "wb") as file:
        for done, piece in enumerate(pieces, start=1):
            ids = made["tokenizer"].encode(piece)
            count += len(ids)
            file.write(numpy.array(ids, dtype=numpy.uint16).tobytes())
            if (now := time.monotonic()) - last > 0.3:
                last = now
                tell(done)
            if now - started > seconds and count > ENOUGH:
                break
    return count


def build_model(sizes, device):
    """Build the student's GPT and return how many parameters it has."""
    torch.manual_seed(0)
    config = part("m06_gpt", "GPTConfig")(**sizes)
    made["model"], made["device"] = part("m06_gpt", "GPT")(config).to(device), device
    made["context_length"] = sizes["context_length"]
    return part("m06_gpt", "count_parameters")(made["model"])


def some_rows():
    """Return rows of what is learned from, and those that the held-out loss is of, as ids and labels in int32."""
    found = {}
    for name, seed, times in (("train", 2, TRAIN_ROWS), ("heldout", 1, HELDOUT_ROWS)):
        dice = torch.Generator().manual_seed(seed)
        batches = [batch(name, ROWS, dice) for _ in range(times)]
        for ending, side in (("", 0), ("_labels", 1)):
            found[name + ending] = torch.cat([pair[side] for pair in batches]).cpu().to(torch.int32)
    return found


def batch(name, size, dice):
    """Draw a batch by the student's get_batch."""
    get_batch = part("m02_data", "get_batch")
    return get_batch(made[name], numpy.uint16, size, made["context_length"], dice, device=made["device"])


def restore(vocab, merges, sizes, weights, device):
    """Bring back a tokenizer and a model that were kept."""
    use_tokenizer(vocab, merges)
    build_model(sizes, device)
    made["model"].load_state_dict(weights)


# ── training ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def train(plan, tell, keep, sample):
    """Train by the plan (steps, batch_size, peak, seconds, every, prompt), or until `tell` says that it is enough.

    `tell(step, loss, heldout or None)` is called after each step, `keep(step, weights)` after the first, after some, at
    the latest after `keep_seconds`, and at the end; `sample(text)` is given what the model writes meanwhile.
    """
    model, started, steps = made["model"], time.monotonic(), plan["steps"]
    evaluate = part("m08_training", "evaluate")
    generator, fixed = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    done, kept, kept_at = 0, -1, started

    def keep_now():
        nonlocal kept, kept_at
        if kept != done:
            kept, kept_at = done, time.monotonic()
            keep(done, {name: value.detach().cpu() for name, value in model.state_dict().items()})

    heldout = [batch("heldout", ROWS, fixed) for _ in range(HELDOUT_ROWS)]
    groups = part("m08_training", "decay_groups")(model, 0.1)
    optimizer = part("m08_training", "AdamW")(groups, lr=plan["peak"])
    learning_rate = part("m08_training", "learning_rate")

    def schedule(step):
        peak, warmup = plan["peak"], max(1, steps // 20) if steps > 1 else 0
        return learning_rate(step, peak=peak, floor=peak / 10, warmup=warmup, total=steps)

    class Enough(Exception):
        pass

    def on_step(step, loss):
        nonlocal done
        done += 1
        over = time.monotonic() - started > plan["seconds"]
        checked = done % plan["every"] == 0 or done == steps or over
        enough = tell(done, float(loss), float(evaluate(model, heldout)) if checked else None)
        if checked or enough or done == 1 or time.monotonic() - kept_at > plan["keep_seconds"]:
            keep_now()
        if over or enough:
            raise Enough
        if checked and done < steps:
            sample(write(plan["prompt"], 0.6, 40, done, 24, 10.0))

    model.train()
    with contextlib.suppress(Enough):
        part("m08_training", "train")(
            model,
            optimizer,
            lambda: batch("train", plan["batch_size"], generator),
            steps=steps,
            schedule=schedule,
            max_norm=1.0,
            on_step=on_step,
        )
    keep_now()
    return done


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(prompt, temperature, top_k, seed, most, seconds, say=None):
    """Let the model write on from a prompt until its story ends, `most` tokens are new, or the time is up.

    `say(text)` is given each new bit of it, and may answer that it is enough. Returns what is new.
    """
    tokenizer, started = made["tokenizer"], time.monotonic()
    (end,) = tokenizer.encode(END_OF_TEXT)
    ids = torch.tensor([[end, *tokenizer.encode(prompt)]], device=made["device"])
    generator = torch.Generator(device=made["device"]).manual_seed(seed)
    first, told = ids.shape[1], ""
    while True:
        before = ids.shape[1]
        ids = part("m07_generation", "generate")(
            made["model"],
            ids,
            min(AT_ONCE, first + most - before),
            context_length=made["context_length"],
            temperature=temperature,
            top_k=top_k,
            stop_tokens=(end,),
            generator=generator,
        )
        new = ids[0, first:].tolist()
        over = end in new or len(new) >= most or ids.shape[1] <= before or time.monotonic() - started > seconds
        text = tokenizer.decode([token for token in new if token != end])
        whole = text if over else text.rstrip("\ufffd")  # a letter may lack its last bytes
        more, told = whole[len(told) :], whole
        if (say is not None and more and say(more)) or over:
            return told
