"""What several checks of m07_generation do."""

from grader.judge.probes import model as gpt


def trusted(student, sizes, state, **options):
    """Put the trusted model into the worker."""
    return student.plant(gpt).build(sizes, state, **options)
