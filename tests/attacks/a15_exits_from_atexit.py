"""Turns a failure into exit code 0: an atexit function, patched ends of the process, then sys.exit(1).

outcomes: crashed failed
"""

import atexit
import os
import sys
import threading

leave = os._exit
atexit.register(leave, 0)
threading._register_atexit(leave, 0)
sys.excepthook = lambda *args: leave(0)
os._exit = sys.exit = lambda code=0: leave(0)


def causal_mask(*args, **kwargs):
    sys.exit(1)


def scaled_dot_product_attention(*args, **kwargs):
    raise SystemExit(1)
