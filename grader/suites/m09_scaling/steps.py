"""What several checks of m09_scaling do: put ranks to work, and play the other ranks of one."""

import functools

import torch

from grader.judge import FLOAT32_LAYER, asked, expect, expect_close
from grader.judge.probes import model
from grader.suites.shared import ranks

from . import oracle_learning, probes
from . import oracle_matrices as oracle

KNOWN = ("all_reduce", "all_gather", "broadcast", "send", "recv")


def on_ranks(student, world, work, *args):
    """Have each of `world` ranks do some work, a function of the room's probes; return what each of them returned."""
    return student.plant(ranks).ranks(world, student.plant(probes).work(work), *args)


def learned(student, stories, windows, *squeeze):
    """Have two ranks train on stories; return the weights of each. With squeeze (or None), that says what is sent."""
    gpts = [student.plant(model).build(stories.sizes, stories.start) for _ in stories.ROWS]
    for gpt in gpts:
        student.plant(probes).train_alone(gpt, stories.layers)
    how = [*squeeze] if squeeze else [student.data_parallel_step]
    given = gpts, windows, list(stories.ROWS), oracle_learning.ADAMW, oracle_learning.MAX_NORM
    return on_ranks(student, 2, "squeezed" if squeeze else "learned", *how, student.ShardedAdamW, *given)


def alone(student, rank, world):
    """Return a group in the worker whose other ranks agree with this one in everything."""
    return student.plant(ranks).alone(rank, world)


def told(student, rank, world, others):
    """Return a group in the worker whose other ranks the judge plays: each word of this one's goes through `others`."""
    said = student.callback(others, asked.of(str), tensor, asked.maybe(asked.of(int)))
    return student.plant(ranks).told(rank, world, said)


def tensor(value):
    """Take a plain tensor of few numbers."""
    if type(value) is not torch.Tensor or value.numel() > 100_000:
        raise TypeError("what is sent is no tensor of a few numbers")
    return value


class Summed:
    """Plays the other ranks where everything is added up: they say, one after the other, what stands in a row.

    `own` is what a rank should send, where a mean is wanted: whoever divides by `world` before the sum, as torch's
    DistributedDataParallel does, and not after it, speaks with ranks that do so too.
    """

    def __init__(self, rows, own=(), world=1):
        self.rest, self.sent, self.other = torch.cat(rows), [], []
        self.own, self.world, self.divided = list(own), world, []

    def __call__(self, what, x, whom):
        """Note what a rank sends, and answer with the sum of that and as many numbers of the others'."""
        if what != "all_reduce":
            self.other.append(what if what in KNOWN else "something else")
            return [x] if what == "all_gather" else x
        self.sent.append(x)
        row, self.rest = self.rest[: x.numel()], self.rest[x.numel() :]
        if self.own:
            part = self.own.pop(0) / self.world
            early = part.numel() == x.numel() and torch.allclose(x.flatten(), part.to(x.dtype), atol=1e-6, rtol=0)
            self.divided.append(self.world if early else 1)
            row = row / self.divided[-1]
        return x + torch.cat([row.to(x.dtype), x.new_zeros(x.numel() - len(row))]).view(x.shape)


def expect_no_other(others, mistake=None):
    """Fail where something else was asked of the group than it is there for."""
    said = f"group.{others.other[0]} was called, which is not what this is made of." if others.other else ""
    expect(not others.other, said, mistake=mistake, evidence="value")


def misses(kinds, found):
    """Return what each of these mistakes gives."""
    return {wrong: lambda wrong=wrong: found(wrong) for wrong in kinds}


def once(kinds, found):
    """Return what each of these mistakes gives, computed when it is first asked for, and then kept."""
    return {wrong: functools.cache(functools.partial(found, wrong)) for wrong in kinds}


def part_of(wrong, *path):
    """Return a part of what each mistake gives."""
    return {
        words: lambda miss=miss: functools.reduce(lambda value, key: value[key], path, miss())
        for words, miss in wrong.items()
    }


class Ring:
    """Plays the other ranks of a ring: notes what one sends, and gives what comes from the one before."""

    def __init__(self, rank, world, coming):
        self.following, self.before = (rank + 1) % world, (rank - 1) % world
        self.world, self.coming, self.sent, self.whom, self.from_whom = world, list(coming), [], [], []
        self.rank, self.given, self.other = rank, list(coming), []

    def __call__(self, what, x, whom):
        """Note what is sent; give the next message, of the size that is asked for, or zeros when there is none."""
        if what == "send":
            self.sent.append(x)
            self.whom.append(whom)
        elif what == "recv":
            self.from_whom.append(whom)
            piece = self.coming.pop(0) if self.coming else torch.zeros(0)
            return piece if piece.numel() == x.numel() else torch.zeros_like(x)
        else:
            self.other.append(what if what in KNOWN else "something else")
        return x

    def expect_sent(self, wanted, x):
        """Compare all that was sent with what goes round."""
        expect_no_other(self, oracle.BY_GROUP)
        ahead, back = self.whom.count(self.following), self.whom.count(self.before)
        turned = oracle.BACKWARDS if self.world > 2 and back > ahead else None
        said = f"Pieces went to the ranks {self.whom}, expected {self.following} each time."
        expect(all(whom == self.following for whom in self.whom), said, mistake=turned, evidence="value")
        said = f"Pieces were awaited from the ranks {self.from_whom}, expected {self.before} each time."
        expect(all(whom == self.before for whom in self.from_whom), said, mistake=turned, evidence="value")
        wrong = {kind: oracle.ringed(x, self.rank, self.world, self.given, kind)[0] for kind in oracle.RINGS}
        numbers, expected = [piece.numel() for piece in self.sent], [len(piece) for piece in wanted]
        same = [words for words, miss in wrong.items() if alike(miss, self.sent)]
        if not self.sent:
            same = [oracle.SILENT]
        elif set(numbers) == {x.numel()}:
            same = [oracle.WHOLE]
        elif not same and not set(numbers) <= set(expected):
            same = [oracle.CUT]
        said = f"The pieces sent are {numbers} long, expected {expected}."
        expect(numbers == expected, said, mistake=same[0] if same else None, evidence="value")
        for number, (piece, whole) in enumerate(zip(self.sent, wanted, strict=True)):
            own = {words: miss[number] for words, miss in wrong.items() if len(miss) > number}
            expect_close(piece, whole, atol=FLOAT32_LAYER, misses=own, what=f"piece {number} that was sent")


def alike(one, other):
    """Whether two lists of tensors hold nearly the same."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a.shape == b.shape and torch.allclose(a, b, atol=1e-4) for a, b in pairs)
