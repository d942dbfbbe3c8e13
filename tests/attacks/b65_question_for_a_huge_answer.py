"""Has the judge's model answer millions of ids at once, for an answer that is too large for any message.

milestone: m07_generation
checks: test_an_equal_generator_writes_an_equal_text test_the_likeliest_token_is_appended_again_and_again
seconds: 20
outcomes: failed crashed timed_out
"""

import torch


def generate(model, ids, max_new_tokens, **options):
    return model(torch.zeros(1000, 20_000, dtype=torch.int64))
