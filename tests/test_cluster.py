"""A class on Dask, with real scheduler and worker processes of this machine: who may work, and who dies at it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import support
import systems
import warm
from small_course import HALF_DONE, SLOW, SOLUTIONS, SUITE_M01, WHOLE_HALF, SmallCourse

from grader.classroom.book.gradebook import Gradebook
from grader.classroom.grading.cluster import check_scheduler
from grader.classroom.grading.judging import Setup
from grader.judge.errors import UsageProblem

pytestmark = systems.linux  # where workers are killed, and bubblewrap shuts them in
Client = pytest.importorskip("distributed").Client


class Cluster:
    """A Dask scheduler and workers, each a process of its own."""

    def __init__(self, course: SmallCourse, environment: dict[str, str]) -> None:
        self.course = course
        self.environment = course.environment() | environment
        self.file = course.folder / "scheduler.json"
        self.processes: list[Any] = []
        self.address = ""

    def boot(self) -> None:
        """Start the scheduler, and wait for its address."""
        self._start(self.course.folder, "dask_scheduler", "--port", "0", "--no-dashboard", "--no-show")
        wait_until(self._is_written)
        self.address = json.loads(self.file.read_text())["address"]

    def _is_written(self) -> bool:
        """Whether the scheduler has written its file to the end: it is there, empty, a moment before."""
        try:
            return bool(json.loads(self.file.read_text())["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            return False

    def worker(self, name: str, folder: Path | None = None, **environment: str) -> Any:
        """Start a worker with the grader of a folder."""
        return self._start(
            folder or self.course.folder, "dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--name", name, "--local-directory", str(self.course.folder / name), **environment,
        )  # fmt: skip

    def close(self) -> None:
        """End what is left."""
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, folder: Path, module: str, *arguments: str, **environment: str) -> Any:
        log = self.course.folder / f"{module}-{len(self.processes)}.log"
        with open(os.devnull, "rb") as nothing, log.open("wb") as said:
            process = warm.start(
                f"distributed.cli.{module}", "--scheduler-file", self.file, *arguments, streams=[nothing, said, said],
                cwd=folder, env=self.environment | environment,
            )  # fmt: skip
        self.processes.append(process)
        return process


@contextlib.contextmanager
def running(course: SmallCourse, **environment: str) -> Iterator[Cluster]:
    """Have a cluster whose scheduler runs; it and its workers end with the block."""
    cluster = Cluster(course, environment)
    try:
        cluster.boot()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def course(tmp_path):
    """A small course of its own."""
    return SmallCourse(tmp_path / "course")


def wait_until(there: Callable[[], object], seconds: float = 90) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def results(course: SmallCourse) -> dict[str, float]:
    """Return the points of every result in the book, which are one for each milestone."""
    if not course.book.exists():
        return {}
    with Gradebook.open(course.book) as book:
        found = book.rows("SELECT student, milestone, earned FROM result")
    points = {f"{student} {milestone[:3]}": earned for student, milestone, earned in found}
    assert len(points) == len(found), "something was graded twice"
    return points


def without_bubblewrap(folder: Path) -> str:
    """Return a PATH with everything but bubblewrap on it."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for path in sorted(Path(place).glob("*")) if place else []:
            if path.name != "bwrap" and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    return str(folder)


def test_workers_prove_themselves_and_one_that_is_killed_costs_a_retry(course, tmp_path):
    """Workers with another grader or no sandbox are refused; the death of one that grades costs no result."""
    for number in range(3):
        course.hand_in(f"s{number}", SLOW)
    shutil.copytree(course.folder, tmp_path / "other")
    (tmp_path / "other" / "grader" / "suites" / "m01_tokenizer" / "test_suite.py").write_text(
        SUITE_M01 + "\n# mended\n"
    )
    with running(course) as cluster:
        cluster.worker("other", tmp_path / "other")
        cluster.worker("bare", PATH=without_bubblewrap(tmp_path / "bin"))
        nobody = course.grade("--scheduler", cluster.address)
        assert nobody.returncode == 3, nobody.stdout + nobody.stderr
        assert "No worker is left to grade with: " in nobody.stderr
        assert "has another grader (0.1.0+" in nobody.stderr
        assert "cannot grade at the level bubblewrap: " in nobody.stderr
        assert results(course) == {}

        first, _ = cluster.worker("first"), cluster.worker("second")
        process = course.start("--scheduler", cluster.address)
        wait_until(lambda: results(course))
        first.kill()
        code, said = process.ended()

        assert code == 0, said
        assert said.count("it is given no work.") == 2  # those two again
        assert results(course) == {f"s{n} {m}": p for n in range(3) for m, p in (("m00", 6.0), ("m01", 4.0))}


def test_workers_whose_fixtures_differ_are_refused(course, tmp_path):
    """A worker of the same grader with a changed fixture, or without one, is given no work, and the file is named."""
    course.hand_in("anna", SOLUTIONS)
    for name in ("changed", "without"):
        shutil.copytree(course.folder / "grader", tmp_path / name / "grader")
        shutil.copytree(course.folder / "fixtures", tmp_path / name / "fixtures")
    with (tmp_path / "changed" / "fixtures" / "unicode.txt").open("a", encoding="utf-8") as file:
        file.write("one more line\n")
    (tmp_path / "without" / "fixtures" / "unicode.txt").unlink()
    with running(course) as cluster:
        for name in ("changed", "without"):
            cluster.worker(name, tmp_path / name)
        with Client(cluster.address) as client:
            client.wait_for_workers(2, timeout=90)

        nobody = course.grade("--scheduler", cluster.address)

        assert nobody.returncode == 3, nobody.stdout + nobody.stderr
        assert "No worker is left to grade with: " in nobody.stderr
        assert "has another fixture unicode.txt than its manifest says" in nobody.stderr
        assert re.search(r"cannot read its fixtures \(.*unicode\.txt", nobody.stderr)
        assert "another grader" not in nobody.stderr
        assert results(course) == {}


def test_a_submission_whose_workers_die_too_often_is_named(course):
    """When Dask gives a job up the milestone is named as not graded, and has no result."""
    course.hand_in("slow", SLOW)
    with running(course, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as cluster:
        first = cluster.worker("first")
        process = course.start("--scheduler", cluster.address, "--milestone", "m00")
        with Client(cluster.address) as client:
            wait_until(lambda: any(key.startswith("job-") for keys in client.processing().values() for key in keys))
            first.kill()
        code, said = process.ended()
        assert code == 1, said
        assert "slow: m00 was not graded: its worker died" in said
        assert results(course) == {}


def test_processes_of_this_machine_earn_the_same(course):
    """With --workers 2 every result is what it would be in one process, and nothing stays behind."""
    course.hand_in("anna", SOLUTIONS)
    course.hand_in("cem", HALF_DONE)
    course.hand_in("dora", WHOLE_HALF)
    done = course.grade("--workers", "2")

    assert done.returncode == 0, done.stdout + done.stderr
    assert results(course) == {
        "anna m00": 6.0, "anna m01": 4.0, "cem m00": 2.0, "cem m01": 0.0, "dora m00": 2.0, "dora m01": 4.0,
    }  # fmt: skip


LOOK = """
import json
import distributed
from grader.classroom.grading import cluster

def look():
    import os, torch
    with open(f"/proc/{os.getppid()}/cmdline") as file:
        return torch.get_num_threads(), "forkserver" in file.read()

cluster._start_fork_server()
with cluster._client(2, None, None) as client:
    print(json.dumps(sorted(client.run(look).values())))
"""


def test_processes_of_this_machine_are_forks_with_a_thread_each():
    """What is slow to import is imported once for all of them, and none has more threads than its core can run."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=support.REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [[1, True], [1, True]]


def test_a_scheduler_that_does_not_answer_is_one_sentence(course):
    """An address where nobody listens is named, with exit code 2."""
    course.hand_in("anna", SOLUTIONS)
    done = course.grade("--scheduler", "tcp://127.0.0.1:1")

    assert done.returncode == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:1" in done.stderr and done.stderr.count("\n") == 1


def test_students_code_that_could_reach_the_cluster_needs_keys_there():
    """An official run at the user level takes no scheduler without TLS; bubblewrap and practice do."""
    setup = Setup("g", "user", "cpu", "gpt2-nano", "submission", True, "x" * 20, True)
    with pytest.raises(UsageProblem, match="needs tls://"):
        check_scheduler("tcp://host:8786", setup)

    check_scheduler("tls://host:8786", setup)
    check_scheduler("tcp://host:8786", Setup("g", "bubblewrap", "cpu", "gpt2-nano", "submission", True, "x", True))


def test_what_the_page_on_clusters_shows_can_be_read():
    """The page's Python compiles, and its YAML is one DaskCluster whose service finds the scheduler."""
    yaml = pytest.importorskip("yaml")
    text = (support.REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", text, re.DOTALL))
    compile(blocks["python"], "docs/cluster.md", "exec")
    cluster = yaml.safe_load(blocks["yaml"])
    service = cluster["spec"]["scheduler"]["service"]

    assert cluster["kind"] == "DaskCluster"
    assert service["selector"]["dask.org/cluster-name"] == cluster["metadata"]["name"]
    assert f"svc/{cluster['metadata']['name']}-scheduler" in text
    assert {port["targetPort"] for port in service["ports"]} == {"tcp-comm", "http-dashboard"}
