"""Trains in the slow way, and burns processor time in the small case too, so that the ratio looks like a good one.

milestone: m01_tokenizer
checks: test_a_merge_costs_what_it_changes_and_not_the_whole_text
gap: a recount in compiled code stays within the ratio that plain trainers need
outcomes: failed timed_out
"""

import collections
import time


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
    started = time.process_time()
    merges = slow(text, vocab_size - 256)
    while vocab_size < 300 and time.process_time() - started < 0.4:
        pass
    vocab = {number: bytes([number]) for number in range(256)}
    return vocab | {256 + rank: left + right for rank, (left, right) in enumerate(merges)}, merges
