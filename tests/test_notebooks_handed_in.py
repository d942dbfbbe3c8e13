"""A notebook is handed in wherever a module is, and what is graded is the same."""

from __future__ import annotations

import json

import hostile_git
import made_downloads
import pytest
import repositories
import support
from handing_in import ATTENTION, CLASS, WARMUP, collect, folder, modules, tarred, zipped
from notebooks import code, filled_in, notebook

from grader.classroom.book.standing import Student
from grader.classroom.grading.judging import Job, Setup, WarmJudge
from grader.gradescope import run as gradescope_run
from grader.judge.fingerprint import grader_version
from grader.pull_request import reading as pull_request
from grader.similarity import pairs
from grader.submission import Submission
from grader.submission import collect as collect_folder
from grader.watching.files import Watched

COURSE = support.COURSE
NAME = "m04_attention"
NOTEBOOK = f"{NAME}.ipynb"
SOLUTION = support.source("solutions", NAME)
FILLED = filled_in(NAME, SOLUTION)
STUB = support.source("exercises", NAME)
MADE = b"mine = 1\n"  # of the cells of SHORT
SHORT = notebook("%load_ext grader.notebook", "# m04.1\nmine = 1")


def in_notebook(name, content):
    """Return a file of a download as it is where a notebook was handed in, with the same word in its cell."""
    if isinstance(content, bytes) or not name.endswith(WARMUP):
        return name, content
    return f"{name.removesuffix('.py')}.ipynb", notebook(f"# m00.1\n{content}")


@pytest.mark.parametrize(
    "download",
    [
        made_downloads.canvas,
        made_downloads.moodle,
        made_downloads.blackboard,
        made_downloads.brightspace,
        made_downloads.clones,
    ],
)
def test_each_platforms_download_may_hold_notebooks(tmp_path, download):
    """With notebooks in the modules' place everybody has what they had."""
    files = {name: content for name, content in download().items() if "-1.py" not in name and ATTENTION not in name}
    as_notebooks = dict(in_notebook(name, content) for name, content in files.items())
    assert as_notebooks != files

    found = [
        modules(collect(folder(tmp_path / kind / "d", made), roster=None))
        for kind, made in (("a", files), ("b", as_notebooks))
    ]

    assert {who: {m: text.strip() for m, text in theirs.items()} for who, theirs in found[1].items()} == found[0]


def test_a_notebook_that_canvas_received_again_is_the_later_one(tmp_path):
    """Canvas's -1 is no part of a notebook's name either."""
    files = {
        f"lovelaceada_12345_90_{NOTEBOOK}": notebook("# m04.1\nold = 1"),
        f"lovelaceada_12345_101_{NAME}-1.ipynb": SHORT,
    }

    (ada,) = collect(folder(tmp_path / "c", files), roster=None).handed_in

    assert ada.submission.sources == {NAME: MADE}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_folders_and_archives_may_hold_notebooks(tmp_path, pack):
    """A student's folder, archive, or archive in the class's archive gives the module; what was left out is a note."""
    said = notebook("x = 1", "# m04.1\nmine = 1")
    files = {"a1": {NOTEBOOK: said}, "b2": {f"hw/exercises/{NOTEBOOK}": said, "notes.txt": "x"}}
    made = folder(tmp_path / "class", {f"a1/{NOTEBOOK}": said, "b2.zip": pack(files["b2"])})
    (tmp_path / "all.zip").write_bytes(zipped({"a1.zip": pack(files["a1"]), f"b2/{NOTEBOOK}": said}))

    for source in (made, tmp_path / "all.zip"):
        collected = collect(source, roster=CLASS)
        assert modules(collected) == {"a1": {"m04": MADE.decode()}, "b2": {"m04": MADE.decode()}}
        for each in collected.handed_in:
            assert any(
                note.endswith("cell 1 was left out: it does not begin with a line that names a task, like # m04.1.")
                for note in each.notes
            )


def test_a_loose_notebook_is_somebodys_work(tmp_path):
    """A notebook of the course's beside the students' folders is named, and is nobody's."""
    collected = collect(folder(tmp_path / "class", {f"a1/{WARMUP}": "x", NOTEBOOK: SHORT}), roster=CLASS)

    assert any(NOTEBOOK in each and "nothing says whose" in each for each in collected.unclear)


def test_a_repository_may_hold_notebooks(tmp_path):
    """Fetched as an object, limits and all: a notebook of more than 64 kB is taken, of more than 4 MB it is not."""
    large = code("# m04.1\nmine = 1", outputs=[{"text": "a" * 100_000}])
    repositories.repository(
        tmp_path / "a1.git", {f"exercises/{NOTEBOOK}": notebook(large), f"exercises/{ATTENTION}": STUB}
    )
    large["outputs"][0]["text"] *= 42
    repositories.repository(tmp_path / "b2.git", {f"exercises/{NOTEBOOK}": notebook(large)})
    (tmp_path / "class.csv").write_text("a1,a1.git,main\nb2,b2.git,main\n")

    collected = collect(tmp_path / "class.csv", allow_local=True)

    first, second = collected.handed_in
    assert first.submission.sources == {NAME: MADE}
    assert "is larger than 4 MB; clear its outputs" in second.submission.problems[NAME]


def test_a_pull_request_may_change_a_notebook(tmp_path):
    """One that adds a notebook beside the stub changes that milestone; one that lays it beside work is asked."""
    store = hostile_git.Repository(tmp_path / "course")
    tree = {f"exercises/{ATTENTION}": STUB, f"exercises/{WARMUP}": "x = 1\n"}
    base = store.commit(tree)
    head = store.commit({**tree, f"exercises/{NOTEBOOK}": FILLED}, base)
    both = store.commit({f"exercises/{ATTENTION}": SOLUTION, f"exercises/{NOTEBOOK}": SHORT}, base)

    pull = pull_request.read(store.folder, base, head, COURSE)

    assert pull.changed == [NAME] and NAME not in pull.submission.problems
    assert pull.submission.sources[NAME].split() == SOLUTION.encode().split()
    assert not any("Not taken" in note for note in pull.notes)
    assert "both hold work" in pull_request.read(store.folder, base, both, COURSE).submission.problems[NAME]


def test_a_notebook_that_a_merge_would_mix_is_not_graded(tmp_path):
    """Where base and head have both changed it since they parted, the sentence names the notebook."""
    store = hostile_git.Repository(tmp_path / "course")
    tree = {f"exercises/{WARMUP}": "x = 1\n"}
    start = store.commit({**tree, f"exercises/{NOTEBOOK}": SHORT})
    base = store.commit({**tree, f"exercises/{NOTEBOOK}": notebook("# m04.1\nbase = 1")}, start)
    head = store.commit({**tree, f"exercises/{NOTEBOOK}": FILLED}, start)

    pull = pull_request.read(store.folder, base, head, COURSE)

    assert pull.submission.problems[NAME].startswith(f"exercises/{NOTEBOOK} cannot be graded: the base has changed it")


def test_gradescope_may_be_given_a_notebook(tmp_path):
    """Alone, in a folder, or in an archive."""
    for name, files in {
        "flat": {NOTEBOOK: SHORT},
        "deep": {f"r/exercises/{NOTEBOOK}": SHORT},
        "packed": {"a.zip": zipped({NOTEBOOK: SHORT})},
    }.items():
        taken = gradescope_run.found(folder(tmp_path / name, files), COURSE)
        assert taken.sources == {NAME: MADE}, name


def test_an_untouched_notebook_is_no_work_where_modules_are_compared():
    """It takes no place of a module in an earlier hand-in, and nobody is suspected for it."""
    untouched = filled_in(NAME, STUB)
    sources = [{NAME: SOLUTION.encode()}, {NAME: _source(untouched)}]
    milestone = COURSE.milestone("m04")
    handed = [(Student(str(number)), Submission("s", each)) for number, each in enumerate(sources)]

    (found,) = pairs.find(handed, [milestone], support.REPOSITORY / "exercises", None)

    assert found.compared == 1 and found.short == []


def test_a_copy_in_a_notebook_is_as_alike_as_one_in_a_module():
    """Likeness is that of the cells' source."""
    handed = [
        (Student("a"), Submission("s", {NAME: SOLUTION.encode()})),
        (Student("b"), Submission("s", {NAME: _source(FILLED)})),
    ]

    (found,) = pairs.find(handed, [COURSE.milestone("m04")], support.REPOSITORY / "exercises", None)

    assert [pair.score for pair in found.pairs] == [1.0]


def test_a_watch_sees_a_notebook_that_is_saved(tmp_path):
    """A save of it means its milestone."""
    made = folder(tmp_path / "exercises", {ATTENTION: STUB, NOTEBOOK: SHORT})
    watched = Watched(made, made, COURSE)
    (made / NOTEBOOK).write_bytes(FILLED)

    assert watched.touched().modules == {NAME}


def test_a_class_run_gives_the_record_that_the_module_gives(tmp_path):
    """All of m04 in cells, handed in as a notebook, is graded as the same text in a file is, check by check."""
    sandbox = support.Borrowed(support.sandbox())
    setup = Setup(grader_version(()), sandbox.level, "cpu", "gpt2-nano", "submission", False, "0", False)
    judge = WarmJudge(setup, sandbox, support.weights())
    results = []
    for name, data in ((ATTENTION, SOLUTION.encode()), (NOTEBOOK, FILLED)):
        submission = collect_folder(folder(tmp_path / name, {name: data}), COURSE)
        done = judge.grade(Job(1, submission, (NAME,)))
        assert done.faults == {}
        results.append(done.milestones)
    for milestone in (part for parts in results for part in parts):
        for check in (check for task in milestone["tasks"] for check in task["checks"]):
            del check["seconds"]

    assert json.dumps(results[0], sort_keys=True) == json.dumps(results[1], sort_keys=True)
    assert results[1][0]["tasks"][3]["earned"] == 5


def _source(data):
    from grader.notebooks import reading

    return reading.read(data, "m04", COURSE.max_source_bytes).source
