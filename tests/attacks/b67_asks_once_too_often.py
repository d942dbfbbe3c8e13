"""Asks the judge for more batches than there are, and for the rate of steps that none has, before it has said a word.

milestone: m08_training
checks: test_the_loop_schedules_accumulates_and_clips test_the_loop_makes_one_step_for_each_batch
seconds: 10
outcomes: failed crashed
"""


def train(model, optimizer, next_batch, *, steps, schedule=None, on_step=None, **options):
    if schedule is not None:
        schedule(0)
    for _ in range(100):
        next_batch()
