"""Python's debugger in a `--debug` run: it says which check stopped, q ends the whole run, and so does Ctrl-C."""

from __future__ import annotations

import contextlib
import pdb
from collections.abc import Iterator
from typing import Any


class Debugger(pdb.Pdb):
    """What `breakpoint()` and `pdb.set_trace()` open. Quitting is an interrupt: no check catches that."""

    title = ""  # of the check that runs

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"nosigint": True})  # while the code goes on, Ctrl-C ends it
        self._shown: str | None = None

    def set_trace(self, *args: Any, **settings: Any) -> None:
        """Stop here, and say anew where that is."""
        self._shown = None
        super().set_trace(*args, **settings)

    def interaction(self, *args: Any, **settings: Any) -> None:
        """Say which check it is, read commands, and end the run if that is what they asked for."""
        if self._shown != Debugger.title:
            self._shown = Debugger.title
            self.message(f"\n{self._shown}")
        super().interaction(*args, **settings)
        if self.quitting:
            raise KeyboardInterrupt

    def cmdloop(self, intro: Any = None) -> None:
        """Read commands; Ctrl-C at the prompt quits."""
        try:
            super().cmdloop(intro)
        except KeyboardInterrupt:
            self.message("")
            self.set_quit()

    def do_quit(self, arg: str) -> bool:
        """End the whole run."""
        self.set_quit()
        return True

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> bool:  # noqa: N802 the name that cmd gives it
        """End the whole run: there is nobody to ask."""
        self.message("")
        return self.do_quit(arg)


class Titles:
    """Tells the debugger which check runs."""

    def start(self, total_checks: int) -> None:
        """Nothing to note."""

    def check_started(self, milestone: str, task: str, title: str) -> None:
        """Note its title."""
        Debugger.title = f"{task}  {title}"

    def check_ended(self, check: Any) -> None:
        """Nothing to note."""

    def ended_beside(self, ended: int, passed: int) -> None:
        """There are no other judges."""


@contextlib.contextmanager
def debugger() -> Iterator[Titles]:
    """Have `breakpoint()` open this debugger; gives what is told of the checks."""
    before = pdb.Pdb
    pdb.Pdb = Debugger  # type: ignore[misc]
    try:
        yield Titles()
    finally:
        pdb.Pdb = before  # type: ignore[misc]
