"""Where a checkpoint lies that somebody names, and which files of it hold the tensors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fixtures
from grader.files import not_regular, read_json, reason
from grader.judge.errors import WeightsError

NANO, LLAMA_NANO = "gpt2-nano", "llama-nano"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
FORMS = (SAFE, f"{SAFE}.index.json", PICKLED, f"{PICKLED}.index.json")  # in the order in which transformers looks
MOST_SHARDS = 1000


@dataclass(frozen=True)
class Files:
    """The files of one checkpoint, and, where there is an index, which of them each tensor lies in."""

    paths: tuple[Path, ...]
    pickled: bool
    places: dict[str, str] | None = None  # tensor -> file


def find_checkpoint(name: str) -> Path:
    """Return the folder of a checkpoint named on the command line: gpt2-nano, gpt2, or a folder (`~` is the home).

    Raises WeightsError with one sentence when it is not there.
    """
    if name == NANO:
        return fixtures.GPT2_NANO
    if name == "gpt2":
        return _hub_checkpoint("openai-community/gpt2") or _hub_checkpoint("gpt2") or _fetch_gpt2()
    return _folder(name, "--weights", "neither gpt2-nano nor gpt2 nor a folder")


def find_llama(name: str) -> Path:
    """Return the folder of a Llama checkpoint named on the command line: llama-nano, or a folder (`~` is the home).

    Raises WeightsError with one sentence when it is not there.
    """
    if name == LLAMA_NANO:
        return fixtures.LLAMA_NANO
    return _folder(name, "--weights-llama", "neither llama-nano nor a folder")


def _folder(name: str, option: str, otherwise: str) -> Path:
    try:
        folder = Path(name).expanduser()
        if folder.is_dir():
            return folder
        file = folder.is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: a user who has no home here
        raise WeightsError(f"{option} {name[:200]} cannot be opened ({reason(error)[:200]}).") from None
    if file:
        raise WeightsError(f"{option} {name} is a file; name the folder that it lies in, with its config.json.")
    raise WeightsError(f"{option} {name} is {otherwise}.")


def _hub_checkpoint(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, file) for file in ("config.json", SAFE)]
    return Path(str(found[0])).parent if all(isinstance(path, str) for path in found) else None


def _fetch_gpt2() -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download("openai-community/gpt2", allow_patterns=["config.json", SAFE]))
    except Exception as error:
        raise WeightsError(
            "--weights gpt2 needs the checkpoint in the Hugging Face cache or a network that reaches the hub "
            f"({type(error).__name__}); the default gpt2-nano needs neither."
        ) from None


def find_files(folder: Path) -> Files:
    """Return the files that hold a checkpoint's tensors: in one file or in shards, as safetensors or as torch saves.

    A link is followed, as the Hugging Face cache consists of links. Raises WeightsError with one sentence.
    """
    for form in FORMS:
        path = folder / form
        if not os.path.lexists(path):
            continue
        _expect_regular(path)
        pickled = form.startswith(PICKLED)
        if not form.endswith(".json"):
            return Files((path,), pickled)
        places = _read_index(path)
        paths = tuple(folder / file for file in dict.fromkeys(places.values()))
        for shard in paths:
            if not os.path.lexists(shard):
                raise WeightsError(f"{folder} has no {shard.name}, which {form} names.")
            _expect_regular(shard)
        return Files(paths, pickled, places)
    raise WeightsError(f"{folder} has no {SAFE} (nor {', '.join(FORMS[1:])}).")


def _read_index(path: Path) -> dict[str, str]:
    """Return which file each tensor lies in, by an index that may name any: only those beside it are taken."""
    try:
        index: Any = read_json(path, 2**24)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({reason(error)}).") from None
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(file, str) for file in places.values()):
        raise WeightsError(f"{path} is no index: it has no weight_map from tensors to files.")
    ending = ".bin" if path.name.startswith(PICKLED) else ".safetensors"
    shards = dict.fromkeys(places.values())
    for file in shards:
        if "/" in file or "\\" in file or "\0" in file or not file.endswith(ending):
            raise WeightsError(f"{path} names {file[:100]!r}; only *{ending} files that lie beside it are read.")
    if len(shards) > MOST_SHARDS:
        raise WeightsError(f"{path} names more than {MOST_SHARDS} files.")
    return places


def _expect_regular(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise WeightsError(f"{path} is a link that leads nowhere; fetch the checkpoint again.") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({reason(error)}).") from None
    if not path.is_file():
        raise WeightsError(f"{path} cannot be read: {not_regular(mode)}.")
