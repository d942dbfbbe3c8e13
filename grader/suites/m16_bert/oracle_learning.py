"""What bert-nano is trained on to read a boat's log, in ids that the seed draws; and bert-nano itself."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.judge import expect_tensor

from . import oracle, oracle_heads, oracle_model, probes
from .oracle_loading import from_file

SPECIAL = 5  # [PAD], [UNK], [CLS], [SEP], [MASK]
CLS, SEP, MASK = 2, 3, 4
SIZES = {"vocab_size": 2000, "context_length": 128, "d_model": 64, "n_layers": 4, "n_heads": 4, "d_ff": 256}
Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # ids, types, mask, and what follows


def nano(data: Any) -> tuple[dict[str, int], dict[str, Tensor], dict[str, Tensor]]:
    """Return bert-nano's vocabulary, and its weights as the file has them and by our names, in float32."""
    from safetensors.torch import load

    pieces = data.text("bert-nano/vocab.txt").splitlines()
    tensors = load(data.bytes("bert-nano/model.safetensors"))
    return {piece: number for number, piece in enumerate(pieces)}, tensors, from_file(tensors)


def cut(text: str, vocab: dict[str, int]) -> list[int]:
    """Return the ids of a text's pieces."""
    return [vocab[piece] for word in oracle.words(text) for piece in oracle.pieces(word, vocab)]


class Logbook:
    """A boat's log in pairs of pieces that follow each other or don't, some entries held out."""

    STEPS, BATCH, RATE, CONTROL = 60, 16, 3e-3, 25
    # By how many nats a hole costs less than it would by how common its piece is in the entries for training. Over
    # seeds the solution's steps brought 1.56 (a standard deviation of 0.06), and shuffled labels -0.34 (0.04).
    LEARNED, NOTHING = 0.8, 0.4

    def __init__(self, draw: Any, data: Any) -> None:
        vocab, _, state = nano(data)
        texts = [data.text(f"logbook_{part}.txt").split("<|endoftext|>") for part in ("train", "heldout")]
        rows = [[torch.tensor(cut(entry, vocab)) for entry in part if entry.strip()] for part in texts]
        used = torch.unique(torch.cat([*rows[0], *rows[1]]))
        used = used[used >= SPECIAL]
        order = used[draw.permutation(len(used))]
        kept = torch.cat([torch.arange(SPECIAL), order])
        places = torch.zeros(len(vocab), dtype=torch.int64)
        places[kept] = torch.arange(len(kept))
        self.train, heldout = ([places[row] for row in part] for part in rows)
        self.sizes = SIZES | {"vocab_size": len(kept)}
        cuts = ("embeddings.words.weight", "decoder.bias")
        self.start = {name: value[kept] if name in cuts else value for name, value in state.items()}
        self._held = self._batch(draw, heldout, 60)
        ids, _, mask, _ = self._held
        allowed = mask & (ids >= SPECIAL)
        self._asked = (torch.rand(ids.shape, generator=draw.generator) < 0.15) & allowed
        counts = torch.bincount(torch.cat(self.train), minlength=len(kept)).double() + 0.5
        self.common = float(-(counts / counts.sum()).log()[ids[self._asked]].mean())

    def batches(self, draw: Any, steps: int) -> list[Batch]:
        """Draw so many batches of the entries for training: ids, types, mask, and what follows."""
        return [self._batch(draw, self.train, self.BATCH) for _ in range(steps)]

    def _batch(self, draw: Any, entries: list[Tensor], size: int) -> Batch:
        rows, follows = [], draw.integers(0, 2, size)
        for turned in follows.tolist():
            entry, other = (entries[int(index)] for index in draw.permutation(len(entries))[:2])
            first, second = draw.integers(12, 28, 2).tolist()
            start = draw.random.randrange(max(len(entry) - first - second, 1))
            a, rest = entry[start : start + first], entry[start + first :]
            b = (other[draw.random.randrange(len(other) - second) :] if turned else rest)[:second]
            rows.append(oracle.pair(a.tolist(), b.tolist(), CLS, SEP))
        longest = max(len(ids) for ids, _ in rows)
        ids, types = (
            torch.tensor([[*row[part], *[0] * (longest - len(row[part]))] for row in rows]) for part in (0, 1)
        )
        mask = torch.arange(longest) < torch.tensor([[len(ids)] for ids, _ in rows])
        return ids, types, mask, follows

    def after(
        self, student: Any, batches: list[Batch], seed: int, rate: float = RATE, shuffled: bool = False,
        rates: tuple[Sequence[float], ...] = (),
    ) -> float:  # fmt: skip
        """Train bert-nano by the student's own model, holes and loss; return what a hole held out costs it then."""
        planted = student.plant(probes)
        parts = {name: getattr(student, name) for name in ("mask_tokens", "pretraining_loss")}
        model = planted.fill(student.Bert(**self.sizes), oracle_model.whole(self.start))
        given = SPECIAL, MASK, self.sizes["vocab_size"], seed, rate, shuffled, rates
        found = planted.pretrain(parts, model, batches, *given)
        for name, value in self.start.items():
            expect_tensor(found.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
        return self.cost(found)

    def cost(self, state: dict[str, Tensor]) -> float:
        """Return what a hole in the entries held out costs a model of these weights, in nats."""
        ids, types, mask, _ = self._held
        holed = ids.where(~self._asked, MASK)
        with torch.no_grad():
            vectors = oracle_model.read(state, self.sizes, holed, types, mask)[self._asked]
            return float(F.cross_entropy(oracle_heads.token_scores(vectors, state), ids[self._asked]))
