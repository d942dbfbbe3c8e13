"""The sessions of the course. All share one environment, which is reinstalled only when its files change."""

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit(
        f"Scratchwork needs Python 3.11 to 3.14, and this is {sys.version.split()[0]}; start nox with one of them."
    )

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["grade"]
nox.options.default_venv_backend = "virtualenv"

ROOT = Path(__file__).parent
shared = {"python": sys.executable}  # replaced by the environment's own, unless --no-venv keeps this one
UNWANTED = ("PYTHONOPTIMIZE", "PYTHONSAFEPATH")  # checks have docstrings and assertions; commands start in this folder
READERS = ("xmlschema>=4.0", "junitparser>=4.0")  # in an environment of their own, beside PHP and Ruby
# Wants other libraries than the course has, in an environment of its own, too; it does not say that it needs requests.
LITGPT = ("litgpt==0.5.13", "requests")
JUPYTERLAB = ("jupyterlab>=4.4,<5",)  # in an environment of its own, with kernels in the course's
# What `serve` has beside the course, in an environment of its own that finds the course's in the shared one: Gradio
# wants older versions of some libraries. The last two are what `transformers serve` does not start without.
SERVING = ("gradio==6.31.0", "fastapi==0.165.0", "uvicorn==0.54.0", "openai==3.57.0", "accelerate==1.15.0")
# Modules are compiled when they are first imported, where that is kept: most of what lies in these packages never is.
QUICKLY = ("--disable-pip-version-check", *(() if os.environ.get("PYTHONDONTWRITEBYTECODE") else ("--no-compile",)))
CPU_BUILDS = os.environ.get("SCRATCHWORK_TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
GPUS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg")  # the last one under WSL
INSTALLED = (
    "torch",
    "numpy",
    "regex",
    "jaxtyping",
    "pytest",
    "pytest_timeout",
    "tiktoken",
    "transformers",
    "rich",
    "psutil",
    "yaml",
    "matplotlib",
    "jinja2",
    "markdown_it",
)


@nox.session(venv_backend="virtualenv", reuse_venv=True, default=False)
def env(session: nox.Session) -> None:
    """Install the shared environment (the other sessions do this when it is needed)."""
    if isinstance(session.virtualenv, nox.virtualenv.PassthroughEnv):
        missing = [name for name in INSTALLED if importlib.util.find_spec(name) is None]
        if missing:
            session.error(f"--no-venv uses this Python as it is, and it lacks {', '.join(missing)}; pip install them.")
        return
    folder = Path(session.virtualenv.location)
    shared["python"] = str(python_in(folder))
    (site_packages(folder) / "scratchwork.pth").write_text(f"{ROOT}\n", encoding="utf-8")  # PYTHONSAFEPATH set or not
    if is_there("the course"):
        return
    session.log("Torch and what else the course needs is installed now, once; this takes some minutes.")
    install_torch(session)
    install(session, "the course", nox.project.load_toml(ROOT / "pyproject.toml")["project"]["dependencies"])


def install_torch(session: nox.Session) -> str:
    """Install the CPU's build of torch, where that is wanted; return the requirement that it or PyPI's own meets."""
    torch = next(line for line in (ROOT / "constraints.txt").read_text().split() if line.startswith("torch=="))
    if wants_cpu_build():
        small = ("--no-deps", "--retries", "1", "--index-url", CPU_BUILDS, torch)
        session.install(*QUICKLY, *small, silent=False, success_codes=[0, 1])  # without it, PyPI's own is taken
    return torch


def install(session: nox.Session, what: str, needed: list[str]) -> None:
    """Install packages into the shared environment, if it hasn't got them in just these versions."""
    if is_there(what):
        return
    run(session, "-m", "pip", "install", *QUICKLY, "--constraint", str(ROOT / "constraints.txt"), *needed)
    run(session, "-m", "grader.sandbox.compiled")
    stamp(what).write_text(digest())


def add(session: nox.Session, group: str) -> None:
    """Install what only a few sessions need, with the first of them: a group of pyproject.toml, or an extra."""
    if shared["python"] == sys.executable:  # --no-venv: this Python is used as it is
        return
    project = nox.project.load_toml(ROOT / "pyproject.toml")
    extras = project["project"].get("optional-dependencies", {})
    install(session, group, extras.get(group) or list(nox.project.dependency_groups(project, group)))


def add_rooms(session: nox.Session, *, all_of_them: bool = False) -> None:
    """Install what milestones may import beyond the course's packages, with the first run that needs it."""
    if shared["python"] == sys.executable:  # --no-venv: the grader says what this Python lacks
        return
    for room in sorted((ROOT / "grader" / "suites").glob("*/milestone.toml")):
        imports = nox.project.load_toml(room)["imports"] if "\nimports = " in room.read_text("utf-8") else []
        if not imports or is_there(" ".join(imports)):
            continue
        if all_of_them or is_graded(room.parent.name, session.posargs):
            session.log(f"{room.parent.name} may import {', '.join(imports)}: installed now, once.")
            install(session, " ".join(imports), imports)


def is_graded(milestone: str, words: list[str]) -> bool:
    """Whether a command with these words runs a milestone's code: it is named or, where none is, somebody began it."""
    named = {room for word in words if (room := milestone_id(word.partition(".")[0]))}
    if named or any(word.startswith("--submission") for word in words):
        return milestone in named or not named
    text = "".join(map(code_in, (ROOT / "exercises").glob(f"{milestone}.*")))
    return len(re.findall(r"(?m)^\s*(?:async )?def ", text)) != text.count('raise NotImplementedError("')


def code_in(file: Path) -> str:
    """Return the code of a module, or of a notebook's cells; nothing of any other file, or of one that is broken."""
    if not file.is_file() or file.suffix not in (".py", ".ipynb"):
        return ""
    text = file.read_text("utf-8", "replace")
    if file.suffix == ".py":
        return text
    with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
        cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        return "".join("\n" + "".join(source) for source in cells)
    return ""


def beside(session: nox.Session, packages: tuple[str, ...]) -> str:
    """Return the Python of an environment with more packages, in which those of the shared one are found as well."""
    if shared["python"] == sys.executable:  # --no-venv: this Python is used as it is
        return sys.executable
    course = Path(shared["python"]).parents[1]
    folder = course.with_name("serving")
    python = python_in(folder)
    mark = folder / "installed"
    wanted = hashlib.sha256(" ".join([*packages, digest()]).encode()).hexdigest()
    if not (mark.is_file() and mark.read_text() == wanted):
        session.log(f"{', '.join(packages)}: installed now, once, beside the course's environment.")
        run(session, "-m", "venv", "--without-pip", str(folder))
        (site_packages(folder) / "course.pth").write_text(f"{ROOT}\n{site_packages(course)}\n", encoding="utf-8")
        run(session, "-m", "pip", "--python", str(python), "install", *QUICKLY, *packages)
        mark.write_text(wanted)
    return str(python)


def stamp(what: str) -> Path:
    """Return the file that says with which versions something was installed."""
    return Path(shared["python"]).parents[1] / f"installed-for-{what.replace(' ', '-')}"


def is_there(what: str) -> bool:
    """Whether something was installed, and in the versions that are wanted now."""
    return stamp(what).is_file() and stamp(what).read_text() == digest()


def wants_cpu_build() -> bool:
    """Whether PyPI's torch would bring gigabytes of CUDA for nothing, and nobody chose where packages come from."""
    chosen = any(name in os.environ for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"))
    return sys.platform == "linux" and not chosen and not any(map(os.path.exists, GPUS))


def python_in(folder: Path) -> Path:
    """Return an environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages(folder: Path) -> Path:
    """Return where an environment's packages lie."""
    return next(iter(folder.glob("lib/python*/site-packages")), folder / "Lib" / "site-packages")


def digest() -> str:
    """Return what the environment depends on, as one hash."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*parts, sys.version.encode()])).hexdigest()


def run(session: nox.Session, *arguments: str, python: str = "") -> None:
    """Run a Python command line in the shared environment, or another; a failure ends nox with the same exit code.

    Ctrl-C reaches the command as well, which ends by itself: only it can leave the terminal as it found it.
    """
    session.log(shlex.join(["python", *arguments]))
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    with subprocess.Popen([python or shared["python"], *arguments], cwd=ROOT, env=environment) as running:
        code = None
        while code is None:
            with contextlib.suppress(KeyboardInterrupt):
                code = running.wait()
    if code:
        raise SystemExit(code if code > 0 else 128 - code)


@nox.session(venv_backend="none", requires=["env"])
def grade(session: nox.Session) -> None:
    """Grade your exercises: nox -s grade -- m04 (no name: everything)."""
    add_rooms(session)
    run(session, "-m", "grader", "grade", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def watch(session: nox.Session) -> None:
    """Grade again what a save touched, until q is pressed: nox -s watch -- m04; --page: as a page, too."""
    if "--page" in session.posargs:
        add(session, "page")
    add_rooms(session)
    run(session, "-m", "grader", "watch", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def python(session: nox.Session) -> None:
    """Open a Python prompt with your modules imported: nox -s python -- m04."""
    add_rooms(session)
    run(session, "-m", "grader", "shell", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def notebook(session: nox.Session) -> None:
    """Write a milestone as a notebook, to work in instead of the file: nox -s notebook -- m04."""
    run(session, "-m", "grader", "notebook", *session.posargs)


@nox.session(venv_backend="virtualenv", reuse_venv=True, requires=["env"], default=False)
def lab(session: nox.Session) -> None:
    """Open JupyterLab on your notebooks, with the course's own Python: nox -s lab."""
    if isinstance(session.virtualenv, nox.virtualenv.PassthroughEnv):
        session.error("JupyterLab gets an environment of its own; with --no-venv, start yours: jupyter lab exercises")
    add(session, "notebook")
    session.install(*QUICKLY, *JUPYTERLAB, silent=False)
    # What a notebook calls python3 is the course's own there.
    own = ("--prefix", session.virtualenv.location, "--name", "python3", "--display-name", "Python 3 (Scratchwork)")
    run(session, "-m", "ipykernel", "install", *own)
    session.run("jupyter", "lab", f"--notebook-dir={ROOT / 'exercises'}", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def capstone(session: nox.Session) -> None:
    """Train a GPT out of your own parts and let it write a story: nox -s capstone."""
    run(session, "-m", "grader", "capstone", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def chat(session: nox.Session) -> None:
    """Begin a story, and the model of your capstone goes on: nox -s chat."""
    run(session, "-m", "grader", "chat", *session.posargs)


@nox.session(venv_backend="virtualenv", reuse_venv=True, requires=["env"], default=False)
def litgpt(session: nox.Session) -> None:
    """Hand your Llama of m15 to LitGPT, and fine-tune it there for a minute: nox -s litgpt."""
    folder = Path(session.create_tmp()) / "llama-nano"
    run(session, "-m", "grader", "litgpt", "--out", str(folder), *session.posargs)
    session.install(*QUICKLY, *LITGPT, install_torch(session), silent=False)
    out = str(folder.with_name("fine-tuned"))
    adamw = '{"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.002}}'
    session.run(
        "litgpt", "finetune_full", str(folder), "--out_dir", out, "--precision", "32-true", "--devices", "1",
        "--data", "JSON", "--data.json_path", str(folder / "data"), "--data.mask_prompt", "true",
        "--data.num_workers", "0", "--train.global_batch_size", "8", "--train.micro_batch_size", "8",
        "--train.max_steps", "60", "--train.lr_warmup_steps", "5", "--train.max_seq_length", "256",
        "--train.log_interval", "10", "--optimizer", adamw,
        "--eval.initial_validation", "true", "--eval.final_validation", "true",
    )  # fmt: skip


@nox.session(venv_backend="none", requires=["env"], default=False)
def serve(session: nox.Session) -> None:
    """Run your own service of m20, with a page to talk to your model: nox -s serve."""
    run(session, "-m", "grader", "serve", "--check", *session.posargs)
    run(session, "-m", "grader", "serve", *session.posargs, python=beside(session, SERVING))


@nox.session(venv_backend="none", requires=["env"], default=False)
def browser(session: nox.Session) -> None:
    """Try the solutions' service and its page in a browser without a window (Chromium): nox -s browser."""
    add(session, "tests")
    run(session, "-m", "pytest", "tests/browser/page.py", *session.posargs, python=beside(session, SERVING))


@nox.session(venv_backend="none", requires=["env"], default=False)
def classroom(session: nox.Session) -> None:
    """Grade a whole class into a gradebook: nox -s classroom -- submissions --roster roster.csv."""
    if any(word.startswith(("--workers", "--scheduler")) for word in session.posargs):
        add(session, "cluster")
    add_rooms(session, all_of_them=True)
    run(session, "-m", "grader", "classroom", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def marks(session: nox.Session) -> None:
    """Decide on marks after grading, with a reason: nox -s marks -- adjust gradebook.sqlite --help."""
    run(session, "-m", "grader", "marks", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def verify(session: nox.Session) -> None:
    """Swap the solutions in: full marks, each milestone and the whole; and the stubs: zero."""
    add_rooms(session, all_of_them=True)
    run(session, "-m", "grader", "verify", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def gradescope(session: nox.Session) -> None:
    """Write the autograder of an assignment for Gradescope: nox -s gradescope -- m04.zip m04."""
    run(session, "-m", "grader", "gradescope", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def handout(session: nox.Session) -> None:
    """Write the students' repository: nox -s handout -- DIR --course FILE."""
    run(session, "-m", "grader", "handout", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def milestone(session: nox.Session) -> None:
    """Write the empty, failing files of a new milestone: nox -s milestone -- m21_name."""
    run(session, "-m", "grader", "milestone", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def tests(session: nox.Session) -> None:
    """Run the tests of the grader itself: all, or what belongs to some milestones (nox -s tests -- m04 m05).

    Anything else goes to pytest: nox -s tests -- tests/test_judge.py -k deadline.
    """
    add(session, "tests")
    add_rooms(session, all_of_them=True)
    rooms = [room for name in session.posargs if (room := milestone_id(name))]
    if len(rooms) < len(session.posargs):
        run(session, "-m", "pytest", *session.posargs)
        return
    # Several processes share the files, in the order and with the precedence that tests/conftest.py gives.
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each process has a core; threads would wait for each other
    alone = [f"--room={room}" for room in rooms]
    run(session, "-m", "pytest", "-n", "logical", "--dist", "loadfile", "--no-loadscope-reorder", *alone)


def milestone_id(name: str) -> str | None:
    """Return the id of the milestone that goes by this name or number, None for anything else."""
    ids = [room.name for room in sorted((ROOT / "grader" / "suites").glob("m[0-9]*_*"))]
    named = f"m{int(name):02}" if name.isdecimal() else name
    return next((found for found in ids if named in (found, *found.split("_", 1))), None)


@nox.session(venv_backend="none", requires=["env"], default=False)
def attacks(session: nox.Session) -> None:
    """Run every attack at every isolation level that works here, and try whatever is handed out as an answer."""
    add(session, "tests")
    add_rooms(session, all_of_them=True)
    os.environ["SCRATCHWORK_EVERY_ATTACK"] = "1"
    tried = "tests/handout/test_no_answers.py::test_nothing_handed_out_is_an_answer"
    files = [f"tests/test_{name}.py" for name in ("attacks", "attacks_on_disk", "sandbox", "limits", "levels")]
    run(session, "-m", "pytest", "-rs", *files, tried, *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def lint(session: nox.Session) -> None:
    """Check style, format and types (ruff, mypy)."""
    add(session, "lint")
    run(session, "-m", "ruff", "check")
    run(session, "-m", "ruff", "format", "--check")
    run(session, "-m", "mypy")


@nox.session(venv_backend="none", requires=["env"], default=False)
def fixtures(session: nox.Session) -> None:
    """Rebuild the fixtures that are cheap to rebuild and compare them with what stands."""
    run(session, "-m", "fixtures.build", *(session.posargs or ["check"]))


@nox.session(venv_backend="none", requires=["env"], default=False)
def bench(session: nox.Session) -> None:
    """Measure speed and size, side by side with what a user would pick instead."""
    add(session, "tests")
    add_rooms(session, all_of_them=True)
    run(session, "-m", "benchmarks", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def strength(session: nox.Session) -> None:
    """Measure how many mistakes each suite catches, and write docs/strength.md."""
    add_rooms(session, all_of_them=True)
    run(session, "-m", "benchmarks.strength", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def fuzz(session: nox.Session) -> None:
    """Send random bytes, guided by coverage, to all that reads what others wrote: nox -s fuzz -- --minutes 5."""
    add(session, "tests")
    add(session, "fuzz")
    run(session, "-m", "benchmarks.fuzz", *session.posargs)


@nox.session(requires=["env"], default=False)
def readers(session: nox.Session) -> None:
    """Give what we write for other systems to the programs that read it (wants PHP and Ruby): nox -s readers."""
    session.install(*READERS)
    folder = session.create_tmp()
    run(session, "tests/readers", "--write", folder)
    session.run("python", "tests/readers", folder)
