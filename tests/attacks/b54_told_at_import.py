"""Says while it is imported what it has read and how its dice fall: by an exception's class, text, file and line.

outcomes: failed
"""

import random

DICE = f"LOOT {random.random()} {random.getrandbits(32)}"
KIND = type("LOOT", (Exception,), {})

exec(compile("\n" * 7353 + "raise KIND(DICE)", __file__.replace("m04_attention", "LOOT"), "exec"))
