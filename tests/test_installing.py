"""What the sessions install: for students what they need, the rest with the first session that needs it."""

from __future__ import annotations

import sys
import tomllib
import types

import pytest
import support
from notebooks import filled_in
from packaging.requirements import Requirement

FOR_INSTRUCTORS = {"mypy", "ruff", "hypothesis", "distributed", "cryptography", "jsonschema", "nox", "pytest-xdist"}


@pytest.fixture
def noxfile(monkeypatch, tmp_path):
    """The file of the sessions, with an environment in a temporary folder into which nothing is really installed."""
    module = support.noxfile()
    monkeypatch.setattr(module, "ran", [], raising=False)
    monkeypatch.setattr(module, "run", lambda _session, *arguments: module.ran.append(arguments))
    monkeypatch.setitem(module.shared, "python", str(tmp_path / "env" / "bin" / "python"))
    (tmp_path / "env").mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "GPUS", ())
    return module


def names(arguments):
    """Return the packages that a command line of pip installs."""
    wanted = arguments[arguments.index("--constraint") + 2 :]
    return {Requirement(word).name for word in wanted}


def installed(noxfile):
    """Return the packages that were installed so far, by command."""
    return [names(arguments) for arguments in noxfile.ran if arguments[:3] == ("-m", "pip", "install")]


def test_students_get_what_students_need():
    """What every command needs is in the course's own dependencies, and what only authors need is not."""
    project = tomllib.loads((support.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    course = {Requirement(word).name for word in project["project"]["dependencies"]}

    assert {"torch", "pytest", "transformers", "rich"} <= course
    assert not FOR_INSTRUCTORS & course
    words = [word for group in project["dependency-groups"].values() for word in group if isinstance(word, str)]
    groups = {Requirement(word).name for word in words}  # a group may hold another one, whose words stand there
    assert groups >= FOR_INSTRUCTORS


@pytest.mark.parametrize(
    ("session", "words", "package"),
    [
        ("tests", [], "hypothesis"),
        ("lint", [], "mypy"),
        ("bench", [], "distributed"),
        ("classroom", ["class", "--workers", "2"], "distributed"),
        ("classroom", ["class", "--scheduler=tls://host"], "cryptography"),
        ("fuzz", [], "atheris"),
    ],
)
def test_the_first_session_that_needs_more_installs_it(noxfile, session, words, package):
    """A session installs its group before it begins, and the next time it finds it there."""
    for count in (1, 2):
        getattr(noxfile, session)(logging_session(*words))
        assert any(package in some for some in installed(noxfile)), noxfile.ran
        found = [some for some in installed(noxfile) if package in some]
        assert len(found) == 1, f"after {count}"


def test_what_needs_no_more_installs_nothing(noxfile):
    """Grading, watching and a class on this machine alone need nothing beyond the course and its milestones."""
    for session in ("grade", "watch", "handout"):
        getattr(noxfile, session)(types.SimpleNamespace(posargs=["class"]))
    assert installed(noxfile) == []

    for session in ("verify", "classroom", "strength"):
        getattr(noxfile, session)(logging_session("class"))
    assert installed(noxfile) == [set(support.COURSE.milestone("m20").imports)]


def logging_session(*words):
    """Return a session with these words, which keeps what it logs."""
    logged = []
    return types.SimpleNamespace(posargs=list(words), log=logged.append, logged=logged)


@pytest.mark.parametrize(
    ("session", "words", "wanted"),
    [
        ("grade", ["m20"], True),
        ("grade", ["20", "--all"], True),
        ("grade", ["m04", "serving"], True),
        ("grade", ["m20.3", "--debug"], True),
        ("watch", ["m20_serving"], True),
        ("python", ["m20.6"], True),
        ("grade", [], False),
        ("grade", ["m04"], False),
        ("grade", ["m04.2", "--json", "out.json"], False),
        ("watch", ["m02"], False),
        ("grade", ["--submission", "solutions"], True),
        ("grade", ["m04", "--submission", "solutions"], False),
    ],
)
def test_a_milestones_own_packages_come_with_the_first_run_that_needs_them(noxfile, session, words, wanted):
    """What m20 may import is installed, and one line says so, when m20 is graded, and not with the first command."""
    imports = support.COURSE.milestone("m20").imports
    for _ in (1, 2):
        asked = logging_session(*words)
        getattr(noxfile, session)(asked)
        assert asked.logged == (
            [f"m20_serving may import {', '.join(imports)}: installed now, once."] if wanted else []
        )
        wanted = False

    assert installed(noxfile) == ([set(imports)] if noxfile.ran[0][0] == "-m" and len(noxfile.ran) > 2 else [])


@pytest.mark.parametrize("form", ["module", "notebook"])
def test_without_a_name_they_come_once_the_milestone_is_begun(noxfile, monkeypatch, tmp_path, form):
    """A command for everything installs them once the file is no stub any more, and not where there is no file."""
    rooms, exercises = tmp_path / "grader" / "suites" / "m20_serving", tmp_path / "exercises"
    for folder in (rooms, exercises):
        folder.mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "grader/suites/m20_serving/milestone.toml"):
        (tmp_path / name).write_bytes((support.REPOSITORY / name).read_bytes())
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    stub = support.source("exercises", "m20_serving")
    begun = stub.replace('raise NotImplementedError("m20.8")', 'return ""')
    for text, count in ((None, 0), (stub, 0), (begun, 1)):
        if text is not None and form == "module":
            (exercises / "m20_serving.py").write_text(text, encoding="utf-8")
        elif text is not None:
            (exercises / "m20_serving.py").write_text(stub, encoding="utf-8")
            (exercises / "m20_serving.ipynb").write_bytes(filled_in("m20_serving", text))
        noxfile.grade(logging_session())
        assert len(installed(noxfile)) == count


def test_litgpt_is_installed_beside_the_course(noxfile, tmp_path):
    """The student's code writes a checkpoint; then LitGPT gets the course's torch, in an environment of its own."""
    done = []
    session = types.SimpleNamespace(
        posargs=["--submission", "mine"], create_tmp=lambda: str(tmp_path), run=lambda *words: done.append(words),
        install=lambda *words, **_: done.append(words),
    )  # fmt: skip
    noxfile.litgpt(session)

    folder = str(tmp_path / "llama-nano")
    assert noxfile.ran == [("-m", "grader", "litgpt", "--out", folder, "--submission", "mine")]
    *_, installs, tunes = done
    assert {"litgpt", "torch", "requests"} == {Requirement(word).name for word in installs if not word.startswith("-")}
    assert tunes[:3] == ("litgpt", "finetune_full", folder)


def test_a_service_gets_its_packages_beside_the_course(noxfile, tmp_path, monkeypatch):
    """What is missing is said first; then Gradio is installed, once, where the course's packages are found as well."""
    pythons = []

    def run(_session, *arguments, python=""):
        noxfile.ran.append(arguments)
        pythons.append(python)
        if arguments[:2] == ("-m", "venv"):
            (tmp_path / "serving" / "lib" / "python3" / "site-packages").mkdir(parents=True)

    monkeypatch.setattr(noxfile, "run", run)
    (tmp_path / "env" / "lib" / "python3" / "site-packages").mkdir(parents=True)
    session = types.SimpleNamespace(posargs=["--port", "9000"], log=lambda _: None)
    for _ in range(2):
        noxfile.serve(session)

    checked, made, installs, serves, *again = noxfile.ran
    assert checked == ("-m", "grader", "serve", "--check", "--port", "9000") and made[:2] == ("-m", "venv")
    assert any(word.startswith("gradio==") for word in installs)
    assert serves == ("-m", "grader", "serve", "--port", "9000") and again == [checked, serves]
    assert pythons[3] == str(tmp_path / "serving" / "bin" / "python")
    found = (tmp_path / "serving" / "lib" / "python3" / "site-packages" / "course.pth").read_text(encoding="utf-8")
    assert found.splitlines() == [str(noxfile.ROOT), str(tmp_path / "env" / "lib" / "python3" / "site-packages")]


def test_with_its_own_python_nothing_is_installed(noxfile, monkeypatch):
    """Under --no-venv the Python at hand is used as it is."""
    monkeypatch.setitem(noxfile.shared, "python", sys.executable)
    noxfile.tests(types.SimpleNamespace(posargs=[]))

    assert installed(noxfile) == []


@pytest.mark.parametrize("change", ["pyproject.toml", "constraints.txt"])
def test_another_version_is_installed_anew(noxfile, monkeypatch, tmp_path, change):
    """When a pin or a range changes, the next session installs again."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((support.REPOSITORY / name).read_bytes())
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    session = types.SimpleNamespace(posargs=[])
    noxfile.lint(session)
    with (tmp_path / change).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    noxfile.lint(session)

    assert len(installed(noxfile)) == 2


@pytest.mark.parametrize(
    ("there", "wanted"),
    [("nothing", True), ("a GPU", False), ("PIP_INDEX_URL", False), ("PIP_NO_INDEX", False), ("macOS", False)],
)
def test_linux_without_a_gpu_takes_the_small_torch(noxfile, monkeypatch, tmp_path, there, wanted):
    """PyTorch's build without CUDA is taken on Linux alone, without a GPU, and unless somebody chose an index."""
    monkeypatch.setattr(noxfile.sys, "platform", "darwin" if there == "macOS" else "linux")
    if there == "a GPU":
        monkeypatch.setattr(noxfile, "GPUS", (str(tmp_path),))
    elif there.startswith("PIP_"):
        monkeypatch.setenv(there, "1")

    assert noxfile.wants_cpu_build() is wanted
