"""Trains in the slow way with all clocks replaced by ones that stand still.

preamble: slow_training
milestone: m01_tokenizer
checks: test_a_merge_costs_what_it_changes_and_not_the_whole_text
outcomes: failed timed_out
"""

import os
import resource
import time

for name in ("time", "perf_counter", "process_time", "monotonic", "thread_time"):
    setattr(time, name, lambda: 1.0)
    setattr(time, f"{name}_ns", lambda: 1)
time.sleep = lambda seconds: None
os.times = lambda: os.times_result((0.0,) * 5)
resource.getrusage = lambda who: resource.struct_rusage((0,) * 16)


def train_bpe(text, vocab_size, special_tokens):
    return {}, slow(text, vocab_size - 256)
