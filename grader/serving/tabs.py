"""What the page's other tabs do, with the student's own m10, m16, m17 and m18."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import fixtures
from grader import syllabus
from grader.asking import guides

from .model import Served
from .sources import Asker

STEPS, BATCH, RATE, SEED = 80, 24, 6e-3, 0
CLASSES = ("ordinary", "spam")
LAST_BLOCKS = 2  # that are trained, with what comes after them
HELDOUT = 120
MASK, CLS, SEP = "[MASK]", "[CLS]", "[SEP]"
BEST = 5  # words for a gap


@dataclass(frozen=True)
class Tab:
    """One of the page's tabs; `answer` returns what is shown, or yields it again and again, each time all of it."""

    id: str
    title: str
    says: str
    asks: str
    answers: str
    example: str
    answer: Callable[[str], str | Iterator[str]]


def tabs(names: list[str], modules: dict[str, ModuleType], served: Served) -> list[Tab]:
    """Return the tabs of these milestones."""
    made = {"m10_finetuning": lambda: classify(modules["m10_finetuning"], served)}
    made |= {"m16_bert": lambda: fill_mask(modules["m16_bert"])}
    made |= {"m18_rag": ask}
    return [made[name]() for name in names]


def classify(parts: ModuleType, served: Served) -> Tab:
    """Return the tab that tells spam by m10's classifier."""
    return Tab(
        "classify", "Classify", "Your m10 makes your model tell spam from ordinary messages: it learns that once.",
        "A message", "What it says", "Your name was drawn at our mill, so the brand new kite is yours. Bring one coin.",
        Classifier(parts, served).answer,
    )  # fmt: skip


class Classifier:
    """A classifier that learns when it is asked for the first time."""

    def __init__(self, parts: ModuleType, served: Served) -> None:
        self._parts, self._served = parts, served
        self._lock, self._right = threading.Lock(), 0.0
        self._model: Any = None

    def answer(self, text: str) -> Iterator[str]:
        """Say which class a message is of, and how sure that is; the first time, how far learning has come."""
        import torch

        if not text.strip():
            yield "Write a message first."
            return
        with self._lock:
            if self._model is None:
                yield from self._learn()
        ids, _, mask = self._batch([text])
        with torch.no_grad():
            chances = self._model(ids, mask)[0].softmax(dim=0).tolist()
        lines = [f"{chance:4.0%}  {name}" for chance, name in sorted(zip(chances, CLASSES, strict=True), reverse=True)]
        yield "\n".join([*lines, "", f"Of {HELDOUT} messages that it has not seen it tells {self._right:.0%} rightly."])

    def _learn(self) -> Iterator[str]:
        import torch

        yield "It learns to tell spam …"
        model, parts = self._served.build(), self._parts
        layers = len(model.h)
        made = parts.GPTClassifier(model, len(CLASSES))
        names = [f"body.h.{layer}" for layer in range(max(0, layers - LAST_BLOCKS), layers)]
        parts.train_only(made, [*names, "body.ln_f", "score"])
        optimizer = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], lr=RATE)
        train, dice = messages("train"), torch.Generator().manual_seed(SEED)
        order = torch.cat([torch.randperm(len(train), generator=dice) for _ in range(-(-STEPS * BATCH // len(train)))])
        made.train()
        for step in range(STEPS):
            some = [train[at] for at in order[step * BATCH : (step + 1) * BATCH].tolist()]
            ids, _, mask = self._batch([text for text, _ in some])
            loss = torch.nn.functional.cross_entropy(made(ids, mask), torch.tensor([label for _, label in some]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 10 == 9:
                yield f"It learns to tell spam: step {step + 1} of {STEPS}, loss {loss.item():.2f} …"
        made.eval()
        held = messages("heldout")[:HELDOUT]
        ids, _, mask = self._batch([text for text, _ in held])
        self._right = parts.accuracy(made, [(ids, mask, torch.tensor([label for _, label in held]))])
        self._model = made

    def _batch(self, texts: list[str]) -> Any:
        rows = [self._served.tokenizer.encode(text)[-self._served.context_length :] for text in texts]
        return self._parts.collate([(row, row) for row in rows], self._served.end)


def messages(side: str) -> list[tuple[str, int]]:
    """Return messages, `train` or `heldout`, each with the number of its class."""
    path = fixtures.MESSAGES_TRAIN if side == "train" else fixtures.MESSAGES_HELDOUT
    found = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(message["text"], CLASSES.index(message["label"])) for message in found]


def ask() -> Tab:
    """Return the tab that answers from the guides by m17's search and m18's citations."""
    return Tab(
        "ask", "Ask", "Your m17 looks through this course's guides, and your m18 answers with a source or not at all.",
        "A question", "What the guides say", "Why do chunks overlap?",
        Asker(guides.read(syllabus.load().milestones)).answer,
    )  # fmt: skip


def fill_mask(parts: ModuleType) -> Tab:
    """Return the tab that fills a gap by m16's BERT with bert-nano's weights."""
    return Tab(
        "fill", "Fill a gap", f"Your m16 with bert-nano's weights says what belongs where {MASK} stands.",
        f"A text with one {MASK}", "What belongs there", f"Lily was very {MASK}. She began to cry.",
        Filler(parts).answer,
    )  # fmt: skip


class Filler:
    """A BERT that is read from its files when it is made."""

    def __init__(self, parts: ModuleType) -> None:
        from safetensors.torch import load_file

        config = json.loads((fixtures.BERT_NANO / "config.json").read_text(encoding="utf-8"))
        sizes = ("max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads")
        self._parts, self._longest = parts, config["max_position_embeddings"]
        self._model = parts.Bert(config["vocab_size"], *(config[size] for size in sizes), config["intermediate_size"])
        parts.load_bert(self._model, load_file(fixtures.BERT_NANO / "model.safetensors"))
        self._model.eval()
        self._words = (fixtures.BERT_NANO / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self._ids = {word: id for id, word in enumerate(self._words)}

    def answer(self, text: str) -> str:
        """Say which words belong into the gap, and how sure that is."""
        import torch

        sides = text.split(MASK)
        if len(sides) != 2:
            return f"Write {MASK} once, where a word is missing."
        left, right = map(self._cut, sides)
        ids, types = self._parts.build_pair([*left, self._ids[MASK], *right], None, self._ids[CLS], self._ids[SEP])
        if len(ids) > self._longest:
            return f"That is longer than the {self._longest} tokens that bert-nano reads."
        with torch.no_grad():
            scores, _ = self._model.scores(*self._model(torch.tensor([ids]), torch.tensor([types])))
        chances, places = scores[0, ids.index(self._ids[MASK])].softmax(dim=0).topk(BEST)
        found = zip(chances.tolist(), places.tolist(), strict=True)
        return "\n".join(f"{chance:4.0%}  {self._words[place]}" for chance, place in found)

    def _cut(self, text: str) -> list[int]:
        words = self._parts.split_words(text)
        return [self._ids[piece] for word in words for piece in self._parts.wordpiece(word, self._ids)]
