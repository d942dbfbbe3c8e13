"""Answers at once with a handle to a result, and does the slow work in a thread that nobody waits for.

milestone: m01_tokenizer
checks: test_a_merge_costs_what_it_changes_and_not_the_whole_text
outcomes: failed timed_out
"""

import collections
import threading


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


class Later:
    """A result that is not there yet."""

    def __init__(self, text, merges):
        self.thread = threading.Thread(target=lambda: slow(text, merges), daemon=True)
        self.thread.start()


def train_bpe(text, vocab_size, special_tokens):
    return Later(text, vocab_size - 256)
