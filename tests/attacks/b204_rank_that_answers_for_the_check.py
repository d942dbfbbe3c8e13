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
        zeros = [{"tensor": [number, "float32", [5]]} for number in range(2 * group.world)]
        sums = [{"dict": [["sum", zeros[2 * n]], ["x", zeros[2 * n + 1]]]} for n in range(group.world)]
        for _ in range(times):
            send(frame({"ok": sums}, *[bytes(20)] * len(zeros)))
            send(frame({"ok": [{"dict": [["same", True], ["state", {"dict": []}]]}] * group.world}))
            send(frame({"ok": True}))


def share_start(model, group):
    answer(group, 3)


def ring_all_reduce(x, group):
    answer(group, 1)
    time.sleep(0.2)
    return x
