"""Answers with numbers that stand for something else here: another object, one that was let go, one swapped between two looks.

preamble: channel
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_its_state_is_two_linear_layers test_heads_attend_side_by_side
outcomes: failed crashed
"""

import gc

import torch


def objects():
    """Return the table of what the judge holds handles to, in the sandbox's own session."""
    return next(thing for thing in gc.get_objects() if type(thing).__name__ == "Session" and hasattr(thing, "objects")).objects


class Swapped(dict):
    """A table that gives out something else at every look."""

    def __getitem__(self, number):
        values = list(self.values())
        self.looks = getattr(self, "looks", 0) + 1
        return values[(number + self.looks) % len(values)]


def handle(number, name="torch.Tensor", can_be_called=True):
    return frame({"ok": {"handle": [number, name, can_be_called]}})


def causal_mask(seq, device=None):
    send(handle(1))  # the function itself, for its result


def scaled_dot_product_attention(*args, **kwargs):
    table = objects()
    for number in list(table):
        table[number] = torch.ones(7)
    table.clear()  # whatever the judge holds is let go
    return object()


def split_heads(x, n_heads):
    table = objects()
    table.update({number: x for number in range(1, 40)})
    send(handle(17, "exercises.m04_attention.MultiHeadAttention"))


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, *args, **kwargs):
        super().__init__()
        session = next(thing for thing in gc.get_objects() if type(thing).__name__ == "Session" and hasattr(thing, "objects"))
        session.objects = Swapped(session.objects)
        session.objects.update({number: thing for number, thing in enumerate((dict, list, self.state_dict, session.do_call, session.module, iter, None), 50)})
