"""What several checks of m08_training do."""

from . import probes


def bigram(student, draw, vocab_size=7, dropout=0.0):
    """Return a table of logits, a model made of it in the worker, and plain gradient descent for it."""
    planted, table = student.plant(probes), draw.normal(vocab_size, vocab_size)
    made = planted.bigram(table, dropout)
    return planted, table, made, planted.descent(made, 2.0)
