"""The judge's hold on the fork server: boot it once, get a worker from it in milliseconds, replace it if it dies."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import bubblewrap, expected, packages, users
from .cores import Cores
from .errors import SandboxError
from .holds import Below, Namespace
from .inside.wire import GREETING, JOIN, MAX_ANSWER, Channel
from .limits import Limits
from .warden import Warden, kill_below
from .worker import Worker

BOOT_SECONDS = 60
START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from inside.server import main; main(json.loads(sys.argv[2]))"
)


class ForkServer:
    """A process with torch imported that forks a confined worker for each check. Linux only."""

    def __init__(self, level: str, own: packages.Own = packages.NOTHING) -> None:
        self.level, self._own = level, own
        self._others: dict[packages.Own, ForkServer] = {}  # for milestones that have packages of their own
        self.side_by_side = level == "bubblewrap"  # whether two workers may run at once: with namespaces of their own
        self._lock = threading.RLock()  # one worker may be asked for while another ends
        self.checkpoints: dict[str, Path] = {}  # large files that all workers may read, by kind; set before the boot
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._pid = 0  # of the server itself, as the judge sees it
        self._errors: Any = None
        self._orders = 0
        self._exits: dict[int, int] = {}  # of workers whose end nobody has asked for yet
        self._uid: int | None = None  # the server's, where the judge is root
        self._cores = Cores()

    reusable = False  # whether one worker may serve several checks

    def boot(self) -> None:
        """Start the server without waiting for it."""
        if self._control is not None:
            return
        ours, theirs = control_sockets()
        root = os.geteuid() == 0
        self._uid = uid = users.server_uid() if root and self.level in ("bubblewrap", "user") else None
        config = {"control": theirs.fileno(), "level": self.level, "uid": uid, "shortcuts": sorted(expected.shortcuts)}
        config["warm"] = self._own.warm
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 closed in close()
        inner = self.level == "bubblewrap"
        path = bubblewrap.python_path() if inner else outer_path()
        argv = [str(packages.interpreter()), "-I", "-S", "-B", "-c", START, json.dumps(path), json.dumps(config)]
        try:
            self._process = subprocess.Popen(
                bubblewrap.command(argv, as_root=root, checkpoints=self.checkpoints, own=self._own) if inner else argv,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env=bubblewrap.environment() | ({"PATH": os.environ.get("PATH", "")} if inner else {}),
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"the sandbox did not start ({error})") from None
        finally:
            theirs.close()
        self._control = ours

    def wait(self) -> None:
        """Wait until the server is ready; SandboxError, with its own words, when it does not come up."""
        self.boot()
        assert self._control is not None
        if self._pid:
            return
        data, pid = receive_with_pid(self._control)
        if not data and self._process is None:  # another's, which ended before it greeted this judge
            self.close()
            self.wait()
            return
        if not data:
            raise SandboxError(f"the sandbox did not start ({self._last_words()})")
        self._pid = pid

    def worker(self, limits: Limits, warm: tuple[str, ...] = ()) -> Worker:
        """Return a fresh worker that has read nothing of the submission yet; `warm` modules are imported before."""
        with self._lock:
            for attempt in (1, 2):
                try:
                    return self._worker(limits, warm)
                except (OSError, EOFError):
                    # The server is gone: at the levels without namespaces a worker can have signalled it.
                    self.close()
                    if attempt == 2:
                        raise SandboxError("the sandbox's server died twice in a row") from None
        raise AssertionError("unreachable")

    def having(self, own: packages.Own) -> ForkServer:
        """Return the server, not booted yet, whose workers have these packages, too, and which has imported them.

        Raises SandboxError where one isn't installed.
        """
        if own in (self._own, packages.NOTHING):
            return self
        packages.allowed_packages(own)
        with self._lock:
            if own not in self._others:
                self._others[own] = ForkServer(self.level, own)
                self._others[own].checkpoints = self.checkpoints
                self._others[own]._cores = self._cores
            return self._others[own]

    def for_another_judge(self) -> ForkServer:
        """Return a hold on the same server for a fork of this process, which is not served from here.

        So it does for each of the others that runs by now, whether or not it is ready.
        """
        self.boot()
        assert self._control is not None
        another = ForkServer(self.level, self._own)
        another.checkpoints = self.checkpoints
        another._control, theirs = control_sockets()
        with theirs:
            socket.send_fds(self._control, [JOIN], [theirs.fileno()])
        for own, server in self._others.items():
            if server._control is not None:
                another._others[own] = server.for_another_judge()
                another._others[own]._cores = another._cores
        return another

    def hang_up(self) -> None:
        """Leave the server to whoever else holds on to it."""
        for other in self._others.values():
            other.hang_up()
        control, self._control, self._pid = self._control, None, 0
        if control is not None:
            control.close()

    def draw_near(self, worker: Worker) -> None:
        """Have a worker run where the judge runs, now that they speak with each other."""
        self._cores.draw_near(worker.warden.root, self._pid)

    def make_room(self) -> None:
        """Have the calling thread, which makes workers ready, run where the judge does not."""
        self._cores.make_room()

    def keep_to_one(self, core: int) -> None:
        """Have this judge and the workers to come run on one core, where every core has a judge."""
        self.wait()
        self._cores.keep_to_one(core, self._pid)

    def spread_out(self) -> None:
        """Have this judge run on all cores again."""
        self._cores.spread_out()

    def _worker(self, limits: Limits, warm: tuple[str, ...]) -> Worker:
        self.wait()
        self._take_reports()
        order, control = self._order(limits, warm), self._control
        pid = order.wait_until_ready()
        self._cores.settle(pid)
        plug = order.channel.dup()
        inner = self.level == "bubblewrap"
        hold = Namespace(pid) if inner else Below(pid, self._pid, order.uid)

        def hang_up() -> None:
            hold.kill()
            with contextlib.suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)  # whoever has escaped and holds the other end open

        def finish(wait: bool) -> int | None:
            self._cores.let_go(hold.root)
            plug.close()
            hold.signal()
            if inner and not wait:
                return None  # the first process of its namespace is being killed, and all that is in there with it
            with self._lock:
                code = self._ended(order.number, control)
            hold.kill()
            order.remove_folder()
            if order.uid is not None:
                users.remove_all(order.uid)
                users.release(order.uid)
            return code

        warden = Warden(
            hold.root, order.output, limits, hang_up, itself=inner, own_network=inner, keepers=0 if inner else 1
        )
        worker = Worker(Channel(fd := order.channel.detach(), fd, MAX_ANSWER), warden, finish)
        worker.mounts = bubblewrap.mounts(self.checkpoints, inside=self.level == "bubblewrap")
        warden.rebase()
        with self._cores.anywhere():
            warden.start()
        return worker

    def _order(self, limits: Limits, warm: tuple[str, ...]) -> Order:
        """Ask the server for a worker without waiting for it."""
        assert self._control is not None
        self._orders += 1
        order = Order(self._orders, self.level, limits)
        with order.inner_ends() as descriptors:
            socket.send_fds(self._control, [order.request(warm)], descriptors)
        return order

    def _ended(self, number: int, control: socket.socket | None) -> int | None:
        """Return how the keeper says that this worker ended, or None when the server that made it is gone too.

        Another thread may have booted the next server meanwhile, which knows nothing of this worker.
        """
        if control is None or control is not self._control:
            return self._exits.pop(number, None)
        try:
            while number not in self._exits:
                data, _ = receive_with_pid(control)
                report = json.loads(data)
                self._exits[report["id"]] = report["ended"]
            return self._exits.pop(number)
        except (OSError, ValueError, KeyError):
            self.close()
            return None

    def _take_reports(self) -> None:
        """Read the reports that nobody has asked for: where they pile up, the server waits until somebody does."""
        assert self._control is not None
        while select.select([self._control], [], [], 0)[0]:
            data, _ = receive_with_pid(self._control)
            if not data:
                raise EOFError
            report = json.loads(data)
            self._exits[report["id"]] = report["ended"]

    def _last_words(self) -> str:
        if self._process is None:
            return "whoever started it has ended it"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"

    def close(self) -> None:
        """End the server and everything below it, where it was started here; and so the others."""
        for other in self._others.values():
            other.close()
        self.hang_up()
        self._exits.clear()
        process, self._process = self._process, None
        if process is None:
            return
        kill_below(process.pid)
        process.kill()
        process.wait()
        self._errors.close()
        if self._uid is not None:
            users.remove_all(self._uid)  # torch makes itself a folder when some of its parts are imported
            users.release(self._uid)


class Order:
    """A worker that was asked for: the judge's ends of its channel and of the pipe for what it prints."""

    def __init__(self, number: int, level: str, limits: Limits) -> None:
        self.number, self.limits = number, limits
        self.uid = users.worker_uid() if level == "user" else None
        self.folder = "/tmp" if level == "bubblewrap" else private_folder(self.uid)
        self._own_folder = level != "bubblewrap"
        self.channel, self._inner_channel = socket.socketpair()
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.output, self._inner_output = os.pipe()

    def request(self, warm: tuple[str, ...]) -> bytes:
        """Return the message to the server: the order's number and, in a line of its own, what many orders share."""
        asked = {"limits": self.limits.for_worker(), "folder": self.folder, "uid": self.uid, "warm": list(warm)}
        return b"%d\n%b" % (self.number, json.dumps(asked).encode())

    @contextlib.contextmanager
    def inner_ends(self) -> Iterator[list[int]]:
        """Lend the worker's ends, to be sent to it; here they are closed afterwards."""
        try:
            yield [self._inner_channel.fileno(), self._inner_output]
        except OSError:
            self.cancel()
            raise
        finally:
            self._inner_channel.close()
            os.close(self._inner_output)

    def wait_until_ready(self) -> int:
        """Return the worker's process id as the judge sees it. Its greeting comes before it reads any student's line.

        Raises SandboxError with the server's words when a fork could not be confined, EOFError when there is no server.
        """
        self.channel.settimeout(BOOT_SECONDS)
        data, pid = receive_with_pid(self.channel)
        if data != GREETING:
            words = os.read(self.output, 4096) if not data else b""
            self.cancel()
            if words:
                raise SandboxError(words.decode("utf-8", "replace").strip().splitlines()[-1])
            raise EOFError
        self.channel.settimeout(None)
        return pid

    def cancel(self) -> None:
        """Give the order up; a worker that finds its channel closed ends by itself."""
        self.channel.close()
        os.close(self.output)
        self.remove_folder()
        if self.uid is not None:
            users.release(self.uid)

    def remove_folder(self) -> None:
        """Remove the worker's private folder, where it is one of this machine's own."""
        if self._own_folder:
            users.remove(self.folder)


def outer_path() -> list[str]:
    """Return what a worker imports from where no file system of its own hides the rest."""
    return [str(packages.INSIDE.parent), *packages.standard_library(), *packages.site_folders()]


def control_sockets() -> tuple[socket.socket, socket.socket]:
    """Return both ends of what a judge tells the server through; ours says who has sent what."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.settimeout(BOOT_SECONDS)
    return ours, theirs


def private_folder(uid: int | None) -> str:
    """Make a folder for one worker, its own alone."""
    folder = tempfile.mkdtemp(prefix="scratchwork-")
    if uid is not None:
        os.chown(folder, uid, uid)
    return folder


def receive_with_pid(control: socket.socket) -> tuple[bytes, int]:
    """Receive one message and the process id of its sender, as this process sees it."""
    size = struct.calcsize("3i")
    data, ancillary, _, _ = control.recvmsg(65536, socket.CMSG_SPACE(size))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return data, struct.unpack("3i", content[:size])[0]
    return data, 0
