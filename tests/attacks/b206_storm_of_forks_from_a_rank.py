"""Has every rank fork without end, and each of those start threads.

milestone: m09_scaling
levels: bubblewrap
seconds: 3
checks: test_all_ranks_start_from_rank_0s_model
user: not promised: the network is open
process: not promised: the network is open
outcomes: crashed timed_out failed
"""

import os
import threading
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def share_start(model, group):
    while True:
        try:
            if os.fork() == 0:
                threading.Thread(target=time.sleep, args=(60,)).start()
        except (OSError, RuntimeError):
            time.sleep(0.001)
