"""A loopback for the checks that ask for one: their own alone, and gone with them."""

from __future__ import annotations

import dataclasses
import os
import socket

import pytest
import support
import systems
from opened import LIMITS, Opened

from grader.sandbox import warden

pytestmark = systems.bubblewrap
ASKED = dataclasses.replace(LIMITS, loopback=True)
CODE = """
    import fcntl, os, socket, struct
    kept = []
    def to_itself(host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.create_server((host, 0), family=family) as server, socket.socket(family) as caller:
                caller.settimeout(2)
                caller.connect(server.getsockname()[:2])
                return True
        except OSError:
            return False
    def listen(port):
        kept.append(socket.create_server(("127.0.0.1", port)))
        return True
    def reach(port):
        with socket.socket() as caller:
            caller.settimeout(2)
            return caller.connect_ex(("127.0.0.1", port))
    def take_down():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            fcntl.ioctl(end, 0x8914, struct.pack("16sH22x", b"lo", 0))
    def hold(size):
        server = socket.create_server(("127.0.0.1", 0))
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        kept.extend((server, one, other))
        one.setblocking(False)
        sent = 0
        try:
            while sent < size:
                sent += one.send(b"x" * min(65_536, size - sent))
        except BlockingIOError:
            pass
        return sent
"""


def test_a_worker_that_asks_speaks_with_itself_and_with_nobody_else():
    """It reaches what it listens on by both addresses, and neither this machine's servers nor another worker's."""
    with socket.create_server(("127.0.0.1", 0)) as server, Opened(CODE, "bubblewrap", ASKED) as opened:
        port = server.getsockname()[1]
        assert opened.call("to_itself") is True
        assert opened.call("to_itself", "::1") is os.path.exists("/proc/net/if_inet6")
        assert opened.call("reach", port) != 0
        assert opened.call("listen", port) is True
        with Opened(CODE, "bubblewrap", ASKED) as other:
            assert opened.call("reach", port) == 0
            assert other.call("reach", port) != 0


def test_a_worker_that_does_not_ask_has_none():
    """Without asking, a worker reaches nothing, itself included, also after another one that has asked."""
    with Opened(CODE, "bubblewrap", ASKED) as asking, Opened(CODE, "bubblewrap") as opened:
        assert asking.call("to_itself") is True
        assert opened.call("to_itself") is False


def test_what_was_brought_up_cannot_be_changed():
    """Once a worker runs the submission, its network is nobody's to change."""
    from grader.sandbox.errors import StudentError

    with Opened(CODE, "bubblewrap", ASKED) as opened:
        with pytest.raises(StudentError, match="not permitted"):
            opened.call("take_down")
        assert opened.call("to_itself") is True


def test_what_lies_unread_in_connections_is_seen_from_outside():
    """What a worker has sent to itself and not read is counted, and nothing where there is no loopback."""
    with Opened(CODE, "bubblewrap", ASKED) as opened:
        root = opened.worker.warden.root
        assert warden._unread(root, "tcp") == 0
        sent = opened.call("hold", 200_000)
        with_it, without = (warden._sockets_beside([root], loopback) for loopback in (True, False))

        assert sent > 50_000
        assert sent <= warden._unread(root, "tcp") <= 2 * sent  # what has come, and is not yet known to have come
        assert with_it - without >= warden.TCP_TIMES * sent


def test_only_rooms_of_ranks_ask():
    """Of our milestones m09 has a loopback."""
    assert [milestone.number for milestone in support.COURSE.milestones if milestone.limits.loopback] == ["m09"]
