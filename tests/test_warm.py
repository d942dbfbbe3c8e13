"""A command line in a fork of what is kept warm says, writes and ends with what it does in a Python of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import support
import systems
import warm

pytestmark = systems.linux  # elsewhere every command gets a Python of its own
TRIAL = """
import atexit, multiprocessing, os, sys, threading, time

def late():
    time.sleep(0.1)
    print("a thread to its end", flush=True)

print(__name__, __spec__.name, os.path.basename(sys.argv[0]), sys.argv[1:], sys.path[0] == os.getcwd())
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("grader", "fixtures", "support")))
print(os.environ.get("TRIAL"), "PATH" in os.environ, sys.stdin.readline(), sys.stdin.read())
print(sys.stdout.encoding, sys.stdout.isatty(), sys.stderr.encoding, sys.stderr.errors, "ü \\udc80".isprintable())
print("on the other stream", file=sys.stderr)
atexit.register(print, "at the very end")
threading.Thread(target=late).start()
"""
ENDS = {
    "returned": "",
    "a code": "sys.exit(3)",
    "a sentence": "sys.exit('why')",
    "too large a code": "sys.exit(258)",
    "nothing to say": "sys.exit(None)",
    "an error": "def deep():\n    raise KeyError('one')\ndeep()",
    "interrupted": "raise KeyboardInterrupt",
    "at once": "sys.stdout.flush(); os._exit(9)",
    "a signal": "sys.stdout.flush(); os.kill(os.getpid(), 9)",
    "another process": "process = multiprocessing.Process(target=print, args=('a child',))\nprocess.start()\n"
    "process.join()\nsys.exit(process.exitcode)",
    "unprintable": "print(chr(0xd800))",
}


def in_a_python_of_its_own(module, *arguments, cwd, env, stdin=""):
    """Run `python -m` as a person does."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd, env=env, input=stdin, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def seen(done):
    """What is to be compared: all but how long something took."""
    return done.returncode, re.sub(r"in [\d.]+ m?s\b", "in a moment", done.stdout), done.stderr


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_fork_begins_and_ends_like_a_new_python(tmp_path, end):
    """Arguments, modules, streams, environment, folder, exit handlers, tracebacks and exit codes are the same."""
    (tmp_path / "trial.py").write_text(TRIAL + end + "\n", encoding="utf-8")
    given = {"cwd": tmp_path, "env": os.environ | {"TRIAL": "here"}, "stdin": "one\ntwo ü\n"}

    forked, own = (ask("trial", "a", "b c", **given) for ask in (warm.run, in_a_python_of_its_own))

    code, said, complained = seen(own)
    assert seen(forked) == (code, said, complained)
    assert said.startswith("__main__ trial trial.py ['a', 'b c'] True\n[]\nhere True one\n two ü\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("grade", "m00", "--all", "--submission"),
        ("grade", "m99", "--submission"),
        ("list", "--submission"),
    ],
    ids=" ".join,
)
def test_a_command_is_what_it_is_in_a_python_of_its_own(tmp_path, arguments):
    """The real commands print the same reports, also in a sandbox that was lent to them, and end with the same code."""
    for folder, name in (("solutions", "m00_warmup"), ("exercises", "m03_embedding")):
        (tmp_path / f"{name}.py").write_text(support.source(folder, name), encoding="utf-8")
    words = ["grader", *arguments, *[tmp_path] * arguments[-1].startswith("--")]
    given = {"cwd": support.REPOSITORY, "env": os.environ | {"COLUMNS": "100"}}

    def asked(ask, state, **more):
        return seen(ask(*words, **given | {"env": given["env"] | {"SCRATCHWORK_STATE": str(tmp_path / state)}}, **more))

    own = asked(in_a_python_of_its_own, "own")

    assert asked(warm.run, "lent", sandbox=support.sandbox()) == asked(warm.run, "forked") == own


def test_a_command_that_hangs_is_ended_and_the_next_one_runs(tmp_path):
    """After its time a command is killed, and what is kept warm serves the next one."""
    (tmp_path / "trial.py").write_text("import sys, time\ntime.sleep(60 * (sys.argv[1] == 'hang'))\n")

    with pytest.raises(subprocess.TimeoutExpired):
        warm.run("trial", "hang", cwd=tmp_path, timeout=0.5)

    assert warm.run("trial", "go", cwd=tmp_path).returncode == 0


def test_what_is_read_at_the_start_gets_a_python_of_its_own(tmp_path):
    """A variable that Python reads when it starts is obeyed."""
    (tmp_path / "trial.py").write_text("import sys\nprint(sys.stdout.encoding, sys.flags.optimize)\n")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONOPTIMIZE": "2"}

    assert not warm.can_fork(environment)
    assert warm.run("trial", cwd=tmp_path, env=environment).stdout == "ascii 2\n"
