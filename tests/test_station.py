"""What is kept warm between runs runs a command like a Python of its own, serves nobody else, and ends by itself."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
import support
import systems

from grader.sandbox import levels
from grader.warm import client, places, station

pytestmark = [
    systems.linux,
    pytest.mark.skipif(bool(levels.unavailable("bubblewrap")), reason="bubblewrap does not work here"),
]
HANGS = "import time\ntime.sleep(600)\n"


def begun(state):
    """Start a station and wait until it serves."""
    environment = os.environ | {"SCRATCHWORK_STATE": str(state)}
    process = subprocess.Popen([sys.executable, "-m", "grader.warm.station"], cwd=places.ROOT, env=environment)
    while not (state / places.SOCKET).exists():
        assert process.poll() is None, "the station has ended"
        time.sleep(0.02)
    return process


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A station of this module's own, and the folder in which it is met."""
    state = tmp_path_factory.mktemp("state")
    process = begun(state)
    yield state, process
    process.kill()
    process.wait()


@pytest.fixture
def here(served, monkeypatch):
    """The station, for commands of this process."""
    state, process = served
    monkeypatch.setenv("SCRATCHWORK_STATE", str(state))
    return process


def folder(path, source):
    """Make a submission of one module."""
    path.mkdir(exist_ok=True)
    (path / "m00_warmup.py").write_text(source, encoding="utf-8")
    return path


def plain(text):
    """Return a report without what differs from run to run."""
    return re.sub(r"in [\d.]+ m?s\b", "in a moment", text)


@pytest.mark.parametrize("source", [support.source("solutions", "m00_warmup"), "raise ValueError('no')\n"])
def test_a_command_says_and_ends_as_in_a_python_of_its_own(here, tmp_path, capfd, source):
    """Report, files and exit code are those of a command that has loaded everything itself."""
    words = ["grade", "m00", "--all", "--submission", str(folder(tmp_path / "mine", source))]
    own = subprocess.run(
        [sys.executable, "-m", "grader", *words], cwd=places.ROOT, capture_output=True, text=True, check=False
    )

    code = client.run([*words, "--markdown", str(tmp_path / "report.md")])

    said = capfd.readouterr()
    assert (code, plain(said.out), said.err) == (own.returncode, plain(own.stdout), own.stderr)
    assert (tmp_path / "report.md").is_file()


def test_another_grader_is_refused_and_the_station_ends(tmp_path, monkeypatch):
    """A command of a grader that was edited meanwhile, or of other packages, runs by itself; the old station goes."""
    process = begun(tmp_path)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path))
    monkeypatch.setattr(places, "stamp", lambda: "another")

    assert client.run(["grade", "m00"]) is None
    assert process.wait(60) == 0
    assert client.run(["grade", "m00"]) is None


def test_what_is_read_at_the_start_is_refused(here, monkeypatch):
    """A command with a variable that Python or a library reads when it starts has a Python of its own."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")

    assert client.run(["grade", "m00"]) is None
    assert here.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_command_ends_with_whoever_asked_for_it(here, tmp_path, number):
    """Ctrl-C reaches the command, which says so and ends with 130; a client that is gone leaves no command behind."""
    words, idle = ["grade", "m00", "--all", "--submission", str(folder(tmp_path / "mine", HANGS))], alive(here)
    environment = os.environ | {client.SWITCH: "1"}
    asked = subprocess.Popen(
        [sys.executable, "-m", "grader", *words], cwd=places.ROOT, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    comes_to(here, lambda count: count >= idle + 3)  # its keeper, itself, and a worker

    asked.send_signal(number)

    said = asked.communicate()[1].decode()
    if number == signal.SIGINT:
        assert asked.returncode == 130 and "interrupted" in said
    comes_to(here, lambda count: count == idle)
    assert here.poll() is None


def alive(process):
    """Return how many processes there are below one."""
    below = psutil.Process(process.pid).children(recursive=True)
    return sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below)


def comes_to(process, wanted):
    """Wait until the number of processes below one is as wanted."""
    while True:
        with contextlib.suppress(psutil.NoSuchProcess):
            if wanted(alive(process)):
                return
        time.sleep(0.02)


def test_it_ends_when_nothing_comes(tmp_path, monkeypatch):
    """After its time without a command a station returns."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path))
    before = signal.getsignal(signal.SIGINT)
    try:
        station.Station(None, "", idle_seconds=0.01).serve()
    finally:
        signal.signal(signal.SIGINT, before)


def test_there_is_one_station(here):
    """While one serves, another ends at once, and none is started."""
    assert places.taken() is None
    assert not client.leave_one()
    assert subprocess.run([sys.executable, "-m", "grader.warm.station"], cwd=places.ROOT, check=False).returncode == 0
    assert here.poll() is None


@pytest.mark.parametrize(
    ("words", "environment", "is_wanted"),
    [
        (["grade", "m04"], {client.SWITCH: "1"}, True),
        (["grade", "m04", "--all", "--html=p.html"], {client.SWITCH: "1"}, True),
        (["grade", "m04"], {client.SWITCH: "0"}, False),
        (["grade", "m04"], {}, False),  # no terminal
        (["grade", "m04", "--official"], {client.SWITCH: "1"}, False),
        (["grade", "m04", "--off"], {client.SWITCH: "1"}, False),
        (["grade", "m04", "--debug"], {client.SWITCH: "1"}, False),
        (["grade", "m04", "--isolation", "process"], {client.SWITCH: "1"}, False),
        (["grade", "m04", "--device=cuda"], {client.SWITCH: "1"}, False),
        (["grade", "m04"], {client.SWITCH: "1", client.SECRETS[0]: "a secret of some length"}, False),
        (["verify"], {client.SWITCH: "1"}, False),
        ([], {client.SWITCH: "1"}, False),
    ],
)
def test_practice_runs_alone_are_served(monkeypatch, words, environment, is_wanted):
    """Nothing official, nothing with a secret seed, and nothing that wants another sandbox takes the short way."""
    for name in (client.SWITCH, *client.SECRETS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert client.wanted(words) is is_wanted


def test_a_stamp_tells_of_every_edit(tmp_path, monkeypatch):
    """An edited file, a new one, and one that is gone each change the stamp; what Python compiles does not."""
    monkeypatch.setattr(places, "ROOT", str(tmp_path))
    (tmp_path / "grader" / "__pycache__").mkdir(parents=True)
    seen = [places.stamp()]
    module = tmp_path / "grader" / "a.py"
    for change in (lambda: module.write_text("1"), lambda: module.write_text("22"), module.unlink):
        change()
        seen.append(places.stamp())

    assert seen[0] == seen[3] and len(set(seen)) == 3
    (tmp_path / "grader" / "__pycache__" / "a.py").write_text("")
    assert places.stamp() == seen[0]
