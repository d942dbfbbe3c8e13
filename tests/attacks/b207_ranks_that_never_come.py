"""Has ranks leave out a call, never come back, hold the interpreter, and stop their parent and each other.

milestone: m09_scaling
levels: bubblewrap
seconds: 4
checks: test_all_ranks_start_from_rank_0s_model test_real_ranks_pass_their_pieces_on test_shares_of_adamw_are_adamw test_ranks_take_the_step_of_one_process
user: not promised: the network is open
process: not promised: the network is open
outcomes: timed_out crashed failed
"""

import os
import re
import signal

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def share_start(model, group):
    if group.rank:
        group.all_reduce(next(model.parameters()))  # for which rank 0 does not come


def ring_all_reduce(x, group):
    re.match("(x+x+)+y", "x" * 60)  # which ends after us all, and holds the interpreter


class ShardedAdamW:
    def __init__(self, params, group, **options):
        for pid in range(1, 40):
            if pid != os.getpid():
                try:
                    os.kill(pid, signal.SIGSTOP)
                except OSError:
                    pass
        signal.pause()

    def zero_grad(self):
        pass

    step = zero_grad


def data_parallel_step(model, loss, x, targets, optimizer, group, max_norm):
    os.kill(os.getppid() if group.rank else os.getpid(), signal.SIGKILL)
    return 0.0
