"""Disarms os._exit and raises through every frame below it, to return into the fork server's own loop.

outcomes: crashed failed
"""

import os
import signal
import sys


class Through(BaseException):
    pass


os._exit = lambda code: None
sys.modules["inside.session"].Session._failure = lambda self, error: (_ for _ in ()).throw(error)


def causal_mask(*args, **kwargs):
    frame = sys._getframe()
    while frame is not None:
        if "control" in frame.f_locals:
            control = frame.f_locals["control"]
            for message in (b'{"ended": 0}', b'{"ready": 0}'):
                try:
                    control.send(message)
                    print("LOOT: spoke on the control socket")
                except OSError:
                    pass
        frame = frame.f_back
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise Through


scaled_dot_product_attention = causal_mask
