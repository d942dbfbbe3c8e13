"""Asks the judge questions without end instead of answering, and steals the items of its iterators.

preamble: channel
milestone: m01_tokenizer
checks: test_words_spaces_and_contractions_may_be_cut_anywhere test_a_word_is_joined_in_the_order_of_the_merges
seconds: 2
outcomes: timed_out crashed failed
"""

import os


class Tokenizer:
    def __init__(self, *args, **kwargs):
        pass

    def encode(self, text, allow_special=True):
        while True:
            for number in (-1, 0, 1, 10**9):
                send(frame({"ask": {"dict": [["kind", "next"], ["number", number], ["args", []], ["kwargs", {"dict": []}]]}}))

    def encode_iterable(self, chunks):
        question = {"dict": [["kind", "next"], ["number", 0], ["args", []], ["kwargs", {"dict": []}]]}
        while True:
            send(frame({"ask": question}))
            os.read(3, 65536)
