"""What several checks of m12_preference do."""

import torch

from grader.judge.probes import model
from grader.suites.shared import own_gpt as shared


def own_gpt(student, draw, cut):
    """Return a GPT in the worker with the weights of a cut gpt2-nano: the submission's own where it has a right one."""
    trusted = student.plant(model).build(cut.sizes, cut.start)
    ids = draw.integers(0, cut.sizes["vocab_size"], 2, 12)
    return student.plant(shared).own_gpt(trusted, cut.sizes, cut.start, ids)


def stretches(rows, seq):
    """Return a mask of which in each row a stretch counts: its start and its length."""
    places = torch.arange(seq)
    return torch.stack([(places >= start) & (places < start + length) for start, length in rows])
