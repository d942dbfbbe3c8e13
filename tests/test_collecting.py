"""Taking in a class: every form it comes in, whose is whose, and that one bad submission never stops the rest."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import systems
from handing_in import (
    ATTENTION,
    BOB,
    CLASS,
    GRADESCOPE,
    WARMUP,
    collect,
    folder,
    modules,
    problems,
    tarred,
    zipped,
)

from grader.classroom.book.standing import Student
from grader.classroom.intake import candidates, collecting
from grader.classroom.intake.collecting import CollectingError
from grader.classroom.intake.lms_exports import gradescope_time
from grader.classroom.intake.reading import Reading
from grader.classroom.intake.roster import Roster


@pytest.fixture
def _in_this_process(monkeypatch):
    """Have submissions read here, where a test can lower a limit."""
    monkeypatch.setattr(collecting, "Reader", Reading)


A_CLASS = {f"a1/{WARMUP}": "anna", f"b2/{ATTENTION}": "bob", f"b2/exercises/{WARMUP}": "bob's", "c3/notes.txt": "none"}
TAKEN = {"a1": {"m00": "anna"}, "b2": {"m00": "bob's"}, "c3": {}}


@pytest.mark.parametrize("roster", [CLASS, None], ids=["roster", "no roster"])
@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz", "tar.xz", "tar.bz2", "wrapped zip"])
def test_a_class_is_taken_in_from_folders_and_archives(tmp_path, form, roster):
    """Each form gives the same: a student for each folder, modules from `exercises`, and who has none of them."""
    source = tmp_path / f"week4.{form.split()[-1]}"
    if form == "folder":
        folder(source, A_CLASS)
    elif form.endswith("zip"):
        source.write_bytes(zipped({f"{'week4/' if 'wrapped' in form else ''}{k}": v for k, v in A_CLASS.items()}))
    else:
        source.write_bytes(tarred(A_CLASS, "w:" + form.removeprefix("tar").removeprefix(".")))

    collected = collect(source, roster=roster)

    assert modules(collected) == TAKEN
    assert list(problems(collected)) == ["c3"]
    assert "has none of the course's modules" in problems(collected)["c3"]
    assert collected.missing == [] and collected.notes == []
    assert all(each.handed_in == "" for each in collected.handed_in)
    assert collected.handed_in[1].origin.endswith("b2/exercises")


def test_a_folder_of_archives_is_a_class(tmp_path):
    """Each archive is one student's, whatever it is called inside, next to students with a folder."""
    folder(
        tmp_path / "s",
        {
            "a1.zip": zipped({f"hw-main/exercises/{WARMUP}": "anna", f"hw-main/solutions/{WARMUP}": "stolen"}),
            "Bob O'Neil.tar.gz": tarred({WARMUP: "bob"}),
            f"c3/{WARMUP}": "carl",
            "roster.csv": "id\n",
        },
    )

    assert modules(collect(tmp_path / "s")) == {"a1": {"m00": "anna"}, "b2": {"m00": "bob"}, "c3": {"m00": "carl"}}


def test_one_submission_is_a_class_of_one(tmp_path):
    """A folder or an archive with modules is a submission, named after itself; so is a whole repository's copy."""
    plain = folder(tmp_path / "a1", {WARMUP: "anna"})
    (tmp_path / "b2.zip").write_bytes(zipped({f"hw/{WARMUP}": "bob"}))
    copy = folder(tmp_path / "c3", {f"exercises/{WARMUP}": "c", f"tests/old/{WARMUP}": "x", f"solutions/{WARMUP}": "y"})

    assert modules(collect(plain, tmp_path / "b2.zip", copy, roster=None)) == {
        "a1": {"m00": "anna"},
        "b2": {"m00": "bob"},
        "c3": {"m00": "c"},
    }


def test_a_class_of_one_folder_is_that_students(tmp_path):
    """`submissions/anna` is Anna's, with a roster and without."""
    folder(tmp_path / "submissions", {f"anna@example.org/{WARMUP}": "anna"})

    assert list(modules(collect(tmp_path / "submissions", roster=None))) == ["anna@example.org"]
    assert list(modules(collect(tmp_path / "submissions"))) == ["a1"]


def test_a_gradescope_export_says_who_and_when(tmp_path):
    """Submitters, both of a pair, and times come from the metadata; what students printed into it changes nothing."""
    files = {f"submission_{n}/{WARMUP}": str(n) for n in (101, 102, 999)} | {"submission_metadata.yml": GRADESCOPE}
    data = zipped({f"assignment_7_export/{name}": text for name, text in files.items()})
    for name in ("assignment_7_export.zip", "renamed.zip"):
        (tmp_path / name).write_bytes(data)
    unpacked, renamed = folder(tmp_path / "assignment_7_export (1)", files), folder(tmp_path / "renamed", files)

    for collected in (
        collect(tmp_path / "assignment_7_export.zip"),
        collect(unpacked),
        collect(exports=[tmp_path / "renamed.zip"]),
        collect(exports=[renamed]),
    ):
        assert [(each.student.id, each.handed_in) for each in collected.handed_in] == [
            ("a1", "2026-03-01T09:30:00.123456+00:00"),
            ("b2", "2026-03-02T23:59:59+02:00"),
            ("c3", "2026-03-02T23:59:59+02:00"),
            ("d4", "2026-03-03T08:00:00+00:00"),
            ("submission_999", ""),
        ]
        assert modules(collected)["b2"] == modules(collected)["c3"] == {"m00": "102"}
        assert "Handed in together with Carl." in collected.handed_in[1].notes
        assert problems(collected) == {
            "d4": "The export has no folder submission_103, so that nothing of it can be graded."
        }
        assert "does not say whose submission_999 is" in " ".join(collected.handed_in[4].notes)


def test_since_leaves_out_what_came_in_earlier(tmp_path):
    """What the platform received before is left out and not called missing; what has no time stays."""
    files = {f"submission_{n}/{WARMUP}": str(n) for n in (101, 102, 103, 999)} | {"submission_metadata.yml": GRADESCOPE}
    source = folder(tmp_path / "assignment_7_export", files)

    collected = collect(source, since=datetime(2026, 3, 2, 22, tzinfo=UTC))

    assert [each.student.id for each in collected.handed_in] == ["d4", "submission_999"]
    assert collected.missing == []
    assert "3 submissions were handed in before 2026-03-02T22:00+00:00 and left out." in collected.notes
    assert any("When 1 submission came in is not known" in note for note in collected.notes)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-01 09:30:00 Z", "2026-03-01T09:30:00+00:00"),
        ("2026-03-01 09:30:00.5 -08:00", "2026-03-01T09:30:00.500000-08:00"),
        ("2026-03-01T09:30:00+0530", "2026-03-01T09:30:00+05:30"),
        ("2026-13-01 09:30:00 Z", ""),
        ("2026-03-01 09:30:00", ""),
        ("yesterday", ""),
        ("", ""),
        ("2026-03-01 09:30:00 +99:99", ""),
        ("2026-03-01 09:30:00 +24:00", ""),
        ("0001-01-01 00:00:00 +12:00", ""),
        ("9999-12-31 23:59:59 -12:00", ""),
        ("on 2026-03-01 09:30:00 Z or so", ""),
    ],
)
def test_gradescopes_times_have_a_zone_or_are_none(written, meant):
    """A time without its zone, or that is none, is not made up."""
    assert gradescope_time(written) == meant


@pytest.mark.parametrize("metadata", ["", "- a list", "a: [", "\x00", "*a", "[" * 100])
def test_metadata_that_is_broken_says_so(tmp_path, metadata):
    """An export whose metadata can't be read is one sentence, not a class of nobody."""
    source = folder(tmp_path / "e", {"submission_metadata.yml": metadata, f"submission_1/{WARMUP}": "x"})

    with pytest.raises(CollectingError, match=r"submission_metadata\.yml (cannot be read|names no submissions)"):
        collect(exports=[source])


def test_a_moodle_export_is_read_by_its_names(tmp_path):
    """Folders and flat files, nested archives, groups in front of names and typed texts, as Moodle writes them."""
    flat = "Carl_1003_assignsubmission_file_"
    (tmp_path / "moodle.zip").write_bytes(
        zipped(
            {
                f"Anna Müller_1001_assignsubmission_file_/{WARMUP}": "anna",
                "Group 1-Bob O'Neil_1002_assignsubmission_file_/work.zip": zipped({f"work/{WARMUP}": "bob"}),
                f"{flat}{WARMUP}": "carl",
                f"{flat}{ATTENTION}": "carl's",
                "Carl_1003_assignsubmission_onlinetext_/onlinetext.html": "<p>hello</p>",
                f"Zoe-Marie_1004_assignsubmission_file/{WARMUP}": "zoe",
            }
        )
    )

    collected = collect(tmp_path / "moodle.zip")

    assert modules(collected) == {
        "a1": {"m00": "anna"},
        "b2": {"m00": "bob"},
        "c3": {"m00": "carl", "m04": "carl's"},
        "Zoe-Marie": {"m00": "zoe"},
    }
    assert problems(collected) == {}
    assert any("1 text typed into Moodle" in note for note in collected.notes)


def test_two_people_of_one_name_stay_two(tmp_path):
    """Moodle's numbers keep them apart without a roster; with one that has both, neither is guessed."""
    files = {f"Kim Lee_{number}_assignsubmission_file_/{WARMUP}": str(number) for number in (7, 8)}
    source = folder(tmp_path / "moodle", files)
    kims = Roster((Student("k1", "Kim Lee"), Student("k2", "Kim Lee")))

    assert modules(collect(source, roster=None)) == {"Kim Lee (7)": {"m00": "7"}, "Kim Lee (8)": {"m00": "8"}}
    collected = collect(source, roster=kims)
    assert modules(collected) == {}
    assert len(collected.unclear) == 2 and all("name it by the student's id" in said for said in collected.unclear)
    assert collected.missing == []  # it is not that they have handed in nothing


def test_the_order_is_the_rosters_and_who_is_missing_is_named(tmp_path):
    """Students come in the roster's order, then the others in natural order, each with a note; the rest is missing."""
    files = {f"{name}/{WARMUP}": name for name in ("x10", "x9", "CARL", "A1")}

    collected = collect(folder(tmp_path / "s", files))

    assert [each.student.id for each in collected.handed_in] == ["a1", "c3", "x9", "x10"]
    assert collected.missing == [BOB]
    assert [note.split(" (")[0] for note in collected.notes] == ["x9 is not on the roster", "x10 is not on the roster"]


def test_two_submissions_of_one_student_are_never_chosen_between_silently(tmp_path):
    """Different ones without times are refused, the same ones are one; everybody else is taken."""
    files = {
        f"a1/{WARMUP}": "one",
        f"Anna Müller/{WARMUP}": "two",
        f"b2/{WARMUP}": "bob",
        f"BOB@example.org/{WARMUP}": "bob",
    }

    collected = collect(folder(tmp_path / "s", files))

    assert modules(collected) == {"a1": {}, "b2": {"m00": "bob"}}
    assert "Anna Müller has handed in 2 times (" in problems(collected)["a1"]
    assert "nothing says which m00 counts; keep one of them, or" in problems(collected)["a1"]
    assert any(note.startswith("Bob O'Neil has handed in 2 times: m00 from ") for note in collected.notes)


def test_several_hand_ins_are_merged_by_module(tmp_path):
    """Each module comes from the one hand-in that has it, untouched stubs give way, and the note says what is whose."""
    week1 = folder(tmp_path / "week1", {f"a1/{WARMUP}": "anna", f"a1/{ATTENTION}": "stub\r\n", f"b2/{WARMUP}": "1"})
    week4 = folder(tmp_path / "week4", {f"a1/{ATTENTION}": "anna's", f"b2/{WARMUP}": "2", f"b2/{ATTENTION}": "bob's"})

    collected = collect(week1, week4, stubs={"m04_attention": b"stub\n"})

    assert modules(collected) == {"a1": {"m00": "anna", "m04": "anna's"}, "b2": {"m04": "bob's"}}
    assert any("2 times: m00 from " in note and "; m04 from " in note for note in collected.notes)
    assert "nothing says which m00 counts" in collected.handed_in[1].troubles[0]
    assert problems(collected) == {}


def test_one_that_cannot_be_read_leaves_the_other(tmp_path):
    """Of a broken archive and a folder of one student the folder is taken, and the archive is named all the same."""
    folder(tmp_path / "s", {f"a1/{WARMUP}": "anna", "Anna Müller.zip": b"PK\3\4 and no more", f"b2/{WARMUP}": "bob"})

    collected = collect(tmp_path / "s")

    assert modules(collected) == {"a1": {"m00": "anna"}, "b2": {"m00": "bob"}} and problems(collected) == {}
    (trouble,) = collected.handed_in[0].troubles
    assert "Anna Müller.zip" in trouble


def test_the_latest_of_two_is_taken_where_both_have_times(tmp_path):
    """Two weeks' exports of one class: the platform's times decide, and the note says so."""
    early = folder(tmp_path / "early", {"submission_metadata.yml": GRADESCOPE, f"submission_101/{WARMUP}": "early"})
    later = GRADESCOPE.replace("2026-03-01 09", "2026-03-01 10")
    late = folder(tmp_path / "late", {"submission_metadata.yml": later, f"submission_101/{WARMUP}": "late"})

    collected = collect(exports=[late, early], students={"a1"})

    assert modules(collected) == {"a1": {"m00": "late"}}
    note = collected.handed_in[0].notes[-1]
    assert "has handed in 2 times: " in note and "nothing from " in note and "which came in earlier" in note


def test_somebodys_archive_cannot_speak_for_others(tmp_path):
    """An export's metadata or others' folders inside a student's own archive make nobody else's submission."""
    forged = {"submission_metadata.yml": GRADESCOPE, f"submission_102/{WARMUP}": "forged", f"b2/{ATTENTION}": "forged"}
    folder(tmp_path / "s", {"c3.zip": zipped(forged), f"b2/{WARMUP}": "bob"})

    for sources in ([tmp_path / "s"], [tmp_path / "s" / "c3.zip", tmp_path / "s" / "b2"]):
        collected = collect(*sources)

        assert modules(collected) == {"b2": {"m00": "bob"}, "c3": {}}
        assert "modules in 2 folders" in problems(collected)["c3"]


def test_an_id_taken_from_somebody_else_is_refused(tmp_path):
    """On Gradescope students set their id themselves: one that is another's, by the email, gets no marks for it."""
    metadata = GRADESCOPE.replace(":sid: a1", ":sid: b2")
    source = folder(tmp_path / "e", {"submission_metadata.yml": metadata, f"submission_101/{WARMUP}": "x"})

    collected = collect(exports=[source], students={"Anna Müller"})

    assert modules(collected) == {}
    assert "has the id of Bob O'Neil (b2) and the email of Anna Müller (a1)" in collected.unclear[0]


def test_students_narrow_the_class(tmp_path):
    """Ids, emails and names choose; missing ones are named among the chosen only, and an unknown name is refused."""
    source = folder(tmp_path / "s", {f"a1/{WARMUP}": "anna", f"zoe/{WARMUP}": "zoe"})

    collected = collect(source, students={"anna@example.org", "Bob O'Neil", "zoe"})

    assert list(modules(collected)) == ["a1", "zoe"]
    assert collected.missing == [BOB]
    with pytest.raises(CollectingError, match=r"There is no student Ana Müller; did you mean Anna Müller\?"):
        collect(source, students={"Ana Müller"})


def test_modules_are_found_deep_inside(tmp_path):
    """One folder with modules counts wherever it is; several need one called exercises, and else are refused."""
    files = {
        f"a1/hw/week 4/code/{WARMUP}": "deep",
        f"b2/old/{WARMUP}": "old",
        f"b2/new/exercises/{WARMUP}": "new",
        f"c3/one/{WARMUP}": "1",
        f"c3/two/{WARMUP}": "2",
        f"c3/__MACOSX/two/._{WARMUP}": "junk",
        "b2/.DS_Store": "junk",
    }

    collected = collect(folder(tmp_path / "s", files))

    assert modules(collected) == {"a1": {"m00": "deep"}, "b2": {"m00": "new"}, "c3": {}}
    assert problems(collected)["c3"].endswith(
        "has modules in 2 folders, and nothing says which counts: "
        "s/c3/one, s/c3/two; keep one of them, or call it exercises."
    )


def test_a_renamed_module_is_named(tmp_path):
    """What looks like a module and is none is said, beside another module and alone."""
    files = {"a1/m04_attention (1).py": "x", f"a1/{WARMUP}": "x", "b2/M04_Attention.py": "x", "c3/x.rar": "Rar!"}

    collected = collect(folder(tmp_path / "s", files))

    anna = collected.handed_in[0]
    assert anna.notes == ["s/a1/m04_attention (1).py was ignored: the module is called m04_attention.py."]
    assert "s/b2/M04_Attention.py was ignored: the module is called m04_attention.py." in problems(collected)["b2"]
    assert "x.rar is an archive of a kind that is not read" in problems(collected)["c3"]


@systems.links
@systems.pipes
def test_links_and_pipes_in_folders_are_not_followed(tmp_path):
    """A linked folder, a linked module, a pipe and a hard link are each their student's problem, and nobody waits."""
    secret = folder(tmp_path / "elsewhere", {WARMUP: "secret", ATTENTION: "secret"})
    source = folder(tmp_path / "s", {f"a1/{ATTENTION}": "anna", f"c3/{ATTENTION}": "carl"})
    (source / "a1" / WARMUP).symlink_to(secret / WARMUP)
    (source / "a1" / "exercises").symlink_to(secret)
    (source / "b2").symlink_to(secret)
    os.mkfifo(source / "c3" / WARMUP)
    os.link(secret / ATTENTION, source / "c3" / "m03_embedding.py")

    collected = collect(source)

    assert modules(collected) == {"a1": {"m04": "anna"}, "c3": {"m04": "carl"}}
    taken = {each.student.id: each.submission.problems for each in collected.handed_in}
    assert taken["a1"]["m00_warmup"].endswith("it is a symbolic link, not a regular file.")
    assert taken["c3"]["m00_warmup"].endswith("it is a named pipe, not a regular file.")
    assert "hard link" in taken["c3"]["m03_embedding"]
    assert collected.missing == [BOB]


@pytest.mark.usefixtures("_in_this_process")
def test_a_folder_that_holds_too_much_leaves_the_others(tmp_path, monkeypatch):
    """A limit on names is each student's own."""
    monkeypatch.setattr("grader.classroom.intake.trees.ENTRIES", 20)
    files = {f"a1/{number}.txt": "" for number in range(30)} | {f"a1/{WARMUP}": "x", f"b2/{WARMUP}": "bob"}

    collected = collect(folder(tmp_path / "s", files))

    assert modules(collected) == {"a1": {}, "b2": {"m00": "bob"}}
    assert problems(collected)["a1"] == "s/a1 holds more than 20 files."


def test_names_of_folders_are_made_harmless(tmp_path):
    """Escape sequences, new lines and bytes that are no UTF-8 reach no sentence, origin or id."""
    names = [b"\x1b[31mred", b"two\nlines", b"\xff\xfe"]
    try:
        for name in names:
            os.makedirs(os.path.join(os.fsencode(tmp_path / "s"), name))
            Path(os.fsdecode(os.path.join(os.fsencode(tmp_path / "s"), name, WARMUP.encode()))).write_text("x")
    except OSError:
        pytest.skip("this file system refuses such names")

    collected = collect(tmp_path / "s", roster=None)

    assert len(collected.handed_in) == 3
    for each in collected.handed_in:
        shown = each.student.id + each.origin + each.submission.folder + "".join(each.submission.problems.values())
        shown.encode()
        assert "\x1b" not in shown and "\n" not in shown


def test_what_is_no_source_is_refused(tmp_path):
    """A path that is not there, an unknown kind of file and an empty folder are one sentence each."""
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / "class.7z").write_bytes(b"7z")
    (tmp_path / "roster.xlsx").write_bytes(zipped({"xl/workbook.xml": "<workbook/>"}))
    (tmp_path / "empty").mkdir()

    for name, said in [
        ("gone", "There is no folder, archive or list"),
        ("photo.png", "is no folder, no zip or tar archive, and no list of git repositories."),
        ("roster.xlsx", "is a spreadsheet program's workbook; save it as CSV in UTF-8."),
        ("class.7z", "is an archive of a kind that is not read; zip and tar are."),
        ("empty", "There is nothing in empty."),
    ]:
        with pytest.raises(CollectingError, match=said):
            collect(tmp_path / name)


@pytest.mark.usefixtures("_in_this_process")
def test_what_nobody_has_thought_of_is_one_students_problem(tmp_path, monkeypatch):
    """An exception that no code expects leaves the others their marks."""
    take = candidates.take_tree

    def broken(tree, *rest):
        return 1 / 0 if tree.shown.endswith("a1") else take(tree, *rest)

    monkeypatch.setattr(candidates, "take_tree", broken)

    collected = collect(folder(tmp_path / "s", {f"a1/{WARMUP}": "x", f"b2/{WARMUP}": "bob"}))

    assert modules(collected) == {"a1": {}, "b2": {"m00": "bob"}}
    assert problems(collected)["a1"] == "s/a1 cannot be read (ZeroDivisionError: division by zero)."
