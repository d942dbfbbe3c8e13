"""Claims not to be started, or to be blocked by tasks that exist and by others that don't.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_a_width_that_does_not_divide_is_refused
outcomes: not_started blocked failed
"""


def causal_mask(*args, **kwargs):
    raise NotImplementedError("m04.1")


def scaled_dot_product_attention(*args, **kwargs):
    raise NotImplementedError("m99.9999999")


def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise type("NotImplementedError", (Exception,), {})("m٠٤.٤\n")
    raise NotImplementedError(" m04.4 \n")
