"""Has a rank leave a daemon that holds the ranks' connections, listens and waits, and looks for one of an earlier check's.

milestone: m09_scaling
levels: bubblewrap
checks: test_all_ranks_start_from_rank_0s_model test_shares_of_adamw_are_adamw
user: not promised: the network is open
process: not promised: the network is open
outcomes: failed timed_out
"""

import contextlib
import os
import socket
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

PORT = 48_125


def stay():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        with contextlib.suppress(OSError):
            listener = socket.create_server(("127.0.0.1", PORT))
        with open("/tmp/sw-attack-rank", "w") as file:
            file.write("here")
        time.sleep(60)
    time.sleep(0.3)


def look():
    with socket.socket() as caller:
        if caller.connect_ex(("127.0.0.1", PORT)) == 0 or os.path.exists("/tmp/sw-attack-rank"):
            print("LOOT: a rank of an earlier check is still there")


def share_start(model, group):
    if group.rank == 1:
        look()
        stay()


class ShardedAdamW:
    def __init__(self, params, group, **options):
        if group.rank == 1:
            look()
            stay()

    def zero_grad(self):
        pass

    step = zero_grad
