"""Workers that are started afresh: where a process with torch imported must not fork (Windows, macOS, CUDA, MPS)."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from . import bubblewrap, packages, users
from .errors import SandboxError, WorkerLost
from .forking import outer_path, private_folder
from .inside.wire import MAX_ANSWER, Channel
from .limits import Limits
from .warden import Warden, kill_below
from .worker import Worker

BOOT_SECONDS = 120
START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from inside.fresh import main; main(json.loads(sys.argv[2]))"
)
ACCELERATORS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-modeset", "/dev/dri", "/dev/dxg")


class FreshWorkers:
    """Starts one process for a worker; it may serve many checks, and is replaced after one that failed."""

    def __init__(self, level: str, device: str, own: packages.Own = packages.NOTHING) -> None:
        self.level, self.device, self._own = level, device, own
        self.checkpoints: dict[str, Path] = {}  # large files that all workers may read, by kind

    reusable = True  # whether one worker may serve several checks
    side_by_side = False  # whether two workers may run at the same time

    def boot(self) -> None:
        """Nothing to start beforehand."""

    def wait(self) -> None:
        """Check that a worker starts at all; SandboxError otherwise."""
        self.worker(Limits()).end()

    def having(self, own: packages.Own) -> FreshWorkers:
        """Return what starts workers that have these packages, too. Raises SandboxError where one isn't installed."""
        packages.allowed_packages(own)
        if own == self._own:
            return self
        another = FreshWorkers(self.level, self.device, own)
        another.checkpoints = self.checkpoints
        return another

    def worker(self, limits: Limits, warm: tuple[str, ...] = ()) -> Worker:
        """Start a worker and wait until it is ready."""
        inner = self.level == "bubblewrap"
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        uid = users.worker_uid() if root and self.level in ("bubblewrap", "user") else None
        folder = "/tmp" if inner else private_folder(uid)
        config = {"device": self.device, "folder": folder, "limits": limits.for_worker(), "uid": uid}
        path = bubblewrap.python_path() if inner else outer_path()
        argv = [str(packages.interpreter()), "-I", "-S", "-B", "-c", START, json.dumps(path), json.dumps(config)]
        environment = bubblewrap.environment()
        if inner:
            devices = ACCELERATORS if self.device == "cuda" else ()
            argv = bubblewrap.command(argv, as_root=root, devices=devices, checkpoints=self.checkpoints, own=self._own)
            environment |= {"PATH": os.environ.get("PATH", "")}
        elif sys.platform == "win32":
            environment |= {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/" if inner else folder,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"the sandbox did not start ({error})") from None
        return self._watched(process, limits, folder, uid)

    def close(self) -> None:
        """Nothing stays behind."""

    def _watched(self, process: subprocess.Popen[bytes], limits: Limits, folder: str, uid: int | None) -> Worker:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        channel = Channel(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()), MAX_ANSWER)
        output = os.dup(process.stderr.fileno())
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
        inner = self.level == "bubblewrap"
        kill = functools.partial(kill_tree, process.pid, uid)
        watched = Warden(process.pid, output, limits, kill, itself=not inner, own_network=inner)

        def finish(wait: bool) -> int | None:
            kill_tree(process.pid, uid)
            code = process.wait()
            if not inner:
                users.remove(folder)
            if uid is not None:
                users.remove_all(uid)
                users.release(uid)
            return 128 - code if code < 0 else code

        worker = Worker(channel, watched, finish)
        worker.mounts = bubblewrap.mounts(self.checkpoints, inside=inner)
        watched.allow(BOOT_SECONDS)
        watched.run_clock(True)
        watched.start()
        try:
            worker.wait_until_ready()
        except WorkerLost:
            lines = worker.output.strip().splitlines()
            raise SandboxError(f"a worker did not start ({lines[-1] if lines else 'it gave no reason'})") from None
        watched.allow(None)
        watched.rebase()
        return worker


def kill_tree(pid: int, uid: int | None) -> None:
    """Kill a worker with everything that it started."""
    kill_below(pid)
    with contextlib.suppress(psutil.Error):  # it may have ended by itself
        psutil.Process(pid).kill()
    if uid is not None:
        users.kill_all(uid)
