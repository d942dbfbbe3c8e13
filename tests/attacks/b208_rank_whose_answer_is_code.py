"""Answers from a rank with an object that runs code where it is read, floods the pipe that ranks answer through, and closes it.

preamble: channel
milestone: m09_scaling
levels: bubblewrap
seconds: 6
checks: test_all_ranks_start_from_rank_0s_model test_real_ranks_pass_their_pieces_on
user: not promised: the network is open
process: not promised: the network is open
outcomes: failed crashed timed_out out_of_memory
"""

import os


class Code:
    def __init__(self, word):
        self.word = word

    def __reduce__(self):
        return exec, (f"import os; os.write(2, b'{self.word} ran in the worker itself, where it may\\n')",)


def share_start(model, group):
    model.load_state_dict = None
    model.state_dict = lambda: {"first.weight": Code("it")}
    group.leave = lambda: None


def ring_all_reduce(x, group):
    if group.rank:
        for number in range(4, 40):
            try:
                os.write(number, b"x" * 4096)
                os.close(number)
            except OSError:
                pass
    return Code("the sum")
