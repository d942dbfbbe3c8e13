"""What gpt2-nano is fine-tuned on: labelled messages and questions about stories, in ids that the seed draws."""

import json
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grader.judge.probes import model
from grader.suites.shared.nano import Cut

from . import oracle

END = 50256  # GPT-2's <|endoftext|>


class Messages:
    """Messages, spam and ordinary, some of them held out."""

    HELDOUT, STEPS, BATCH, RATE = 400, 80, 24, 6e-3
    CONTROL = 15  # steps on shuffled labels
    TRAINED = ("body.h.2", "body.h.3", "body.ln_f", "score")  # of gpt2-nano's four blocks the last two
    # The best rule with a single word tells 68 %; with fifty seeds the solution told 84 to 96 %. Counted, since a
    # single sure mistake moves what they cost on average.
    LEARNED = 0.72
    # Nats a message. Blind guessing costs ln 2 = 0.69; with fifty seeds the solution came from shuffled labels to 0.67
    # to 0.86, and from the right ones to 0.11 to 0.39.
    NOTHING = 0.5

    def __init__(self, draw: Any, data: Any) -> None:
        texts = "".join(data.text(f"messages_{part}.jsonl") for part in ("train", "heldout"))
        found, encoding = [json.loads(line) for line in texts.splitlines()], data.tiktoken()
        rows = [encoding.encode(message["text"]) for message in found]
        self.gpt = Cut(draw, torch.unique(torch.tensor([token for row in rows for token in row])))
        examples = [(row, row) for row in map(self.gpt.ids, rows)]
        self.ids, _, self.mask = oracle.collated(examples, 0)
        self.classes = torch.tensor([int(message["label"] == "spam") for message in found])
        order = draw.permutation(len(rows))
        self.heldout, self.train = order[: self.HELDOUT], order[self.HELDOUT :]

    def picks(self, draw: Any, steps: int) -> list[Tensor]:
        """Draw the rows of each step: all once before any comes again."""
        rounds = -(-steps * self.BATCH // len(self.train))
        order = torch.cat([self.train[draw.permutation(len(self.train))] for _ in range(rounds)])
        return list(order[: steps * self.BATCH].split(self.BATCH))

    def measure(self, state: dict[str, Tensor]) -> tuple[float, float]:
        """Return what a held-out message costs a classifier of these weights, and which share of them it tells rightly.

        It runs in the judge's own model, in float32: here nothing is compared to the last digit.
        """
        rows, made = self.heldout, model.LanguageModel(**self.gpt.sizes)
        made._modules["lm_head"] = nn.Identity()
        made.load_state_dict({name.removeprefix("body."): state[name] for name in state if name.startswith("body.")})
        with torch.no_grad():
            vectors = oracle.picked(made(self.ids[rows]), oracle.last_places(self.mask[rows]))
            scores = vectors @ state["score.weight"].T
        right = (scores.argmax(dim=1) == self.classes[rows]).double().mean()
        return float(F.cross_entropy(scores, self.classes[rows])), float(right)


class Questions:
    """Questions about small stories, with their answers, in Alpaca's form; some of them held out."""

    HELDOUT, STEPS, BATCH, RATE = 50, 40, 8, 1e-2
    CONTROL = 25  # steps on shuffled labels
    TRAINED = ("h.3", "ln_f")
    # Nats a token of an answer. How common each is would bring 3.2, the solution came to between 1.3 and 1.9.
    LEARNED = 2.7

    def __init__(self, draw: Any, data: Any) -> None:
        texts = "".join(data.text(f"instructions_{part}.jsonl") for part in ("train", "heldout"))
        found = [pair for pair in map(json.loads, texts.splitlines()) if ". " in pair["input"]]
        encoding = data.tiktoken()
        self.pairs = [(oracle.prompt(pair["instruction"], pair["input"]), pair["output"]) for pair in found]
        tokens = {text: encoding.encode(text) for pair in self.pairs for text in pair}
        every = torch.tensor([END, *(token for row in tokens.values() for token in row)])
        self.gpt = Cut(draw, torch.unique(every))
        self.texts = {text: self.gpt.ids(row) for text, row in tokens.items()}
        self.end_id = self.gpt.ids([END])[0]
        order = draw.permutation(len(self.pairs)).tolist()
        self.heldout, self.train = order[: self.HELDOUT], order[self.HELDOUT :]

    def picks(self, draw: Any, steps: int) -> list[list[int]]:
        """Draw the examples of each step."""
        chosen = draw.integers(0, len(self.train), steps, self.BATCH).tolist()
        return [[self.train[index] for index in row] for row in chosen]

    def losses(self, state: dict[str, Tensor]) -> tuple[float, float]:
        """Return what a token of a held-out answer costs, and one of a prompt, in the judge's own model."""
        parts = [(self.texts[prompt], self.texts[answer]) for prompt, answer in (self.pairs[i] for i in self.heldout)]
        answers = oracle.collated([oracle.example(*pair, self.end_id) for pair in parts], self.end_id)
        prompts = oracle.collated([(before, before) for before, _ in parts], self.end_id)
        made = model.build(self.gpt.sizes, state)
        with torch.no_grad():
            found = [
                F.cross_entropy(made(ids)[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
                for ids, labels, _ in (answers, prompts)
            ]
        return float(found[0]), float(found[1])

    def commonness(self) -> float:
        """Return what a held-out answer's token costs whoever knows how common each is, and nothing else."""
        answers = [oracle.example([], self.texts[self.pairs[i][1]], self.end_id)[0] for i in self.heldout]
        counts = torch.bincount(torch.tensor([token for answer in answers for token in answer])).double()
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * shares.log()).sum())
