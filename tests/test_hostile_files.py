"""Crafted records, progress files, gradebooks, courses, classes and rosters: one sentence, no wait, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import attacks_support as arena
import pytest
import support
import systems
from attacks import files as hostile
from made_record import every_outcome
from small_course import SOLUTIONS, SmallCourse

from grader import cli, course, exits, files, progress, record, replaying
from grader.progress import Progress
from grader.reports.machines import json_report
from grader.sandbox import levels

FILES = support.TESTS / "files_of_05086ce"
COURSE = FILES / "course.toml"
pytestmark = [systems.pipes, systems.links]
READ = {
    "record": (["convert", "FILE", "--to", "junit"], ["replay", "FILE"]),
    "gradebook": (
        ["export", "FILE", "--format", "tasks", "--course", str(COURSE)],
        ["export", "FILE", "--format", "record", "--out", "OUT"],
        ["classroom", "--changes", "--gradebook", "FILE"],
    ),
    "class": (["export", "FILE", "--format", "tasks"], ["export", "FILE", "--format", "html"]),
    "course": (["list", "--course", "FILE"],),
    "roster": (["similarity", str(support.REPOSITORY / "exercises"), "--roster", "FILE", "--out", "OUT"],),
    "progress": (["list"], ["hint", "m04.1"]),
}


@pytest.fixture(scope="module", autouse=True)
def _warm_sandbox():
    with pytest.MonkeyPatch.context() as patch:
        support.lend_where_chosen(patch)
        yield


@pytest.fixture
def honest(tmp_path):
    """Return where an honest file of each kind lies."""
    made = tmp_path / "honest"
    made.mkdir()
    names = {"gradebook": "book-of-05086ce.sqlite", "class": "standing.json", "course": COURSE.name}
    found = {kind: Path(shutil.copy(FILES / name, made)) for kind, name in names.items()}
    found["progress"] = Path(shutil.copy(FILES / "progress.json", made))
    found["record"], found["roster"] = made / "record.json", made / "roster.csv"
    json_report.write(with_a_frame(every_outcome()), found["record"])
    found["roster"].write_text("id,name,email\nada,Ada,ada@example.org\n", encoding="utf-8")
    return found


def with_a_frame(made):
    """Return a record whose first check has a line of a traceback, and that asks for nothing unusual."""
    made.milestones[0].tasks[0].checks[0].traceback = [record.Frame("m00_warmup.py", 3, "softmax", "x")]
    made.submission, made.isolation, made.official, made.notes = "exercises", "bubblewrap", False, ["A note."]
    return made


def said_of(kind, path, tmp_path, monkeypatch, capsys):
    """Run every command that reads a file of this kind; yield the exit code of each, and what it said."""
    for words in READ[kind]:
        monkeypatch.setenv(progress.FOLDER, str(path.parent if kind == "progress" else tmp_path / "state"))
        put = {"FILE": str(path), "OUT": str(tmp_path / "out")}
        with arena.watchdog() as barked:
            code = cli.main([put.get(word, word) for word in words])
        assert not barked, f"{words} hung"
        said = capsys.readouterr()
        yield code, said.out, said.err


def crafted(build, tmp_path, honest):
    """Return what one of the attacks makes, each kind and path."""
    folder = tmp_path / "crafted"
    folder.mkdir()
    return list(build(folder, honest))


REFUSED = [
    hostile.b89_pipes_devices_and_folders, hostile.b90_numbers_out_of_range, hostile.b90_nested_without_end,
    hostile.b90_more_than_anybody_has, hostile.b91_one_name_twice, hostile.b93_gradebooks_with_a_will,
]  # fmt: skip


@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_a_crafted_file_is_refused_in_one_sentence(build, tmp_path, honest, monkeypatch, capsys):
    """Whatever lies in a file's place, its readers refuse it, each in one line, and none waits.

    A progress file costs no more than what it held.
    """
    for kind, path in crafted(build, tmp_path, honest):
        done = list(said_of(kind, path, tmp_path, monkeypatch, capsys))
        wrong = {code: err for code, _, err in done if code != exits.PASSED}
        assert set(wrong) <= {exits.USAGE}, (kind, path, done)
        # Not every reader of a gradebook reads all of it; of any other file all of them refuse it.
        refused = any(wrong) if kind == "gradebook" else all(code for code, _, _ in done)
        assert refused or kind == "progress", (kind, path, done)
        for code, out, err in done:
            assert err.count("\n") == (code == exits.USAGE) or kind == "progress", (kind, err)
            assert "Traceback" not in out + err and len(err) < 1000
        if kind == "progress":
            assert "could not be read" in done[0][2], (path, done)


def test_honest_files_are_taken_by_the_same_readers(tmp_path, honest, monkeypatch, capsys):
    """The files that the attacks start from are read by every command, so that it is the craft that is refused."""
    for kind, path in honest.items():
        if kind == "roster":
            continue  # one folder of stubs is no class
        for code, _, err in list(said_of(kind, path, tmp_path, monkeypatch, capsys)):
            assert code == exits.PASSED or "are not those that the record was made of" in err, (kind, err)
            assert "could not be read" not in err


def test_a_report_that_goes_nowhere_is_refused_and_nothing_waits(tmp_path, honest, capsys):
    """A pipe without a reader, a full device, a socket and a folder are one sentence and exit code 2."""
    for _, path in crafted(hostile.b89_reports_that_go_nowhere, tmp_path, honest):
        with arena.watchdog() as barked:
            code = cli.main(["convert", str(honest["record"]), str(path), "--to", "junit"])
        assert (code, barked) == (exits.USAGE, [])
        assert capsys.readouterr().err.count("\n") == 1


def test_a_grading_whose_report_cannot_be_written_is_told_all_the_same(tmp_path, monkeypatch, capsys):
    """With --json into a full device the result is printed and remembered, one sentence is said, and the code is 2."""
    support.lend_sandbox(monkeypatch)
    monkeypatch.setenv(progress.FOLDER, str(tmp_path / "state"))
    (tmp_path / "m04_attention.py").write_text("def causal_mask(:\n")

    code = cli.main(["grade", "m04", "--submission", str(tmp_path), "--json", "/dev/full"])

    said = capsys.readouterr()
    assert code == exits.USAGE
    assert "invalid syntax" in said.out and "no space left on device" in said.out
    assert Progress().last(tmp_path, "m04_attention") is not None


def test_a_command_does_not_write_over_what_it_reads(honest, capsys):
    """A record is neither converted nor replayed onto itself."""
    path = str(honest["record"])
    before = honest["record"].read_bytes()

    assert cli.main(["convert", path, path, "--to", "html"]) == exits.USAGE
    assert cli.main(["replay", path, "--json", path]) == exits.USAGE
    assert honest["record"].read_bytes() == before
    assert capsys.readouterr().err.count("so that nothing of it is lost") == 2


# ── progress ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_broken_entry_of_a_progress_file_is_lost_alone(tmp_path, honest, monkeypatch):
    """Every other milestone and hint is known as before, and one sentence names what is forgotten."""
    before = json.loads(honest["progress"].read_text())
    home, kept = next(iter(before["submissions"].items()))
    others = list(kept)[1:]
    assert others

    for _, path in crafted(hostile.b93_one_broken_entry, tmp_path, honest):
        state = Progress(path)
        assert "are forgotten" in state.trouble and "\n" not in state.trouble
        whole = isinstance(json.loads(path.read_text())["submissions"][home], dict)
        known = [name for name in others if state.last(Path(home), name) is not None]
        assert known == (others if whole else []), path.read_text()[:300]
        assert 0 <= state.next_hint("m04.1", 3) < 3


@pytest.mark.parametrize("text", ["{half a file", '{"schema": "scratchwork-progress/2"}'])
def test_a_progress_file_that_is_none_is_kept_aside(tmp_path, text):
    """What could not be read as a whole lies beside the new file, whatever lay there; reading alone moves nothing."""
    path = tmp_path / "progress.json"
    for name in ("progress.spoiled.json", "progress.spoiled2.json"):
        path.write_text(text)
        state = Progress(path)
        assert "kept beside it" in state.trouble and path.read_text() == text
        state.next_hint("m04.1", 3)
        assert (tmp_path / name).read_text() == text
        assert Progress(path).trouble is None


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_is_made_so_that_it_can_be_read():
    """Lines out of every range, halves of characters and times that are none become what a record can hold."""
    half = "\ud800"
    frames = [record.Frame(f"a{half}", line, half, "") for line in (-5, 3, True, hostile.NUMBER)]
    made = record.fitted(
        record.Check("test_a", "A.", record.FAILED, seconds=float("nan"), message=half, traceback=frames, output=half)
    )
    task = record.Task("m04.1", "One", 2.0, checks=[made])
    milestone = record.Milestone("m04_attention", "Attention", [task], problem=half, notes=[half])
    record.fit_words(milestone)

    text = json_report.render(record.Record("0", "x", "0", "cpu", "bubblewrap", milestones=[milestone]))

    again = record.from_json(files.parse_json(text)).milestones[0]
    assert [frame.line for frame in again.tasks[0].checks[0].traceback] == [0, 3, 1_000_000]
    assert again == milestone
    json.dumps(record.to_json(record.Record("", "", "", "", "", milestones=[milestone])), ensure_ascii=False).encode()


def test_half_a_character_does_not_end_a_class(tmp_path):
    """Of somebody whose exception, output and file name hold halves of characters there is a mark, as of everybody."""
    course = SmallCourse(tmp_path / "course")
    raises = "def twice(x):\n    raise ValueError('\\ud800')\n\n\ndef half(x):\n    return x / 2\n"
    course.hand_in("anna", {**SOLUTIONS, "m00_warmup": raises})
    course.hand_in("bo\udcffb", SOLUTIONS)

    done = course.grade()

    assert done.returncode == 0, done.stderr
    with contextlib.closing(sqlite3.connect(course.book)) as book:
        marks = dict(book.execute("SELECT student, earned FROM result WHERE milestone = 'm00_warmup'"))
    assert sorted(marks.values()) == [4.0, 6.0] and marks["anna"] == 4.0


# ── replay ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@systems.strangers
def test_a_record_cannot_ask_for_no_sandbox(tmp_path, honest, capsys, request):
    """A record that says process or inline is replayed at the strongest level, and what is typed is still done.

    The code under replay writes where all may write, and is seen there if it has left its sandbox. What a level does
    not stop is printed.
    """
    folder, loot = tmp_path / "theirs", Path(f"/dev/shm/replayed-{os.getpid()}")
    folder.mkdir()
    request.addfinalizer(lambda: loot.unlink(missing_ok=True))
    (folder / "m04_attention.py").write_text(f"open({str(loot)!r}, 'w').write('loot')\n1 / 0\n")
    made = tmp_path / "graded.json"
    assert cli.main(["grade", "m04", "--submission", str(folder), "--json", str(made)]) == exits.NOT_PASSED
    assert not loot.exists()
    strongest = levels.strongest_for_strangers()
    capsys.readouterr()

    for _, path in crafted(hostile.b92_no_sandbox_for_a_record, tmp_path, honest | {"record": made}):
        assert cli.main(["replay", str(path), "--submission", str(folder)]) == exits.PASSED
        assert f"{strongest} here" in capsys.readouterr().out
        assert not loot.exists()
    assert cli.main(["replay", str(path), "--submission", str(folder), "--isolation", "process"]) == exits.PASSED
    assert "The process level hides nothing on this machine" in " ".join(capsys.readouterr().out.split())
    assert loot.exists()


def test_a_record_that_asks_for_no_sandbox_where_there_is_none_is_refused(monkeypatch, honest):
    """Where no level for strangers works, a record made at the level process is replayed only by who types that."""
    monkeypatch.setattr(levels, "unavailable", lambda level: None if level == "process" else "this machine is small")
    old = json_report.read(honest["record"])
    old.isolation = "process"

    with pytest.raises(replaying.UsageProblem, match="type --isolation process"):
        replaying.level(old, "auto")
    assert replaying.level(old, "process") == "process"
    old.isolation = "user"
    assert replaying.level(old, "auto") == "user"


def test_what_a_record_chooses_has_to_be_typed(tmp_path, honest, capsys):
    """Another folder, checkpoint, device or the solutions are refused in a sentence that names the option."""
    for _, path in crafted(hostile.b92_records_that_choose, tmp_path, honest):
        plain, usual = json.loads(path.read_text()), vars(replaying.DEFAULTS)
        # What is usual may be left out of a record.
        (name,) = (name for name in usual if plain.get(name, usual[name]) != usual[name])
        assert cli.main(["replay", str(path)]) == exits.USAGE
        assert f"name it with --{name.replace('_', '-')} " in capsys.readouterr().err


def test_a_record_says_nothing_that_a_screen_obeys(tmp_path, honest, capsys):
    """What a record names its grader, system, folder and checkpoint is printed inert by `replay`."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "m04_attention.py").write_text("def causal_mask(:\n")
    made = tmp_path / "graded.json"
    cli.main(["grade", "m04", "--submission", str(folder), "--json", str(made)])
    capsys.readouterr()

    for _, path in crafted(hostile.b91_words_that_a_screen_obeys, tmp_path, honest | {"record": made}):
        for options in ([], ["--submission", str(folder)]):
            cli.main(["replay", str(path), *options])
            said = "".join(capsys.readouterr())
            assert not any(sign in said for sign in ("\x1b", "\u202e", "\x07", "\n::error"))


def test_course_dates_that_no_clock_shows_are_refused():
    """A due date at the end of the calendar has no time in another zone; no course has one."""
    with pytest.raises(course.CourseError, match="no course is"):
        course._Reader("c.toml", support.COURSE, None)._due("due", course.datetime(1, 1, 1, tzinfo=course.UTC))
