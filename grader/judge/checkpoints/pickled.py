"""What torch.save wrote, read in a sandbox: unpickling takes orders from the file, and the judge takes none."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.judge.errors import WeightsError
from grader.sandbox import levels, users
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.limits import Limits

from .layout import Header

if TYPE_CHECKING:
    from torch import Tensor

READER = "pickled"  # the module of judge.probes that does the work in there
PIECE = 2**23  # numbers that cross at a time: 64 MB at most
MB_A_SECOND = 20
MOST_TENSORS = 100_000


class Pickle:
    """One file of torch.save's, open in a worker; what that says is believed no more than a submission's worker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._workers: Any = None
        self._worker: Any = None

    def __enter__(self) -> Pickle:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.end()
        if self._workers is not None:
            self._workers.close()

    def headers(self) -> dict[str, Header]:
        """Return the shape and dtype of each tensor. Raises WeightsError for a file that holds anything else."""
        self._open()
        try:
            told = self._ask("open_file", self._worker.mounts[str(self.path)])
        except StudentError as error:
            refused = "Unpickling" in error.kind
            why = "it holds more than tensors, and to load that would be to run code" if refused else "it is damaged"
            raise WeightsError(f"{self.path} cannot be read by torch.load: {why}; save it as safetensors.") from None
        except WorkerLost as error:
            why = f"it takes more {error.limit} than its size allows" if error.limit else "the reading process ended"
            raise WeightsError(f"{self.path} cannot be read by torch.load: {why}; save it as safetensors.") from None
        match told:
            case dict() if len(told) <= MOST_TENSORS and all(_is_header(*item) for item in told.items()):
                return {key: Header(tuple(shape), dtype) for key, (shape, dtype) in told.items()}
        raise WeightsError(f"{self.path} is no checkpoint: it holds no plain table of names and tensors.")

    def read(self, key: str, header: Header) -> Tensor:
        """Return one tensor in float32. Raises WeightsError when other numbers come than were promised."""
        import torch

        whole = torch.empty(math.prod(header.shape), dtype=torch.float32)
        for start in range(0, len(whole), PIECE):
            room = whole[start : start + PIECE]
            try:
                piece = self._ask("piece", key, start, start + len(room))
            except (StudentError, WorkerLost):
                raise WeightsError(f"{self.path} cannot be read by torch.load: {key[:100]} is damaged.") from None
            if type(piece) is not torch.Tensor or piece.shape != room.shape or not piece.is_floating_point():
                raise WeightsError(f"{self.path} cannot be read by torch.load: {key[:100]} is not what it seemed.")
            room.copy_(piece)
        return whole.view(header.shape)

    def _open(self) -> None:
        from grader.judge.probes import pickled  # torch comes with it, and most runs read no pickles
        from grader.judge.student import code_of

        megabytes = self.path.stat().st_size / 2**20
        limits = Limits(seconds=60 + megabytes / MB_A_SECOND, memory_mb=1024 + math.ceil(3 * megabytes))
        try:
            self._workers = levels.choose("auto", "cpu", lambda note: None)
            check_readable(self.path, self._workers.level)
            self._workers.checkpoints = {"pickled": self.path}
            self._worker = self._workers.worker(limits)
        except SandboxError as error:
            raise WeightsError(
                f"{self.path} is unpickled in a sandbox alone, and none starts here ({error}); save it as safetensors."
            ) from None
        self._worker.set_deadline(limits.seconds)
        self._worker.conversation.request("plant", name=READER, code=code_of(pickled))

    def _ask(self, name: str, *args: Any) -> Any:
        self._worker.expect_anew()
        return self._worker.conversation.request("probe", name=name, args=list(args), kwargs={}, planted=READER)


def _is_header(key: Any, told: Any) -> bool:
    match told:
        case (tuple(shape), str()) if type(key) is str:
            return len(shape) <= 16 and all(type(size) is int and 0 <= size < 2**48 for size in shape)
    return False


def check_readable(path: Path, level: str) -> None:
    """Raise WeightsError where those whom foreign code runs as at this level could not read a file."""
    if level == "user" and not users.readable_by_others(path):
        raise WeightsError(
            f"At the user level students' code runs as a user who cannot read {path}; "
            "copy the checkpoint to where everybody can read it, and name that folder."
        )
    if level == "bubblewrap" and os.geteuid() == 0 and not path.stat().st_mode & 0o004:
        raise WeightsError(f"Students' code runs as a user who cannot read {path}; let everybody read it (chmod o+r).")
