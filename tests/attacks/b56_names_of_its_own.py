"""Says something by every name that it can choose: of a class, a function, a file, a type, a key, an attribute.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_three_tokens_are_cut_for_two_heads
outcomes: failed
"""

KIND = type("LOOT", (ValueError,), {"__module__": "LOOT", "LOOT": "LOOT"})
PLACE = {"KIND": KIND}
exec(compile("def LOOT():\n    raise KIND('LOOT', KIND)", __file__.replace("m04_attention", "LOOT"), "exec"), PLACE)


def causal_mask(*args, **kwargs):
    return KIND("LOOT")


def scaled_dot_product_attention(*args, **kwargs):
    PLACE["LOOT"]()


def split_heads(*args, **kwargs):
    return {"LOOT": ["LOOT", b"LOOT", {"LOOT": KIND}]}
