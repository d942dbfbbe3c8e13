"""A worker that is started afresh instead of forked: where forking is not safe (Windows, macOS, CUDA, MPS)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from .confine import Limits, limit_resources
from .server import become_user, serve_judge
from .session import Session
from .wire import Channel


def main(config: dict[str, Any]) -> None:
    """Serve the judge over standard input and output; what the student's code prints goes to standard error."""
    channel = Channel(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        for fd in (channel.read_fd, channel.write_fd):
            msvcrt.setmode(fd, os.O_BINARY)
    for name in ("stdout", "stderr"):
        stream = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
        setattr(sys, name, stream)
    if config["uid"]:
        become_user(config["uid"], keep_switching=False)
    if config["device"] == "cpu":
        limit_resources(Limits(**config["limits"]))  # the drivers of accelerators map far more than they use
    os.chdir(config["folder"])
    serve_judge(channel, Session(config["folder"], config["device"], channel.sending), config["limits"]["threads"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
