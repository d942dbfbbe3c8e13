"""Runs inside the worker: strings the student's modules together. Planted there as text; imports only what is there."""

import contextlib
import importlib
import time

import numpy
import torch

END_OF_TEXT = "<|endoftext|>"
made: dict = {}


def part(milestone, name):
    """Return a name out of one of the student's modules."""
    return getattr(importlib.import_module(f"exercises.{milestone}"), name)


def learn_tokenizer(text, vocab_size):
    """Train the student's tokenizer and return how many tokens it knows."""
    vocab, merges = part("m01_tokenizer", "train_bpe")(text, vocab_size, [END_OF_TEXT])
    made["tokenizer"] = part("m01_tokenizer", "Tokenizer")(vocab, merges, [END_OF_TEXT])
    if len(made["tokenizer"].encode(END_OF_TEXT)) != 1:
        raise NotImplementedError("m01.4")  # a story ends with this one token
    return len(vocab)


def write_ids(name, text):
    """Encode a text, keep it as a file of 16-bit ids, and return how many there are."""
    ids = made["tokenizer"].encode(text)
    made[name] = f"{name}.bin"
    numpy.array(ids, dtype=numpy.uint16).tofile(made[name])
    return len(ids)


def build_model(sizes, device):
    """Build the student's GPT and return how many parameters it has."""
    torch.manual_seed(0)
    config = part("m06_gpt", "GPTConfig")(**sizes)
    made["model"], made["device"] = part("m06_gpt", "GPT")(config).to(device), device
    made["context_length"] = sizes["context_length"]
    return part("m06_gpt", "count_parameters")(made["model"])


def train(steps, batch_size, peak, seconds, every, tell):
    """Train for so many steps, or until the time is up; `tell(step, loss, heldout or None)` is called as it goes on."""
    model, generator, started = made["model"], torch.Generator().manual_seed(0), time.monotonic()
    get_batch, evaluate = part("m02_data", "get_batch"), part("m08_training", "evaluate")

    def batch(name, size, dice):
        return get_batch(made[name], numpy.uint16, size, made["context_length"], dice, device=made["device"])

    fixed = torch.Generator().manual_seed(1)
    heldout = [batch("heldout", 16, fixed) for _ in range(4)]
    groups = part("m08_training", "decay_groups")(model, 0.1)
    optimizer = part("m08_training", "AdamW")(groups, lr=peak)
    learning_rate = part("m08_training", "learning_rate")

    def schedule(step):
        return learning_rate(step, peak=peak, floor=peak / 10, warmup=max(1, steps // 20), total=steps)

    class TimeIsUp(Exception):
        pass

    def on_step(step, loss):
        done = made["steps"] = made.get("steps", 0) + 1
        over = time.monotonic() - started > seconds
        checked = done % every == 0 or done == steps or over
        tell(done, float(loss), float(evaluate(model, heldout)) if checked else None)
        if over:
            raise TimeIsUp

    model.train()
    with contextlib.suppress(TimeIsUp):
        part("m08_training", "train")(
            model,
            optimizer,
            lambda: batch("train", batch_size, generator),
            steps=steps,
            schedule=schedule,
            max_norm=1.0,
            on_step=on_step,
        )
    return made.get("steps", 0)


def write_story(prompt, temperature, top_k, seed):
    """Let the model write on from a prompt until its story ends or the context is full."""
    tokenizer, model = made["tokenizer"], made["model"]
    end = tokenizer.encode(END_OF_TEXT)
    ids = torch.tensor([end + tokenizer.encode(prompt)], device=made["device"])
    room = made["context_length"] * 2 - ids.shape[1]
    written = part("m07_generation", "generate")(
        model,
        ids,
        room,
        context_length=made["context_length"],
        temperature=temperature,
        top_k=top_k,
        stop_tokens=tuple(end),
        generator=torch.Generator(device=made["device"]).manual_seed(seed),
    )
    return tokenizer.decode([token for token in written[0].tolist() if token not in end])
