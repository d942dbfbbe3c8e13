"""Returns things that change between two looks: lists that rewrite themselves, tensors that a thread overwrites.

outcomes: failed crashed
"""

import threading

import torch


class Turncoat(list):
    looks = 0

    def __iter__(self):
        Turncoat.looks += 1
        return iter([True] * Turncoat.looks)

    def __getitem__(self, index):
        return Turncoat.looks % 2 == 0

    def __len__(self):
        return Turncoat.looks % 4


def causal_mask(seq, device=None):
    return [Turncoat(), Turncoat()]


def scaled_dot_product_attention(query, key, value, *rest):
    result = torch.zeros(*query.shape[:-1], value.shape[-1])

    def rewrite():
        while True:
            result.add_(1)

    threading.Thread(target=rewrite, daemon=True).start()
    return result
