"""Asks the judge questions with handles of another check, of nothing and of the judge's own things in the place of values.

preamble: channel
milestone: m00_warmup
checks: test_a_preference_comes_first test_the_median_of_the_times_is_returned test_queued_work_is_waited_for
seconds: 4
outcomes: failed crashed timed_out
"""

import os


def ask(number, args, kwargs=None):
    """Ask as the sandbox would, and read nothing of the answer but what has come."""
    question = {"dict": [["kind", "callback"], ["number", number], ["args", args], ["kwargs", kwargs or {"dict": []}]]}
    send(frame({"ask": question}))
    return os.read(3, 65536)


def pick_device(*args, **kwargs):
    for thing in ({"handle": [1, "str", True]}, {"handle": [99_999, "str", False]}, {"callback": 0}, {"iterator": 0}):
        for number in (0, -1, True, 10**30):
            ask(number, [thing])
    return "whatever"


def time_call(*args, **kwargs):
    for number in (0, 1, 2, -2):
        for _ in range(20):
            ask(number, [], {"dict": [[{"handle": [2, "str", True]}, {"handle": [2, "str", True]}]]})
    return {"handle": [1, "float", False]}
