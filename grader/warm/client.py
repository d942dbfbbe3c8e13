"""The short way into a command: a station that has all loaded runs it in a fork, with this command's own streams.

Whatever stands against it, the command runs as it always does. Only the standard library is imported here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

from . import places

SWITCH = "SCRATCHWORK_WARM"  # the environment variable: 0 never, 1 also where no terminal is
SECRETS = ("SCRATCHWORK_SECRET_SEED", "SCRATCHWORK_SECRET_SEED_FILE")
# Of `grade`. Whatever changes what is loaded, or is for no practice run, has a process of its own.
OPTIONS = {
    "--all",
    "--judges",
    "--submission",
    "--seed",
    "--json",
    "--junit",
    "--markdown",
    "--html",
    "--stretch",
    "--cells",
}
ENOUGH_MEMORY = 3 * 2**30  # bytes free, without which nothing is kept


def wanted(arguments: Sequence[str]) -> bool:
    """Whether a command may be run by a station, and leave one behind: a practice run, on Linux, at a terminal."""
    switch = os.environ.get(SWITCH, "")
    return (
        sys.platform.startswith("linux")
        and arguments[:1] == ["grade"]
        and {word.partition("=")[0] for word in arguments if word.startswith("-")} <= OPTIONS
        and not any(os.environ.get(name) for name in SECRETS)
        and switch != "0"
        and (switch == "1" or _is_seen())
    )


def _is_seen() -> bool:
    try:
        return os.isatty(1) and not os.environ.get("CI")
    except OSError:
        return False


def run(arguments: Sequence[str]) -> int | None:
    """Have a station run the command and return its exit code; None where there is none that can."""
    try:
        folder = os.getcwd()
        with places.short(places.state_folder(), places.SOCKET) as path:
            station = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            station.connect(path)
        asked = {
            "stamp": places.stamp(), "arguments": ["grader", *arguments], "folder": folder,
            "environment": dict(os.environ), "umask": _umask(),
        }  # fmt: skip
        with station, _passed_on(station):
            socket.send_fds(station, [json.dumps(asked).encode()], [0, 1, 2])
            if station.recv(10) != b"yes":
                return None
            ended = station.recv(10)
    except (OSError, ValueError):
        return None
    if not ended:
        print("scratchwork: what was kept warm has ended; run the command again.", file=sys.stderr)
        return 3
    return _as_it_ended(int(ended))


def _umask() -> int:
    os.umask(mask := os.umask(0o077))
    return mask


def _as_it_ended(code: int) -> int:
    if code < 0:  # so that a shell sees the same signal
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


@contextlib.contextmanager
def _passed_on(station: socket.socket) -> Iterator[None]:
    """Pass on what would have ended this process: the terminal sends it here, and not to the fork."""

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(OSError):
            station.send(str(number).encode())

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_one() -> bool:
    """Start a station for the next run, unless one runs or memory is scarce; return whether it was. Nobody waits."""
    import psutil

    if psutil.virtual_memory().available < ENOUGH_MEMORY or (place := places.taken()) is None:
        return False
    os.close(place)
    try:
        subprocess.Popen(
            [sys.executable, "-m", "grader.warm.station"], cwd=places.ROOT, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return False
    return True
