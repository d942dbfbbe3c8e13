"""What policies learn from: a drawn reader's taste in heroes of stories, and rounds that pay for drawn tokens."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fixtures import END_OF_TEXT
from grader.judge.probes import model
from grader.suites.shared.nano import Cut

from . import oracle, probes

State = dict[str, Tensor]


@dataclass(frozen=True)
class Learned:
    """What held-out pairs cost a policy, in which share of them it likes the better one, and its KL a token."""

    loss: float
    share: float
    kl: float


class Taste:
    """Openings of stories, and a reader who would rather read of half of the heroes, whichever the seed draws.

    The two completions of a pair are the same but for the hero's name; their prompt is what stands before it.
    """

    TRAIN, LONGEST = 300, 28  # openings, and tokens of one
    STEPS, BATCH, RATE, BETA = 25, 12, 2e-3, 0.5
    CONTROL = 5  # steps on pairs that a coin chose
    TRAINED = ("ln_f", "wte", "lm_head")  # the last norm, and the table of tokens
    # Nats a pair, of which knowing nothing costs ln 2 = 0.69, and nats of KL a token. The solution came to between 0.10
    # and 0.16 with the seeds tried, to between 0.09 and 0.18 of KL, and by a coin to no less than 0.64.
    LEARNED, NEAR = 0.35, 0.4

    def __init__(self, draw: Any, data: Any) -> None:
        groups = tomllib.loads(data.text("story_grammar.toml"))["names"].values()
        names = [[group[place] for place in draw.permutation(len(group)).tolist()] for group in groups]
        self.liked = [(group[: len(group) // 2], group[len(group) // 2 :]) for group in names]
        train, heldout = (
            [found for story in data.text(f"stories_{part}.txt").split(END_OF_TEXT) if (found := opening(story, names))]
            for part in ("train", "heldout")
        )
        picked = draw.integers(0, self.TRAIN, self.STEPS * self.BATCH).tolist()
        pairs = [self._pair(draw, *train[place]) for place in picked]
        others = [self._pair(draw, *found) for found in heldout]
        encode = data.tiktoken().encode_ordinary
        rows = [[encode(part) for part in row] for pair in pairs + others for row in pair]
        self.gpt = Cut(draw, torch.unique(torch.tensor([token for row in rows for part in row for token in part])))
        self.ids = torch.zeros(len(rows), self.LONGEST, dtype=torch.int64)
        self.mask = torch.zeros_like(self.ids, dtype=torch.bool)
        for row, (prompt, rest) in enumerate(rows):
            tokens = [*prompt, *rest][: self.LONGEST]
            self.ids[row, : len(tokens)] = torch.tensor(self.gpt.ids(tokens))
            self.mask[row, len(prompt) : len(tokens)] = True
        self._count = 2 * len(pairs)
        self._before: Tensor | None = None

    def _pair(self, draw: Any, prompt: str, rest: str, group: int) -> list[tuple[str, str]]:
        """Return an opening with the name of a hero that the reader likes, and with one that they don't."""
        return [(prompt, rest.format(draw.random.choice(names))) for names in self.liked[group]]

    def pairs(self, draw: Any, told: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return ids and mask of pairs, the chosen one first, and the pairs of each step; not told, a coin chooses."""
        rows = torch.arange(self._count).view(-1, 2)
        if not told:
            rows = rows.gather(1, (torch.tensor([[0, 1]]) + draw.integers(0, 2, len(rows), 1)) % 2)
        steps = torch.arange(len(rows)).split(self.BATCH)[: self.STEPS if told else self.CONTROL]
        return self.ids[rows.flatten()], self.mask[rows.flatten()], list(steps)

    def measure(self, state: State) -> Learned:
        """Return what these weights have learned of the taste, in the judge's own model."""
        ids, mask = self.ids[self._count :], self.mask[self._count :]
        with torch.no_grad():
            if self._before is None:
                self._before = model.build(self.gpt.sizes, self.gpt.start)(ids)
            now, before = model.build(self.gpt.sizes, state)(ids), self._before
            moved = oracle.sequence_logprobs(now, ids, mask) - oracle.sequence_logprobs(before, ids, mask)
            ahead = self.BETA * (moved[::2] - moved[1::2])
            share = float((ahead > 0).double().mean())
            return Learned(-float(F.logsigmoid(ahead).mean()), share, divergence(now, before, mask))


def opening(story: str, groups: list[list[str]]) -> tuple[str, str, int] | None:
    """Return what a story's first two sentences say before its hero's name, and from there on, and the name's group.

    The name is taken out; None where the story begins with it.
    """
    text = ".".join(story.strip().split(".")[:2]) + "."
    found = re.search(rf" ({'|'.join(name for group in groups for name in group)})\b", text)
    if found is None:
        return None
    group = next(number for number, names in enumerate(groups) if found[1] in names)
    return text[: found.start()], text[found.start() :].replace(found[1], "{0}"), group


@dataclass(frozen=True)
class Followed:
    """What a completion earns on average, and the policy's KL to where it began, a token."""

    earned: float
    kl: float


class Rounds:
    """A tiny policy, and what each token pays: a third of them something, whichever the seed draws."""

    SIZES = {"vocab_size": 23, "context_length": 8, "d_model": 18, "n_layers": 1, "n_heads": 3}  # noqa: RUF012
    RECIPE = {"rounds": 25, "groups": 8, "size": 8, "count": 5, "passes": 2, "rate": 2e-2, "beta": 0.2, "eps": 0.2}  # noqa: RUF012
    CONTROL = 4  # rounds with rewards by lot
    SAMPLES, PAID = 600, 7
    # Of what can be earned, and nats of KL a token: to write what pays, all of it alike, would be 1.2, and ever the
    # same 3.1. The solution came to 0.84 to 0.9, at 0.7 to 1.2 nats; a fresh policy earns 0.2 to 0.35, and so does
    # one that is paid by lot.
    LEARNED, NEAR = 0.7, 2.0

    def __init__(self, draw: Any) -> None:
        shapes = {name: value.shape for name, value in model.LanguageModel(**self.SIZES).state_dict().items()}
        drawn = {name: draw.normal(*shape, scale=0.1) for name, shape in shapes.items() if name != "lm_head.weight"}
        self.start: State = {
            name: value + 1 if "ln_" in name and name.endswith("weight") else value for name, value in drawn.items()
        }
        self.worth = torch.zeros(self.SIZES["vocab_size"])
        self.worth[1 + draw.permutation(len(self.worth) - 1)[: self.PAID]] = 1.0  # the end token, 0, pays nothing

    def recipe(self, **own: float) -> dict[str, float]:
        """Return the numbers of the rounds, some of them another's."""
        return {**self.RECIPE, **own}

    def measure(self, draw: Any, state: State) -> Followed:
        """Return what completions of these weights earn, and how far they are from the start, in the judge's model."""
        made, began = (model.build(self.SIZES, weights) for weights in (state, self.start))
        count = self.RECIPE["count"]
        with torch.no_grad():
            prompts = draw.integers(1, self.SIZES["vocab_size"], self.SAMPLES, 1)
            ids, mask = probes.sampled(made, prompts, count, 0, draw.generator)
            earned = (self.worth[ids] * mask).sum(dim=1).mean() / count
            return Followed(float(earned), divergence(made(ids), began(ids), mask))


def divergence(logits: Tensor, before: Tensor, mask: Tensor) -> float:
    """Return KL(now, before) of the distributions of the tokens under a mask, on average."""
    now, then = (value[:, :-1].double().log_softmax(dim=-1) for value in (logits, before))
    each = (now.exp() * (now - then)).sum(dim=-1)
    return float(each[mask[:, 1:]].mean())
