"""A service under load, and transformers serve on the same weights beside it, each in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from grader.capstone import kept
from grader.judge.checkpoints.places import NANO

from . import at_home, load, theirs
from .app import HOST

START = 180.0  # seconds in which a service stands
NEEDED = ("fastapi", "uvicorn", "openai", "accelerate", "pydantic")  # what transformers serve does not start without
THEIRS = "from transformers.cli.transformers import app; app()"  # without the look for a newer version


class NotServed(Exception):
    """A service does not stand; the text is half a sentence."""


def own(words: Sequence[str], clients: int, name: str) -> load.Figures:
    """Measure the student's service, started with these words of a command line. Raises NotServed."""
    port = free_port()
    command = [sys.executable, "-m", "grader", "serve", "--no-page", "--port", str(port), *words]
    with standing(command, port):
        load.measure(port, name, 1)
        return load.measure(port, name, clients)


def transformers(model: kept.Model | None, clients: int) -> load.Figures:
    """Measure transformers serve on the same weights. Raises NotServed."""
    if lacks := next((name for name in NEEDED if importlib.util.find_spec(name) is None), ""):
        raise NotServed(f"this Python lacks {lacks}, which nox -s serve brings")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="scratchwork-") as folder:
        place = Path(folder) / "model"
        place.mkdir()
        theirs.write(place, model)
        words = ["serve", str(place), "--host", HOST, "--port", str(port), "--device", "cpu", "--dtype", "float32"]
        with standing([sys.executable, "-c", THEIRS, *words], port):
            load.measure(port, str(place), 1)
            return load.measure(port, str(place), clients)


def version() -> str:
    """Return which transformers it is."""
    return metadata.version("transformers")


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def standing(command: list[str], port: int) -> Iterator[None]:
    """Start a service and wait until it says that it is well; it is ended afterwards. Raises NotServed."""
    alike = {"TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}  # the student's own has one thread as well
    environment = {**os.environ, **at_home.SILENT, **alike}
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=environment
    ) as process:  # fmt: skip
        try:
            end = time.monotonic() + START
            while not well(port):
                if process.poll() is not None:
                    said.seek(0)
                    lines = said.read().decode("utf-8", "replace").strip().splitlines()
                    raise NotServed(f"it ended with {lines[-1] if lines else f'exit code {process.returncode}'}")
                if time.monotonic() > end:
                    raise NotServed(f"{shlex.join(command[:4])} … does not answer within {START:.0f} s")
                time.sleep(0.2)
            yield
        finally:
            process.kill()


def well(port: int) -> bool:
    """Whether a service answers that it is well."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def compare(words: Sequence[str], model: kept.Model | None, clients: int) -> Iterator[str]:
    """Measure both, one after the other, and yield lines about them. Raises NotServed where the student's is none."""
    name = NANO if model is None else "capstone"
    yield f"{clients} clients at once, each asks {name} for {load.MOST_TOKENS} tokens at most, streamed."
    yield f"{'':28}{'tokens a second':>16}{'slowest first token':>22}{'all done':>12}"
    yield line("your service", own(words, clients, name))
    label = f"transformers serve {version()}"
    try:
        yield line(label, transformers(model, clients))
    except NotServed as why:
        yield f"{label} was not measured: {why}."


def line(label: str, figures: load.Figures) -> str:
    """Return what was measured as one line."""
    if len(figures.failures) == figures.clients:
        return f"{label:28}  no client got an answer: {figures.failures[0][:200]}"
    failed = f"   {len(figures.failures)} got no answer: {figures.failures[0][:120]}" if figures.failures else ""
    slowest = f"{max(figures.firsts):.2f} s"
    return f"{label:28}{figures.rate:16.0f}{slowest:>22}{figures.seconds:10.1f} s{failed}"
