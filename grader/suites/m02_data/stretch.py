"""m02_data's stretch goal: more batches in a second, out of a large file."""

import numpy
import torch

from grader.judge import expect_equal
from grader.judge.probes import data as planted
from grader.judge.probes import stretch
from grader.suites.shared.stretching import per_second

BATCH, LENGTH = 64, 256


def measure(student, draw, data, weights):
    """Return how many batches of 64 windows of 256 a second of processor time draws from a file of 60 MB."""
    inside, again = student.plant(planted), student.plant(stretch).again
    path = student.file("large.bin", numpy.arange(65521, dtype=numpy.uint16).tobytes())
    inside.repeat(path, 458)
    generator = inside.generator(draw.random.randrange(1000))

    def work(count):
        return again(count, student.get_batch, path, "uint16", BATCH, LENGTH, generator)

    found, batch = per_second(student, work, 1)
    inputs, targets = batch
    expect_equal(inputs, (inputs[:, :1] + torch.arange(LENGTH)) % 65521, what="the last batch's inputs")
    expect_equal(targets, (inputs + 1) % 65521, what="the last batch's targets")
    return found
