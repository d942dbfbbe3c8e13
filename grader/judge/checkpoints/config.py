"""A checkpoint's config.json: the sizes are taken from it, and what the course's models cannot follow is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.files import read_json, reason
from grader.judge.errors import WeightsError

# Keys that change a model's numbers: the values that the course's model has, too, the default first, and why it does.
Fixed = Mapping[str, tuple[tuple[Any, ...], str]]
NO_REASONS: Mapping[str, str] = {}


def read_object(folder: Path, option: str, called: str) -> tuple[Path, dict[str, Any]]:
    """Return a checkpoint's config.json, and what it holds. Raises WeightsError with one sentence for what is none."""
    path = folder / "config.json"
    try:
        config = read_json(path, 2**20)
    except FileNotFoundError:
        raise WeightsError(f"{folder} has no config.json; {option} wants a folder in Hugging Face's layout.") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({reason(error)}).") from None
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is no {called} configuration: it holds no object.")
    return path, config


def expect_same(path: Path, config: Mapping[str, Any], fixed: Fixed) -> None:
    """Raise WeightsError for a key that makes another model of it than the course's."""
    for key, (values, why) in fixed.items():
        value = config.get(key, values[0])
        # True is not 1 here: transformers itself refuses a number in its place.
        if not any(value == own and isinstance(value, bool) == isinstance(own, bool) for own in values):
            raise WeightsError(f"{path} has {key} = {shown(value)}, and {why}: its numbers would be others.")


def expect_sizes(
    path: Path,
    config: Mapping[str, Any],
    sizes: Mapping[str, tuple[int, int]],
    option: str,
    reasons: Mapping[str, str] = NO_REASONS,
) -> None:
    """Raise WeightsError unless each of these keys that is there is a whole number within its range."""
    for key, (least, most) in sizes.items():
        if key not in config or (type(config[key]) is int and least <= config[key] <= most):
            continue
        wanted = f"a whole number from {least} to {most}"
        why = f", since {reasons[key]}" if key in reasons else ""
        raise WeightsError(f"{path} has {key} = {shown(config[key])}; {option} takes {wanted}{why}.")


def expect_there(path: Path, config: Mapping[str, Any], keys: tuple[str, ...], called: str) -> None:
    """Raise WeightsError unless each of these keys is a whole number."""
    if missing := [key for key in keys if type(config.get(key)) is not int]:
        raise WeightsError(f"{path} is no {called} configuration: it lacks {', '.join(missing)}.")


def shown(value: Any) -> str:
    """Return a JSON value in few characters of one line."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
