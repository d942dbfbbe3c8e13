"""Answers with NaN, infinities, giant integers, lone surrogates, UTF-16 and half-finished JSON.

preamble: channel
checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: crashed failed
"""


def causal_mask(seq, device=None):
    if seq == 3:
        send(frame(b'{"ok":[NaN,Infinity,-Infinity,1e999,-0.0,' + b"9" * 4300 + b"]}"))
    send(frame(b'{"ok":' + b"9" * 5000 + b"}"))


def scaled_dot_product_attention(*args, **kwargs):
    send(frame('{"ok":["\\ud800","\\u0000\\u001b[31m","\u202e"]}'.encode("utf-16")))


def split_heads(*args, **kwargs):
    send(frame(b'{"ok":{"tensor":[0,"float32",[1,2,'))
