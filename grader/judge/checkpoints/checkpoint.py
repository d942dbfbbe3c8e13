"""What the checkpoints of both kinds have in common: one file, looked through, and what transformers makes of it."""

from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.judge.errors import WeightsError
from grader.judge.kept_answers import KeptAnswers
from grader.sandbox.limits import Limits

from .layout import HEAD, Kind
from .one_file import OneFile
from .pickled import check_readable
from .places import SAFE, find_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.judge.student import Student

REFERENCE_SECONDS = 50  # transformers is imported, and its model made, while a check that holds a checkpoint runs
MB_A_SECOND = 40  # of a checkpoint, on a slow and busy machine: made, filled, compared


class Checkpoint:
    """A checkpoint in Hugging Face's layout.

    `own` says that it is the course's: small, and looked through before it was committed.
    `made` is its one file, where another process has laid it out already.
    `answers` is where the reference libraries' answers are kept between runs, if they are.
    `as_saved` says that inside a worker the weights keep the file's dtype; else they are float32 there.
    """

    kind: Kind
    as_saved = False
    answers: KeptAnswers | None = None

    def __init__(self, name: str, folder: Path, config: dict[str, Any], own: bool, made: Path | None) -> None:
        self.name, self.folder, self.config, self._own, self._made = name, folder, config, own, made
        self._files = find_files(folder)

    @functools.cached_property
    def _one(self) -> OneFile:
        return OneFile(self._files, self.config, self.kind)

    @property
    def file(self) -> Path:
        """The file that holds all tensors; the first look raises WeightsError unless they are those of the config."""
        if self._own:
            return self.folder / SAFE
        return self._made or self._one.path

    def close(self) -> None:
        """Remove the file, if it had to be made."""
        if one := vars(self).get("_one"):
            one.close()

    def to_mount(self, level: str) -> dict[str, Path]:
        """Return the file by its kind, if it is too large to be sent to every worker: they read it themselves.

        Raises WeightsError where at this isolation level they would not be able to.
        """
        if self._own:
            return {}
        check_readable(self.file, level)
        return {self.kind.id: self.file}

    def inside(self, student: Student) -> Any:
        """Return a handle to a dict of all tensors that stays in the worker, as the file names and lays them out.

        It can be passed to the student's functions like a dict that was sent.
        """
        from grader.judge.probes import checkpoint

        path = student.large_file(self.file) or student.file(self.file.name, self.file.read_bytes())
        return student.plant(checkpoint).read(path, self.as_saved)

    def room_for(self, limits: Limits, copies: int) -> Limits:
        """Return the limits of a check whose worker holds so many copies of the checkpoint, in float32.

        Memory and time grow with its size: gpt2-nano's is 13 MB, GPT-2 small's 475 MB, Llama 3.2 1B's 4.6 GB.
        """
        size = copies * sum(4 * math.prod(shape) for shape in self.kind.numbers(self.config).values()) / 2**20
        return limits.changed(
            memory_mb=limits.memory_mb + math.ceil(size),
            seconds=limits.seconds + REFERENCE_SECONDS + size / MB_A_SECOND,
        )

    def check(self) -> None:
        """Read the tensors now, so that a broken file is reported before anything is graded."""
        import torch

        if self._own:
            return
        for key, value in self.state.items():
            if not torch.isfinite(value).all():
                raise WeightsError(f"{self.folder} has a {key} with numbers that are not finite.")

    @functools.cached_property
    def tensors(self) -> dict[str, Any]:
        """All weights in float32, keys without the prefix."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(self.file)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{self.file} cannot be read as safetensors ({error}); save it again.") from None
        return {self.kind.bare(key): value.float() for key, value in tensors.items() if not self.kind.is_buffer(key)}

    @property
    def state(self) -> dict[str, Any]:
        """What checks are given of the weights."""
        return self.tensors

    def other_head(self) -> bool:
        """Whether there is a head whose numbers are not the embedding's."""
        import torch

        return HEAD in self.tensors and not torch.equal(self.tensors[HEAD], self.tensors[self.kind.embedding])

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of the one file and of what its config says."""
        with self.file.open("rb") as file:
            tensors = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(f"{tensors} {sorted(self.config.items())!r}".encode()).hexdigest()

    def answer(self, question: str, given: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        """Return the tensor that `compute()` makes with transformers' model of these weights.

        It depends on nothing but the weights and what is `given`. For whoever practises it may be the one that an
        earlier run computed, so that transformers isn't imported: it takes longer than all checks of a milestone.
        """
        if self.answers is None:
            return compute()
        return self.answers.of(question, (self.digest, given), compute)
