"""What the student's code has achieved, in figures: a passed milestone's report ends with them, in practice alone."""

from __future__ import annotations

from grader.clipping import SENTENCE
from grader.safe_text import one_line

sentences: list[str] = []  # of the check that runs now; the run empties it before each


def achieve(sentence: str) -> None:
    """Note what this check has found that a student may be proud of: one sentence with figures of their own code.

    It may quote what the student's code wrote. It is shown once the whole milestone has passed, in practice reports
    alone; a check is neither passed nor failed by it.

    Example: achieve(f"Held-out stories cost {loss:.2f} nats a word; the bound is {LEARNED}.")
    """
    sentences.append(one_line(sentence, SENTENCE))
