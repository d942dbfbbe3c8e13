"""Calls pytest.skip, or raises an exception that looks like it, inside the function that is checked.

outcomes: failed
"""

try:
    from pytest import skip
except ImportError:

    class Skipped(BaseException):
        """What pytest raises to skip a test, rebuilt down to its module's name."""

        msg, allow_module_level = "not today", True

    Skipped.__module__, Skipped.__qualname__ = "_pytest.outcomes", "Skipped"

    def skip(reason, **kwargs):
        raise Skipped(reason)


def causal_mask(*args, **kwargs):
    skip("not today")


def scaled_dot_product_attention(*args, **kwargs):
    skip("xfail: known to fail")
