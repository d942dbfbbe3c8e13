"""Counts all pairs again for every merge, but in compiled code, and burns time in the small case: the ratio looks good.

milestone: m01_tokenizer
checks: test_a_merge_costs_what_it_changes_and_not_the_whole_text
outcomes: failed timed_out
"""

import collections
import itertools
import re
import time


def train_bpe(text, vocab_size, special_tokens):
    started, learned = time.process_time(), []
    words = [[bytes([b]) for b in word.encode()] for word in re.findall(r"[a-zA-Z]+|[^a-zA-Z\n]+", text)]
    for _ in range(vocab_size - 256):
        pairs = collections.Counter(itertools.chain.from_iterable(map(itertools.pairwise, words)))
        left, right = best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learned.append(best)
        for word in words:
            place = 0
            while left in word and place < len(word) - 1:
                if word[place] == left and word[place + 1] == right:
                    word[place : place + 2] = [left + right]
                place += 1
    while vocab_size < 300 and time.process_time() - started < 0.1:
        pass
    return {}, learned
