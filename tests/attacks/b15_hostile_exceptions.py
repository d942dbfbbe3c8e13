"""Raises exceptions that fight back: texts of megabytes, classes without names, chains without end, false tracebacks.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_three_tokens_see_themselves_and_what_came_before
outcomes: failed crashed timed_out
seconds: 4
"""


class Meta(type):
    @property
    def __mro__(cls):
        raise RuntimeError

    def __getattribute__(cls, name):
        if name == "__name__":
            return "\x1b[2J" * 100_000
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=Meta):
    pass


class Talker(Exception):
    def __str__(self):
        return "\x1b[31m::error::\n" * 1_000_000


class Mute(Exception):
    def __str__(self):
        raise self


def causal_mask(seq, device=None):
    if seq == 3:
        raise Nameless
    raise type("E" * 1_000_000, (Talker,), {})


def scaled_dot_product_attention(*args, **kwargs):
    try:
        raise Mute
    except Mute as error:
        error.__context__ = error.__cause__ = error
        raise


def split_heads(*args, **kwargs):
    exec(compile("\n" * 10**6 + "raise ValueError('x')", __file__.replace("m04", "\x1b[31mm04"), "exec"))
