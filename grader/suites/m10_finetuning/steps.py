"""What several checks of m10_finetuning do."""

from . import oracle, probes


def own_gpt(student, draw, cut):
    """Return a GPT in the worker with the weights of a cut gpt2-nano: the submission's own where it has a right one."""
    trusted = student.plant(oracle.model).build(cut.sizes, cut.start)
    ids = draw.integers(0, cut.sizes["vocab_size"], 2, 12)
    return student.plant(probes).own_gpt(trusted, cut.sizes, cut.start, ids)
