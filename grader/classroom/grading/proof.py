"""What a worker has to prove before it is given work. It is sent as code, so it answers also where there is no grader.

Nothing of the grader is imported before `prove` runs.
"""

from __future__ import annotations

from typing import Any


def prove(grader: str, rooms: tuple[Any, ...]) -> str:
    """Return why this process may not grade, in words that follow its name; empty: it has the same grader.

    `rooms` are those that the course brings: they come with the work, and the grader's hash covers them.
    """
    try:
        import fixtures.manifest
        from grader.judge.fingerprint import grader_version
    except ImportError as error:
        return f"cannot import the grader ({error})"
    if (here := grader_version(rooms)) != grader:
        return f"has another grader ({here}, not {grader})"
    try:
        entries = fixtures.manifest.read()
        for entry in entries:
            if fixtures.manifest.sha256((fixtures.FOLDER / entry.path).read_bytes()) != entry.sha256:
                return f"has another fixture {entry.path} than its manifest says"
    except Exception as error:  # whatever it is: a worker that cannot read its fixtures is none
        return f"cannot read its fixtures ({error})"
    return ""


async def grant(resource: str, amount: int, dask_worker: Any) -> None:
    """Let the scheduler give this worker jobs, one at a time; an amount of 0 takes that back."""
    await dask_worker.set_resources(**{resource: amount})
