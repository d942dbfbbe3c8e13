"""Sleeps a little in everything it does, to keep the machine busy for as long as it is let.

seconds: 2
outcomes: timed_out
"""

import time


class Sleepy:
    def __getattr__(self, name):
        time.sleep(0.5)
        return self

    def __call__(self, *args, **kwargs):
        time.sleep(60)


time.sleep(0.5)
causal_mask = scaled_dot_product_attention = Sleepy()
