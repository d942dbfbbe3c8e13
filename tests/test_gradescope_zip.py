"""The autograder for Gradescope, unpacked and run as root in the layout that Gradescope uses, at the user level."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
import support
import systems
from handing_in import zipped

from grader import cli
from grader.gradescope import package as gradescope_zip
from grader.gradescope import run as gradescope_run
from grader.sandbox import users
from grader.submission import SubmissionError

COURSE = support.COURSE
SEED = "a-seed-that-nobody-guesses"
METADATA = {
    "id": 1, "created_at": "2026-09-01T12:00:00.000000-07:00", "submission_method": "upload",
    "assignment": {"due_date": "2026-08-01T00:00:00.000000-07:00", "late_due_date": None, "total_points": "10.0"},
    "users": [{"email": "anna@example.com", "id": 7, "name": "Anna"}],
    "previous_submissions": [{"submission_time": "2026-08-31T12:00:00-07:00", "score": 10.0, "results": {"score": 10}}],
}  # fmt: skip
SHORT = """
[course]
name = "Short"
milestones = ["m00", "m04"]
time_zone = "Europe/Berlin"

[[milestone]]
id = "m00"
points = 25
due = 2026-10-12T23:59:00
"""
# Tries to read and to write what is not the student's, and leaves what it found where the test can see it.
NOSY = """
import os
import pathlib

root = pathlib.Path("{root}")
found = []
for path in (
    root / "submission_metadata.json", root / "source" / "secret_seed", root / "source" / "assignment.json",
    root / "results", root / "results" / "results.json", root / "submission", root / "source" / "course" / "grader",
    root / "source" / "course" / "grader" / "suites" / "m00_warmup" / "test_suite.py",
    root / "source" / "course" / "fixtures",
):
    for what in (os.listdir, lambda path: open(path).close(), lambda path: open(path, "a").close()):
        try:
            what(path)
            found.append(str(path))
        except OSError:
            pass
try:
    (root / "results" / "results.json").write_text('{{"score": 100}}')
    found.append("written")
except OSError:
    pass
if found or os.getuid() < {uid}:
    raise RuntimeError(f"user {{os.getuid()}} found {{found}}")  # which costs all points
"""


@pytest.fixture(scope="module")
def environment():
    """A Python that every user can read, with the packages of this one; the folder for all that is unpacked."""
    if not (systems.ON_LINUX and systems.ROOT):
        pytest.skip("the user level needs Linux and root, as Gradescope has them")
    system = next((p for p in (f"/usr/bin/python3.{sys.version_info[1]}", sys._base_executable) if _public(p)), None)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    if system is None or not _public(packages):
        pytest.skip("no Python of this version here that every user can read")
    folder = Path(tempfile.mkdtemp(prefix="gradescope-", dir="/var/tmp"))
    folder.chmod(0o755)
    subprocess.run([system, "-m", "venv", "--without-pip", folder / "python"], check=True)
    inside = folder / "python" / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    (inside / "packages.pth").write_text(f"{packages}\n")
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    yield folder / "python"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def archive(environment):
    """Build the autograder for m00, for the level that is all there is on Gradescope."""
    seed, out = environment.parent / "seed", environment.parent / "autograder.zip"
    seed.write_text(f"{SEED}\n")
    assert cli.main(["gradescope", str(out), "m00", "--isolation", "user", "--secret-seed", str(seed)]) == 0
    return out


@pytest.fixture
def autograder(archive, environment, tmp_path):
    """Unpack the autograder; return a function that runs it on a submission and gives the results."""
    root = environment.parent / tmp_path.name / "autograder"
    (root / "submission").mkdir(parents=True)
    root.parent.chmod(0o755)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(root / "source")  # without the modes: it is the script that sets them
    (root / "source" / "run_autograder").chmod(0o755)
    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    (root / "submission_metadata.json").write_text(json.dumps(METADATA))
    results = root / "results"
    results.mkdir()

    here = {
        "PATH": os.environ["PATH"], "SCRATCHWORK_AUTOGRADER": str(root), "SCRATCHWORK_ENVIRONMENT": str(environment),
    }  # fmt: skip

    def run(files=(), **variables):
        for name, text in dict(files).items():
            path = root / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [root / "run_autograder"], cwd=root, capture_output=True, text=True, timeout=250, check=False,
            env=here | variables,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE((results / "results.json").stat().st_mode) == 0o600
        return json.loads((results / "results.json").read_text(encoding="utf-8")), done.stdout + done.stderr

    run.root, run.environment = root, here
    yield run
    shutil.rmtree(root.parent)


def test_a_right_submission_earns_its_points_and_finds_nothing(autograder):
    """Full marks at the user level, while seed, suites, results, metadata and upload are closed to the student's code.

    Neither a result that lay there before, nor the lateness, nor what was earned earlier makes a difference.
    """
    (autograder.root / "results" / "results.json").write_text('{"score": 100}')
    nosy = support.source("solutions", "m00_warmup") + NOSY.format(root=autograder.root, uid=users.WORKERS.start)

    results, said = autograder({"repository/exercises/m00_warmup.py": nosy})

    assert results["score"] == 10, said
    assert [test["number"] for test in results["tests"]] == ["m00.1", "m00.2", "m00.3", "m00.4", "m00.5"]
    assert results["extra_data"]["isolation"] == "user"
    assert "The user level does not stop network access" in results["output"]
    assert SEED not in json.dumps(results) and SEED not in said


def test_a_submission_that_finds_something_earns_nothing(autograder):
    """What the one above looks for costs all points when it is there: here a user id that no worker has."""
    nosy = support.source("solutions", "m00_warmup") + NOSY.format(root=autograder.root, uid=users.WORKERS.stop)

    results, said = autograder({"repository/exercises/m00_warmup.py": nosy})

    assert results["score"] == 0, said


def test_a_course_gives_its_points(autograder):
    """With a course's file in the zip a task has the points that it has in the course, also where they are no whole."""
    settings = autograder.root / "source" / "assignment.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "course": "course.toml"}))
    (autograder.root / "source" / "course.toml").write_text(SHORT, encoding="utf-8")

    results, said = autograder({"m00_warmup.py": support.source("solutions", "m00_warmup")})

    assert results["score"] == sum(test["max_score"] for test in results["tests"]) == 25, said


def test_an_upload_without_a_module_is_told_what_to_upload(autograder):
    """The sentence is for the student, and the score is zero."""
    results, _ = autograder({"homework.py": "x = 1\n", "m00-warmup.py": "x = 1\n"})

    assert results["score"] == 0 and "none of the course's modules" in results["output"]


@pytest.mark.parametrize("damage", ["no python", "no settings", "no seed", "no grader", "no course"])
def test_whatever_is_broken_there_is_a_result(autograder, damage):
    """Without Python, settings, seed, grader or course the student gets a result that says whose fault it is."""
    source = autograder.root / "source"
    variables = {"SCRATCHWORK_ENVIRONMENT": "/nowhere"} if damage == "no python" else {}
    gone = {"no settings": "assignment.json", "no seed": "secret_seed", "no grader": "course"}.get(damage)
    if damage == "no course":
        settings = source / "assignment.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "course": "course.toml"}))
    if gone:
        (source / gone).rename(source / "gone")

    results, _ = autograder({"m00_warmup.py": support.source("solutions", "m00_warmup")}, **variables)

    assert results["score"] == 0 and "no fault of your code" in results["output"]


def test_grading_that_takes_too_long_still_leaves_a_result(autograder):
    """Before Gradescope ends the container, the autograder gives up and says so."""
    (autograder.root / "source" / "minutes").write_text("0.02\n")

    results, _ = autograder({"m00_warmup.py": support.source("solutions", "m00_warmup")})

    assert results["score"] == 0 and "Grading took longer than 0.02 minutes" in results["output"]


def test_a_container_that_is_told_to_stop_still_leaves_a_result(autograder):
    """On SIGTERM grading is ended at once, with its processes, and the student gets the sentence in place of marks."""
    endless = support.source("exercises", "m00_warmup") + "\nwhile True:\n    pass\n"
    (autograder.root / "submission" / "m00_warmup.py").write_text(endless, encoding="utf-8")
    process = subprocess.Popen([autograder.root / "run_autograder"], cwd=autograder.root, env=autograder.environment)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not graders(autograder.root):
        time.sleep(0.05)
    assert graders(autograder.root)

    process.terminate()

    assert process.wait(timeout=20) == 0
    results = json.loads((autograder.root / "results" / "results.json").read_text(encoding="utf-8"))
    assert results["score"] == 0 and "The autograder stopped before it was done" in results["output"]
    deadline = time.monotonic() + 20
    while graders(autograder.root):
        assert time.monotonic() < deadline, "grading goes on"
        time.sleep(0.05)


def graders(root):
    """Return the processes that grade in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            found += [path.parent.name] if b"grader.gradescope.run" in words and bytes(root) in words else []
    return found


def test_whatever_stood_where_the_results_go_is_replaced(autograder):
    """A folder or a link in place of results.json is removed, what the link led to stays, a missing folder is made."""
    results, kept = autograder.root / "results", autograder.root.parent / "kept"
    kept.write_text("kept")
    (results / "results.json").symlink_to(kept)
    assert autograder({"homework.py": "x = 1\n"})[0]["score"] == 0
    assert kept.read_text() == "kept" and not (results / "results.json").is_symlink()

    (results / "results.json").unlink()
    (results / "results.json").mkdir()
    assert autograder()[0]["score"] == 0

    shutil.rmtree(results)
    assert autograder()[0]["score"] == 0


def test_what_is_not_the_students_is_closed_before_anything_is_read(autograder):
    """Upload, results, metadata, seed and grader are root's alone, but for the way to the worker's own files."""
    autograder({"homework.py": "x = 1\n"})

    root, source = autograder.root, autograder.root / "source"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    sandbox = source / "course" / "grader" / "sandbox"
    passed_through = {root, source, source / "course", source / "course" / "grader", sandbox}
    assert {modes[path] for path in passed_through} == {0o711}
    assert {path for path in modes if modes[path] & 0o066 and sandbox / "inside" not in (path, *path.parents)} <= {
        root / "run_autograder", root / "submission" / "homework.py",  # the second lies in a folder that is closed
    }  # fmt: skip
    assert modes[root / "submission"] == modes[root / "results"] == 0o700
    assert modes[source / "secret_seed"] == modes[root / "submission_metadata.json"] == 0o600


# ── the zip ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_zip_has_what_grading_needs_and_nothing_else(tmp_path):
    """Scripts at the root, grader and fixtures beside them; no solutions, tests, history, stubs or seeds of others."""
    out = tmp_path / "autograder.zip"

    assert cli.main(["gradescope", str(out), "m04"]) == 0

    if systems.POSIX:  # Windows has other rights than these
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as archive:
        entries = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        seed = archive.read("secret_seed").decode().strip()
    assert entries["setup.sh"] == entries["run_autograder"] == 0o100755
    assert entries["secret_seed"] == 0o100600 and len(seed) == 32
    assert {name.partition("/")[0] for name in entries} == {
        "setup.sh", "run_autograder", "assignment.json", "minutes", "secret_seed", "course",
    }  # fmt: skip
    assert {name.split("/")[1] for name in entries if name.startswith("course/")} == set(gradescope_zip.NEEDED)
    assert not [name for name in entries if "__pycache__" in name or "/." in name]


def test_two_zips_of_one_seed_are_the_same_bytes(tmp_path):
    """The same course, settings and seed give the same zip, so that a change in it is a change of the course."""
    (tmp_path / "seed").write_text(SEED)
    for name in ("a.zip", "b.zip"):
        cli.main(["gradescope", str(tmp_path / name), "m00", "--secret-seed", str(tmp_path / "seed")])

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_solutions_come_in_only_as_earlier_milestones(tmp_path):
    """With --prerequisites solutions the zip holds what m05 is made of, and never m05 itself."""
    out = tmp_path / "autograder.zip"

    cli.main(["gradescope", str(out), "m05", "--practice", "--prerequisites", "solutions"])

    with zipfile.ZipFile(out) as archive:
        solutions = [name for name in archive.namelist() if "/solutions/" in name]
        assert "secret_seed" not in archive.namelist()
        assert json.loads(archive.read("assignment.json"))["official"] is False
    needs = set(COURSE.with_needs(COURSE.milestone("m05"))) - {"m05_block"}
    assert solutions == [f"course/solutions/{name}.py" for name in sorted(needs)] and solutions


def test_the_courses_file_is_in_the_zip_and_says_what_is_graded(tmp_path):
    """With --course the zip holds that file, and grades the course's milestones where none is named."""
    out = tmp_path / "autograder.zip"
    (tmp_path / "short.toml").write_text(SHORT, encoding="utf-8")

    assert cli.main(["gradescope", str(out), "--course", str(tmp_path / "short.toml")]) == 0

    with zipfile.ZipFile(out) as archive:
        settings = json.loads(archive.read("assignment.json"))
        assert archive.read(settings["course"]).decode() == SHORT
    assert settings["milestones"] == ["m00_warmup", "m04_attention"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--course", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["m01", "--course", "short.toml"], "There is no milestone 'm01'"),
        (["--secret-seed", "nowhere"], "cannot be read"),
        (["--secret-seed", "short"], "fewer than 16 characters"),
        (["--secret-seed", "long", "--practice"], "leave --secret-seed away"),
        (["m99"], "There is no milestone"),
    ],
)
def test_bad_settings_are_one_sentence(tmp_path, monkeypatch, capsys, arguments, said):
    """Exit code 2, what is wrong, and no zip."""
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("short")
    Path("long").write_text(SEED)
    Path("short.toml").write_text(SHORT, encoding="utf-8")

    assert cli.main(["gradescope", "out.zip", *arguments]) == 2

    assert said in capsys.readouterr().err and not Path("out.zip").exists()


def test_the_one_folder_with_modules_is_found(tmp_path):
    """In an upload the modules may lie deeper; of several folders the one called exercises is taken."""
    module = support.source("exercises", "m00_warmup")
    for folder in ("work/exercises", "work/backup", "__MACOSX/exercises", ".git/exercises"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "m00_warmup.py").write_text(module)

    assert gradescope_run.found(tmp_path, COURSE).sources["m00_warmup"].decode() == module
    (tmp_path / "other" / "exercises").mkdir(parents=True)
    (tmp_path / "other" / "exercises" / "m00_warmup.py").write_text(module)
    with pytest.raises(SubmissionError, match="more than one folder"):
        gradescope_run.found(tmp_path, COURSE)


def test_an_archive_in_an_upload_is_opened(tmp_path):
    """A zip in which the modules lie is taken, whatever folders are in it; of two the sentence names both."""
    module = support.source("exercises", "m00_warmup")
    (tmp_path / "hw.zip").write_bytes(zipped({"hw-main/exercises/m00_warmup.py": module, "hw-main/README.md": "mine"}))

    taken = gradescope_run.found(tmp_path, COURSE)
    assert taken.sources["m00_warmup"].decode() == module and taken.folder == "your upload"
    (tmp_path / "again.zip").write_bytes(zipped({"m00_warmup.py": module}))
    with pytest.raises(SubmissionError, match="your upload has 2 archives, and nothing says which counts"):
        gradescope_run.found(tmp_path, COURSE)
    (tmp_path / "m00_warmup.py").write_text("mine")
    assert gradescope_run.found(tmp_path, COURSE).sources["m00_warmup"] == b"mine"


@pytest.mark.parametrize("script", ["setup.sh", "run_autograder"])
@systems.bash
def test_the_scripts_are_ones_that_bash_can_read(script):
    """A mistake of syntax would show on Gradescope only."""
    subprocess.run(["bash", "-n", gradescope_zip.SCRIPTS / script], check=True)


def _public(path):
    from grader.sandbox.users import readable_by_others

    return os.path.exists(path) and readable_by_others(Path(path))
