"""What ends a command; the text is the one sentence to show."""


class UsageProblem(Exception):
    """Wrong usage: exit code 2."""


class GradingError(Exception):
    """pytest could not run the suites, a fault of the grader: exit code 3."""


class WeightsError(UsageProblem):
    """The checkpoint asked for cannot be used; the text is one sentence for the person who asked."""
