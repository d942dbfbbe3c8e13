"""Digs folders into folders, thousands deep and without permissions, where something recursive has to clear up.

outcomes: failed
"""

import os

import torch


def causal_mask(*args, **kwargs):
    try:
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
        open("file", "w").close()
        os.chmod(".", 0)
    except OSError:
        pass
    return torch.zeros(1)


scaled_dot_product_attention = causal_mask
