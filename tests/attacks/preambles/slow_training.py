"""Learns merges in the slow way."""

import collections
import re


def slow(text, merges):
    """Count all pairs again for every merge."""
    words = collections.Counter(tuple(bytes([b]) for b in word.encode()) for word in re.findall(r"[a-zA-Z]+|[^a-zA-Z\n]+", text))
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
