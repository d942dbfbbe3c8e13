"""Trusted code that a check plants in its worker: ranks that speak with each other by gloo. What it reports is a claim.

Where the sandbox forks, a rank is a process; elsewhere it is a thread, since a process that
has threads, or has used a GPU, must not fork.
"""

import builtins
import contextlib
import io
import os
import queue
import select
import signal
import struct
import sys
import threading
import time
import traceback
from datetime import timedelta

import torch
from torch.distributed import BroadcastOptions, HashStore, PrefixStore, ProcessGroupGloo, TCPStore

HERE = "127.0.0.1"  # there is no list of names inside
PATIENCE = 10  # seconds that a rank waits for another
LATEST = 60  # seconds after which a rank is ended that has not come to an end: the check's clock is earlier
LATE = ("TimeoutError", f"not at its end after {LATEST} seconds"), None
GONE = ("RuntimeError", "its process ended without an answer, as one does that is sent more than it waits for"), None
FORKS = "inside.server" in sys.modules  # whether this is a worker of the fork server's: it has one thread
LONGEST = 1000  # characters of what an exception says
LOST = (
    "closed by peer",
    "Connection reset",
    "Broken pipe",
    "imed out",
    "not connected",
)  # what another's end looks like


class Ledger:
    """Where threads write down what they call next: where two calls disagree, gloo ends the whole process."""

    def __init__(self):
        self._written, self._changed, self._closed = {}, threading.Condition(), False

    def write(self, place, said):
        """Write down a call, for whoever reads it."""
        with self._changed:
            self._written[place] = said
            self._changed.notify_all()

    def close(self):
        """Let nobody wait for what is not written yet."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read(self, place):
        """Return what is written there, as soon as it is; raises as gloo does where it does not come."""
        with self._changed:
            self._changed.wait_for(lambda: place in self._written or self._closed, PATIENCE)
            if place not in self._written:
                raise RuntimeError("closed by peer" if self._closed else "Timed out")
            return self._written[place]


class Group:
    """What a rank is given: sums, copies and messages, by gloo and through the processor's memory."""

    def __init__(self, rank, world, store, ledger=None):
        self.rank, self.world = rank, world
        self._ledger, self._calls = ledger, 0
        options = ProcessGroupGloo._Options()
        options._timeout = timedelta(seconds=PATIENCE)
        options._devices = [ProcessGroupGloo.create_device(hostname=HERE)]
        self._gloo = ProcessGroupGloo(store, rank, world, options)
        self._nccl = nccl(store) if world == 1 else None  # which wants a GPU for each rank, and here is one at most
        self._sent, self._received, self._kept = [0] * world, [0] * world, []

    def all_reduce(self, x):
        """Return the sum of all ranks' x."""
        if self._nccl is not None and x.is_cuda:
            whole = x.detach().clone(memory_format=torch.contiguous_format)
            self._nccl.allreduce([whole]).wait()
            return whole
        whole = _copied(x)
        self._agree("all_reduce", whole)
        self._gloo.allreduce([whole]).wait()
        return whole.to(x.device)

    def all_gather(self, x):
        """Return every rank's x, in order."""
        own = _copied(x)
        self._agree("all_gather", own)
        found = [torch.empty_like(own) for _ in range(self.world)]
        self._gloo.allgather([found], [own]).wait()
        return [part.to(x.device) for part in found]

    def broadcast(self, x, source):
        """Return the x of one rank."""
        options, found = BroadcastOptions(), _copied(x)
        options.rootRank = source
        self._agree(f"broadcast from {source}", found)
        self._gloo.broadcast([found], options).wait()
        return found.to(x.device)

    def send(self, x, to):
        """Hand a copy over, without waiting for anybody."""
        kept = _copied(x)
        self._kept.append((kept, self._gloo.send([kept], to, self._sent[to])))
        self._sent[to] += 1

    def recv(self, like, source):
        """Return the next tensor from a rank."""
        found = torch.empty_like(_copied(like))
        self._gloo.recv([found], source, self._received[source]).wait()
        self._received[source] += 1
        return found.to(like.device)

    def _agree(self, what, x):
        """Raise where the ranks call something else, or with other sizes."""
        if not self._ledger:
            return
        own = f"{what} with {_size(x)}"
        self._calls += 1
        self._ledger.write((self.rank, self._calls), own)
        for rank in range(self.world):
            other = self._ledger.read((rank, self._calls))
            if other != own:
                raise ValueError(f"rank {rank} asks for {other} where this one asks for {own}")

    def leave(self):
        """Wait until all ranks have come here: who ends earlier takes along what is not sent yet."""
        self._gloo.barrier().wait()

    def hang_up(self):
        """Let the others know that nothing more comes."""
        if self._ledger:
            self._ledger.close()
        self._gloo, self._kept = None, []


def nccl(store):
    """Return a group of NCCL's own for one rank, where this process computes on a GPU; else None."""
    if not (torch.cuda.is_initialized() and torch.distributed.is_nccl_available()):
        return None
    return torch.distributed.ProcessGroupNCCL(PrefixStore("nccl", store), 0, 1)


def _copied(x):
    return x.detach().cpu().clone(memory_format=torch.contiguous_format)


def _size(x):
    return f"a tensor of {x.numel()} {str(x.dtype).removeprefix('torch.')}"


class Alone:
    """A group of which only this rank is there: all others say what it says. It sends nothing."""

    def __init__(self, rank, world):
        self.rank, self.world = rank, world

    def all_reduce(self, x):
        """Return as many x as there are ranks, added up."""
        return x.detach() * self.world

    def all_gather(self, x):
        """Return x once for each rank."""
        return [x.detach()] * self.world

    def broadcast(self, x, source):
        """Return x."""
        return x.detach().clone()

    def send(self, x, to):
        """Do nothing."""

    def recv(self, like, source):
        """Return a copy of what it looks like."""
        return like.detach().clone()


def alone(rank, world):
    """Return a group for a rank that the others agree with in everything."""
    return Alone(rank, world)


def told(rank, world, said):
    """Return a group for a rank whose others the judge plays: said(what, x, whom) is asked each time."""
    return Told(rank, world, said)


class Told:
    """A group whose other ranks are played by the judge: what a rank sends, it sees, and it says what comes back."""

    def __init__(self, rank, world, said):
        self.rank, self.world, self._said = rank, world, said

    def all_reduce(self, x):
        """Return the sum of all ranks' x."""
        return self._say("all_reduce", x)

    def all_gather(self, x):
        """Return every rank's x, in order."""
        return self._say("all_gather", x)

    def broadcast(self, x, source):
        """Return the x of one rank."""
        return self._say("broadcast", x, source)

    def send(self, x, to):
        """Hand a copy over."""
        self._say("send", x, to)

    def recv(self, like, source):
        """Return the next tensor from a rank."""
        return self._say("recv", like, source)

    def _say(self, what, x, whom=None):
        answer = self._said(what, x.detach(), whom)
        return answer.to(x.device) if isinstance(answer, torch.Tensor) else answer


# ── ranks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def ranks(world, work, *args):
    """Have each of `world` ranks do some work, a function that is given its group first; return what each returned.

    Raises what a rank has raised by itself, before what its end has brought upon the others.
    """
    ended = (_forked if FORKS else _threaded)(world, lambda group: work(group, *args))
    failed = [(rank, *error) for rank, (error, _) in enumerate(ended) if error is not None]
    if failed:
        raise _error(*min(failed, key=lambda error: any(word in error[2] for word in LOST)))
    return [value for _, value in ended]


def _error(rank, kind, said):
    """Return the exception of a rank's, as far as Python itself has one of this name."""
    if kind == "NotImplementedError":
        return NotImplementedError(said)
    if any(word in said for word in LOST):
        kind, said = "RuntimeError", "the others did not come: all ranks make the same calls in the same order"
    found = getattr(builtins, kind, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        found, said = RuntimeError, f"{kind}: {said}"
    with contextlib.suppress(TypeError):  # some take more than a text
        return found(f"on rank {rank}: {said}")
    return RuntimeError(f"on rank {rank}: {kind}: {said}")


def _done(rank, world, store, work, ledger=None):
    """Return what a rank raises or returns."""
    group = None
    try:
        group = Group(rank, world, store, ledger)
        value = work(group)
        group.leave()
        return None, value
    except BaseException as error:
        where = "" if isinstance(error, NotImplementedError) else _where(error)
        if group is not None:
            group.hang_up()
        return (type(error).__name__, f"{str(error)[:LONGEST]}{where}"), None


def _where(error):
    """Say in which line of the submission something was raised."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if os.sep + "exercises" + os.sep in frame.filename
    ]
    return f" (line {frames[-1].lineno} of {os.path.basename(frames[-1].filename)})" if frames else ""


def _threaded(world, work):
    store, ledger = HashStore(), Ledger()
    ended: queue.SimpleQueue = queue.SimpleQueue()

    def run(rank):
        ended.put((rank, _done(rank, world, PrefixStore("ranks", store), work, ledger)))

    for rank in range(world):
        threading.Thread(target=run, args=(rank,), daemon=True).start()
    found: dict = {}
    with contextlib.suppress(queue.Empty):
        while len(found) < world:
            rank, outcome = ended.get(timeout=LATEST)
            found[rank] = outcome
    return [found.get(rank, LATE) for rank in range(world)]


def _forked(world, work):
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or each rank would print what waits there once more
    master = _store(0, True)
    pids, pipes = [], []
    for rank in range(world):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_rank(writing, lambda rank=rank: _done(rank, world, _store(master.port, False), work))
        os.close(writing)
        pids.append(pid)
        pipes.append(reading)
    try:
        return [_read(told) for told in _all_of(pipes)]
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for pipe in pipes:
            os.close(pipe)


def _store(port, master):
    """Return a table that ranks find each other by. That there is no list of names, of which torch warns, is known."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        return TCPStore(HERE, port, None, master, wait_for_workers=False)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _be_rank(writing, work):
    """Go on as a rank; never returns."""
    code = 1
    try:
        outcome, told = work(), io.BytesIO()
        try:
            torch.save(outcome, told)
        except Exception as error:
            told = io.BytesIO()
            kind, said = type(error).__name__, "what comes back cannot leave its process"
            torch.save((("RuntimeError", f"{said} ({kind})"), None), told)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        view = memoryview(struct.pack("!Q", len(told.getvalue())) + told.getvalue())
        while view:
            view = view[os.write(writing, view) :]
        code = 0
    finally:
        os._exit(code)


def _all_of(pipes):
    """Return each answer that comes out of these pipes, b"" from one that is closed without, None where it is too late.

    An answer says how long it is: what a rank has started may hold its pipe open when it has ended.
    """
    told, until = dict.fromkeys(pipes, b""), time.monotonic() + LATEST
    waiting = set(pipes)
    while waiting and time.monotonic() < until:
        for pipe in select.select(list(waiting), [], [], max(0.0, until - time.monotonic()))[0]:
            piece = os.read(pipe, 1 << 20)
            told[pipe] += piece
            if not piece or _whole(told[pipe]):
                waiting.discard(pipe)
    return [None if pipe in waiting else _whole(told[pipe]) for pipe in pipes]


def _whole(told):
    """Return an answer without its length, if all of it is there; else nothing."""
    size = struct.unpack("!Q", told[:8])[0] if len(told) >= 8 else 0
    return told[8 : 8 + size] if size and len(told) >= 8 + size else b""


def _read(told):
    if told is None:
        return LATE
    if not told:
        return GONE
    return torch.load(io.BytesIO(told), weights_only=False)
