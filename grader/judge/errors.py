"""What a person asked for cannot be done; the text is the one sentence to show."""


class UsageProblem(Exception):
    """Wrong usage: exit code 2."""
