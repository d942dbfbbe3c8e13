"""`python -m grader …`, in the shared environment: from any other Python it starts that one's."""

import sys
from collections.abc import Callable

from grader import environment
from grader.warm import client


def command() -> Callable[[], int]:
    """Return what runs the command line, here or in the Python that it needs; that of nox's environment, mostly."""
    version = sys.version_info[:2]
    if not (3, 11) <= version <= (3, 14):
        return lambda: environment.refuse(f"needs Python 3.11 to 3.14, and this is {sys.version.split()[0]}")
    arguments = ["-m", "grader", *sys.argv[1:]]
    if run := environment.elsewhere(arguments):
        return run
    if sys.flags.optimize:
        return lambda: environment.instead(sys.executable, arguments)
    if client.wanted(sys.argv[1:]):
        return kept_warm
    from grader.cli import main

    return main


def kept_warm() -> int:
    """Have what is kept warm run the command, else run it here and keep warm what the next one will need."""
    code = client.run(sys.argv[1:])
    if code is None:
        from grader.cli import main

        code = main()
        if client.leave_one():
            print("  What every run loads stays loaded for 15 minutes, and the next ones begin at once.", flush=True)
    return code


if __name__ == "__main__":
    from grader import streams

    sys.exit(streams.run(command()))
