"""A batch on Dask: on processes of this machine, or on a cluster that runs already. The gradebook stays here.

Dask finds workers for the jobs and gives the jobs of a worker that dies to another one. Each worker proves first that
it has the same grader and fixtures and can start the sandbox asked for; only then it is given the resource that every
job needs, one job at a time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from grader.judge.errors import UsageProblem
from grader.sandbox import cores

from .batch import Batch
from .judging import Graded, Job, Setup

AHEAD = 2  # jobs for each worker that are under way, so that none waits for the coordinator
LOOK_EVERY = 0.5  # seconds between two looks at who is there
REFUSED_SECONDS = 5  # to wait for another worker when all that are there were refused
LONELY_SECONDS = 120  # to wait for a worker when there is none
CONNECT_SECONDS = 6
FORKING = sys.platform == "linux"  # whether processes can be forked from one that has torch imported
TRIES = 3  # of a job whose worker lost its sandbox


class ClusterError(Exception):
    """There is no worker left to grade with; the text is one sentence."""


def grade_on_cluster(batch: Batch, workers: int, scheduler: str | None, progress: Any) -> None:
    """Grade everything that is due. Raises UsageProblem, ClusterError and KeyboardInterrupt."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise UsageProblem(
            "--workers and --scheduler need Dask: pip install distributed cryptography, into the same Python."
        ) from None
    if FORKING and scheduler is None:
        _start_fork_server()
    with _client(workers, scheduler, batch.setup) as client:
        _Coordinator(client, batch, progress, full=scheduler is None and workers >= cores.count()).run()


def _start_fork_server() -> None:
    """Have what is slow to import be so once for all workers, while the cluster is set up here. No thread starts."""
    from multiprocessing import forkserver

    import dask

    # How many threads numpy and torch have. Dask tells its workers too, but when these libraries are there already.
    # (That it has freed memory given back at once is left out: tensors take it again.)
    variables = dask.config.get("distributed.nanny.pre-spawn-environ")
    os.environ.update({name: str(value) for name, value in variables.items() if name.endswith("_NUM_THREADS")})
    forkserver.set_forkserver_preload(["distributed", "torch", "pytest"])
    forkserver.ensure_running()


def check_scheduler(scheduler: str, setup: Setup) -> None:
    """Raise UsageProblem where students' code could reach the cluster: whoever reaches it can have it run anything."""
    if setup.isolation != "bubblewrap" and setup.official and not scheduler.startswith("tls://"):
        raise UsageProblem(
            f"At the {setup.isolation} level students' code can reach the network, and with it a scheduler without "
            "keys: an official run needs tls:// there, or --isolation bubblewrap."
        )


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None, setup: Setup) -> Iterator[Any]:
    """Connect to the cluster, or start one; end what was started."""
    import dask
    from distributed import Client, LocalCluster

    for name in ("distributed", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said below, in sentences
    if scheduler is not None:
        check_scheduler(scheduler, setup)
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageProblem(f"No Dask scheduler answers at {scheduler} ({_short(error)}).") from None
        with client:
            yield client
        return
    # With keys that only these processes have: elsewhere than in bubblewrap students' code may reach this machine's
    # ports, and whoever can talk to a worker can have it run anything.
    # Dask's profiler took 6 % of the time; its looks every 20 ms take 4 % of two cores also when nothing is done.
    settings: dict[str, Any] = {
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "2s",
        "distributed.admin.system-monitor.interval": "10s",
    }
    if FORKING:
        settings["distributed.worker.multiprocessing-method"] = "forkserver"
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", security=True,
            dashboard_address=None, memory_limit=0, silence_logs=logging.CRITICAL,
        )  # fmt: skip
    with cluster, Client(cluster) as client:
        yield client


class _Coordinator:
    """Proves workers, hands out jobs, and takes results into the book."""

    def __init__(self, client: Any, batch: Batch, progress: Any, full: bool) -> None:
        self._client, self._batch, self._progress = client, batch, progress
        self._full = full  # whether the workers are on this machine, and as many as it has cores
        self._resource = f"SCRATCHWORK-{time.time_ns()}"  # of this run alone
        self._booting: dict[str, Any] = {}  # address -> future
        self._proven: set[str] = set()
        self._refused: dict[str, str] = {}
        self._working: dict[Any, tuple[Job, float]] = {}  # future -> its job, and when it was handed out
        self._tries: dict[int, int] = {}
        self._empty_since: float | None = None

    def run(self) -> None:
        """Hand out everything that is due, and take it back."""
        jobs = self._batch.jobs()
        waiting: list[Job] = []
        more = True
        try:
            while more or waiting or self._working:
                self._look_at_workers()
                while len(self._working) < AHEAD * max(1, len(self._proven)) and self._proven:
                    job = waiting.pop() if waiting else next(jobs, None)
                    if job is None:
                        more = False
                        break
                    self._hand_out(job)
                self._take_back(waiting)
        finally:
            self._client.cancel(list(self._working), force=True)
            self._dismiss()

    def _hand_out(self, job: Job) -> None:
        from .at_worker import grade_job

        future = self._client.submit(
            grade_job, self._batch.setup, job, pure=False, resources={self._resource: 1}, key=f"job-{time.time_ns()}"
        )
        self._working[future] = (job, time.monotonic())
        self._progress.job_started(self._batch.names(job), job.milestones)

    def _take_back(self, waiting: list[Job]) -> None:
        from distributed import wait

        pending = [*self._working, *self._booting.values()]
        if not pending:
            time.sleep(LOOK_EVERY)
            return
        with contextlib.suppress(TimeoutError):
            wait(pending, timeout=LOOK_EVERY, return_when="FIRST_COMPLETED")
        for future in [future for future in self._working if future.done()]:
            job, since = self._working.pop(future)
            self._finish(future, job, since, waiting)

    def _finish(self, future: Any, job: Job, since: float, waiting: list[Job]) -> None:
        from distributed import KilledWorker

        from .at_worker import Refused

        if future.status != "finished":
            error = future.exception() if future.status == "error" else None
            if isinstance(error, KilledWorker):
                self._batch.give_up(job, self._deaths())
            else:
                self._fail(job, _short(error) if error else "its worker was taken away")
            self._progress.job_ended(job.milestones, 0.0, len(job.milestones))
            return
        answer = future.result()
        if isinstance(answer, Refused):
            self._refuse(answer.worker, answer.reason)
            self._tries[job.number] = self._tries.get(job.number, 0) + 1
            if self._tries[job.number] < TRIES:
                waiting.append(job)
                return
            self._fail(job, f"{TRIES} workers lost their sandbox over it")
            self._progress.job_ended(job.milestones, 0.0, len(job.milestones))
            return
        self._batch.take(answer)
        self._progress.job_ended(job.milestones, answer.seconds, len(answer.faults))

    def _fail(self, job: Job, reason: str) -> None:
        faults = {name: f"{name[:3]} was not graded: a fault of the grader ({reason})." for name in job.milestones}
        self._batch.take(Graded(job.number, self._batch.setup.grader, faults=faults))

    @staticmethod
    def _deaths() -> str:
        import dask

        deaths = int(dask.config.get("distributed.scheduler.allowed-failures")) + 1
        return f"its worker died, {deaths} times over" if deaths > 1 else "its worker died"

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _look_at_workers(self) -> None:
        """Prove those that are new, forget those that are gone; ClusterError when nobody is left."""
        present = set(self._client.nthreads())
        for gone in [address for address in self._booting if address not in present]:
            del self._booting[gone]
        before = len(self._proven)
        self._proven &= present
        if new := present - self._proven - self._refused.keys() - self._booting.keys():
            self._prove(sorted(new))
        for address, future in list(self._booting.items()):
            if future.done():
                del self._booting[address]
                self._admit(address, future)
        if len(self._proven) != before:
            self._progress.working(len(self._proven))
        self._despair(present)

    def _prove(self, addresses: list[str]) -> None:
        """Compare graders and fixtures now, and let those that have ours start their sandboxes."""
        from .at_worker import boot

        answers = self._ask("prove", addresses, self._batch.setup.grader, self._batch.setup.rooms)
        for address in addresses:
            answer = answers.get(address, "is gone")
            if answer == "":
                self._booting[address] = self._client.submit(
                    boot, self._batch.setup, self._full, pure=False, workers=[address], allow_other_workers=False,
                    key=f"boot-{time.time_ns()}",
                )  # fmt: skip
            elif answer != "is gone":
                self._refuse(address, answer if isinstance(answer, str) else f"failed ({_short(answer)})")

    def _admit(self, address: str, future: Any) -> None:
        if future.status == "cancelled":
            return
        if future.status != "finished":
            self._refuse(address, f"cannot start the grader ({_short(future.exception())})")
        elif (answer := future.result()) is not None:
            self._refuse(address, answer.reason)
        else:
            self._ask("grant", [address], self._resource, 1)
            self._proven.add(address)

    def _refuse(self, address: str, reason: str) -> None:
        if address in self._proven:
            self._proven.discard(address)
            self._ask("grant", [address], self._resource, 0)
        self._refused[address] = reason
        self._progress.note(f"The worker {address} {reason}; it is given no work.")

    def _ask(self, function: str, addresses: list[str], *values: Any) -> dict[str, Any]:
        """Run a function of `proof` on workers, by its code: also where there is no grader."""
        import cloudpickle

        from . import proof

        cloudpickle.register_pickle_by_value(proof)
        try:
            return dict(self._client.run(getattr(proof, function), *values, workers=addresses, on_error="return"))
        except (OSError, KeyError, ValueError):
            return {}  # one of them is gone; who is still there is looked at again
        finally:
            cloudpickle.unregister_pickle_by_value(proof)

    def _despair(self, present: set[str]) -> None:
        if self._proven or self._booting:
            self._empty_since = None
            return
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        refused = [f"{address} {reason}" for address, reason in self._refused.items() if address in present]
        if refused and now - self._empty_since > REFUSED_SECONDS:
            raise ClusterError(f"No worker is left to grade with: {'; '.join(refused)}.")
        if now - self._empty_since > LONELY_SECONDS:
            raise ClusterError(f"No worker has come within {LONELY_SECONDS} s; start some, and run the same again.")

    def _dismiss(self) -> None:
        """End the sandboxes of a cluster that goes on without us."""
        from .at_worker import close

        proven = sorted(self._proven & set(self._client.nthreads()))
        if not proven:
            return
        with contextlib.suppress(Exception):  # what has died meanwhile has no sandbox any more
            ending = [
                self._client.submit(close, pure=False, workers=[address], allow_other_workers=False)
                for address in proven
            ]
            self._client.gather(ending, errors="skip")
            self._ask("grant", proven, self._resource, 0)


def _short(error: BaseException | Any) -> str:
    text = str(error).strip().splitlines()
    return (text[0][:200] if text else type(error).__name__).rstrip(".")
