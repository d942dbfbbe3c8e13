"""Trains in the slow way with all clocks replaced by ones that stand still.

milestone: m01_tokenizer
checks: test_a_merge_costs_what_it_changes_and_not_the_whole_text
outcomes: failed timed_out
"""

import collections
import os
import resource
import time

for name in ("time", "perf_counter", "process_time", "monotonic", "thread_time"):
    setattr(time, name, lambda: 1.0)
    setattr(time, f"{name}_ns", lambda: 1)
time.sleep = lambda seconds: None
os.times = lambda: os.times_result((0.0,) * 5)
resource.getrusage = lambda who: resource.struct_rusage((0,) * 16)


def slow(text, merges):
    """Count all pairs again for every merge."""
    words = collections.Counter(tuple(bytes([b]) for b in word.encode()) for word in text.split(" "))
    learned = []
    for _ in range(merges):
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learned.append(best)
        joined = collections.Counter()
        for word, count in words.items():
            out = []
            for token in word:
                if out and (out[-1], token) == best:
                    out[-1] += token
                else:
                    out.append(token)
            joined[tuple(out)] += count
        words = joined
    return learned


def train_bpe(text, vocab_size, special_tokens):
    return {}, slow(text, vocab_size - 256)
