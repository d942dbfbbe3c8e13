"""The students' copy: what is in it, what is not, that it grades, and that an update leaves a student's work alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dropins
import pytest
import support
import systems

from grader import cli, course, exits, record, syllabus
from grader.handout import contents, folder, leaks, withholding
from grader.judge.grading import count_checks

SMALL = '[course]\nname = "A small course"\nmilestones = ["m00", "m04"]\n'
LARGER = '[course]\nname = "A small course"\nmilestones = ["m00", "m03", "m04"]\n'
SAMPLE = "m04_attention"  # whose helpers the ordinary tests try as answers
EVERYTHING = "SCRATCHWORK_EVERY_DROPIN"  # set, to try all that is handed out in all places: half an hour


def built(text: str = "", withheld: list[str] | None = None, where: Path | None = None) -> contents.Handout:
    """Return a handout of the course that a text describes, of the whole syllabus for no text."""
    own = None
    if text:
        path = where / "course.toml"
        path.write_text(text, encoding="utf-8")
        own = course.load(path)
    counts = {}
    if withheld:
        tasks = withholding.tasks_named(withheld, support.COURSE)
        known = count_checks(support.COURSE, sorted({support.COURSE.task(task)[0].id for task in tasks}))
        counts = {task: known[task] for task in tasks}
    return contents.build(support.COURSE, own, counts)


@pytest.fixture(scope="module")
def whole():
    """The handout of the whole syllabus."""
    return built()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The handout of two milestones."""
    return built(SMALL, where=tmp_path_factory.mktemp("small"))


def command(place, *arguments, **environment):
    """Run the grader that lies in a folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCRATCHWORK")}
    return subprocess.run(
        [sys.executable, "-m", "grader", *arguments],
        cwd=place, capture_output=True, text=True, check=False,
        env=env | {"COLUMNS": "100", "OMP_NUM_THREADS": "1"} | environment,
    )  # fmt: skip


def git(place, *arguments):
    """Run git as somebody whom no machine knows."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main"]
    env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *who, *arguments], cwd=place, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ── what is in it ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_leaks(whole, tmp_path):
    """No solution, secret, history or path of this machine is in the handout, and the scan looked at all of it."""
    found = leaks.scan(whole.files, tmp_path / "new")

    assert found.found == []
    assert found.files == len(whole.files) and found.bodies > 100 and found.functions > 1000
    assert "nothing leaks" in found.said()


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
        "grader/suites/m00_warmup/oracle.py",
        "grader/suites/m04_attention/test_suite.py", "grader/suites/m04_attention/oracle.py",
    }  # fmt: skip
    assert "grader/judge/probes/model.py" not in names and "grader/judge/probes/model.py" in whole.files
    assert b"capstone" not in small.files["README.md"] + small.files["noxfile.py"] + small.files["exercises/README.md"]
    for files in (small.files, whole.files):
        strange = ("grader/classroom/", "grader/handout/", "grader/commands/verify.py", "grader/commands/handout.py")
        assert [path for path in files if path.startswith(strange)] == []


def test_its_syllabus_is_the_courses(tmp_path):
    """The manifest that is handed out holds the milestones, points and name of the course, and what is withheld."""
    text = (support.REPOSITORY / "docs" / "course.toml").read_text(encoding="utf-8")
    handout = built(text, ["m04.2", "m05"], tmp_path)
    folder.write(handout, tmp_path / "handout")

    read = syllabus.load(tmp_path / "handout/grader/syllabus.toml", tmp_path / "handout/grader/suites")

    assert read.name == handout.syllabus.name
    for mine, own in zip(read.milestones, handout.syllabus.milestones, strict=True):
        assert (mine.id, mine.points, mine.needs, mine.limits) == (own.id, own.points, own.needs, own.limits)
        for task, of_course in zip(mine.tasks, own.tasks, strict=True):
            assert (task.points, task.hints) == (of_course.points, of_course.hints)
            assert task.withheld == handout.withheld.get(task.id, 0)
    page = handout.files["exercises/README.md"].decode()
    for own in read.milestones:
        assert re.search(rf"(?m)^\| \[{own.number}\].* \| {own.points:g} \|$", page)
    readme = handout.files["README.md"].decode()
    assert "2026-10-12 23:59 UTC+02:00" in readme and "loses 0.1 of the points" in readme


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


# ── withholding ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("parity", [0, 1])
def test_suites_with_tasks_left_out_are_whole(tmp_path, parity):
    """Whichever tasks are withheld, what is left of the suites uses no name that is gone, and imports none in vain."""
    tasks = [task.id for milestone in support.COURSE.milestones for task in milestone.tasks]
    gone = {task for index, task in enumerate(tasks) if index % 2 == parity}
    sources = contents.modules(support.REPOSITORY / "grader", "grader")
    texts = withholding.suites(
        {n: s for n, s in sources.items() if n.startswith(contents.TRIMMED)}, support.COURSE, gone
    )
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        left = set(re.findall(r'@pytest\.mark\.task\("(m\d\d\.\d+)"\)', text))
        assert not left & gone
    rules = ["--isolated", "--select", "F401,F811,F821", "--target-version", "py311"]
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert ruff.returncode == 0, ruff.stdout[-3000:] + ruff.stderr


def test_what_only_withheld_checks_need_goes_with_them():
    """The reference of a withheld task is not in the handout unless another check compares with it."""
    sources = contents.modules(support.REPOSITORY / "grader", "grader")
    mine = {n: s for n, s in sources.items() if n.startswith(contents.TRIMMED)}
    without = withholding.suites(mine, support.COURSE, {"m17.3"})["grader.suites.m17_retriever.oracle"]
    alone = withholding.suites(mine, support.COURSE, {f"m17.{number}" for number in (1, 2, 3, 4, 5)})

    assert "def bm25(" in mine["grader.suites.m17_retriever.oracle"].text and "def bm25_misses(" not in without
    assert "def tf_idf(" in without
    assert "grader.suites.m17_retriever.oracle" not in alone and "grader.suites.m17_retriever.test_suite" not in alone


def test_withheld_tasks_are_neither_passed_nor_lost():
    """A task whose checks run elsewhere claims no points and is no fault; the rest decides whether all is well."""
    good = record.Check("c", "t", record.PASSED, evidence=[record.VALUE])
    done = record.Task("m04.1", "A", 2, earned=2, checks=[good])
    elsewhere = record.Task("m04.2", "B", 5, withheld=7)
    mixed = record.Milestone("m04_attention", "M", [done, elsewhere])
    only = record.Milestone("m05_block", "M", [record.Task("m05.1", "C", 5, withheld=3)])

    def run(*milestones):
        return record.Record("1", "exercises", "0", "cpu", "bubblewrap", milestones=list(milestones))

    assert elsewhere.outcome == record.WITHHELD
    assert mixed.passed and mixed.earned == 2 and mixed.possible == 7 and mixed.withheld == 7
    assert run(mixed, only).passed and run(mixed, only).withheld == 10
    assert not only.passed and not run(only).passed and not run(only).grader_at_fault
    assert run(record.Milestone("m06_gpt", "M", [record.Task("m06.1", "D", 1)])).grader_at_fault
    again = record.from_json(json.loads(json.dumps(record.to_json(run(mixed, only)))))
    assert again.milestones[0].tasks[1].withheld == 7
    plain = record.to_json(run(record.Milestone("m", "M", [done])))
    assert plain["milestones"][0]["tasks"][0]["withheld"] == 0


def test_a_name_that_is_none_cannot_be_withheld():
    """--withhold takes milestones and tasks, and says what it does not know."""
    assert withholding.tasks_named(["m04", "4.2", "m05.1"], support.COURSE) == [
        "m04.1",
        "m04.2",
        "m04.3",
        "m04.4",
        "m05.1",
    ]
    for wrong in ("m99", "m04.9", ""):
        with pytest.raises(syllabus.SyllabusError):
            withholding.tasks_named([wrong], support.COURSE)


# ── in a student's hands ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_clone_grades_and_an_update_merges(small, tmp_path):
    """A student clones, solves and commits; a later handout with another milestone merges without a conflict.

    Before anything is written the clone says that nothing is started; after the merge the student's module is what it
    was, earns its points under the new grader, and a withheld task is counted as still to come.
    """
    template, student = tmp_path / "template", tmp_path / "student"
    folder.write(small, template)
    git(template, "init")
    git(template, "add", "--all")
    git(template, "commit", "-m", "The course")
    git(tmp_path, "clone", str(template), str(student))

    fresh = command(student, "grade", "m04", "--json", str(tmp_path / "fresh.json"))
    assert fresh.returncode == exits.NOT_PASSED and "Nothing is started yet" in fresh.stdout, (
        fresh.stdout + fresh.stderr
    )

    shutil.copy(support.REPOSITORY / "solutions" / "m04_attention.py", student / "exercises" / "m04_attention.py")
    (student / "exercises" / "notes.txt").write_text("mine")
    git(student, "add", "--all")
    git(student, "commit", "-m", "Attention")

    later = built(LARGER, ["m04.2"], tmp_path)
    guide = "exercises/m04_attention.md"
    later.files[guide] = later.files[guide] + b"\nOne more remark.\n"
    later.files[contents.MANIFEST] = contents.manifest(later).encode()
    updated = folder.update(later, template)
    assert updated.notes == [] and "exercises/m03_embedding.py" in updated.written
    git(template, "add", "--all")
    git(template, "commit", "-m", "Embeddings")
    git(student, "pull", "--no-rebase", "origin", "main")

    assert (student / "exercises" / "m04_attention.py").read_text() == SOLUTION
    assert (student / "exercises" / "notes.txt").read_text() == "mine"
    assert (student / "exercises" / "m03_embedding.py").is_file()
    assert "One more remark." in (student / guide).read_text()
    assert "<<<<<<<" not in git(student, "diff", "HEAD~1") and git(student, "status", "--porcelain") == ""

    solved = command(student, "grade", "m04", "--json", str(tmp_path / "solved.json"))
    assert solved.returncode == exits.PASSED, solved.stdout + solved.stderr
    assert re.search(
        r"Everything that is checked here passes.*\n.*\d+ checks for 5 points are still to come", solved.stdout
    )
    tasks = {task["id"]: task for task in json.loads((tmp_path / "solved.json").read_text())["milestones"][0]["tasks"]}
    assert tasks["m04.2"]["outcome"] == "withheld" and tasks["m04.2"]["earned"] == 0
    assert tasks["m04.2"]["withheld"] == later.withheld["m04.2"] > 15
    assert all(tasks[name]["outcome"] == "passed" for name in ("m04.1", "m04.3", "m04.4"))


def test_nox_grades_in_a_fresh_clone(small, tmp_path):
    """`nox -s grade` does in a clone what the students' README says, with the exit codes of the command behind it.

    With --no-venv, as on Colab: the packages of this Python are used, and no network. The same without a session's
    name; and a package that is missing is named, before anything is graded.
    """
    template, student = tmp_path / "template", tmp_path / "student"
    folder.write(small, template)
    git(template, "init")
    git(template, "add", "--all")
    git(template, "commit", "-m", "The course")
    git(tmp_path, "clone", str(template), str(student))

    fresh = nox(student, "-s", "grade", "--", "m04")
    assert (fresh.returncode, "Nothing is started yet" in fresh.stdout) == (exits.NOT_PASSED, True), fresh.stderr

    shutil.copy(support.REPOSITORY / "solutions" / "m04_attention.py", student / "exercises" / "m04_attention.py")
    solved = nox(student, "--", "m04")
    assert solved.returncode == exits.PASSED, solved.stdout + solved.stderr
    assert "15 of 15 points" in solved.stdout

    typo = nox(student, "-s", "grade", "--", "m05")
    assert typo.returncode == exits.USAGE and "There is no milestone 'm05'" in typo.stderr

    assert git(student, "status", "--porcelain").split() == ["M", "exercises/m04_attention.py"]
    lacking = (student / "noxfile.py").read_text(encoding="utf-8").replace('"jaxtyping"', '"no_such_package"')
    (student / "noxfile.py").write_text(lacking, encoding="utf-8")
    missing = nox(student, "-s", "grade", "--", "m04")
    assert missing.returncode == 1 and "it lacks no_such_package; pip install them." in missing.stderr
    assert "points" not in missing.stdout


def nox(place, *arguments):
    """Run nox as a student would, but with the packages of this Python and no network."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SCRATCHWORK", "NOX"))}
    return subprocess.run(
        [sys.executable, "-m", "nox", "--no-venv", *arguments],
        cwd=place, capture_output=True, text=True, check=False, timeout=200,
        env=env | {"COLUMNS": "100", "OMP_NUM_THREADS": "1", "PIP_NO_INDEX": "1"},
    )  # fmt: skip


def test_instructors_commands_are_not_there(small, tmp_path):
    """A student's copy says of an instructor's command that it is one, and lists only its own."""
    folder.write(small, tmp_path / "copy")

    refused = command(tmp_path / "copy", "verify")
    listed = command(tmp_path / "copy", "--help").stdout

    assert refused.returncode == exits.USAGE and "verify is for instructors" in refused.stderr
    assert re.findall(r"^    (\w+) ", listed, flags=re.M) == ["grade", "watch", "list", "hint"]


def test_references_and_courses_can_be_named(tmp_path):
    """`verify` takes another reference folder and a course, and counts the course's points."""
    shutil.copytree(support.REPOSITORY / "solutions", tmp_path / "mine")
    (tmp_path / "course.toml").write_text(SMALL + '[[milestone]]\nid = "m04"\npoints = 30\n')

    done = command(
        support.REPOSITORY,
        "verify",
        "m04",
        "--reference",
        str(tmp_path / "mine"),
        "--course",
        str(tmp_path / "course.toml"),
    )

    assert done.returncode == exits.PASSED, done.stdout + done.stderr
    assert "30 of 30 points" in done.stdout and "0 of 30 points" in done.stdout


# ── updates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def made(**files):
    """Return a handout of a few small files; in names __ stands for / and _py for .py."""
    plain = {name.replace("__", "/").replace("_py", ".py"): text.encode() for name, text in files.items()}
    handout = contents.Handout("A course", "1", support.COURSE, files=plain)
    handout.files[contents.MANIFEST] = contents.manifest(handout).encode()
    return handout


@pytest.fixture
def copy(tmp_path):
    """A handout in a folder."""
    folder.write(
        made(exercises__a_py="stub a", exercises__b_py="stub b", grader__x_py="x 1", README="read"), tmp_path / "c"
    )
    return tmp_path / "c"


def test_an_update_replaces_what_nobody_changed(copy):
    """Untouched files become the new ones, whatever git has made of their line ends."""
    (copy / "exercises/a.py").write_bytes(b"stub a\r\n".rstrip(b"\r\n"))
    result = folder.update(
        made(exercises__a_py="stub A", exercises__b_py="stub b", grader__x_py="x 2", README="read"), copy
    )

    assert (copy / "exercises/a.py").read_text() == "stub A" and (copy / "grader/x.py").read_text() == "x 2"
    assert result.written == ["exercises/a.py", "grader/x.py"] and result.notes == [] and result.kept == []


def test_an_update_keeps_a_students_work(copy):
    """A changed stub stays; where the course changed it too, the new stub lies beside it and is named."""
    (copy / "exercises/a.py").write_text("my answer")
    (copy / "exercises/b.py").write_text("my other answer")
    result = folder.update(
        made(exercises__a_py="stub A", exercises__b_py="stub b", grader__x_py="x 1", README="read"), copy
    )

    assert (copy / "exercises/a.py").read_text() == "my answer" and (
        copy / "exercises/a.py.new"
    ).read_text() == "stub A"
    assert (copy / "exercises/b.py").read_text() == "my other answer" and not (copy / "exercises/b.py.new").exists()
    assert result.kept == ["exercises/a.py", "exercises/b.py"] and len(result.notes) == 1


def test_an_update_puts_the_grader_right(copy):
    """What somebody changed in the grader is the course's own again, and is named."""
    (copy / "grader/x.py").write_text("always passes")
    result = folder.update(
        made(exercises__a_py="stub a", exercises__b_py="stub b", grader__x_py="x 1", README="read"), copy
    )

    assert (copy / "grader/x.py").read_text() == "x 1"
    assert result.notes == ["grader/x.py had been changed, and is the course's own again."]


def test_an_update_removes_what_the_course_no_longer_has(copy):
    """Files that are gone from the course go, but for those that a student has worked in."""
    (copy / "exercises/a.py").write_text("my answer")
    result = folder.update(made(grader__y_py="y"), copy)

    assert sorted(p.name for p in copy.rglob("*") if p.is_file()) == ["a.py", "handout.toml", "y.py"]
    assert result.removed == ["README", "exercises/b.py", "grader/x.py"] and len(result.notes) == 1


@systems.links
def test_an_update_writes_through_no_link(copy, tmp_path):
    """A symbolic link in the place of a file or a folder stops the update."""
    (copy / "exercises/a.py").unlink()
    (copy / "exercises/a.py").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(contents.HandoutError, match="symbolic link"):
        folder.update(made(exercises__a_py="stub A"), copy)
    assert not (tmp_path / "elsewhere").exists()


def test_a_manifest_cannot_name_files_outside(copy):
    """A manifest that somebody has rewritten removes nothing outside of its folder."""
    other = copy.parent / "other.txt"
    other.write_text("theirs")
    digest = hashlib.sha256(b"theirs").hexdigest()
    text = (copy / contents.MANIFEST).read_text()
    (copy / contents.MANIFEST).write_text(text + f'"../other.txt" = "{digest}"\n')

    with pytest.raises(contents.HandoutError, match="outside"):
        folder.update(made(grader__x_py="x 1"), copy)
    assert other.read_text() == "theirs"


def test_other_peoples_folders_are_refused(copy, tmp_path, capsys):
    """A folder with anything in it, a file, a handout without --update, and an --update of no handout are refused."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / contents.MANIFEST).write_text("[files]\n")
    handout = made(README="read")

    for action, place, says in (
        (folder.write, "full", "is not empty"),
        (folder.write, "file", "is a file"),
        (folder.write, "c", "a handout already; --update"),
        (folder.update, "full", "is no handout: it has no handout.toml"),
        (folder.update, "odd", "is no handout: its handout.toml cannot be used"),
    ):
        with pytest.raises(contents.HandoutError, match=says):
            action(handout, tmp_path / place)
    assert (tmp_path / "full" / "thesis.txt").read_text() == (tmp_path / "file").read_text() == "mine"


# ── answers among what is handed out ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_nothing_handed_out_is_an_answer(whole, milestone):
    """No function or class of what is handed out, put in the place of a stub's name, earns the task.

    A suite's own helpers and the planted code are tried, of one milestone here and of all by `nox -s attacks`; with
    SCRATCHWORK_EVERY_DROPIN set, everything that is handed out is tried.
    """
    if milestone != SAMPLE and not os.environ.get(EVERYTHING) and not os.environ.get("SCRATCHWORK_EVERY_ATTACK"):
        pytest.skip("nox -s attacks tries the helpers of all milestones")
    mine = (f"grader.suites.{milestone}.", "grader.judge.probes")

    def tried(candidate: dropins.Candidate) -> bool:
        return bool(os.environ.get(EVERYTHING)) or candidate.module.startswith(mine)

    assert dropins.answers(milestone, dropins.sources(whole.files), tried) == []


def test_an_answer_that_is_handed_out_is_found():
    """A solution among the modules of a handout is found as an answer to its tasks: the search does find."""
    text = support.source("solutions", "m03_embedding").encode()
    modules = dropins.sources({"grader/suites/m03_embedding/answers.py": text})

    found = " ".join(map(str, dropins.answers("m03_embedding", modules, lambda candidate: True)))

    assert "sinusoidal_positions" in found
