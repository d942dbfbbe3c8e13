"""m09_scaling's stretch goal: to learn as much while each rank sends few of its gradient's numbers."""

from grader.judge import FLOAT32_LAYER, expect_close, expect_tensor
from grader.judge.outcomes import CheckFailed

from .oracle_learning import Stories
from .steps import learned

SURE = 2  # steps that are compared with one process's, all numbers sent


def measure(student, draw, data, weights):
    """Return what a token of stories never seen costs, in nats, after two ranks have trained by what they send."""
    stories = Stories(draw, data)
    sure = learned(student, stories, stories.windows[:SURE])
    for name, expected in stories.trained(SURE).items():
        for rank, own in enumerate(sure):
            what = f"{name} on rank {rank}"
            expect_close(own[name], expected, atol=FLOAT32_LAYER, rtol=1e-3, what=what)
    found = learned(student, stories, stories.windows, own_squeeze(student))
    for name, value in stories.start.items():
        if name != "lm_head.weight":  # which is tied
            expect_tensor(found[0].get(name), shape=tuple(value.shape), dtype=value.dtype, what=name)
    return stories.loss(found[0])


def own_squeeze(student):
    """Return the student's `squeeze(row, left, most)` where there is one, else None."""
    try:
        return student.squeeze
    except CheckFailed:
        return None
