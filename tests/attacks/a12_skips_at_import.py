"""Skips, or expects to fail, the whole module while it is imported.

outcomes: failed
"""

try:
    import unittest

    raise unittest.SkipTest("nothing to see here")
finally:
    try:
        import pytest

        pytest.skip("nothing to see here", allow_module_level=True)
    except ImportError:
        pass
