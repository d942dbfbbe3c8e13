"""A checkpoint as one safetensors file: the one that it is, or one that is written anew out of shards or pickles."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.judge.errors import WeightsError

from .layout import FLOATS, Header, Kind, check_layout, clean_names, cleaned
from .pickled import Pickle
from .places import SAFE, Files

if TYPE_CHECKING:
    from torch import Tensor

READABLE = (*FLOATS, "I64", "U8", "BOOL")  # what a worker reads from a safetensors file, buffers included


class OneFile:
    """The path of a checkpoint's one file, which is removed by `close`, or with this object, if it was made here.

    Raises WeightsError where the files do not hold just the tensors of such a model with this config.
    """

    def __init__(self, files: Files, config: Mapping[str, Any], kind: Kind) -> None:
        self._remove: Any = None
        if files.pickled:
            self.path = self._written(_read_pickles(files, config, kind))
            return
        headers = {path: _headers(path) for path in files.paths}
        names = _checked(files, headers, config, kind)
        only = files.paths[0]
        dtypes = {header.dtype for header in headers[only].values()}
        if only.name == SAFE and dtypes <= {*READABLE} and all(old == new for old, new in names[only].items()):
            self.path = only
            return
        self.path = self._written({new: value for path in files.paths for new, value in _read(path, names[path])})

    def close(self) -> None:
        """Remove what was written."""
        if self._remove is not None:
            self._remove()

    def _written(self, tensors: dict[str, Tensor]) -> Path:
        """Write tensors to a file that also those may read whom students' code runs as."""
        from safetensors.torch import save_file

        folder = tempfile.mkdtemp(prefix="scratchwork-weights-")
        self._remove = weakref.finalize(self, _remove, folder, os.getpid())
        os.chmod(folder, 0o755)
        path = Path(folder, SAFE)
        try:
            save_file({key: value.contiguous() for key, value in tensors.items()}, path)
        except OSError as error:
            raise WeightsError(f"The checkpoint cannot be laid out as one file in {folder} ({error}).") from None
        path.chmod(0o644)
        return path


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a fork of this process uses the file, and does not own it
        shutil.rmtree(folder, ignore_errors=True)


def _checked(
    files: Files, headers: Mapping[Path, Mapping[str, Header]], config: Mapping[str, Any], kind: Kind
) -> dict[Path, dict[str, str]]:
    """Return for each file what its weights are called; WeightsError unless all together are such a model's."""
    where = files.paths[0] if len(files.paths) == 1 else files.paths[0].parent
    if files.places is not None:
        for key, file in files.places.items():
            if key not in headers[files.paths[0].parent / file]:
                raise WeightsError(f"{where} has an index that says {key[:100]} lies in {file}, which lacks it.")
    everything: dict[str, Header] = {}
    for path, found in headers.items():
        for key, header in found.items():
            if key in everything:
                raise WeightsError(f"{where} holds {key[:100]} more than once; the second time in {path.name}.")
            everything[key] = header
    names = clean_names(where, everything, kind)
    check_layout(where, {new: everything[old] for old, new in names.items()}, config, kind)
    return {path: {old: names[old] for old in found if not kind.is_buffer(old)} for path, found in headers.items()}


def _headers(path: Path) -> dict[str, Header]:
    """Return what a safetensors file says that it holds; its length must be what that takes."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 it is no dict
            return {key: Header(tuple(one.get_shape()), one.get_dtype()) for key, one in slices.items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}); fetch or save it again.") from None


def _read(path: Path, names: Mapping[str, str]) -> list[tuple[str, Tensor]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return [(new, file.get_tensor(old)) for old, new in names.items()]


def _read_pickles(files: Files, config: Mapping[str, Any], kind: Kind) -> dict[str, Tensor]:
    """Read what torch.save has written, one file after the other, each in a worker of its own.

    Nothing is read but what such a model with this config has, and that once; what else there is, its headers tell.
    """
    wanted = kind.shapes(config)
    headers: dict[Path, dict[str, Header]] = {}
    read: dict[str, Tensor] = {}
    for path in files.paths:
        with Pickle(path) as pickle:
            headers[path] = pickle.headers()
            for key, header in headers[path].items():
                name = cleaned(key)
                fits = header.shape == wanted.get(kind.bare(name)) and header.dtype in FLOATS
                if fits and name not in read:
                    read[name] = pickle.read(key, header)
    names = _checked(files, headers, config, kind)
    return {new: read[new] for path in files.paths for new in names[path].values()}
