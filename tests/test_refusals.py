"""What a worker is refused of system calls, on both processors, and that memory of the kernel's counts as its own."""

from __future__ import annotations

import errno
import os
import struct

import pytest
import support
import systems
from opened import LIMITS, Opened, here

from grader.sandbox import warden
from grader.sandbox.errors import WorkerLost

if support.on_linux():
    from grader.sandbox.inside import refusals

pytestmark = systems.linux
REFUSED, UNKNOWN, IGNORED, ALLOWED = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x50000, 0x7FFF0000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
both = pytest.mark.parametrize("machine", list(ARCHITECTURES))


def answer(machine, call, *arguments, architecture=None):
    """Run the filter's program, as the kernel would, on one system call, and return its answer."""
    data = struct.pack(
        "@2IQ6Q", call, architecture or ARCHITECTURES[machine], 0, *arguments, *[0] * (6 - len(arguments))
    )
    program = list(struct.iter_unpack("@HBBI", refusals.filter_program(machine)))
    place = value = 0
    while True:
        operation, true, false, operand = program[place]
        place += 1
        match operation:
            case 0x20:
                (value,) = struct.unpack_from("@I", data, operand)
            case 0x54:
                value &= operand
            case 0x15:
                place += true if value == operand else false
            case 0x35:
                place += true if value >= operand else false
            case 0x06:
                return operand


def numbers(machine):
    """Return the number of each refused call on a processor."""
    column = list(ARCHITECTURES).index(machine)
    return {name: pair[column] for name, pair in refusals._REFUSED.items() if pair[column] is not None}


@both
def test_calls_that_make_unaccounted_memory_are_refused_on_both_processors(machine):
    """Each refused call fails, those next to it in number go through, and so does what Python does all the time."""
    refused = numbers(machine)
    usual = {"x86_64": (0, 1, 3, 39, 59, 202), "aarch64": (63, 64, 57, 172, 221, 98)}[machine]

    assert {answer(machine, number) for number in refused.values()} == {REFUSED}
    beside = {number + step for number in refused.values() for step in (-1, 1)} - set(refused.values()) - {-1, 435}
    assert {answer(machine, number) for number in (*beside, *usual)} == {ALLOWED}


@both
def test_a_call_by_another_architectures_number_is_unknown(machine):
    """Calls of 32-bit programs, those of x32 and clone3 are answered as if the kernel had none."""
    for architecture in (0x40000003, 0x40000028, *set(ARCHITECTURES.values()) - {ARCHITECTURES[machine]}):
        assert answer(machine, 39, architecture=architecture) == UNKNOWN
    assert answer(machine, 435) == UNKNOWN
    if machine == "x86_64":
        assert answer(machine, 0x40000000 + 240) == UNKNOWN


@both
def test_some_calls_depend_on_their_arguments(machine):
    """Namespaces, shared pages, foreign sockets, more filters and locks are refused; buffers granted in words."""
    clone, mmap, sock, prctl, setsockopt, fcntl = {
        "x86_64": (56, 9, 41, 157, 54, 72),
        "aarch64": (220, 222, 198, 167, 208, 25),
    }[machine]

    assert answer(machine, clone, 17) == answer(machine, clone, 0x3D0F00) == ALLOWED
    assert answer(machine, clone, 0x10000011) == answer(machine, clone, 0x80 | 17 | 0x20000) == REFUSED
    assert answer(machine, mmap, 0, 4096, 3, 0x22) == answer(machine, mmap, 0, 4096, 3, 0x01) == ALLOWED
    assert answer(machine, mmap, 0, 4096, 3, 0x21) == answer(machine, mmap, 0, 4096, 3, 0x4021) == REFUSED
    assert [answer(machine, sock, family) for family in (1, 2, 10, 40)] == [ALLOWED] * 3 + [REFUSED]
    assert [answer(machine, prctl, what) for what in (15, 38, 22, 0x53564D41)] == [ALLOWED] * 2 + [REFUSED] * 2
    assert [answer(machine, setsockopt, 3, 1, name) for name in (2, 7, 8)] == [ALLOWED] + [IGNORED] * 2
    assert answer(machine, setsockopt, 3, 6, 7) == ALLOWED
    assert [answer(machine, fcntl, 3, what) for what in (1, 4, 5, 6, 7, 37, 38, 1024, 1026, 1030)] == [
        *[ALLOWED] * 3, *[REFUSED] * 6, ALLOWED,
    ]  # fmt: skip


@here
def test_every_refused_call_is_refused_in_a_worker(level):
    """On this processor each of them fails with EPERM, whatever its arguments."""
    if not refusals.can_refuse_calls():
        pytest.skip("this machine has no system-call filters")
    code = """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        def go(numbers):
            return [(libc.syscall(number, 0, 0, 0, 0, 0, 0), ctypes.get_errno()) for number in numbers]
    """
    refused = numbers(os.uname().machine)
    with Opened(code, level) as opened:
        assert opened.call("go", list(refused.values())) == [(-1, errno.EPERM)] * len(refused)


@here
def test_limits_of_the_systems_own_hold(level):
    """Addresses, pages held in place, queued signals and messages are limited for good; fifty threads have room."""
    code = """
        import resource, threading
        def go():
            over = threading.Event()
            threads = [threading.Thread(target=over.wait) for _ in range(50)]
            for thread in threads: thread.start()
            over.set()
            names = "RLIMIT_AS", "RLIMIT_MEMLOCK", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE"
            return [resource.getrlimit(getattr(resource, name)) for name in names]
    """
    with Opened(code, level, LIMITS.changed(processes=64)) as opened:
        addresses, *others = opened.call("go")
    assert others == [(0, 0), (1024, 1024), (0, 0)]
    assert addresses[0] == addresses[1] < 20 * 2**30


@here
def test_page_tables_count_as_memory(level):
    """What the kernel needs to find a process's pages shows as growth, though the pages hold nothing."""
    code = """
        import mmap
        held = []
        def go():
            for _ in range(3):
                held.append(mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ))
                for place in range(0, 1 << 30, 1 << 21):
                    held[-1][place]
    """
    with Opened(code, level) as opened:
        before = opened.worker.memory_mb()
        opened.call("go")
        assert opened.worker.memory_mb() - before > 5


@here
def test_pieces_of_memory_count_as_memory(level, monkeypatch):
    """A process with more parts of memory than its limit has room for is killed, though they hold nothing."""
    monkeypatch.setattr(warden, "AREAS_EVERY", 0.05)
    monkeypatch.setattr(warden, "AREA_BYTES", 350 * 100)  # a hundredth of the pieces that would be too many
    code = """
        import ctypes, mmap
        libc = ctypes.CDLL(None)
        def go():
            area = mmap.mmap(-1, 4096 * 40_000, flags=mmap.MAP_PRIVATE)
            place = ctypes.addressof(ctypes.c_char.from_buffer(area))
            for number in range(0, 40_000, 2):
                libc.mprotect(ctypes.c_void_p(place + number * 4096), ctypes.c_size_t(4096), 0)
            __import__("time").sleep(4)
    """
    with Opened(code, level) as opened:
        with pytest.raises(WorkerLost) as lost:
            opened.call("go")
        assert lost.value.limit == "memory"
