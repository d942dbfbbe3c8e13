"""The students' copy: what is in it, and what is not."""

from __future__ import annotations

import os
import re

import pytest
import support
from handouts import SMALL, built

from fixtures import pictures
from grader import cli, exits, syllabus
from grader.handout import contents, folder, leaks


def test_nothing_leaks(whole, tmp_path):
    """No solution, secret, history or path of this machine is in the handout, and the scan looked at all of it."""
    found = leaks.scan(whole.files, tmp_path / "new")

    assert found.found == []
    assert found.files == len(whole.files) and found.bodies > 100 and found.functions > 1000
    assert "nothing leaks" in found.said()


SHOWN = re.compile(r"\(pictures/(\w+\.svg)\)")
SOLUTION = support.source("solutions", "m04_attention")
BODY = SOLUTION[SOLUTION.index("def scaled_dot_product_attention") :]


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("grader/judge/draw.py", SOLUTION, "solution of scaled_dot_product_attention"),
        ("exercises/m04_attention.md", f"```python\n{BODY}\n```", "solution of scaled_dot_product_attention"),
        ("grader/judge/draw.py", re.sub(r"\b(query|key|value|mask|scores)\b", r"\1_", BODY), "with other names"),
        ("grader/judge/draw.py", "SEED = 'a-secret-that-nobody-guesses'\n", "secret seed"),
        ("README.md", f"see {support.REPOSITORY}/docs", "the path"),
        ("docs/security.md", "", "docs is not for students"),
        (".git/HEAD", "ref", ".git is not for students"),
        ("solutions/m04_attention.py", "", "solutions is not for students"),
        ("grader/classroom/book/gradebook.py", "", "classroom is not for students"),
        ("grades.sqlite", "", "nobody has said that this belongs"),
        ("grader/suites/answers.pkl", "", "a file of the kind .pkl"),
    ],
)
def test_what_must_not_be_inside_is_found(monkeypatch, tmp_path, path, text, says):
    """A solution, whole, on a page or under other names, a secret, a path or a strange file is found and named."""
    monkeypatch.setenv("SCRATCHWORK_SECRET_SEED", "a-secret-that-nobody-guesses")

    found = leaks.scan({path: text.encode()}, tmp_path).found

    assert any(line.startswith(f"{path}: ") and says in line for line in found), found


def test_a_leak_stops_the_handout(monkeypatch, tmp_path, capsys):
    """Where the scan finds something, nothing is written, and the exit code is the grader's fault."""
    monkeypatch.setattr(contents, "build", lambda *_: leaky)
    leaky = contents.Handout("A course", "1", support.COURSE, files={"solutions/m04_attention.py": SOLUTION.encode()})

    code = cli.main(["handout", str(tmp_path / "new")])

    assert code == exits.FAULT
    assert "solutions is not for students" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_a_stub_with_something_in_it_is_not_handed_out(monkeypatch, tmp_path):
    """An instructor who has worked in exercises/ hands out no solution by it."""
    real = contents._text
    monkeypatch.setattr(
        contents, "_text", lambda path: real(path.replace("exercises/m04_attention.py", "solutions/m04_attention.py"))
    )

    with pytest.raises(contents.HandoutError, match=r"exercises/m04_attention\.py is no longer a stub"):
        built(SMALL, where=tmp_path)


def test_the_same_course_gives_the_same_bytes(small, tmp_path):
    """Two handouts of one course are the same, byte for byte, and the folder holds just these files."""
    folder.write(small, tmp_path / "one")
    again = built(SMALL, where=tmp_path)

    assert again.files == small.files
    written = {
        p.relative_to(tmp_path / "one").as_posix(): p.read_bytes() for p in (tmp_path / "one").rglob("*") if p.is_file()
    }
    assert written == small.files
    assert not any(str(tmp_path).encode() in data for data in small.files.values())


def test_only_what_the_course_chose_is_inside(small, whole):
    """Stubs, guides, suites and references of other milestones stay at home; so does the instructor's side."""
    names = set(small.files)

    assert {p for p in names if p.startswith("exercises/m")} == {
        "exercises/m00_warmup.py", "exercises/m00_warmup.md", "exercises/m04_attention.py", "exercises/m04_attention.md"
    }  # fmt: skip
    assert {p for p in names if re.match(r"grader/suites/m\d", p)} == {
        "grader/suites/m00_warmup/__init__.py", "grader/suites/m00_warmup/milestone.toml",
        "grader/suites/m04_attention/__init__.py", "grader/suites/m04_attention/milestone.toml",
        "grader/suites/m00_warmup/test_losses.py", "grader/suites/m00_warmup/test_bigrams.py",
        "grader/suites/m00_warmup/oracle.py", "grader/suites/m00_warmup/probes.py",
        "grader/suites/m04_attention/test_suite.py", "grader/suites/m04_attention/test_layer.py",
        "grader/suites/m04_attention/oracle.py", "grader/suites/m04_attention/steps.py",
        "grader/suites/m04_attention/stretch.py",
    }  # fmt: skip
    assert "grader/judge/probes/model.py" not in names and "grader/judge/probes/model.py" in whole.files
    assert b"nox -s litgpt" not in small.files["README.md"] + small.files["noxfile.py"]
    assert "grader/commands/litgpt.py" not in names
    asking = {"grader/commands/ask.py", "grader/asking/driver.py", "grader/asking/judged.toml"}
    assert asking <= whole.files.keys() and not asking & names
    assert b"capstone" not in small.files["README.md"] + small.files["noxfile.py"] + small.files["exercises/README.md"]
    for files in (small.files, whole.files):
        strange = ("grader/classroom/", "grader/handout/", "grader/commands/verify.py", "grader/commands/handout.py")
        assert [path for path in files if path.startswith(strange)] == []


def test_the_pictures_of_the_pages_are_inside(small, whole):
    """A handout has the pictures that its pages show, as they stand here; a part of the course has no map of it all."""
    for files, wanted in ((whole.files, set(pictures.PICTURES)), (small.files, {"attention", "heads"})):
        shown = {name for path, data in files.items() if path.endswith(".md") for name in SHOWN.findall(data.decode())}
        inside = {path.rpartition("/")[2] for path in files if path.startswith("exercises/pictures/")}
        assert shown == inside == {f"{name}.svg" for name in wanted}
        for name in inside:
            assert files[f"exercises/pictures/{name}"].decode() == pictures.standing(name.removesuffix(".svg"))
    assert small.files["exercises/README.md"].decode().count("![") == 0


def test_no_help_names_a_page_that_is_not_there(whole):
    """What a command's help or sentence says to read is in the handout, or is not named by a file."""
    pages = set()
    for path, data in whole.files.items():
        if path.startswith(("grader/commands/", "grader/arguments", "grader/cli")):
            pages |= set(re.findall(r"\b[\w/]+\.md\b", data.decode()))

    assert not {page for page in pages if page.startswith("docs/")}


def test_its_workflow_installs_torch_for_processors(whole):
    """A practice run on GitHub has no graphics card, and takes the build without what one needs."""
    workflow = whole.files[".github/workflows/grade.yml"].decode()

    assert "PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu" in workflow


def test_its_syllabus_is_the_courses(tmp_path):
    """The manifest that is handed out holds the milestones, points and name of the course, and what is withheld."""
    text = (support.REPOSITORY / "docs" / "course.toml").read_text(encoding="utf-8")
    handout = built(text, ["m04.2", "m05"], tmp_path)
    folder.write(handout, tmp_path / "handout")

    read = syllabus.load(tmp_path / "handout/grader/syllabus.toml", tmp_path / "handout/grader/suites")

    assert read.name == handout.syllabus.name
    for mine, own in zip(read.milestones, handout.syllabus.milestones, strict=True):
        assert (mine.id, mine.points, mine.needs, mine.limits) == (own.id, own.points, own.needs, own.limits)
        assert mine.due == own.due
        for task, of_course in zip(mine.tasks, own.tasks, strict=True):
            assert (task.points, task.hints) == (of_course.points, of_course.hints)
            assert task.withheld == handout.withheld.get(task.id, 0)
    assert any(milestone.due.startswith("20") for milestone in read.milestones)
    page = handout.files["exercises/README.md"].decode()
    assert "planned" not in page and len(re.findall(r"(?m)^\| \[?[mx]\d\d", page)) == len(read.milestones)
    for own in read.milestones:
        assert re.search(rf"(?m)^\| \[{own.number}\].* \| {own.points:g} \|$", page)
    readme = handout.files["README.md"].decode()
    assert "2026-10-12 23:59 UTC+02:00" in readme and "loses 10 % of the points" in readme


@pytest.mark.parametrize("handout", ["whole", "small"])
def test_its_pages_name_what_is_there(handout, request):
    """Every command and every link of the pages of a handout leads to something that is in it."""
    files = request.getfixturevalue(handout).files
    sessions = set(re.findall(r"^def (\w+)\(session", files["noxfile.py"].decode(), flags=re.M))
    known = {milestone.number for milestone in request.getfixturevalue(handout).syllabus.milestones}
    for page in [path for path in files if path.endswith(".md")]:
        text = files[page].decode()
        assert set(re.findall(r"nox -s (\w+)", text)) <= sessions, page
        for name in re.findall(r"python -m grader (\w+)", text):
            module = cli.module_of(name).replace(".", "/")
            assert f"{module}.py" in files, (page, name)
        if not page.startswith("exercises/m"):
            assert set(re.findall(r"-- (m\d\d)|hint (m\d\d)", text)) <= {(n, "") for n in known} | {
                ("", n) for n in known
            }
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert os.path.normpath(os.path.join(os.path.dirname(page), target)) in files, (page, target)
    assert "<<" not in files["README.md"].decode()


def test_assistants_are_asked_to_tutor(whole):
    """AGENTS.md asks assistants to tutor and not to solve, and the README points at it."""
    page = whole.files["AGENTS.md"].decode()

    assert "Be a tutor. Do not solve the exercises" in page
    assert "(AGENTS.md)" in whole.files["README.md"].decode()


def test_the_workflow_of_students_holds_no_rights(whole):
    """The workflow reads and nothing else, pins what it uses, and lets nothing of an event into a shell."""
    text = whole.files[".github/workflows/grade.yml"].decode()

    assert re.search(r"^permissions:\n  contents: read\n\n", text, flags=re.M)
    assert re.findall(r"uses: (\S+)", text) and all(
        re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used) for used in re.findall(r"uses: (\S+)", text)
    )
    assert "pull_request_target" not in text and "${{" not in text and "persist-credentials: false" in text
    assert "unset GITHUB_ENV GITHUB_PATH GITHUB_OUTPUT GITHUB_STEP_SUMMARY" in text
