"""Leaves a daemon behind: forked twice, in a session of its own, deaf to signals, writing to every descriptor.

process: partly: found below the server only
outcomes: failed crashed
"""

import ctypes
import os
import signal
import time


def daemon():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    ctypes.CDLL(None).prctl(15, b"sw-attack-75", 0, 0, 0)
    for number in sorted(signal.valid_signals()):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    end = time.monotonic() + 30  # it ends by itself, should nobody catch it
    while time.monotonic() < end:
        for descriptor in range(64):
            try:
                os.write(descriptor, b'{"ok": true}\n')
            except OSError:
                pass
        time.sleep(0.01)
    os._exit(0)


def causal_mask(*args, **kwargs):
    daemon()
    time.sleep(0.05)
    return True


def scaled_dot_product_attention(*args, **kwargs):
    return True
