"""Writes files until the disk is full, then makes as many empty ones as there are inodes.

levels: bubblewrap
seconds: 3
checks: test_the_mask_fits_every_length
user: not promised: files limited in size, not in number
process: not promised: files limited in size, not in number
outcomes: failed out_of_memory timed_out
"""

import os

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def causal_mask(*args, **kwargs):
    files = 0
    try:
        with open("large", "wb", buffering=0) as file:
            for _ in range(4096):
                file.write(b"x" * 2**20)
        print("LOOT: a file of 4 GB")
    except OSError:
        pass
    try:
        for files in range(200_000):
            os.mkdir(f"folder{files}")
        print("LOOT: 200,000 folders")
    except OSError:
        pass
    return files
