"""Brings a pytest.ini, a tox.ini and a setup.cfg that collect nothing and load a plugin.

outcomes: failed
"""


def causal_mask(*args, **kwargs):
    return None


scaled_dot_product_attention = causal_mask
