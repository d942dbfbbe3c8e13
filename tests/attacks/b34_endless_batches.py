"""Asks the judge for batch after batch, tells it of steps that never were, and never comes to an end.

milestone: m08_training
checks: test_the_loop_makes_one_step_for_each_batch
seconds: 2
outcomes: failed timed_out
"""


class AdamW:
    def __init__(self, *args, **kwargs):
        self.param_groups = []


def decay_groups(*args):
    return []


def learning_rate(step, **numbers):
    return 0.0


def train(model, optimizer, next_batch, *, on_step=None, **options):
    step = 0
    while True:
        step += 1
        next_batch()
        if on_step is not None:
            on_step(step, [[0.0] * 1000] * 100)
