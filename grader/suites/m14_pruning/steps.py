"""What several checks of m14_pruning do."""

from grader.judge import expect_answer

from . import oracle, probes


def of_parameter(student, function, weight, *rest):
    """Ask with a weight that is a parameter and wants a gradient; where it is a dict, each of its weights is one."""
    given = function, weight, *rest
    ask = student.plant(probes).of_parameter
    return expect_answer(ask, True, *given, simpler=(False, *given), mistake=oracle.WITH_GRADIENT)
