"""What several checks of m12_preference do."""

from grader.judge.probes import model
from grader.suites.shared import own_gpt as shared


def own_gpt(student, draw, cut):
    """Return a GPT in the worker with the weights of a cut gpt2-nano: the submission's own where it has a right one."""
    trusted = student.plant(model).build(cut.sizes, cut.start)
    ids = draw.integers(0, cut.sizes["vocab_size"], 2, 12)
    return student.plant(shared).own_gpt(trusted, cut.sizes, cut.start, ids)
