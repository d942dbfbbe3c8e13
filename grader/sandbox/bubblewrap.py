"""The bubblewrap level: a file system of nothing but Python and the allowed packages, and namespaces of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from . import packages

SITE = "/site"
WORKER = "/worker"
CHECKPOINTS = "/checkpoint"


def command(
    argv: list[str],
    *,
    as_root: bool,
    devices: tuple[str, ...] = (),
    checkpoints: Mapping[str, Path] | None = None,
    own: packages.Own = packages.NOTHING,
) -> list[str]:
    """Wrap a command line so that it runs inside bubblewrap; `as_root` when the judge itself runs as root."""
    wrapped = ["bwrap", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    wrapped += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if as_root:
        # Root makes the view without a user namespace; the server then takes on an unprivileged user id for good.
        for capability in ("CAP_SETUID", "CAP_SETGID"):
            wrapped += ["--cap-add", capability]
    else:
        wrapped += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    for name, value in environment().items():
        wrapped += ["--setenv", name, value]
    wrapped += _system_libraries()
    wrapped += [*_python(), *_traversable(f"{SITE}/x", f"{WORKER}/x")]
    for name, path in packages.allowed_packages(own).items():
        wrapped += ["--ro-bind", str(path), f"{SITE}/{name}"]
    wrapped += ["--ro-bind", str(packages.INSIDE), f"{WORKER}/inside"]
    for file, place in mounts(checkpoints or {}, inside=True).items():
        wrapped += [*_traversable(place), "--ro-bind", str(Path(file).resolve()), place]
    wrapped += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/pts"]  # terminals are memory in nobody's account
    for device in devices:
        wrapped += ["--dev-bind-try", device, device]
    # For a judge that is no root the server owns whatever is mounted here: an empty folder could be filled with memory.
    for folder in [word for option, word in itertools.pairwise(wrapped) if option in ("--tmpfs", "--dev")]:
        wrapped += ["--remount-ro", folder]
    wrapped += ["--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp", "--remount-ro", "/"]
    return [*wrapped, "--", *argv]


def mounts(checkpoints: Mapping[str, Path], *, inside: bool) -> dict[str, str]:
    """Return under which paths a worker finds the checkpoints that were not sent to it."""
    return {
        str(path): f"{CHECKPOINTS}/{kind}/model.safetensors" if inside else str(path)
        for kind, path in checkpoints.items()
    }


def environment() -> dict[str, str]:
    """Return the whole environment of a worker: nothing of the judge's own."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # OpenBLAS and OpenMP start threads when imported, and a process with threads must not fork.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def python_path() -> list[str]:
    """Return the folders that a worker imports from, as it sees them."""
    return [WORKER, *packages.standard_library(), SITE]


def _system_libraries() -> list[str]:
    arguments = _traversable("/usr/lib", "/etc/ld.so.cache")
    for folder in ("/usr/lib", "/usr/lib64"):
        if os.path.isdir(folder) and not os.path.islink(folder):
            arguments += ["--ro-bind", folder, folder]
    for folder in ("/lib", "/lib64", "/usr/lib64"):
        if os.path.islink(folder):
            arguments += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder) and not folder.startswith("/usr"):
            arguments += ["--ro-bind", folder, folder]
    arguments += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    if os.path.isdir("/usr/lib/python3"):
        arguments += ["--tmpfs", "/usr/lib/python3"]  # Debian's own packages are none of the allowed ones
    return arguments


def _python() -> list[str]:
    library, files = packages.standard_library()[0], packages.interpreter_files()
    arguments = [*_traversable(library, *files), "--ro-bind", library, library]
    for name in ("site-packages", "dist-packages"):
        if os.path.isdir(os.path.join(library, name)):
            arguments += ["--tmpfs", os.path.join(library, name)]
    for path in files:
        arguments += ["--ro-bind", path, path]
    return arguments


def _traversable(*paths: str) -> list[str]:
    """Make the parents of mount points ones that an unprivileged user can pass through; bubblewrap's own are not."""
    parents = {str(parent) for path in paths for parent in Path(path).parents}
    return [word for parent in sorted(parents - {"/", "/usr/lib"}) for word in ("--perms", "0755", "--dir", parent)]


def unavailable() -> str | None:
    """Return why bubblewrap cannot be used here, in words for one line, or None when it can."""
    if not sys.platform.startswith("linux"):
        return "bubblewrap exists on Linux only"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (on Debian and Ubuntu: apt-get install bubblewrap)"
    trial = [
        "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
        "--unshare-pid", "--unshare-net", "--unshare-ipc",
    ]  # fmt: skip
    trial += ["--unshare-user", "--uid", "1000"] if os.geteuid() else []
    try:
        done = subprocess.run([*trial, "true"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run here ({error})"
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        return f"this system does not let bubblewrap make namespaces ({reason})"
    return None
