"""Steals every item of the judge's iterator before it asks for any, and asks again for what is already used up.

milestone: m01_tokenizer
checks: test_words_spaces_and_contractions_may_be_cut_anywhere test_ids_come_out_while_chunks_still_come_in
outcomes: failed crashed
"""

import sys


class Tokenizer:
    def __init__(self, vocab, merges, special_tokens=None):
        self.vocab = vocab

    def encode_iterable(self, chunks):
        session = chunks._session
        for number in range(-3, 40):
            try:
                session.ask_judge("next", number, [self, sys.modules], {"x": b"y" * 10_000})
            except (Exception, StopIteration):
                pass
        for chunk in chunks:
            yield from chunk.encode()
