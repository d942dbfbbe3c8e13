"""setup.sh of the autograder's zip, run step by step: with every program it calls recorded, and with the real ones.

No network: apt-get is always a stub, and pip finds one empty wheel and what the tests run with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import support
import systems

from grader import cli
from grader.gradescope import package as gradescope_zip
from grader.sandbox.users import readable_by_others

pytestmark = [systems.linux, systems.bash]  # as Gradescope's containers have them
SETUP = gradescope_zip.SCRIPTS / "setup.sh"
BASE = ["install", "-y", "-qq", "--no-install-recommends"]
PINNED = dict(re.findall(r"^(\S+)==(\S+)", (support.REPOSITORY / "constraints.txt").read_text().lower(), re.MULTILINE))
TORCH = f"torch=={PINNED['torch']}"

# A program that notes its call. The names in FITS are Pythons that do, those in AVAILABLE the packages that there are.
APT = """#!/bin/bash
printf '%s\\n' "apt-get $* [$DEBIAN_FRONTEND]" >>"$CALLS"
case " $FAIL " in *" apt-$1 "*) exit 100 ;; esac
for package in "${@:5}"; do
    case "$package" in python3.*-venv) ;; python3.*)
        case " $AVAILABLE " in *" $package "*) cp "$PYTHON" "$SCRATCHWORK_PYTHONS/$package" ;; *) exit 100 ;; esac ;;
    esac
done
"""
PYTHON = """#!/bin/bash
name="$(basename "$0")"
case "$1 $2" in
    "-c "*) case " $FITS " in *" $name "*) exit 0 ;; esac; exit 1 ;;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; printf '%s\\n' "$name -m venv $3" >>"$CALLS" ;;
    "-m pip")
        printf '%s\\n' "pip ${*:3}" >>"$CALLS"
        case "$FAIL$*" in *index*--index-url*|*packages*--requirement*) exit 1 ;; esac ;;
    "- "*) exec "$REAL" "$@" ;;
    *) printf '%s\\n' "in $PWD: python $*" >>"$CALLS"; [ "$FAIL" != check ] || exit 3 ;;
esac
"""


@pytest.fixture
def setup(tmp_path):
    """Run setup.sh in Gradescope's layout with nothing but stubs; return how it ended and the calls in their order."""
    root, pythons, calls = tmp_path / "autograder", tmp_path / "pythons", tmp_path / "calls"
    course = root / "source" / "course"
    for folder in (course, pythons, tmp_path / "bin"):
        folder.mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(support.REPOSITORY / name, course)
    for path, text in (
        (tmp_path / "bin" / "apt-get", APT),
        (tmp_path / "python", PYTHON),
        (pythons / "python3", PYTHON),
    ):
        path.write_text(text)
        path.chmod(0o755)

    def run(*, fits="python3", available="", fail=""):
        calls.write_text("")
        done = subprocess.run(
            ["bash", SETUP], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SCRATCHWORK_AUTOGRADER": str(root),
                 "SCRATCHWORK_ENVIRONMENT": str(tmp_path / "environment"), "SCRATCHWORK_PYTHONS": str(pythons),
                 "CALLS": str(calls), "PYTHON": str(tmp_path / "python"), "REAL": sys.executable,
                 "FITS": fits, "AVAILABLE": available, "FAIL": fail},
        )  # fmt: skip
        return done, calls.read_text().replace(str(tmp_path), "").splitlines()

    run.folder = tmp_path
    return run


def apt(*arguments):
    """Return how a call of apt-get is noted: it never waits for an answer."""
    return f"apt-get {' '.join(arguments)} [noninteractive]"


def test_the_steps_come_in_their_order(setup):
    """The distribution's packages, an environment, torch without CUDA, the rest, and a start of the sandbox."""
    done, calls = setup()

    assert (done.returncode, done.stderr) == (0, "")
    pip = "pip --quiet --disable-pip-version-check --no-cache-dir install"
    assert calls == [
        apt("update", "-qq"),
        apt(*BASE, "bubblewrap", "ca-certificates", "python3", "python3-venv", "tzdata"),
        "python3 -m venv /environment",
        f"{pip} --no-deps --retries 1 --index-url https://download.pytorch.org/whl/cpu {TORCH}",
        f"{pip} --constraint /autograder/source/course/constraints.txt --requirement /environment/needed.txt",
        "in /autograder/source/course: python -B -m grader.gradescope.run /autograder --check",
    ]
    project = tomllib.loads((support.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (setup.folder / "environment" / "needed.txt").read_text().splitlines() == project["dependencies"]


@pytest.mark.parametrize(
    ("available", "fits", "tried"),
    [
        ("python3.14", "python3.14", ["python3.14"]),
        ("python3.13 python3.12", "python3.12", ["python3.14", "python3.13", "python3.12"]),
    ],
)
def test_a_python_that_does_not_fit_is_passed_over(setup, available, fits, tried):
    """Where the distribution's own Python is too old another of its packages is taken, the newest that fits."""
    done, calls = setup(fits=fits, available=available)

    assert done.returncode == 0, done.stderr
    assert calls[2 : 2 + len(tried)] == [apt(*BASE, name, f"{name}-venv") for name in tried]
    assert calls[2 + len(tried)] == f"{fits} -m venv /environment"


def test_without_a_python_the_build_fails_with_the_reason(setup):
    """An image that has no Python which fits ends with exit code 1 and one sentence, and nothing is installed."""
    done, calls = setup(fits="")

    assert done.returncode == 1
    assert done.stderr == (
        "Scratchwork needs Python 3.11 to 3.14, and this image has none; choose a newer Ubuntu for the autograder.\n"
    )
    assert len(calls) == 6 and all(call.startswith("apt-get") for call in calls)


def test_an_index_that_does_not_answer_costs_only_size(setup):
    """Where PyTorch's own index does not give torch this is said, and it comes with everything else."""
    done, calls = setup(fail="index")

    assert done.returncode == 0
    assert re.search(r"does not give torch==\S+; PyPI's build, which is larger, is taken\.\n", done.stderr)
    assert "--requirement" in calls[4] and calls[-1].endswith("--check")


@pytest.mark.parametrize(
    ("fail", "code", "last"),
    [
        ("apt-update", 100, "apt-get update"),
        ("apt-install", 100, "apt-get install"),
        ("packages", 1, "pip "),
        ("check", 3, "in /autograder/source/course: python"),
    ],
)
def test_a_step_that_fails_fails_the_build(setup, fail, code, last):
    """The build ends there, with that step's exit code, so that no image is made that cannot grade."""
    done, calls = setup(fail=fail)

    assert done.returncode == code
    assert calls[-1].startswith(last)


# ── with the distribution's own Python, and its pip ───────────────────────────────────────────────────────────────────


@pytest.fixture
def image():
    """A folder for what the image holds, with a wheel that pip finds there in place of a network."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    ours = f"import ensurepip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    same = subprocess.run(["/usr/bin/python3", "-c", ours], capture_output=True, check=False)
    if same.returncode != 0 or not readable_by_others(Path(packages)):
        pytest.skip("the distribution's Python is not of the version that runs the tests")
    folder = Path(tempfile.mkdtemp(prefix="gradescope-image-", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "wheels").mkdir()
    # The first thing to be installed leads to all the rest, which pip then finds to be there as the constraints ask.
    wheel(folder / "wheels", "torch", PINNED["torch"], {"packages.pth": f"{packages}\n"})
    (folder / "bin").mkdir()
    (folder / "bin" / "apt-get").write_text("#!/bin/sh\n")
    (folder / "bin" / "apt-get").chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def wheel(folder, name, version, files):
    """Write a wheel that holds nothing but what is given."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}\n")
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "".join([*lines, f"{info}/RECORD,,\n"])}.items():
            archive.writestr(path, text)


@systems.as_root
def test_an_image_that_is_built_grades(image, tmp_path):
    """setup.sh with real Python, venv and pip ends by starting the sandbox, and run_autograder then grades in it.

    So it does for a course with a time zone. The level is user: in bubblewrap's nothing could be seen but the packages
    of the image, of which there is one here, and it is empty.
    """
    (tmp_path / "course.toml").write_text(
        '[course]\nname = "C"\nmilestones = ["m00"]\ntime_zone = "Europe/Berlin"\n'
        '[[milestone]]\nid = "m00"\npoints = 20\ndue = 2026-10-12T23:59:00\n'
    )
    zipped, root = tmp_path / "autograder.zip", image / "autograder"
    assert cli.main(["gradescope", str(zipped), "--course", str(tmp_path / "course.toml"), "--isolation", "user"]) == 0
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(root / "source")
    variables = {
        "PATH": f"{image / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "SCRATCHWORK_AUTOGRADER": str(root),
        "SCRATCHWORK_ENVIRONMENT": str(image / "environment"), "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(image / "wheels"), "PIP_CONFIG_FILE": os.devnull,
    }  # fmt: skip

    built = subprocess.run(
        ["bash", root / "source" / "setup.sh"], cwd=root, env=variables, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip

    assert built.returncode == 0, built.stdout + built.stderr
    assert re.search(r"^Ready: level user, m00_warmup\.$", built.stdout, re.MULTILINE)
    inside = next((image / "environment" / "lib").iterdir()) / "site-packages"
    assert (inside / f"torch-{PINNED['torch']}.dist-info").is_dir() and not (inside / "torch").exists()

    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    (root / "run_autograder").chmod(0o755)
    (root / "submission").mkdir()
    (root / "submission" / "m00_warmup.py").write_text(support.source("solutions", "m00_warmup"), encoding="utf-8")
    done = subprocess.run(
        [root / "run_autograder"], cwd=root, env=variables, capture_output=True, text=True, check=False, timeout=250
    )
    results = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    assert (done.returncode, results["score"]) == (0, 20), done.stdout + done.stderr
