"""Returns objects that turn into an array of anything once NumPy or torch asks for one.

outcomes: failed
"""

import torch


class Chameleon:
    """Whatever reads it gets what it was compared with last."""

    seen = None

    def __array__(self, *args, **kwargs):
        return torch.zeros(3, 3).numpy()

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return True

    def __array_function__(self, function, types, args, kwargs):
        return True

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return True

    def __dlpack__(self, *args, **kwargs):
        return torch.zeros(3, 3).__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)

    @property
    def __array_interface__(self):
        return torch.zeros(3, 3).numpy().__array_interface__

    def __getattr__(self, name):
        return lambda *args, **kwargs: self


def causal_mask(*args, **kwargs):
    return Chameleon()


scaled_dot_product_attention = causal_mask
