"""Answers with arrays of objects, of records and of text, which some readers unpickle.

outcomes: failed
"""

import io

import numpy


class Bomb:
    def __reduce__(self):
        return print, ("LOOT: an array was unpickled",)


def causal_mask(seq, device=None):
    return numpy.array([[Bomb()] * seq] * seq, dtype=object)


def scaled_dot_product_attention(*args):
    file = io.BytesIO()
    numpy.save(file, numpy.array([Bomb()], dtype=object), allow_pickle=True)
    return [numpy.frombuffer(file.getvalue(), dtype="u1"), numpy.zeros(2, dtype=[("a", "O"), ("b", "f8")])]
