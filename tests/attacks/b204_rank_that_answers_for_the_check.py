"""Has a rank write to the judge, past its parent, what all ranks would have answered, before the others have begun.

preamble: channel
milestone: m09_scaling
levels: bubblewrap
checks: test_all_ranks_start_from_rank_0s_model test_real_ranks_pass_their_pieces_on
user: not promised: the network is open
process: not promised: the network is open
seconds: 5
outcomes: failed crashed timed_out
"""

import time


def answer(group, times):
    if group.rank == 1:
        zeros = {"tensor": [0, "float32", [5]]}
        for _ in range(times):
            send(frame({"ok": [{"dict": ["sum", zeros, "x", zeros]}] * group.world}, bytes(20)))
            send(frame({"ok": [{"dict": ["same", True, "state", {"dict": []}]}] * group.world}))
            send(frame({"ok": True}))


def share_start(model, group):
    answer(group, 3)


def ring_all_reduce(x, group):
    answer(group, 1)
    time.sleep(0.2)
    return x
