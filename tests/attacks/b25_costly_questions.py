"""Asks questions that take the judge seconds to read and itself nothing to send, again and again.

preamble: channel
milestone: m01_tokenizer
checks: test_words_spaces_and_contractions_may_be_cut_anywhere
seconds: 2
outcomes: timed_out crashed
"""

import os


class Tokenizer:
    def __init__(self, *args, **kwargs):
        pass

    def encode_iterable(self, chunks):
        items = b"[" + b'{"tuple":[[]]},' * 150_000 + b"[]]"
        question = b'{"ask":{"dict":[["kind","next"],["number",0],["args",' + items + b'],["kwargs",{"dict":[]}]]}}'
        while True:
            send(frame(question))
            os.read(3, 65536)
