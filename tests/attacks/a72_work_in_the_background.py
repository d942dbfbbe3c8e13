"""Answers at once with a handle to a result, and does the slow work in a thread that nobody waits for.

preamble: slow_training
milestone: m01_tokenizer
checks: test_a_merge_costs_what_it_changes_and_not_the_whole_text
outcomes: failed timed_out
"""

import threading


class Later:
    """A result that is not there yet."""

    def __init__(self, text, merges):
        self.thread = threading.Thread(target=lambda: slow(text, merges), daemon=True)
        self.thread.start()


def train_bpe(text, vocab_size, special_tokens):
    return Later(text, vocab_size - 256)
